"""SAML responses: verified, opened where they are encrypted, and read as the assertion that they bring.

Pure, and slow enough for a thread: some milliseconds. For whoever signs people in, :func:`verify` takes a ``SAMLResponse`` and
answers an :class:`Assertion`; :func:`providers_in` tells, of a response that nobody has verified, whose it says it is. That an
assertion is taken only once is for the caller to keep (``used_assertions.use_up``): it needs the store.

Sources: SAML 2.0 Core and Profiles (section 4.1.4); IAM User Guide, "Configure SAML assertions for the authentication response"
and "Troubleshoot SAML federation with IAM" (error texts); STS API Reference, AssumeRoleWithSAML.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from garrison.api import sts as api
from garrison.core.ports import Assertions, Encrypted
from garrison.identity.federation.providers import SamlProvider
from garrison.identity.federation.saml_signature import (
    BadSignatureError,
    Shape,
    check_assertion,
    is_signed,
    shape_of,
    signed_part,
)
from garrison.identity.federation.saml_xml import (
    ASSERTION,
    DSIG,
    PROTOCOL,
    XENC,
    XENC11,
    BadXmlError,
    Element,
    attribute,
    children,
    instant,
    only,
    parsed,
    tag,
    text_of,
)

MAX_CHARACTERS = 100_000
REDEEMED_WITHIN = 300
"""Seconds after it was issued in which an assertion is taken."""
SKEW = 60
"""Seconds by which a provider's clock may be ahead."""
AUDIENCE = "urn:amazon:webservices"
ROLE = "https://aws.amazon.com/SAML/Attributes/Role"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_CONDITIONS = frozenset({"AudienceRestriction", "OneTimeUse", "ProxyRestriction"})
_AWS = re.compile(r"https://([a-z]{2}(-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/saml(/acs/(?P<uuid>[A-Z0-9]+))?")

INVALID = "Your request included an invalid SAML response."
SIGNATURE = "Response signature invalid"
TOO_OLD = "Token must be redeemed within 5 minutes of issuance"
NO_AUDIENCE = "Response does not contain the required audience."
OTHER_ISSUER = "Issuer not present in specified provider"


def refuse(message: str) -> NoReturn:
    """Raises InvalidIdentityToken."""
    raise api.InvalidIdentityTokenException(message)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a response must be for."""

    now: float
    public_url: str = ""
    """Where this server is reached, without a slash at the end; its ``/saml`` is a recipient beside AWS's own."""
    request_id: str | None = None
    """The ID of the request that was sent for it; None where none was, as with every response that comes to STS."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says, all of it signed by its provider."""

    id: str
    issuer: str
    subject: str
    """``NameID``"""
    subject_type: str
    """``persistent``, ``transient``, or the format's whole URI where it is none of SAML 2.0's."""
    recipient: str
    until: float
    """When it is too old to be taken, seconds since the epoch."""
    session_ends: float | None
    """SessionNotOnOrAfter."""
    attributes: Mapping[str, tuple[str, ...]]


def decoded(encoded: str) -> bytes:
    """The document in a ``SAMLResponse``. Raises InvalidIdentityToken."""
    if len(encoded) > MAX_CHARACTERS:
        refuse(INVALID)
    try:
        return b64decode("".join(encoded.split()), validate=True)
    except (ValueError, binascii.Error):
        refuse("Invalid base64 SAMLResponse")


def providers_in(encoded: str) -> tuple[str, ...]:
    """The ARNs of the providers that a response names in its roles. Nothing of it is verified: it only says which to ask.

    Empty where the assertion is encrypted; the address that it came to names the provider then. Raises InvalidIdentityToken.
    """
    try:
        shape = shape_of(parsed(decoded(encoded)))
        if shape.encrypted:
            return ()
        named = _attributes(shape.assertion).get(ROLE, ())
    except BadXmlError:
        refuse(INVALID)
    arns = [part.strip() for value in named for part in value.split(",")]
    return tuple(dict.fromkeys(arn for arn in arns if ":saml-provider/" in arn))


def verify(
    encoded: str, provider: SamlProvider, expected: Expected, opener: Assertions | None = None, sealed: Sequence[bytes] = ()
) -> Assertion:
    """The assertion in a ``SAMLResponse``, proven to be the provider's and for now.

    ``sealed``: the provider's private keys, which ``opener`` opens encrypted assertions with. Raises InvalidIdentityToken,
    ExpiredToken, IDPRejectedClaim.
    """
    if expected.now >= provider.valid_until:
        refuse("The metadata of the SAML provider has expired")
    try:
        root = parsed(decoded(encoded))
        _check_status(root)
        response, assertion = _signed(shape_of(root), provider, opener, sealed)
        return _read(assertion, response, provider, expected)
    except BadXmlError:
        refuse(INVALID)
    except BadSignatureError:
        refuse(SIGNATURE)


def _check_status(root: Element) -> None:
    """Unsigned it may be: whoever alters it gains nothing. Raises IDPRejectedClaim."""
    if root.tag != tag(PROTOCOL, "Response") or attribute(root, "Version") != "2.0":
        raise BadXmlError("no response, or of another version")
    code = only(only(root, PROTOCOL, "Status"), PROTOCOL, "StatusCode")
    if attribute(code, "Value") != _SUCCESS:
        raise api.IDPRejectedClaimException("The identity provider reported that authentication failed.")


# Of what is signed


def _signed(shape: Shape, provider: SamlProvider, opener: Assertions | None, sealed: Sequence[bytes]) -> tuple[Element, Element]:
    """The response and its assertion, out of what the provider signed: the response, or the assertion itself.

    Of a response that is not signed, what is read can only make an assertion count for less.
    """
    whole: Element | None = None
    if is_signed(shape.root):
        whole = signed_part(shape.root, shape.root, provider.certificates)
    if shape.encrypted:
        holder = shape.assertion if whole is None else only(whole, ASSERTION, "EncryptedAssertion")
        opened = _opened(holder, provider, opener, sealed, proven=whole is not None)
        return (shape.root if whole is None else whole), opened
    if provider.encryption == "Required":
        refuse("The SAML provider requires encrypted assertions")
    if whole is not None:
        return whole, only(whole, ASSERTION, "Assertion")
    return shape.root, signed_part(shape.root, shape.assertion, provider.certificates)


def _opened(
    holder: Element, provider: SamlProvider, opener: Assertions | None, sealed: Sequence[bytes], *, proven: bool
) -> Element:
    """A decrypted assertion. Whatever goes wrong has one error: which step it was would tell of the plaintext."""
    try:
        if opener is None or not sealed:
            raise BadSignatureError("no key")
        root = parsed(opener.decrypt(sealed, provider.sealed_with, _encrypted(holder)))
        check_assertion(root)
        return root if proven else signed_part(root, root, provider.certificates)
    except ValueError as error:  # BadXmlError and BadSignatureError are among them
        raise BadSignatureError("cannot be opened, or is not signed") from error


def _encrypted(holder: Element) -> Encrypted:
    """The parts of an EncryptedAssertion, its key within the data or beside it."""
    data = only(holder, XENC, "EncryptedData")
    within = [key for info in children(data, DSIG, "KeyInfo") for key in children(info, XENC, "EncryptedKey")]
    keys = [*within, *children(holder, XENC, "EncryptedKey")]
    if len(keys) != 1:
        raise BadXmlError("not one key")
    method = only(keys[0], XENC, "EncryptionMethod")
    digests, masks = children(method, DSIG, "DigestMethod"), children(method, XENC11, "MGF")
    return Encrypted(
        transport=attribute(method, "Algorithm"),
        digest=attribute(digests[0], "Algorithm") if digests else "",
        mask=attribute(masks[0], "Algorithm") if masks else "",
        wrapped=_value(keys[0]),
        cipher=attribute(only(data, XENC, "EncryptionMethod"), "Algorithm"),
        content=_value(data),
    )


def _value(parent: Element) -> bytes:
    text = text_of(only(only(parent, XENC, "CipherData"), XENC, "CipherValue"))
    try:
        return b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise BadXmlError("no Base64") from error


# Of what it says


def _read(assertion: Element, root: Element, provider: SamlProvider, expected: Expected) -> Assertion:
    issuer = text_of(only(assertion, ASSERTION, "Issuer"))
    beside = children(root, ASSERTION, "Issuer")
    if issuer != provider.issuer or any(text_of(each) != issuer for each in beside):
        refuse(OTHER_ISSUER)
    if attribute(assertion, "Version") != "2.0" or not attribute(assertion, "ID"):
        raise BadXmlError("another version, or no ID")
    issued = instant(attribute(assertion, "IssueInstant"))
    _check_age(issued, expected.now)
    conditions = only(assertion, ASSERTION, "Conditions")
    until = _check_conditions(conditions, expected, provider)
    subject = only(assertion, ASSERTION, "Subject")
    data, confirmed_until = _confirmation(subject, expected)
    recipient = attribute(data, "Recipient")
    destination = attribute(root, "Destination")
    if not _is_ours(recipient, expected, provider) or (destination and not _is_ours(destination, expected, provider)):
        refuse(INVALID)
    _check_request(root, data, expected)
    name = only(subject, ASSERTION, "NameID")
    if not text_of(name):
        raise BadXmlError("no NameID")
    return Assertion(
        id=attribute(assertion, "ID"),
        issuer=issuer,
        subject=text_of(name),
        subject_type=attribute(name, "Format").removeprefix(_FORMAT) or _UNSPECIFIED,
        recipient=recipient,
        until=min(until, confirmed_until, issued + REDEEMED_WITHIN),
        session_ends=_session_ends(assertion, expected.now),
        attributes=_attributes(assertion),
    )


def _check_age(issued: float, now: float) -> None:
    if issued > now + SKEW:
        refuse(INVALID)
    if now >= issued + REDEEMED_WITHIN:
        raise api.ExpiredTokenException(TOO_OLD)


def _ends(element: Element, now: float) -> float:
    """NotOnOrAfter, which must be there. Raises ExpiredToken."""
    if attribute(element, "NotBefore") and instant(attribute(element, "NotBefore")) > now + SKEW:
        refuse(INVALID)
    ends = instant(attribute(element, "NotOnOrAfter"))
    if now >= ends:
        raise api.ExpiredTokenException(TOO_OLD)
    return ends


def _check_conditions(conditions: Element, expected: Expected, provider: SamlProvider) -> float:
    """When they end. A condition that nobody here understands is one that does not hold (SAML Core, section 2.5.1.1)."""
    if any(each.tag not in {tag(ASSERTION, name) for name in _CONDITIONS} for each in conditions.iterchildren("*")):
        refuse(INVALID)
    ends = _ends(conditions, expected.now)
    restrictions = children(conditions, ASSERTION, "AudienceRestriction")
    for restriction in restrictions:
        named = [text_of(each) for each in children(restriction, ASSERTION, "Audience")]
        if not any(each == AUDIENCE or _is_ours(each, expected, provider) for each in named):
            refuse(NO_AUDIENCE)
    if not restrictions:
        refuse(NO_AUDIENCE)
    return ends


def _confirmation(subject: Element, expected: Expected) -> tuple[Element, float]:
    """The one confirmation, by bearer, with when it ends."""
    confirmation = only(subject, ASSERTION, "SubjectConfirmation")
    if attribute(confirmation, "Method") != _BEARER:
        raise BadXmlError("no bearer")
    data = only(confirmation, ASSERTION, "SubjectConfirmationData")
    return data, _ends(data, expected.now)


def _is_ours(address: str, expected: Expected, provider: SamlProvider) -> bool:
    """Whether an address is that of AWS's sign-in, in any Region, or this server's; one with an id must be of this provider."""
    own = f"{expected.public_url}/saml"
    if expected.public_url and address in {own, f"{own}/acs/{provider.uuid}"}:
        return True
    found = _AWS.fullmatch(address)
    return found is not None and found["uuid"] in {None, provider.uuid}


def _check_request(root: Element, data: Element, expected: Expected) -> None:
    """Where a request was sent, the response is to that one; where none was, what it names is nobody's here, and must agree."""
    named = {attribute(element, "InResponseTo") for element in (root, data)}
    if expected.request_id is not None:
        if named != {expected.request_id}:
            refuse(INVALID)
    elif len(named - {""}) > 1:
        refuse(INVALID)


def _session_ends(assertion: Element, now: float) -> float | None:
    given = [attribute(each, "SessionNotOnOrAfter") for each in children(assertion, ASSERTION, "AuthnStatement")]
    ends = min((instant(each) for each in given if each), default=None)
    if ends is not None and now >= ends:
        raise api.ExpiredTokenException(TOO_OLD)
    return ends


def _attributes(assertion: Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for statement in children(assertion, ASSERTION, "AttributeStatement"):
        for each in children(statement, ASSERTION, "Attribute"):
            values = tuple(text_of(value) for value in children(each, ASSERTION, "AttributeValue"))
            name = attribute(each, "Name")
            found[name] = (*found.get(name, ()), *values)
    return found
