"""What reading and writing one call costs: ``python -m bench.codec`` from the repository, or ``python bench/codec.py``.

CPU microseconds, best of several rounds: reading a request with every constraint checked, writing its answer, showing
the request to the audit trail, and refusing a bad request in AWS's words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec import Struct

from garrison.api import iam, kms, sts
from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.wire.codec import codec

ROUNDS, CALLS = 7, 5000

USER = iam.User(
    path="/a/", user_name="bob", user_id="AIDACKCEVSQ6C2EXAMPLE", arn="arn:aws:iam::123456789012:user/a/bob", create_date=1.7e9
)
IDENTITY = sts.GetCallerIdentityResponse(user_id="AIDACKCEVSQ6C2EXAMPLE", account="123456789012", arn=USER.arn)
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

CASES: list[tuple[str, str, bytes, bytes, Struct]] = [
    (
        "kms",
        "Encrypt",
        b'{"KeyId":"alias/a","Plaintext":"aGVsbG8gd29ybGQ=","EncryptionContext":{"team":"red"}}',
        b'{"KeyId":"","Plaintext":"aGVsbG8gd29ybGQ="}',
        kms.EncryptResponse(ciphertext_blob=b"x" * 170, key_id=KEY, encryption_algorithm="SYMMETRIC_DEFAULT"),
    ),
    (
        "iam",
        "CreateUser",
        b"Action=CreateUser&Version=2010-05-08&UserName=bob&Path=%2Fa%2F&Tags.member.1.Key=team&Tags.member.1.Value=red",
        b"Action=CreateUser&Version=2010-05-08&UserName=b%21b",
        iam.CreateUserResponse(user=USER),
    ),
    (
        "iam",
        "ListUsers",
        b"Action=ListUsers&Version=2010-05-08&MaxItems=100",
        b"Action=ListUsers&Version=2010-05-08&MaxItems=0",
        iam.ListUsersResponse(users=[USER] * 100, is_truncated=False),
    ),
    ("sts", "GetCallerIdentity", b"Action=GetCallerIdentity&Version=2011-06-15", b"Action=%", IDENTITY),
]


def best(call: Callable[[], object], calls: int = CALLS) -> float:
    """CPU microseconds of one call in the quietest round."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            call()
        rounds.append((time.process_time() - start) / calls)
    return min(rounds) * 1e6


def refused(call: Callable[[], object]) -> None:
    """Make a call that must fail."""
    with suppress(CommonError):
        call()
        raise AssertionError


def main() -> None:
    """Print one line for each operation."""
    print(f"{'operation':<24}{'read':>9}{'write':>9}{'both':>9}{'mask':>9}{'refuse':>9}   CPU microseconds")
    for service, name, good, bad, answer in CASES:
        used = codec(service)
        operation = used.model.operation(name)
        assert operation
        request = Request("POST", "/", body=good)
        struct = used.decode(operation, request, {})
        calls = 500 if name == "ListUsers" else CALLS
        read = best(partial(used.decode, operation, request, {}), calls)
        write = best(partial(used.encode, operation, answer, "4f2f3c1e-0000-0000-0000-000000000000"), calls)
        mask = best(partial(used.masked, operation, struct), calls)
        refuse = best(partial(refused, partial(used.decode, operation, Request("POST", "/", body=bad), {})), calls)
        label = f"{service}.{name}" + (" (100)" if name == "ListUsers" else "")
        print(f"{label:<24}{read:9.2f}{write:9.2f}{read + write:9.2f}{mask:9.2f}{refuse:9.2f}")


if __name__ == "__main__":
    main()
