"""What PostgreSQL would choke on and SQLite not: characters that its text cannot hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from tests.support import raw
from tests.support.clients import boto
from tests.support.server import Server


def test_characters_that_the_database_cannot_hold(new_server: Callable[..., Server], postgres_url: str):
    """NUL and halves of surrogate pairs, wherever text is kept or put on record: an answer, and the trail goes on."""
    server = new_server(store=postgres_url).start()
    calls: list[Callable[[], raw.Answer]] = [
        lambda: raw.form_call(server, b"Version=2010-05-08&Action=Get%00User&UserName=a"),
        lambda: raw.form_call(server, b"Version=2010-05-08&Action=Get%ED%A0%80User&UserName=a"),
        lambda: raw.form_call(server, b"Version=2010-05-08&Action=GetUser&UserName=a%00"),
        lambda: raw.form_call(server, b"Version=2010-05-08&Action=CreateRole&RoleName=a&AssumeRolePolicyDocument=%00"),
        lambda: raw.form_call(
            server, b"Version=2010-05-08&Action=TagUser&UserName=admin&Tags.member.1.Key=a%00&Tags.member.1.Value=b"
        ),
        lambda: raw.exchange(
            server, b"GET /bucket/%00?a=%00 HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\r\nConnection: close\r\n\r\n"
        ),
        lambda: raw.exchange(
            server,
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.\xff\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
    ]
    wide = "".join(chr(0x20000 + number * 7) for number in range(1900))  # four bytes each, and hard to compress
    calls += [
        lambda: raw.form_call(server, b"Version=2010-05-08&Action=" + quote(wide).encode()),
        lambda: raw.form_call(
            server,
            b"Version=2011-06-15&Action=AssumeRole&RoleSessionName=s1&RoleArn=" + quote("arn:aws:iam::1:" + wide).encode(),
            "sts",
        ),
        lambda: raw.form_call(
            server,
            b"Version=2010-05-08&Action=SimulatePrincipalPolicy&ActionNames.member.1=a:B&PolicySourceArn="
            + quote("arn:aws:iam::1:" + wide).encode(),
        ),
    ]
    documents: list[tuple[str, Any]] = [
        ("CreateKey", {"Description": "a\0b"}),
        ("CreateKey", {"Tags": [{"TagKey": "a\0", "TagValue": "\0"}]}),
        ("CreateAlias", {"AliasName": "alias/a\0", "TargetKeyId": "a"}),
        ("DescribeKey", {"KeyId": "\0"}),
        ("DescribeKey", {"KeyId": "alias/\0"}),
        ("DescribeKey", {"KeyId": "arn:aws:kms:us-east-1:123456789012:alias/\0"}),
        ("Encrypt", {"KeyId": "alias/\0", "Plaintext": "eA==", "EncryptionContext": {"\0": "\0"}}),
        ("CreateKey", {"Policy": '{"Version":"2012-10-17","Statement":{"Sid":"\\u0000","Effect":"Allow"}}'}),
        ("PutKeyPolicy", {"KeyId": "a", "Policy": "\0"}),
        ("DescribeKey", {"KeyId": "alias/" + wide}),
    ]
    calls += [partial(raw.json_call, server, name, json.dumps(document).encode()) for name, document in documents]
    for call in calls:
        answer = call()
        assert 200 <= answer.status < 500, answer
    cloudtrail = boto(server, "cloudtrail")
    found = cloudtrail.lookup_events(MaxResults=50)["Events"]
    assert {"CreateKey", "DescribeKey"} <= {event["EventName"] for event in found}
    boto(server, "iam").create_user(UserName="after-all-that")
    server.restart()
    assert boto(server, "iam").get_user(UserName="after-all-that")
    for trace in ("Traceback", "failed inside", "could not"):
        assert trace not in server.log(), server.log_tail(100)
    assert server.garrison("audit", "verify", check=False).returncode == 0
