from __future__ import annotations

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from tests.support.kms import ACCOUNT, NOW, OTHER, REGION, Kms, allow, key_policy, root, root_statement, user

ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/one"


@pytest.fixture
def key(kms: Kms) -> api.KeyMetadata:
    made = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=made.key_id)
    return made


def test_list_aliases_shows_what_was_created(kms: Kms, key: api.KeyMetadata):
    (entry,) = kms(root(), "ListAliases").aliases
    assert entry == api.AliasListEntry(
        alias_name="alias/one", alias_arn=ARN, target_key_id=key.key_id, creation_date=NOW, last_updated_date=NOW
    )


def test_an_alias_and_its_key_get_configuration_items(kms: Kms):
    made = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/new", target_key_id=made.arn)
    assert [(item.type, item.id) for item in kms.items] == [("AWS::KMS::Alias", "alias/new"), ("AWS::KMS::Key", made.key_id)]
    assert kms.items[1].configuration["Aliases"] == ["alias/new"]
    kms(root(), "DeleteAlias", alias_name="alias/new")
    assert [(item.type, item.deleted) for item in kms.items] == [("AWS::KMS::Alias", True), ("AWS::KMS::Key", False)]
    assert kms.items[1].configuration["Aliases"] == []


def test_a_name_is_given_once(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    with pytest.raises(api.AlreadyExistsException) as caught:
        kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=other.key_id)
    assert caught.value.message == f"An alias with the name {ARN} already exists"
    assert kms(root(), "DescribeKey", key_id="alias/one").key_metadata == key


def test_names_are_of_an_account_and_region(kms: Kms, key: api.KeyMetadata):
    for caller, region in [(root(OTHER), REGION), (root(), "us-east-1")]:
        made = kms(caller, "CreateKey", region=region).key_metadata
        kms(caller, "CreateAlias", region=region, alias_name="alias/one", target_key_id=made.key_id)
        assert kms(caller, "DescribeKey", region=region, key_id="alias/one").key_metadata == made
    assert kms(root(), "DescribeKey", key_id="alias/one").key_metadata == key


@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
def test_a_name_without_its_prefix(kms: Kms, operation: str):
    key = kms.new_key()
    members = {} if operation == "DeleteAlias" else {"target_key_id": key.key_id}
    with pytest.raises(CommonError) as caught:
        kms(root(), operation, alias_name="one", **members)
    assert caught.value.kind == "validation"
    assert caught.value.message == (
        'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
    )


@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
def test_names_of_aws_are_reserved(kms: Kms, operation: str):
    key = kms.new_key()
    members = {} if operation == "DeleteAlias" else {"target_key_id": key.key_id}
    with pytest.raises(CommonError) as caught:
        kms(root(), operation, alias_name="alias/aws/s3", **members)
    assert (caught.value.code, caught.value.status) == ("NotAuthorizedException", 400)


@pytest.mark.parametrize("name", ["alias/", "alias/a:b", "alias/a b"])
def test_a_name_of_other_characters(kms: Kms, name: str):
    key = kms.new_key()
    with pytest.raises(api.InvalidAliasNameException):
        kms(root(), "CreateAlias", alias_name=name, target_key_id=key.key_id)


def test_an_alias_of_an_alias_is_refused(kms: Kms, key: api.KeyMetadata):
    for target in ("alias/one", ARN):
        with pytest.raises(api.NotFoundException, match=r"^Invalid keyId 'alias/one'$"):
            kms(root(), "CreateAlias", alias_name="alias/two", target_key_id=target)


def test_an_alias_of_another_accounts_key_is_refused(kms: Kms):
    policy = key_policy(root_statement(OTHER), root_statement(ACCOUNT))
    theirs = kms.new_key(root(OTHER), policy=policy)
    with pytest.raises(CommonError, match="because the resource does not exist in this Region"):
        kms(root(), "CreateAlias", alias_name="alias/two", target_key_id=theirs.arn)


def test_update_alias_points_elsewhere_at_once(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    blob = kms(root(), "Encrypt", key_id="alias/one", plaintext=b"x").ciphertext_blob
    kms.now += 10
    kms(root(), "UpdateAlias", alias_name="alias/one", target_key_id=other.key_id)
    assert [item.configuration.get("Aliases") for item in kms.items if item.type == "AWS::KMS::Key"] == [[], ["alias/one"]]
    (entry,) = kms(root(), "ListAliases").aliases
    assert (entry.target_key_id, entry.creation_date, entry.last_updated_date) == (other.key_id, NOW, NOW + 10)
    assert kms(root(), "Encrypt", key_id="alias/one", plaintext=b"x").key_id == other.arn
    assert kms(root(), "Decrypt", ciphertext_blob=blob).key_id == key.arn


@pytest.mark.parametrize("operation", ["UpdateAlias", "DeleteAlias"])
def test_an_alias_that_is_not_there(kms: Kms, operation: str):
    key = kms.new_key()
    members = {} if operation == "DeleteAlias" else {"target_key_id": key.key_id}
    with pytest.raises(api.NotFoundException) as caught:
        kms(root(), operation, alias_name="alias/one", **members)
    assert caught.value.message == f"Alias {ARN} is not found."


def test_delete_alias_keeps_the_key(kms: Kms, key: api.KeyMetadata):
    kms(root(), "Encrypt", key_id="alias/one", plaintext=b"x")
    kms(root(), "DeleteAlias", alias_name="alias/one")
    with pytest.raises(api.NotFoundException, match="alias/one is not found"):
        kms(root(), "Encrypt", key_id="alias/one", plaintext=b"x")
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata == key


def test_aliases_of_one_key_in_pages(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/zz", target_key_id=other.key_id)
    for name in ("alias/c", "alias/b", "alias/a"):
        kms(root(), "CreateAlias", alias_name=name, target_key_id=key.key_id)
    first = kms(root(), "ListAliases", key_id=key.key_id, limit=3)
    assert [entry.alias_name for entry in first.aliases] == ["alias/a", "alias/b", "alias/c"]
    rest = kms(root(), "ListAliases", key_id=key.key_id, limit=3, marker=first.next_marker)
    assert ([entry.alias_name for entry in rest.aliases], rest.truncated) == (["alias/one"], False)
    with pytest.raises(api.InvalidMarkerException):
        kms(root(), "ListAliases", limit=3, marker=first.next_marker)  # the marker of one key's list
    assert [entry.alias_name for entry in kms(root(), "ListAliases").aliases][-1] == "alias/zz"


def test_aliases_of_another_accounts_key_are_not_listed(kms: Kms):
    theirs = kms.new_key(root(OTHER))
    absent = str(theirs.arn)[:-4] + "0000"
    for arn in (theirs.arn, absent):
        with pytest.raises(api.NotFoundException, match=f"^Key '{arn}' does not exist$"):
            kms(root(), "ListAliases", key_id=arn)


def test_list_aliases_takes_at_most_100(kms: Kms):
    assert kms(root(), "ListAliases", limit=100).truncated is False
    with pytest.raises(CommonError, match=r"Value '101' at 'limit' .* less than or equal to 100"):
        kms(root(), "ListAliases", limit=101)


def test_a_key_has_at_most_50_aliases(kms: Kms):
    key = kms.new_key()
    for number in range(50):
        kms(root(), "CreateAlias", alias_name=f"alias/n{number}", target_key_id=key.key_id)
    with pytest.raises(api.LimitExceededException):
        kms(root(), "CreateAlias", alias_name="alias/more", target_key_id=key.key_id)
    other = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/more", target_key_id=other.key_id)
    with pytest.raises(api.LimitExceededException):
        kms(root(), "UpdateAlias", alias_name="alias/more", target_key_id=key.key_id)


@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
def test_an_alias_operation_needs_the_permission_on_alias_and_key(kms: Kms, operation: str):
    old, new = kms.new_key(), kms.new_key()
    if operation != "CreateAlias":
        kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=old.key_id)
    members = {} if operation == "DeleteAlias" else {"target_key_id": new.key_id}
    keys = {"CreateAlias": [new], "UpdateAlias": [old, new], "DeleteAlias": [old]}[operation]
    needed = [ARN, *(str(key.arn) for key in keys)]
    for left_out in needed:
        caller = user("a", allow(f"kms:{operation}", resource=[arn for arn in needed if arn != left_out]))
        with pytest.raises(CommonError) as caught:
            kms(caller, operation, alias_name="alias/one", **members)
        assert f"is not authorized to perform: kms:{operation} on resource: {left_out} because" in caught.value.message
    kms(user("a", allow(f"kms:{operation}", resource=needed)), operation, alias_name="alias/one", **members)


def test_a_key_policy_gives_no_permission_on_an_alias(kms: Kms):
    arn = kms.person("user", "a")
    key = kms.new_key(policy=key_policy(root_statement(), {"Principal": {"AWS": arn}, "Action": "kms:*"}))
    with pytest.raises(CommonError, match=rf"kms:CreateAlias on resource: {ARN} because no identity-based policy"):
        kms(user("a"), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    kms(user("a", allow("kms:CreateAlias", resource=ARN)), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
