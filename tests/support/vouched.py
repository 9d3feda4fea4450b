"""A house that trusts an identity provider of the tests' own, and a role that whoever it vouches for may assume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.config import Settings
from tests.support.house import ACCOUNT, REGION, House
from tests.support.idp_oidc import CLIENT, OidcIdp
from tests.support.idp_saml import SamlIdp, certificate, metadata
from tests.support.server import AccessKey

ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
NOWHERE = Path("/nonexistent")
DENIED = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
NOT_VALID = ("InvalidIdentityToken", "The web identity token provided could not be validated")
NOT_A_JWT = (
    "InvalidIdentityToken",
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
)
NO_KEY = (
    "InvalidIdentityToken",
    (
        "Couldn't retrieve verification key from your identity provider,  "
        "please reference AssumeRoleWithWebIdentity documentation for requirements"
    ),
)
UNREACHABLE = (
    "IDPCommunicationError",
    (
        "The request could not be fulfilled because the identity provider (IDP) that was asked to verify the incoming identity "
        "token could not be reached."
    ),
)
AUDIENCE = ("InvalidIdentityToken", "Incorrect token audience")


class Cloud:
    """A house that trusts one provider, and a role that trusts it."""

    def __init__(self, idp: OidcIdp, **settings: Any) -> None:
        self.house = House(
            Settings(
                data_dir=NOWHERE,
                root_key_file=NOWHERE / "root.key",
                dev=True,
                account=ACCOUNT,
                region=REGION,
                oidc_loopback=True,
                **settings,
            )
        )
        self.idp = idp
        self.issuers = self.house.worker.gateway.ports.issuers
        self.now = 1000.0
        self.issuers._clock = lambda: self.now
        self.iam = self.house.client("iam")
        self.sts = self.house.client("sts")
        made = self.iam.create_open_id_connect_provider(Url=idp.url, ClientIDList=[CLIENT, "other-client"])
        self.provider = made["OpenIDConnectProviderArn"]
        self.role(self.statement())

    def statement(self, *actions: str, **condition: Any) -> dict[str, Any]:
        """A statement of a trust policy."""
        found: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ["sts:AssumeRoleWithWebIdentity", *actions],
        }
        return {**found, "Condition": condition} if condition else found

    def role(self, *statements: dict[str, Any], **members: Any) -> None:
        """Make the role, or give it another trust policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        try:
            self.iam.update_assume_role_policy(RoleName="deploy", PolicyDocument=document)
        except self.iam.exceptions.NoSuchEntityException:
            self.iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=document, **members)

    def assume(self, token: str | None = None, **members: Any) -> Any:
        """The call, unsigned as boto3 makes it."""
        wanted = {"RoleArn": ROLE, "RoleSessionName": "ci", "WebIdentityToken": token or self.idp.token(), **members}
        return self.sts.assume_role_with_web_identity(**wanted)

    def refused(self, token: str | None = None, **members: Any) -> tuple[str, str]:
        """Code and text of a refusal."""
        with pytest.raises(ClientError) as caught:
            self.assume(token, **members)
        error = caught.value.response["Error"]
        assert "Credentials" not in caught.value.response
        return error["Code"], error["Message"]

    def client(self, service: str, answer: Any) -> Any:
        """A client that signs with the credentials of an answer."""
        made = answer["Credentials"]
        return self.house.client(service, AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))


class SamlCloud:
    """A house that trusts one SAML provider, and a role that trusts it."""

    def __init__(self) -> None:
        self.house = House()
        self.iam = self.house.client("iam")
        self.sts = self.house.client("sts")
        self.key, der = certificate()
        made = self.iam.create_saml_provider(Name="corp", SAMLMetadataDocument=metadata(der))
        self.provider: str = made["SAMLProviderArn"]
        self.role_arn = f"arn:aws:iam::{ACCOUNT}:role/work"
        self.idp = SamlIdp(self.role_arn, self.provider)
        self.role("work", self.statement())

    def statement(self, *actions: str, **condition: Any) -> dict[str, Any]:
        """A statement of a trust policy."""
        found: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ["sts:AssumeRoleWithSAML", *actions],
        }
        return {**found, "Condition": condition} if condition else found

    def role(self, name: str, *statements: dict[str, Any]) -> None:
        """Make a role, or give it another trust policy; without statements it trusts EC2."""
        ec2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements) or [ec2]})
        try:
            self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        except self.iam.exceptions.NoSuchEntityException:
            self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)

    def allow(self, action: str, **condition: Any) -> None:
        """What the role may do."""
        statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": "*"}
        if condition:
            statement["Condition"] = condition
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName="work", PolicyName="p", PolicyDocument=document)

    def assume(self, response: SamlIdp | str | None = None, **members: Any) -> Any:
        """The call, unsigned as boto3 makes it, with a fresh response."""
        idp = self.idp if response is None else response
        text = idp.encoded() if isinstance(idp, SamlIdp) else idp
        wanted = {"RoleArn": self.role_arn, "PrincipalArn": self.provider, "SAMLAssertion": text, **members}
        return self.sts.assume_role_with_saml(**wanted)

    def refused(self, response: SamlIdp | str | None = None, **members: Any) -> tuple[str, str]:
        """Code and text of a refusal."""
        with pytest.raises(ClientError) as caught:
            self.assume(response, **members)
        assert "Credentials" not in caught.value.response
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def client(self, service: str, answer: Any) -> Any:
        """A client that signs with the credentials of an answer."""
        made = answer["Credentials"]
        return self.house.client(service, AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))
