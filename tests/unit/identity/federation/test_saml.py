"""What signing in with SAML needs of a response: whose it is, and what a request of one's own asked for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from lxml import etree

from garrison.api import sts as api
from garrison.identity.federation.providers import SamlProvider
from garrison.identity.federation.saml import Expected, providers_in, verify
from garrison.identity.federation.saml_claims import RoleChoice, roles
from tests.support.idp_oidc import rsa_key
from tests.support.idp_saml import ISSUER, SamlIdp, certificate, encoded, encrypt

ROLE = "arn:aws:iam::111122223333:role/work"
PROVIDER = SamlProvider("111122223333", "corp", "SAMLEXAMPLE", "", ISSUER, (certificate()[1],), 1e12, None, 0.0)
IDP = SamlIdp(ROLE, PROVIDER.arn)
OTHER = "arn:aws:iam::444455556666:saml-provider/corp"


def verified(idp: SamlIdp, request_id: str | None = None) -> Any:
    return verify(idp.encoded(), PROVIDER, Expected(time.time(), request_id=request_id))


def test_whose_a_response_says_it_is():
    many = IDP.with_(
        roles=[f"{ROLE},{PROVIDER.arn}", f"{OTHER},arn:aws:iam::444455556666:role/x", f"{ROLE}2,{PROVIDER.arn}", "x"]
    )
    assert providers_in(many.encoded()) == (PROVIDER.arn, OTHER)
    hidden = IDP.response(wrap=lambda made: encrypt(made, rsa_key(9).public_key()))
    assert providers_in(encoded(hidden)) == ()
    for nothing in ("%", "", encoded(etree.fromstring("<a/>"))):
        with pytest.raises(api.InvalidIdentityTokenException):
            providers_in(nothing)


def test_the_roles_to_choose_from():
    many = IDP.with_(roles=[f"{ROLE},{PROVIDER.arn}", f"{OTHER},arn:aws:iam::444455556666:role/x", f"{PROVIDER.arn},{ROLE}", "x"])
    assert roles(verified(many)) == (RoleChoice(ROLE, PROVIDER.arn), RoleChoice("arn:aws:iam::444455556666:role/x", OTHER))


def test_a_response_to_a_request_of_ones_own():
    asked = IDP.with_(in_response_to="_mine", response_in_response_to="_mine")
    assert verified(asked, "_mine").subject == "someone@example.com"
    for wrong in (
        IDP,
        asked.with_(in_response_to="_other"),
        asked.with_(response_in_response_to=None),
        asked.with_(in_response_to=None),
    ):
        with pytest.raises(api.InvalidIdentityTokenException):
            verified(wrong, "_mine")


def test_when_it_may_be_forgotten():
    now = time.time()
    assert now + 290 < verified(IDP.with_(not_on_or_after=900.0, confirmed_until=900.0)).until <= now + 301
    assert now + 50 < verified(IDP.with_(not_on_or_after=60.0)).until <= now + 61
