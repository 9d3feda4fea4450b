"""A write load that knows what it was promised: what each acknowledged call must have left behind.

Each :class:`Writer` works on users and keys of its own, one call at a time. It notes what it is about to do, does it, and
notes the answer. When the server is killed under it, at most its last call is in doubt: that one may have happened whole or
not at all, and everything before it must be there.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions
import botocore.parsers

from tests.support.clients import boto
from tests.support.server import Server

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
USERS = 8
KEYS = 25
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}

GONE = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ResponseStreamingError,
)
"""How a client sees that the server died."""
CUT_OFF = (botocore.parsers.ResponseParserError, KeyError)
"""How it sees an answer that lacks its end, where the server died while it wrote."""


@dataclass(slots=True)
class User:
    """A user as it must be."""

    tags: dict[str, str]
    policies: dict[str, Any] = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Key:
    """A KMS key as it must be."""

    description: str
    tags: dict[str, str]
    state: str = "Enabled"
    aliases: set[str] = field(default_factory=set)


@dataclass(slots=True)
class State:
    """All that one writer made."""

    users: dict[str, User] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One call and what it does to the state."""

    service: str
    method: str
    parameters: dict[str, Any]
    apply: Callable[[State, dict[str, Any]], None]
    """Changes the state, given the answer (empty for a call in doubt)."""


@dataclass(slots=True)
class Writer:
    """One client's write load, by a seed of its own."""

    name: str
    server: Server
    seed: int
    state: State = field(default_factory=State)
    acknowledged: list[str] = field(default_factory=list)
    """Request ids of the calls of this round that were answered, denied ones and reads included."""
    doubt: Step | None = None
    made: int = 0
    failure: BaseException | None = None
    clients: dict[str, Any] = field(default_factory=dict)

    def connect(self) -> None:
        """Make the clients, which on a busy machine takes longer than a round."""
        self.clients = {service: boto(self.server, service) for service in ("iam", "kms")}

    def run(self) -> None:
        """Write until the server is gone; ``failure`` holds whatever else ended it."""
        try:
            for step in self.steps():
                self.doubt = step
                answer = getattr(self.clients[step.service], step.method)(**step.parameters)
                step.apply(self.state, answer)
                self.doubt = None
                self.acknowledged.append(answer["ResponseMetadata"]["RequestId"])
        except GONE:
            pass
        except CUT_OFF as error:
            if self.server.process is not None:
                self.failure = error
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            self.failure = error

    def steps(self) -> Iterator[Step]:
        """What to do next, for ever."""
        pick = random.Random(f"{self.seed}-{self.name}-{self.made}")
        while True:
            self.made += 1
            users, keys = sorted(self.state.users), sorted(self.live_keys())
            if not users or (len(users) < USERS and pick.random() < 0.3):
                yield create_user(f"{self.name}-u{self.made}", self.made)
            elif keys and pick.random() < 0.25:
                yield pick.choice(KEY_STEPS)(self.state, pick.choice(keys), self.made)
            elif len(self.state.keys) < KEYS and pick.random() < 0.1:
                yield create_key(f"{self.name}-k{self.made}", self.made)
            else:
                yield pick.choice(USER_STEPS)(self.state, pick.choice(users), self.made)

    def live_keys(self) -> list[str]:
        """Keys that are not on their way out."""
        return [key for key, one in self.state.keys.items() if one.state != "PendingDeletion"]

    def settle(self) -> list[str]:
        """Compare with the server what must be there; breaches as text. A call in doubt is decided by what is found."""
        seen = observe(self.server, self.name)
        if seen == self.state:
            self.doubt = None
            return []
        if self.doubt is not None:
            after = copy.deepcopy(self.state)
            unknown = sorted(set(seen.keys) - set(self.state.keys))
            self.doubt.apply(after, {"KeyMetadata": {"KeyId": unknown[0]}} if unknown else {})
            if seen == after:
                self.state, self.doubt = after, None
                return []
        doubt = "" if self.doubt is None else f"\n  in doubt: {self.doubt.method} {self.doubt.parameters}"
        return [f"{self.name}:\n  promised: {self.state}\n  found:    {seen}{doubt}"]


def tags_of(pairs: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of pairs as a mapping."""
    return {pair[key]: pair[value] for pair in pairs}


def create_user(name: str, number: int) -> Step:
    """A user and its tags: several rows in one call."""
    tags = {f"t{index}": f"v{number}" for index in range(5)}

    def apply(state: State, _: dict[str, Any]) -> None:
        state.users[name] = User(dict(tags))

    return Step("iam", "create_user", {"UserName": name, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}, apply)


def put_policy(_: State, user: str, number: int) -> Step:
    """An inline policy, new or replaced."""
    document = {**DOCUMENT, "Id": f"n{number}"}
    name = f"p{number % 3}"

    def apply(state: State, _: dict[str, Any]) -> None:
        state.users[user].policies[name] = document

    return Step("iam", "put_user_policy", {"UserName": user, "PolicyName": name, "PolicyDocument": json.dumps(document)}, apply)


def tag_user(_: State, user: str, number: int) -> Step:
    """Three tags in one call."""
    tags = {f"t{number % 7}": str(number), f"s{number % 5}": str(number), "last": str(number)}

    def apply(state: State, _: dict[str, Any]) -> None:
        state.users[user].tags.update(tags)

    return Step("iam", "tag_user", {"UserName": user, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}, apply)


def toggle_attachment(state: State, user: str, _: int) -> Step:
    """Attach, or detach where it is attached."""
    attached = READ_ONLY in state.users[user].attached

    def apply(state: State, _: dict[str, Any]) -> None:
        state.users[user].attached ^= {READ_ONLY}

    method = "detach_user_policy" if attached else "attach_user_policy"
    return Step("iam", method, {"UserName": user, "PolicyArn": READ_ONLY}, apply)


def take_apart(state: State, user: str, number: int) -> Step:
    """One step towards a user's end: its policies go first, as AWS asks."""
    if state.users[user].attached:
        return toggle_attachment(state, user, number)
    policies = sorted(state.users[user].policies)

    def without_policy(state: State, _: dict[str, Any]) -> None:
        del state.users[user].policies[policies[0]]

    def without_user(state: State, _: dict[str, Any]) -> None:
        del state.users[user]

    if policies:
        return Step("iam", "delete_user_policy", {"UserName": user, "PolicyName": policies[0]}, without_policy)
    return Step("iam", "delete_user", {"UserName": user}, without_user)


def create_key(description: str, number: int) -> Step:
    """A key, its material, its policy and its tags in one call."""
    tags = {"owner": description, "number": str(number)}

    def apply(state: State, answer: dict[str, Any]) -> None:
        state.keys[answer["KeyMetadata"]["KeyId"]] = Key(description, dict(tags))

    pairs = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
    return Step("kms", "create_key", {"Description": description, "Tags": pairs}, apply)


def tag_key(_: State, key: str, number: int) -> Step:
    """Two tags in one call."""
    tags = {f"t{number % 5}": str(number), "last": str(number)}

    def apply(state: State, _: dict[str, Any]) -> None:
        state.keys[key].tags.update(tags)

    return Step("kms", "tag_resource", {"KeyId": key, "Tags": [{"TagKey": k, "TagValue": v} for k, v in tags.items()]}, apply)


def toggle_key(state: State, key: str, _: int) -> Step:
    """Disable, or enable what is disabled."""
    disabled = state.keys[key].state == "Disabled"

    def apply(state: State, _: dict[str, Any]) -> None:
        state.keys[key].state = "Enabled" if disabled else "Disabled"

    return Step("kms", "enable_key" if disabled else "disable_key", {"KeyId": key}, apply)


def toggle_alias(state: State, key: str, _: int) -> Step:
    """One alias a key, made or removed."""
    name = f"alias/{state.keys[key].description}"
    there = name in state.keys[key].aliases

    def apply(state: State, _: dict[str, Any]) -> None:
        state.keys[key].aliases ^= {name}

    if there:
        return Step("kms", "delete_alias", {"AliasName": name}, apply)
    return Step("kms", "create_alias", {"AliasName": name, "TargetKeyId": key}, apply)


def look_or_end(_: State, key: str, number: int) -> Step:
    """Mostly a read, whose event must be kept all the same; sometimes the key's end."""

    def apply(state: State, _: dict[str, Any]) -> None:
        state.keys[key].state = "PendingDeletion"

    if number % 10 == 0:
        return Step("kms", "schedule_key_deletion", {"KeyId": key, "PendingWindowInDays": 7}, apply)
    return Step("kms", "describe_key", {"KeyId": key}, lambda _state, _answer: None)


USER_STEPS = (put_policy, put_policy, tag_user, toggle_attachment, take_apart, take_apart)
KEY_STEPS = (tag_key, toggle_key, toggle_alias, look_or_end)


def observe(server: Server, prefix: str) -> State:
    """What the server holds of one writer."""
    state = State()
    iam, kms = boto(server, "iam"), boto(server, "kms")
    for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=["User"]):
        for user in page["UserDetailList"]:
            if user["UserName"].startswith(f"{prefix}-u"):
                state.users[user["UserName"]] = User(
                    tags_of(user.get("Tags", [])),
                    {one["PolicyName"]: one["PolicyDocument"] for one in user.get("UserPolicyList", [])},
                    {one["PolicyArn"] for one in user["AttachedManagedPolicies"]},
                )
    aliases = [one for page in kms.get_paginator("list_aliases").paginate() for one in page["Aliases"]]
    for page in kms.get_paginator("list_keys").paginate():
        for key_id in (one["KeyId"] for one in page["Keys"]):
            found = kms.describe_key(KeyId=key_id)["KeyMetadata"]
            if found["Description"].startswith(f"{prefix}-k"):
                state.keys[key_id] = Key(
                    found["Description"],
                    tags_of(kms.list_resource_tags(KeyId=key_id)["Tags"], "TagKey", "TagValue"),
                    found["KeyState"],
                    {one["AliasName"] for one in aliases if one.get("TargetKeyId") == key_id},
                )
    return state
