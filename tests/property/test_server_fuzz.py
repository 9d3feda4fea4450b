"""Requests that hypothesis makes, against a server: every operation that is built, in every protocol, signed well, badly and not.

None gives a 5xx (but 501 for what is not built), a hang, a trace of our code, or a write that was refused and still left something.
``HYPOTHESIS_PROFILE=long`` sends many more.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from garrison import app
from garrison.core.model import OperationModel, load_model
from garrison.core.operation import REGISTRY
from tests.support import raw
from tests.support.clients import boto
from tests.support.documents import as_request
from tests.support.server import Server
from tests.support.strategies import documents

assert app is not None  # imported so that every operation is registered

SHARE = 15
"""Of the profile's examples each operation gets this part: there are over a hundred of them."""
JSON_TYPE = "application/x-amz-json-1.1"
FORM_TYPE = "application/x-www-form-urlencoded"


def built() -> list[OperationModel]:
    """Every operation with a handler."""
    found = []
    for service in sorted({service for service, _ in REGISTRY}):
        model = load_model(service)
        operations = [model.operation(name) for name in model.operation_names]
        found += [each for each in operations if each is not None and (service, each.name.lower()) in REGISTRY]
    return found


OPERATIONS = [one for one in built() if one.model.protocol == "query" or "targetPrefix" in one.model.metadata]
"""Sign-In speaks REST and has a property test of its own."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a few things to hit, alive and clean after all of it."""
    with Server(tmp_path_factory.mktemp("fuzz")) as server:
        yield server
        assert boto(server, "sts", server.credentials.root).get_caller_identity()["Account"] == server.account_id
        for trace in ("Traceback", "failed inside", "could not be committed"):
            assert trace not in server.log(), server.log_tail(300)
        verified = server.garrison("audit", "verify", check=False)
        assert verified.returncode == 0, verified.stdout


@pytest.fixture(scope="module")
def known(target: Server) -> dict[str, Any]:
    """Values that name something: with them a request gets further than NoSuchEntity."""
    iam, kms = boto(target, "iam", target.credentials.root), boto(target, "kms", target.credentials.root)
    nothing = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}'
    principal = {"AWS": target.account_id}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName="fuzzed")
    iam.create_group(GroupName="fuzzed")
    role = iam.create_role(RoleName="fuzzed", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = iam.create_policy(PolicyName="fuzzed", PolicyDocument=nothing)["Policy"]["Arn"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.create_alias(AliasName="alias/fuzzed", TargetKeyId=key)
    return {
        **firewall(target),
        "UserName": "fuzzed",
        "GroupName": "fuzzed",
        "RoleName": "fuzzed",
        "RoleArn": role,
        "PolicyArn": policy,
        "PolicySourceArn": role,
        "PolicyDocument": nothing,
        "AssumeRolePolicyDocument": trust,
        "KeyId": key,
        "AliasName": "alias/fuzzed",
        "CiphertextBlob": blob,
        "Policy": nothing,
        "Marker": "marker",
    }


def firewall(target: Server) -> dict[str, Any]:
    """The same of AWS WAF: a web ACL, and rules of every kind of statement that refers to nothing."""
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "fuzzed"}
    settings_of_it = {"Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": visible}
    made = boto(target, "wafv2", target.credentials.root).create_web_acl(Name="fuzzed", **settings_of_it)["Summary"]
    statement = {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}}
    rule = {"Name": "one", "Priority": 0, "Action": {"Block": {}}, "Statement": statement, "VisibilityConfig": visible}
    return {
        **settings_of_it,
        **dict.fromkeys(("ARN", "ResourceARN", "WebACLArn", "WebAclArn"), made["ARN"]),
        "WebACLId": made["Id"],
        "WebACLName": "fuzzed",
        "WebACLLockToken": made["LockToken"],
        "Rules": [rule],
        "TimeWindow": {"StartTime": 1_760_000_000, "EndTime": 1_760_003_600},
    }


def head_of(operation: OperationModel) -> dict[str, str]:
    """The headers that say which operation it is."""
    if operation.model.protocol == "query":
        return {"Content-Type": FORM_TYPE}
    return {"Content-Type": JSON_TYPE, "X-Amz-Target": f"{operation.model.metadata['targetPrefix']}.{operation.name}"}


def sign(server: Server, operation: OperationModel, body: bytes) -> AWSRequest:
    """The request of the root user with a good signature over whatever it carries."""
    root = server.credentials.root
    credentials = Credentials(root.access_key_id, root.secret_access_key)
    request = AWSRequest("POST", server.endpoint + "/", headers=head_of(operation), data=body)
    SigV4Auth(credentials, operation.model.signing_name, server.credentials.region).add_auth(request)
    return request


def wire(server: Server, request: AWSRequest, body: bytes) -> bytes:
    """Its bytes."""
    where = urlsplit(str(request.url))
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    if "host" not in {name.lower() for name in request.headers}:
        lines.insert(0, f"Host: {where.netloc}")
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    head = [f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def fair(answer: raw.Answer) -> None:
    """An answer of AWS's kind; nothing of ours shows."""
    shown = answer.head + b"\r\n\r\n" + answer.body
    assert 200 <= answer.status < 500 or (answer.status == 501 and b"NotImplemented" in shown), shown
    for trace in (b"Traceback", b'File "', b'.py"', b"garrison.core", b"msgspec"):
        assert trace not in answer.body, shown


BY_THEMSELVES = {"kms_usage", "iam_credential_report", "iam_credential_report_part"}
"""Tables that the background process goes on writing, whatever the call that is looked at."""


def state(server: Server) -> dict[str, list[Any]]:
    """All rows of IAM, KMS and AWS WAF, without when keys and roles were last used."""
    database = sqlite3.connect(f"file:{server.data_dir / 'garrison.db'}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        wanted = [name for name in tables if name.startswith(("iam_", "kms_", "waf_")) and name not in BY_THEMSELVES]
        # Uses are written down once a second by themselves, whatever the call that is looked at.
        columns = {
            "iam_access_key": "access_key_id, owner_id, status",
            "iam_role": "role_id, name, path, description, trust_policy, boundary_arn, max_session_duration",
        }
        found = {name: database.execute(f"SELECT {columns.get(name, '*')} FROM {name}").fetchall() for name in wanted}  # noqa: S608 - names of our own tables
    finally:
        database.close()
    assert found["iam_access_key"], "the tables are those that hold the state"
    return found


def relaxed(share: int = 1) -> settings:
    """Documents of a model are slow to draw."""
    return settings(max_examples=max(2, settings().max_examples // share), deadline=None, suppress_health_check=list(HealthCheck))


def body_of(operation: OperationModel, document: dict[str, Any]) -> bytes | None:
    """The document in the operation's protocol; None where the client's serializer cannot say it."""
    try:
        return as_request(operation, document).body
    except (TypeError, ValueError, AttributeError, KeyError, msgspec.MsgspecError):
        return None


@st.composite
def bodies(draw: st.DrawFn, operation: OperationModel, known: dict[str, Any]) -> bytes:
    """A valid or nearly valid body, with names that exist put in now and then."""
    if operation.input is None:
        return body_of(operation, {}) or b""
    shape = operation.input.shape
    document = dict(draw(documents(shape, sloppy=draw(st.booleans()))))
    usable = [name for name in shape.members if name in known]
    for name in draw(st.lists(st.sampled_from(usable), unique=True)) if usable else ():
        document[name] = known[name]
    body = body_of(operation, document)
    assume(body is not None)
    return body or b""


@st.composite
def mutated(draw: st.DrawFn, body: bytes) -> bytes:
    """The bytes with a few of them changed, cut out, doubled or put in."""
    changed = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        kind = draw(st.sampled_from(["set", "cut", "double", "insert"]))
        span = draw(st.integers(1, 20))
        if kind == "set" and at < len(changed):
            changed[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del changed[at : at + span]
        elif kind == "double":
            changed[at:at] = changed[at : at + span]
        else:
            changed[at:at] = draw(st.sampled_from(SPICES) | st.binary(max_size=6))
    return bytes(changed)


SPICES = (
    b"\0", b"%00", b"\xff", b"%ff", b"%ED%A0%80", b"\\ud800", b"\\u0000", b"&", b"=", b"&a=b", b"&Action=GetUser", b"&Tags.member.1",
    b".member.999999999", b"[[[[", b"{", b"}", b'"', b",", b"null", b"1e999", b"NaN", b"-1", b"9" * 400, b"\xe2\x84\xaa", b"${aws:username}",
    b"*", b"../", b"'", b"\r\n", b"<!DOCTYPE a>", b"\xef\xbb\xbf", b"%", b"%u0041", b"+", b"'; DROP TABLE iam_user; --",
)  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.model.service}.{each.name}")
def test_every_operation_under_documents_of_its_model(target: Server, known: dict[str, Any], operation: OperationModel):
    @relaxed(SHARE)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        body = data.draw(bodies(operation, known))
        before = state(target)
        answer = raw.exchange(target, wire(target, sign(target, operation, body), body), half_close=False)
        fair(answer)
        if answer.status >= 400:
            assert state(target) == before, answer.body

    run()


@relaxed(1)
@given(st.data())
def test_requests_with_bytes_changed_before_they_are_signed(target: Server, known: dict[str, Any], data: st.DataObject):
    operation = data.draw(st.sampled_from(OPERATIONS))
    body = data.draw(mutated(data.draw(bodies(operation, known))))
    before = state(target)
    answer = raw.exchange(target, wire(target, sign(target, operation, body), body), half_close=False)
    fair(answer)
    if answer.status >= 400:
        assert state(target) == before, answer.body


@relaxed(1)
@given(st.data())
def test_requests_with_bytes_changed_after_they_were_signed(target: Server, known: dict[str, Any], data: st.DataObject):
    """Nothing that was signed can be changed."""
    operation = data.draw(st.sampled_from(OPERATIONS))
    body = data.draw(bodies(operation, known))
    other = data.draw(mutated(body))
    assume(other != body)
    request = sign(target, operation, body)
    before = state(target)
    answer = raw.exchange(target, wire(target, request, other), half_close=False)
    fair(answer)
    assert answer.status in {400, 403}, answer
    assert b"ignature" in answer.body or b"Invalid" in answer.body or b"Unknown" in answer.body, answer.body
    assert state(target) == before


@relaxed(1)
@given(st.data())
def test_heads_changed_after_they_were_signed(target: Server, known: dict[str, Any], data: st.DataObject):
    """A head with bytes changed works only as what was signed: never for another operation."""
    operation = data.draw(st.sampled_from([each for each in OPERATIONS if each.name in {"CreateUser", "CreateKey"}]))
    body = (
        body_of(operation, {"UserName": "never-made"} if operation.name == "CreateUser" else {"Description": "never made"}) or b""
    )
    whole = wire(target, sign(target, operation, body), body)
    head, _, _ = whole.partition(b"\r\n\r\n")
    start = head.index(b"Authorization: ") + len(b"Authorization: ")
    end = head.index(b"\r\n", start)
    changed = data.draw(mutated(head[start:end]))
    assume(changed != head[start:end] and b"\r" not in changed and b"\n" not in changed)
    stripped = changed.strip(b" \t")
    assume(stripped != head[start:end])
    before = state(target)
    answer = raw.exchange(target, head[:start] + changed + head[end:] + b"\r\n\r\n" + body, half_close=False)
    fair(answer)
    if state(target) != before:
        # Blanks and the order of the parts are free; key, scope, names and signature are not.
        assert sorted(_parts(changed)) == sorted(_parts(head[start:end])), changed


def _parts(header: bytes) -> list[bytes]:
    return [part.strip(b" \t") for part in header.partition(b" ")[2].split(b",") if part.strip(b" \t")]


@relaxed(1)
@given(st.sampled_from(OPERATIONS), st.binary(max_size=300))
def test_any_bytes_without_a_signature(target: Server, operation: OperationModel, body: bytes):
    before = state(target)
    request = AWSRequest("POST", target.endpoint + "/", headers=head_of(operation), data=body)
    answer = raw.exchange(target, wire(target, request, body), half_close=False)
    fair(answer)
    assert answer.status in {400, 403}
    assert state(target) == before


XML = (
    b"",
    b"<a/>",
    b"<a><a/></b>",
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "a"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Tagging>&b;</Tagging>',
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><Tagging>&a;</Tagging>',
    b"<Tagging>" * 50_000,
    b"<Tagging " + b'a="b" ' * 10_000 + b"/>",
    b"\xff\xfe<\0a\0/\0>\0",
)


@relaxed(1)
@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]),
    st.lists(
        st.sampled_from(["bucket", "key", "..", ".", "", "%2e%2e", "%00", "%ff", "a b", "é", "v20180820"]) | st.text(max_size=5),
        max_size=4,
    ),
    st.sampled_from(["", "acl", "tagging", "uploads", "policy", "versions&list-type=2", "X-Amz-Foo=1", "%ff=%00", "a=b&a=c"]),
    st.sampled_from(XML) | st.binary(max_size=200),
    st.booleans(),
)
def test_xml_and_paths(target: Server, method: str, segments: list[str], query: str, body: bytes, signed: bool):
    path = "/" + "/".join(segments)
    safe = "".join(
        character if 33 <= ord(character) < 127 and character not in "?#" else f"%{ord(character) & 255:02x}"
        for character in path
    )
    request = AWSRequest(method, f"{target.endpoint}{safe}" + (f"?{query}" if query else ""), data=body, headers={"Host": "x"})
    if signed:
        root = target.credentials.root
        SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), "s3", target.credentials.region).add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    line = f"{method} {safe}" + (f"?{query}" if query else "") + " HTTP/1.1"
    whole = "\r\n".join([line, *lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode("latin-1") + body
    if method == "HEAD":
        whole = whole.replace(b"HEAD", b"GET", 1)
    fair(raw.exchange(target, whole, half_close=False))


@relaxed(1)
@given(
    st.sampled_from(["monitoring", "shield", "kms", "iam"]),
    st.sampled_from(["Encrypt", "ListKeys", "GetUser", "X"]),
    st.binary(max_size=300),
)
def test_any_bytes_as_cbor(target: Server, service: str, name: str, body: bytes):
    headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
    for path in (f"/service/TrentService/operation/{name}", f"/service/AWSShield_20160616/operation/{name}"):
        fair(raw.exchange(target, raw.signed(target, service, body, headers, path), half_close=False))
