"""Tokens and assertions of identity providers, changed in any place: never believed, and never an error of another kind."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from garrison.core.errors import ModelledError
from garrison.identity.federation import saml, web_tokens
from garrison.identity.federation.keysets import BadKeysError, Keys, read_keys
from garrison.identity.federation.providers import SamlProvider
from garrison.identity.federation.saml_metadata import read_metadata
from garrison.identity.federation.saml_xml import BadXmlError
from tests.support.idp_oidc import CLIENT, OidcIdp, jwk, rsa_key
from tests.support.idp_saml import ISSUER, SamlIdp, certificate, encoded

ROLE = "arn:aws:iam::111122223333:role/work"
PROVIDER = SamlProvider("111122223333", "corp", "SAMLEXAMPLE", "", ISSUER, (certificate()[1],), 1e12, None, 0.0)
LETTERS = st.sampled_from("ABCXYZabcxyz0189-_.= \n\x00é")


@cache
def token() -> str:
    with OidcIdp() as idp:
        return idp.token(exp=4_102_444_800)


@cache
def keys() -> Keys:
    return read_keys(json.dumps({"keys": [jwk(rsa_key(1), "first")]}).encode())


@cache
def response() -> tuple[bytes, saml.Assertion]:
    made = etree.tostring(SamlIdp(ROLE, PROVIDER.arn).response())
    return made, verified(made)


@cache
def begun() -> float:
    return time.time()


def verified(text: bytes) -> saml.Assertion:
    return saml.verify(encoded(text), PROVIDER, saml.Expected(begun()))


def claims_of(text: str) -> Any:
    read = web_tokens.read(text)
    return web_tokens.verify(read, keys())


@given(st.integers(0, 2000), LETTERS)
def test_a_token_with_another_letter_says_the_same_or_nothing(place: int, letter: str):
    good = token()
    place %= len(good)
    changed = good[:place] + letter + good[place + 1 :]
    try:
        found = claims_of(changed)
    except ModelledError:
        return
    assert found == claims_of(good)


@given(st.text(max_size=200))
def test_any_text_is_no_token(text: str):
    try:
        claims_of(text)
    except ModelledError:
        return
    raise AssertionError(text)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10), lambda inner: st.lists(inner, max_size=3)
)
ISSUER_URL = st.just("https://idp.example.com")


@given(
    st.fixed_dictionaries(
        {"iss": ISSUER_URL | ANY, "sub": st.just("someone") | ANY},
        optional={"aud": st.just(CLIENT) | ANY, "azp": ANY, "exp": st.just(9**9) | ANY, "iat": st.just(0) | ANY, "nbf": ANY},
    )
)
def test_claims_of_any_form(claims: dict[str, Any]):
    try:
        audience = web_tokens.check(claims, issuer="https://idp.example.com", client_ids=[CLIENT], now=0.0)
    except ModelledError:
        return
    assert audience.client == CLIENT


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_refused(document: bytes):
    try:
        read_keys(document)
    except BadKeysError:
        return


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_response_with_another_byte_says_the_same_or_nothing(place: int, byte: int):
    good, assertion = response()
    place %= len(good)
    changed = good[:place] + bytes([byte]) + good[place + 1 :]
    try:
        found = verified(changed)
    except ModelledError:
        return
    assert found == assertion


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_response_whose_parts_are_copied_elsewhere_says_the_same_or_nothing(start: int, end: int, to: int):
    good, assertion = response()
    start, end, to = start % len(good), end % len(good), to % len(good)
    changed = good[:to] + good[min(start, end) : max(start, end)] + good[to:]
    try:
        found = verified(changed)
    except ModelledError:
        return
    assert found == assertion


def elements_of(root: Any) -> list[Any]:
    return [each for each in root.iter() if isinstance(each.tag, str)]


@given(st.integers(0, 1000), st.integers(0, 1000), st.booleans())
def test_a_response_whose_elements_are_moved_says_the_same_or_nothing(which: int, where: int, copied: bool):
    good, assertion = response()
    root = etree.fromstring(good)
    found = elements_of(root)
    moved, parent = found[which % len(found)], found[where % len(found)]
    if moved is root or moved in parent.iterancestors() or moved is parent:
        return
    parent.append(etree.fromstring(etree.tostring(moved)) if copied else moved)
    try:
        said = verified(etree.tostring(root))
    except ModelledError:
        return
    assert said == assertion


@given(st.binary(max_size=300))
def test_any_bytes_are_no_response(document: bytes):
    try:
        verified(document)
    except ModelledError:
        return
    raise AssertionError(document)


@given(st.text(max_size=300))
def test_any_text_is_metadata_or_refused(text: str):
    try:
        read_metadata(text)
    except BadXmlError:
        return
