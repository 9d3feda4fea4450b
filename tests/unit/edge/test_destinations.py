"""Destinations of logs. Source: AWS WAF Developer Guide, "Enabling AWS WAF logging"."""

from __future__ import annotations

import pytest

from garrison.edge.destinations import Destination, destination

PLACE = "us-east-1:111122223333"


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        (f"arn:aws:logs:{PLACE}:log-group:aws-waf-logs-a", Destination("file", "aws-waf-logs-a", "111122223333", "us-east-1")),
        (f"arn:aws:logs:{PLACE}:log-group:aws-waf-logs-a:*", Destination("file", "aws-waf-logs-a", "111122223333", "us-east-1")),
        (
            f"arn:aws:logs:{PLACE}:log-group:aws-waf-logs-stdout",
            Destination("stdout", "aws-waf-logs-stdout", "111122223333", "us-east-1"),
        ),
        ("arn:aws:s3:::aws-waf-logs-a", Destination("bucket", "aws-waf-logs-a")),
        ("arn:aws:s3:::aws-waf-logs-a/below/this", Destination("bucket", "aws-waf-logs-a", prefix="below/this")),
        (
            f"arn:aws:firehose:{PLACE}:deliverystream/aws-waf-logs-a",
            Destination("stream", "aws-waf-logs-a", "111122223333", "us-east-1"),
        ),
    ],
)
def test_a_destination_is_known_by_its_arn(arn: str, found: Destination):
    assert destination(arn) == found


@pytest.mark.parametrize(
    "arn",
    [
        "aws-waf-logs-a",
        f"arn:aws:logs:{PLACE}:log-group:aws-waf-logs-",
        f"arn:aws:logs:{PLACE}:log-group:a",
        f"arn:aws:logs:{PLACE}:log-group:aws-waf-logs-a/../b",
        f"arn:aws:logs:{PLACE}:log-group:aws-waf-logs-a\n",
        f"arn:aws:s3:{PLACE}:aws-waf-logs-a",
        "arn:aws:s3:::bucket/aws-waf-logs-a",
    ],
)
def test_any_other_arn_is_none(arn: str):
    with pytest.raises(ValueError, match=r"aws-waf-logs|not an ARN"):
        destination(arn)
