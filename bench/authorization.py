"""What a decision costs: by the number of policies, and by the number of users with policies of their own.

Run: ``uv run --no-sync python bench/authorization.py``. CPU time, best of several rounds; each round asks 2,000 different
requests, and each request brings a context of its own, as a call does.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from garrison.core.context import Call
from garrison.core.operation import Target
from garrison.core.principal import Principal
from garrison.policy import Decision, Policy, PolicyInputs, PolicySet, Request, authorize, compile_policy, global_context

ACCOUNT = "111122223333"
SERVICES = {
    "s3": ("GetObject", "PutObject", "DeleteObject", "ListBucket", "GetBucketPolicy"),
    "kms": ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "CreateGrant"),
    "iam": ("CreateUser", "GetUser", "ListUsers", "PassRole", "DeleteUser"),
    "ec2": ("RunInstances", "StopInstances", "DescribeInstances", "CreateTags", "DeleteVolume"),
    "sqs": ("SendMessage", "ReceiveMessage", "DeleteQueue", "GetQueueUrl", "CreateQueue"),
}
ROUNDS = 7
REQUESTS = 2_000
RANDOM = random.Random(20)  # noqa: S311 - the same figures on each run


def resource(service: str, number: int) -> str:
    """One of fifty resources of a service."""
    return {
        "s3": f"arn:aws:s3:::bucket-{number}/reports/{number}.csv",
        "kms": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/key-{number}",
        "iam": f"arn:aws:iam::{ACCOUNT}:user/team/user-{number}",
        "ec2": f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-{number}",
        "sqs": f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue-{number}",
    }[service]


CONDITIONS: Sequence[dict[str, Any]] = (
    {},
    {},
    {"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}},
    {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringLike": {"aws:PrincipalTag/team": "platform-*"}},
    {"DateGreaterThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/*"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
)


def statement() -> dict[str, Any]:
    """A statement with wildcards, and a condition in most."""
    service = RANDOM.choice(list(SERVICES))
    actions = [f"{service}:{name}" for name in RANDOM.sample(SERVICES[service], 2)]
    if RANDOM.random() < 0.5:
        actions.append(f"{service}:{RANDOM.choice(['Get', 'List', 'Describe', 'Create'])}*")
    text = resource(service, RANDOM.randrange(50))
    entry = RANDOM.choice([text, text.rpartition("/")[0] + "/*", text[:-4] + "*", "*"])
    return {
        "Effect": "Deny" if RANDOM.random() < 0.15 else "Allow",
        "Action": actions,
        "Resource": entry if entry.count(":") > 4 else "*",
        "Condition": RANDOM.choice(CONDITIONS),
    }


def policies(count: int, statements: int) -> list[Policy]:
    """``statements`` statements over ``count`` policies."""
    share = [statements // count + (number < statements % count) for number in range(count)]
    return [
        compile_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement() for _ in range(size)]}), "identity")
        for size in share
    ]


def key_policy() -> Policy:
    """A resource policy that leaves the account to its own policies."""
    document = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
    return compile_policy(json.dumps(document), "resource")


def principal(number: int) -> Principal:
    """A user with a few tags."""
    name = f"user-{number}"
    return Principal(
        "user",
        ACCOUNT,
        f"arn:aws:iam::{ACCOUNT}:user/{name}",
        f"AIDA{number:017d}",
        name,
        tags={"team": "platform-1", "cost": "42"},
    )


def questions(users: Sequence[Principal]) -> list[Callable[[], Request]]:
    """Requests as a server makes them: the context is built for each."""
    call = Call("10.1.2.3", "aws-cli/2.32", "localhost", secure=True)
    made: list[Callable[[], Request]] = []
    for number in range(REQUESTS):
        service = RANDOM.choice(list(SERVICES))
        target = Target(resource(service, RANDOM.randrange(50)), ACCOUNT, {"stage": "prod"})
        action = f"{service}:{RANDOM.choice(SERVICES[service])}"
        caller = users[number % len(users)]

        def ask(action: str = action, target: Target = target, caller: Principal = caller) -> Request:
            context = global_context(
                caller,
                call,
                now=1.76e9,
                region="us-east-1",
                target=target,
                extra={"kms:ViaService": "s3.us-east-1.amazonaws.com"},
            )
            return Request(action, target.arn, ACCOUNT, caller, context)

        made.append(ask)
    return made


def measure(run: Callable[[], int]) -> tuple[float, int]:
    """Microseconds of CPU time for one decision, and how many were allowed."""
    best, allowed = float("inf"), 0
    for _ in range(ROUNDS):
        started = time.process_time()
        allowed = run()
        best = min(best, time.process_time() - started)
    return best / REQUESTS * 1e6, allowed


def count_allowed(decisions: Sequence[Decision]) -> int:
    """How many decisions allow."""
    return sum(decision.allowed for decision in decisions)


def by_policies() -> None:
    """The table by number of policies, with and without the building of the context."""
    print("policies statements  us/decision  us with context  decisions/CPU s  allowed")
    for count, statements in ((5, 38), (8, 60), (10, 75), (20, 150), (20, 1000)):
        bare, full, allowed = one_row(PolicyInputs(PolicySet(policies(count, statements))))
        print(f"{count:8} {statements:10} {bare:12.2f} {full:16.2f} {1e6 / full:16,.0f} {allowed:8}")


def one_row(inputs: PolicyInputs) -> tuple[float, float, int]:
    """Microseconds without and with the building of the context, and how many requests were allowed."""
    shield = key_policy()
    asks = questions([principal(1)])
    ready = [ask() for ask in asks]
    bare, allowed = measure(lambda: count_allowed([authorize(request, inputs, resource_policy=shield) for request in ready]))
    full, _ = measure(lambda: count_allowed([authorize(ask(), inputs, resource_policy=shield) for ask in asks]))
    return bare, full, allowed


def by_users() -> None:
    """The table by number of users, each with three policies of its own and two that all share."""
    print("\nusers    us with context  decisions/CPU s")
    shared = policies(2, 20)
    for count in (10, 100, 1_000, 10_000):
        users = [principal(number) for number in range(count)]
        inputs = {user.arn: PolicyInputs(PolicySet([*shared, *policies(3, 9)])) for user in users}
        asks = questions(users)

        def run(asks: list[Callable[[], Request]] = asks, inputs: dict[str, PolicyInputs] = inputs) -> int:
            allowed = 0
            for ask in asks:
                request = ask()
                allowed += authorize(request, inputs[request.principal.arn]).allowed
            return allowed

        cost, _ = measure(run)
        print(f"{count:6} {cost:16.2f} {1e6 / cost:16,.0f}")


def compiling() -> None:
    """What putting a policy costs."""
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement() for _ in range(60)]})
    started = time.process_time()
    for _ in range(20):
        compile_policy(text, "identity")
    print(f"\ncompiling 60 statements: {(time.process_time() - started) / 20 * 1e3:.2f} ms")


if __name__ == "__main__":
    by_policies()
    by_users()
    compiling()
