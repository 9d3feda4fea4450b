"""Responses that somebody made of a good one: wrapped signatures, comments, document types, altered and encrypted parts.

Each is refused with AWS's error and gives no credentials. Sources: Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be"
(the wrapping attacks XSW1 to XSW8); CERT VU#475445 (comments within texts); W3C, "XML Signature Best Practices".
"""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from lxml import etree

from garrison.identity.federation.saml import INVALID, MAX_CHARACTERS, SIGNATURE
from tests.support.idp_oidc import rsa_key
from tests.support.idp_saml import (
    ATTRIBUTES,
    DSIG,
    EXCLUSIVE,
    SAML,
    SAMLP,
    XENC,
    XENC11,
    SamlIdp,
    certificate,
    encoded,
    encrypt,
    private_pem,
    sign,
)
from tests.support.vouched import SamlCloud

TOKEN = "InvalidIdentityToken"
REFUSED = {(TOKEN, INVALID), (TOKEN, SIGNATURE)}
EVIL = "admin@example.com"
ASSERTION = f"{{{SAML}}}Assertion"
SIGNATURE_TAG = f"{{{DSIG}}}Signature"


def evil_twin(element: Any, *, signature: bool = False) -> Any:
    """The same for somebody else, under an ID of its own; without its signature unless that is to stay."""
    twin = copy.deepcopy(element)
    twin.set("ID", "_evil")
    for name in twin.iter(f"{{{SAML}}}NameID"):
        name.text = EVIL
    if not signature:
        for found in twin.findall(SIGNATURE_TAG):
            twin.remove(found)
    return twin


def taken_out(parent: Any, child: Any) -> Any:
    parent.remove(child)
    return child


# Wrapping: of a signed response


def xsw1(idp: SamlIdp) -> Any:
    """The good response within the signature of the evil one."""
    good = idp.with_(signs="response").response()
    evil = evil_twin(good, signature=True)
    signature = evil.find(SIGNATURE_TAG)
    inner = copy.deepcopy(good)
    inner.remove(inner.find(SIGNATURE_TAG))
    signature.append(inner)
    return evil


def xsw2(idp: SamlIdp) -> Any:
    """The good response before its signature, which stays a child of the evil one."""
    good = idp.with_(signs="response").response()
    signature = taken_out(good, good.find(SIGNATURE_TAG))
    evil = evil_twin(good)
    evil.insert(1, signature)
    evil.insert(1, good)
    return evil


# Wrapping: of a signed assertion


def xsw3(idp: SamlIdp) -> Any:
    """The evil assertion before the good one."""
    root = idp.response()
    root.insert(2, evil_twin(root.find(ASSERTION)))
    return root


def xsw4(idp: SamlIdp) -> Any:
    """The good assertion within the evil one."""
    root = idp.response()
    good = taken_out(root, root.find(ASSERTION))
    evil = evil_twin(good)
    evil.append(good)
    root.append(evil)
    return root


def xsw5(idp: SamlIdp) -> Any:
    """The evil assertion has the signature of the good one, which stands at the end."""
    root = idp.response()
    good = root.find(ASSERTION)
    evil = evil_twin(good, signature=True)
    good.remove(good.find(SIGNATURE_TAG))
    root.insert(2, evil)
    return root


def xsw6(idp: SamlIdp) -> Any:
    """The evil assertion has the signature, and the signature the good assertion."""
    root = idp.response()
    good = taken_out(root, root.find(ASSERTION))
    evil = evil_twin(good, signature=True)
    good.remove(good.find(SIGNATURE_TAG))
    evil.find(SIGNATURE_TAG).append(good)
    root.append(evil)
    return root


def xsw7(idp: SamlIdp) -> Any:
    """The evil assertion within Extensions."""
    root = idp.response()
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    extensions.append(evil_twin(root.find(ASSERTION)))
    root.insert(1, extensions)
    return root


def xsw8(idp: SamlIdp) -> Any:
    """The good assertion within an Object of the signature of the evil one."""
    root = idp.response()
    good = taken_out(root, root.find(ASSERTION))
    evil = evil_twin(good, signature=True)
    good.remove(good.find(SIGNATURE_TAG))
    etree.SubElement(evil.find(SIGNATURE_TAG), f"{{{DSIG}}}Object").append(good)
    root.append(evil)
    return root


WRAPPINGS = [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("same_id", [False, True])
def test_signature_wrapping(saml: SamlCloud, wrapping: Callable[[SamlIdp], Any], same_id: bool):
    root = wrapping(saml.idp)
    if same_id:
        signed = root.find(f".//{{{DSIG}}}Reference").get("URI").removeprefix("#")
        for each in root.iter():
            if each.get("ID") == "_evil":
                each.set("ID", signed)
    assert saml.refused(encoded(root)) in REFUSED


@pytest.mark.parametrize("spelling", ["Id", "id", "{http://www.w3.org/XML/1998/namespace}id", "{urn:x}ID"])
def test_an_id_in_another_spelling(saml: SamlCloud, spelling: str):
    root = saml.idp.response()
    root.set(spelling, root.find(ASSERTION).get("ID"))
    assert saml.refused(encoded(root)) == (TOKEN, INVALID)


def test_an_assertion_elsewhere_than_in_its_place(saml: SamlCloud):
    root = saml.idp.response()
    root.find(f"{{{SAMLP}}}Status").append(taken_out(root, root.find(ASSERTION)))
    assert saml.refused(encoded(root)) == (TOKEN, INVALID)


def test_an_encrypted_assertion_beside_a_good_one(saml: SamlCloud):
    root = saml.idp.response()
    root.append(encrypt(saml.idp.assertion(), rsa_key(9).public_key()))
    assert saml.refused(encoded(root)) == (TOKEN, INVALID)


# Signatures


@pytest.mark.parametrize("signs", ["assertion", "response"])
def test_every_altered_part_of_what_is_signed(saml: SamlCloud, signs: str):
    def forge(change: Callable[[Any], None]) -> tuple[str, str]:
        root = saml.idp.with_(signs=signs).response()
        change(root.find(ASSERTION))
        return saml.refused(encoded(root))

    def subject(assertion: Any) -> None:
        assertion.find(f".//{{{SAML}}}NameID").text = EVIL

    def role(assertion: Any) -> None:
        assertion.find(f".//{{{SAML}}}AttributeValue").text += "x"

    def time_of(assertion: Any) -> None:
        assertion.set("IssueInstant", "2099-01-01T00:00:00Z")

    def more(assertion: Any) -> None:
        statement = assertion.find(f"{{{SAML}}}AttributeStatement")
        etree.SubElement(statement, f"{{{SAML}}}Attribute", Name=f"{ATTRIBUTES}/SourceIdentity")

    for change in (subject, role, time_of, more):
        assert forge(change) == (TOKEN, SIGNATURE)


def test_no_signature(saml: SamlCloud):
    assert saml.refused(saml.idp.with_(signs="nothing")) == (TOKEN, SIGNATURE)
    root = saml.idp.response()
    assertion = root.find(ASSERTION)
    assertion.remove(assertion.find(SIGNATURE_TAG))
    assert saml.refused(encoded(root)) == (TOKEN, SIGNATURE)


def test_a_signature_of_another_key_with_its_certificate_beside_it(saml: SamlCloud):
    key, der = certificate(2)

    root = saml.idp.with_(key=key).response()
    signature = root.find(ASSERTION).find(SIGNATURE_TAG)
    info = etree.fromstring(
        f'<ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{b64encode(der).decode()}</ds:X509Certificate>'
        "</ds:X509Data></ds:KeyInfo>"
    )
    signature.append(info)
    assert saml.refused(encoded(root)) == (TOKEN, SIGNATURE)


def test_a_response_that_a_stranger_signed_around_a_good_assertion(saml: SamlCloud):
    root = saml.idp.response()
    sign(root, certificate(2)[0])
    assert saml.refused(encoded(root)) == (TOKEN, SIGNATURE)


def test_sha_1_is_refused(saml: SamlCloud):
    assert saml.refused(saml.idp.with_(signing={"hashing": "sha1"})) == (TOKEN, SIGNATURE)
    assert saml.refused(saml.idp.with_(signing={"digest": "sha1"})) == (TOKEN, SIGNATURE)


@pytest.mark.parametrize(
    "method", [f"{DSIG}hmac-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", f"{DSIG}dsa-sha1", ""]
)
def test_methods_that_are_no_signatures_of_a_provider(saml: SamlCloud, method: str):
    def change(root: Any) -> None:
        root.find(f".//{{{DSIG}}}SignatureMethod").set("Algorithm", method)

    root = saml.idp.response()
    change(root)
    assert saml.refused(encoded(root)) == (TOKEN, SIGNATURE)


@pytest.mark.parametrize("uri", ["", "#_somebody-else", "https://evil.example/assertion", "#xpointer(/)", "file:///etc/passwd"])
def test_references_to_something_else(saml: SamlCloud, uri: str):
    assert saml.refused(saml.idp.with_(signing={"uri": uri})) == (TOKEN, SIGNATURE)


@pytest.mark.parametrize(
    "transforms",
    [
        (EXCLUSIVE,),
        (f"{DSIG}enveloped-signature",),
        (f"{DSIG}enveloped-signature", "http://www.w3.org/TR/1999/REC-xpath-19991116"),
        (f"{DSIG}enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (f"{DSIG}enveloped-signature", f"{DSIG}base64"),
        (f"{DSIG}enveloped-signature", EXCLUSIVE, EXCLUSIVE),
    ],
)
def test_transforms_that_are_not_samls(saml: SamlCloud, transforms: tuple[str, ...]):
    assert saml.refused(saml.idp.with_(signing={"transforms": transforms})) == (TOKEN, SIGNATURE)


def test_two_references_and_two_signatures(saml: SamlCloud):
    root = saml.idp.response()
    info = root.find(f".//{{{DSIG}}}SignedInfo")
    info.append(copy.deepcopy(info.find(f"{{{DSIG}}}Reference")))
    assert saml.refused(encoded(root)) == (TOKEN, SIGNATURE)
    root = saml.idp.response()
    assertion = root.find(ASSERTION)
    assertion.append(copy.deepcopy(assertion.find(SIGNATURE_TAG)))
    assert saml.refused(encoded(root)) == (TOKEN, INVALID)


# Comments, document types, entities


def commented(parent: str, before: str, after: str) -> Callable[[Any], None]:
    def change(assertion: Any) -> None:
        element = assertion.find(f".//{{{SAML}}}{parent}")
        element.text = before
        comment = etree.Comment("x")
        element.append(comment)
        comment.tail = after

    return change


@pytest.mark.parametrize("comments", [False, True])
def test_a_comment_does_not_cut_a_name_short(saml: SamlCloud, comments: bool):
    """The provider signed ``admin@example.com.evil.example``: that is who it is, whatever is written into it afterwards."""
    victim = saml.idp.with_(alters=commented("NameID", "admin@example.com", ".evil.example"), signing={"comments": comments})
    assert saml.assume(victim)["Subject"] == "admin@example.com.evil.example"


def test_a_comment_that_is_put_in_after_the_signature(saml: SamlCloud):
    root = saml.idp.with_(subject="admin@example.com.evil.example").response()
    commented("NameID", "admin@example.com", ".evil.example")(root.find(ASSERTION))
    assert saml.assume(encoded(root))["Subject"] == "admin@example.com.evil.example"


def test_a_comment_in_a_role(saml: SamlCloud):
    value = f"{saml.role_arn},{saml.provider}"
    split = saml.idp.with_(roles=["x"], alters=commented("AttributeValue", value, "-but-another"))
    assert saml.refused(split) == ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")


def test_an_element_within_a_text(saml: SamlCloud):
    nested = saml.idp.with_(subject="admin@example.com<saml:x/>.evil.example")
    assert saml.refused(nested) == (TOKEN, INVALID)


DOCUMENT_TYPES = [
    b'<!DOCTYPE r [<!ENTITY e "x">]>',
    b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">',
    b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
    b"<!DOCTYPE r [<!ATTLIST r ID ID #IMPLIED>]>",
]


@pytest.mark.parametrize("document_type", DOCUMENT_TYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_and_entities(saml: SamlCloud, document_type: bytes, encoding: str):
    text = (document_type + etree.tostring(saml.idp.response())).decode()
    assert saml.refused(encoded(text.encode(encoding))) == (TOKEN, INVALID)


def test_a_processing_instruction(saml: SamlCloud):
    text = b'<?xml-stylesheet href="http://127.0.0.1:1/x.xsl"?>' + etree.tostring(saml.idp.response())
    assert saml.refused(encoded(text)) == (TOKEN, INVALID)
    assert saml.refused(encoded(etree.tostring(saml.idp.response()) + b"<?x?>")) == (TOKEN, INVALID)


@pytest.mark.parametrize(
    "text",
    [b"", b"<", b"<a/>", b"\x00\xff", b"<a>" * 5000, b"not xml", "<a>\ud7ff".encode(), b'<?xml version="1.0" encoding="x"?><a/>'],
)
def test_what_is_no_response(saml: SamlCloud, text: bytes):
    code, _ = saml.refused(encoded(text + b"    "))
    assert code in {TOKEN, "ValidationError"}


def test_what_is_no_base64(saml: SamlCloud):
    for text in ("%%%%", "a" * 5, "PHNhbWw+\u00e9", "<samlp:Response/>"):
        assert saml.refused(text) == (TOKEN, "Invalid base64 SAMLResponse")


def test_lines_within_base64_are_taken(saml: SamlCloud):
    text = saml.idp.encoded()
    lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    assert saml.assume(lines)["SubjectType"] == "persistent"


def test_a_response_that_is_too_long(saml: SamlCloud):
    code, _ = saml.refused("A" * (MAX_CHARACTERS + 1))
    assert code == "ValidationError"


@pytest.mark.parametrize("filling", [b"<a>", b"<a b='c'/>", b"<!--x-->", b"&#65;", b"<a xmlns:b='urn:b'>"])
def test_responses_as_long_as_they_may_be(saml: SamlCloud, filling: bytes):
    head = b"<samlp:Response xmlns:samlp='" + SAMLP.encode() + b"' Version='2.0'>"
    many = filling * (70_000 // len(filling))
    assert saml.refused(encoded(head + many))[0] == TOKEN
    assert saml.refused(encoded(head + many + b"</samlp:Response>"))[0] == TOKEN


# What is missing


@pytest.mark.parametrize(
    "path",
    [
        f"{{{SAML}}}Conditions",
        f"{{{SAML}}}Subject",
        f"{{{SAML}}}Issuer",
        f"{{{SAML}}}Subject/{{{SAML}}}NameID",
        f"{{{SAML}}}Subject/{{{SAML}}}SubjectConfirmation",
        f"{{{SAML}}}Subject/{{{SAML}}}SubjectConfirmation/{{{SAML}}}SubjectConfirmationData",
    ],
)
def test_parts_that_are_missing_or_there_twice(saml: SamlCloud, path: str):
    def without(assertion: Any) -> None:
        element = assertion.find(path)
        element.getparent().remove(element)

    def twice(assertion: Any) -> None:
        element = assertion.find(path)
        element.getparent().append(copy.deepcopy(element))

    for alters in (without, twice):
        assert saml.refused(saml.idp.with_(alters=alters)) == (TOKEN, INVALID)


@pytest.mark.parametrize("name", ["ID", "Version", "IssueInstant"])
def test_attributes_that_are_missing(saml: SamlCloud, name: str):
    def without(assertion: Any) -> None:
        del assertion.attrib[name]

    assert saml.refused(saml.idp.with_(alters=without)) in REFUSED


@pytest.mark.parametrize("when", ["", "tomorrow", "2026-01-01", "2026-13-01T00:00:00Z", "2099-01-01T00:00:00+14:00", "9" * 400])
def test_times_that_are_none(saml: SamlCloud, when: str):
    def alter(assertion: Any) -> None:
        assertion.find(f"{{{SAML}}}Conditions").set("NotOnOrAfter", when)

    assert saml.refused(saml.idp.with_(alters=alter)) == (TOKEN, INVALID)


def test_another_confirmation_than_by_bearer(saml: SamlCloud):
    assert saml.refused(saml.idp.with_(method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")) == (TOKEN, INVALID)


def test_a_provider_that_says_no(saml: SamlCloud):
    failed = saml.idp.with_(status="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed")
    rejected = ("IDPRejectedClaim", "The identity provider reported that authentication failed.")
    assert saml.refused(failed) == rejected
    assert saml.refused(encoded(failed.with_(signs="nothing").response(wrap=lambda _: None))) == rejected


def test_a_request_in_the_place_of_a_response(saml: SamlCloud):
    assertion = saml.idp.response().find(ASSERTION)
    assert saml.refused(encoded(assertion)) == (TOKEN, INVALID)


# Encrypted


@pytest.fixture
def sealed(saml: SamlCloud) -> SamlCloud:
    saml.iam.update_saml_provider(
        SAMLProviderArn=saml.provider, AssertionEncryptionMode="Required", AddPrivateKey=private_pem(rsa_key(9))
    )
    return saml


def hidden(idp: SamlIdp, number: int = 9, **how: str) -> str:
    return encoded(idp.response(wrap=lambda assertion: encrypt(assertion, rsa_key(number).public_key(), **how)))


CIPHERS = ["aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm"]


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
def test_encrypted_assertions(sealed: SamlCloud, cipher: str, signs: str):
    assert sealed.assume(hidden(sealed.idp.with_(signs=signs), cipher=cipher))["Subject"] == "someone@example.com"


@pytest.mark.parametrize(
    ("transport", "digest"),
    [(f"{XENC}rsa-oaep-mgf1p", "sha256"), (f"{XENC11}rsa-oaep", "sha256"), (f"{XENC11}rsa-oaep", "sha512")],
)
def test_how_the_content_key_may_be_wrapped(sealed: SamlCloud, transport: str, digest: str):
    assert sealed.assume(hidden(sealed.idp, transport=transport, digest=digest))["SubjectType"] == "persistent"


def test_encryption_that_is_required(sealed: SamlCloud):
    assert sealed.refused() == (TOKEN, "The SAML provider requires encrypted assertions")


def test_both_keys_while_one_takes_the_place_of_the_other(sealed: SamlCloud):
    (first,) = sealed.iam.get_saml_provider(SAMLProviderArn=sealed.provider)["PrivateKeyList"]
    sealed.iam.update_saml_provider(SAMLProviderArn=sealed.provider, AddPrivateKey=private_pem(rsa_key(8)))
    for number in (9, 8):
        assert sealed.assume(hidden(sealed.idp, number))["SubjectType"] == "persistent"
    assert len(sealed.iam.get_saml_provider(SAMLProviderArn=sealed.provider)["PrivateKeyList"]) == 2
    sealed.iam.update_saml_provider(SAMLProviderArn=sealed.provider, RemovePrivateKey=first["KeyId"])
    assert sealed.refused(hidden(sealed.idp, 9)) == (TOKEN, SIGNATURE)
    assert sealed.assume(hidden(sealed.idp, 8))["SubjectType"] == "persistent"


def test_every_failure_to_open_is_the_same_error(sealed: SamlCloud):
    """Which step failed would tell of the plaintext (padding oracles)."""
    idp = sealed.idp
    key = rsa_key(9).public_key()
    failures = [
        hidden(idp, 8),
        hidden(idp, transport=f"{XENC}rsa-1_5"),
        hidden(idp.with_(signs="nothing")),
        hidden(idp.with_(key=certificate(2)[0])),
        encoded(idp.response(wrap=lambda _: encrypt(etree.fromstring("<a/>"), key))),
        encoded(idp.response(wrap=lambda _: encrypt(idp.response(), key))),
    ]
    for cipher in ("aes256-cbc", "aes256-gcm"):
        for place in (0, 20, 400):
            root = idp.response(wrap=partial(encrypt, key=key, cipher=cipher))
            value = root.findall(f".//{{{XENC}}}CipherValue")[-1]
            other = "A" if value.text[place] != "A" else "B"
            value.text = value.text[:place] + other + value.text[place + 1 :]
            failures.append(encoded(root))
    for path, name in ((f".//{{{XENC}}}EncryptedData/{{{XENC}}}EncryptionMethod", "x"), (f".//{{{XENC}}}EncryptedKey", None)):
        root = idp.response(wrap=lambda made: encrypt(made, key))
        element = root.find(path)
        if name is None:
            element.getparent().remove(element)
        else:
            element.set("Algorithm", name)
        failures.append(encoded(root))
    assert {sealed.refused(each) for each in failures} == {(TOKEN, SIGNATURE)}


def test_an_encrypted_assertion_without_a_key_to_open_it(saml: SamlCloud):
    assert saml.refused(hidden(saml.idp)) == (TOKEN, SIGNATURE)


def test_wrapping_within_what_is_encrypted(sealed: SamlCloud):
    def wrapped(assertion: Any) -> Any:
        evil = evil_twin(assertion, signature=True)
        assertion.remove(assertion.find(SIGNATURE_TAG))
        etree.SubElement(evil.find(SIGNATURE_TAG), f"{{{DSIG}}}Object").append(assertion)
        return encrypt(evil, rsa_key(9).public_key())

    assert sealed.refused(encoded(sealed.idp.response(wrap=wrapped))) == (TOKEN, SIGNATURE)
