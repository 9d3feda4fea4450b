"""What a web ACL does to calls of Garrison's own API and to its pages."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.core.context import Call
from garrison.core.http import Request
from garrison.edge import listeners
from garrison.edge.inspect import CompiledAcl
from garrison.edge.proxy.records import record
from garrison.edge.stage import follow, inspecting
from garrison.edge.stage.inspecting import Inspecting, web_request
from garrison.edge.wafv2.associations import of_the_api, release
from tests.support.house import ACCOUNT
from tests.support.places import write
from tests.support.solving import solve
from tests.support.waf import byte_match, header, rule
from tests.unit.edge.stage.conftest import API, PROBE, SIGN_IN, Api, first
from tests.unit.edge.test_places import GEOLITE_CITY

BODY = byte_match(b"needle", {"Body": {"OversizeHandling": "CONTINUE"}})


def calls(api: Api) -> Counter[Any]:
    return Counter(api.gateway.calls)


def error_of(call: Callable[..., Any], **members: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    found = caught.value.response
    return found["Error"]["Code"], found["Error"]["Message"], found["ResponseMetadata"]["HTTPStatusCode"]


# Without a web ACL


def test_without_a_web_acl_nobody_is_asked_and_nothing_is_loaded():
    program = (
        "import asyncio, sys\n"
        "from tests.support.house import House\n"
        "house = House()\n"
        "asyncio.run(house.worker.stage.start())\n"
        "house.worker.tick()\n"
        "house.client('sts').get_caller_identity()\n"
        "assert house.worker.gateway.guard is None\n"
        "heavy = ('garrison.edge.stage.inspecting', 'garrison.edge.inspect.detect', 'garrison.edge.inspect.managed.catalog',\n"
        "         'garrison.edge.interstitial', 'garrison.edge.proxy.judge', 'maxminddb')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])\n"
    )
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


# Blocked, and passed


def test_a_blocked_request_is_answered_as_api_gateway_does_and_is_no_call(api: Api):
    api.put("guard", rule("probe", 0, PROBE))
    before, events = calls(api), len(api.house.events())
    answer = api.ask("/", "an attack")
    assert (answer.status, json.loads(answer.body)) == (403, {"message": "Forbidden"})
    assert first(answer, "x-amzn-errortype") == "ForbiddenException"
    assert (calls(api), len(api.house.events())) == (before, events)
    assert api.ask(SIGN_IN, "an attack").status == 403
    assert api.ask(SIGN_IN, "a friend").status == 200
    assert api.house.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_each_client_is_refused_in_its_own_protocol(api: Api):
    api.put("closed", DefaultAction={"Block": {}})
    refused = ("ForbiddenException", "Forbidden", 403)
    assert error_of(api.house.client("sts").get_caller_identity) == refused
    assert error_of(api.house.client("iam").list_users) == refused
    assert error_of(api.house.client("kms").list_keys) == refused
    assert error_of(api.client.list_web_acls, Scope="REGIONAL") == refused


def test_a_custom_response_is_sent_whole_and_breaks_no_head(api: Api):
    custom = {
        "ResponseCode": 429,
        "CustomResponseBodyKey": "slow",
        "ResponseHeaders": [{"Name": "x-why", "Value": "zu schnell: ä€"}, {"Name": "content-length", "Value": "3"}],
    }
    bodies = {"slow": {"ContentType": "TEXT_PLAIN", "Content": "slow down ✋"}}
    api.put("custom", rule("probe", 0, PROBE, {"Block": {"CustomResponse": custom}}), CustomResponseBodies=bodies)
    answer = api.ask("/", "attack")
    assert (answer.status, answer.body.decode(), first(answer, "content-type")) == (429, "slow down ✋", "text/plain")
    assert first(answer, "x-why").encode("latin-1").decode() == "zu schnell: ä€"
    assert first(answer, "content-length") in {"", str(len(answer.body))}


def test_signed_calls_are_inspected_before_their_signature(api: Api):
    api.put("guard", rule("body", 0, BODY))
    iam = api.house.client("iam")
    assert error_of(iam.get_user, UserName="needle") == ("ForbiddenException", "Forbidden", 403)
    assert error_of(iam.get_user, UserName="thread")[0] == "NoSuchEntity"
    signed = {"authorization": "AWS4-HMAC-SHA256 nonsense", "content_type": "application/x-www-form-urlencoded"}
    assert api.ask("/", method="POST", body=b"Action=GetUser&UserName=needle", **signed).status == 403


def test_sixteen_kilobytes_of_a_body_are_inspected_as_for_api_gateway(api: Api):
    api.put("guard", rule("body", 0, BODY))
    assert api.ask("/", method="POST", body=b" " * 16_000 + b"needle").status == 403
    assert b"Forbidden" not in api.ask("/", method="POST", body=b" " * 16_384 + b"needle").body
    limit = {"RequestBody": {"API_GATEWAY": {"DefaultSizeInspectionLimit": "KB_64"}}}
    api.put("larger", rule("body", 0, BODY), AssociationConfig=limit)
    assert api.ask("/", method="POST", body=b" " * 60_000 + b"needle").status == 403


def test_the_engine_sees_the_bytes_as_they_came():
    sent = [("host", "a.test"), ("x-twice", "1"), ("x-twice", "\xff")]
    request = Request("PUT", "/a%2fb/../\xe9", "q=%00&q=2", sent, b"x" * 70_000)
    seen = web_request(request, Call("2001:db8::1", host="a.test", secure=True), 5.0, "id")
    assert (seen.method, seen.path, seen.query) == ("PUT", b"/a%2fb/../\xe9", b"q=%00&q=2")
    assert seen.headers == [(b"host", b"a.test"), (b"x-twice", b"1"), (b"x-twice", b"\xff")]
    assert (len(seen.body), seen.body_size, seen.scheme, seen.source_ip) == (65_536, 70_000, "https", "2001:db8::1")


def test_who_watches_the_server_is_not_inspected_and_looks_alikes_are(api: Api):
    api.put("closed", DefaultAction={"Block": {}})
    for path in ("/_garrison/health", "/_garrison/metrics", "/_localstack/health"):
        assert api.ask(path).status == 200
    assert api.ask("/_garrison/issuers/none").status == 404
    # Signed, it is an object of a bucket and no such path.
    assert api.ask("/_garrison/health", authorization="AWS4-HMAC-SHA256 Credential=a").status == 403
    assert api.ask("/_garrison/health/../../").status == 404
    assert api.ask("/_garrison").status == api.ask("//_garrison/health").status == 403
    assert api.ask("/kms/xks/v1/health", method="POST").status == 403


def test_the_web_acl_of_every_region_counts(api: Api):
    api.put("here", rule("probe", 0, PROBE))
    there = api.house._session.client(
        "wafv2",
        region_name="us-west-2",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id=api.house.admin.access_key_id,
        aws_secret_access_key=api.house.admin.secret_access_key,
    )
    there.meta.events.register("before-send", api.house._answer)
    stop = rule("other", 0, byte_match(b"other", header("x-probe")))
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "there"}
    made = there.create_web_acl(
        Name="there", Scope="REGIONAL", DefaultAction={"Allow": {}}, Rules=[stop], VisibilityConfig=visible
    )
    west = listeners.api_arn("us-west-2")
    there.associate_web_acl(WebACLArn=made["Summary"]["ARN"], ResourceArn=west)
    api.settle()
    assert [api.ask(probe=each).status for each in ("attack", "other", "friend")] == [403, 403, 200]
    api.client.disassociate_web_acl(ResourceArn=API)
    api.settle()
    assert [api.ask(probe=each).status for each in ("attack", "other", "friend")] == [200, 403, 200]


# Challenge


def test_a_browser_solves_a_challenge_before_the_console(api: Api):
    api.house.worker.tick()  # makes the keys
    api.put("challenged", rule("console", 0, byte_match(b"/_console"), {"Challenge": {}}))
    shown = api.ask(accept="text/html")
    assert (shown.status, first(shown, "x-amzn-waf-action")) == (202, "challenge")
    assert b"/_garrison/waf/" in shown.body
    program = api.ask(accept="application/json")
    assert (program.status, program.body, first(program, "x-amzn-waf-action")) == (202, b"", "challenge")
    facts = json.loads(api.ask("/_garrison/waf/puzzle?kind=challenge").body)
    solution = json.dumps({"puzzle": facts["puzzle"], "work": solve(facts)}).encode()
    solved = api.ask("/_garrison/waf/solution", method="POST", body=solution, content_type="application/json")
    assert (solved.status, json.loads(solved.body)) == (200, {"solved": True})
    cookie = first(solved, "set-cookie").partition(";")[0]
    assert api.ask(accept="text/html", cookie=cookie).status == 200
    api.client.disassociate_web_acl(ResourceArn=API)
    api.settle()
    assert api.ask("/_garrison/waf/puzzle?kind=challenge").status == 404


# Places


def test_places_come_from_the_directory_of_lists(make: Callable[..., Api], tmp_path: Path):
    lists = tmp_path / "lists"
    lists.mkdir()
    write(lists / "country.mmdb", GEOLITE_CITY)
    api = make(waf_lists=lists)
    api.put("abroad", rule("abroad", 0, {"GeoMatchStatement": {"CountryCodes": ["US"]}}))
    assert api.ask(source_ip="192.0.2.1").status == 403
    assert api.ask(source_ip="198.51.100.1").status == 200


# Changes, failures, and the way out


def test_what_takes_long_is_done_on_another_thread(api: Api, monkeypatch: pytest.MonkeyPatch):
    ran: dict[str, threading.Thread] = {}
    prepare, load = Inspecting.prepare, follow._inspecting

    def prepared(self: Inspecting) -> Any:
        ran["compiled"] = threading.current_thread()
        return prepare(self)

    def loaded(setup: Any) -> Inspecting:
        ran["loaded"] = threading.current_thread()
        return load(setup)

    monkeypatch.setattr(Inspecting, "prepare", prepared)
    monkeypatch.setattr(follow, "_inspecting", loaded)
    api.put("guard", rule("probe", 0, PROBE))
    assert set(ran) == {"compiled", "loaded"}
    assert threading.main_thread() not in ran.values()


def broken(_acl: CompiledAcl, *_: Any) -> None:
    raise RuntimeError("the engine failed")


def test_what_cannot_be_inspected_does_not_pass(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    api.put("guard", rule("probe", 0, PROBE))
    monkeypatch.setattr(CompiledAcl, "inspect", broken)
    answer = api.ask("/")
    assert (answer.status, first(answer, "x-amzn-errortype")) == (503, "ServiceUnavailable")
    assert error_of(api.house.client("iam").list_users)[0] == "ServiceUnavailable"
    assert "the engine failed" in caplog.text
    assert api.ask("/_garrison/health").status == 200


def test_what_cannot_be_inspected_passes_where_the_operator_says_so(make: Callable[..., Api], monkeypatch: pytest.MonkeyPatch):
    api = make(waf_fail_open=True)
    api.put("guard", rule("probe", 0, PROBE))
    monkeypatch.setattr(CompiledAcl, "inspect", broken)
    assert api.ask(probe="attack").status == 200
    assert b'garrison_waf_events_total{event="inspection_failed"} 1.0' in api.ask("/_garrison/metrics").body


def nothing(*_: Any) -> None:
    return None


def test_a_web_acl_that_cannot_be_compiled_lets_nothing_pass_and_a_change_of_one_leaves_the_old(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    api.put("old", rule("probe", 0, PROBE))
    monkeypatch.setattr(inspecting, "compiled", nothing)
    api.put("new", rule("other", 0, byte_match(b"other", header("x-probe"))))
    assert [api.ask(probe=each).status for each in ("attack", "other")] == [403, 200]
    api.client.disassociate_web_acl(ResourceArn=API)
    api.settle()
    assert api.ask(probe="attack").status == 200
    api.put("alone", rule("probe", 0, PROBE))
    assert api.ask(probe="friend").status == 503
    monkeypatch.undo()
    with api.house.state.store.writing() as tx:
        assert release(tx, API) is not None
    api.house.state.store.commit()
    api.settle()
    assert api.ask(probe="attack").status == 200


def test_lists_that_cannot_be_read_let_nothing_pass(make: Callable[..., Api], tmp_path: Path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "country.mmdb").write_bytes(b"no database")
    api = make(waf_lists=lists)
    assert api.ask().status == 200
    api.put("guard", rule("probe", 0, PROBE))
    assert api.ask(probe="friend").status == 503


def test_whoever_was_locked_out_is_let_in_again_and_that_is_an_item(api: Api):
    arn = api.put("closed", DefaultAction={"Block": {}})
    reader = api.house.state.store.reading()
    assert of_the_api(reader) == [API]
    with api.house.state.store.writing() as tx:
        item = release(tx, API)
        assert release(tx, API) is None
    api.house.state.store.commit()
    assert item is not None
    assert (item.arn, item.facts["associatedResources"]) == (arn, [])
    api.settle()
    assert (of_the_api(reader), api.gateway.guard) == ([], None)
    assert api.house.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_what_is_no_more_wanted_is_not_put_in_force(api: Api):
    api.put("first", rule("probe", 0, PROBE))
    stage = api.house.worker.stage
    here = stage._inspecting
    assert here is not None
    api.client.associate_web_acl(WebACLArn=api.acl("second")["ARN"], ResourceArn=API)
    store = api.house.state.store
    here.read(store.reading(), api.house.state.keyring, [API])
    made = here.prepare()
    here.read(store.reading(), api.house.state.keyring, [])
    here.take(made)
    assert here.inspect(Request("GET", "/", headers=[("x-probe", "attack")]), Call("127.0.0.1"), 0.0, "id") is None
    assert not here.due


# What is told


def test_samples_and_counters_are_written_with_the_workers_own_notes(api: Api):
    arn = api.put("guard", rule("probe", 0, PROBE))
    assert api.ask(probe="attack").status == 403
    api.house.worker.tick()
    now = api.gateway.clock()
    found = api.client.get_sampled_requests(
        WebAclArn=arn, RuleMetricName="probe", Scope="REGIONAL", MaxItems=10,
        TimeWindow={"StartTime": now - 600, "EndTime": now + 60},
    )["SampledRequests"]  # fmt: skip
    assert [(each["Action"], each["Request"]["URI"]) for each in found] == [("BLOCK", SIGN_IN)]
    page = api.ask("/_garrison/metrics").body
    assert b'garrison_waf_requests_total{action="BLOCK",web_acl="guard"} 1.0' in page
    assert b'garrison_waf_rule_matches_total{action="BLOCK",metric="probe",web_acl="guard"} 1.0' in page


def test_a_record_names_the_stage_as_aws_does(api: Api):
    arn = api.put("guard", rule("probe", 0, PROBE))
    seen: list[tuple[Any, Any]] = []
    here = api.house.worker.stage._inspecting
    assert here is not None
    [stage] = here._active
    stage.judge.observer = type(
        "Observer", (), {"saw": lambda _self, _policy, request, verdict, _took: seen.append((request, verdict))}
    )()
    api.ask(probe="attack")
    request, verdict = seen[0]
    found = record(request, verdict, API, arn, stage.watcher._masks)
    assert (found["httpSourceName"], found["httpSourceId"]) == ("APIGW", f"{ACCOUNT}:garrison:api")
    assert found["httpRequest"]["requestId"]


def test_attacks_are_detected_in_calls(api: Api):
    query = {
        "SqliMatchStatement": {
            "FieldToMatch": {"QueryString": {}},
            "TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}],
        }
    }
    api.put("sqli", rule("sqli", 0, query))
    assert api.ask(f"{SIGN_IN}?id=1%27%20or%201=1--").status == 403
    assert api.ask(f"{SIGN_IN}?id=1").status == 200
