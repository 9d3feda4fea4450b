"""Federation: identity providers, and those whom they vouch for: the steps of the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.support.house import ACCOUNT
from tests.support.idp_oidc import CLIENT, OidcIdp, rsa_key
from tests.support.idp_saml import SamlIdp, certificate, metadata, private_pem

if TYPE_CHECKING:
    from tests.support.scenario import Step

IAM = f"arn:aws:iam::{ACCOUNT}"
TAGS = {"team": "blue"}
TAG_LIST = [{"Key": "team", "Value": "blue"}]
MORE = {**TAGS, "more": "x"}
ROLE = f"{IAM}:role/vouched-for"
THUMBPRINT = "990f4193972f2becf12ddeda5237f9c952f20d9e"


def federation() -> Iterator[Step]:
    """Both kinds of provider, from making to deleting."""
    with OidcIdp() as idp:
        yield from _oidc(idp)
    yield from _saml()


def _oidc(idp: OidcIdp) -> Iterator[Step]:
    from tests.support.scenario import Step, Wanted, document, iam  # noqa: PLC0415 - that file goes through these steps

    arn = f"{IAM}:oidc-provider/{idp.name}"
    item = Wanted("AWS::IAM::OIDCProvider", arn, tags=TAGS)
    named: dict[str, Any] = {"OpenIDConnectProviderArn": arn}
    yield iam("CreateOpenIDConnectProvider", item, Url=idp.url, ClientIDList=[CLIENT], Tags=TAG_LIST)
    yield iam("AddClientIDToOpenIDConnectProvider", item, ClientID="other", **named)
    yield iam("RemoveClientIDFromOpenIDConnectProvider", item, ClientID="other", **named)
    yield iam("UpdateOpenIDConnectProviderThumbprint", item, ThumbprintList=[THUMBPRINT], **named)
    yield iam("UpdateOpenIDConnectProvider", item, RemoveContextProvider=True, **named)
    yield iam("TagOpenIDConnectProvider", item._replace(tags=MORE), Tags=[{"Key": "more", "Value": "x"}], **named)
    yield iam("ListOpenIDConnectProviderTags", **named)
    yield iam("UntagOpenIDConnectProvider", item, TagKeys=["more"], **named)
    yield iam("GetOpenIDConnectProvider", **named)
    yield iam("ListOpenIDConnectProviders")
    trust = document(
        Principal={"Federated": arn},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": {f"{idp.name}:sub": "admin"}},
    )
    role = Wanted("AWS::IAM::Role", ROLE)
    yield iam("CreateRole", role, RoleName="vouched-for", AssumeRolePolicyDocument=trust)
    wanted = {"RoleArn": ROLE, "RoleSessionName": "session", "WebIdentityToken": idp.token(sub="admin")}
    stranger = {**wanted, "WebIdentityToken": idp.token(sub="stranger")}
    yield Step("sts", "AssumeRoleWithWebIdentity", wanted, refused=stranger)
    yield iam("DeleteRole", role._replace(deleted=True), RoleName="vouched-for")
    yield iam("DeleteOpenIDConnectProvider", item._replace(tags={}, deleted=True), **named)


def _saml() -> Iterator[Step]:
    from tests.support.scenario import Step, Wanted, document, iam  # noqa: PLC0415 - that file goes through these steps

    arn = f"{IAM}:saml-provider/corp"
    item = Wanted("AWS::IAM::SAMLProvider", arn, tags=TAGS)
    named: dict[str, Any] = {"SAMLProviderArn": arn}
    text = metadata(certificate()[1])
    yield iam("CreateSAMLProvider", item, Name="corp", SAMLMetadataDocument=text, Tags=TAG_LIST)
    yield iam("UpdateSAMLProvider", item, AddPrivateKey=private_pem(rsa_key(9)), AssertionEncryptionMode="Allowed", **named)
    yield iam("TagSAMLProvider", item._replace(tags=MORE), Tags=[{"Key": "more", "Value": "x"}], **named)
    yield iam("ListSAMLProviderTags", **named)
    yield iam("UntagSAMLProvider", item, TagKeys=["more"], **named)
    yield iam("GetSAMLProvider", **named)
    yield iam("ListSAMLProviders")
    trust = document(
        Principal={"Federated": arn}, Action="sts:AssumeRoleWithSAML", Condition={"StringEquals": {"saml:sub": "admin"}}
    )
    role = Wanted("AWS::IAM::Role", ROLE)
    yield iam("CreateRole", role, RoleName="vouched-for", AssumeRolePolicyDocument=trust)
    idp = SamlIdp(ROLE, arn, subject="admin")
    wanted = {"RoleArn": ROLE, "PrincipalArn": arn, "SAMLAssertion": idp.encoded()}
    stranger = {**wanted, "SAMLAssertion": idp.with_(subject="stranger").encoded()}
    yield Step("sts", "AssumeRoleWithSAML", wanted, refused=stranger)
    yield iam("DeleteRole", role._replace(deleted=True), RoleName="vouched-for")
    yield iam("DeleteSAMLProvider", item._replace(tags={}, deleted=True), **named)
