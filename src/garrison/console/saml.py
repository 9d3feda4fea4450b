"""``/saml``: people of a directory sign in with what their SAML provider says of them.

The provider's page posts a response here. The person sees which roles it offers and goes on by a form of ours, so that no page
of somebody else signs anybody in. The role is then assumed by AssumeRoleWithSAML like any other call: that verifies the
assertion, takes it once, asks the role's trust policy, and is on record. Nothing here decides more than what to show.

Source: IAM User Guide, "Enabling SAML 2.0 federated principals to access the AWS Management Console" and "Configure SAML
assertions for the authentication response" (SessionDuration).
"""

from __future__ import annotations

import re
from functools import partial

from garrison.console.answers import redirect
from garrison.console.calls import CallFailedError
from garrison.console.sign_in_tokens import as_whom, open_lent
from garrison.console.site import Site
from garrison.console.visits import RefusedFormError, Visit, next_of
from garrison.core.errors import CommonError, ServiceError
from garrison.core.http import Request, Response
from garrison.core.ports import Transaction
from garrison.identity.federation import saml, saml_claims
from garrison.identity.federation.providers import SamlProvider, find_saml_by_arn, find_saml_by_uuid, private_keys
from garrison.identity.federation.saml import Assertion, Expected
from garrison.identity.federation.saml_claims import RoleChoice
from garrison.identity.tokens import open_token

PATH = "/saml"
ACS = "/saml/acs/"
"""Before the id of one provider: its own address."""
FORM = "/_console/saml"
MOST_PROVIDERS = 50
"""Of one response that are asked: each costs a signature."""
SECONDS = 3600
"""Of a session where the provider does not say."""
_ADDRESS = re.compile(r"/saml(?:/acs/(?P<uuid>[A-Z0-9]{1,64}))?")
_DURATION = re.compile(r"\d{1,5}", re.ASCII)
_LEAST, _MOST = 900, 43_200


def is_ours(request: Request) -> bool:
    """Whether it is a provider's response: a bucket may be called ``saml``, and no form for one looks like this."""
    found = request.method == "POST" and _ADDRESS.fullmatch(request.path) is not None
    kind = request.header("content-type").partition(";")[0].strip().lower()
    return found and kind == "application/x-www-form-urlencoded" and b"SAMLResponse=" in request.body


async def received(site: Site, visit: Visit) -> Response:
    """A provider's response: which roles it offers, and a form to go on with one of them."""
    text = visit.form.get("SAMLResponse", "")
    offered = [choice for assertion, provider in await _verified(site, visit, text) for choice in _choices(assertion, provider)]
    if not offered:
        raise RefusedFormError("The SAML response offers no role.", 403)
    values = {"response": text, "next": next_of(visit.form.get("RelayState", "")), "choices": offered, "path": visit.request.path}
    return visit.page("saml.html", values)


async def login(site: Site, visit: Visit) -> Response:
    """Assume the role that was chosen, and open the session."""
    text, path = visit.form.get("response", ""), visit.form.get("path", "")
    role, _, arn = visit.form.get("choice", "").partition(",")
    proven = await _verified(site, visit, text, path)
    found = [assertion for assertion, provider in proven if RoleChoice(role, arn) in _choices(assertion, provider)]
    if not found:
        raise RefusedFormError("The SAML response does not offer this role.", 403)
    members = {
        "RoleArn": role,
        "PrincipalArn": arn,
        "SAMLAssertion": text,
        "DurationSeconds": str(_seconds(found[0])),
    }
    try:
        made = (await site.calls.send_unsigned(visit, "sts", "AssumeRoleWithSAML", members)).credentials
    except CallFailedError as error:
        raise RefusedFormError(str(error), 403) from error
    grant = open_token(site.sealer, made.access_key_id, made.session_token, visit.now)
    principal = as_whom(site, grant, visit.now)
    with site.store.writing() as tx:
        cookies = open_lent(site, visit, tx, grant, principal, SamlProviderArn=arn)
    await site.gateway.settled()
    return redirect(visit.call, next_of(visit.form.get("next", "")), cookies)


# What is verified


async def _verified(site: Site, visit: Visit, text: str, path: str = "") -> list[tuple[Assertion, SamlProvider]]:
    """The assertion as each provider that it is of proves it. Raises RefusedFormError where none does."""
    try:
        providers = _providers(visit.tx, text, path or visit.request.path)
        expected = Expected(visit.now, site.gateway.ports.public_url)
        asked = [(each, [sealed for _, sealed, _ in private_keys(visit.tx, each)]) for each in providers]
        return await site.gateway.aside(partial(_verify, site, text, asked, expected))
    except CommonError as error:
        raise RefusedFormError("Too many people are signing in at this moment. Please try again.", 503) from error
    except ServiceError as error:
        raise RefusedFormError(error.message or saml.INVALID, 403) from error


def _providers(tx: Transaction, text: str, path: str) -> list[SamlProvider]:
    """Those that the response names, or the one whose own address it came to. Raises RefusedFormError."""
    address = _ADDRESS.fullmatch(path)
    uuid = address["uuid"] if address is not None else None
    if uuid is not None:
        found = [find_saml_by_uuid(tx, uuid)]
    else:
        named = saml.providers_in(text)
        if len(named) > MOST_PROVIDERS:
            raise RefusedFormError("The SAML response names too many providers.", 403)
        found = [find_saml_by_arn(tx, arn) for arn in named]
    known = [each for each in found if each is not None]
    if not known:
        raise RefusedFormError("The SAML response is of no provider that is known here.", 403)
    return known


def _verify(
    site: Site, text: str, asked: list[tuple[SamlProvider, list[bytes]]], expected: Expected
) -> list[tuple[Assertion, SamlProvider]]:
    """Beside the event loop. Raises the last refusal where no provider proves it."""
    found: list[tuple[Assertion, SamlProvider]] = []
    refusal: ServiceError | None = None
    for provider, sealed in asked:
        try:
            found.append((saml.verify(text, provider, expected, site.gateway.ports.assertions, sealed), provider))
        except ServiceError as error:
            refusal = error
    if refusal is not None and not found:
        raise refusal
    return found


def _choices(assertion: Assertion, provider: SamlProvider) -> list[RoleChoice]:
    """What the assertion offers by this very provider."""
    return [choice for choice in saml_claims.roles(assertion) if choice.provider == provider.arn]


def _seconds(assertion: Assertion) -> int:
    """How long the session is to last. Raises RefusedFormError."""
    values = assertion.attributes.get(saml_claims.SESSION_DURATION, ())
    if not values:
        return SECONDS
    if len(values) > 1 or not _DURATION.fullmatch(values[0]) or not _LEAST <= int(values[0]) <= _MOST:
        raise RefusedFormError(f"SessionDuration in AuthnResponse must be from {_LEAST} to {_MOST} seconds.", 403)
    return int(values[0])
