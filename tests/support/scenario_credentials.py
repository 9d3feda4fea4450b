"""Instance profiles and the credentials of IAM that are neither passwords nor access keys: the steps of the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.support.certificates import certificate, private_pem, rsa_key, ssh_line

if TYPE_CHECKING:
    from tests.support.scenario import Answers, Step

USER = "crew/ann"
"""The user's path and name by then."""
MORE = [{"Key": "more", "Value": "x"}]


def credentials(answers: Answers) -> Iterator[Step]:
    """Of the role `work` and the user `ann`."""
    yield from _instance_profiles()
    yield from _server_certificates()
    yield from _signing_certificates(answers)
    yield from _ssh_public_keys(answers)
    yield from _service_credentials(answers)
    yield from _reports(answers)


def _instance_profiles() -> Iterator[Step]:
    from tests.support.scenario import IAM, TAG_LIST, TAGS, Wanted, iam  # noqa: PLC0415 - the scenario imports its parts

    profile = Wanted("AWS::IAM::InstanceProfile", f"{IAM}:instance-profile/web", tags=TAGS)
    named: dict[str, Any] = {"InstanceProfileName": "web"}
    yield iam("CreateInstanceProfile", profile, Tags=TAG_LIST, **named)
    yield iam("AddRoleToInstanceProfile", profile, RoleName="work", **named)
    yield iam("GetInstanceProfile", **named)
    yield iam("ListInstanceProfiles")
    yield iam("ListInstanceProfilesForRole", RoleName="work")
    yield iam("TagInstanceProfile", profile._replace(tags={**TAGS, "more": "x"}), Tags=MORE, **named)
    yield iam("ListInstanceProfileTags", **named)
    yield iam("UntagInstanceProfile", profile, TagKeys=["more"], **named)
    yield iam("RemoveRoleFromInstanceProfile", profile, RoleName="work", **named)
    yield iam("DeleteInstanceProfile", profile._replace(tags={}, deleted=True), **named)


def _server_certificates() -> Iterator[Step]:
    from tests.support.scenario import IAM, TAG_LIST, TAGS, Wanted, iam  # noqa: PLC0415 - the scenario imports its parts

    wanted = Wanted("AWS::IAM::ServerCertificate", f"{IAM}:server-certificate/site", tags=TAGS)
    named: dict[str, Any] = {"ServerCertificateName": "site"}
    body = certificate("site", rsa_key(), ends=4e9)
    yield iam("UploadServerCertificate", wanted, CertificateBody=body, PrivateKey=private_pem(rsa_key()), Tags=TAG_LIST, **named)
    yield iam("GetServerCertificate", **named)
    yield iam("ListServerCertificates")
    yield iam("TagServerCertificate", wanted._replace(tags={**TAGS, "more": "x"}), Tags=MORE, **named)
    yield iam("ListServerCertificateTags", **named)
    yield iam("UntagServerCertificate", wanted, TagKeys=["more"], **named)
    moved = wanted._replace(arn=f"{IAM}:server-certificate/a/site")
    yield iam("UpdateServerCertificate", moved, NewPath="/a/", **named)
    yield iam("DeleteServerCertificate", moved._replace(tags={}, deleted=True), **named)


def _signing_certificates(answers: Answers) -> Iterator[Step]:
    from tests.support.scenario import IAM, Wanted, iam  # noqa: PLC0415 - as above

    wanted = Wanted("AWS::IAM::SigningCertificate", f"{IAM}:user/{USER}")
    yield iam("UploadSigningCertificate", wanted, UserName="ann", CertificateBody=certificate("ann", rsa_key(), ends=4e9))
    named: dict[str, Any] = {
        "UserName": "ann",
        "CertificateId": answers["UploadSigningCertificate"]["Certificate"]["CertificateId"],
    }
    yield iam("ListSigningCertificates", UserName="ann")
    yield iam("UpdateSigningCertificate", wanted, Status="Inactive", **named)
    yield iam("DeleteSigningCertificate", wanted._replace(deleted=True), **named)


def _ssh_public_keys(answers: Answers) -> Iterator[Step]:
    from tests.support.scenario import IAM, Wanted, iam  # noqa: PLC0415 - as above

    wanted = Wanted("AWS::IAM::SSHPublicKey", f"{IAM}:user/{USER}")
    yield iam("UploadSSHPublicKey", wanted, UserName="ann", SSHPublicKeyBody=ssh_line(rsa_key()))
    named: dict[str, Any] = {"UserName": "ann", "SSHPublicKeyId": answers["UploadSSHPublicKey"]["SSHPublicKey"]["SSHPublicKeyId"]}
    yield iam("GetSSHPublicKey", Encoding="PEM", **named)
    yield iam("ListSSHPublicKeys", UserName="ann")
    yield iam("UpdateSSHPublicKey", wanted, Status="Inactive", **named)
    yield iam("DeleteSSHPublicKey", wanted._replace(deleted=True), **named)


def _service_credentials(answers: Answers) -> Iterator[Step]:
    from tests.support.scenario import IAM, Wanted, iam  # noqa: PLC0415 - as above

    wanted = Wanted("AWS::IAM::ServiceSpecificCredential", f"{IAM}:user/{USER}")
    for service in ("codecommit.amazonaws.com", "bedrock.amazonaws.com"):
        yield iam("CreateServiceSpecificCredential", wanted, UserName="ann", ServiceName=service)
        made = answers["CreateServiceSpecificCredential"]["ServiceSpecificCredential"]
        named: dict[str, Any] = {"UserName": "ann", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
        yield iam("ListServiceSpecificCredentials", UserName="ann")
        yield iam("UpdateServiceSpecificCredential", wanted, Status="Inactive", **named)
        yield iam("ResetServiceSpecificCredential", wanted, **named)
        yield iam("DeleteServiceSpecificCredential", wanted._replace(deleted=True), **named)


def _reports(answers: Answers) -> Iterator[Step]:
    """``answers["tick"]`` lets the background do its part."""
    from tests.support.scenario import IAM, iam  # noqa: PLC0415 - as above

    yield iam("GenerateCredentialReport")
    answers["tick"]()
    yield iam("GetCredentialReport")
    yield iam("ListPoliciesGrantingServiceAccess", Arn=f"{IAM}:role/work", ServiceNamespaces=["iam"])
    yield iam("GenerateServiceLastAccessedDetails", Arn=f"{IAM}:role/work")
    answers["tick"]()
    job = answers["GenerateServiceLastAccessedDetails"]["JobId"]
    yield iam("GetServiceLastAccessedDetails", JobId=job)
    yield iam("GetServiceLastAccessedDetailsWithEntities", JobId=job, ServiceNamespace="iam")
