"""Every type of policy in a case, as the IAM User Guide says that they act together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.case_files import allow, deny, policy

USER = "arn:aws:iam::111122223333:user/ann"
ROLE = "arn:aws:iam::111122223333:role/team/deploy"
BUCKET = "arn:aws:s3:::app/x"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING = policy(allow("*"))


def case(**more: Any) -> str:
    """A file of one test, which is JSON and so YAML too."""
    test = {"principal": USER, "action": "s3:GetObject", "resource": BUCKET, "expect": "allowed", **more}
    return json.dumps({"tests": [test]})


@pytest.fixture
def decided(folder: Any) -> Any:
    """The answer to a case, as JSON."""

    def decide(**more: Any) -> Any:
        done = folder.test(folder.write("cases.yaml", case(**more)), "--json")
        assert done.exit_code in {0, 1}, done.output
        (answer,) = json.loads(done.stdout)
        return answer

    return decide


def test_a_boundary_and_a_session_policy_limit(decided: Any):
    small = policy(allow("s3:Put*"))
    assert decided(identity=EVERYTHING)["outcome"] == "allowed"
    by_boundary = decided(identity=EVERYTHING, boundary=small)
    assert (by_boundary["outcome"], by_boundary["decidedBy"]) == ("implicitDeny", "permissions boundary")
    by_session = decided(principal=ROLE, identity=EVERYTHING, session=[small])
    assert (by_session["outcome"], by_session["decidedBy"]) == ("implicitDeny", "session policy")
    assert decided(principal=ROLE, identity=EVERYTHING, session=[small, policy(allow("s3:Get*"))])["outcome"] == "allowed"


def test_each_level_of_scps_must_allow(decided: Any):
    full = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    assert decided(identity=EVERYTHING, scps=[full, full])["outcome"] == "allowed"
    assert decided(identity=EVERYTHING, scps=[[full, policy(deny("s3:Delete*"))], full])["outcome"] == "allowed"
    denied = decided(identity=EVERYTHING, scps=[full, [full, policy(deny("s3:Get*"))]])
    assert (denied["outcome"], denied["decidedBy"]) == ("explicitDeny", "service control policy")
    none = decided(identity=EVERYTHING, scps=[full, policy(allow("ec2:*"))])
    assert (none["outcome"], none["decidedBy"]) == ("implicitDeny", "service control policy")
    assert decided(identity=EVERYTHING, scps=["FullAWSAccess"])["outcome"] == "allowed"


def test_scps_bind_the_root_user_and_no_service_linked_role(decided: Any):
    forbids = policy(deny("s3:*"))
    root = decided(principal="111122223333", scps=[["FullAWSAccess", forbids]])
    assert (root["outcome"], root["decidedBy"]) == ("explicitDeny", "service control policy")
    assert decided(principal="111122223333")["outcome"] == "allowed"
    linked = "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"
    answer = decided(principal=linked, identity=EVERYTHING, scps=[["FullAWSAccess", forbids]])
    assert answer["outcome"] == "allowed"
    assert answer["assumed"] == ["control policies do not bind service-linked roles"]
    disguised = "arn:aws:iam::111122223333:role/x:role/aws-service-role/x.amazonaws.com/mine"
    assert decided(principal=disguised, identity=EVERYTHING, scps=[["FullAWSAccess", forbids]])["outcome"] == "explicitDeny"


def test_rcps_deny_and_everything_else_is_allowed_at_each_level(decided: Any):
    """RCPFullAWSAccess is attached everywhere and cannot be taken away."""
    only_own = policy(
        {**deny("s3:*"), "Principal": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalAccount": "111122223333"}}}
    )
    assert decided(identity=EVERYTHING, rcps=[only_own])["outcome"] == "allowed"
    everyone = policy({**allow("s3:GetObject", "arn:aws:s3:::app/*"), "Principal": "*"})
    foreign = decided(
        principal="arn:aws:iam::444455556666:user/eve",
        identity=EVERYTHING,
        resource_policy=everyone,
        resource_account="111122223333",
        rcps=[only_own],
    )
    assert (foreign["outcome"], foreign["decidedBy"]) == ("explicitDeny", "resource control policy")


def test_across_accounts_both_sides_must_allow(decided: Any):
    bucket = policy({**allow("s3:GetObject", "arn:aws:s3:::app/*"), "Principal": {"AWS": "arn:aws:iam::444455556666:root"}})
    foreign = {"principal": "arn:aws:iam::444455556666:user/eve", "resource_account": "111122223333"}
    assert decided(**foreign, identity=EVERYTHING, resource_policy=bucket)["outcome"] == "allowed"
    assert decided(**foreign, identity=[], resource_policy=bucket)["outcome"] == "implicitDeny"
    alone = decided(**foreign, identity=EVERYTHING)
    assert (alone["outcome"], alone["decidedBy"]) == ("implicitDeny", "resource-based policy")


def test_within_an_account_a_bucket_policy_that_names_the_user_is_enough(decided: Any):
    bucket = policy({**allow("s3:GetObject", "arn:aws:s3:::app/*"), "Principal": {"AWS": USER}})
    answer = decided(identity=[], resource_policies={"arn:aws:s3:::other*": policy(), "arn:aws:s3:::app/*": bucket})
    assert (answer["outcome"], answer["decidedBy"]) == ("allowed", "resource-based policy")


def test_services_and_strangers_have_resource_policies_alone(decided: Any):
    bucket = policy({**allow("s3:GetObject", "arn:aws:s3:::app/*"), "Principal": {"Service": "cloudtrail.amazonaws.com"}})
    assert decided(principal="cloudtrail.amazonaws.com", resource_policy=bucket)["outcome"] == "allowed"
    assert decided(principal="config.amazonaws.com", resource_policy=bucket)["outcome"] == "implicitDeny"
    assert decided(principal="anonymous", resource_policy=bucket)["outcome"] == "implicitDeny"


def test_a_key_policy_decides(folder: Any, decided: Any):
    decrypt = {"action": "kms:Decrypt", "resource": KEY, "identity": policy(allow("kms:Decrypt"))}
    message = folder.refused(case(**decrypt))
    assert message.startswith(f"cases.yaml:1: the key policy of {KEY} decides: name it as `resource_policy`")
    assert decided(**decrypt, resource_policy="default")["outcome"] == "allowed"
    assert decided(**{**decrypt, "identity": []}, resource_policy="default")["outcome"] == "implicitDeny"
    ann = policy({**allow("kms:Decrypt"), "Principal": {"AWS": USER}})
    assert decided(**{**decrypt, "identity": []}, resource_policy=ann)["outcome"] == "allowed"
    other = decided(**decrypt, resource_policy=policy({**allow("kms:*"), "Principal": {"AWS": ROLE}}))
    assert (other["outcome"], other["decidedBy"]) == ("implicitDeny", "resource-based policy")
    message = folder.refused(case(identity=[], resource_policy="default"))
    assert message == "cases.yaml:1: `default` is the policy of a KMS key; name the file"


def test_a_trust_policy_decides_who_assumes_a_role(folder: Any, decided: Any):
    assume = {"action": "sts:AssumeRole", "resource": ROLE, "identity": policy(allow("sts:AssumeRole"))}
    assert "who may assume" in folder.refused(case(**assume))
    trust = policy({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole"})
    assert decided(**assume, resource_policy=trust)["outcome"] == "allowed"
    assert decided(**{**assume, "identity": []}, resource_policy=trust)["outcome"] == "implicitDeny"
    external = {"StringEquals": {"sts:ExternalId": "x"}}
    named = policy({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole", "Condition": external})
    nobody = decided(**{**assume, "identity": []}, resource_policy=named)
    assert (nobody["outcome"], nobody["decidedBy"]) == ("implicitDeny", "role trust policy")
    assert decided(**{**assume, "identity": []}, resource_policy=named, context={"sts:ExternalId": "x"})["outcome"] == "allowed"
    message = folder.refused(case(**{**assume, "action": "iam:GetRole"}, resource_policy=trust))
    assert "can have no policy of its own that speaks of iam:GetRole" in message


def test_whom_an_identity_provider_vouches_for(decided: Any):
    """IAM User Guide, "Create a role for OpenID Connect federation", with GitHub's provider and its condition keys."""
    provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo-org/octo-repo:ref:refs/heads/*"},
            },
        }
    )
    ask = {"principal": provider, "action": "sts:AssumeRoleWithWebIdentity", "resource": ROLE, "resource_policy": trust}

    def token(aud: str, sub: str) -> dict[str, str]:
        prefix = "token.actions.githubusercontent.com"
        return {f"{prefix}:aud": aud, f"{prefix}:sub": sub}

    main = token("sts.amazonaws.com", "repo:octo-org/octo-repo:ref:refs/heads/main")
    assert decided(**ask, context=main)["outcome"] == "allowed"
    for other in (
        token("sts.amazonaws.com", "repo:evil/octo-repo:ref:refs/heads/main"),
        token("https://github.com/octo-org", "repo:octo-org/octo-repo:ref:refs/heads/main"),
        {},
    ):
        answer = decided(**ask, context=other)
        assert (answer["outcome"], answer["decidedBy"]) == ("implicitDeny", "role trust policy")
    another = "arn:aws:iam::111122223333:oidc-provider/gitlab.com"
    assert decided(**{**ask, "principal": another}, context=main)["outcome"] == "implicitDeny"
    assert decided(**{**ask, "principal": "anonymous"}, context=main)["outcome"] == "implicitDeny"


def test_whom_a_saml_provider_vouches_for(decided: Any):
    """IAM User Guide, "Create a role for SAML 2.0 federation": the trust policy that the console makes."""
    provider = "arn:aws:iam::111122223333:saml-provider/ExampleCorp"
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
            "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        }
    )
    ask = {"principal": provider, "action": "sts:AssumeRoleWithSAML", "resource": ROLE, "resource_policy": trust}
    audience = {"SAML:aud": "https://signin.aws.amazon.com/saml"}
    assert decided(**ask, context=audience)["outcome"] == "allowed"
    assert decided(**ask, context={"SAML:aud": "https://evil.example/saml"})["outcome"] == "implicitDeny"
    assert decided(**{**ask, "principal": f"{provider}2"}, context=audience)["outcome"] == "implicitDeny"
    tagged = {**audience, "aws:RequestTag/team": "blue"}
    assert decided(**{**ask, "action": "sts:TagSession"}, context=tagged)["outcome"] == "allowed"
    assert decided(**{**ask, "action": "sts:SetSourceIdentity"}, context=audience)["outcome"] == "implicitDeny"


@pytest.mark.parametrize("provider", ["oidc-provider/token.actions.githubusercontent.com", "saml-provider/ExampleCorp"])
def test_who_comes_from_a_provider_is_no_identity_of_its_account(decided: Any, provider: str):
    """Only the trust policy counts, and what it reads of identities of an account is not there (IAM User Guide, "aws:PrincipalAccount")."""
    arn = f"arn:aws:iam::111122223333:{provider}"
    action = "sts:AssumeRoleWithSAML" if provider.startswith("saml") else "sts:AssumeRoleWithWebIdentity"
    ask = {"principal": arn, "action": action, "resource": ROLE}

    def trust(principal: object, **more: object) -> object:
        return policy({"Effect": "Allow", "Principal": principal, "Action": action, **more})

    assert decided(**ask, identity=EVERYTHING, resource_policy=trust({"AWS": "111122223333"}))["outcome"] == "implicitDeny"
    own = {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}
    answer = decided(**ask, resource_policy=trust({"Federated": arn}, Condition=own))
    assert answer["outcome"] == "implicitDeny"
    assert "aws:PrincipalAccount" in answer["missingKeys"]
    by = {"StringEquals": {"aws:FederatedProvider": arn}}
    assert decided(**ask, resource_policy=trust("*", Condition=by))["outcome"] == "allowed"
    found = decided(**ask, resource_policy=trust({"Federated": arn}), scps=[[policy(deny("sts:*"))]])
    assert found["outcome"] == "allowed", "an account's control policies bind its own identities"


def test_a_role_is_one_of_its_sessions(decided: Any):
    wants = {"ArnEquals": {"aws:PrincipalArn": ROLE}, "StringEquals": {"aws:PrincipalType": "AssumedRole"}}
    assert decided(principal=ROLE, identity=policy(allow("s3:*", Condition=wants)))["outcome"] == "allowed"
    session = "arn:aws:sts::111122223333:assumed-role/deploy/build-7"
    bucket = policy({**allow("s3:GetObject", "arn:aws:s3:::app/*"), "Principal": {"AWS": session}})
    assert decided(principal=session, identity=[], resource_policy=bucket)["outcome"] == "allowed"
    assert decided(principal=ROLE, identity=[], resource_policy=bucket)["outcome"] == "implicitDeny"


def test_a_federated_user_may_nothing_without_a_session_policy(decided: Any):
    federated = "arn:aws:sts::111122223333:federated-user/bob"
    assert decided(principal=federated, identity=EVERYTHING)["outcome"] == "implicitDeny"
    assert decided(principal=federated, identity=EVERYTHING, session=policy(allow("s3:*")))["outcome"] == "allowed"


def test_who_has_no_policy_must_be_said(folder: Any):
    assert "no policy is given: name the identity policies, `identity: []` where there are none" in folder.refused(case())


def test_variables_and_tags_of_the_request(decided: Any):
    own = policy(allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*"))
    assert decided(identity=own, resource="arn:aws:s3:::home/ann/x")["outcome"] == "allowed"
    assert decided(identity=own, resource="arn:aws:s3:::home/bob/x")["outcome"] == "implicitDeny"
    tagged = policy(allow("ec2:RunInstances", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}))
    run = {"action": "ec2:RunInstances", "resource": "arn:aws:ec2:us-east-1:111122223333:instance/*", "identity": tagged}
    assert decided(**run, context={"aws:RequestTag/team": "blue"})["outcome"] == "allowed"
    assert decided(**run, context={"aws:RequestTag/owner": "eve"})["outcome"] == "implicitDeny"
    several = policy(allow("s3:GetObject", Condition={"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}))
    via = {"aws:CalledVia": ["lambda.amazonaws.com", "athena.amazonaws.com"]}
    assert decided(identity=several, context=via)["outcome"] == "allowed"


def test_aws_managed_policies_by_arn(decided: Any):
    read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    answer = decided(identity=[read_only])
    assert answer["outcome"] == "allowed"
    assert answer["decidingStatements"][0]["policy"] == read_only
    assert decided(identity=[read_only], action="s3:PutObject")["outcome"] == "implicitDeny"
    assert decided(identity=EVERYTHING, boundary=read_only, action="s3:PutObject")["decidedBy"] == "permissions boundary"


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::111122223333:user/*",
        "arn:aws:iam::1111:user/ann",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:policy/x",
        "arn:aws:sts::111122223333:assumed-role/x",
        "ann",
        "*",
        "evil.example.com",
        "arn:aws:iam::111122223333:user/" + "a/" * 2000 + "b",
    ],
)
def test_what_is_no_principal(folder: Any, principal: str):
    assert folder.refused(case(principal=principal, identity=[])).startswith("cases.yaml:1: ")
