"""AssumeRoleWithWebIdentity, through the whole gateway, with an identity provider that signs with real keys.

Expected answers: STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, "Available keys for AWS OIDC federation", "Pass
session tags in AWS STS"; recorded answers of AWS for texts and the member Provider.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.house import ACCOUNT
from tests.support.idp_oidc import CLIENT, SUBJECT, WELL_KNOWN, OidcIdp, b64, ec_key, encoded, jwk, rsa_key
from tests.support.vouched import AUDIENCE, DENIED, NO_KEY, NOT_A_JWT, NOT_VALID, Cloud

TWICE = b'{"alg":"RS256","alg":"none"}'
CONSTANT = b'{"iss": NaN}'


def test_a_token_gives_credentials_of_the_role(cloud: Cloud):
    answer = cloud.assume()
    role_id = cloud.iam.get_role(RoleName="deploy")["Role"]["RoleId"]
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Provider"] == cloud.provider
    assert answer["Audience"] == CLIENT
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role_id}:ci",
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    }
    assert "PackedPolicySize" not in answer
    assert "SourceIdentity" not in answer
    lasts = answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert 3590 < lasts <= 3600
    who = cloud.client("sts", answer).get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci", f"{role_id}:ci")


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_elliptic_curves(cloud: Cloud, curve: str):
    cloud.idp.keys["ec"] = ec_key(curve)
    assert cloud.assume(cloud.idp.token(kid="ec"))["Audience"] == CLIENT


@pytest.mark.parametrize("algorithm", ["RS384", "RS512"])
def test_longer_hashes(cloud: Cloud, algorithm: str):
    assert cloud.assume(cloud.idp.token(algorithm=algorithm))["Audience"] == CLIENT


# What the token says, and who believes it


def test_alg_none_and_an_empty_signature(cloud: Cloud):
    for algorithm in ("none", "None", "NONE", ""):
        assert cloud.refused(cloud.idp.unsigned(algorithm)) in {NOT_VALID, NOT_A_JWT}
    assert cloud.refused(cloud.idp.unsigned("RS256")) == NOT_A_JWT


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_as_a_shared_secret(cloud: Cloud, algorithm: str):
    assert cloud.refused(cloud.idp.confused(algorithm)) == NOT_VALID


def test_a_secret_key_in_the_key_set_signs_nothing(cloud: Cloud):
    cloud.idp.published = {"keys": [{"kty": "oct", "kid": "first", "k": b64(b"x" * 32)}, jwk(rsa_key(1), "other")]}
    assert cloud.refused(cloud.idp.confused()) == NOT_VALID
    assert cloud.refused() == NO_KEY


@pytest.mark.parametrize("algorithm", ["PS256", "EdDSA", "ES256K", "RS1", "dir"])
def test_algorithms_that_aws_does_not_take(cloud: Cloud, algorithm: str):
    signing = f"{encoded({'alg': algorithm, 'kid': 'first'})}.{encoded(cloud.idp.claims())}"
    assert cloud.refused(f"{signing}.{b64(b'x' * 256)}") == NOT_VALID


def test_another_key_under_the_same_kid(cloud: Cloud):
    assert cloud.refused(cloud.idp.token(key=rsa_key(2))) == NOT_VALID


def test_an_algorithm_of_another_kind_of_key(cloud: Cloud):
    assert cloud.refused(cloud.idp.token(key=ec_key("P-256"), algorithm="ES256")) == NO_KEY


@pytest.mark.parametrize("kid", ["../../../../dev/null", "' OR '1'='1", "first\x00", "", "http://127.0.0.1/keys", "a" * 5000])
def test_a_kid_is_a_name_and_nothing_else(cloud: Cloud, kid: str):
    asked = len(cloud.idp.asked)
    assert cloud.refused(cloud.idp.token(kid=kid, key=rsa_key(2))) == NO_KEY
    assert set(cloud.idp.asked[asked:]) <= {WELL_KNOWN, "/keys"}


@pytest.mark.parametrize("kid", [1, ["first"], {"a": "b"}, True])
def test_a_kid_that_is_no_text(cloud: Cloud, kid: Any):
    assert cloud.refused(cloud.idp.token(header={"kid": kid})) == NOT_VALID


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_keys_that_a_header_brings_or_names_are_not_looked_at(cloud: Cloud, name: str):
    with OidcIdp() as thief:
        thief.keys = {"first": rsa_key(2)}
        values = {"jwk": jwk(rsa_key(2), "first"), "jku": f"{thief.url}/keys", "x5u": f"{thief.url}/keys", "x5c": ["MIIB"]}
        forged = cloud.idp.token(key=rsa_key(2), header={name: values[name]})
        assert cloud.refused(forged) == NOT_VALID
        assert not thief.asked


@pytest.mark.parametrize(
    "header", [{"crit": ["b64"], "b64": False}, {"crit": ["exp"]}, {"b64": False}, {"zip": "DEF"}, {"enc": "A128GCM"}]
)
def test_headers_that_change_what_is_signed(cloud: Cloud, header: dict[str, Any]):
    assert cloud.refused(cloud.idp.token(header=header)) == NOT_VALID


def test_every_altered_part_is_refused(cloud: Cloud):
    header, claims, signature = cloud.idp.token().split(".")
    other = encoded(cloud.idp.claims(sub="repo:octo-org/octo-repo:ref:refs/heads/mine"))
    for forged in (f"{header}.{other}.{signature}", f"{header}.{claims}.{signature[:-8]}AAAAAAAA", f"{header}.{claims}.AAAA"):
        assert cloud.refused(forged) == NOT_VALID


@pytest.mark.parametrize(
    "token",
    [
        "....",
        "a.b.c",
        "not-a-jwt-at-all",
        "aa.bb",
        "a.b.c.d.e",
        f"{encoded(b'[]')}.{encoded(b'{}')}.AAAA",
        f"{encoded(b'{')}.{encoded(b'{}')}.AAAA",
        f"{encoded({'alg': 'RS256'})}.{encoded(b'null')}.AAAA",
        f"{encoded(TWICE)}.{encoded(b'{}')}.AAAA",
        f"{encoded(b'[' * 9000)}.{encoded(b'{}')}.AAAA",
        f"{encoded({'alg': 'RS256'})}.{encoded(CONSTANT)}.AAAA",
        "é.é.é",
        "A" * 20_000,
    ],
)
def test_what_is_no_token(cloud: Cloud, token: str):
    assert cloud.refused(token) == NOT_A_JWT


def test_a_claim_that_occurs_twice(cloud: Cloud):
    claims = json.dumps(cloud.idp.claims())[:-1] + f', "iss": "{cloud.idp.url}"}}'
    assert cloud.refused(f"{encoded({'alg': 'RS256', 'kid': 'first'})}.{encoded(claims.encode())}.AAAA") == NOT_A_JWT


def test_a_token_that_is_too_long(cloud: Cloud):
    code, _ = cloud.refused(cloud.idp.token(padding="x" * 20_000))
    assert code == "ValidationError"


# Issuer, audience, subject


@pytest.mark.parametrize("change", ["/", "/path", ".evil.example"])
def test_another_issuer(cloud: Cloud, change: str):
    issuer = cloud.idp.url + change
    assert cloud.refused(cloud.idp.token(iss=issuer)) == (
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {issuer}",
    )


def test_the_issuer_in_another_case_or_under_another_scheme(cloud: Cloud):
    for issuer in (cloud.idp.url.upper(), cloud.idp.url.replace("http://", "https://"), cloud.idp.name):
        assert cloud.refused(cloud.idp.token(iss=issuer))[0] == "InvalidIdentityToken"


@pytest.mark.parametrize("issuer", [None, "", 7, ["http://127.0.0.1"]])
def test_no_issuer(cloud: Cloud, issuer: Any):
    assert cloud.refused(cloud.idp.token(iss=issuer)) == ("InvalidIdentityToken", "Missing a required claim: iss")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://\ud800"}, NOT_A_JWT),
        ({"iss": "https://a\0b"}, NOT_VALID),
        ({"iss": "https://a\nb"}, NOT_VALID),
        ({"sub": "\udfff"}, NOT_A_JWT),
        ({"any": ["\ud800"]}, NOT_A_JWT),
    ],
)
def test_what_no_database_can_look_up(cloud: Cloud, claims: dict[str, Any], said: tuple[str, str]):
    """Halves of surrogate pairs and control characters, of whoever writes the token: nothing of it need be proven."""
    assert cloud.refused(cloud.idp.token(**claims)) == said


def test_a_provider_of_another_account_counts_for_nothing_here(cloud: Cloud):
    with OidcIdp() as other:
        assert cloud.refused(other.token()) == (
            "InvalidIdentityToken",
            f"No OpenIDConnect provider found in your account for {other.url}",
        )
        assert not other.asked


@pytest.mark.parametrize("audience", ["stranger", "STS.amazonaws.com", ["stranger", "another"], f"{CLIENT} "])
def test_another_audience(cloud: Cloud, audience: Any):
    assert cloud.refused(cloud.idp.token(aud=audience)) == AUDIENCE


@pytest.mark.parametrize("audience", [None, [], 1, [1], {"a": 1}])
def test_no_audience(cloud: Cloud, audience: Any):
    assert cloud.refused(cloud.idp.token(aud=audience)) == ("InvalidIdentityToken", "Missing a required claim: aud")


def test_one_of_several_audiences(cloud: Cloud):
    assert cloud.assume(cloud.idp.token(aud=["stranger", "other-client"]))["Audience"] == "other-client"


def test_the_authorized_party_stands_for_the_audience(cloud: Cloud):
    assert cloud.assume(cloud.idp.token(aud="some-api", azp="other-client"))["Audience"] == "other-client"
    assert cloud.refused(cloud.idp.token(aud=CLIENT, azp="stranger")) == AUDIENCE
    assert cloud.refused(cloud.idp.token(aud=CLIENT, azp=[CLIENT])) == AUDIENCE


@pytest.mark.parametrize("subject", [None, "", 1, ["a"]])
def test_no_subject(cloud: Cloud, subject: Any):
    assert cloud.refused(cloud.idp.token(sub=subject)) == ("InvalidIdentityToken", "Missing a required claim: sub")


def test_a_subject_that_is_too_long(cloud: Cloud):
    assert cloud.refused(cloud.idp.token(sub="s" * 256)) == NOT_VALID


# Time


def test_five_minutes_beyond_its_end_and_no_longer(cloud: Cloud):
    now = int(time.time())
    assert cloud.assume(cloud.idp.token(exp=now - 200, iat=now - 900, nbf=None))["Audience"] == CLIENT
    code, text = cloud.refused(cloud.idp.token(exp=now - 400, iat=now - 900))
    assert code == "ExpiredTokenException"
    assert text.startswith("Token expired: current date/time ")
    assert text.endswith(f" must be before the expiration date/time {now - 400}")


@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_a_time_that_is_missing(cloud: Cloud, claim: str):
    assert cloud.refused(cloud.idp.token(extra={claim: None})) == ("InvalidIdentityToken", f"Missing a required claim: {claim}")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_of_the_future(cloud: Cloud, claim: str):
    code, text = cloud.refused(cloud.idp.token(extra={claim: int(time.time()) + 400}))
    assert code == "InvalidIdentityToken"
    assert "not yet valid" in text


@pytest.mark.parametrize("value", ["4102444800", 4102444800.5, True, [4102444800], 1e400])
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_times_are_integers(cloud: Cloud, claim: str, value: Any):
    code, _ = cloud.refused(cloud.idp.token(extra={claim: value}))
    assert code == "InvalidIdentityToken"


# The role's trust policy


def test_a_role_that_is_not_there_and_one_that_trusts_others_are_told_alike(cloud: Cloud):
    assert cloud.refused(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/nobody") == DENIED
    cloud.role({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:*"})
    assert cloud.refused() == DENIED
    cloud.role({**cloud.statement(), "Action": "sts:AssumeRole"})
    assert cloud.refused() == DENIED
    cloud.role({**cloud.statement(), "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/other.example"}})
    assert cloud.refused() == DENIED
    cloud.role(cloud.statement(), {**cloud.statement(), "Effect": "Deny"})
    assert cloud.refused() == DENIED


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::111122223333:user/admin", "nothing-like-an-arn-at-all", "arn:aws:sts::111122223333:role/deploy"]
)
def test_what_is_no_roles_arn(cloud: Cloud, arn: str):
    assert cloud.refused(RoleArn=arn) == ("ValidationError", "Request ARN is invalid")


def test_an_access_token_of_another_kind_of_provider(cloud: Cloud):
    assert cloud.refused(ProviderId="www.amazon.com")[0] == "ValidationError"


def test_condition_keys_of_the_token(cloud: Cloud):
    name = cloud.idp.name
    cloud.role(
        cloud.statement(
            StringEquals={f"{name}:aud": CLIENT, f"{name}:sub": SUBJECT, f"{name}:oaud": CLIENT, "sts:RoleSessionName": "ci"},
            **{"ForAllValues:StringEquals": {f"{name}:amr": ["mfa", "pwd"]}},
        )
    )
    assert cloud.assume(cloud.idp.token(amr=["mfa", "pwd"]))["Audience"] == CLIENT
    assert cloud.refused(cloud.idp.token(amr=["otp"])) == DENIED
    assert cloud.refused(cloud.idp.token(sub="repo:octo-org/octo-repo:ref:refs/heads/other")) == DENIED
    assert cloud.refused(cloud.idp.token(aud="other-client")) == DENIED
    assert cloud.refused(RoleSessionName="other") == DENIED
    assert cloud.refused(cloud.idp.token(aud="some-api", azp=CLIENT, amr=["mfa"])) == DENIED


def test_a_wildcard_in_a_subject_is_no_wildcard(cloud: Cloud):
    cloud.role(cloud.statement(StringLike={f"{cloud.idp.name}:sub": "repo:octo-org/*"}))
    assert cloud.assume()["Audience"] == CLIENT
    assert cloud.refused(cloud.idp.token(sub="*")) == DENIED
    assert cloud.refused(cloud.idp.token(sub="repo:other-org/*")) == DENIED


def test_claims_that_have_keys_of_their_own_at_providers_that_aws_knows(tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk(rsa_key(1), "first")]}))
    with OidcIdp() as idp:
        idp.url = "https://token.actions.githubusercontent.com"
        made = Cloud(idp, oidc_keys=f"{idp.url}={path}")
        try:
            condition = {f"{idp.name}:repository_id": "42", f"{idp.name}:job_workflow_ref": "octo/.github/build.yml@main"}
            made.role(made.statement(StringEquals=condition))
            good = {"repository_id": 42, "job_workflow_ref": "octo/.github/build.yml@main"}
            assert made.assume(idp.token(extra=good))["Audience"] == CLIENT
            assert made.refused(idp.token(extra={**good, "repository_id": "43"})) == DENIED
            made.role(made.statement(StringEquals={f"{idp.name}:run_id": "1"}))
            assert made.refused(idp.token(extra={**good, "run_id": "1"})) == DENIED
        finally:
            made.house.close()


def test_a_stranger_who_is_trusted_by_name_of_everybody(cloud: Cloud):
    cloud.role({**cloud.statement(StringEquals={f"{cloud.idp.name}:sub": SUBJECT}), "Principal": "*"})
    assert cloud.assume()["Audience"] == CLIENT
    assert cloud.refused(cloud.idp.token(sub="somebody-else")) == DENIED


# The session


def test_tags_and_source_identity_of_the_token(cloud: Cloud):
    extra = {
        "https://aws.amazon.com/tags": {
            "principal_tags": {"Project": ["Automation"], "Team": "Blue"},
            "transitive_tag_keys": ["Project"],
        },
        "https://aws.amazon.com/source_identity": "octocat",
    }
    assert cloud.refused(cloud.idp.token(extra=extra)) == ("AccessDenied", "Not authorized to perform sts:TagSession")
    cloud.role(cloud.statement("sts:TagSession"))
    assert cloud.refused(cloud.idp.token(extra=extra)) == ("AccessDenied", "Not authorized to perform sts:SetSourceIdentity")
    allowed = {"aws:RequestTag/Project": "Automation", "sts:SourceIdentity": "octocat"}
    cloud.role(cloud.statement("sts:TagSession", "sts:SetSourceIdentity", StringEquals=allowed))
    answer = cloud.assume(cloud.idp.token(extra=extra))
    assert answer["SourceIdentity"] == "octocat"
    assert answer["PackedPolicySize"] >= 1
    allow = {"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}
    wanted = {"aws:PrincipalTag/Project": "Automation", "aws:PrincipalTag/Team": "Blue", "aws:SourceIdentity": "octocat"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Condition": {"StringEquals": wanted}}]})
    cloud.iam.put_role_policy(RoleName="deploy", PolicyName="p", PolicyDocument=document)
    assert cloud.client("iam", answer).list_roles()["Roles"]
    other = {**extra, "https://aws.amazon.com/source_identity": "somebody"}
    assert cloud.refused(cloud.idp.token(extra=other))[0] == "AccessDenied"


def test_tags_in_flattened_claims(cloud: Cloud):
    cloud.role(cloud.statement("sts:TagSession", StringEquals={"aws:RequestTag/CostCenter": "987"}))
    prefix = "https://aws.amazon.com/tags"
    assert cloud.assume(
        cloud.idp.token(extra={f"{prefix}/principal_tags/CostCenter": "987", f"{prefix}/transitive_tag_keys": ["CostCenter"]})
    )
    assert cloud.refused(cloud.idp.token(extra={f"{prefix}/principal_tags/CostCenter": "988"}))[0] == "AccessDenied"


@pytest.mark.parametrize(
    "tags",
    [
        "text",
        {"principal_tags": ["a"]},
        {"principal_tags": {"a": ["1", "2"]}},
        {"principal_tags": {"a": 1}},
        {"principal_tags": {"aws:a": "1"}},
        {"principal_tags": {"a": "1", "A": "2"}},
        {"principal_tags": {"a": "x" * 257}},
        {"principal_tags": {"a" * 129: "x"}},
        {"principal_tags": {"": "x"}},
        {"principal_tags": {"a": "b\n"}},
        {"principal_tags": {f"k{number}": "x" for number in range(51)}},
        {"principal_tags": {"a": "1"}, "transitive_tag_keys": ["b"]},
        {"principal_tags": {"a": "1"}, "transitive_tag_keys": "a"},
    ],
)
def test_tags_that_are_none(cloud: Cloud, tags: Any):
    cloud.role(cloud.statement("sts:TagSession"))
    assert cloud.refused(cloud.idp.token(extra={"https://aws.amazon.com/tags": tags}))[0] == "InvalidIdentityToken"


@pytest.mark.parametrize("identity", ["a", "x" * 65, "aws:root", "with space", 7, "é"])
def test_source_identities_that_are_none(cloud: Cloud, identity: Any):
    cloud.role(cloud.statement("sts:SetSourceIdentity"))
    assert cloud.refused(cloud.idp.token(extra={"https://aws.amazon.com/source_identity": identity}))[0] == "InvalidIdentityToken"


def test_how_long_it_lasts(cloud: Cloud):
    lasts = cloud.assume(DurationSeconds=900)["Credentials"]["Expiration"].timestamp() - time.time()
    assert 890 < lasts <= 900
    assert cloud.refused(DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


def test_session_policies_bound_the_session(cloud: Cloud):
    cloud.iam.attach_role_policy(RoleName="deploy", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}
    )
    bounded = cloud.client("iam", cloud.assume(Policy=document))
    assert bounded.list_roles()["Roles"]
    with pytest.raises(ClientError, match="no session policy allows"):
        bounded.list_users()
    assert cloud.refused(Policy="{")[0] == "MalformedPolicyDocument"


def test_the_session_keeps_who_vouched_and_for_whom(cloud: Cloud):
    name = cloud.idp.name
    wanted = {"aws:FederatedProvider": cloud.provider, f"{name}:sub": SUBJECT, f"{name}:aud": CLIENT}
    statement = {"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*", "Condition": {"StringEquals": wanted}}
    cloud.iam.put_role_policy(
        RoleName="deploy", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert cloud.client("iam", cloud.assume()).list_roles()["Roles"]
    with pytest.raises(ClientError):
        cloud.client("iam", cloud.assume(cloud.idp.token(sub="somebody-else"))).list_roles()


def test_what_is_on_record(cloud: Cloud):
    token = cloud.idp.token()
    answer = cloud.assume(token)
    (left,) = cloud.house.events(answer["ResponseMetadata"]["RequestId"])
    event = json.loads(left.record)
    assert event["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{cloud.provider}:{CLIENT}:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": cloud.provider,
    }
    assert (event["eventName"], event["recipientAccountId"], event["readOnly"]) == ("AssumeRoleWithWebIdentity", ACCOUNT, True)
    assert token not in left.record
    assert token.rpartition(".")[2] not in left.record
    called = cloud.client("sts", answer).get_caller_identity()
    (left,) = cloud.house.events(called["ResponseMetadata"]["RequestId"])
    federation = json.loads(left.record)["userIdentity"]["sessionContext"]["webIdFederationData"]
    assert federation["federatedProvider"] == cloud.provider
    assert federation["attributes"][f"{cloud.idp.name}:sub"] == SUBJECT


def test_a_provider_that_is_deleted_vouches_for_nobody(cloud: Cloud):
    token = cloud.idp.token()
    cloud.assume(token)
    cloud.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=cloud.provider)
    assert cloud.refused(token) == (
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {cloud.idp.url}",
    )


def test_a_client_that_is_taken_away(cloud: Cloud):
    cloud.assume()
    cloud.iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=cloud.provider, ClientID=CLIENT)
    assert cloud.refused() == AUDIENCE
