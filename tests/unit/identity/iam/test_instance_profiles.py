"""Instance profiles. Expected texts: AWS's answers as publicly reported by users of Terraform, iamy and cloud-nuke."""

from __future__ import annotations

import json

import pytest

from garrison.api import iam as api
from garrison.identity.iam import instance_profiles
from tests.support.iam import ACCOUNT, NOW, TRUST_EC2, Cloud, decoded, tags
from tests.support.inprocess import InProcess

ARN = f"arn:aws:iam::{ACCOUNT}:instance-profile"


@pytest.fixture
def roled(cloud: Cloud) -> Cloud:
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    cloud.create_instance_profile(instance_profile_name="Web", path="/team/")
    return cloud


def test_create_get_list_delete(cloud: Cloud):
    made = cloud.create_instance_profile(instance_profile_name="Web", tags=tags(team="blue")).instance_profile
    assert (made.instance_profile_name, made.path, made.arn) == ("Web", "/", f"{ARN}/Web")
    assert made.instance_profile_id.startswith("AIPA")
    assert len(made.instance_profile_id) == 21
    assert (made.create_date, made.roles, made.tags) == (NOW + 1, [], tags(team="blue"))
    assert cloud.get_instance_profile(instance_profile_name="web").instance_profile == made
    assert cloud.targets[0].tags == {"team": "blue"}
    (listed,) = cloud.list_instance_profiles().instance_profiles
    assert (listed.arn, listed.tags) == (made.arn, None)
    cloud.delete_instance_profile(instance_profile_name="Web")
    assert cloud.items[0].deleted
    assert cloud.list_instance_profiles().instance_profiles == []
    assert cloud.create_instance_profile(instance_profile_name="Web").instance_profile.tags == [], "a new one inherits no tags"


def test_names_are_unique_regardless_of_case(cloud: Cloud):
    cloud.create_instance_profile(instance_profile_name="Web")
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^Instance Profile WEB already exists\.$"):
        cloud.create_instance_profile(instance_profile_name="WEB")


@pytest.mark.parametrize(
    "operation",
    ["get_instance_profile", "delete_instance_profile", "list_instance_profile_tags"],
)
def test_a_profile_that_is_not_there(cloud: Cloud, operation: str):
    with pytest.raises(api.NoSuchEntityException, match=r"^Instance Profile nobody cannot be found\.$"):
        getattr(cloud, operation)(instance_profile_name="nobody")
    assert cloud.targets[0].arn == f"{ARN}/nobody"


def test_changes_to_a_profile_that_is_not_there(cloud: Cloud):
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    for call, members in (
        (cloud.add_role_to_instance_profile, {"role_name": "work"}),
        (cloud.remove_role_from_instance_profile, {"role_name": "work"}),
        (cloud.tag_instance_profile, {"tags": tags(a="b")}),
        (cloud.untag_instance_profile, {"tag_keys": ["a"]}),
    ):
        with pytest.raises(api.NoSuchEntityException, match="Instance Profile nobody cannot be found"):
            call(instance_profile_name="nobody", **members)


def test_a_profile_holds_one_role(roled: Cloud):
    roled.add_role_to_instance_profile(instance_profile_name="web", role_name="Work")
    assert {(item.type, item.name) for item in roled.items} == {
        ("AWS::IAM::InstanceProfile", "Web"),
        ("AWS::IAM::Role", "work"),
    }
    (role,) = roled.get_instance_profile(instance_profile_name="Web").instance_profile.roles
    assert (role.role_name, role.arn) == ("work", f"arn:aws:iam::{ACCOUNT}:role/work")
    assert decoded(role.assume_role_policy_document) == json.loads(TRUST_EC2)
    for again in ("work", "other"):
        if again == "other":
            roled.create_role(role_name="other", assume_role_policy_document=TRUST_EC2)
        with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1$"):
            roled.add_role_to_instance_profile(instance_profile_name="Web", role_name=again)
    with pytest.raises(api.NoSuchEntityException, match="The role with name other cannot be found"):
        roled.remove_role_from_instance_profile(instance_profile_name="Web", role_name="other")
    roled.remove_role_from_instance_profile(instance_profile_name="Web", role_name="work")
    assert roled.get_instance_profile(instance_profile_name="Web").instance_profile.roles == []


def test_roles_that_cannot_be_added(roled: Cloud):
    with pytest.raises(api.NoSuchEntityException, match="The role with name nobody cannot be found"):
        roled.add_role_to_instance_profile(instance_profile_name="Web", role_name="nobody")
    roled.create_service_linked_role(aws_service_name="elasticbeanstalk.amazonaws.com")
    with pytest.raises(api.UnmodifiableEntityException):
        roled.add_role_to_instance_profile(instance_profile_name="Web", role_name="AWSServiceRoleForElasticBeanstalk")


def test_what_is_in_use_is_not_deleted(roled: Cloud):
    roled.add_role_to_instance_profile(instance_profile_name="Web", role_name="work")
    refusal = r"^Cannot delete entity, must remove roles from instance profile first\.$"
    with pytest.raises(api.DeleteConflictException, match=refusal):
        roled.delete_instance_profile(instance_profile_name="Web")
    with pytest.raises(api.DeleteConflictException, match=refusal):
        roled.delete_role(role_name="work")
    roled.remove_role_from_instance_profile(instance_profile_name="Web", role_name="work")
    roled.delete_role(role_name="work")
    roled.delete_instance_profile(instance_profile_name="Web")


def test_the_profiles_of_a_role(roled: Cloud):
    roled.create_instance_profile(instance_profile_name="another")
    for name in ("Web", "another"):
        roled.add_role_to_instance_profile(instance_profile_name=name, role_name="work")
    first = roled.list_instance_profiles_for_role(role_name="work", max_items=1)
    second = roled.list_instance_profiles_for_role(role_name="work", max_items=1, marker=first.marker)
    names = [profile.instance_profile_name for page in (first, second) for profile in page.instance_profiles]
    assert (names, first.is_truncated, second.is_truncated) == (["another", "Web"], True, False)
    assert roled.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:role/work"
    with pytest.raises(api.NoSuchEntityException, match="The role with name nobody cannot be found"):
        roled.list_instance_profiles_for_role(role_name="nobody")


def test_lists_by_path_and_in_pages(roled: Cloud):
    for name in ("a", "b", "c"):
        roled.create_instance_profile(instance_profile_name=name)
    team = roled.list_instance_profiles(path_prefix="/team/").instance_profiles
    assert [profile.arn for profile in team] == [f"{ARN}/team/Web"]
    assert roled.targets[0].arn == f"{ARN}/team/"
    seen, marker = [], None
    for _ in range(2):
        page = roled.list_instance_profiles(max_items=2, marker=marker)
        seen += [profile.instance_profile_name for profile in page.instance_profiles]
        marker = page.marker
    assert (seen, marker) == (["a", "b", "c", "Web"], None)


def test_tags_by_case(roled: Cloud):
    """Keys of tags are told apart by case on everything but users and roles (IAM User Guide, "Tags for IAM resources")."""
    roled.tag_instance_profile(instance_profile_name="Web", tags=tags(team="blue", Team="red"))
    assert roled.list_instance_profile_tags(instance_profile_name="Web").tags == tags(Team="red", team="blue")
    roled.untag_instance_profile(instance_profile_name="Web", tag_keys=["team"])
    assert roled.list_instance_profile_tags(instance_profile_name="Web").tags == tags(Team="red")
    with pytest.raises(api.InvalidInputException, match=r"^Duplicate tag keys found\.$"):
        roled.tag_instance_profile(instance_profile_name="Web", tags=[*tags(a="1"), *tags(a="2")])


def test_quota(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instance_profiles, "PROFILES_PER_ACCOUNT", 1)
    cloud.create_instance_profile(instance_profile_name="a")
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for InstanceProfilesPerAccount: 1$"):
        cloud.create_instance_profile(instance_profile_name="b")


def test_authorization_details_know_them(roled: Cloud):
    roled.add_role_to_instance_profile(instance_profile_name="Web", role_name="work")
    (role,) = roled.get_account_authorization_details(filter=["Role"]).role_detail_list
    (profile,) = role.instance_profile_list
    assert (profile.arn, [one.arn for one in profile.roles]) == (f"{ARN}/team/Web", [role.arn])


def test_a_role_renewed_under_its_name_is_in_no_profile(roled: Cloud):
    """What hangs on a name could be had by whoever makes that name again."""
    roled.add_role_to_instance_profile(instance_profile_name="Web", role_name="work")
    roled.remove_role_from_instance_profile(instance_profile_name="Web", role_name="work")
    roled.delete_role(role_name="work")
    roled.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    assert roled.list_instance_profiles_for_role(role_name="work").instance_profiles == []


ALL_BUT_PASSING = {"Effect": "Allow", "Action": "iam:*InstanceProfile*", "Resource": "*"}


def passing(**condition: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition}


def test_a_role_is_passed_only_by_who_may_pass_it():
    """The way up to an administrator's role: put it into a profile of one's own instance."""
    house = InProcess()
    try:
        assert house.iam("CreateRole", RoleName="admin-role", AssumeRolePolicyDocument=TRUST_EC2).status == 200
        assert house.iam("CreateInstanceProfile", InstanceProfileName="web").status == 200
        without = house.new_user("without", ALL_BUT_PASSING)
        elsewhere = house.new_user(
            "elsewhere", ALL_BUT_PASSING, passing(StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})
        )
        instance = f"arn:aws:ec2:*:{house.account}:instance/*"
        allowed = house.new_user(
            "allowed",
            ALL_BUT_PASSING,
            passing(StringEquals={"iam:PassedToService": "ec2.amazonaws.com"}, ArnLike={"iam:AssociatedResourceArn": instance}),
        )
        named = {"InstanceProfileName": "web", "RoleName": "admin-role"}
        for stranger in (without, elsewhere):
            denied = house.iam("AddRoleToInstanceProfile", stranger, **named)
            assert denied.status == 403
            role = f"arn:aws:iam::{house.account}:role/admin-role"
            assert f"perform: iam:PassRole on resource: {role} because" in denied.body.decode()
        assert house.iam("AddRoleToInstanceProfile", allowed, **named).status == 200
    finally:
        house.close()
