"""Reports on last access. Expected: IAM API Reference, the operations' own pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.identity.iam import access_jobs, due, trail_uses
from tests.support.iam import ACCOUNT, NOW, TRUST_EC2, Cloud
from tests.support.inprocess import InProcess, between

KMS_AND_S3 = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:*","s3:Get*"],"Resource":"*"}]}'
IAM = f"arn:aws:iam::{ACCOUNT}"


@pytest.fixture
def peopled(cloud: Cloud) -> Cloud:
    """Users ann and bob in the group crew, and a role; the group and the role have a policy."""
    cloud.create_policy(policy_name="some", policy_document=KMS_AND_S3)
    cloud.create_group(group_name="crew")
    cloud.attach_group_policy(group_name="crew", policy_arn=f"{IAM}:policy/some")
    for name in ("ann", "bob"):
        cloud.create_user(user_name=name)
        cloud.add_user_to_group(group_name="crew", user_name=name)
    cloud.create_role(role_name="work", path="/a/", assume_role_policy_document=TRUST_EC2)
    cloud.attach_role_policy(role_name="work", policy_arn=f"{IAM}:policy/some")
    return cloud


def by_user(cloud: Cloud, name: str) -> dict[str, Any]:
    return {"type": "IAMUser", "principalId": cloud.get_user(user_name=name).user.user_id, "accountId": ACCOUNT}


def by_role(cloud: Cloud, name: str) -> dict[str, Any]:
    role_id = cloud.get_role(role_name=name).role.role_id
    issuer = {"type": "Role", "principalId": role_id, "arn": "", "accountId": ACCOUNT}
    return {"type": "AssumedRole", "principalId": f"{role_id}:me", "sessionContext": {"sessionIssuer": issuer}}


def report(cloud: Cloud, arn: str, granularity: str | None = None) -> Any:
    job = cloud.generate_service_last_accessed_details(arn=arn, granularity=granularity).job_id
    cloud.make_reports()
    return cloud.get_service_last_accessed_details(job_id=job)


def test_a_user(peopled: Cloud):
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", NOW + 10, "eu-west-1")
    peopled.happened(by_user(peopled, "ann"), "kms:Decrypt", NOW + 30, "eu-central-1")
    peopled.happened(by_user(peopled, "bob"), "kms:Decrypt", NOW + 50)
    peopled.happened(by_user(peopled, "ann"), "ec2:RunInstances", NOW + 60)
    found = report(peopled, f"{IAM}:user/ann")
    assert (found.job_status, found.job_type, found.error) == ("COMPLETED", "SERVICE_LEVEL", None)
    kms, s3 = found.services_last_accessed
    assert (kms.service_namespace, kms.service_name) == ("kms", "AWS Key Management Service")
    assert (kms.last_authenticated, kms.last_authenticated_region) == (NOW + 30, "eu-central-1")
    assert (kms.last_authenticated_entity, kms.total_authenticated_entities) == (f"{IAM}:user/ann", 1)
    assert kms.tracked_actions_last_accessed is None
    assert (s3.service_namespace, s3.last_authenticated, s3.total_authenticated_entities) == ("s3", None, 0)
    assert s3.last_authenticated_entity is None


def test_a_group_and_a_policy(peopled: Cloud):
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", NOW + 10)
    peopled.happened(by_user(peopled, "bob"), "kms:Encrypt", NOW + 20)
    peopled.happened(by_role(peopled, "work"), "kms:Encrypt", NOW + 30)
    kms = report(peopled, f"{IAM}:group/crew").services_last_accessed[0]
    assert (kms.last_authenticated, kms.last_authenticated_entity) == (NOW + 20, f"{IAM}:user/bob")
    assert kms.total_authenticated_entities == 2
    kms = report(peopled, f"{IAM}:policy/some").services_last_accessed[0]
    assert (kms.last_authenticated, kms.last_authenticated_entity) == (NOW + 30, f"{IAM}:role/a/work")
    assert kms.total_authenticated_entities == 3
    kms = report(peopled, f"{IAM}:role/a/work").services_last_accessed[0]
    assert (kms.last_authenticated_entity, kms.total_authenticated_entities) == (f"{IAM}:role/a/work", 1)


def test_actions(peopled: Cloud):
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", NOW + 10, "eu-west-1")
    found = report(peopled, f"{IAM}:user/ann", "ACTION_LEVEL")
    assert found.job_type == "ACTION_LEVEL"
    kms, s3 = found.services_last_accessed
    actions = {one.action_name: one for one in kms.tracked_actions_last_accessed}
    assert (actions["Encrypt"].last_accessed_time, actions["Encrypt"].last_accessed_region) == (NOW + 10, "eu-west-1")
    assert actions["Encrypt"].last_accessed_entity == f"{IAM}:user/ann"
    assert (actions["Decrypt"].last_accessed_time, actions["Decrypt"].last_accessed_entity) == (None, None)
    assert {"GetObject", "PutObject"} & {one.action_name for one in s3.tracked_actions_last_accessed} == {"GetObject"}


def test_an_aws_policy(peopled: Cloud):
    arn = "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser"
    peopled.attach_user_policy(user_name="ann", policy_arn=arn)
    peopled.happened(by_user(peopled, "ann"), "kms:ListKeys", NOW + 10)
    peopled.happened(by_user(peopled, "bob"), "kms:ListKeys", NOW + 20)
    kms = next(one for one in report(peopled, arn).services_last_accessed if one.service_namespace == "kms")
    assert (kms.last_authenticated_entity, kms.total_authenticated_entities) == (f"{IAM}:user/ann", 1)


def test_with_entities(peopled: Cloud):
    peopled.happened(by_user(peopled, "bob"), "kms:Encrypt", NOW + 10)
    peopled.happened(by_role(peopled, "work"), "kms:Encrypt", NOW + 20)
    job = peopled.generate_service_last_accessed_details(arn=f"{IAM}:policy/some").job_id
    asked = {"job_id": job, "service_namespace": "kms"}
    assert peopled.get_service_last_accessed_details_with_entities(**asked).entity_details_list == []
    peopled.make_reports()
    found = peopled.get_service_last_accessed_details_with_entities(**asked)
    assert [(one.entity_info.name, one.entity_info.type, one.last_authenticated) for one in found.entity_details_list] == [
        ("work", "ROLE", NOW + 20),
        ("bob", "USER", NOW + 10),
        ("ann", "USER", None),
    ]
    role = found.entity_details_list[0].entity_info
    assert (role.arn, role.path, role.id[:4]) == (f"{IAM}:role/a/work", "/a/", "AROA")
    first = peopled.get_service_last_accessed_details_with_entities(max_items=2, **asked)
    second = peopled.get_service_last_accessed_details_with_entities(max_items=2, marker=first.marker, **asked)
    assert [one.entity_info.name for one in second.entity_details_list] == ["ann"]
    with pytest.raises(api.InvalidInputException):
        peopled.get_service_last_accessed_details_with_entities(job_id=job, service_namespace="no-such")


def test_only_who_asked_reads_a_report(peopled: Cloud):
    """Not another user with the same permissions, and not another session of the same role."""
    peopled.as_user("ann")
    job = peopled.generate_service_last_accessed_details(arn=f"{IAM}:user/ann").job_id
    assert peopled.get_service_last_accessed_details(job_id=job).job_status == "IN_PROGRESS"
    assert peopled.generate_service_last_accessed_details(arn=f"{IAM}:user/ann").job_id == job, "it is under way"
    peopled.as_user("bob")
    for call, more in (
        (peopled.get_service_last_accessed_details, {}),
        (peopled.get_service_last_accessed_details_with_entities, {"service_namespace": "kms"}),
        (peopled.get_organizations_access_report, {}),
    ):
        with pytest.raises(api.NoSuchEntityException, match=job):
            call(job_id=job, **more)


@pytest.mark.parametrize(
    ("arn", "error"),
    [
        ("no ARN", (api.InvalidInputException, CommonError)),
        ("arn:aws:iam::123456789012:user/nobody", api.NoSuchEntityException),
        ("arn:aws:iam::123456789012:group/nobody", api.NoSuchEntityException),
        ("arn:aws:iam::123456789012:role/nobody", api.NoSuchEntityException),
        ("arn:aws:iam::123456789012:policy/nobody", api.NoSuchEntityException),
        ("arn:aws:iam::aws:policy/nobody", api.NoSuchEntityException),
        ("arn:aws:iam::210987654321:user/ann", api.InvalidInputException),
        ("arn:aws:iam::210987654321:policy/some", api.NoSuchEntityException),
        ("arn:aws:kms:eu-central-1:123456789012:key/some", api.InvalidInputException),
    ],
)
def test_what_no_report_is_made_on(peopled: Cloud, arn: str, error: Any):
    with pytest.raises(error):
        peopled.generate_service_last_accessed_details(arn=arn)
    assert peopled.targets[0].arn == arn


def test_another_accounts_policy_tells_nothing(peopled: Cloud):
    other = Cloud("210987654321", store=peopled.store, sealer=peopled.sealer)
    other.create_policy(policy_name="theirs", policy_document=KMS_AND_S3)
    with pytest.raises(api.NoSuchEntityException):
        peopled.generate_service_last_accessed_details(arn="arn:aws:iam::210987654321:policy/theirs")


def test_an_identity_that_is_gone_meanwhile(peopled: Cloud):
    peopled.create_user(user_name="late")
    job = peopled.generate_service_last_accessed_details(arn=f"{IAM}:user/late").job_id
    peopled.delete_user(user_name="late")
    peopled.make_reports()
    found = peopled.get_service_last_accessed_details(job_id=job)
    assert (found.job_status, found.error.code, found.services_last_accessed) == ("FAILED", "NoSuchEntity", [])


def test_a_user_made_again_has_not_done_what_the_first_one_did(peopled: Cloud):
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", NOW + 10)
    report(peopled, f"{IAM}:user/ann")
    peopled.remove_user_from_group(group_name="crew", user_name="ann")
    peopled.delete_user(user_name="ann")
    peopled.create_user(user_name="ann")
    peopled.add_user_to_group(group_name="crew", user_name="ann")
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated is None


def test_whose_calls_count(peopled: Cloud):
    """Root's and strangers' do not; of what no policy decided the operation's own name does."""
    ann = by_user(peopled, "ann")
    peopled.happened({"type": "Root", "principalId": ACCOUNT, "accountId": ACCOUNT}, "kms:ListKeys", NOW + 50)
    peopled.happened({"type": "AWSAccount", "accountId": "anonymous"}, "kms:ListKeys", NOW + 60)
    peopled.happened({"type": "AWSService", "invokedBy": "kms.amazonaws.com"}, "kms:RotateKey", NOW + 70)
    peopled.happened(ann, "kms:ListKeys", NOW + 10, decision="null")
    issuer = {"type": "IAMUser", "principalId": ann["principalId"]}
    peopled.happened({"type": "FederatedUser", "sessionContext": {"sessionIssuer": issuer}}, "kms:Sign", NOW + 20)
    found = report(peopled, f"{IAM}:user/ann", "ACTION_LEVEL").services_last_accessed[0]
    tried = {one.action_name: one.last_accessed_time for one in found.tracked_actions_last_accessed if one.last_accessed_time}
    assert tried == {"ListKeys": NOW + 10, "Sign": NOW + 20}


def test_the_trail_is_gone_through_once_and_the_newest_stays(peopled: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trail_uses, "AT_ONCE", 2)
    monkeypatch.setattr(trail_uses, "BEHIND", 2)
    ann = by_user(peopled, "ann")
    for number in range(7):
        peopled.happened(ann, "kms:Encrypt", NOW + 100 - number)
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated == NOW + 100
    peopled.happened(ann, "kms:Encrypt", NOW + 5)
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated == NOW + 100
    peopled.happened(ann, "kms:Encrypt", NOW + 500)
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated == NOW + 500


def test_what_is_no_record_is_passed_over(peopled: Cloud):
    with peopled.store.writing() as tx:
        tx.run(
            "INSERT INTO audit_event (chain, seq, hash, event_time, event_id, request_id, event_source, event_name, account, region,"
            " user_name, access_key_id, read_only, error_code, record, decision)"
            " VALUES ('x', 1, ?, 1, 'x', '', '', '', ?, '', '', '', 1, '', 'no JSON', 'no JSON')",
            *(b"", ACCOUNT),
        )
    peopled.store.commit()
    peopled.happened({**by_user(peopled, "ann")}, "kms:Encrypt", NOW + 10, decision="no JSON")
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated == NOW + 10


def test_reports_are_not_kept_for_ever(peopled: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(access_jobs, "PER_ACCOUNT", 3)
    arns = [f"{IAM}:user/ann", f"{IAM}:user/bob", f"{IAM}:group/crew", f"{IAM}:policy/some"]
    jobs = [peopled.generate_service_last_accessed_details(arn=arn).job_id for arn in arns]
    assert peopled.row("SELECT COUNT(*) FROM iam_access_job") == (3,)
    with pytest.raises(api.NoSuchEntityException):
        peopled.get_service_last_accessed_details(job_id=jobs[0])
    peopled.make_reports()
    peopled.now += 2 * 86_400
    peopled.generate_service_last_accessed_details(arn=arns[0])
    peopled.make_reports()
    assert peopled.row("SELECT COUNT(*) FROM iam_access_job") == (1,)


def test_services_in_pages(peopled: Cloud):
    peopled.attach_user_policy(user_name="ann", policy_arn="arn:aws:iam::aws:policy/AdministratorAccess")
    job = peopled.generate_service_last_accessed_details(arn=f"{IAM}:user/ann").job_id
    peopled.make_reports()
    seen: list[str] = []
    marker = None
    while True:
        page = peopled.get_service_last_accessed_details(job_id=job, max_items=200, marker=marker)
        seen += [one.service_namespace for one in page.services_last_accessed]
        marker = page.marker
        if marker is None:
            break
    assert seen == sorted(set(seen))
    assert len(seen) > 400


def test_policies_granting_service_access(peopled: Cloud):
    own = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}]})
    peopled.put_user_policy(user_name="ann", policy_name="own", policy_document=own)
    peopled.put_group_policy(group_name="crew", policy_name="theirs", policy_document=own)
    found = peopled.list_policies_granting_service_access(arn=f"{IAM}:user/ann", service_namespaces=["kms", "s3", "ec2"])
    kms, s3, ec2 = found.policies_granting_service_access
    managed = api.PolicyGrantingServiceAccess(policy_name="some", policy_type="MANAGED", policy_arn=f"{IAM}:policy/some")
    assert kms.policies == [
        api.PolicyGrantingServiceAccess(policy_name="own", policy_type="INLINE", entity_type="USER", entity_name="ann"),
        api.PolicyGrantingServiceAccess(policy_name="theirs", policy_type="INLINE", entity_type="GROUP", entity_name="crew"),
        managed,
    ]
    assert (s3.service_namespace, s3.policies) == ("s3", [managed])
    assert (ec2.service_namespace, ec2.policies) == ("ec2", [])
    of_role = peopled.list_policies_granting_service_access(arn=f"{IAM}:role/a/work", service_namespaces=["kms"])
    assert of_role.policies_granting_service_access[0].policies == [managed]
    with pytest.raises(api.NoSuchEntityException):
        peopled.list_policies_granting_service_access(arn=f"{IAM}:user/nobody", service_namespaces=["kms"])
    with pytest.raises(api.InvalidInputException):
        peopled.list_policies_granting_service_access(arn=f"{IAM}:policy/some", service_namespaces=["kms"])


def test_out_of_the_real_trail():
    """Calls as clients make them, refused ones too: what the trail has of them is what the report says."""
    house = InProcess()
    try:
        allowed = {"Effect": "Allow", "Action": ["iam:GetUser", "kms:*"], "Resource": "*"}
        ann = house.new_user("ann", allowed)
        assert house.iam("GetUser", ann).status == 200
        assert house.iam("ListUsers", ann).status == 403
        arn = f"arn:aws:iam::{house.account}:user/ann"
        job = between(house.iam("GenerateServiceLastAccessedDetails", Arn=arn, Granularity="ACTION_LEVEL").body.decode(), "JobId")
        house.worker.tick()
        text = house.iam("GetServiceLastAccessedDetails", JobId=job).body.decode()
        assert between(text, "JobStatus") == "COMPLETED"
        services = {between(part, "ServiceNamespace"): part for part in text.split("<TotalAuthenticatedEntities>")}
        assert arn in services["iam"]
        assert "LastAuthenticated" not in services["kms"].partition("<ServiceNamespace>kms")[2]
        action = next(part for part in text.split("<member>") if between(part, "ActionName") == "GetUser")
        assert between(action, "LastAccessedEntity") == arn
    finally:
        house.close()


def test_two_processes_make_one_report(peopled: Cloud):
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", NOW + 10)
    job = peopled.generate_service_last_accessed_details(arn=f"{IAM}:user/ann").job_id
    while (seen := due._next(peopled.store, peopled.now, peopled.now)) is not None:
        for _ in range(2):
            due._do(peopled.store, *seen)
            peopled.store.commit()
    found = peopled.get_service_last_accessed_details(job_id=job)
    assert (found.job_status, found.services_last_accessed[0].last_authenticated) == ("COMPLETED", NOW + 10)


def test_four_hundred_days_are_tracked(peopled: Cloud):
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", peopled.now - 401 * 86_400)
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated is None
    peopled.happened(by_user(peopled, "ann"), "kms:Encrypt", peopled.now - 399 * 86_400)
    assert report(peopled, f"{IAM}:user/ann").services_last_accessed[0].last_authenticated is not None
