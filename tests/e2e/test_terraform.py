"""Terraform with the AWS provider: apply, a plan without drift, destroy. Runs where both are on the machine."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import Done, boto, run, temporary, terraform_mirror
from tests.support.needs import ROOT
from tests.support.server import Server, clean_environment

PREFIX = "terraform"


class Terraform:
    """One working directory."""

    def __init__(self, program: str, mirror: Path, server: Server, folder: Path, source: str) -> None:
        self.program = program
        self.folder = folder
        folder.mkdir()
        shutil.copy(ROOT / "tests" / "e2e" / "terraform" / source, folder)
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


def at_work(server: Server, folder: Path, source: str) -> Iterator[Terraform]:
    """A working directory with its provider; what is left in it is destroyed at the end."""
    program, mirror = shutil.which("terraform"), terraform_mirror()
    if program is None or mirror is None:
        pytest.skip("Terraform and a local mirror of its AWS provider are optional, and not on this machine")
    made = Terraform(program, mirror, server, folder, source)
    started = made("init", "-input=false", "-no-color")
    assert started.code == 0, started.err
    yield made
    left = made.folder / "terraform.tfstate"
    if left.exists() and json.loads(left.read_text(encoding="utf-8"))["resources"]:
        made("destroy", "-auto-approve", "-input=false", "-no-color")


@pytest.fixture
def terraform(server: Server, tmp_path: Path) -> Iterator[Terraform]:
    yield from at_work(server, tmp_path / "terraform", "main.tf")


@pytest.fixture
def terraform_of_keys(server: Server, tmp_path: Path) -> Iterator[Terraform]:
    yield from at_work(server, tmp_path / "terraform", "kms/main.tf")


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
    profile = iam.get_instance_profile(InstanceProfileName=f"{PREFIX}-deploy")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == [f"{PREFIX}-deploy"]

    destroyed = terraform("destroy", "-auto-approve", "-input=false", "-no-color")
    assert destroyed.code == 0, destroyed.err
    assert f"{PREFIX}-ci" not in {user["UserName"] for user in iam.list_users()["Users"]}
    assert f"{PREFIX}-deploy" not in {role["RoleName"] for role in iam.list_roles()["Roles"]}
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    key = boto(server, "kms").describe_key(KeyId=outputs["key"]["value"])["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"


def test_keys(terraform_of_keys: Terraform, server: Server):
    terraform, quiet = terraform_of_keys, ("-input=false", "-no-color")
    applied = terraform("apply", "-auto-approve", *quiet)
    assert applied.code == 0, applied.err
    plan = terraform("plan", "-detailed-exitcode", *quiet)
    assert plan.code == 0, f"drift right after apply:\n{plan.out}\n{plan.err}"
    outputs = {name: one["value"] for name, one in terraform("output", "-json").json().items()}
    assert outputs["alias_target"] == outputs["first"]
    assert outputs["public_key"].startswith("-----BEGIN PUBLIC KEY-----")

    # The grant's user reads what Terraform encrypted, under its context and no other.
    made = temporary(boto(server, "iam").create_access_key(UserName=outputs["reader"]))
    reader, blob = boto(server, "kms", made), base64.b64decode(outputs["ciphertext"])
    assert reader.decrypt(CiphertextBlob=blob, EncryptionContext={"app": "web"})["Plaintext"] == b"correct horse"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        reader.decrypt(CiphertextBlob=blob)
    boto(server, "iam").delete_access_key(UserName=outputs["reader"], AccessKeyId=made.access_key_id)

    # The alias moves to another key, and nothing else changes.
    moved = terraform("apply", "-auto-approve", "-var", "target=second", *quiet)
    assert moved.code == 0, moved.err
    assert "0 added, 1 changed, 0 destroyed" in moved.out
    kms = boto(server, "kms")
    assert kms.describe_key(KeyId=f"alias/{PREFIX}-moving")["KeyMetadata"]["Arn"] == outputs["second"]

    destroyed = terraform("destroy", "-auto-approve", *quiet)
    assert destroyed.code == 0, destroyed.err
    for name in ("first", "second"):
        assert kms.describe_key(KeyId=outputs[name])["KeyMetadata"]["KeyState"] == "PendingDeletion"
