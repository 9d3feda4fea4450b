"""Where the records of inspected requests go, by the ARN in a logging configuration.

A log group of CloudWatch Logs stands for a file of this installation, and ``aws-waf-logs-stdout`` for the standard output of the
process that inspects; a bucket stands for itself. Source: AWS WAF Developer Guide, "Enabling AWS WAF logging": the names begin
with ``aws-waf-logs-``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from garrison.core.arn import parse_arn

PREFIX: Final = "aws-waf-logs-"
STDOUT: Final = f"{PREFIX}stdout"
_GROUP: Final = re.compile(rf"log-group:({PREFIX}[A-Za-z0-9._-]{{1,100}})(?::\*)?", re.ASCII)
_BUCKET: Final = re.compile(rf"({PREFIX}[a-z0-9.-]{{1,50}})((?:/[A-Za-z0-9._/-]*)?)", re.ASCII)
_STREAM: Final = re.compile(rf"deliverystream/({PREFIX}[A-Za-z0-9_.-]{{1,52}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination. ``name`` is safe as the name of a file; account and Region are empty for a bucket."""

    kind: Literal["file", "stdout", "bucket", "stream"]
    name: str
    account: str = ""
    region: str = ""
    prefix: str = ""
    """Of a bucket: what keys begin with."""


def destination(arn: str) -> Destination:
    """The destination that an ARN stands for, existing or not. Raises ValueError for one that no log goes to."""
    parts = parse_arn(arn)
    if parts.service == "logs" and (found := _GROUP.fullmatch(parts.resource)) is not None:
        return Destination("stdout" if found[1] == STDOUT else "file", found[1], parts.account, parts.region)
    if parts.service == "s3" and not parts.account and (found := _BUCKET.fullmatch(parts.resource)) is not None:
        return Destination("bucket", found[1], prefix=found[2].strip("/"))
    if parts.service == "firehose" and (found := _STREAM.fullmatch(parts.resource)) is not None:
        return Destination("stream", found[1], parts.account, parts.region)
    raise ValueError(f"`{arn}` is no destination of logs: the names begin with `{PREFIX}`")
