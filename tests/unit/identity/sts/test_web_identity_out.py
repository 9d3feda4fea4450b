"""Outbound identity federation through boto3: enabled, a token, verified as an external service would, disabled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from garrison.core.context import Call
from garrison.core.http import Request
from garrison.wire.internal import InternalPaths
from tests.support.case_files import allow, deny, policy
from tests.support.house import ACCOUNT, ENDPOINT, REGION, House
from tests.support.server import AccessKey

AUDIENCE = "https://api.example.com"
EVERYTHING = policy(allow("*"))


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def issuer(house: House) -> str:
    return str(house.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"])


def fetch(house: House, url: str, method: str = "GET") -> tuple[int, Any]:
    """As anybody would, without a signature."""
    internal: Any = house.worker.gateway.internal
    path = urlsplit(url).path
    answer = internal(Request(method, path), Call(source_ip="192.0.2.1", host="garrison.example.com"))
    assert answer is not None
    return answer.status, json.loads(answer.body or b"null")


def token(house: House, key: AccessKey | None = None, **members: Any) -> Any:
    given = {"Audience": [AUDIENCE], "SigningAlgorithm": "ES384", **members}
    return house.client("sts", key).get_web_identity_token(**given)


def verified(house: House, issuer: str, text: str) -> Any:
    """The claims, found and verified from the issuer's name alone (OpenID Connect Discovery 1.0, 4)."""
    _, discovery = fetch(house, f"{issuer}/.well-known/openid-configuration")
    assert discovery["issuer"] == issuer
    _, keys = fetch(house, discovery["jwks_uri"])
    algorithms = discovery["id_token_signing_alg_values_supported"]
    found = jwt.decode(text, KeySet.import_key_set(keys), algorithms=algorithms, registry=JWSRegistry(algorithms=algorithms))
    return found.claims


def user(house: House, name: str, *statements: dict[str, Any], **more: Any) -> AccessKey:
    iam = house.client("iam")
    iam.create_user(UserName=name, **more)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy(*statements)))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])


def session(house: House, key: AccessKey | None = None, **more: Any) -> AccessKey:
    """A session of a new role that may do everything."""
    iam = house.client("iam")
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    trust = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": actions})
    tags = [{"Key": "team", "Value": "red"}, {"Key": "kept", "Value": "x"}]
    iam.create_role(RoleName="Work", Path="/data/", AssumeRolePolicyDocument=json.dumps(trust), Tags=tags)
    iam.put_role_policy(RoleName="Work", PolicyName="p", PolicyDocument=json.dumps(EVERYTHING))
    arn = f"arn:aws:iam::{ACCOUNT}:role/data/Work"
    made = house.client("sts", key).assume_role(RoleArn=arn, RoleSessionName="me", **more)["Credentials"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


# On and off


def test_enable_info_and_disable(house: House):
    iam = house.client("iam")
    for call in (iam.get_outbound_web_identity_federation_info, iam.disable_outbound_web_identity_federation):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == ("FeatureDisabled", 404)
    issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert issuer.startswith(f"{ENDPOINT}/_garrison/issuers/")
    found = iam.get_outbound_web_identity_federation_info()
    assert (found["IssuerIdentifier"], found["JwtVendingEnabled"]) == (issuer, True)
    with pytest.raises(ClientError) as caught:
        iam.enable_outbound_web_identity_federation()
    assert code(caught) == ("FeatureEnabled", 409)
    iam.disable_outbound_web_identity_federation()
    with pytest.raises(ClientError) as caught:
        token(house)
    assert code(caught) == ("OutboundWebIdentityFederationDisabledException", 403)
    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == issuer


def test_tokens_stay_verifiable_when_it_is_disabled(house: House, issuer: str):
    text = token(house)["WebIdentityToken"]
    house.client("iam").disable_outbound_web_identity_federation()
    assert verified(house, issuer, text)["iss"] == issuer


def test_the_public_url_names_the_issuer(house: House):
    house.worker.gateway.ports.public_url = "https://garrison.example.com/sts"
    issuer = house.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert issuer.startswith("https://garrison.example.com/sts/_garrison/issuers/")


def test_each_account_has_an_issuer_of_its_own(house: House, issuer: str):
    from garrison.app import new_account  # noqa: PLC0415 - of this test alone

    other = AccessKey(*new_account(house.state, "444455556666", name="other").admin_key)
    theirs = house.client("iam", other).enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert theirs != issuer
    text = token(house, other)["WebIdentityToken"]
    assert verified(house, theirs, text)["sub"] == "arn:aws:iam::444455556666:user/admin"
    with pytest.raises((JoseError, ValueError)):
        verified(house, issuer, text)


# The token


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_what_a_users_token_says(house: House, issuer: str, algorithm: str):
    ann = user(house, "ann", allow("sts:*"), Tags=[{"Key": "team", "Value": "blue"}])
    answer = token(house, ann, SigningAlgorithm=algorithm, Tags=[{"Key": "job", "Value": "7"}])
    claims = verified(house, issuer, answer["WebIdentityToken"])
    assert claims.pop("exp") - claims.pop("iat") == 300
    assert len(claims.pop("jti")) == 36
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert claims == {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": arn,
        "https://sts.amazonaws.com/": {
            "aws_account": ACCOUNT,
            "source_region": REGION,
            "principal_id": arn,
            "principal_tags": {"team": "blue"},
            "request_tags": {"job": "7"},
        },
    }
    head = answer["WebIdentityToken"].partition(".")[0]
    assert (
        head
        != token(house, ann, SigningAlgorithm="RS256" if algorithm == "ES384" else "ES384")["WebIdentityToken"].partition(".")[0]
    )


def test_what_a_role_sessions_token_says(house: House, issuer: str):
    key = session(house, Tags=[{"Key": "Team", "Value": "green"}], SourceIdentity="ann")
    claims = verified(house, issuer, token(house, key)["WebIdentityToken"])
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:role/data/Work"
    about = claims["https://sts.amazonaws.com/"]
    assert about["principal_tags"] == {"kept": "x", "Team": "green"}
    assert about["source_identity"] == "ann"
    assert about["original_session_exp"].endswith("Z")
    assert "org_id" not in about


def test_several_audiences_and_the_time(house: House, issuer: str):
    answer = token(house, Audience=["a", "b"], DurationSeconds=3600)
    claims = verified(house, issuer, answer["WebIdentityToken"])
    assert claims["aud"] == ["a", "b"]
    assert claims["exp"] == answer["Expiration"].timestamp()
    assert claims["exp"] - claims["iat"] == 3600


def test_no_two_tokens_have_one_id(house: House, issuer: str):
    assert len({verified(house, issuer, token(house)["WebIdentityToken"])["jti"] for _ in range(5)}) == 5


def test_a_token_ends_no_later_than_the_session(house: House, issuer: str):
    assert issuer
    key = session(house, DurationSeconds=900)
    token(house, key, DurationSeconds=600)
    with pytest.raises(ClientError) as caught:
        token(house, key, DurationSeconds=1000)
    assert code(caught) == ("SessionDurationEscalationException", 403)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"DurationSeconds": 59}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"Audience": []}, "ValidationError"),
        ({"Audience": ["x"] * 11}, "ValidationError"),
        ({"Audience": ["x" * 1001]}, "ValidationError"),
        ({"SigningAlgorithm": "HS256"}, "InvalidParameterValue"),
        ({"SigningAlgorithm": "none"}, "ValidationError"),
        ({"SubjectMode": "OriginIdentity"}, "ValidationError"),
        ({"SubjectMode": "Anybody"}, "ValidationError"),
        ({"Scope": "read"}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": f"{n:0128}", "Value": "x" * 256} for n in range(50)]}, "JWTPayloadSizeExceededException"),
    ],
)
def test_bad_input(house: House, issuer: str, members: dict[str, Any], expected: str):
    assert issuer
    client = house.client("sts")
    client._serializer = client._serializer._serializer  # what botocore itself would refuse is sent
    with pytest.raises(ClientError) as caught:
        token(house, **members)
    assert code(caught) == (expected, 400)


# Who may


def test_policies_bound_audience_time_algorithm_and_tags(house: House, issuer: str):
    """The keys of the IAM User Guide, "Controlling access with IAM policies"."""
    assert issuer
    condition = {
        "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": AUDIENCE},
        "NumericLessThanEquals": {"sts:DurationSeconds": 300},
        "StringEquals": {"sts:SigningAlgorithm": "ES384"},
    }
    tagging = allow("sts:TagGetWebIdentityToken", Condition={"StringEquals": {"aws:RequestTag/job": "7"}})
    ann = user(house, "ann", allow("sts:GetWebIdentityToken", Condition=condition), tagging)
    token(house, ann)
    token(house, ann, Tags=[{"Key": "job", "Value": "7"}])
    for members in (
        {"Audience": ["https://evil.example.com"]},
        {"Audience": [AUDIENCE, "https://evil.example.com"]},
        {"DurationSeconds": 301},
        {"SigningAlgorithm": "RS256"},
        {"Tags": [{"Key": "job", "Value": "8"}]},
    ):
        with pytest.raises(ClientError) as caught:
            token(house, ann, **members)
        assert code(caught) == ("AccessDenied", 403), members


def test_tags_are_a_permission_of_their_own(house: House, issuer: str):
    assert issuer
    ann = user(house, "ann", allow("sts:GetWebIdentityToken"), deny("sts:TagGetWebIdentityToken"))
    token(house, ann)
    with pytest.raises(ClientError) as caught:
        token(house, ann, Tags=[{"Key": "job", "Value": "7"}])
    assert "sts:TagGetWebIdentityToken" in str(caught.value)


def test_who_has_no_permission_learns_nothing(house: House):
    """Not even whether the feature is enabled."""
    nobody = user(house, "nobody", allow("kms:*"))
    answers = []
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            token(house, nobody)
        answers.append((code(caught), str(caught.value)))
        if not house.state.store.reading().all("SELECT 1 FROM iam_outbound_federation"):
            house.client("iam").enable_outbound_web_identity_federation()
    assert answers[0] == answers[1]
    assert answers[0][0] == ("AccessDenied", 403)


def test_tokens_stand_nowhere_in_the_trail(house: House, issuer: str):
    assert issuer
    text = token(house)["WebIdentityToken"]
    assert not [left for left in house.events() if text.rpartition(".")[2] in left.record + left.decision]


def test_private_keys_are_sealed(house: House, issuer: str):
    assert issuer
    rows = house.state.store.reading().all("SELECT sealed, jwk FROM iam_outbound_key")
    assert len(rows) == 2
    assert not [sealed for sealed, _ in rows if b"\x30\x82" in bytes(sealed)[:8]]
    assert {"d", "p", "q"}.isdisjoint({name for _, jwk in rows for name in json.loads(jwk)})


# What is published


def test_only_what_an_issuer_publishes_is_there(house: House, issuer: str):
    assert fetch(house, f"{issuer}/.well-known/jwks.json")[0] == 200
    assert fetch(house, f"{issuer}/.well-known/jwks.json", "HEAD")[0] == 200
    assert fetch(house, f"{issuer}/.well-known/jwks.json", "POST")[0] == 405
    for path in ("", "/", "/.well-known", "/.well-known/jwks.json/", "/../x", "/keys"):
        assert fetch(house, f"{issuer}{path}")[0] == 404
    for other in ("00000000-0000-0000-0000-000000000000", "x", "%2e%2e", "' OR 1=1 --", "a" * 10_000):
        assert fetch(house, f"{ENDPOINT}/_garrison/issuers/{other}/.well-known/jwks.json")[0] == 404


def test_the_documents_have_the_members_of_aws_own(house: House, issuer: str):
    """As AWS publishes them under an issuer of tokens.sts.global.api.aws."""
    _, discovery = fetch(house, f"{issuer}/.well-known/openid-configuration")
    assert discovery["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
    assert discovery["id_token_signing_alg_values_supported"] == ["RS256", "ES384"]
    assert discovery["claims_supported"] == ["sub", "iss", "aud", "exp", "iat", "jti", "https://sts.amazonaws.com/"]
    assert discovery["subject_types_supported"] == ["public"]
    _, keys = fetch(house, discovery["jwks_uri"])
    assert sorted((key["kty"], key["alg"], key["use"]) for key in keys["keys"]) == [
        ("EC", "ES384", "sig"),
        ("RSA", "RS256", "sig"),
    ]


def test_internal_paths_without_issuers_answer_nothing():
    paths = InternalPaths("1", {}, lambda: None, None)  # type: ignore[arg-type,return-value] # metrics are not asked for
    answer = paths(Request("GET", "/_garrison/issuers/x/.well-known/jwks.json"), Call(source_ip="127.0.0.1"))
    assert answer is not None
    assert answer.status == 404
