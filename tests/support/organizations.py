"""An organization to call: a house whose first account is the management account, and members made through the API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison import app
from garrison.config import Settings
from tests.support.house import ACCOUNT, House
from tests.support.server import AccessKey

MANAGEMENT = ACCOUNT
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
OTHER = "444455556666"
"""An account of the installation that is in no organization until it is invited."""


def document(*statements: Mapping[str, Any]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Org:
    """The house and its organization. ``org.client`` is the management account's client of Organizations."""

    def __init__(self, features: str = "ALL", settings: Settings | None = None) -> None:
        self.house = House(settings)
        self.client = self.house.client("organizations")
        self.id = str(self.client.create_organization(FeatureSet=features)["Organization"]["Id"])
        self.root = str(self.client.list_roots()["Roots"][0]["Id"])
        self._accounts = 0

    def account(self, **members: Any) -> str:
        """A new member; its number."""
        self._accounts += 1
        given = {"Email": f"member{self._accounts}@example.com", "AccountName": f"member {self._accounts}", **members}
        request = self.client.create_account(**given)["CreateAccountStatus"]["Id"]
        status = self.client.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
        assert status["State"] == "SUCCEEDED", status
        return str(status["AccountId"])

    def other(self, account: str = OTHER, email: str = "") -> AccessKey:
        """The administrator of an account that was made beside the organization."""
        made = app.new_account(self.house.state, account, name="other")
        if email:
            with self.house.state.store.writing() as tx:
                tx.run("UPDATE account SET email = ? WHERE id = ?", email, account)
            self.house.state.store.commit()
        return AccessKey(*made.admin_key)

    def joined(self, account: str = OTHER) -> AccessKey:
        """The same, once it has joined by an invitation."""
        key = self.other(account)
        handshake = self.client.invite_account_to_organization(Target={"Id": account, "Type": "ACCOUNT"})["Handshake"]["Id"]
        self.of("organizations", key).accept_handshake(HandshakeId=handshake)
        return key

    def of(self, service: str, key: AccessKey) -> Any:
        """A client for another key."""
        return self.house.client(service, key)

    def administrator(self, account: str) -> AccessKey:
        """A session of a member's OrganizationAccountAccessRole."""
        arn = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
        made = self.house.client("sts").assume_role(RoleArn=arn, RoleSessionName="admin")["Credentials"]
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

    def user(self, account: str, name: str, *statements: Mapping[str, Any]) -> AccessKey:
        """A user of a member with these statements, by a long-term key."""
        iam = self.of("iam", self.administrator(account)) if account != MANAGEMENT else self.house.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])

    def unit(self, name: str = "unit", parent: str = "") -> str:
        """A new unit."""
        made = self.client.create_organizational_unit(ParentId=parent or self.root, Name=name)
        return str(made["OrganizationalUnit"]["Id"])

    def policy(self, content: str, kind: str = "SERVICE_CONTROL_POLICY", name: str = "") -> str:
        """A new policy."""
        count = len(self.client.list_policies(Filter=kind)["Policies"])
        made = self.client.create_policy(Content=content, Description="", Name=name or f"policy {count}", Type=kind)
        return str(made["Policy"]["PolicySummary"]["Id"])

    def bound(self, target: str, *statements: Mapping[str, Any], kind: str = "SERVICE_CONTROL_POLICY") -> str:
        """A policy of these statements, attached."""
        made = self.policy(document(*statements), kind)
        self.client.attach_policy(PolicyId=made, TargetId=target)
        return made

    def enable(self, kind: str) -> None:
        """Enable a type of policy."""
        self.client.enable_policy_type(RootId=self.root, PolicyType=kind)

    def age(self, days: int) -> None:
        """As if the members had joined so many days ago."""
        with self.house.state.store.writing() as tx:
            tx.run("UPDATE org_account SET joined = joined - ?", days * 86_400.0)
        self.house.state.store.commit()

    def close(self) -> None:
        """Let go of the store."""
        self.house.close()


@contextmanager
def refused(code: str, message: str = "", reason: str = "") -> Iterator[None]:
    """A call that is answered by an error: its code, a part of its message, and its reason."""
    with pytest.raises(ClientError) as caught:
        yield
    said: Any = caught.value.response
    assert (said["Error"]["Code"], said.get("Reason", "")) == (code, reason)
    assert message in said["Error"]["Message"]
