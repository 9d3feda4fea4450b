"""The life of a request, step by step, and what becomes of it when a step fails."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from garrison.core.clock import system_clock
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.operation import REGISTRY, Declaration, operation
from garrison.store import StoreUnavailable
from garrison.wire import gateway as module
from garrison.wire.asgi import read_head
from garrison.wire.codec import codec
from tests.support.inprocess import CALL, HOST, InProcess, between, scope_of
from tests.support.server import AccessKey

ALLOW = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}


@pytest.fixture
def one() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def iam_request(one: InProcess, name: str, key: AccessKey | None = None, **members: str) -> Request:
    body = urlencode({"Action": name, "Version": "2010-05-08", **members}).encode()
    return one.signed("iam", body, {"content-type": "application/x-www-form-urlencoded"}, key)


def with_handler(monkeypatch: pytest.MonkeyPatch, service: str, name: str, **changes: Any) -> None:
    declaration = REGISTRY[service, name.lower()]
    monkeypatch.setitem(REGISTRY, declaration.key, replace(declaration, **changes))


# The steps, in their order


def test_the_steps_are_these_and_in_this_order():
    names = [step.__name__ for step in module._STEPS]
    assert names == ["_find_route", "_authenticate", "_decode", "look_for_proof", "_authorize", "look_beside", "_run"]


def test_a_good_call_is_answered_and_on_record(one: InProcess):
    answer = one.iam("ListUsers")
    assert answer.status == 200
    event = one.last_event()
    assert (event["eventName"], event["readOnly"], event["eventSource"]) == ("ListUsers", True, "iam.amazonaws.com")
    assert event["userIdentity"]["arn"] == f"arn:aws:iam::{one.account}:user/admin"
    assert event["requestID"] in answer.body.decode()
    assert event["decision"]["outcome"] == "allowed"


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        (lambda request: request.headers.clear(), "MissingAuthenticationToken", 403),
        (lambda request: _set(request, "authorization", "AWS4-HMAC-SHA256 Credential=x"), "IncompleteSignature", 400),
        (lambda request: setattr(request, "body", request.body + b"&x=y"), "SignatureDoesNotMatch", 403),
        (lambda request: _set(request, "x-amz-date", "20150830T123600Z"), "SignatureDoesNotMatch", 403),
    ],
)
def test_what_is_not_rightly_signed_goes_no_further(one: InProcess, change: Any, code: str, status: int):
    request = iam_request(one, "CreateUser", UserName="mallory")
    change(request)
    answer = one.send(request)
    assert (between(answer.body.decode(), "Code"), answer.status) == (code, status)
    event = one.last_event()
    assert event["errorCode"] == code
    assert event["userIdentity"] == {"type": "AWSAccount", "accountId": "anonymous"}
    assert "requestParameters" not in event or event["requestParameters"] is None, "it was not even decoded"
    assert "mallory" not in one.iam("ListUsers").body.decode()


def _set(request: Request, name: str, value: str) -> None:
    request.headers[:] = [(key, value if key == name else old) for key, old in request.headers]


def test_an_unknown_key_is_not_told_from_a_wrong_token(one: InProcess):
    for key in (AccessKey("AKIAIOSFODNN7EXAMPLE", "x" * 40), replace(one.admin, session_token="made-up")):
        answer = one.iam("ListUsers", key)
        assert (between(answer.body.decode(), "Code"), answer.status) == ("InvalidClientTokenId", 403)
        assert between(answer.body.decode(), "Message") == "The security token included in the request is invalid."


def test_an_unknown_operation_is_said_only_to_who_signed(one: InProcess):
    assert between(one.iam("MakeCoffee").body.decode(), "Code") == "InvalidAction"
    answer = one.iam("MakeCoffee", AccessKey(one.admin.access_key_id, "wrong"))
    assert between(answer.body.decode(), "Code") == "SignatureDoesNotMatch"


def test_validation_comes_before_authorization_and_names_the_member(one: InProcess):
    answer = one.iam("CreateUser", one.new_user("nobody"), UserName="not/a/name")
    assert between(answer.body.decode(), "Code") == "ValidationError"
    assert "'userName' failed to satisfy constraint" in between(answer.body.decode(), "Message")


def test_an_action_that_no_policy_names_is_denied(one: InProcess):
    key = one.new_user("lister", {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"})
    assert one.iam("ListUsers", key).status == 200
    answer = one.iam("ListRoles", key)
    assert (between(answer.body.decode(), "Code"), answer.status) == ("AccessDenied", 403)
    event = one.last_event()
    assert (event["errorCode"], event["decision"]["outcome"]) == ("AccessDenied", "implicitDeny")
    assert event["decision"]["considered"], "the policies that were asked are on record"
    assert len(event["decision"]["marks"]) == len(event["decision"]["considered"])


def test_an_operation_that_is_not_built_says_so_to_those_who_may(one: InProcess):
    answer = one.json("config", "StarlingDoveService.DescribeConfigRules", {})
    assert answer.status == 501
    assert "does not implement config:DescribeConfigRules" in answer.body.decode()
    assert one.last_event()["errorCode"] == "NotImplemented"
    denied = one.json("config", "StarlingDoveService.DescribeConfigRules", {}, one.new_user("nobody"))
    assert (denied.status, json.loads(denied.body)["__type"].rpartition("#")[2]) == (400, "AccessDeniedException")
    assert one.last_event()["decision"]["action"] == "config:DescribeConfigRules"


def test_a_declaration_that_names_nothing_authorizes_nothing(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    with_handler(monkeypatch, "iam", "ListUsers", resource=lambda _ctx, _req: ())
    assert between(one.iam("ListUsers").body.decode(), "Code") == "AccessDenied"


def test_an_operation_without_a_declared_resource_cannot_be_registered():
    with pytest.raises(ValueError, match="needs a declared resource"):
        operation("iam", resource="")
    with pytest.raises(ValueError, match="two handlers for iam:list_users"):

        @operation("iam", resource="*")
        def list_users(_ctx: Context, _req: object) -> None: ...


def test_every_check_must_pass_and_all_are_on_record(one: InProcess):
    key = one.new_user(
        "aliaser",
        {"Effect": "Allow", "Action": "kms:CreateAlias", "Resource": f"arn:aws:kms:us-east-1:{one.account}:alias/*"},
    )
    made = json.loads(one.kms("CreateKey").body)["KeyMetadata"]["KeyId"]
    assert one.kms("CreateAlias", key, AliasName="alias/a", TargetKeyId=made).status == 400
    denied = one.last_event()["decision"]
    assert (denied["outcome"], denied["resource"]) == ("implicitDeny", f"arn:aws:kms:us-east-1:{one.account}:key/{made}")
    assert [further["outcome"] for further in denied["further"]] == ["allowed"]
    assert one.kms("CreateAlias", AliasName="alias/a", TargetKeyId=made).status == 200
    allowed = one.last_event()["decision"]
    assert [decision["outcome"] for decision in (allowed, *allowed["further"])] == ["allowed", "allowed"]


def test_the_times_of_iam_and_sts_are_whole_seconds(one: InProcess):
    """As in every example of the IAM and STS API references (``2012-05-08T23:34:01Z``); KMS has parts of a second."""
    one.gateway.clock = lambda: system_clock() // 1 + 0.75
    form = {"content-type": "application/x-www-form-urlencoded"}
    session = one.send(one.signed("sts", b"Action=GetSessionToken&Version=2011-06-15", form)).body.decode()
    one.worker.tick()
    used = one.iam("GetAccessKeyLastUsed", None, AccessKeyId=one.admin.access_key_id).body.decode()
    times = {
        between(one.iam("CreateUser", None, UserName="x").body.decode(), "CreateDate"),
        between(one.iam("GetUser", None, UserName="admin").body.decode(), "CreateDate"),
        between(session, "Expiration"),
        between(used, "LastUsedDate"),
    }
    for time in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time), time
    assert json.loads(one.kms("CreateKey").body)["KeyMetadata"]["CreationDate"] % 1 == 0.75


# Inside


def test_a_handler_that_breaks_is_undone_alone_in_its_group(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    declaration: Declaration = REGISTRY["iam", "createuser"]

    def breaks(ctx: Context, req: Any) -> Any:
        answer = declaration.handler(ctx, req)
        if req.user_name == "bad":
            msg = "the handler's own words"
            raise RuntimeError(msg)
        return answer

    with_handler(monkeypatch, "iam", "CreateUser", handler=breaks)
    requests = [iam_request(one, "CreateUser", UserName=name) for name in ("first", "bad", "last")]
    answers = one.send_all(requests)
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert "own words" not in answers[1].body.decode()
    listed = one.iam("ListUsers").body.decode()
    assert "first" in listed
    assert "last" in listed
    assert "<UserName>bad<" not in listed
    made = [event for event in one.events() if event["eventName"] == "CreateUser"]
    ended = {event["requestParameters"]["userName"]: event.get("errorCode", "") for event in made}
    assert (ended, len(made)) == ({"first": "", "bad": "InternalFailure", "last": ""}, 3)


@pytest.mark.parametrize("broken", ["encode", "header", "event", "swallowed"])
def test_a_write_that_cannot_be_answered_or_recorded_did_not_happen(one: InProcess, monkeypatch: pytest.MonkeyPatch, broken: str):
    declaration = REGISTRY["iam", "createuser"]
    writer = codec("iam", "query")
    encode = writer.encode

    def failing(*arguments: Any) -> Response:
        if broken == "encode":
            raise RuntimeError
        answer = encode(*arguments)
        answer.headers.append(("x-note", "two\r\nlines"))
        return answer

    def swallows(ctx: Context, req: Any) -> Any:
        try:
            ctx.tx.run("INSERT INTO no_such_table VALUES (1)")
        except Exception:  # noqa: BLE001 - a handler that hides a failed statement
            return declaration.handler
        return None

    if broken in {"encode", "header"}:
        monkeypatch.setattr(writer, "encode", failing)
    elif broken == "event":
        with_handler(monkeypatch, "iam", "CreateUser", audit_request=lambda _req: 1 / 0)
    else:
        with_handler(monkeypatch, "iam", "CreateUser", handler=swallows)
    answer = one.iam("CreateUser", UserName="ghost")
    assert answer.status == 500
    monkeypatch.undo()
    assert "ghost" not in one.iam("ListUsers").body.decode()
    made = [event for event in one.events() if event["eventName"] == "CreateUser"]
    assert [event["errorCode"] for event in made] == ["InternalFailure"]


def test_an_event_that_the_recorder_cannot_take_undoes_its_write(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def refuses(*_: Any) -> None:
        msg = "not to be encoded"
        raise TypeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(one.worker.recorder, "write", refuses)
        assert one.iam("CreateUser", UserName="ghost").status == 500
    assert "ghost" not in one.iam("ListUsers").body.decode()


# The store


def unavailable(*_: Any) -> None:
    reason = "disk full"
    raise StoreUnavailable(reason)


def test_a_group_that_cannot_be_committed_answers_503_to_all_and_nothing_happened(
    one: InProcess, monkeypatch: pytest.MonkeyPatch
):
    requests = [iam_request(one, "CreateUser", UserName=name) for name in ("first", "second")]
    requests.append(iam_request(one, "ListUsers"))
    with monkeypatch.context() as patch:
        patch.setattr(one.state.store._engine, "commit", unavailable)
        answers = one.send_all(requests)
    assert [answer.status for answer in answers] == [503, 503, 503]
    for answer in answers:
        assert between(answer.body.decode(), "Code") == "ServiceUnavailable"
        assert "disk" not in answer.body.decode()
    assert "first" not in one.iam("ListUsers").body.decode()
    failed = [event for event in one.events() if event["eventName"] == "CreateUser"]
    assert [event.get("errorCode") for event in failed] == ["ServiceUnavailable", "ServiceUnavailable"]


def test_what_a_lost_group_gave_is_not_had_from_memory(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    """A policy is put and used in one turn, and the database is gone before its group is kept."""
    alice = one.new_user("alice")
    document = json.dumps({"Version": "2012-10-17", "Statement": ALLOW})
    put = iam_request(one, "PutUserPolicy", UserName="alice", PolicyName="p", PolicyDocument=document)
    with monkeypatch.context() as patch:

        def gone() -> None:
            patch.setattr(one.state.store._engine, "read_one", unavailable)
            patch.setattr(one.state.store._engine, "read_all", unavailable)
            unavailable()

        patch.setattr(one.state.store._engine, "commit", gone)
        answers = one.send_all([put, iam_request(one, "ListUsers", alice)])
    assert [answer.status for answer in answers] == [503, 503]
    assert one.iam("ListUsers", alice).status == 403


WAYS = {"short": (InProcess.enter, "_end_turn"), "long": (InProcess.asgi, "_flush_if_due")}
"""How a call comes in, and what ends its turn."""


async def write_and_tick(one: InProcess, way: str, name: str, tick: Callable[[], None]) -> Response:
    """A write waits for the end of its turn, and housekeeping comes in between."""
    writing = asyncio.create_task(WAYS[way][0](one, iam_request(one, "CreateUser", UserName=name)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert one.state.store.has_pending
    tick()
    return await writing


@pytest.mark.parametrize("way", WAYS)
def test_housekeeping_that_fails_in_the_same_turn_does_not_make_a_lost_write_look_kept(
    one: InProcess, monkeypatch: pytest.MonkeyPatch, way: str
):
    def tick() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(one.state.store._engine, "commit", unavailable)
            with pytest.raises(StoreUnavailable):
                one.worker.tick()

    ends = WAYS[way][1]
    end = getattr(module.Gateway, ends)
    with monkeypatch.context() as patch:
        patch.setattr(module.Gateway, ends, lambda self: asyncio.get_running_loop().call_later(0.01, end, self))
        answer = asyncio.run(write_and_tick(one, way, "ghost", tick))
    assert answer.status == 503
    assert "ghost" not in one.iam("ListUsers").body.decode()
    failed = [event for event in one.events() if event["eventName"] == "CreateUser"]
    assert [event.get("errorCode") for event in failed] == ["ServiceUnavailable"], "once"


@pytest.mark.parametrize("way", WAYS)
def test_housekeeping_in_the_same_turn_answers_who_waits(one: InProcess, monkeypatch: pytest.MonkeyPatch, way: str):
    ends = WAYS[way][1]
    end = getattr(module.Gateway, ends)

    def only_what_is_due(self: module.Gateway) -> None:
        # Nothing is left to commit by now.
        assert not self.store.has_pending
        end(self)

    with monkeypatch.context() as patch:
        patch.setattr(module.Gateway, ends, lambda self: asyncio.get_running_loop().call_later(0.01, only_what_is_due, self))
        assert asyncio.run(write_and_tick(one, way, "kept", one.worker.tick)).status == 200
    assert "kept" in one.iam("ListUsers").body.decode()


def test_an_answer_that_cannot_be_sent_holds_up_no_other(one: InProcess):
    async def both() -> Response:
        def breaks(_answer: Response) -> None:
            raise OSError

        assert one.gateway.enter(iam_request(one, "ListUsers"), CALL, breaks) is None
        return await one.enter(iam_request(one, "ListUsers"))

    assert asyncio.run(both()).status == 200


def test_calls_of_one_turn_are_made_safe_together(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    waiting: list[int] = []
    flush = one.worker.recorder.flush

    def counted() -> None:
        waiting.append(one.worker.recorder.waiting)
        flush()

    monkeypatch.setattr(one.worker.recorder, "flush", counted)
    answers = one.send_all([iam_request(one, "ListUsers") for _ in range(5)])
    assert [answer.status for answer in answers] == [200] * 5
    assert waiting == [5]


def test_a_trail_that_takes_no_more_refuses_reads_too(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(one.worker.recorder, "flush", unavailable)
        assert one.iam("ListUsers").status == 503
    assert one.iam("ListUsers").status == 200
    assert [event.get("errorCode") for event in one.events()[-3:]] == [None, "ServiceUnavailable", None], (
        "what could not be recorded then was recorded later"
    )


def test_an_error_of_no_known_kind_while_committing_is_a_503_too(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def breaks() -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(one.worker.recorder, "flush", breaks)
        assert one.iam("CreateUser", UserName="ghost").status == 503
    assert "ghost" not in one.iam("ListUsers").body.decode()


def test_changes_that_cannot_be_heard_of_decide_nothing(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(one.state.store, "refresh", unavailable)
        assert one.iam("ListUsers").status == 503
    one.gateway.deaf = True
    assert one.iam("ListUsers").status == 503
    one.gateway.deaf = False
    assert one.iam("ListUsers").status == 200


# The head and the body


def test_a_body_over_the_limit_is_refused_before_it_is_read(one: InProcess):
    one.gateway.limits.body_bytes = 100
    request = iam_request(one, "CreateUser", UserName="x" * 100)
    request.headers.append(("content-length", "101"))
    answer = asyncio.run(one.asgi(request))
    assert (answer.status, between(answer.body.decode(), "Code")) == (413, "RequestEntityTooLarge")
    assert ("connection", "close") in answer.headers
    assert one.last_event()["eventName"] in {"", "CreateUser"}


def drive(one: InProcess, request: Request, messages: list[Any]) -> list[Any]:
    said: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.Future()  # a client that says nothing more

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(one.gateway(scope_of(request), receive, send))
    return said


def test_a_body_that_grows_over_the_limit_is_refused(one: InProcess):
    one.gateway.limits.body_bytes = 100
    request = iam_request(one, "ListUsers")
    parts = [{"type": "http.request", "body": b"x" * 60, "more_body": True} for _ in range(3)]
    assert drive(one, request, parts)[0]["status"] == 413


def test_a_client_that_is_slow_with_its_body_is_told_so(one: InProcess):
    one.gateway.limits.read_seconds = 0.01
    said = drive(one, iam_request(one, "ListUsers"), [{"type": "http.request", "body": b"Act", "more_body": True}])
    assert said[0]["status"] == 400
    assert b"RequestTimeout" in said[1]["body"]


@pytest.mark.parametrize("sent", [[], [{"type": "http.request", "body": b"Action=Cre", "more_body": True}]])
def test_a_client_that_goes_away_is_not_taken_at_half_its_word(one: InProcess, sent: list[Any]):
    before = len(one.events())
    drive(one, iam_request(one, "CreateUser", UserName="half"), [*sent, {"type": "http.disconnect"}])
    assert "half" not in one.iam("ListUsers").body.decode()
    assert one.events()[before]["errorCode"] == "RequestTimeout"


def test_other_scopes_are_not_answered(one: InProcess):
    async def nothing(*_: Any) -> Any:
        pytest.fail("nothing is read or sent")

    asyncio.run(one.gateway({"type": "lifespan"}, nothing, nothing))


# The trail's bounds, and the log


def test_strangers_cannot_fill_the_disk_with_failed_calls(one: InProcess):
    one.gateway.clock = lambda: 1_000_000_000.5
    for _ in range(60):
        assert one.send(Request("POST", "/", headers=[("host", HOST)])).status == 403
    one.gateway.clock = system_clock
    assert len([event for event in one.events() if event.get("errorCode") == "AccessDenied"]) == 50
    assert one.gateway.strangers.suppressed == 10
    for _ in range(60):
        one.iam("GetUser", UserName="nobody")
    assert len([event for event in one.events() if event.get("errorCode") == "NoSuchEntity"]) == 60, (
        "who is known is always on record"
    )


def test_calls_are_counted_without_names_that_a_client_made_up(one: InProcess):
    one.iam("ListUsers")
    one.iam("MakeCoffee")
    assert one.gateway.calls["iam", "ListUsers", 200] == 1
    assert one.gateway.calls["iam", "", 400] == 1


def test_a_failure_that_cannot_be_recorded_as_it_was_is_still_on_record(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    with_handler(monkeypatch, "iam", "GetUser", audit_request=lambda _req: 1 / 0)
    answer = one.iam("GetUser", UserName="nobody")
    assert answer.status == 500
    event = one.last_event()
    assert (event["eventName"], event["errorCode"]) == ("GetUser", "InternalFailure")


def test_what_can_in_no_way_be_recorded_is_refused_and_in_the_log(
    one: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with monkeypatch.context() as patch:
        patch.setattr("garrison.wire.events._event", lambda *_: 1 / 0)
        answer = one.iam("CreateUser", None, UserName="ghost")
    assert (answer.status, between(answer.body.decode(), "Code")) == (500, "InternalFailure")
    assert "a failed call is not on record" in caplog.text
    assert "ghost" not in one.iam("ListUsers").body.decode()


def test_denied_calls_can_be_seen_in_the_log(one: InProcess, caplog: pytest.LogCaptureFixture):
    key = one.new_user("nobody")
    with caplog.at_level(logging.DEBUG, "garrison.wire"):
        one.iam("ListUsers", key)
    (line,) = [record for record in caplog.records if record.message == "call"]
    assert (line.operation, line.status, line.error) == ("iam:ListUsers", 403, "AccessDenied")  # type: ignore[attr-defined] # extra fields
    assert key.secret_access_key not in str(vars(line))


def test_ec2_denials_carry_what_can_be_decoded(one: InProcess):
    key = one.new_user("nobody")
    body = b"Action=DescribeInstances&Version=2016-11-15"
    answer = one.send(one.signed("ec2", body, {"content-type": "application/x-www-form-urlencoded"}, key)).body.decode()
    assert between(answer, "Code") == "UnauthorizedOperation"
    assert "Encoded authorization failure message: " in between(answer, "Message")


def test_a_common_error_of_a_handler_keeps_its_kind(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def throttles(_ctx: Context, _req: object) -> None:
        raise CommonError("throttled")

    with_handler(monkeypatch, "iam", "ListUsers", handler=throttles)
    assert between(one.iam("ListUsers").body.decode(), "Code") == "Throttling"


def test_the_call_is_what_the_network_brought():
    scope = scope_of(Request("GET", "/a%20b", "x=1", [("host", "h"), ("user-agent", "u"), ("referer", "r")]), "192.0.2.1")
    scope["state"]["tls"] = ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    request, call = read_head(scope)
    assert (request.path, request.query) == ("/a%20b", "x=1")
    assert (call.source_ip, call.user_agent, call.referer, call.host, call.secure) == ("192.0.2.1", "u", "r", "h", False)
    assert call.tls == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert CALL.tls is None


# What a failed call leaves


def leaving(ctx: Context, _req: object) -> None:
    """Changes the account, wants the number kept though it fails, and fails."""
    ctx.tx.run("UPDATE iam_account SET alias = 'gone'")
    ctx.though_failed.append(lambda tx: tx.run("UPDATE iam_account SET root_password_last_used = 7"))
    raise CommonError("access_denied", "no")


def account_row(one: InProcess) -> tuple[Any, ...] | None:
    return one.state.store.reading().one("SELECT alias, root_password_last_used FROM iam_account WHERE account = ?", one.account)


def test_what_a_call_leaves_though_it_failed_stays_and_nothing_else(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    with_handler(monkeypatch, "iam", "CreateAccountAlias", handler=leaving)
    assert one.iam("CreateAccountAlias", AccountAlias="some-name").status == 403
    assert account_row(one) == (None, 7)


def test_nobody_learns_how_a_call_ended_whose_leavings_cannot_be_written(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def refusing(_tx: object) -> None:
        raise StoreUnavailable("disk full")

    def failing(ctx: Context, _req: object) -> None:
        ctx.though_failed.append(refusing)
        raise CommonError("access_denied", "the code was wrong")

    with_handler(monkeypatch, "iam", "CreateAccountAlias", handler=failing)
    answer = one.iam("CreateAccountAlias", AccountAlias="some-name")
    assert (answer.status, b"the code was wrong" in answer.body) == (503, False)

    def broken(ctx: Context, _req: object) -> None:
        ctx.though_failed.append(lambda _tx: 1 / 0)
        raise CommonError("access_denied", "the code was wrong")

    with_handler(monkeypatch, "iam", "CreateAccountAlias", handler=broken)
    answer = one.iam("CreateAccountAlias", AccountAlias="some-name")
    assert (answer.status, b"the code was wrong" in answer.body) == (500, False)


def test_a_call_that_succeeds_writes_nothing_of_what_a_failed_one_leaves(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def fine(ctx: Context, _req: object) -> None:
        ctx.though_failed.append(lambda tx: tx.run("UPDATE iam_account SET root_password_last_used = 7"))

    with_handler(monkeypatch, "iam", "CreateAccountAlias", handler=fine)
    assert one.iam("CreateAccountAlias", AccountAlias="some-name").status == 200
    assert account_row(one) == (None, None)


def test_a_read_writes_where_it_says_so(one: InProcess, monkeypatch: pytest.MonkeyPatch):
    def using_up(ctx: Context, _req: object) -> dict[str, list[str]]:
        ctx.tx.run("UPDATE iam_account SET root_password_last_used = 9")
        return {"account_aliases": []}

    with_handler(monkeypatch, "iam", "ListAccountAliases", handler=using_up, writes=lambda _ctx, _req: True)
    assert one.iam("ListAccountAliases").status == 200
    assert account_row(one) == (None, 9)
    assert one.last_event()["readOnly"] is True


def test_only_a_read_may_say_when_it_writes():
    with pytest.raises(ValueError, match="only a read"):
        operation("iam", resource="*", writes=lambda _ctx, _req: True)
