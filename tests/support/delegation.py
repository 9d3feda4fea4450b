"""A partner, its customer and what passes between them, in one house."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.compat import get_current_datetime
from botocore.exceptions import ClientError

from garrison import app
from garrison.core.clock import system_clock
from garrison.core.ids import system_random
from garrison.identity.delegation import notices, partners
from tests.support.house import House
from tests.support.server import AccessKey

PARTNER = "444455556666"
DOMAIN = "partner.com"
TOPIC = f"arn:aws:sns:us-east-1:{PARTNER}:delegations"
BOUNDARY = "Reader_20260101"
TEMPLATE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::@{bucketNames}/*"},
        {"Effect": "Allow", "Action": ["iam:ListUsers", "iam:GetUser"], "Resource": "*"},
        {"@Enabled": "EnableKeys", "Effect": "Allow", "Action": "iam:ListAccessKeys", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["iam:CreateRole", "iam:PutRolePolicy"],
            "Resource": "arn:aws:iam::@{AccountId}:role/partner.com/*",
            "Condition": {"StringEquals": {"iam:PermissionsBoundary": partners.boundary_arn(DOMAIN, BOUNDARY)}},
        },
    ],
}
READER = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def registration(**given: Any) -> bytes:
    """What the operator writes of the partner."""
    found = {
        "domain": DOMAIN,
        "name": "Example Partner",
        "accounts": [PARTNER],
        "topics": {TOPIC: {}},
        "templates": {"SetUp_20260101": TEMPLATE, "Whole_20260101": _any_of("s3", "kms:Describe*", "iam:ListUsers")},
        "boundaries": {BOUNDARY: READER},
    }
    return json.dumps({**found, **given}).encode()


def _any_of(*services: str) -> dict[str, Any]:
    actions = [each if ":" in each else f"{each}:*" for each in services if not each.startswith("kms")]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}


class Delegating:
    """The partner's account beside the house's own, which is the customer's."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch | None = None, **given: Any) -> None:
        self.house = house
        self._patch = monkeypatch
        self._past = 0.0
        self.account = house.first.account
        made = app.new_account(house.state, PARTNER, name="partner")
        self.root, self.key = AccessKey(*made.root_key), AccessKey(*made.admin_key)
        self.secrets = self.register(**given)
        self.partner = house.client("iam", self.key)
        self.asked = 0

    def register(self, **given: Any) -> dict[str, str]:
        """Register the partner, or change what is registered."""
        with self.house.state.store.writing() as tx:
            made = partners.register(tx, self.house.state.keyring, partners.read(registration(**given)), system_random)
        self.house.state.store.commit()
        return made

    def ask(self, template: str = "Whole_20260101", **given: Any) -> str:
        """The id of a new request."""
        self.asked += 1
        members = {
            "OwnerAccountId": self.account,
            "Description": "Set up what we need",
            "Permissions": {"PolicyTemplateArn": partners.template_arn(DOMAIN, template)},
            "RequestorWorkflowId": f"workflow-{self.asked}",
            "NotificationChannel": TOPIC,
            "SessionDuration": 3600,
        }
        chosen = {name: value for name, value in {**members, **given}.items() if value is not None}
        return str(self.partner.create_delegation_request(**chosen)["DelegationRequestId"])

    def user(self, name: str, policy: dict[str, Any] | None) -> AccessKey:
        """A user of the customer's with one policy."""
        iam = self.house.client("iam")
        iam.create_user(UserName=name)
        if policy is not None:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])

    def release(self, approver: AccessKey | None = None, template: str = "Whole_20260101", **given: Any) -> str:
        """A request that one principal took up, accepted and released: its token."""
        request = self.ask(template, **given)
        iam = self.house.client("iam", approver)
        for step in (iam.associate_delegation_request, iam.accept_delegation_request, iam.send_delegation_token):
            step(DelegationRequestId=request)
        return self.token(request, given.get("NotificationChannel", TOPIC))

    def later(self, seconds: float) -> None:
        """Let time pass, for the server and for whoever signs."""
        assert self._patch is not None
        self._past += seconds
        past = self._past
        self.house.worker.gateway.clock = lambda: system_clock() + past
        for signers in ("botocore.auth", "botocore.crt.auth"):
            moved = lambda **given: get_current_datetime(**given) + timedelta(seconds=past)  # noqa: E731 - one for both
            self._patch.setattr(f"{signers}.get_current_datetime", moved)

    def messages(self, topic: str = TOPIC) -> list[dict[str, Any]]:
        """What the partner was told, oldest first."""
        kept = notices.kept(self.house.state.store.reading(), self.house.state.keyring, topic)
        return [json.loads(json.loads(each)["Message"]) for each in kept]

    def token(self, request: str, topic: str = TOPIC) -> str:
        """The token of a request."""
        (found,) = [
            each["ExchangeToken"] for each in self.messages(topic) if each["RequestId"] == request and "ExchangeToken" in each
        ]
        return str(found)

    def trade(self, token: str, key: AccessKey | None = None) -> AccessKey:
        """Credentials for a token."""
        made = self.house.client("sts", key or self.key).get_delegated_access_token(TradeInToken=token)["Credentials"]
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def refusal(call: Any, **members: Any) -> str:
    """The code of what a call is refused with."""
    try:
        call(**members)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
