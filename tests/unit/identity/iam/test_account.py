"""Alias, password policy, summary. Expected answers: AWS's as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import botocore.session
import pytest

from garrison.api import iam as api
from tests.support.certificates import certificate, private_pem, rsa_key
from tests.support.iam import ACCOUNT, ALLOW_ALL, TRUST_EC2, Cloud
from tests.support.idp_saml import certificate as idp_certificate
from tests.support.idp_saml import metadata


def test_one_alias_that_is_replaced(cloud: Cloud):
    assert cloud.list_account_aliases().account_aliases == []
    cloud.create_account_alias(account_alias="first")
    assert cloud.touched == [("account", ACCOUNT)]
    cloud.create_account_alias(account_alias="second")
    assert cloud.items[0].configuration["AccountAlias"] == "second"
    assert cloud.list_account_aliases() == api.ListAccountAliasesResponse(account_aliases=["second"], is_truncated=False)
    cloud.delete_account_alias(account_alias="second")
    assert cloud.list_account_aliases().account_aliases == []


def test_an_alias_that_is_taken(cloud: Cloud):
    other = Cloud("999999999999", cloud.store, cloud.sealer)
    other.create_account_alias(account_alias="security")
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^The account alias security already exists\.$"):
        cloud.create_account_alias(account_alias="security")
    with pytest.raises(api.NoSuchEntityException):
        cloud.delete_account_alias(account_alias="security")
    assert other.list_account_aliases().account_aliases == ["security"]


def test_an_alias_that_reads_like_an_accounts_number(cloud: Cloud):
    """Whoever types the number would come to another account."""
    with pytest.raises(api.InvalidInputException, match="12-digit number"):
        cloud.create_account_alias(account_alias="999999999999")
    cloud.create_account_alias(account_alias="9999999999999")


def test_no_password_policy(cloud: Cloud):
    with pytest.raises(api.NoSuchEntityException) as caught:
        cloud.get_account_password_policy()
    assert caught.value.message == f"The Password Policy with domain name {ACCOUNT} cannot be found."
    with pytest.raises(api.NoSuchEntityException) as caught:
        cloud.delete_account_password_policy()
    assert caught.value.message == "The account policy with name PasswordPolicy cannot be found."


def test_the_defaults_of_an_update(cloud: Cloud):
    cloud.update_account_password_policy(minimum_password_length=None)
    assert cloud.get_account_password_policy().password_policy == api.PasswordPolicy(
        minimum_password_length=6,
        require_symbols=False,
        require_numbers=False,
        require_uppercase_characters=False,
        require_lowercase_characters=False,
        allow_users_to_change_password=False,
        expire_passwords=False,
    )


def test_a_password_policy_of_ones_own(cloud: Cloud):
    cloud.update_account_password_policy(
        minimum_password_length=10,
        require_symbols=True,
        require_numbers=True,
        require_uppercase_characters=True,
        require_lowercase_characters=True,
        allow_users_to_change_password=True,
        max_password_age=60,
        password_reuse_prevention=3,
        hard_expiry=True,
    )
    assert cloud.items[0].configuration["PasswordPolicy"]["minimum_password_length"] == 10
    policy = cloud.get_account_password_policy().password_policy
    assert policy == api.PasswordPolicy(
        minimum_password_length=10,
        require_symbols=True,
        require_numbers=True,
        require_uppercase_characters=True,
        require_lowercase_characters=True,
        allow_users_to_change_password=True,
        expire_passwords=True,
        max_password_age=60,
        password_reuse_prevention=3,
        hard_expiry=True,
    )
    cloud.update_account_password_policy(minimum_password_length=8)
    assert cloud.get_account_password_policy().password_policy.max_password_age is None
    cloud.delete_account_password_policy()
    with pytest.raises(api.NoSuchEntityException):
        cloud.get_account_password_policy()


def test_the_summary(cloud: Cloud):
    cloud.create_user(user_name="bob")
    cloud.create_group(group_name="g")
    cloud.create_role(role_name="r", assume_role_policy_document=TRUST_EC2)
    cloud.create_policy(policy_name="p", policy_document=ALLOW_ALL)
    cloud.create_policy_version(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/p", policy_document=ALLOW_ALL)
    assert cloud.get_account_summary().summary_map == {
        "AccessKeysPerUserQuota": 2,
        "AccountAccessKeysPresent": 0,
        "AccountMFAEnabled": 0,
        "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": 0,
        "AssumeRolePolicySizeQuota": 2048,
        "AttachedPoliciesPerGroupQuota": 10,
        "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10,
        "GlobalEndpointTokenVersion": 1,
        "GroupPolicySizeQuota": 5120,
        "Groups": 1,
        "GroupsPerUserQuota": 10,
        "GroupsQuota": 300,
        "InstanceProfiles": 0,
        "InstanceProfilesQuota": 1000,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "Policies": 1,
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "PolicyVersionsInUse": 2,
        "PolicyVersionsInUseQuota": 10000,
        "Providers": 0,
        "RolePolicySizeQuota": 10240,
        "Roles": 1,
        "RolesQuota": 1000,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 20,
        "SigningCertificatesPerUserQuota": 2,
        "UserPolicySizeQuota": 2048,
        "Users": 1,
        "UsersQuota": 5000,
        "VersionsPerPolicyQuota": 5,
    }
    assert (cloud.targets[0].arn, cloud.targets[0].denied_on) == ("*", "on resource: *")


def test_the_summary_counts_what_else_there_is(cloud: Cloud):
    cloud.create_instance_profile(instance_profile_name="web")
    cloud.upload_signing_certificate(certificate_body=certificate("root", rsa_key()))
    cloud.upload_server_certificate(
        server_certificate_name="site", certificate_body=certificate("site", rsa_key()), private_key=private_pem(rsa_key())
    )
    cloud.create_saml_provider(name="corp", saml_metadata_document=metadata(idp_certificate()[1]))
    cloud.create_open_id_connect_provider(url="https://idp.example.com", thumbprint_list=["a" * 40])
    found = cloud.get_account_summary().summary_map
    wanted = {"InstanceProfiles": 1, "AccountSigningCertificatesPresent": 1, "ServerCertificates": 1, "Providers": 2}
    assert {name: found[name] for name in wanted} == wanted


def test_the_summary_has_every_key_of_the_model(cloud: Cloud):
    model = botocore.session.get_session().get_service_model("iam")
    assert set(cloud.get_account_summary().summary_map) == set(model.shape_for("summaryKeyType").enum)  # type: ignore[attr-defined] # a string
