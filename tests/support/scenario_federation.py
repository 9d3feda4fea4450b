"""Federation: identity providers, and those whom they vouch for: the steps of the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.support.house import ACCOUNT
from tests.support.idp_oidc import CLIENT, OidcIdp

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
