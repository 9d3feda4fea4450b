"""PutLoggingConfiguration, GetLoggingConfiguration, DeleteLoggingConfiguration, ListLoggingConfigurations.

Source: AWS WAF API Reference, LoggingConfiguration; Developer Guide, "Managing logging for a web ACL".
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.house import ACCOUNT, REGION
from tests.support.wafv2 import ANY_ID, SCOPE, Waf, code, named, parameter, refused

FILE = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-web"


def put(waf: Waf, arn: str, destination: str = FILE, **more: Any) -> dict[str, Any]:
    config = {"ResourceArn": arn, "LogDestinationConfigs": [destination], **more}
    return dict(waf.client.put_logging_configuration(LoggingConfiguration=config))


def test_a_configuration_reads_as_it_was_put(waf: Waf):
    arn = waf.acl("logged")["ARN"]
    assert code(lambda: waf.client.get_logging_configuration(ResourceArn=arn)) == "WAFNonexistentItemException"
    wanted = {
        "ResourceArn": arn,
        "LogDestinationConfigs": [FILE],
        "RedactedFields": [{"SingleHeader": {"Name": "cookie"}}, {"QueryString": {}}, {"UriPath": {}}, {"Method": {}}],
        "LoggingFilter": {
            "DefaultBehavior": "DROP",
            "Filters": [
                {
                    "Behavior": "KEEP",
                    "Requirement": "MEETS_ANY",
                    "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}, {"LabelNameCondition": {"LabelName": "awswaf:x:y"}}],
                }
            ],
        },
    }
    answer = put(waf, arn, RedactedFields=wanted["RedactedFields"], LoggingFilter=wanted["LoggingFilter"])
    whole = {**wanted, "ManagedByFirewallManager": False, "LogType": "WAF_LOGS", "LogScope": "CUSTOMER"}
    assert answer["LoggingConfiguration"] == whole
    assert waf.client.get_logging_configuration(ResourceArn=arn)["LoggingConfiguration"] == whole
    assert whole in waf.client.list_logging_configurations(Scope=SCOPE)["LoggingConfigurations"]
    (item,) = waf.house.items(answer["ResponseMetadata"]["RequestId"])
    assert json.loads(item.facts)["logging"] is True


def test_a_configuration_replaces_the_one_before(waf: Waf):
    arn = waf.acl("replaced")["ARN"]
    put(waf, arn, RedactedFields=[{"Method": {}}])
    put(waf, arn, FILE.replace("web", "stdout"))
    found = waf.client.get_logging_configuration(ResourceArn=arn)["LoggingConfiguration"]
    assert (found["LogDestinationConfigs"], "RedactedFields" in found) == ([FILE.replace("web", "stdout")], False)


def test_it_ends_by_itself_and_with_its_web_acl(waf: Waf):
    acl = waf.acl("ending")
    put(waf, acl["ARN"])
    waf.client.delete_logging_configuration(ResourceArn=acl["ARN"])
    assert code(lambda: waf.client.delete_logging_configuration(ResourceArn=acl["ARN"])) == "WAFNonexistentItemException"
    put(waf, acl["ARN"])
    waf.client.delete_web_acl(LockToken=acl["LockToken"], **named(acl))
    listed = waf.client.list_logging_configurations(Scope=SCOPE)["LoggingConfigurations"]
    assert acl["ARN"] not in [each["ResourceArn"] for each in listed]
    for call in (
        lambda: put(waf, acl["ARN"]),
        lambda: waf.client.get_logging_configuration(ResourceArn=acl["ARN"]),
        lambda: waf.client.delete_logging_configuration(ResourceArn=acl["ARN"][:-36] + ANY_ID),
    ):
        assert code(call) == "WAFNonexistentItemException"


@pytest.mark.parametrize(
    "destination",
    [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:other",
        f"arn:aws:logs:{REGION}:999999999999:log-group:aws-waf-logs-web",
        f"arn:aws:logs:us-west-2:{ACCOUNT}:log-group:aws-waf-logs-web",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-../../etc/passwd",
        f"arn:aws:sns:{REGION}:{ACCOUNT}:aws-waf-logs-topic",
        "arn:aws:s3:::other-bucket-of-mine",
        "no destination at all",
    ],
)
def test_a_destination_has_the_prefix_and_is_the_accounts_own(waf: Waf, destination: str):
    """The text is recorded from AWS for a log group with another name."""
    acl = waf.acl(f"to-{abs(hash(destination))}")["ARN"]
    assert parameter(lambda: put(waf, acl, destination)) == ("LOG_DESTINATION", destination)


@pytest.mark.parametrize(
    "destination",
    ["arn:aws:s3:::aws-waf-logs-bucket", f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/aws-waf-logs-stream"],
)
def test_a_destination_that_is_not_here_is_refused(waf: Waf, destination: str):
    acl = waf.acl(f"at-{abs(hash(destination))}")["ARN"]
    assert code(lambda: put(waf, acl, destination)) == "WAFLogDestinationPermissionIssueException"


def test_what_a_configuration_may_not_be(waf: Waf):
    acl = waf.acl("wrong")["ARN"]
    body: list[Any] = [{"Body": {}}]
    assert parameter(lambda: put(waf, acl, RedactedFields=body)) == ("FIELD_TO_MATCH", "Body")
    both: list[Any] = [{"Method": {}, "UriPath": {}}]
    assert parameter(lambda: put(waf, acl, RedactedFields=both)) == ("FIELD_TO_MATCH", "FieldToMatch")
    empty = {"DefaultBehavior": "KEEP", "Filters": [{"Behavior": "DROP", "Requirement": "MEETS_ALL", "Conditions": [{}]}]}
    assert parameter(lambda: put(waf, acl, LoggingFilter=empty)) == ("FILTER_CONDITION", "Condition")
    assert code(lambda: put(waf, acl, LogScope="SECURITY_LAKE")) == "WAFInvalidOperationException"
    two = {"ResourceArn": acl, "LogDestinationConfigs": [FILE, FILE + "2"]}
    assert parameter(lambda: waf.client.put_logging_configuration(LoggingConfiguration=two))[0] == "LOG_DESTINATION"
    group = waf.group("not-an-acl")["ARN"]
    assert parameter(lambda: put(waf, group)) == ("RESOURCE_ARN", group)


def test_a_policy_can_bound_where_logs_go(waf: Waf):
    acl = waf.acl("bounded")["ARN"]
    condition = {"ArnEquals": {"wafv2:LogDestinationResource": FILE}, "StringEquals": {"wafv2:LogScope": "CUSTOMER"}}
    allowed = {"Effect": "Allow", "Action": "wafv2:PutLoggingConfiguration", "Resource": acl, "Condition": condition}
    client = waf.user("logger", allowed)
    client.put_logging_configuration(LoggingConfiguration={"ResourceArn": acl, "LogDestinationConfigs": [FILE]})
    elsewhere = {"ResourceArn": acl, "LogDestinationConfigs": [FILE + "-2"]}
    answer = refused(lambda: client.put_logging_configuration(LoggingConfiguration=elsewhere))
    assert answer["Error"]["Code"] == "AccessDeniedException"


def test_lists_come_in_pages(waf: Waf):
    for number in range(3):
        put(waf, waf.acl(f"page-{number}")["ARN"])
    first = waf.client.list_logging_configurations(Scope=SCOPE, Limit=1)
    second = waf.client.list_logging_configurations(Scope=SCOPE, Limit=1, NextMarker=first["NextMarker"])
    assert first["LoggingConfigurations"] != second["LoggingConfigurations"]
    assert waf.client.list_logging_configurations(Scope=SCOPE, LogScope="SECURITY_LAKE")["LoggingConfigurations"] == []
