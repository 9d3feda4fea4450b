"""Every registered operation against botocore's models and AWS's Service Authorization Reference."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import garrison.app
from garrison.api import cloudtrail, iam, kms, organizations, signin, sts, wafv2
from garrison.core.context import Call, Context
from garrison.core.errors import ServiceError
from garrison.core.ids import uuid4
from garrison.core.model import Member, load_model
from garrison.core.operation import REGISTRY, Declaration
from garrison.core.ports import Ports
from garrison.core.principal import Principal
from garrison.identity.federation.issuers import Issuers
from garrison.identity.iam import managed
from garrison.identity.principals import Principals
from garrison.keys.keyring import Keyring
from garrison.keys.kms import LiveKeys
from garrison.store import Store, open_store
from garrison.wire.authorization import declared_checks
from tests.support.reference import faults, known_action, known_key

assert garrison.app is not None  # registers every operation

ROOT = Path(__file__).parents[2]
TYPES = {
    "cloudtrail": cloudtrail,
    "iam": iam,
    "kms": kms,
    "organizations": organizations,
    "signin": signin,
    "sts": sts,
    "wafv2": wafv2,
}
NOT_BUILT: dict[str, dict[str, str]] = json.loads(
    (resources.files("garrison") / "api" / "not_built.json").read_text(encoding="utf-8")
)
NAMES = {(service, name.lower()): name for service in TYPES for name in load_model(service).operation_names}
DECLARATIONS = sorted(REGISTRY.values(), key=lambda one: one.key)
ACCOUNT, REGION = "111122223333", "eu-central-1"

EXCEPTIONS = {
    "iam:ListUsers: knows no resource": "AWS's recorded denials name the path that is listed: arn:aws:iam::ACCOUNT:user/",
    "iam:ListGroups: knows no resource": "as iam:ListUsers",
    "iam:ListRoles: knows no resource": "as iam:ListUsers",
    "iam:ListInstanceProfiles: knows no resource": "the same, arn:aws:iam::ACCOUNT:instance-profile/",
    "iam:ListServerCertificates: knows no resource": "the same, arn:aws:iam::ACCOUNT:server-certificate/",
    "sts:TagSession: arn:aws:sts::111122223333:federated-user/name is none of": "GetFederationToken with tags: the session is no role's",
    "sts:TagSession: does not know the condition key sts:": "one trust statement names AssumeRole and TagSession, and its conditions"
    " are of one request",
    "sts:SetSourceIdentity: does not know the condition key sts:": "as sts:TagSession",
    "elasticloadbalancing:SetWebACL: no such action": "of a service that is not hosted here: the listeners of the firewall's proxies"
    " stand as its load balancers (AWS WAF API Reference, AssociateWebACL)",
}
"""How findings begin that stand, each with its reason."""
RAISES = {
    "kms:Decrypt-required": "without key and ciphertext there is nothing to authorize; its checks are those of the full request",
    "kms:ReEncrypt-required": "as kms:Decrypt",
    "kms:RetireGrant-required": "without a grant there is nothing to authorize; its checks are proven by the tests of grants",
    "kms:RetireGrant-all": "a grant is named by a token or by its id, not by both",
    "sts:AssumeRole-all": "a code of a device that is not there is refused before the call is; STS's own tests prove its checks",
    "iam:GetAccessKeyLastUsed-required": "a key of nobody is refused as such; IAM's own tests prove the check",
    "iam:GetAccessKeyLastUsed-all": "the same",
}
"""Declarations that answer these made-up requests before there is anything to decide."""


NEWER = {
    "iam:UpdateDelegationRequest": 'IAM User Guide, "Managing Permissions for Delegation Requests"',
    "kms:Encapsulate": "KMS API Reference, Encapsulate: required permission kms:Encapsulate (key policy)",
    "kms:Decapsulate": "KMS API Reference, Decapsulate: required permission kms:Decapsulate (key policy)",
    "signin:BatchRevokeSessions": "AWS Sign-In API Reference, BatchRevokeSessions",
    "signin:GetSession": "AWS Sign-In API Reference, GetSession",
    "signin:ListSessions": "AWS Sign-In API Reference, ListSessions",
    "sts:GetScopedCredentials": "STS API Reference, GetScopedCredentials; no resource is named there",
    "wafv2:GetEvent": "AWS WAF API Reference, GetEvent",
    "wafv2:GetEventActor": "AWS WAF API Reference, GetEventActor; no resource is named there",
    "wafv2:ListEventActors": "the same, ListEventActors",
    "wafv2:ListEvents": "the same, ListEvents",
    "wafv2:ListEventsByWebACL": "AWS WAF API Reference, ListEventsByWebACL",
}
"""Actions that the reference does not have yet, and where AWS documents them."""


def identify(declaration: Declaration) -> str:
    return f"{declaration.service}:{NAMES.get(declaration.key, declaration.name)}"


def test_every_modelled_operation_is_declared_or_listed_with_a_reason():
    for service in TYPES:
        modelled = set(load_model(service).operation_names)
        built = {name for name in modelled if (service, name.lower()) in REGISTRY}
        listed = NOT_BUILT[service]
        assert set(listed) == modelled - built, service
        assert all(len(reason) > 10 for reason in listed.values())


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=identify)
def test_a_declared_operation_is_modelled_and_tested(declaration: Declaration, tested: str):
    name = NAMES[declaration.key]
    words = [name, re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower(), declaration.name]
    # `f"get_{kind}_policy"` names the operation for each kind that the test goes through.
    words += [re.sub(r"(?<=_)(user|group|role)(?=_|$)", r"\\{[a-z._]+\\}", words[1])]
    found = [word for word in words if re.search(rf"(?<![A-Za-z]){word}(?![A-Za-z])", tested)]
    assert found, f"no test names {name}"


@pytest.fixture(scope="module")
def tested() -> str:
    """The text of all tests but this one, and those that go over every operation."""
    folders = ("unit", "e2e", "property")
    return "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / "tests" / folder).rglob("*.py"))


# What the declarations say, made to say it


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    found = open_store("", sealer=Keyring(bytes(32)), memory=True)
    yield found
    found.close()


def waf_arn(kind: str) -> str:
    """The ARN of an entity of AWS WAF."""
    return f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/{kind}/name/a1b2c3d4-0000-4000-8000-a1b2c3d4e5f6"


BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/name/50dc6c495c0c9188"
_VISIBLE = wafv2.VisibilityConfig(sampled_requests_enabled=True, cloud_watch_metrics_enabled=True, metric_name="name")
WAF: dict[str, Any] = {
    "DefaultAction": wafv2.DefaultAction(allow=wafv2.AllowAction()),
    "LoggingConfiguration": wafv2.LoggingConfiguration(
        resource_arn=waf_arn("webacl"), log_destination_configs=["arn:aws:s3:::aws-waf-logs-name"]
    ),
    "ResourceARN": waf_arn("webacl"),
    "ResourceArn": waf_arn("webacl"),
    "Scope": "REGIONAL",
    "TimeWindow": wafv2.TimeWindow(start_time=0.0, end_time=1.0),
    "VersionsToPublish": {"v1": wafv2.VersionToPublish(associated_rule_group_arn=waf_arn("rulegroup"))},
    "VisibilityConfig": _VISIBLE,
    "WebACLArn": waf_arn("webacl"),
    "WebAclArn": waf_arn("webacl"),
}


ARNS: dict[str, Any] = {
    "Arn": f"arn:aws:iam::{ACCOUNT}:user/name",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/name",
    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/name",
    "PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/name",
    "Permissions": iam.DelegationPermission(policy_template_arn=f"arn:aws:iam::{ACCOUNT}:delegation-template/name"),
    "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/name",
    "AliasName": "alias/name",
    "OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/name",
    "SAMLProviderArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/name",
    "Url": "https://name.example",
    "AccountId": ACCOUNT,
    "ChildId": "ou-ab12-a1b2c3d4",
    "DestinationParentId": "ou-ab12-a1b2c3d4",
    "HandshakeId": "h-a1b2c3d4",
    "Id": "rt-a1b2c3d4",
    "OrganizationalUnitId": "ou-ab12-a1b2c3d4",
    "ParentId": "r-ab12",
    "PolicyId": "p-a1b2c3d4",
    "ResourceId": "ou-ab12-a1b2c3d4",
    "RootId": "r-ab12",
    "SourceParentId": "r-ab12",
    "Target": organizations.HandshakeParty(id=ACCOUNT, type="ACCOUNT"),
    "TargetId": ACCOUNT,
    "TargetPrincipal": ACCOUNT,
    "TaskPolicyArn": sts.PolicyDescriptorType(arn="arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"),
    **dict.fromkeys(("Path", "NewPath", "PathPrefix"), "/name/"),
    **WAF,
}
BY_OPERATION: dict[tuple[str, str], str] = {
    **{(f"{verb}WebACL", "ResourceArn"): BALANCER for verb in ("Associate", "Disassociate")},
    ("GetWebACLForResource", "ResourceArn"): BALANCER,
    **{(f"{verb}PermissionPolicy", "ResourceArn"): waf_arn("rulegroup") for verb in ("Delete", "Get", "Put")},
    ("GetRuleGroup", "ARN"): waf_arn("rulegroup"),
    ("GetWebACL", "ARN"): waf_arn("webacl"),
}
"""Members that mean something else in one operation than in the others."""
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}]})


SIMPLE: dict[str, Any] = {
    "structure": None,
    "map": {"key": "value"},
    "blob": b"x",
    "boolean": True,
    "timestamp": 0.0,
    "integer": 20,
    "long": 20,
    "float": 1.0,
    "double": 1.0,
}


def value(member: Member, name: str) -> Any:
    """Any value of a model's member; None for a structure."""
    shape = member.shape
    if shape.type == "list":
        inner = value(shape.member, name)
        return [] if inner is None else [inner]
    if shape.type in SIMPLE:
        return ARNS.get(name, SIMPLE[shape.type])
    if shape.enum:
        return shape.enum[0]
    return POLICY if "PolicyDocument" in name or name in {"Policy", "PolicyInputList"} else ARNS.get(name, "name")


def request(declaration: Declaration, *, everything: bool) -> Any:
    """A request of the operation: its required members, or all."""
    name = NAMES[declaration.key]
    operation = load_model(declaration.service).operation(name)
    request_type = TYPES[declaration.service].OPERATIONS[name][0]
    if operation is None or operation.input is None or request_type is None:
        return None
    members = operation.input.shape.members
    wanted = {
        member.attr: BY_OPERATION.get((name, member.name)) or value(member, member.name)
        for member in members.values()
        if everything or member.required
    }
    filled = {attribute: found for attribute, found in wanted.items() if found is not None}
    if "tags" in {member.attr for member in members.values()} and everything:
        module: Any = TYPES[declaration.service]
        tag = module.Tag(tag_key="team", tag_value="a") if declaration.service == "kms" else module.Tag(key="team", value="a")
        filled["tags"] = [tag]
    return request_type(**filled)


def members_of(declaration: Declaration) -> set[str]:
    """The members of an operation's request."""
    operation = load_model(declaration.service).operation(NAMES[declaration.key])
    assert operation is not None
    return set(operation.input.shape.members) if operation.input else set()


@pytest.mark.parametrize("everything", [False, True], ids=["required", "all"])
@pytest.mark.parametrize("declaration", [one for one in DECLARATIONS if one.auth == "required"], ids=identify)
def test_action_resource_and_condition_keys_are_in_the_reference(declaration: Declaration, everything: bool, store: Store):
    name = NAMES[declaration.key]
    action = declaration.action or f"{declaration.service}:{name}"
    assert (known_action(action) is not None) is (action not in NEWER), action
    sealer = Keyring(bytes(32))
    ctx = Context(
        request_id=uuid4(),
        service=declaration.service,
        operation=name,
        now=0.0,
        account=ACCOUNT,
        region=REGION,
        principal=Principal(kind="user", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/name", id="AIDANAME", name="name"),
        call=Call(source_ip="127.0.0.1"),
        tx=store.reading(),
        ports=Ports(
            sealer=sealer, keys=LiveKeys(store, sealer), principals=Principals(store, sealer, managed.document), issuers=Issuers()
        ),
    )
    if f"{declaration.service}:{name}-{'all' if everything else 'required'}" in RAISES:
        with pytest.raises(ServiceError):
            list(declared_checks(declaration, action, ctx, request(declaration, everything=everything)))
        return
    checks = list(declared_checks(declaration, action, ctx, request(declaration, everything=everything)))
    assert checks
    if action in NEWER:
        if action.startswith("iam:"):
            assert [check.target.arn for check in checks] == [f"arn:aws:iam::{ACCOUNT}:delegation-request/name"]
            return
        wanted = "key" if action.startswith("kms:") else "webacl" if "WebAclArn" in members_of(declaration) else "*"
        (check,) = checks
        found_type = next((kind for kind in ("key", "webacl") if f"{kind}/" in check.target.arn), check.target.arn)
        assert (check.action, found_type) == (action, wanted)
        return
    found = [fault for check in checks for fault in faults(check) if not fault.startswith(tuple(EXCEPTIONS))]
    assert not found, "\n".join(found)


# What the rooms' code says


WORD = re.compile(r"(?:aws|iam|sts|kms|cloudtrail|wafv2):[A-Z]\w+")


@pytest.mark.parametrize("room", ["identity", "keys", "compliance", "edge"])
def test_every_action_and_condition_key_in_the_code_is_in_the_reference(room: str):
    """A misspelt key would never match: no denial, no error, and no protection."""
    unknown = []
    for path in sorted((ROOT / "src" / "garrison" / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value):
                word = node.value
                tagged = f"{word}/x"
                if known_action(word) is None and not known_key(word) and not known_key(tagged):
                    unknown.append(f"{path.relative_to(ROOT)}:{node.lineno}: {word}")
    assert not unknown, "\n".join(unknown)


def test_the_reference_can_say_no():
    assert known_action("kms:Encrypt") is not None
    assert known_action("kms:Encrypted") is None
    assert known_key("kms:EncryptionContext:app")
    assert not known_key("kms:EncryptionContexts")
    assert known_key("aws:ResourceTag/team")
    assert not known_key("aws:ResourceTags/team")
