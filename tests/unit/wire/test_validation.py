from __future__ import annotations

from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.model import Member, load_model
from garrison.wire.validation import MAX_PROBLEMS, hash_order, lower_camel, validate
from tests.support.documents import valid


def message(service: str, operation: str, document: dict[str, Any]) -> str:
    found = load_model(service).operation(operation)
    assert found
    assert found.input
    with pytest.raises(CommonError) as caught:
        validate(document, found.input, service)
    assert caught.value.kind == "validation"
    return caught.value.message


# Answers recorded from AWS.
RECORDED = [
    (
        "iam", "UpdateServiceSpecificCredential", {"ServiceSpecificCredentialId": "-" * 20, "Status": "Active"},
        (
            "1 validation error detected: Value at 'serviceSpecificCredentialId' failed to satisfy constraint: Member must satisfy "
            r"regular expression pattern: [\w]+"
        ),
    ),
    (
        "kms", "GenerateRandom", {"NumberOfBytes": 0},
        (
            "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater "
            "than or equal to 1"
        ),
    ),
    (
        "kms", "GenerateRandom", {"NumberOfBytes": 1025},
        (
            "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less "
            "than or equal to 1024"
        ),
    ),
    (
        "kms", "GenerateMac", {"Message": b"m", "KeyId": "k", "MacAlgorithm": "INVALID"},
        (
            "1 validation error detected: Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum "
            "value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"
        ),
    ),
    (
        "kms", "DeriveSharedSecret", {"KeyId": "k", "KeyAgreementAlgorithm": "INVALID", "PublicKey": b"p"},
        (
            "1 validation error detected: Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy "
            "enum value set: [ECDH]"
        ),
    ),
    (
        "kms", "TagResource", {"KeyId": "k", "Tags": [{"TagKey": "a" * 129, "TagValue": "v"}]},
        (
            f"1 validation error detected: Value '{'a' * 129}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have "
            "length less than or equal to 128"
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "document", "wanted"), RECORDED)
def test_recorded_messages(service: str, operation: str, document: dict[str, Any], wanted: str):
    assert message(service, operation, document) == wanted


def test_a_missing_member_is_null():
    wanted = "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"
    assert message("kms", "DescribeKey", {}) == wanted


def test_iam_does_not_repeat_values():
    wanted = "1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must not be null"
    assert message("iam", "GetRole", {}) == wanted


def test_several_errors_are_joined():
    text = message("kms", "CreateAlias", {"AliasName": "!"})
    assert text.startswith("2 validation errors detected: ")
    assert "; Value null at 'targetKeyId' failed to satisfy constraint: Member must not be null" in text


def test_a_list_of_scalars_is_reported_as_a_whole():
    wanted = (
        "1 validation error detected: Value '[]' at 'operations' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must satisfy enum value set: ["
    ).replace("'[]'", "'[Fly]'")
    assert message("kms", "CreateGrant", {"KeyId": "k", "GranteePrincipal": "p", "Operations": ["Fly"]}).startswith(wanted)


def test_iam_names_the_null_rule_of_a_list():
    wanted = (
        "1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must "
        "have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular "
        r"expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]"
    )
    assert message("iam", "UntagRole", {"RoleName": "r", "TagKeys": [""]}) == wanted


def test_an_empty_element_of_a_list_is_refused():
    text = message("kms", "UntagResource", {"KeyId": "k", "TagKeys": [None]})
    assert "Value '[null]' at 'tagKeys'" in text
    assert text.endswith("Member must not be null]")
    text = message("kms", "TagResource", {"KeyId": "k", "Tags": [None]})
    assert "Value null at 'tags.1.member' failed to satisfy constraint: Member must not be null" in text


def test_map_keys_and_values():
    text = message("wafv2", "TagResource", {"ResourceARN": "arn:aws:wafv2:us-east-1::x", "Tags": [{"Key": "", "Value": "v"}]})
    assert "at 'tags.1.member.key'" in text


@pytest.mark.parametrize("name", ["Plaintext", "EncryptionContext"])
def test_secrets_are_not_repeated(name: str):
    operation = load_model("kms").operation("Encrypt")
    assert operation
    assert operation.input
    document = {"KeyId": "k", "Plaintext": b"x" * 5000}
    assert message("kms", "Encrypt", document) == (
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
    )


def test_a_blob_is_shown_by_its_size():
    text = message("kms", "Decrypt", {"CiphertextBlob": b"x" * 6145})
    assert "Value 'java.nio.HeapByteBuffer[pos=0 lim=6145 cap=6145]' at 'ciphertextBlob'" in text


def test_the_number_of_problems_and_the_size_of_a_value_are_bounded():
    tags = [{"TagKey": "", "TagValue": "v"}] * 10_000
    text = message("kms", "TagResource", {"KeyId": "x" * 1_000_000, "Tags": tags})
    assert text.startswith(f"{MAX_PROBLEMS} validation errors detected: ")
    assert len(text) < 20_000


def test_a_text_that_is_far_too_long_is_not_matched():
    text = message("shield", "AssociateProactiveEngagementDetails", {"EmergencyContactList": [{"EmailAddress": "a@" * 500_000}]})
    assert "Member must have length less than or equal to 150" in text
    assert "pattern" not in text


def test_lower_camel_lowers_one_letter():
    assert [lower_camel(name) for name in ("UserName", "SSHPublicKeyId", "x")] == ["userName", "sSHPublicKeyId", "x"]


def test_enumerations_stand_in_java_order():
    # String.hashCode of "Aa" and "BB" is the same, 2112 (Java Language Specification, String): insertion order decides.
    assert hash_order(("BB", "Aa")) == ["BB", "Aa"]
    assert hash_order(("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"))[0] == "HMAC_SHA_384"


@pytest.mark.parametrize("count", [0, 2])
def test_a_union_has_exactly_one_member(count: int):
    model = load_model("iam")
    shape = model.shape("PolicyIdentifier")
    assert shape.union
    member = Member(model, "", {"shape": "PolicyIdentifier"})
    parts = {name: valid(inner.shape, 1) for name, inner in shape.members.items()}
    with pytest.raises(CommonError, match="Member must have exactly one member set"):
        validate(dict(list(parts.items())[:count]), member, "iam")
    validate(dict(list(parts.items())[:1]), member, "iam")
