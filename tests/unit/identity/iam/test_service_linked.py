"""Service-linked roles. Expected texts: AWS's answers as publicly recorded."""

from __future__ import annotations

import json

import pytest

from garrison.api import iam as api
from garrison.identity.iam import managed
from garrison.identity.iam.service_linked import SERVICES
from tests.support.iam import ACCOUNT, ALLOW_ALL, TRUST_EC2, Cloud, decoded

BEANSTALK = "elasticbeanstalk.amazonaws.com"
NO_SUFFIX = (
    "ops.apigateway emrwal ops.emr-serverless iotmanagedintegrations wafv2 m2 opsdatasync.ssm resource-explorer-2 codestar-notifications"
    " appmesh waf elasticbeanstalk replication.ecr redshift rds kafka emr-containers pullthroughcache.ecr imagebuilder eks-nodegroup"
    " accountdiscovery.ssm ssm-incidents ecr sso lex repository.sync.codeconnections cks.kms cloudtrail opensearchservice"
    " ec2-instance-connect elasticfilesystem replication.cassandra autoscaling-plans ec2.application-autoscaling backup"
)
"""Services for which AWS was recorded to refuse a suffix."""


def test_create(cloud: Cloud):
    role = cloud.create_service_linked_role(aws_service_name=BEANSTALK, description="ours").role
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{BEANSTALK}/AWSServiceRoleForElasticBeanstalk"
    assert (role.role_name, role.arn) == ("AWSServiceRoleForElasticBeanstalk", arn)
    assert cloud.targets[0].arn == arn
    assert cloud.keys == {"iam:AWSServiceName": BEANSTALK}
    assert decoded(role.assume_role_policy_document)["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": [BEANSTALK]}, "Action": ["sts:AssumeRole"]}
    ]
    (attached,) = cloud.list_attached_role_policies(role_name=role.role_name).attached_policies
    assert attached.policy_arn == "arn:aws:iam::aws:policy/aws-service-role/AWSElasticBeanstalkServiceRolePolicy"
    assert cloud.get_role(role_name=role.role_name).role.description == "ours"


def test_once_an_account(cloud: Cloud):
    cloud.create_service_linked_role(aws_service_name=BEANSTALK)
    with pytest.raises(api.InvalidInputException) as caught:
        cloud.create_service_linked_role(aws_service_name=BEANSTALK)
    assert caught.value.message == (
        "Service role name AWSServiceRoleForElasticBeanstalk has been taken in this account, please try a different suffix."
    )


def test_a_suffix_where_it_is_allowed(cloud: Cloud):
    role = cloud.create_service_linked_role(aws_service_name="autoscaling.amazonaws.com", custom_suffix="team").role
    assert role.role_name == "AWSServiceRoleForAutoScaling_team"


@pytest.mark.parametrize("service", NO_SUFFIX.split())
def test_a_suffix_where_it_is_not(cloud: Cloud, service: str):
    with pytest.raises(api.InvalidInputException) as caught:
        cloud.create_service_linked_role(aws_service_name=f"{service}.amazonaws.com", custom_suffix="x")
    assert caught.value.message == f"Custom suffix is not allowed for {service}.amazonaws.com"


@pytest.mark.parametrize("service", SERVICES)
def test_every_services_policy_is_aws_own(cloud: Cloud, service: str):
    assert managed.find(f"arn:aws:iam::aws:policy/aws-service-role/{SERVICES[service].policy}")
    assert cloud.create_service_linked_role(aws_service_name=service).role.path == f"/aws-service-role/{service}/"


def test_a_service_that_is_not_known(cloud: Cloud):
    with pytest.raises(api.InvalidInputException):
        cloud.create_service_linked_role(aws_service_name="nothing.amazonaws.com")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("delete_role", {}),
        ("attach_role_policy", {"policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        ("detach_role_policy", {"policy_arn": "arn:aws:iam::aws:policy/aws-service-role/AWSElasticBeanstalkServiceRolePolicy"}),
        ("put_role_policy", {"policy_name": "p", "policy_document": ALLOW_ALL}),
        ("delete_role_policy", {"policy_name": "p"}),
        ("update_assume_role_policy", {"policy_document": TRUST_EC2}),
        ("update_role", {"max_session_duration": 7200}),
        ("put_role_permissions_boundary", {"permissions_boundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        ("delete_role_permissions_boundary", {}),
        ("tag_role", {"tags": []}),
        ("untag_role", {"tag_keys": []}),
    ],
)
def test_nobody_else_changes_it(cloud: Cloud, operation: str, members: dict[str, object]):
    name = cloud.create_service_linked_role(aws_service_name=BEANSTALK).role.role_name
    with pytest.raises(api.UnmodifiableEntityException) as caught:
        getattr(cloud, operation)(role_name=name, **members)
    assert (
        caught.value.message
        == f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    )


def test_its_description_may_be_changed(cloud: Cloud):
    name = cloud.create_service_linked_role(aws_service_name=BEANSTALK).role.role_name
    cloud.update_role_description(role_name=name, description="one")
    cloud.update_role(role_name=name, description="two")
    assert cloud.get_role(role_name=name).role.description == "two"


def test_delete_and_its_status(cloud: Cloud):
    role = cloud.create_service_linked_role(aws_service_name=BEANSTALK).role
    task = cloud.delete_service_linked_role(role_name=role.role_name).deletion_task_id
    assert task.startswith(f"task/aws-service-role/{BEANSTALK}/{role.role_name}/")
    assert cloud.touched == [("role", role.role_id)]
    assert cloud.get_service_linked_role_deletion_status(deletion_task_id=task).status == "SUCCEEDED"
    assert cloud.targets[0].arn == role.arn
    with pytest.raises(api.NoSuchEntityException):
        cloud.get_role(role_name=role.role_name)
    assert cloud.row("SELECT COUNT(*) FROM iam_attachment") == (0,)
    assert cloud.create_service_linked_role(aws_service_name=BEANSTALK)


def test_what_is_not_service_linked(cloud: Cloud):
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    for name in ("work", "nobody"):
        with pytest.raises(api.NoSuchEntityException):
            cloud.delete_service_linked_role(role_name=name)
    with pytest.raises(api.NoSuchEntityException):
        cloud.get_service_linked_role_deletion_status(deletion_task_id="task/aws-service-role/x/y/z")
    assert json.loads(TRUST_EC2)
