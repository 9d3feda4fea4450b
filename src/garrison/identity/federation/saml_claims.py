"""What a SAML assertion says of a session, and under which condition keys policies read it.

Sources: IAM User Guide, "Configure SAML assertions for the authentication response" (the attributes that AWS reads, and which map
to which condition keys) and "Available keys for SAML-based AWS STS federation"; STS API Reference, AssumeRoleWithSAML
(NameQualifier); eduPerson and eduOrg object classes, RFC 4519 and RFC 4524 for the object identifiers.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

from garrison.api import sts as api
from garrison.identity.federation.providers import SamlProvider
from garrison.identity.federation.saml import ROLE, Assertion
from garrison.identity.federation.session_claims import SESSION_NAME, Tagging, checked_source_identity, checked_tags

Values = dict[str, "str | tuple[str, ...]"]

_PREFIX = "https://aws.amazon.com/SAML/Attributes/"
SESSION_NAME_ATTRIBUTE = f"{_PREFIX}RoleSessionName"
SESSION_DURATION = f"{_PREFIX}SessionDuration"
"""Of the console's sessions, in seconds; STS goes by DurationSeconds."""
_SOURCE_IDENTITY = f"{_PREFIX}SourceIdentity"
_TAG = f"{_PREFIX}PrincipalTag:"
_TRANSITIVE = f"{_PREFIX}TransitiveTagKeys"
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_EDU = "urn:oid:1.3.6.1.4.1.5923.1"

_MANY: Mapping[str, str] = {
    f"{_EDU}.1.1.1": "edupersonaffiliation",
    f"{_EDU}.1.1.2": "edupersonnickname",
    f"{_EDU}.1.1.4": "edupersonorgunitdn",
    f"{_EDU}.1.1.7": "edupersonentitlement",
    f"{_EDU}.1.1.9": "edupersonscopedaffiliation",
    f"{_EDU}.1.1.10": "edupersontargetedid",
    f"{_EDU}.1.1.11": "edupersonassurance",
    f"{_EDU}.2.1.2": "eduorghomepageuri",
    f"{_EDU}.2.1.3": "eduorgidentityauthnpolicyuri",
    f"{_EDU}.2.1.4": "eduorglegalname",
    f"{_EDU}.2.1.5": "eduorgsuperioruri",
    f"{_EDU}.2.1.6": "eduorgwhitepagesuri",
    "urn:oid:2.5.4.3": "cn",
}
"""Attributes with many values, by Name."""
_ONE: Mapping[str, str] = {
    f"{_EDU}.1.1.3": "edupersonorgdn",
    f"{_EDU}.1.1.5": "edupersonprimaryaffiliation",
    f"{_EDU}.1.1.6": "edupersonprincipalname",
    f"{_EDU}.1.1.8": "edupersonprimaryorgunitdn",
    "http://schemas.xmlsoap.org/claims/CommonName": "commonName",
    f"{_CLAIMS}/givenname": "givenName",
    f"{_CLAIMS}/name": "name",
    f"{_CLAIMS}/surname": "surname",
    f"{_CLAIMS}/emailaddress": "mail",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "primaryGroupSID",
    "urn:oid:2.5.4.42": "givenName",
    "urn:oid:2.5.4.41": "name",
    "urn:oid:2.5.4.4": "surname",
    "urn:oid:2.5.4.45": "x500UniqueIdentifier",
    "urn:oid:0.9.2342.19200300.100.1.1": "uid",
    "urn:oid:0.9.2342.19200300.100.1.3": "mail",
    "urn:oid:0.9.2342.19200300.100.1.45": "organizationStatus",
}
"""Attributes with one value, by Name."""


class RoleChoice(NamedTuple):
    """A role that an assertion names, with the provider that vouches for it there."""

    role: str
    provider: str


def roles(assertion: Assertion) -> tuple[RoleChoice, ...]:
    """The roles that may be chosen: pairs of ARNs in either order; what is no such pair names none."""
    found = (_choice(value) for value in assertion.attributes.get(ROLE, ()))
    return tuple(dict.fromkeys(choice for choice in found if choice is not None))


def _choice(value: str) -> RoleChoice | None:
    parts = [part.strip() for part in value.split(",")]
    role = [part for part in parts if ":role/" in part]
    provider = [part for part in parts if ":saml-provider/" in part]
    return RoleChoice(role[0], provider[0]) if len(parts) == 2 and len(role) == len(provider) == 1 else None


def session_name(assertion: Assertion) -> str:
    """RoleSessionName. Raises InvalidIdentityToken with AWS's texts."""
    values = assertion.attributes.get(SESSION_NAME_ATTRIBUTE, ())
    if not values:
        raise api.InvalidIdentityTokenException("RoleSessionName is required in AuthnResponse")
    if len(values) > 1 or not SESSION_NAME.fullmatch(values[0]):
        raise api.InvalidIdentityTokenException("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
    return values[0]


def tagging(assertion: Assertion) -> Tagging:
    """The session's tags. Raises InvalidIdentityToken."""
    tags: dict[str, str] = {}
    for name, values in assertion.attributes.items():
        if name.startswith(_TAG):
            if len(values) != 1:
                raise api.InvalidIdentityTokenException("The session tags of the assertion are not valid")
            tags[name.removeprefix(_TAG)] = values[0]
    return checked_tags(tags, assertion.attributes.get(_TRANSITIVE, ()))


def source_identity(assertion: Assertion) -> str:
    """The source identity; empty where there is none. Raises InvalidIdentityToken."""
    values = assertion.attributes.get(_SOURCE_IDENTITY, ())
    if len(values) > 1:
        raise api.InvalidIdentityTokenException("The assertion has more than one SourceIdentity")
    return checked_source_identity(values[0] if values else "")


def name_qualifier(assertion: Assertion, provider: SamlProvider) -> str:
    """What makes a subject unique beyond its provider: Base64 of a SHA-1 digest, as the API Reference has it."""
    named = f"{assertion.issuer}{provider.account}/{provider.name}"
    return b64encode(hashlib.sha1(named.encode()).digest()).decode()  # noqa: S324 - AWS's form of a name; nothing rests on it


def session_keys(assertion: Assertion, provider: SamlProvider) -> Values:
    """The keys that the role's session keeps too."""
    return {
        "saml:namequalifier": name_qualifier(assertion, provider),
        "saml:sub": assertion.subject,
        "saml:sub_type": assertion.subject_type,
    }


def trust_keys(assertion: Assertion, provider: SamlProvider) -> Values:
    """The keys that a role's trust policy can read."""
    found = session_keys(assertion, provider)
    found |= {
        "saml:aud": assertion.recipient,
        "saml:iss": assertion.issuer,
        "saml:doc": f"{provider.account}/{provider.name}",
    }
    for name, values in assertion.attributes.items():
        if name in _MANY and values:
            found[f"saml:{_MANY[name]}"] = values
        elif name in _ONE and len(values) == 1:
            found[f"saml:{_ONE[name]}"] = values[0]
    return found
