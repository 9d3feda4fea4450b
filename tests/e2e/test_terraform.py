"""Terraform with the AWS provider: apply, a plan without drift, destroy. Runs where both are on the machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import Done, boto, run, terraform_mirror
from tests.support.needs import ROOT
from tests.support.server import Server, clean_environment

PREFIX = "terraform"


class Terraform:
    """One working directory."""

    def __init__(self, program: str, mirror: Path, server: Server, folder: Path) -> None:
        self.program = program
        self.folder = folder
        folder.mkdir()
        shutil.copy(ROOT / "tests" / "e2e" / "terraform" / "main.tf", folder)
        rc = folder / "terraform.rc"
        rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n', encoding="utf-8")
        admin = server.credentials.admin
        self.environment = clean_environment(
            {
                "HOME": str(folder),
                "TF_CLI_CONFIG_FILE": str(rc),
                "TF_IN_AUTOMATION": "1",
                "CHECKPOINT_DISABLE": "1",
                "TF_VAR_endpoint": server.endpoint,
                "TF_VAR_prefix": PREFIX,
                "AWS_REGION": server.credentials.region,
                "AWS_ACCESS_KEY_ID": admin.access_key_id,
                "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
            }
        )

    def __call__(self, *arguments: str) -> Done:
        return run([self.program, *arguments], self.environment, self.folder)


@pytest.fixture
def terraform(server: Server, tmp_path: Path) -> Iterator[Terraform]:
    program, mirror = shutil.which("terraform"), terraform_mirror()
    if program is None or mirror is None:
        pytest.skip("Terraform and a local mirror of its AWS provider are optional, and not on this machine")
    made = Terraform(program, mirror, server, tmp_path / "terraform")
    started = made("init", "-input=false", "-no-color")
    assert started.code == 0, started.err
    yield made
    made("destroy", "-auto-approve", "-input=false", "-no-color")


def forget_role(terraform: Terraform, server: Server) -> None:
    """Terraform lists a role's instance profiles before it deletes it, and those are not built: boto3 deletes it instead."""
    removed = terraform("state", "rm", "aws_iam_role.deploy", "aws_iam_role_policy_attachment.deploy")
    assert removed.code == 0, removed.err
    iam = boto(server, "iam")
    iam.detach_role_policy(RoleName=f"{PREFIX}-deploy", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_role(RoleName=f"{PREFIX}-deploy")


def test_apply_plan_destroy(terraform: Terraform, server: Server):
    applied = terraform("apply", "-auto-approve", "-input=false", "-no-color")
    assert applied.code == 0, applied.err
    outputs = terraform("output", "-json").json()
    assert outputs["account"]["value"] == server.account_id

    plan = terraform("plan", "-detailed-exitcode", "-input=false", "-no-color")
    assert plan.code == 0, f"drift right after apply:\n{plan.out}\n{plan.err}"

    iam = boto(server, "iam")
    assert iam.get_user(UserName=f"{PREFIX}-ci")["User"]["Path"] == "/machines/"
    document = iam.get_user_policy(UserName=f"{PREFIX}-ci", PolicyName="read-itself")["PolicyDocument"]
    assert document["Statement"][0]["Action"] == "iam:GetUser", json.dumps(document)

    forget_role(terraform, server)
    destroyed = terraform("destroy", "-auto-approve", "-input=false", "-no-color")
    assert destroyed.code == 0, destroyed.err
    assert f"{PREFIX}-ci" not in {user["UserName"] for user in iam.list_users()["Users"]}
    key = boto(server, "kms").describe_key(KeyId=outputs["key"]["value"])["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"
