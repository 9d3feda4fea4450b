"""The whole server as one test sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from garrison.testing.decisions import Calls, Expectation
from garrison.testing.identities import Identity, Policies, Policy, attach, several
from garrison.testing.server import Server


def _fail(message: str) -> NoReturn:
    raise AssertionError(message)


class Garrison:
    """Identities with policies, their clients, and what was decided. State is as after a first start."""

    def __init__(self, server: Server, fail: Callable[[str], NoReturn] = _fail) -> None:
        """``fail`` is called with the message of an expectation that was not met."""
        self._server = server
        self._fail = fail
        self._made = 0
        self._iam: Any = None
        server.fresh = False

    # Where and who

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self._server.endpoint

    @property
    def region(self) -> str:
        """The Region that clients are made for."""
        return str(self._server.credentials["region"])

    @property
    def account(self) -> str:
        """The twelve digits of the account."""
        return str(self._server.credentials["account"])

    @property
    def admin(self) -> Identity:
        """The user ``admin``, who may do everything: for what a test needs to be there."""
        return self._first("admin", f"arn:aws:iam::{self.account}:user/admin")

    @property
    def root(self) -> Identity:
        """The account's root user."""
        return self._first("root", f"arn:aws:iam::{self.account}:root")

    def _first(self, name: str, arn: str) -> Identity:
        keys = self._server.credentials[name]
        return Identity(arn, keys["access_key_id"], keys["secret_access_key"], None, self.endpoint, self.region)

    # Making

    def client(self, service: str, *, policy: Policies = None, **more: Any) -> Any:  # noqa: ANN401 - a boto3 client
        """A client of a new user that has this policy, or these, and no other: without any it may do nothing."""
        return self.user(policy).client(service, **more)

    def resource(self, service: str, *, policy: Policies = None, **more: Any) -> Any:  # noqa: ANN401 - a boto3 resource
        """A boto3 resource of a new user that has this policy, or these, and no other."""
        return self.user(policy).resource(service, **more)

    def user(
        self,
        policy: Policies = None,
        *,
        name: str | None = None,
        boundary: Policy | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Identity:
        """A new user with an access key. Raises ClientError where AWS would refuse a policy."""
        iam, name = self._admin_iam(), name or self._name("user")
        made = iam.create_user(UserName=name, **self._bounded(name, boundary), **_tagged(tags))["User"]
        attach(iam, "user", name, policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Identity(made["Arn"], key["AccessKeyId"], key["SecretAccessKey"], None, self.endpoint, self.region)

    def role(
        self,
        policy: Policies = None,
        *,
        trust: Policy | None = None,
        name: str | None = None,
        boundary: Policy | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """The ARN of a new role; without ``trust`` everybody of the account may assume it whose own policies say so."""
        iam, name = self._admin_iam(), name or self._name("role")
        (document,) = several(trust or self._trusting_the_account())
        made = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=document, **self._bounded(name, boundary), **_tagged(tags)
        )["Role"]
        attach(iam, "role", name, policy)
        return str(made["Arn"])

    def assume(
        self,
        role: str | None = None,
        *,
        policy: Policies = None,
        by: Identity | None = None,
        session: str = "test",
        **more: Any,  # noqa: ANN401 - what AssumeRole takes
    ) -> Identity:
        """A session of a role. Without ``role`` of a new one that has ``policy``; with it ``policy`` is the session policy.

        ``by``: who assumes it; ``admin`` without it. ``more`` goes to AssumeRole (``Tags``, ``ExternalId``, ...). Raises
        ClientError where it may not.
        """
        arn = role or self.role(policy)
        if role is not None and policy is not None:
            texts = several(policy)
            more["PolicyArns"] = [{"arn": text} for text in texts if text.startswith("arn:")]
            documents = [text for text in texts if not text.startswith("arn:")]
            if len(documents) > 1:
                msg = "a session has one policy document, and managed policies beside it"
                raise TypeError(msg)
            more |= {"Policy": documents[0]} if documents else {}
        made = (by or self.admin).client("sts").assume_role(RoleArn=arn, RoleSessionName=session, **more)
        keys = made["Credentials"]
        return Identity(
            made["AssumedRoleUser"]["Arn"],
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
            self.endpoint,
            self.region,
        )

    def _trusting_the_account(self) -> dict[str, Any]:
        everybody = {"AWS": f"arn:aws:iam::{self.account}:root"}
        actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
        return {"Effect": "Allow", "Principal": everybody, "Action": actions}

    def _bounded(self, name: str, boundary: Policy | None) -> dict[str, str]:
        if boundary is None:
            return {}
        (text,) = several(boundary)
        if not text.startswith("arn:"):
            made = self._admin_iam().create_policy(PolicyName=f"{name}-boundary", PolicyDocument=text)
            text = made["Policy"]["Arn"]
        return {"PermissionsBoundary": text}

    def _admin_iam(self) -> Any:  # noqa: ANN401 - a boto3 client
        if self._iam is None:
            self._iam = self.admin.client("iam")
        return self._iam

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made}"

    # Expecting

    def denied(self, action: str | None = None, *, resource: str | None = None, by: str | None = None) -> Expectation:
        """A block in which a call must be denied; the error of the denial is swallowed, and in ``error`` afterwards.

        ``by``: the type of policy that must deny it or lack the Allow (``identity``, ``resource``, ``trust``, ``boundary``,
        ``session``, ``scp``, ``rcp``). Any client's calls count. Where it is not so, the message has every decision of the block.
        """
        return Expectation(self._server.decisions, self._fail, allowed=False, wanted=(action, resource, by))

    def allowed(self, action: str | None = None, *, resource: str | None = None, by: str | None = None) -> Expectation:
        """A block in which a call must be made and none may be denied; an error that no policy decided goes on."""
        return Expectation(self._server.decisions, self._fail, allowed=True, wanted=(action, resource, by))

    def calls(self) -> Calls:
        """The server's calls from now on, of any client: iterate over it whenever you like."""
        return Calls(self._server.decisions)

    def reset(self) -> None:
        """Back to the first start. Identities made before are gone."""
        self._server.reset()
        self._server.fresh = False
        self._made, self._iam = 0, None


def _tagged(tags: Mapping[str, str] | None) -> dict[str, Any]:
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
