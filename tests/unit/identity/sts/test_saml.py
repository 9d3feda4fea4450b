"""AssumeRoleWithSAML, through the whole gateway, with an identity provider that signs with real keys.

Expected answers: STS API Reference, AssumeRoleWithSAML; IAM User Guide, "Configure SAML assertions for the authentication response",
"Troubleshoot SAML federation with IAM" (error texts) and "Available keys for SAML-based AWS STS federation".
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.identity.federation.saml import INVALID, NO_AUDIENCE, OTHER_ISSUER, SIGNATURE, TOO_OLD
from tests.support.house import ACCOUNT
from tests.support.idp_saml import ATTRIBUTES, ISSUER, MORE, RECIPIENT, certificate, encoded, metadata
from tests.support.vouched import SamlCloud

DENIED = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
TOKEN = "InvalidIdentityToken"
EXPIRED = ("ExpiredTokenException", TOO_OLD)


def test_an_assertion_gives_credentials_of_the_role(saml: SamlCloud):
    answer = saml.assume()
    role_id = saml.iam.get_role(RoleName="work")["Role"]["RoleId"]
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role_id}:someone",
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/work/someone",
    }
    assert (answer["Subject"], answer["SubjectType"], answer["Issuer"]) == ("someone@example.com", "persistent", ISSUER)
    assert answer["Audience"] == RECIPIENT
    # The API Reference's pseudocode: BASE64 ( SHA1 ( "https://example.com/saml" + "123456789012" + "/MySAMLIdP" ) )
    digest = hashlib.sha1(f"{ISSUER}{ACCOUNT}/corp".encode()).digest()
    assert answer["NameQualifier"] == b64encode(digest).decode()
    lasts = answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert 3590 < lasts <= 3600
    assert saml.client("sts", answer).get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/work/someone"


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
def test_what_may_be_signed(saml: SamlCloud, signs: str):
    assert saml.assume(saml.idp.with_(signs=signs))["Issuer"] == ISSUER


@pytest.mark.parametrize("hashing", ["sha256", "sha384", "sha512"])
def test_how_it_may_be_signed(saml: SamlCloud, hashing: str):
    assert saml.assume(saml.idp.with_(signing={"hashing": hashing}))["Issuer"] == ISSUER
    pss = f"http://www.w3.org/2007/05/xmldsig-more#{hashing}-rsa-MGF1"
    assert saml.assume(saml.idp.with_(signing={"hashing": hashing, "method": pss}))["Issuer"] == ISSUER


def test_elliptic_curves_and_several_certificates(saml: SamlCloud):
    key, der = certificate(7, curve=True)
    saml.iam.update_saml_provider(SAMLProviderArn=saml.provider, SAMLMetadataDocument=metadata(certificate(1)[1], der))
    assert saml.assume(saml.idp.with_(key=key))["Issuer"] == ISSUER
    assert saml.assume()["Issuer"] == ISSUER
    saml.iam.update_saml_provider(SAMLProviderArn=saml.provider, SAMLMetadataDocument=metadata(der))
    assert saml.refused() == (TOKEN, SIGNATURE)


# Taken once


def test_an_assertion_is_taken_once(saml: SamlCloud):
    response = saml.idp.encoded()
    saml.assume(response)
    assert saml.refused(response) == (TOKEN, "The SAML assertion was used before")


def test_the_same_assertion_in_another_response_is_the_same(saml: SamlCloud):
    root = saml.idp.response()
    saml.assume(encoded(root))
    root.set("ID", "_another")
    root.set("InResponseTo", "_something")
    assert saml.refused(encoded(root)) == (TOKEN, "The SAML assertion was used before")


def test_an_assertion_that_was_refused_is_not_used_up(saml: SamlCloud):
    response = saml.idp.encoded()
    saml.role("work")
    assert saml.refused(response) == DENIED
    saml.role("work", saml.statement())
    assert saml.assume(response)["Issuer"] == ISSUER


def test_what_was_used_is_forgotten_once_it_is_too_old(saml: SamlCloud):
    store = saml.house.state.store
    saml.assume()
    with store.writing() as tx:
        tx.run("UPDATE sts_saml_assertion SET until = ?", time.time() - 1)
    store.commit()
    saml.assume()
    assert store.reading().one("SELECT COUNT(*) FROM sts_saml_assertion") == (1,)


# Whose it is, and for whom


def test_another_issuer(saml: SamlCloud):
    assert saml.refused(saml.idp.with_(issuer="https://other.example.com")) == (TOKEN, OTHER_ISSUER)


def test_a_provider_that_is_not_there(saml: SamlCloud):
    gone = f"arn:aws:iam::{ACCOUNT}:saml-provider/gone"
    assert saml.refused(PrincipalArn=gone) == (TOKEN, "Specified provider doesn't exist")
    elsewhere = "arn:aws:iam::999988887777:saml-provider/corp"
    assert saml.refused(PrincipalArn=elsewhere) == (TOKEN, "Specified provider doesn't exist")
    oidc = f"arn:aws:iam::{ACCOUNT}:oidc-provider/corp"
    assert saml.refused(PrincipalArn=oidc) == (TOKEN, "Specified provider doesn't exist")


def test_another_provider_with_another_key(saml: SamlCloud):
    other = saml.iam.create_saml_provider(Name="other", SAMLMetadataDocument=metadata(certificate(2)[1]))["SAMLProviderArn"]
    assert saml.refused(PrincipalArn=other) == (TOKEN, SIGNATURE)


def test_what_a_provider_says_of_another_providers_people(saml: SamlCloud):
    """The key of one provider proves nothing for another, whatever the assertion names."""
    mine = saml.iam.create_saml_provider(
        Name="mine", SAMLMetadataDocument=metadata(certificate(2)[1], issuer="https://mine.example")
    )
    forged = saml.idp.with_(key=certificate(2)[0], issuer="https://mine.example")
    assert saml.refused(forged, PrincipalArn=saml.provider) == (TOKEN, SIGNATURE)
    assert saml.refused(forged, PrincipalArn=mine["SAMLProviderArn"]) == DENIED


@pytest.mark.parametrize(
    "recipient",
    [RECIPIENT, "https://eu-central-1.signin.aws.amazon.com/saml", "https://us-gov-west-1.signin.aws.amazon.com/saml"],
)
def test_recipients_that_are_ours(saml: SamlCloud, recipient: str):
    assert saml.assume(saml.idp.with_(recipient=recipient, audience=recipient))["Audience"] == recipient


def test_the_recipient_of_one_provider_alone(saml: SamlCloud):
    uuid = saml.iam.get_saml_provider(SAMLProviderArn=saml.provider)["SAMLProviderUUID"]
    assert saml.assume(saml.idp.with_(recipient=f"{RECIPIENT}/acs/{uuid}"))["Audience"].endswith(uuid)
    assert saml.refused(saml.idp.with_(recipient=f"{RECIPIENT}/acs/SAMLOTHER")) == (TOKEN, INVALID)


def test_this_servers_own_address_where_the_settings_name_it(saml: SamlCloud):
    own = saml.idp.with_(recipient="https://garrison.example.com/saml", audience="https://garrison.example.com/saml")
    assert saml.refused(own) == (TOKEN, NO_AUDIENCE)
    saml.house.worker.gateway.ports.public_url = "https://garrison.example.com"
    assert saml.assume(own)["Audience"] == "https://garrison.example.com/saml"


@pytest.mark.parametrize(
    "recipient",
    [
        None,
        "https://other.example.com/saml",
        "http://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml/",
        "https://signin.aws.amazon.com.evil.example/saml",
        "https://evil.example/https://signin.aws.amazon.com/saml",
        "https://evil.signin.aws.amazon.com/saml",
        "https://127.0.0.1:4566/saml",
        "/saml",
    ],
)
def test_recipients_that_are_not_ours(saml: SamlCloud, recipient: str | None):
    assert saml.refused(saml.idp.with_(recipient=recipient)) == (TOKEN, INVALID)


def test_a_destination_that_is_not_ours(saml: SamlCloud):
    assert saml.assume(saml.idp.with_(destination=RECIPIENT))["Issuer"] == ISSUER
    assert saml.refused(saml.idp.with_(destination="https://other.example.com/saml")) == (TOKEN, INVALID)


@pytest.mark.parametrize(
    "audience", ["urn:amazon:webservices:other", "https://other.example.com", "", "URN:AMAZON:WEBSERVICES", None]
)
def test_another_audience(saml: SamlCloud, audience: str | None):
    assert saml.refused(saml.idp.with_(audience=audience)) == (TOKEN, NO_AUDIENCE)


def test_each_restriction_must_hold(saml: SamlCloud):
    more = "<saml:AudienceRestriction><saml:Audience>https://other.example.com</saml:Audience></saml:AudienceRestriction>"
    assert saml.refused(saml.idp.with_(conditions=more)) == (TOKEN, NO_AUDIENCE)


def test_conditions_that_nobody_understands(saml: SamlCloud):
    assert saml.assume(saml.idp.with_(conditions="<saml:OneTimeUse/>"))["Issuer"] == ISSUER
    assert saml.refused(saml.idp.with_(conditions="<saml:Unheard/>")) == (TOKEN, INVALID)


def test_what_a_response_is_to(saml: SamlCloud):
    both = {"in_response_to": "_request", "response_in_response_to": "_request"}
    assert saml.assume(saml.idp.with_(**both))["Issuer"] == ISSUER
    assert saml.refused(saml.idp.with_(**{**both, "response_in_response_to": "_another"})) == (TOKEN, INVALID)


# Time


def test_five_minutes_after_it_was_issued(saml: SamlCloud):
    ends = {"not_on_or_after": 3600.0, "confirmed_until": 3600.0}
    assert saml.assume(saml.idp.with_(issued=-290.0, **ends))["Issuer"] == ISSUER
    assert saml.refused(saml.idp.with_(issued=-301.0, **ends)) == EXPIRED
    assert saml.refused(saml.idp.with_(issued=120.0, **ends)) == (TOKEN, INVALID)


@pytest.mark.parametrize("name", ["not_on_or_after", "confirmed_until", "session_until"])
def test_each_of_its_ends(saml: SamlCloud, name: str):
    ended: dict[str, Any] = {name: -1.0}
    assert saml.refused(saml.idp.with_(**ended)) == EXPIRED


@pytest.mark.parametrize("name", ["not_on_or_after", "confirmed_until"])
def test_an_end_that_is_missing(saml: SamlCloud, name: str):
    missing: dict[str, Any] = {name: None}
    assert saml.refused(saml.idp.with_(**missing)) == (TOKEN, INVALID)


def test_not_yet(saml: SamlCloud):
    assert saml.assume(saml.idp.with_(not_before=30.0))["Issuer"] == ISSUER
    assert saml.refused(saml.idp.with_(not_before=120.0)) == (TOKEN, INVALID)


def test_the_session_ends_with_the_providers(saml: SamlCloud):
    lasts = saml.assume(saml.idp.with_(session_until=600.0))["Credentials"]["Expiration"].timestamp() - time.time()
    assert 590 < lasts <= 600


def test_metadata_that_has_expired(saml: SamlCloud):
    document = metadata(certificate()[1], validUntil="2020-01-01T00:00:00Z")
    saml.iam.update_saml_provider(SAMLProviderArn=saml.provider, SAMLMetadataDocument=document)
    assert saml.refused() == (TOKEN, "The metadata of the SAML provider has expired")


def test_how_long_it_lasts(saml: SamlCloud):
    lasts = saml.assume(DurationSeconds=900)["Credentials"]["Expiration"].timestamp() - time.time()
    assert 890 < lasts <= 900
    assert saml.refused(DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


# What it says of the session


def test_the_role_and_its_provider_in_either_order(saml: SamlCloud):
    for value in (f"{saml.provider},{saml.role_arn}", f" {saml.role_arn} , {saml.provider} "):
        assert saml.assume(saml.idp.with_(roles=[value]))["Issuer"] == ISSUER
    others = [f"arn:aws:iam::{ACCOUNT}:role/other,{saml.provider}", f"{saml.role_arn},{saml.provider}"]
    assert saml.assume(saml.idp.with_(roles=others))["Issuer"] == ISSUER


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["arn:aws:iam::111122223333:role/other,arn:aws:iam::111122223333:saml-provider/corp"],
        ["arn:aws:iam::111122223333:role/work,arn:aws:iam::111122223333:saml-provider/other"],
        ["arn:aws:iam::111122223333:role/work"],
        ["arn:aws:iam::111122223333:role/work,arn:aws:iam::111122223333:role/work"],
        ["arn:aws:iam::111122223333:role/work,arn:aws:iam::111122223333:saml-provider/corp,x"],
        ["arn:aws:iam::111122223333:role/*,arn:aws:iam::111122223333:saml-provider/corp"],
        ["ARN:AWS:IAM::111122223333:ROLE/WORK,arn:aws:iam::111122223333:saml-provider/corp"],
    ],
)
def test_a_role_that_the_assertion_does_not_name(saml: SamlCloud, roles: list[str]):
    assert saml.refused(saml.idp.with_(roles=roles)) == DENIED


def test_session_names(saml: SamlCloud):
    assert saml.refused(saml.idp.with_(session_name=None)) == (TOKEN, "RoleSessionName is required in AuthnResponse")
    for name in ("a", "x" * 65, "with space", "", "é", "a/b"):
        assert saml.refused(saml.idp.with_(session_name=name)) == (
            TOKEN,
            "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
        )
    twice = saml.idp.with_(attributes=[(f"{ATTRIBUTES}/RoleSessionName", "another")])
    assert saml.refused(twice)[0] == TOKEN


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("urn:oasis:names:tc:SAML:2.0:nameid-format:transient", "transient"),
        ("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
        (None, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
    ],
)
def test_formats_of_names(saml: SamlCloud, given: str | None, shown: str):
    assert saml.assume(saml.idp.with_(name_format=given))["SubjectType"] == shown


def test_tags_and_source_identity(saml: SamlCloud):
    extra = [
        (f"{ATTRIBUTES}/PrincipalTag:Project", "Marketing"),
        (f"{ATTRIBUTES}/PrincipalTag:CostCenter", "12345"),
        (f"{ATTRIBUTES}/TransitiveTagKeys", "Project"),
        (f"{ATTRIBUTES}/SourceIdentity", "someone"),
    ]
    tagged = saml.idp.with_(attributes=extra)
    assert saml.refused(tagged) == ("AccessDenied", "Not authorized to perform sts:TagSession")
    saml.role("work", saml.statement("sts:TagSession"))
    assert saml.refused(tagged) == ("AccessDenied", "Not authorized to perform sts:SetSourceIdentity")
    wanted = {"aws:RequestTag/Project": "Marketing", "sts:SourceIdentity": "someone"}
    saml.role("work", saml.statement("sts:TagSession", "sts:SetSourceIdentity", StringEquals=wanted))
    answer = saml.assume(tagged)
    assert answer["SourceIdentity"] == "someone"
    condition = {"aws:PrincipalTag/CostCenter": "12345", "aws:SourceIdentity": "someone"}
    saml.allow("iam:ListRoles", StringEquals=condition)
    assert saml.client("iam", answer).list_roles()["Roles"]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ([("SourceIdentity", "a")], 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'),
        ([("SourceIdentity", "aws:someone")], 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'),
        ([("SourceIdentity", "one"), ("SourceIdentity", "two")], "The assertion has more than one SourceIdentity"),
        ([("PrincipalTag:a", "1"), ("PrincipalTag:a", "2")], "The session tags of the assertion are not valid"),
        (
            [("PrincipalTag:a", "1"), ("PrincipalTag:A", "2")],
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        ([("TransitiveTagKeys", "a")], "The specified transitive tag key must be included in the requested tags."),
    ],
)
def test_attributes_that_are_refused(saml: SamlCloud, attributes: list[tuple[str, str]], text: str):
    saml.role("work", saml.statement("sts:TagSession", "sts:SetSourceIdentity"))
    named = [(f"{ATTRIBUTES}/{name}", value) for name, value in attributes]
    assert saml.refused(saml.idp.with_(attributes=named)) == (TOKEN, text)


def test_condition_keys_of_the_assertion(saml: SamlCloud):
    attributes = [
        ("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "staff"),
        ("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "faculty"),
        ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "someone@example.edu"),
        ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "One"),
    ]
    digest = hashlib.sha1(f"{ISSUER}{ACCOUNT}/corp".encode()).digest()
    wanted = {
        "saml:aud": RECIPIENT,
        "saml:iss": ISSUER,
        "saml:sub": "someone@example.com",
        "saml:sub_type": "persistent",
        "saml:doc": f"{ACCOUNT}/corp",
        "saml:namequalifier": b64encode(digest).decode(),
        "saml:edupersonprincipalname": "someone@example.edu",
        "saml:surname": "One",
        "sts:RoleSessionName": "someone",
    }
    many = {"saml:edupersonaffiliation": ["faculty"]}
    saml.role("work", saml.statement(StringEquals=wanted, **{"ForAnyValue:StringEquals": many}))
    good = saml.idp.with_(attributes=attributes)
    assert saml.assume(good)["Issuer"] == ISSUER
    assert saml.refused(good.with_(subject="somebody@example.com")) == DENIED
    assert saml.refused(good.with_(attributes=attributes[2:])) == DENIED
    assert saml.refused(good.with_(session_name="other")) == DENIED


def test_the_session_keeps_who_vouched_and_for_whom(saml: SamlCloud):
    wanted = {"aws:FederatedProvider": saml.provider, "saml:sub": "someone@example.com", "saml:sub_type": "persistent"}
    saml.allow("iam:ListRoles", StringEquals=wanted)
    assert saml.client("iam", saml.assume()).list_roles()["Roles"]
    other = saml.assume(saml.idp.with_(subject="other@example.com"))
    with pytest.raises(ClientError):
        saml.client("iam", other).list_roles()


def test_a_role_that_trusts_others_and_one_that_is_not_there_are_told_alike(saml: SamlCloud):
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    assert saml.refused(saml.idp.with_(roles=[f"{gone},{saml.provider}"]), RoleArn=gone) == DENIED
    saml.role("work", {**saml.statement(), "Action": "sts:AssumeRoleWithWebIdentity"})
    assert saml.refused() == DENIED
    saml.role("work", {**saml.statement(), "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/other"}})
    assert saml.refused() == DENIED
    saml.role("work", saml.statement(), {**saml.statement(), "Effect": "Deny"})
    assert saml.refused() == DENIED


def test_session_policies_bound_the_session(saml: SamlCloud):
    saml.allow("iam:*")
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}
    )
    bounded = saml.client("iam", saml.assume(Policy=document))
    assert bounded.list_roles()["Roles"]
    with pytest.raises(ClientError, match="no session policy allows"):
        bounded.list_users()
    assert saml.refused(Policy="{")[0] == "MalformedPolicyDocument"


def test_what_is_on_record(saml: SamlCloud):
    response = saml.idp.encoded()
    answer = saml.assume(response)
    (left,) = saml.house.events(answer["ResponseMetadata"]["RequestId"])
    event = json.loads(left.record)
    assert event["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{answer['NameQualifier']}:someone@example.com",
        "userName": "someone@example.com",
        "identityProvider": saml.provider,
    }
    assert (event["eventName"], event["recipientAccountId"], event["readOnly"]) == ("AssumeRoleWithSAML", ACCOUNT, True)
    assert response not in left.record
    assert event["requestParameters"]["principalArn"] == saml.provider


def test_an_algorithm_that_nobody_has_heard_of(saml: SamlCloud):
    assert saml.refused(saml.idp.with_(signing={"method": f"{MORE}rsa-unheard"})) == (TOKEN, SIGNATURE)
