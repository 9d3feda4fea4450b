"""Federation with a real server of several workers, and unmodified clients: the AWS CLI and boto3."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from tests.conftest import ServerFactory
from tests.support.clients import aws_cli_program, boto
from tests.support.idp_oidc import CLIENT, SUBJECT, OidcIdp, rsa_key
from tests.support.idp_saml import SamlIdp, certificate, metadata, private_pem
from tests.support.server import Server, clean_environment


@pytest.fixture
def server(new_server: ServerFactory) -> Server:
    return new_server(workers=3, options=("--oidc-loopback",)).start()


@pytest.fixture
def idp() -> Iterator[OidcIdp]:
    with OidcIdp() as made:
        yield made


def role(server: Server, name: str, provider: str, action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": action}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = boto(server, "iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


def saml_role(server: Server, **members: Any) -> SamlIdp:
    provider = boto(server, "iam").create_saml_provider(Name="corp", SAMLMetadataDocument=metadata(certificate()[1]), **members)[
        "SAMLProviderArn"
    ]
    return SamlIdp(role(server, "saml", provider, "sts:AssumeRoleWithSAML"), provider)


def outcome(server: Server, idp: SamlIdp, assertion: str) -> str:
    """The code of the answer, over a connection of its own; empty where there are credentials."""
    sts = boto(server, "sts", signature_version=UNSIGNED)
    try:
        sts.assume_role_with_saml(RoleArn=idp.role, PrincipalArn=idp.provider, SAMLAssertion=assertion)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_the_aws_cli_signs_in_with_a_token_in_a_file(server: Server, idp: OidcIdp, tmp_path: Path):
    provider = boto(server, "iam").create_open_id_connect_provider(Url=idp.url, ClientIDList=[CLIENT])
    arn = role(server, "ci", provider["OpenIDConnectProviderArn"], "sts:AssumeRoleWithWebIdentity")
    token = tmp_path / "token"
    token.write_text(idp.token())
    environment = clean_environment(
        {
            "HOME": str(tmp_path),
            "AWS_ROLE_ARN": arn,
            "AWS_ROLE_SESSION_NAME": "build",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_DEFAULT_REGION": server.credentials.region,
        }
    )

    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*aws_cli_program(1), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    who = cli("sts", "get-caller-identity")
    assert json.loads(who.stdout)["Arn"].endswith(":assumed-role/ci/build"), who.stderr
    token.write_text(idp.token(key=rsa_key(2)))
    forged = cli("sts", "get-caller-identity")
    assert "InvalidIdentityToken" in forged.stderr
    assert forged.returncode != 0


def test_every_worker_takes_tokens_and_asks_the_issuer_for_itself_once(server: Server, idp: OidcIdp):
    provider = boto(server, "iam").create_open_id_connect_provider(Url=idp.url, ClientIDList=[CLIENT])
    arn = role(server, "ci", provider["OpenIDConnectProviderArn"], "sts:AssumeRoleWithWebIdentity")

    def assume(number: int) -> str:
        sts = boto(server, "sts", signature_version=UNSIGNED)
        made = sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName=f"n{number}", WebIdentityToken=idp.token())
        return str(made["SubjectFromWebIdentityToken"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(assume, range(24))) == {SUBJECT}
    assert 1 <= idp.asked.count("/keys") <= 3


def test_one_assertion_at_many_workers_is_good_once(server: Server):
    idp = saml_role(server)
    assertion = idp.encoded()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: outcome(server, idp, assertion), range(24)))
    assert sorted(answers) == ["", *["InvalidIdentityToken"] * 23]


def test_a_restart_forgets_no_assertion(server: Server):
    idp = saml_role(server)
    assertion = idp.encoded()
    assert outcome(server, idp, assertion) == ""
    server.kill()
    server.start()
    assert outcome(server, idp, assertion) == "InvalidIdentityToken"
    assert outcome(server, idp, idp.encoded()) == ""


def test_no_private_key_of_a_provider_lies_on_the_disk(server: Server):
    pem = private_pem(rsa_key(9))
    saml_role(server, AddPrivateKey=pem, AssertionEncryptionMode="Allowed")
    server.stop()
    wanted = [rsa_key(9).private_numbers().d.to_bytes(256), pem.splitlines()[5].encode()]
    files = [path for path in server.directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        held = path.read_bytes()
        assert not any(secret in held for secret in wanted), path
