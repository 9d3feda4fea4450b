"""One valid call of every operation, in an order in which each finds what it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support import scenario_delegation, scenario_organizations, scenario_signin, scenario_wafv2
from tests.support.house import ACCOUNT, REGION
from tests.support.importing import wrap
from tests.support.scenario_credentials import credentials
from tests.support.scenario_federation import federation
from tests.support.scenario_mfa import passwords_and_devices
from tests.support.scenario_outbound import outbound

TAGS = {"team": "blue"}
"""On everything that can have tags."""
IAM = f"arn:aws:iam::{ACCOUNT}"
POLICY = f"{IAM}:policy/reading"
AWS_POLICY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ALIAS = "alias/first"
PLAINTEXT = b"the plaintext that nobody may find"
CONTEXT = {"tenant": "a"}
CLUSTER = "cluster-2a23b4cdefg"
HSM_PASSWORD = "correct-horse-battery"
MATERIAL = b"imported material of 32 bytes ..."[:32]
ELSEWHERE = "us-west-2"


class Wanted(NamedTuple):
    """The configuration item that a write must leave."""

    type: str
    arn: str
    region: str = "global"
    tags: dict[str, str] = {}  # noqa: RUF012 - a value that nobody changes
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A call; ``item`` for every one that writes."""

    service: str
    operation: str
    members: dict[str, Any] = field(default_factory=dict)
    item: Wanted | None = None
    fails: str = ""
    """The code that the operation always answers, where it has no meaning outside AWS."""
    refused: dict[str, Any] | None = None
    """Of a request that proves by itself who calls: the same by somebody who may not."""


Answers = dict[str, Any]
"""What earlier steps were answered, by the operation's name."""


def document(**statement: Any) -> str:
    """A policy of one statement that allows."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def scenario(answers: Answers) -> Iterator[Step]:
    """Every step in order; ``answers`` holds those of the steps before."""
    yield from _makes(answers)
    yield from _policies_on_identities()
    yield from _reads_of_identities()
    yield from _changes_of_identities()
    yield from credentials(answers)
    yield from passwords_and_devices(answers)
    yield from _temporary_credentials(answers)
    yield from outbound()
    yield from federation()
    yield from scenario_delegation.steps(answers)
    yield from _keys(answers)
    yield from _uses_of_keys(answers)
    yield from _grants(answers)
    yield from _other_keys(answers)
    yield from _key_stores(answers)
    yield from _imports(answers)
    yield from _regions(answers)
    yield from scenario_organizations.steps(answers)
    yield from scenario_signin.steps(answers)
    yield from scenario_wafv2.steps(answers)
    yield Step("cloudtrail", "LookupEvents", {"MaxResults": 5})
    yield from _ends(answers)


READ = document(Action="iam:GetUser", Resource="*")
TRUST = document(Principal={"AWS": f"{IAM}:root"}, Action=["sts:AssumeRole", "sts:TagSession"])
TAG_LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]
KMS_TAGS = [{"TagKey": key, "TagValue": value} for key, value in TAGS.items()]
ACCOUNT_ITEM = Wanted("AWS::::Account", f"{IAM}:root")
USER = Wanted("AWS::IAM::User", f"{IAM}:user/ann", tags=TAGS)
GROUP = Wanted("AWS::IAM::Group", f"{IAM}:group/crew")
ROLE = Wanted("AWS::IAM::Role", f"{IAM}:role/work", tags=TAGS)
MANAGED = Wanted("AWS::IAM::Policy", POLICY, tags=TAGS)
NEW_KEY = Wanted("AWS::KMS::Key", "", REGION, TAGS)
"""Its ARN is in the answer."""
KEY_OF_ANN = Wanted("AWS::IAM::AccessKey", f"{IAM}:user/ann")


def iam(operation: str, item: Wanted | None = None, **members: Any) -> Step:
    """A call of IAM."""
    return Step("iam", operation, members, item)


def _makes(answers: Answers) -> Iterator[Step]:
    yield iam("CreateAccountAlias", ACCOUNT_ITEM, AccountAlias="garrison-test")
    yield iam("ListAccountAliases")
    yield iam("UpdateAccountPasswordPolicy", ACCOUNT_ITEM, MinimumPasswordLength=14)
    yield iam("GetAccountPasswordPolicy")
    yield iam("CreateUser", USER, UserName="ann", Tags=TAG_LIST)
    yield iam("CreateGroup", GROUP, GroupName="crew")
    yield iam("CreateRole", ROLE, RoleName="work", AssumeRolePolicyDocument=TRUST, Tags=TAG_LIST)
    yield iam("CreatePolicy", MANAGED, PolicyName="reading", PolicyDocument=READ, Tags=TAG_LIST)
    yield iam("CreatePolicyVersion", MANAGED, PolicyArn=POLICY, PolicyDocument=READ)
    yield iam("SetDefaultPolicyVersion", MANAGED, PolicyArn=POLICY, VersionId="v2")
    yield iam("GetPolicyVersion", PolicyArn=POLICY, VersionId="v1")
    yield iam("ListPolicyVersions", PolicyArn=POLICY)
    yield iam("DeletePolicyVersion", MANAGED, PolicyArn=POLICY, VersionId="v1")
    yield iam("CreateAccessKey", KEY_OF_ANN, UserName="ann")
    key = answers["CreateAccessKey"]["AccessKey"]["AccessKeyId"]
    yield iam("UpdateAccessKey", KEY_OF_ANN, UserName="ann", AccessKeyId=key, Status="Inactive")
    yield iam("ListAccessKeys", UserName="ann")
    yield iam("GetAccessKeyLastUsed", AccessKeyId=key)
    yield iam("DeleteAccessKey", KEY_OF_ANN._replace(deleted=True), UserName="ann", AccessKeyId=key)
    yield iam("AddUserToGroup", USER, GroupName="crew", UserName="ann")
    role = f"{IAM}:role/aws-service-role/elasticbeanstalk.amazonaws.com/AWSServiceRoleForElasticBeanstalk"
    linked = Wanted("AWS::IAM::Role", role)
    yield iam("CreateServiceLinkedRole", linked, AWSServiceName="elasticbeanstalk.amazonaws.com")
    yield iam("DeleteServiceLinkedRole", linked._replace(deleted=True), RoleName="AWSServiceRoleForElasticBeanstalk")
    yield iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=answers["DeleteServiceLinkedRole"]["DeletionTaskId"])


OWNERS = (("User", "ann", USER), ("Group", "crew", GROUP), ("Role", "work", ROLE))


def _policies_on_identities() -> Iterator[Step]:
    for kind, name, item in OWNERS:
        owner: dict[str, Any] = {f"{kind}Name": name}
        yield iam(f"Attach{kind}Policy", item, PolicyArn=POLICY, **owner)
        yield iam(f"ListAttached{kind}Policies", **owner)
        yield iam(f"Put{kind}Policy", item, PolicyName="own", PolicyDocument=READ, **owner)
        yield iam(f"Get{kind}Policy", PolicyName="own", **owner)
        yield iam(f"List{kind}Policies", **owner)
    for kind, name, item in (OWNERS[0], OWNERS[2]):
        owner = {f"{kind}Name": name}
        yield iam(f"Put{kind}PermissionsBoundary", item, PermissionsBoundary=AWS_POLICY, **owner)
        yield iam(f"Tag{kind}", item._replace(tags={**TAGS, "more": "x"}), Tags=[{"Key": "more", "Value": "x"}], **owner)
        yield iam(f"List{kind}Tags", **owner)
        yield iam(f"Untag{kind}", item, TagKeys=["more"], **owner)
    more = MANAGED._replace(tags={**TAGS, "more": "x"})
    yield iam("TagPolicy", more, PolicyArn=POLICY, Tags=[{"Key": "more", "Value": "x"}])
    yield iam("ListPolicyTags", PolicyArn=POLICY)
    yield iam("UntagPolicy", MANAGED, PolicyArn=POLICY, TagKeys=["more"])


def _reads_of_identities() -> Iterator[Step]:
    yield iam("GetUser", UserName="ann")
    yield iam("GetGroup", GroupName="crew")
    yield iam("GetRole", RoleName="work")
    yield iam("GetPolicy", PolicyArn=POLICY)
    yield iam("ListUsers")
    yield iam("ListGroups")
    yield iam("ListGroupsForUser", UserName="ann")
    yield iam("ListRoles")
    yield iam("ListPolicies", Scope="Local")
    yield iam("ListEntitiesForPolicy", PolicyArn=POLICY)
    yield iam("GetAccountSummary")
    yield iam("GetAccountAuthorizationDetails", Filter=["User", "LocalManagedPolicy"])
    yield iam("GetContextKeysForCustomPolicy", PolicyInputList=[READ])
    yield iam("GetContextKeysForPrincipalPolicy", PolicySourceArn=USER.arn)
    yield iam("SimulateCustomPolicy", PolicyInputList=[READ], ActionNames=["iam:GetUser"])
    yield iam("SimulatePrincipalPolicy", PolicySourceArn=USER.arn, ActionNames=["iam:GetUser"])


def _changes_of_identities() -> Iterator[Step]:
    yield iam("UpdateUser", USER._replace(arn=f"{IAM}:user/crew/ann"), UserName="ann", NewPath="/crew/")
    yield iam("UpdateGroup", GROUP._replace(arn=f"{IAM}:group/team"), GroupName="crew", NewGroupName="team")
    yield iam("UpdateRole", ROLE, RoleName="work", Description="for work")
    yield iam("UpdateRoleDescription", ROLE, RoleName="work", Description="for much work")
    yield iam("UpdateAssumeRolePolicy", ROLE, RoleName="work", PolicyDocument=TRUST)


def sts(operation: str, **members: Any) -> Step:
    """A call of STS."""
    return Step("sts", operation, members)


def _temporary_credentials(answers: Answers) -> Iterator[Step]:
    yield sts("GetCallerIdentity")
    yield sts("AssumeRole", RoleArn=ROLE.arn, RoleSessionName="me", Tags=[{"Key": "project", "Value": "x"}])
    yield sts("GetSessionToken")
    yield sts("GetFederationToken", Name="guest", Policy=READ)
    yield sts("GetAccessKeyInfo", AccessKeyId=answers["CreateAccessKey"]["AccessKey"]["AccessKeyId"])
    yield sts("DecodeAuthorizationMessage", EncodedMessage=answers["encoded"])


def _keys(answers: Answers) -> Iterator[Step]:
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}"
    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS)
    key = answers["key"] = answers["CreateKey"]["KeyMetadata"]["KeyId"]
    item = Wanted("AWS::KMS::Key", f"{arn}:key/{key}", REGION, TAGS)
    alias = Wanted("AWS::KMS::Alias", f"{arn}:{ALIAS}", REGION)
    yield kms("DescribeKey", KeyId=key)
    yield kms("ListKeys")
    yield kms("CreateAlias", alias, AliasName=ALIAS, TargetKeyId=key)
    yield kms("UpdateAlias", alias, AliasName=ALIAS, TargetKeyId=key)
    yield kms("ListAliases")
    yield kms("DisableKey", item, KeyId=key)
    yield kms("EnableKey", item, KeyId=key)
    yield kms("UpdateKeyDescription", item, KeyId=key, Description="for the test")
    yield kms("TagResource", item._replace(tags={**TAGS, "more": "x"}), KeyId=key, Tags=[{"TagKey": "more", "TagValue": "x"}])
    yield kms("ListResourceTags", KeyId=key)
    yield kms("UntagResource", item, KeyId=key, TagKeys=["more"])
    yield kms("GetKeyPolicy", KeyId=key)
    yield kms("ListKeyPolicies", KeyId=key)
    yield kms("PutKeyPolicy", item, KeyId=key, Policy=document(Principal={"AWS": f"{IAM}:root"}, Action="kms:*", Resource="*"))
    yield kms("EnableKeyRotation", item, KeyId=key)
    yield kms("GetKeyRotationStatus", KeyId=key)
    yield kms("RotateKeyOnDemand", item, KeyId=key)
    yield kms("ListKeyRotations", KeyId=key)
    yield kms("DisableKeyRotation", item, KeyId=key)


def kms(operation: str, item: Wanted | None = None, **members: Any) -> Step:
    """A call of KMS."""
    return Step("kms", operation, members, item)


def _uses_of_keys(answers: Answers) -> Iterator[Step]:
    key = answers["key"]

    yield kms("Encrypt", KeyId=ALIAS, Plaintext=PLAINTEXT, EncryptionContext=CONTEXT)
    yield kms("Decrypt", CiphertextBlob=answers["Encrypt"]["CiphertextBlob"], EncryptionContext=CONTEXT)
    yield kms(
        "ReEncrypt",
        CiphertextBlob=answers["Encrypt"]["CiphertextBlob"],
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=key,
    )
    yield kms("GenerateDataKey", KeyId=key, KeySpec="AES_256")
    yield kms("GenerateDataKeyWithoutPlaintext", KeyId=key, KeySpec="AES_256")
    yield kms("GenerateRandom", NumberOfBytes=32)


def _grants(answers: Answers) -> Iterator[Step]:
    key, admin = answers["key"], f"{IAM}:user/admin"
    members: dict[str, Any] = {"KeyId": key, "GranteePrincipal": ROLE.arn, "RetiringPrincipal": admin, "Operations": ["Decrypt"]}
    yield kms("CreateGrant", **members)
    yield kms("ListGrants", KeyId=key)
    yield kms("ListRetirableGrants", RetiringPrincipal=admin)
    yield kms("RevokeGrant", KeyId=key, GrantId=answers["CreateGrant"]["GrantId"])
    yield kms("CreateGrant", **members)
    yield kms("RetireGrant", GrantToken=answers["CreateGrant"]["GrantToken"])


def _other_keys(answers: Answers) -> Iterator[Step]:
    def made() -> str:
        return str(answers["CreateKey"]["KeyMetadata"]["KeyId"])

    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    yield kms("GetPublicKey", KeyId=made())
    signing: dict[str, Any] = {"KeyId": made(), "Message": PLAINTEXT, "SigningAlgorithm": "ECDSA_SHA_256"}
    yield kms("Sign", **signing)
    yield kms("Verify", Signature=answers["Sign"]["Signature"], **signing)
    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    authentic: dict[str, Any] = {"KeyId": made(), "Message": PLAINTEXT, "MacAlgorithm": "HMAC_SHA_256"}
    yield kms("GenerateMac", **authentic)
    yield kms("VerifyMac", Mac=answers["GenerateMac"]["Mac"], **authentic)
    yield kms("GenerateDataKeyPair", KeyId=answers["key"], KeyPairSpec="ECC_NIST_P256")
    yield kms("GenerateDataKeyPairWithoutPlaintext", KeyId=answers["key"], KeyPairSpec="ECC_NIST_P256")
    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    peer = answers["GenerateDataKeyPair"]["PublicKey"]
    yield kms("DeriveSharedSecret", KeyId=made(), KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    yield kms("Encapsulate", KeyId=made(), EncapsulationAlgorithm="ML_KEM")
    secret = answers["Encapsulate"]["SharedSecretCiphertextBlob"]
    yield kms("Decapsulate", KeyId=made(), EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=secret)


def _key_stores(answers: Answers) -> Iterator[Step]:
    """There is no such HSM: the store is FAILED once it was tried, which is all that these operations need."""
    item = Wanted("Garrison::KMS::CustomKeyStore", "", REGION)
    made = {"CloudHsmClusterId": CLUSTER, "TrustAnchorCertificate": "certificate", "KeyStorePassword": HSM_PASSWORD}
    yield kms("CreateCustomKeyStore", item, CustomKeyStoreName="hsm", **made)
    store = answers["CreateCustomKeyStore"]["CustomKeyStoreId"]
    item = item._replace(arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:custom-key-store/{store}")
    yield kms("DescribeCustomKeyStores", CustomKeyStoreId=store)
    yield kms("UpdateCustomKeyStore", item, CustomKeyStoreId=store, KeyStorePassword=HSM_PASSWORD[::-1])
    yield kms("ConnectCustomKeyStore", item, CustomKeyStoreId=store)
    yield kms("DisconnectCustomKeyStore", item, CustomKeyStoreId=store)
    yield kms("DeleteCustomKeyStore", item._replace(deleted=True), CustomKeyStoreId=store)


def _imports(answers: Answers) -> Iterator[Step]:
    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS, Origin="EXTERNAL")
    key = answers["CreateKey"]["KeyMetadata"]["KeyId"]
    item = Wanted("AWS::KMS::Key", answers["CreateKey"]["KeyMetadata"]["Arn"], REGION, TAGS)
    yield kms("GetParametersForImport", KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    found = answers["GetParametersForImport"]
    wrapped = wrap(found["PublicKey"], "RSAES_OAEP_SHA_256", MATERIAL)
    members = {"KeyId": key, "ImportToken": found["ImportToken"], "EncryptedKeyMaterial": wrapped}
    yield kms("ImportKeyMaterial", item, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", **members)
    yield kms("DeleteImportedKeyMaterial", item, KeyId=key)
    yield kms("GetKeyLastUsage", KeyId=answers["key"])


def _regions(answers: Answers) -> Iterator[Step]:
    yield kms("CreateKey", NEW_KEY, Tags=KMS_TAGS, MultiRegion=True)
    key = answers["CreateKey"]["KeyMetadata"]["KeyId"]
    item = Wanted("AWS::KMS::Key", answers["CreateKey"]["KeyMetadata"]["Arn"], REGION, TAGS)
    there = item._replace(arn=f"arn:aws:kms:{ELSEWHERE}:{ACCOUNT}:key/{key}", region=ELSEWHERE)
    yield kms("ReplicateKey", there, KeyId=key, ReplicaRegion=ELSEWHERE, Tags=KMS_TAGS)
    yield kms("UpdatePrimaryRegion", item, KeyId=key, PrimaryRegion=ELSEWHERE)


def _ends(answers: Answers) -> Iterator[Step]:
    key = answers["key"]
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}"
    yield Step("kms", "DeleteAlias", {"AliasName": ALIAS}, Wanted("AWS::KMS::Alias", f"{arn}:{ALIAS}", REGION, deleted=True))
    item = Wanted("AWS::KMS::Key", f"{arn}:key/{key}", REGION, TAGS)
    yield Step("kms", "ScheduleKeyDeletion", {"KeyId": key, "PendingWindowInDays": 7}, item)
    yield Step("kms", "CancelKeyDeletion", {"KeyId": key}, item)
    user = USER._replace(arn=f"{IAM}:user/crew/ann")
    group = GROUP._replace(arn=f"{IAM}:group/team")
    yield iam("RemoveUserFromGroup", user, GroupName="team", UserName="ann")
    owners = (("User", "ann", user), ("Group", "team", group), ("Role", "work", ROLE))
    for kind, name, owned in owners:
        yield iam(f"Detach{kind}Policy", owned, PolicyArn=POLICY, **{f"{kind}Name": name})
        yield iam(f"Delete{kind}Policy", owned, PolicyName="own", **{f"{kind}Name": name})
    for kind, name, owned in (owners[0], owners[2]):
        yield iam(f"Delete{kind}PermissionsBoundary", owned, **{f"{kind}Name": name})
    for kind, name, owned in owners:
        yield iam(f"Delete{kind}", owned._replace(deleted=True, tags={}), **{f"{kind}Name": name})
    yield iam("DeletePolicy", MANAGED._replace(deleted=True, tags={}), PolicyArn=POLICY)
    yield iam("DeleteAccountAlias", ACCOUNT_ITEM, AccountAlias="garrison-test")
    yield iam("DeleteAccountPasswordPolicy", ACCOUNT_ITEM)
