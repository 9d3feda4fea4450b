"""A web ACL before Garrison's own API: a real server, its own clients, several workers, and the way back in."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.edge import listeners
from tests.support.clients import boto
from tests.support.fronts import eventually, metrics
from tests.support.server import Server
from tests.support.waf import byte_match, header, rule, visible

pytestmark = pytest.mark.slow
BAD = byte_match(b"attack", header("x-probe"))
SIGN_IN = "/_console/sign-in"


class Own:
    """A server and the web ACL of its API."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.waf = boto(server, "wafv2")
        self.api = listeners.api_arn(server.credentials.region)
        self.acl: dict[str, Any] = {}

    def make(self, name: str, *rules: dict[str, Any], default: str = "Allow", **more: Any) -> str:
        made = self.waf.create_web_acl(
            Name=name, Scope="REGIONAL", DefaultAction={default: {}}, Rules=list(rules), VisibilityConfig=visible(name), **more
        )
        self.acl = dict(made["Summary"])
        return str(self.acl["ARN"])

    def update(self, *rules: dict[str, Any], default: str = "Allow") -> None:
        names = {"Name": self.acl["Name"], "Id": self.acl["Id"], "Scope": "REGIONAL"}
        token = self.waf.get_web_acl(**names)["LockToken"]
        self.waf.update_web_acl(
            **names,
            LockToken=token,
            DefaultAction={default: {}},
            Rules=list(rules),
            VisibilityConfig=visible(self.acl["Name"]),
        )

    def put(self) -> None:
        self.waf.associate_web_acl(WebACLArn=self.acl["ARN"], ResourceArn=self.api)

    def ask(self, path: str = "/", headers: dict[str, str] | None = None, method: str = "GET", body: bytes = b"") -> Any:
        """One request on a connection of its own, so that any worker may have it: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def plain(self, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """What is no call of any service: status, kind of error, body."""
        status, answered, body = self.ask("/", headers)
        return int(status), str(answered.get("x-amzn-errortype", "")), bytes(body)

    def probe(self, value: str = "attack", path: str = SIGN_IN) -> int:
        return int(self.ask(path, {"x-probe": value})[0])

    def always(self, status: int, value: str = "attack") -> bool:
        """Whether every worker answers so, as far as many connections tell that are open at one time."""
        connections = [http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30) for _ in range(24)]
        with contextlib.ExitStack() as held:
            for each in connections:
                held.callback(each.close)
                each.connect()
            found = set()
            for each in connections:
                each.request("GET", SIGN_IN, headers={"x-probe": value})
                answer = each.getresponse()
                answer.read()
                found.add(answer.status)
        return found == {status}

    def refused(self, call: Callable[[], Any]) -> bool:
        """Whether the web ACL refuses a call, in words that its client understands."""
        try:
            call()
        except ClientError as error:
            said = error.response
            assert (said["Error"]["Code"], said["Error"]["Message"]) == ("ForbiddenException", "Forbidden")
            return bool(said["ResponseMetadata"]["HTTPStatusCode"] == 403)
        return False

    def sampled(self, metric: str) -> list[Any]:
        now = time.time()
        answer = self.waf.get_sampled_requests(
            WebAclArn=self.acl["ARN"],
            RuleMetricName=metric,
            Scope="REGIONAL",
            TimeWindow={"StartTime": now - 600, "EndTime": now + 60},
            MaxItems=100,
        )
        return list(answer["SampledRequests"])


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    server = Server(tmp_path, workers=2)
    with server:
        yield Own(server)
    server.remove()


def test_a_web_acl_guards_the_api_in_every_worker(own: Own):
    assert own.probe() == 200
    own.make("guard", rule("probe", 0, BAD))
    own.put()
    eventually(lambda: own.always(403))
    # A worker that is slower to begin answers so too, in its time.
    refused = (403, "ForbiddenException", b'{"message":"Forbidden"}')
    eventually(lambda: own.plain({"x-probe": "attack"}) == refused)
    # Whoever breaks no rule is served as before: signed calls, health and metrics.
    assert own.probe("friend") == 200
    assert boto(own.server, "sts").get_caller_identity()["Account"] == own.server.account_id
    assert own.ask("/_garrison/health", {"x-probe": "attack"})[0] == 200

    def seen() -> set[Any]:
        return {(each["Action"], each["ResponseCodeSent"], each["Request"]["URI"]) for each in own.sampled("probe")}

    eventually(lambda: ("BLOCK", 403, SIGN_IN) in seen())  # of many a few are kept, chosen at random
    counted = 'garrison_waf_requests_total{action="BLOCK",web_acl="guard"}'
    eventually(lambda: metrics(own.server.port, "/_garrison/metrics").get(counted, 0) >= 25)

    own.update(rule("other", 0, byte_match(b"/never")))
    eventually(lambda: own.always(200))
    own.update(rule("probe", 0, BAD, {"Block": {"CustomResponse": {"ResponseCode": 421}}}))
    eventually(lambda: own.always(421))
    own.waf.disassociate_web_acl(ResourceArn=own.api)
    eventually(lambda: own.always(200))


def test_who_is_locked_out_gets_back_in(own: Own):
    own.make("closed", default="Block")
    own.put()
    eventually(lambda: own.always(403, "anything"))
    # Not even the call that would open it passes; each client learns that in its own protocol.
    for call in (own.waf.list_web_acls, boto(own.server, "sts").get_caller_identity, boto(own.server, "iam").list_users):
        scope = {"Scope": "REGIONAL"} if call == own.waf.list_web_acls else {}
        eventually(lambda call=call, scope=scope: own.refused(lambda: call(**scope)))  # type: ignore[misc] # bound now
    assert own.refused(lambda: own.waf.disassociate_web_acl(ResourceArn=own.api))
    said = own.server.garrison("waf", "disassociate").stdout
    assert said == f"{own.api} has no web ACL any more\n"
    eventually(lambda: own.always(200))
    assert own.waf.list_resources_for_web_acl(WebACLArn=own.acl["ARN"], ResourceType="API_GATEWAY")["ResourceArns"] == []
    again = own.server.garrison("waf", "disassociate", check=False)
    assert (again.returncode, again.stderr) == (1, "garrison: this API has no web ACL\n")

    def recorded() -> list[Any]:
        name = [{"AttributeKey": "EventName", "AttributeValue": "DisassociateWebACL"}]
        events = boto(own.server, "cloudtrail").lookup_events(LookupAttributes=name)["Events"]
        return [
            each for each in (json.loads(event["CloudTrailEvent"]) for event in events) if each["eventType"] == "AwsServiceEvent"
        ]

    eventually(lambda: len(recorded()) == 1)


def test_a_server_that_was_killed_takes_no_call_before_its_web_acl_is_in_force(own: Own):
    own.make("kept", rule("probe", 0, BAD))
    own.put()
    eventually(lambda: own.always(403))
    own.server.kill()
    own.server.start()
    # From the first answer on: whoever was healthy has it in force.
    assert own.always(403)
    # And so does a worker that dies and is started again.
    for pid in workers(own.server):
        os.kill(pid, signal.SIGKILL)
    seen: set[int] = set()

    def alive() -> bool:
        try:
            seen.add(own.probe())
        except OSError:
            return False
        return own.always(403)

    eventually(alive)
    assert seen == {403}
    own.server.garrison("waf", "disassociate")
    eventually(lambda: own.always(200))


def workers(server: Server) -> list[int]:
    """The processes that the supervisor forked."""
    assert server.process is not None
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="ascii")
    return [int(each) for each in found.split()]


def test_workers_count_rates_together(own: Own):
    limit = {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "IP", "EvaluationWindowSec": 60, "ScopeDownStatement": BAD}}
    own.make("rates", rule("rate", 0, limit))
    own.put()
    # Whichever worker has a connection: once the sender is over the limit all of them refuse it.
    eventually(lambda: own.always(403))
    assert own.always(200, "friend")

    def limited() -> list[str]:
        names = {"WebACLName": "rates", "WebACLId": own.acl["Id"], "RuleName": "rate", "Scope": "REGIONAL"}
        return list(own.waf.get_rate_based_statement_managed_keys(**names)["ManagedKeysIPV4"]["Addresses"])

    eventually(lambda: limited() == ["127.0.0.1/32"])
    shared = 'garrison_waf_events_total{event="rates_not_shared"}'
    assert metrics(own.server.port, "/_garrison/metrics").get(shared, 0) == 0


def test_records_name_the_stage(own: Own):
    region, account = own.server.credentials.region, own.server.account_id
    group = f"arn:aws:logs:{region}:{account}:log-group:aws-waf-logs-own"
    own.make("logged", rule("probe", 0, BAD))
    logged = {"ResourceArn": own.acl["ARN"], "LogDestinationConfigs": [group]}
    own.waf.put_logging_configuration(LoggingConfiguration=logged)
    own.put()
    eventually(lambda: own.always(403))
    asked = {"x-probe": "attack", "authorization": "Bearer secret"}
    eventually(lambda: own.ask("/?a=b", asked, "POST", b"c=d")[0] == 403)
    path = own.server.data_dir / "waf-logs" / account / region / "aws-waf-logs-own.jsonl"

    def found() -> list[Any]:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        records = [json.loads(each) for each in lines]
        return [each for each in records if each["httpRequest"]["httpMethod"] == "POST" and each["httpRequest"]["args"]]

    eventually(lambda: bool(found()))
    record = found()[0]
    assert (record["httpSourceName"], record["httpSourceId"]) == ("APIGW", f"{account}:garrison:api")
    assert (record["action"], record["terminatingRuleId"], record["webaclId"]) == ("BLOCK", "probe", own.acl["ARN"])
    assert (record["httpRequest"]["uri"], record["httpRequest"]["args"], record["requestBodySize"]) == ("/", "a=b", 3)
    shown = {each["name"]: each["value"] for each in record["httpRequest"]["headers"]}
    assert "secret" not in shown["authorization"]
