"""SAML providers. Expected answers: IAM API Reference; IAM User Guide, "Troubleshoot SAML federation with IAM" for the texts."""

from __future__ import annotations

import datetime as dt
import re
from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from garrison.api import iam as api
from tests.support.certificates import edwards_key
from tests.support.iam import ACCOUNT, Cloud, tags
from tests.support.idp_oidc import ec_key, rsa_key
from tests.support.idp_saml import certificate, metadata, private_pem

ARN = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
DOCUMENT = metadata(certificate()[1])
CENTURY = 100 * 365 * 86_400.0


def create(cloud: Cloud, name: str = "corp", **members: Any) -> Any:
    return cloud.create_saml_provider(**{"name": name, "saml_metadata_document": DOCUMENT, **members})


def test_create_and_get(cloud: Cloud):
    made = create(cloud, tags=tags(team="blue"))
    assert made.saml_provider_arn == ARN
    assert [(tag.key, tag.value) for tag in made.tags] == [("team", "blue")]
    created = cloud.now
    found = cloud.get_saml_provider(saml_provider_arn=ARN)
    assert re.fullmatch("[A-Z0-9]{22,64}", found.saml_provider_uuid)
    assert found.saml_metadata_document == DOCUMENT
    assert (found.create_date, found.valid_until) == (created, created + CENTURY)
    assert (found.assertion_encryption_mode, found.private_key_list) == (None, None)


def test_the_items_that_it_leaves(cloud: Cloud):
    create(cloud, tags=tags(team="blue"), add_private_key=private_pem(rsa_key(9)))
    (item,) = cloud.items
    assert (item.type, item.arn, item.name, item.tags) == ("AWS::IAM::SAMLProvider", ARN, "corp", {"team": "blue"})
    assert "PRIVATE KEY" not in str(item)
    cloud.delete_saml_provider(saml_provider_arn=ARN)
    assert cloud.items[0].deleted


def test_until_when_its_metadata_says(cloud: Cloud):
    create(cloud, saml_metadata_document=metadata(certificate()[1], validUntil="2030-01-01T00:00:00Z"))
    assert cloud.get_saml_provider(saml_provider_arn=ARN).valid_until == 1_893_456_000.0


def of_edwards() -> bytes:
    """A certificate of a key that XML signatures are not made with here."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(edwards_key().public_key())
    made = builder.serial_number(1).not_valid_before(day).not_valid_after(day).sign(edwards_key(), None)
    return made.public_bytes(Encoding.DER)


OF_EDWARDS = of_edwards()


def changed(**changes: str) -> str:
    text = DOCUMENT
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


KEY = f"<ds:X509Certificate>{b64encode(certificate()[1]).decode()}</ds:X509Certificate>"


@pytest.mark.parametrize(
    "document",
    [
        "x" * 1000,
        "<a/>" + " " * 1000,
        changed(EntityDescriptor="EntitiesDescriptor"),
        changed(entityID="entity"),
        changed(IDPSSODescriptor="SPSSODescriptor"),
        changed(**{"urn:oasis:names:tc:SAML:2.0:protocol": "urn:oasis:names:tc:SAML:1.1:protocol"}),
        changed(signing="encryption"),
        changed(**{KEY: ""}),
        changed(**{KEY: "<ds:X509Certificate>AAAA</ds:X509Certificate>"}),
        changed(**{KEY: "<ds:X509Certificate>%%</ds:X509Certificate>"}),
        changed(**{KEY: f"<ds:X509Certificate><a/>{b64encode(certificate()[1]).decode()}</ds:X509Certificate>"}),
        '<!DOCTYPE r [<!ENTITY e "x">]>' + DOCUMENT,
        '<!DOCTYPE r SYSTEM "file:///etc/passwd">' + DOCUMENT,
        "<?xml-stylesheet href='http://127.0.0.1:1/'?>" + DOCUMENT,
        metadata(certificate()[1], validUntil="tomorrow"),
        metadata(*(certificate(number)[1] for number in range(1, 3)), issuer="x" * 1025),
        metadata(),
        metadata(*(certificate(number)[1] for number in range(1, 12))),
        metadata(OF_EDWARDS),
    ],
)
def test_metadata_that_is_none(cloud: Cloud, document: str):
    with pytest.raises(api.InvalidInputException, match=r"Could not parse metadata\."):
        create(cloud, saml_metadata_document=document)


def test_certificates_of_elliptic_curves(cloud: Cloud):
    assert create(cloud, saml_metadata_document=metadata(certificate(3, curve=True)[1]))


def test_names_are_taken_once_an_account(cloud: Cloud):
    create(cloud)
    with pytest.raises(api.EntityAlreadyExistsException, match=r"Provider with name corp already exists\."):
        create(cloud)
    other = Cloud("210987654321", cloud.store, cloud.sealer)
    create(other)
    assert other.get_saml_provider(saml_provider_arn=ARN.replace(ACCOUNT, "210987654321"))
    with pytest.raises(api.NoSuchEntityException):
        other.get_saml_provider(saml_provider_arn=ARN)


def test_a_hundred_providers(cloud: Cloud):
    for number in range(100):
        create(cloud, f"p{number}")
    with pytest.raises(api.LimitExceededException, match="Cannot exceed quota for SAMLProvidersPerAccount: 100"):
        create(cloud)


def test_list(cloud: Cloud):
    assert cloud.list_saml_providers().saml_provider_list == []
    create(cloud)
    (one,) = cloud.list_saml_providers().saml_provider_list
    assert (one.arn, one.valid_until) == (ARN, one.create_date + CENTURY)


def test_update(cloud: Cloud):
    create(cloud)
    other = metadata(certificate(2)[1], issuer="https://other.example.com")
    assert cloud.update_saml_provider(saml_provider_arn=ARN, saml_metadata_document=other).saml_provider_arn == ARN
    assert cloud.get_saml_provider(saml_provider_arn=ARN).saml_metadata_document == other
    with pytest.raises(api.InvalidInputException, match=r"Could not parse metadata\."):
        cloud.update_saml_provider(saml_provider_arn=ARN, saml_metadata_document="x" * 1000)
    text = "Unable to update identity provider. No updates are defined for metadata or encryption assertion."
    with pytest.raises(api.InvalidInputException, match=re.escape(text)):
        cloud.update_saml_provider(saml_provider_arn=ARN)
    assert cloud.update_saml_provider(saml_provider_arn=ARN, remove_context_provider=True)


def test_private_keys(cloud: Cloud):
    create(cloud, add_private_key=private_pem(rsa_key(9)), assertion_encryption_mode="Allowed")
    (first,) = cloud.get_saml_provider(saml_provider_arn=ARN).private_key_list
    assert re.fullmatch("[A-Z0-9]{22,64}", first.key_id)
    assert first.timestamp == cloud.now - 1
    cloud.update_saml_provider(
        saml_provider_arn=ARN, add_private_key=private_pem(rsa_key(8)), assertion_encryption_mode="Required"
    )
    with pytest.raises(api.LimitExceededException, match=r"Private key limit of 2 is reached\."):
        cloud.update_saml_provider(saml_provider_arn=ARN, add_private_key=private_pem(rsa_key(7)))
    with pytest.raises(api.InvalidInputException, match="Unable to add and remove private keys in the same request"):
        cloud.update_saml_provider(
            saml_provider_arn=ARN, add_private_key=private_pem(rsa_key(7)), remove_private_key=first.key_id
        )
    cloud.update_saml_provider(saml_provider_arn=ARN, remove_private_key=first.key_id)
    text = "Failed to remove private key because the Key ID does not match a private key."
    with pytest.raises(api.InvalidInputException, match=re.escape(text)):
        cloud.update_saml_provider(saml_provider_arn=ARN, remove_private_key=first.key_id)
    (second,) = cloud.get_saml_provider(saml_provider_arn=ARN).private_key_list
    with pytest.raises(api.InvalidInputException, match=r"Failed to remove private key\."):
        cloud.update_saml_provider(saml_provider_arn=ARN, remove_private_key=second.key_id)
    cloud.update_saml_provider(saml_provider_arn=ARN, remove_private_key=second.key_id, assertion_encryption_mode="Allowed")
    assert cloud.get_saml_provider(saml_provider_arn=ARN).private_key_list is None


def test_encryption_needs_a_key(cloud: Cloud):
    text = "Unable to set assertion encryption mode to Required because no private key is provided."
    with pytest.raises(api.InvalidInputException, match=re.escape(text)):
        create(cloud, assertion_encryption_mode="Required")
    create(cloud)
    with pytest.raises(api.InvalidInputException, match=re.escape(text)):
        cloud.update_saml_provider(saml_provider_arn=ARN, assertion_encryption_mode="Required")


@pytest.mark.parametrize(
    "pem",
    [
        "x",
        private_pem(ec_key("P-256")),
        private_pem(rsa_key(3, 1024)),
        private_pem(rsa_key(9)).replace("MII", "AII", 1),
        "\u00ff" * 100,
    ],
)
def test_private_keys_that_are_none(cloud: Cloud, pem: str):
    with pytest.raises(api.InvalidInputException, match=r"Invalid private key\."):
        create(cloud, add_private_key=pem)


def test_no_private_key_is_kept_in_the_clear(cloud: Cloud):
    pem = private_pem(rsa_key(9))
    create(cloud, add_private_key=pem)
    row = cloud.row("SELECT sealed FROM iam_saml_private_key")
    assert row is not None
    number = rsa_key(9).private_numbers().d
    assert number.to_bytes(256) not in bytes(row[0])
    cloud.delete_saml_provider(saml_provider_arn=ARN)
    assert cloud.row("SELECT sealed FROM iam_saml_private_key") is None


def test_no_private_key_is_on_record():
    from garrison.core.operation import REGISTRY  # noqa: PLC0415 - of this test alone

    for name, request in (
        (
            "createsamlprovider",
            api.CreateSAMLProviderRequest(saml_metadata_document=DOCUMENT, name="corp", add_private_key="secret"),
        ),
        ("updatesamlprovider", api.UpdateSAMLProviderRequest(saml_provider_arn=ARN, add_private_key="secret")),
    ):
        shown = REGISTRY["iam", name].audit_request
        assert shown is not None
        assert "secret" not in str(shown(request))


def test_tags_come_and_go(cloud: Cloud):
    create(cloud)
    cloud.tag_saml_provider(saml_provider_arn=ARN, tags=tags(b="2", a="1"))
    cloud.untag_saml_provider(saml_provider_arn=ARN, tag_keys=["b"])
    page = cloud.list_saml_provider_tags(saml_provider_arn=ARN)
    assert [(tag.key, tag.value) for tag in page.tags] == [("a", "1")]
    cloud.delete_saml_provider(saml_provider_arn=ARN)
    create(cloud)
    assert cloud.list_saml_provider_tags(saml_provider_arn=ARN).tags == []


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_saml_provider", {}),
        ("delete_saml_provider", {}),
        ("update_saml_provider", {"saml_metadata_document": DOCUMENT}),
        ("update_saml_provider", {"assertion_encryption_mode": "Allowed"}),
        ("tag_saml_provider", {"tags": []}),
        ("untag_saml_provider", {"tag_keys": ["a"]}),
        ("list_saml_provider_tags", {}),
    ],
)
def test_a_provider_that_is_not_there(cloud: Cloud, operation: str, members: dict[str, Any]):
    with pytest.raises(api.NoSuchEntityException, match=f"Manifest not found for arn {ARN}"):
        getattr(cloud, operation)(saml_provider_arn=ARN, **members)
    with pytest.raises(api.InvalidInputException, match="is not valid"):
        getattr(cloud, operation)(saml_provider_arn=f"arn:aws:iam::{ACCOUNT}:user/somebody", **members)


def test_trusted_identity_propagation_is_refused(cloud: Cloud):
    provider = api.ContextProvider(subject_source_key="sub")
    with pytest.raises(api.InvalidInputException, match="IAM Identity Center"):
        create(cloud, context_provider=provider)
