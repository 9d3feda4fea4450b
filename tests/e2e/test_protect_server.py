"""``garrison protect`` beside ``garrison serve``: the web ACL is the API's, and its samples come back there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import boto
from tests.support.fronts import Application, Front, eventually
from tests.support.server import Server
from tests.support.waf import byte_match, rule, visible

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transport")]


@pytest.fixture(scope="module")
def server(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    with made:
        yield made
    made.remove()


@pytest.fixture(scope="module")
def waf(server: Server) -> Any:
    return boto(server, "wafv2")


def front_of(server: Server, directory: Path, application: Application, *options: str) -> Front:
    admin = server.credentials.admin
    environment = {
        "GARRISON_DATA_DIR": str(server.data_dir),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
        **server.environment,
    }
    return Front(directory, application.url, None, options, environment)


@pytest.fixture(scope="module")
def both(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Application]]:
    directory = tmp_path_factory.mktemp("front")
    options = ("--managed", "common,sqli,known-bad-inputs", "--rate", "500", "--name", "shop")
    with Application() as application, front_of(server, directory, application, *options) as front:
        yield front, application


def summary(waf: Any, name: str) -> Any:
    return next(each for each in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if each["Name"] == name)


def listener_of(front: Front) -> str:
    return front.log().partition("listener   ")[2].split()[0]


def test_the_listener_and_its_web_acl_are_the_apis(both: tuple[Front, Application], waf: Any):
    acl = waf.get_web_acl_for_resource(ResourceArn=listener_of(both[0]))["WebACL"]
    assert acl["Name"] == "shop"
    assert next(each["Name"] for each in acl["Rules"]) == "rate"
    assert waf.list_resources_for_web_acl(WebACLArn=acl["ARN"])["ResourceArns"] == [listener_of(both[0])]


def test_a_blocked_request_is_sampled_with_its_rule_and_label(both: tuple[Front, Application], waf: Any):
    front, application = both
    assert front.ask("/?id=1%27%20or%201=1--", headers=[("Authorization", "Bearer secret")]).status == 403
    assert front.ask("/?id=1").status == 200
    assert len(application.requests) == 1
    arn = summary(waf, "shop")["ARN"]

    def sampled() -> list[Any]:
        now = time.time()
        window = {"StartTime": now - 600, "EndTime": now + 60}
        metric = "AWSManagedRulesSQLiRuleSet"
        answer = waf.get_sampled_requests(WebAclArn=arn, RuleMetricName=metric, Scope="REGIONAL", TimeWindow=window, MaxItems=100)
        return list(answer["SampledRequests"])

    eventually(lambda: bool(sampled()))
    [found] = sampled()
    assert found["Action"] == "BLOCK"
    assert found["RuleNameWithinRuleGroup"] == "SQLi_QUERYARGUMENTS"
    assert found["Request"]["URI"] == "/?id=1%27%20or%201=1--"
    assert found["Request"]["ClientIP"] == "127.0.0.1"
    assert [each["Name"] for each in found["Labels"]] == ["awswaf:managed:aws:sql-database:SQLi_QueryArguments"]
    shown = {each["Name"].lower(): each["Value"] for each in found["Request"]["Headers"]}
    assert "secret" not in shown["authorization"]


def test_an_update_of_the_web_acl_is_live_and_so_is_the_end_of_the_association(both: tuple[Front, Application], waf: Any):
    front, _ = both
    found = summary(waf, "shop")
    known = waf.get_web_acl(Name="shop", Id=found["Id"], Scope="REGIONAL")
    rules = [rule("closed", 0, byte_match(b"/closed"))]
    update = {"Name": "shop", "Id": found["Id"], "Scope": "REGIONAL", "LockToken": known["LockToken"]}
    waf.update_web_acl(**update, DefaultAction={"Allow": {}}, Rules=rules, VisibilityConfig=visible("shop"))
    eventually(lambda: front.ask("/closed").status == 403)
    eventually(lambda: front.ask("/?id=1%27%20or%201=1--").status == 200)
    waf.disassociate_web_acl(ResourceArn=listener_of(front))
    eventually(lambda: front.ask("/closed").status == 200)
    waf.associate_web_acl(ResourceArn=listener_of(front), WebACLArn=found["ARN"])
    eventually(lambda: front.ask("/closed").status == 403)


def test_addresses_that_a_rate_limits_are_told(server: Server, waf: Any, tmp_path: Path):
    with Application() as application, front_of(server, tmp_path, application, "--rate", "10", "--name", "slow") as front:
        eventually(lambda: front.ask().status == 403)
        found = summary(waf, "slow")

        def limited() -> list[str]:
            answer = waf.get_rate_based_statement_managed_keys(
                Scope="REGIONAL", WebACLName="slow", WebACLId=found["Id"], RuleName="rate"
            )
            return list(answer["ManagedKeysIPV4"]["Addresses"])

        eventually(lambda: limited() == ["127.0.0.1/32"])


def test_without_permission_nothing_is_protected(server: Server, tmp_path: Path):
    with Application() as application:
        front = front_of(server, tmp_path, application, "--rate", "10", "--name", "mine")
        front.environment = {**front.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
        with pytest.raises(RuntimeError, match="The request signature we calculated does not match"):
            front.start()


def test_records_go_where_the_logging_configuration_says(both: tuple[Front, Application], server: Server, waf: Any):
    front, _ = both
    arn = summary(waf, "shop")["ARN"]
    group = f"arn:aws:logs:{server.credentials.region}:{server.account_id}:log-group:aws-waf-logs-shop"
    filters = {
        "DefaultBehavior": "DROP",
        "Filters": [{"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}]}],
    }
    configuration = {"ResourceArn": arn, "LogDestinationConfigs": [group], "LoggingFilter": filters}
    waf.put_logging_configuration(LoggingConfiguration=configuration)
    path = server.data_dir / "waf-logs" / server.account_id / server.credentials.region / "aws-waf-logs-shop.jsonl"

    def logged() -> bool:
        front.ask("/closed")
        front.ask("/open")
        return path.exists() and "/closed" in path.read_text()

    eventually(logged)
    assert '"/open"' not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
