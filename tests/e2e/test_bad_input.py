"""Whatever is sent, the server answers an error of the client's, or closes: no crash, no hang, no internal error, no half-done write.

What the model has and Garrison has not yet is ``NotImplemented`` with 501; that is the only 5xx that may appear.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests.support import raw
from tests.support.clients import boto
from tests.support.server import Server

KMS = (
    "CreateKey",
    "DescribeKey",
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "CreateAlias",
    "PutKeyPolicy",
    "TagResource",
    "ListKeys",
)
IAM = ("CreateUser", "GetUser", "ListUsers", "PutUserPolicy", "CreatePolicy", "TagUser", "CreateRole", "SimulateCustomPolicy")
MEMBERS = (
    "KeyId",
    "Plaintext",
    "CiphertextBlob",
    "EncryptionContext",
    "Tags",
    "Policy",
    "Description",
    "Limit",
    "Marker",
    "AliasName",
)
FORM_MEMBERS = (
    "UserName",
    "PolicyDocument",
    "Tags.member.1.Key",
    "Tags.member.1",
    "Tags.member.x",
    "MaxItems",
    "Path",
    "RoleName",
    "Marker",
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=15,
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this file's own, which must be alive and clean after all of it."""
    with Server(tmp_path_factory.mktemp("bad-input")) as server:
        yield server
        assert boto(server, "sts").get_caller_identity()["Account"] == server.account_id
        assert "Traceback" not in server.log(), server.log_tail(200)
        verified = server.garrison("audit", "verify", check=False)
        assert verified.returncode == 0, verified.stdout


def fair(answer: raw.Answer) -> None:
    """An error of the client's, or a close; nothing of ours shows."""
    shown = answer.head + b"\r\n\r\n" + answer.body
    assert answer.status < 500 or (answer.status == 501 and b"NotImplemented" in shown), shown
    for trace in (b"Traceback", b'File "', b".py", b"garrison."):
        assert trace not in answer.body, shown


def test_what_this_file_signs_is_accepted(target: Server):
    assert raw.json_call(target, "ListKeys", b"{}").status == 200
    assert raw.form_call(target, b"Action=ListUsers&Version=2010-05-08").status == 200


@given(st.binary(min_size=1, max_size=3000))
def test_any_bytes_on_the_socket(target: Server, data: bytes):
    fair(raw.exchange(target, data))


@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "BREW"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=200),
    st.lists(
        st.tuples(st.sampled_from(["Authorization", "X-Amz-Target", "X-Amz-Date", "Content-Type", "Host", "X-A"]), TEXT),
        max_size=8,
    ),
    st.binary(max_size=200),
)
def test_any_head(target: Server, method: str, path: str, headers: list[tuple[str, str]], body: bytes):
    lines = [f"{method} /{path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    fair(raw.exchange(target, "\r\n".join([*lines, "", ""]).encode() + body))


@given(st.sampled_from(KMS), st.binary(max_size=400))
def test_any_bytes_as_json(target: Server, operation: str, body: bytes):
    answer = raw.json_call(target, operation, body)
    fair(answer)
    assert answer.status in {200, 400}, answer.body
    if answer.status == 400:
        assert json.loads(answer.body)["__type"]


@given(st.sampled_from(KMS), st.dictionaries(st.sampled_from(MEMBERS) | TEXT, JSON, max_size=5))
def test_any_json(target: Server, operation: str, document: dict[str, object]):
    answer = raw.json_call(target, operation, json.dumps(document).encode())
    fair(answer)
    assert answer.status in {200, 400}, answer.body


@given(st.sampled_from(IAM), st.lists(st.tuples(st.sampled_from(FORM_MEMBERS) | TEXT, TEXT), max_size=6))
def test_any_form(target: Server, action: str, pairs: list[tuple[str, str]]):
    body = "&".join(
        [f"Action={action}", "Version=2010-05-08", *(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)]
    )
    answer = raw.form_call(target, body.encode())
    fair(answer)
    assert answer.status < 500, answer.body


@given(st.binary(max_size=600))
def test_any_bytes_as_form(target: Server, body: bytes):
    fair(raw.form_call(target, b"Version=2010-05-08&Action=CreateUser&" + body))


@given(st.binary(max_size=300))
def test_any_bytes_as_cbor(target: Server, body: bytes):
    headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
    path = "/service/TrentService/operation/Encrypt"
    fair(raw.exchange(target, raw.signed(target, "kms", body, headers, path), half_close=False))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"EncryptionContext":' * 50_000 + b"1",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"Limit": 1' + b"0" * 5000 + b"}",
        b'{"Limit": 1e999999}',
        b'{"Limit": NaN}',
        b'{"Limit": -Infinity}',
        b'{"Limit": 1, "Limit": "x"}',
        b'{"Description": "\\ud800"}',
        b'{"Description": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        b"null",
        b"[]",
        b'"text"',
    ],
    ids=range(14),
)
def test_hostile_json(target: Server, body: bytes):
    answer = raw.json_call(target, "ListKeys", body)
    fair(answer)
    assert answer.status == 400 or b"LimitExceeded" not in answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"&".join(b"Tags.member.%d.Key=a" % number for number in range(5000)),
        b"Tags.member.999999999999.Key=a",
        b"Tags.member.-1.Key=a",
        b"Tags" + b".member.1" * 20_000 + b"=a",
        b"UserName=%zz&UserName=%",
        b"UserName=" + b"a" * 100_000,
        b"&" * 100_000,
        b"=" * 100_000,
    ],
    ids=range(8),
)
def test_hostile_forms(target: Server, body: bytes):
    answer = raw.form_call(target, b"Action=CreateUser&Version=2010-05-08&" + body)
    fair(answer)
    assert 400 <= answer.status < 500, answer.body


def test_a_refused_write_leaves_nothing(target: Server):
    body = b"Action=CreateUser&Version=2010-05-08&UserName=half&Tags.member.1.Key=ok&Tags.member.1.Value=v&Tags.member.2.Key=&Tags.member.2.Value=v"
    assert raw.form_call(target, body).status == 400
    iam = boto(target, "iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="half")


def test_a_body_over_the_limit(target: Server):
    answer = raw.json_call(target, "Encrypt", b'{"KeyId": "' + b"a" * (9 * 1024 * 1024) + b'"}')
    fair(answer)
    assert answer.status in {400, 413}


def test_a_body_that_is_announced_and_never_comes_is_refused_at_once_when_too_long(target: Server):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n"
    answer = raw.exchange(target, head, half_close=False)
    fair(answer)
    assert answer.status in {400, 413}


def test_a_head_over_the_limit(target: Server):
    answer = raw.exchange(target, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n")
    fair(answer)
    assert answer.status in {0, 400, 431}


def test_too_many_headers(target: Server):
    answer = raw.exchange(target, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n")
    fair(answer)
    assert answer.status in {0, 400, 431}


@pytest.mark.parametrize(
    "smuggled",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /_garrison/health HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["both-lengths", "two-lengths", "negative", "huge-chunk", "no-chunk"],
)
def test_requests_that_two_readers_would_cut_differently(target: Server, smuggled: bytes):
    answer = raw.exchange(target, smuggled)
    fair(answer)
    assert answer.status in {0, 400, 403, 413}
    assert b"HTTP/1.1 200" not in answer.head + answer.body


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Server]:
    """Waits one second for a head, and one for a body."""
    with Server(tmp_path / "impatient", options=("--read-timeout", "1")) as server:
        yield server


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"POST / HT",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow:",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["nothing", "request-line", "headers", "body", "chunk"],
)
def test_a_slow_client_is_let_go(impatient: Server, part: bytes):
    where = urlsplit(impatient.endpoint)
    with socket.create_connection((where.hostname, where.port), raw.SECONDS) as connection:
        connection.sendall(part)
        answer = raw.read_answer(connection)  # a TimeoutError here is a server that waits for ever
    fair(answer)
    assert answer.status in {0, 400, 403, 408}


def test_a_client_that_drips_its_head_is_let_go(impatient: Server):
    where = urlsplit(impatient.endpoint)
    with socket.create_connection((where.hostname, where.port), raw.SECONDS) as connection:
        try:
            for _ in range(600):  # a byte each 50 ms: far over a second in all
                connection.sendall(b"a")
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            return
    pytest.fail("the server listened to it all")


def nested(opening: str, closing: str, depth: int) -> str:
    return opening * depth + closing * depth


HOSTILE_POLICIES = {
    "open-lists": "[" * 100_000,
    "open-objects": '{"a":' * 20_000,
    "deep-lists": nested("[", "]", 50_000),
    "deep-statement": '{"Version":"2012-10-17","Statement":' + nested("[", "]", 30_000) + "}",
    "huge-number": '{"Version":"2012-10-17","Statement":[],"Id":' + "9" * 5000 + "}",
    "huge-exponent": '{"Version":"2012-10-17","Statement":[],"Id":1e999999}',
    "not-a-number": '{"Version":"2012-10-17","Statement":[],"Id":NaN}',
    "half-a-pair": '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:\\ud800","Resource":"*"}}',
    "null": "null",
    "nulls": '{"Version":null,"Statement":null}',
    "wrong-types": '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":{"a":"b"},"Resource":5,"Condition":[]}}',
    "odd-principals": '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Principal":{"AWS":["arn:aws:sts::123456789012:","arn:::::",[5]]}}}',
}


@pytest.mark.parametrize("document", HOSTILE_POLICIES.values(), ids=HOSTILE_POLICIES)
def test_hostile_policy_documents(target: Server, document: str):
    """Wherever a policy is taken, one that is none is refused, and nothing is left of it."""
    iam, kms, sts = boto(target, "iam"), boto(target, "kms"), boto(target, "sts")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="with-policies")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    before = kms.get_key_policy(KeyId=key)["Policy"]
    calls: tuple[Callable[[], object], ...] = (
        lambda: iam.put_user_policy(UserName="with-policies", PolicyName="p", PolicyDocument=document),
        lambda: iam.create_policy(PolicyName="hostile", PolicyDocument=document),
        lambda: iam.create_role(RoleName="hostile", AssumeRolePolicyDocument=document),
        lambda: iam.simulate_custom_policy(PolicyInputList=[document], ActionNames=["iam:GetUser"]),
        lambda: iam.get_context_keys_for_custom_policy(PolicyInputList=[document]),
        lambda: sts.get_federation_token(Name="bob", Policy=document),
        lambda: kms.put_key_policy(KeyId=key, Policy=document),
        lambda: kms.create_key(Policy=document),
    )
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert iam.list_user_policies(UserName="with-policies")["PolicyNames"] == []
    assert not [each for each in iam.list_roles()["Roles"] if each["RoleName"] == "hostile"]
    assert kms.get_key_policy(KeyId=key)["Policy"] == before


def test_a_simulation_of_millions_is_answered_page_by_page(target: Server):
    """Four thousand actions on four thousand resources: the first page takes no longer for it."""
    document = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}'
    pairs = [
        ("Action", "SimulateCustomPolicy"),
        ("Version", "2010-05-08"),
        ("PolicyInputList.member.1", document),
        ("MaxItems", "2"),
    ]
    pairs += [(f"ActionNames.member.{number}", f"iam:Do{number}") for number in range(1, 4001)]
    pairs += [(f"ResourceArns.member.{number}", f"arn:aws:iam::123456789012:user/{number}") for number in range(1, 4001)]
    answer = raw.form_call(target, urlencode(pairs).encode())  # a TimeoutError here is a worker that computes them all
    assert answer.status == 200
    assert answer.body.count(b"<EvalResourceName>arn:aws:iam::123456789012:user/1<") == 2
    assert b"<IsTruncated>true</IsTruncated>" in answer.body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"&".join(b"A%d=1" % number for number in range(10_001)), 400),
        (b"UserName=sparse&Tags.member.999999999.Key=a&Tags.member.999999999.Value=b", 200),
        (b"UserName=sparse&Tags.member.99999999999999999999999.Key=a", 400),
        (b"UserName=a%00b", 400),
        (b"UserName=%ED%A0%80", 400),
        (b"UserName=%FF", 400),
    ],
    ids=["10001", "sparse", "endless", "nul", "surrogate", "no-utf8"],
)
def test_forms_at_their_limits(target: Server, body: bytes, status: int):
    answer = raw.form_call(target, b"Action=CreateUser&Version=2010-05-08&" + body)
    fair(answer)
    assert answer.status == status, answer.body
