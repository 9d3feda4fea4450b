"""Service-linked roles: made for an AWS service, with the service's own policy, and changed by nobody else.

Source: IAM User Guide, "Create a service-linked role"; each service's own page for role name and policy.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Keys, Target, operation
from garrison.identity.iam import errors
from garrison.identity.iam.attachments import insert_attachment
from garrison.identity.iam.items import role_changed
from garrison.identity.iam.roles import SESSION_DURATION, insert_role, remove_role, shown_new
from garrison.identity.iam.rows import RoleRow, find_role, iam_arn, role_named
from garrison.identity.iam.targets import Asked, role_target
from garrison.identity.iam.trust import checked_trust


class Linked(NamedTuple):
    """What a service calls its role: ``AWSServiceRoleFor`` and ``name``, with ``policy`` attached."""

    name: str
    policy: str
    suffix: bool = False
    """Whether a custom suffix is allowed: several roles of one service in an account."""


SERVICES = {
    "access-analyzer.amazonaws.com": Linked("AccessAnalyzer", "AccessAnalyzerServiceRolePolicy"),
    "accountdiscovery.ssm.amazonaws.com": Linked("AmazonSSM_AccountDiscovery", "AWSSystemsManagerAccountDiscoveryServicePolicy"),
    "appmesh.amazonaws.com": Linked("AppMesh", "AWSAppMeshServiceRolePolicy"),
    "autoscaling-plans.amazonaws.com": Linked("AutoScalingPlans_EC2AutoScaling", "AWSAutoScalingPlansEC2AutoScalingPolicy"),
    "autoscaling.amazonaws.com": Linked("AutoScaling", "AutoScalingServiceRolePolicy", suffix=True),
    "backup.amazonaws.com": Linked("Backup", "AWSBackupServiceLinkedRolePolicyForBackup"),
    "batch.amazonaws.com": Linked("Batch", "BatchServiceRolePolicy"),
    "cks.kms.amazonaws.com": Linked(
        "KeyManagementServiceCustomKeyStores", "AWSKeyManagementServiceCustomKeyStoresServiceRolePolicy"
    ),
    "cloudtrail.amazonaws.com": Linked("CloudTrail", "CloudTrailServiceRolePolicy"),
    "codestar-notifications.amazonaws.com": Linked("CodeStarNotifications", "AWSCodeStarNotificationsServiceRolePolicy"),
    "config.amazonaws.com": Linked("Config", "AWSConfigServiceRolePolicy"),
    "ec2-instance-connect.amazonaws.com": Linked("Ec2InstanceConnect", "Ec2InstanceConnectEndpoint"),
    "ec2.application-autoscaling.amazonaws.com": Linked(
        "ApplicationAutoScaling_EC2SpotFleetRequest", "AWSApplicationAutoscalingEC2SpotFleetRequestPolicy"
    ),
    "ec2fleet.amazonaws.com": Linked("EC2Fleet", "AWSEC2FleetServiceRolePolicy"),
    "ecr.amazonaws.com": Linked("ECRTemplate", "ECRTemplateServiceRolePolicy"),
    "ecs.amazonaws.com": Linked("ECS", "AmazonECSServiceRolePolicy"),
    "eks-nodegroup.amazonaws.com": Linked("AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
    "eks.amazonaws.com": Linked("AmazonEKS", "AmazonEKSServiceRolePolicy"),
    "elasticache.amazonaws.com": Linked("ElastiCache", "ElastiCacheServiceRolePolicy"),
    "elasticbeanstalk.amazonaws.com": Linked("ElasticBeanstalk", "AWSElasticBeanstalkServiceRolePolicy"),
    "elasticfilesystem.amazonaws.com": Linked("AmazonElasticFileSystem", "AmazonElasticFileSystemServiceRolePolicy"),
    "elasticloadbalancing.amazonaws.com": Linked("ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"),
    "emr-containers.amazonaws.com": Linked("AmazonEMRContainers", "AmazonEMRContainersServiceRolePolicy"),
    "emrwal.amazonaws.com": Linked("EMRWAL", "EMRDescribeClusterPolicyForEMRWAL"),
    "es.amazonaws.com": Linked("AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    "fms.amazonaws.com": Linked("FMS", "FMSServiceRolePolicy"),
    "guardduty.amazonaws.com": Linked("AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy"),
    "imagebuilder.amazonaws.com": Linked("ImageBuilder", "AWSServiceRoleForImageBuilder"),
    "inspector2.amazonaws.com": Linked("AmazonInspector2", "AmazonInspector2ServiceRolePolicy"),
    "iotmanagedintegrations.amazonaws.com": Linked("IoTManagedIntegrations", "AWSIoTManagedIntegrationsRolePolicy"),
    "kafka.amazonaws.com": Linked("Kafka", "KafkaServiceRolePolicy"),
    "lex.amazonaws.com": Linked("LexBots", "LexBotPolicy"),
    "m2.amazonaws.com": Linked("AWSM2", "AWSM2ServicePolicy"),
    "macie.amazonaws.com": Linked("AmazonMacie", "AmazonMacieServiceRolePolicy"),
    "mrk.kms.amazonaws.com": Linked(
        "KeyManagementServiceMultiRegionKeys", "AWSKeyManagementServiceMultiRegionKeysServiceRolePolicy"
    ),
    "opensearchservice.amazonaws.com": Linked("AmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"),
    "ops.apigateway.amazonaws.com": Linked("APIGateway", "APIGatewayServiceRolePolicy"),
    "ops.emr-serverless.amazonaws.com": Linked("AmazonEMRServerless", "AmazonEMRServerlessServiceRolePolicy"),
    "opsdatasync.ssm.amazonaws.com": Linked("SystemsManagerOpsDataSync", "AWSSystemsManagerOpsDataSyncServiceRolePolicy"),
    "organizations.amazonaws.com": Linked("Organizations", "AWSOrganizationsServiceTrustPolicy"),
    "pullthroughcache.ecr.amazonaws.com": Linked("ECRPullThroughCache", "AWSECRPullThroughCache_ServiceRolePolicy"),
    "rds.amazonaws.com": Linked("RDS", "AmazonRDSServiceRolePolicy"),
    "redshift.amazonaws.com": Linked("Redshift", "AmazonRedshiftServiceLinkedRolePolicy"),
    "replication.cassandra.amazonaws.com": Linked("KeyspacesReplication", "KeyspacesReplicationServiceRolePolicy"),
    "replication.dynamodb.amazonaws.com": Linked("DynamoDBReplication", "DynamoDBReplicationServiceRolePolicy"),
    "replication.ecr.amazonaws.com": Linked("ECRReplication", "ECRReplicationServiceRolePolicy"),
    "repository.sync.codeconnections.amazonaws.com": Linked("GitSync", "AWSGitSyncServiceRolePolicy"),
    "resource-explorer-2.amazonaws.com": Linked("ResourceExplorer", "AWSResourceExplorerServiceRolePolicy"),
    "securityhub.amazonaws.com": Linked("SecurityHub", "AWSSecurityHubServiceRolePolicy"),
    "shield.amazonaws.com": Linked("AWSShield", "AWSShieldServiceRolePolicy"),
    "spot.amazonaws.com": Linked("EC2Spot", "AWSEC2SpotServiceRolePolicy"),
    "spotfleet.amazonaws.com": Linked("EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    "ssm-incidents.amazonaws.com": Linked("IncidentManager", "AWSIncidentManagerServiceRolePolicy"),
    "ssm.amazonaws.com": Linked("AmazonSSM", "AmazonSSMServiceRolePolicy"),
    "sso.amazonaws.com": Linked("SSO", "AWSSSOServiceRolePolicy"),
    "support.amazonaws.com": Linked("Support", "AWSSupportServiceRolePolicy"),
    "trustedadvisor.amazonaws.com": Linked("TrustedAdvisor", "AWSTrustedAdvisorServiceRolePolicy"),
    "waf-regional.amazonaws.com": Linked("WAFRegionalLogging", "WAFRegionalLoggingServiceRolePolicy"),
    "waf.amazonaws.com": Linked("WAFLogging", "WAFLoggingServiceRolePolicy"),
    "wafv2.amazonaws.com": Linked("WAFV2Logging", "WAFV2LoggingServiceRolePolicy"),
}
"""The services that a role can be made for."""


def linked_target(ctx: Context, req: api.CreateServiceLinkedRoleRequest) -> Target:
    """The role that would be made; where the service is not known, all of its roles."""
    linked = SERVICES.get(req.aws_service_name)
    name = _role_name(linked, req.custom_suffix) if linked else "*"
    return Target(iam_arn(ctx.account, "role", f"/aws-service-role/{req.aws_service_name}/", name), ctx.account)


def service_name(_ctx: Context, req: api.CreateServiceLinkedRoleRequest) -> Keys:
    """The key ``iam:AWSServiceName``."""
    return {"iam:AWSServiceName": req.aws_service_name}


def task_target(ctx: Context, req: Asked) -> Target:
    """The role that a deletion task was for: ``task/aws-service-role/SERVICE/ROLE/UUID``."""
    role = req.deletion_task_id.removeprefix("task/").rpartition("/")[0]
    return Target(f"arn:aws:iam::{ctx.account}:role/{role}", ctx.account)


@operation("iam", resource=linked_target, context=service_name)
def create_service_linked_role(ctx: Context, req: api.CreateServiceLinkedRoleRequest) -> api.CreateServiceLinkedRoleResponse:
    """Make a service's role with the service's policy and trust. Raises InvalidInput, LimitExceeded."""
    linked = SERVICES.get(req.aws_service_name)
    if linked is None:
        raise api.InvalidInputException(f"Service-linked roles are not supported for {req.aws_service_name}")
    if req.custom_suffix and not linked.suffix:
        raise api.InvalidInputException(f"Custom suffix is not allowed for {req.aws_service_name}")
    name = _role_name(linked, req.custom_suffix)
    if find_role(ctx.tx, ctx.account, name):
        raise api.InvalidInputException(
            f"Service role name {name} has been taken in this account, please try a different suffix."
        )
    statement = {"Effect": "Allow", "Principal": {"Service": [req.aws_service_name]}, "Action": ["sts:AssumeRole"]}
    trust = checked_trust(ctx.tx, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    row = RoleRow(
        account=ctx.account,
        id=ctx.unique_id("AROA"),
        name=name,
        path=f"/aws-service-role/{req.aws_service_name}/",
        created=ctx.now,
        description=req.description,
        max_session_duration=SESSION_DURATION,
        max_signin_session_duration=None,
        trust_policy=trust.text,
        trust_principals=trust.principals,
        boundary=None,
        last_used=None,
        last_used_region=None,
        service=req.aws_service_name,
    )
    insert_role(ctx, row, trust)
    insert_attachment(ctx, row, f"arn:aws:iam::aws:policy/aws-service-role/{linked.policy}")
    role_changed(ctx, row)
    return api.CreateServiceLinkedRoleResponse(role=shown_new(ctx, row, None))


@operation("iam", resource=role_target)
def delete_service_linked_role(ctx: Context, req: api.DeleteServiceLinkedRoleRequest) -> api.DeleteServiceLinkedRoleResponse:
    """Delete a service's role; the task's status tells the end. Raises NoSuchEntity where it is not a service-linked role."""
    row = role_named(ctx.tx, ctx.account, req.role_name)
    if row.service is None:
        raise errors.not_found("role", req.role_name)
    task = f"task/aws-service-role/{row.service}/{row.name}/{ctx.uuid()}"
    ctx.tx.run("DELETE FROM iam_attachment WHERE account = ? AND owner_id = ?", ctx.account, row.id)
    remove_role(ctx, row)
    ctx.tx.run(
        "INSERT INTO iam_service_linked_deletion (account, task_id, status, reason, created) VALUES (?, ?, ?, ?, ?)",
        ctx.account,
        task,
        "SUCCEEDED",
        "",
        ctx.now,
    )
    return api.DeleteServiceLinkedRoleResponse(deletion_task_id=task)


@operation("iam", resource=task_target, read=True)
def get_service_linked_role_deletion_status(
    ctx: Context, req: api.GetServiceLinkedRoleDeletionStatusRequest
) -> api.GetServiceLinkedRoleDeletionStatusResponse:
    """How a deletion went. Raises NoSuchEntity."""
    row = ctx.tx.one(
        "SELECT status, reason FROM iam_service_linked_deletion WHERE account = ? AND task_id = ?",
        ctx.account,
        req.deletion_task_id,
    )
    if row is None:
        raise api.NoSuchEntityException(f"The deletion task with id {req.deletion_task_id} cannot be found.")
    status, reason = row
    return api.GetServiceLinkedRoleDeletionStatusResponse(
        status=status, reason=api.DeletionTaskFailureReasonType(reason=reason) if reason else None
    )


def _role_name(linked: Linked, suffix: str | None) -> str:
    return f"AWSServiceRoleFor{linked.name}" + (f"_{suffix}" if suffix else "")
