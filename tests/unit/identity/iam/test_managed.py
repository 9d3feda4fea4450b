"""AWS's managed policies as they come with the server."""

from __future__ import annotations

import json
import re
import zipfile
from importlib import resources

import pytest

from garrison.identity.iam import managed
from garrison.policy import parse_policy


def test_there_are_all_of_them():
    found = managed.everything()
    assert len(found) > 1500
    assert len({policy.arn for policy in found}) == len({policy.id for policy in found}) == len(found)
    assert [policy.name.lower() for policy in found] == sorted(policy.name.lower() for policy in found)
    assert all(re.fullmatch("ANPA[A-Z2-7]{17}", policy.id) for policy in found)
    assert all(policy.arn == f"arn:aws:iam::aws:policy{policy.path}{policy.name}" for policy in found)


def test_every_document_is_one_that_the_policy_language_takes():
    for policy in managed.everything():
        text = managed.document(policy.arn)
        assert text is not None
        assert parse_policy(text, "identity").statements, policy.arn


@pytest.mark.parametrize(
    ("arn", "version", "created"),
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", 1, 1423247986),
        ("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", 1, 1428591823),
    ],
)
def test_known_ones(arn: str, version: int, created: int):
    """Dates: AWS Managed Policy Reference, 2015-02-06T18:39:46Z and 2015-04-09T15:03:43Z."""
    policy = managed.find(arn)
    assert policy is not None
    assert (policy.version, int(policy.created)) == (version, created)


def test_service_linked_ones():
    policy = managed.find("arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy")
    assert policy is not None
    assert policy.service_linked


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::aws:policy/Nonexistent", "arn:aws:iam::aws:policy/LICENSE", "", "arn:aws:iam::aws:policy/index.json"]
)
def test_what_is_none(arn: str):
    assert managed.find(arn) is None
    assert managed.document(arn) is None


def test_the_licence_is_with_them():
    with (
        resources.files("garrison.identity.iam.managed").joinpath("policies.zip").open("rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        assert "MIT License" in archive.read("LICENSE").decode()
        assert json.loads(archive.read("AdministratorAccess"))["Statement"][0]["Action"] == "*"
