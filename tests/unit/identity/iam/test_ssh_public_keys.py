"""SSH public keys. The fingerprint is held against one that GitHub published for its host key of 2013."""

from __future__ import annotations

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from tests.support.certificates import ec_key, edwards_key, private_pem, public_pem, rsa_key, ssh_line
from tests.support.iam import ACCOUNT, NOW, Cloud

GITHUB = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEAq2A7hRGmdnm9tUDbO9IDSwBK6TbQa+PXYPCPy6rbTrTtw7PHkccKrpp0yVhp5HdEIcKr6pLlVDBfOLX9QUsyCOV0wzfj"
    "IJNlGEYsdlLJizHhbn2mUjvSAHQqZETYP81eFzLQNnPHt4EVVUh7VfDESU84KezmD5QlWpXLmvU31/yMf+Se8xhHTvKSCZIFImWwoG6mbUoWf9nzpIoaSjB+weqqUUmpaaas"
    "XVal72J+UX2B+2RPW3RcT0eOzQgqlJL3RKrTJvdsjE3JEAvGq3lGHSZXy28G3skua2SmVi/w4yCE6gbODqnTWlg7+wC604ydGXA8VJiS5ap43JXiUFFAaQ=="
)
GITHUB_MD5 = "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48"


@pytest.fixture
def user(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="ann", path="/team/")
    return cloud


def test_upload_get_list_delete(user: Cloud):
    made = user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=f"{GITHUB} ann@example.com\n").ssh_public_key
    assert made.ssh_public_key_id.startswith("APKA")
    assert len(made.ssh_public_key_id) == 20
    assert (made.user_name, made.status, made.upload_date) == ("ann", "Active", NOW + 2)
    assert (made.ssh_public_key_body, made.fingerprint) == (GITHUB, GITHUB_MD5)
    assert user.items[0].arn == f"arn:aws:iam::{ACCOUNT}:user/team/ann"
    assert user.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:user/team/ann"
    key = {"user_name": "ann", "ssh_public_key_id": made.ssh_public_key_id}
    assert user.get_ssh_public_key(encoding="SSH", **key).ssh_public_key == made
    (listed,) = user.list_ssh_public_keys(user_name="ann").ssh_public_keys
    assert listed.ssh_public_key_id == made.ssh_public_key_id
    user.update_ssh_public_key(status="Inactive", **key)
    assert user.list_ssh_public_keys(user_name="ann").ssh_public_keys[0].status == "Inactive"
    user.delete_ssh_public_key(**key)
    assert user.items[0].deleted
    assert user.list_ssh_public_keys(user_name="ann").ssh_public_keys == []


def test_either_form_is_taken_and_given(user: Cloud):
    made = user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=public_pem(rsa_key())).ssh_public_key
    assert made.ssh_public_key_body == ssh_line(rsa_key())
    found = user.get_ssh_public_key(user_name="ann", ssh_public_key_id=made.ssh_public_key_id, encoding="PEM").ssh_public_key
    assert found.ssh_public_key_body == public_pem(rsa_key())


def test_the_same_key_twice(user: Cloud):
    user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=GITHUB)
    with pytest.raises(api.DuplicateSSHPublicKeyException):
        user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=f"{GITHUB} with another comment")
    user.create_user(user_name="bob")
    user.upload_ssh_public_key(user_name="bob", ssh_public_key_body=GITHUB)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("not a key", api.UnrecognizedPublicKeyEncodingException),
        ("", api.UnrecognizedPublicKeyEncodingException),
        ("ssh-rsa", api.InvalidPublicKeyException),
        ("ssh-rsa not-base64!", api.InvalidPublicKeyException),
        (GITHUB[:-40], api.InvalidPublicKeyException),
        (ssh_line(rsa_key(bits=1024)), api.InvalidPublicKeyException),
        (ssh_line(edwards_key()), api.InvalidPublicKeyException),
        (ssh_line(ec_key()), api.InvalidPublicKeyException),
        (public_pem(ec_key()), api.InvalidPublicKeyException),
        (private_pem(rsa_key()), api.InvalidPublicKeyException),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", api.InvalidPublicKeyException),
        ("ssh-rsa \xff\xff", api.InvalidPublicKeyException),
    ],
    ids=[
        "words",
        "nothing",
        "no-body",
        "no-base64",
        "cut",
        "short-rsa",
        "edwards",
        "ec",
        "ec-pem",
        "private",
        "empty-pem",
        "bytes",
    ],
)
def test_bodies_that_are_no_key_for_this(user: Cloud, body: str, error: type[Exception]):
    with pytest.raises(error):
        user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=body)
    assert user.list_ssh_public_keys(user_name="ann").ssh_public_keys == []


def test_five_keys(user: Cloud):
    for number in range(5):
        user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=ssh_line(rsa_key(number)))
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for SSHPublicKeysPerUser: 5$"):
        user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=GITHUB)
    first = user.list_ssh_public_keys(user_name="ann", max_items=3)
    second = user.list_ssh_public_keys(user_name="ann", max_items=3, marker=first.marker)
    assert (len(first.ssh_public_keys), len(second.ssh_public_keys), second.is_truncated) == (3, 2, False)


def test_a_key_of_another_user_is_not_found(user: Cloud):
    """Nor changed, nor deleted: whoever may touch one user's keys may not touch all."""
    made = user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=GITHUB).ssh_public_key
    user.create_user(user_name="bob")
    key = {"user_name": "bob", "ssh_public_key_id": made.ssh_public_key_id}
    message = rf"^The Public Key with id {made.ssh_public_key_id} cannot be found\.$"
    for call, members in (
        (user.get_ssh_public_key, {"encoding": "SSH"}),
        (user.update_ssh_public_key, {"status": "Inactive"}),
        (user.delete_ssh_public_key, {}),
    ):
        with pytest.raises(api.NoSuchEntityException, match=message):
            call(**key, **members)


def test_users_that_are_not_there_and_a_wrong_status(user: Cloud):
    with pytest.raises(api.NoSuchEntityException, match="The user with name nobody cannot be found"):
        user.upload_ssh_public_key(user_name="nobody", ssh_public_key_body=GITHUB)
    with pytest.raises(api.NoSuchEntityException, match="The user with name nobody cannot be found"):
        user.list_ssh_public_keys(user_name="nobody")
    made = user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=GITHUB).ssh_public_key
    with pytest.raises(api.InvalidInputException, match="Invalid Status value"):
        user.update_ssh_public_key(user_name="ann", ssh_public_key_id=made.ssh_public_key_id, status="Expired")


def test_whose_keys_are_listed(user: Cloud):
    user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=GITHUB)
    assert user.list_ssh_public_keys().ssh_public_keys == [], "the root user has none"
    user.as_user("ann")
    assert len(user.list_ssh_public_keys().ssh_public_keys) == 1
    user.as_session()
    with pytest.raises(CommonError, match="Must specify userName"):
        user.list_ssh_public_keys()


def test_a_user_with_a_key_is_not_deleted(user: Cloud):
    made = user.upload_ssh_public_key(user_name="ann", ssh_public_key_body=GITHUB).ssh_public_key
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete entity, must delete SSH public keys first\.$"):
        user.delete_user(user_name="ann")
    user.delete_ssh_public_key(user_name="ann", ssh_public_key_id=made.ssh_public_key_id)
    user.delete_user(user_name="ann")
