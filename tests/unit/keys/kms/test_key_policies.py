from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from tests.support.kms import ACCOUNT, OTHER, Kms, allow, key_policy, role_session, root, root_statement, user

LOCKOUT = "The new key policy will not allow you to update the key policy in the future."
PRINCIPALS = "Policy contains a statement with one or more invalid principals."


def put(kms: Kms, key: api.KeyMetadata, policy: str, **members: Any) -> None:
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=policy, **members)


def test_a_policy_comes_back_as_it_was_put(kms: Kms):
    key = kms.new_key()
    text = key_policy(root_statement()) + "\n "
    put(kms, key, text)
    assert [item.configuration["KeyPolicy"] for item in kms.items] == [text]
    answer = kms(root(), "GetKeyPolicy", key_id=key.key_id, policy_name="default")
    assert (answer.policy, answer.policy_name) == (text, "default")
    assert kms(root(), "ListKeyPolicies", key_id=key.key_id) == api.ListKeyPoliciesResponse(
        policy_names=["default"], truncated=False
    )


def test_a_new_policy_is_in_force_for_the_next_call(kms: Kms):
    arn = kms.person("user", "a")
    key = kms.new_key()
    with pytest.raises(CommonError):
        kms(user("a"), "Encrypt", key_id=key.key_id, plaintext=b"x")
    put(kms, key, key_policy(root_statement(), {"Principal": {"AWS": arn}, "Action": "kms:Encrypt"}))
    kms(user("a"), "Encrypt", key_id=key.key_id, plaintext=b"x")
    put(kms, key, key_policy(root_statement()))
    with pytest.raises(CommonError):
        kms(user("a"), "Encrypt", key_id=key.key_id, plaintext=b"x")


@pytest.mark.parametrize("name", ["other", "Default"])
def test_there_is_no_other_name(kms: Kms, name: str):
    key = kms.new_key()
    with pytest.raises(api.NotFoundException, match=r"^No such policy exists$"):
        kms(root(), "GetKeyPolicy", key_id=key.key_id, policy_name=name)
    with pytest.raises(api.NotFoundException, match=r"^No such policy exists$"):
        put(kms, key, key_policy(root_statement()), policy_name=name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "{}",
        "[]",
        '{"Version":"2012-10-17","Statement":[]}',
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}),
        json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
        ),
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Resource": "*"}]}),
        json.dumps({"Version": "1999", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}),
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": "nobody"}, "Action": "kms:*", "Resource": "*"}],
            }
        ),
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"Made": {"up": "x"}}}
                ],
            }
        ),
    ],
)
def test_what_is_no_key_policy_is_refused_and_changes_nothing(kms: Kms, text: str):
    key = kms.new_key()
    before = kms(root(), "GetKeyPolicy", key_id=key.key_id).policy
    with pytest.raises(api.MalformedPolicyDocumentException):
        put(kms, key, text, bypass_policy_lockout_safety_check=True)
    if text:  # CreateKey without a policy gets the default one
        with pytest.raises(api.MalformedPolicyDocumentException):
            kms.new_key(policy=text, bypass_policy_lockout_safety_check=True)
    assert kms(root(), "GetKeyPolicy", key_id=key.key_id).policy == before


def test_a_policy_has_at_most_32_kib(kms: Kms):
    key = kms.new_key()
    text = key_policy(root_statement())
    put(kms, key, text + " " * (32_768 - len(text)))
    with pytest.raises(api.LimitExceededException):
        put(kms, key, text + " " * (32_769 - len(text)))


# Lockout


@pytest.mark.parametrize(
    ("statements", "safe"),
    [
        ([root_statement()], True),
        ([{"Principal": {"AWS": ACCOUNT}, "Action": "kms:Put*"}], True),
        ([{"Principal": "*", "Action": "kms:*"}], True),
        ([{"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:Encrypt"}], False),
        ([root_statement(OTHER)], False),
        ([root_statement(), {"Effect": "Deny", "Principal": "*", "Action": "kms:PutKeyPolicy"}], False),
        ([{**root_statement(), "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}], False),
        ([{**root_statement(), "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}}], True),
    ],
)
def test_nobody_locks_themselves_out(kms: Kms, statements: list[dict[str, Any]], safe: bool):
    key = kms.new_key()
    policy = key_policy(*statements)
    for call in (lambda: put(kms, key, policy), lambda: kms.new_key(policy=policy)):
        if safe:
            call()
        else:
            with pytest.raises(api.MalformedPolicyDocumentException) as caught:
                call()
            assert caught.value.message == LOCKOUT


def test_unless_they_ask_for_it(kms: Kms):
    policy = key_policy(root_statement(OTHER))
    key = kms.new_key(policy=policy, bypass_policy_lockout_safety_check=True)
    with pytest.raises(CommonError, match="because no resource-based policy allows the kms:PutKeyPolicy action"):
        put(kms, key, key_policy(root_statement()))


def test_the_check_is_of_the_caller(kms: Kms):
    keeper, worker = kms.person("user", "keeper"), kms.person("role", "worker")
    policy = key_policy({"Principal": {"AWS": [keeper, worker]}, "Action": "kms:*"})
    for caller in (user("keeper", allow("kms:*")), role_session("worker", allow("kms:*"))):
        kms.new_key(caller, policy=policy)
    with pytest.raises(api.MalformedPolicyDocumentException, match=LOCKOUT):
        kms.new_key(root(), policy=policy)


# Principals


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:role/nobody",
        f"arn:aws:iam::{ACCOUNT}:user/path/known",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/s",
    ],
)
def test_principals_must_exist(kms: Kms, name: str):
    kms.person("user", "known")
    for principal in ({"AWS": name}, {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/known", name]}):
        with pytest.raises(api.MalformedPolicyDocumentException) as caught:
            kms.new_key(policy=key_policy(root_statement(), {"Principal": principal, "Action": "kms:Encrypt"}))
        assert caught.value.message == PRINCIPALS


def test_a_user_made_again_under_an_old_name_inherits_nothing(kms: Kms):
    arn = kms.person("user", "a")
    policy = key_policy(root_statement(), {"Principal": {"AWS": arn}, "Action": "kms:Encrypt"})
    key = kms.new_key(policy=policy)
    kms(user("a"), "Encrypt", key_id=key.key_id, plaintext=b"x")
    with kms.store.writing() as tx:
        tx.run("DELETE FROM iam_user WHERE name = 'a'")
    shown = json.loads(kms(root(), "GetKeyPolicy", key_id=key.key_id).policy)
    assert shown["Statement"][1]["Principal"] == {"AWS": f"AIDA{'A':0<17}"}
    with pytest.raises(api.MalformedPolicyDocumentException, match=PRINCIPALS):
        kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=json.dumps(shown))
    again = user("a")
    again.principal = type(again.principal)(kind="user", account=ACCOUNT, arn=arn, id="AIDASOMEBODYELSE00000", name="a")
    with pytest.raises(CommonError, match="kms:Encrypt"):
        kms(again, "Encrypt", key_id=key.key_id, plaintext=b"x")


def test_a_renamed_user_is_shown_under_the_new_name_and_still_allowed(kms: Kms):
    arn = kms.person("user", "a")
    key = kms.new_key(policy=key_policy(root_statement(), {"Principal": {"AWS": [arn]}, "Action": "kms:Encrypt"}))
    with kms.store.writing() as tx:
        tx.run("UPDATE iam_user SET name = 'b', name_folded = 'b' WHERE name = 'a'")
    shown = json.loads(kms(root(), "GetKeyPolicy", key_id=key.key_id).policy)
    assert shown["Statement"][1]["Principal"] == {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/b"]}
    renamed = user("b")
    renamed.principal = type(renamed.principal)(
        kind="user", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/b", id=f"AIDA{'A':0<17}", name="b"
    )
    kms(renamed, "Encrypt", key_id=key.key_id, plaintext=b"x")


def test_put_key_policy_with_the_bypass_can_be_denied(kms: Kms):
    key = kms.new_key()
    careful = user(
        "a",
        allow("kms:*"),
        allow("kms:PutKeyPolicy", effect="Deny", Condition={"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}}),
    )
    policy = key_policy(root_statement())
    kms(careful, "PutKeyPolicy", key_id=key.key_id, policy=policy)
    with pytest.raises(CommonError, match="with an explicit deny in an identity-based policy"):
        kms(careful, "PutKeyPolicy", key_id=key.key_id, policy=policy, bypass_policy_lockout_safety_check=True)
