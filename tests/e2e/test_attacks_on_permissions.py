"""Calls that need several permissions, and calls that say one thing twice."""

from __future__ import annotations

import json

from tests.support.attacks import FORM, allow, policy, query_body, refused, send, signed, unique
from tests.support.clients import boto, new_user
from tests.support.server import Server


def test_an_alias_is_moved_only_with_a_right_on_both_keys(server: Server):
    """KMS Developer Guide, "Controlling access to aliases": the alias, the key it had and the key it gets."""
    kms = boto(server, "kms")
    one, two = (kms.create_key()["KeyMetadata"] for _ in range(2))
    name = f"alias/{unique('moved')}"
    kms.create_alias(AliasName=name, TargetKeyId=one["KeyId"])
    alias = one["Arn"].rpartition(":")[0] + ":" + name
    rights = {"alias": alias, "one": one["Arn"], "two": two["Arn"]}
    for missing in rights:
        held = [arn for label, arn in rights.items() if label != missing]
        mine = boto(server, "kms", new_user(server, unique("mover"), policy(allow("kms:*", resource=held))))
        assert refused(mine.update_alias, AliasName=name, TargetKeyId=two["KeyId"])[0] == "AccessDeniedException", missing
        if missing != "two":
            assert refused(mine.delete_alias, AliasName=name)[0] == "AccessDeniedException", missing
            another = f"alias/{unique('new')}"
            assert refused(mine.create_alias, AliasName=another, TargetKeyId=one["KeyId"])[0] == "AccessDeniedException"
    whole = boto(server, "kms", new_user(server, unique("mover"), policy(allow("kms:*", resource=list(rights.values())))))
    whole.update_alias(AliasName=name, TargetKeyId=two["KeyId"])


def test_re_encryption_asks_for_both_keys(server: Server):
    """KMS API Reference, "ReEncrypt": kms:ReEncryptFrom on the source, kms:ReEncryptTo on the destination."""
    kms = boto(server, "kms")
    source, target = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    blob = kms.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
    from_, to = allow("kms:ReEncryptFrom", resource=source), allow("kms:ReEncryptTo", resource=target)
    for statements, allowed in (
        ((from_,), False),
        ((to,), False),
        ((allow("kms:Encrypt", "kms:Decrypt"),), False),
        ((from_, to), True),
    ):
        mine = boto(server, "kms", new_user(server, unique("re"), policy(*statements)))
        if allowed:
            assert mine.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)["KeyId"] == target
        else:
            assert refused(mine.re_encrypt, CiphertextBlob=blob, DestinationKeyId=target)[0] == "AccessDeniedException"


def test_a_rename_asks_for_both_names(server: Server):
    """IAM API Reference, "UpdateUser": a permission on the user under the old name and under the new one."""
    old, new = unique("old"), unique("new")
    boto(server, "iam").create_user(UserName=old)
    arn = f"arn:aws:iam::{server.account_id}:user/"
    for held in (old, new):
        mine = boto(server, "iam", new_user(server, unique("clerk"), policy(allow("iam:UpdateUser", resource=arn + held))))
        assert refused(mine.update_user, UserName=old, NewUserName=new)[0] == "AccessDenied"
    both = boto(
        server, "iam", new_user(server, unique("clerk"), policy(allow("iam:UpdateUser", resource=[arn + old, arn + new])))
    )
    both.update_user(UserName=old, NewUserName=new)


def test_a_doubled_member_is_decided_on_as_it_is_done(server: Server):
    """Whichever of two values of one member counts, the same one is authorized and acted on."""
    kms = boto(server, "kms")
    mine, theirs = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    key = new_user(server, unique("twice"), policy(allow("kms:DescribeKey", resource=mine)))
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.DescribeKey"}
    for first, second in ((mine, theirs), (theirs, mine)):
        body = f'{{"KeyId":"{first}","KeyId":"{second}"}}'.encode()
        answer = send(server, signed(server, key, "kms", body=body, headers=headers))
        assert answer.status == 400 or json.loads(answer.body)["KeyMetadata"]["Arn"] == mine
    name, other = unique("mine"), unique("theirs")
    for each in (name, other):
        boto(server, "iam").create_user(UserName=each)
    clerk = new_user(
        server, unique("clerk"), policy(allow("iam:GetUser", resource=f"arn:aws:iam::{server.account_id}:user/{name}"))
    )
    for first, second in ((name, other), (other, name)):
        body = query_body("iam", "GetUser", UserName=first) + f"&UserName={second}".encode()
        answer = send(server, signed(server, clerk, "iam", body=body, headers=FORM))
        assert other.encode() not in answer.body or answer.status == 403
    for body, query in (
        (query_body("iam", "GetUser", UserName=name), f"/?UserName={other}"),
        (query_body("iam", "GetUser"), f"/?UserName={other}&Action=ListUsers"),
    ):
        answer = send(server, signed(server, clerk, "iam", body=body, path=query, headers=FORM))
        assert f"<UserName>{other}</UserName>".encode() not in answer.body


# Grants


def test_a_grant_is_not_inherited_with_a_name(server: Server):
    """The grantee is the user that had the name when the grant was made."""
    kms, iam = boto(server, "kms"), boto(server, "iam")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    name = unique("grantee")
    first = new_user(server, name)
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    kms.create_grant(KeyId=key_id, GranteePrincipal=arn, Operations=["Encrypt", "RetireGrant"], RetiringPrincipal=arn)
    boto(server, "kms", first).encrypt(KeyId=key_id, Plaintext=b"x")
    iam.delete_access_key(UserName=name, AccessKeyId=first.access_key_id)
    iam.delete_user(UserName=name)
    second = boto(server, "kms", new_user(server, name))
    assert refused(second.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"
    grant = kms.list_grants(KeyId=key_id)["Grants"][0]["GrantId"]
    assert refused(second.retire_grant, KeyId=key_id, GrantId=grant)[0] == "AccessDeniedException"


def test_a_grant_gives_no_more_than_its_maker_could(server: Server):
    """KMS Developer Guide, "Granting CreateGrant permission": through a grant only a subset of the grant's own operations."""
    kms = boto(server, "kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    middle, end = unique("middle"), unique("end")
    keys = {name: new_user(server, name) for name in (middle, end)}
    arns = {name: f"arn:aws:iam::{server.account_id}:user/{name}" for name in keys}
    limits = {"EncryptionContextSubset": {"tenant": "a"}}
    kms.create_grant(KeyId=key_id, GranteePrincipal=arns[middle], Operations=["Encrypt", "CreateGrant"], Constraints=limits)
    mine = boto(server, "kms", keys[middle])
    wanted = {"KeyId": key_id, "GranteePrincipal": arns[end]}
    assert refused(mine.create_grant, **wanted, Operations=["Decrypt"], Constraints=limits)[0] == "AccessDeniedException"
    assert (
        refused(mine.create_grant, **wanted, Operations=["Encrypt", "Decrypt"], Constraints=limits)[0] == "AccessDeniedException"
    )
    assert refused(mine.create_grant, **wanted, Operations=["Encrypt"])[0] == "AccessDeniedException"
    wider = {"EncryptionContextSubset": {"tenant": "b"}}
    assert refused(mine.create_grant, **wanted, Operations=["Encrypt"], Constraints=wider)[0] == "AccessDeniedException"
    last = boto(server, "kms", keys[end])
    assert refused(last.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext={"tenant": "a"})[0] == "AccessDeniedException"
    mine.create_grant(**wanted, Operations=["Encrypt"], Constraints=limits)
    last.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"tenant": "a"})
    assert refused(last.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"
    assert refused(last.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext={"tenant": "b"})[0] == "AccessDeniedException"


def test_a_deny_wins_over_a_grant(server: Server):
    kms = boto(server, "kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    name = unique("grantee")
    mine = boto(server, "kms", new_user(server, name, policy({"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"})))
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    made = kms.create_grant(KeyId=key_id, GranteePrincipal=arn, Operations=["Encrypt"])
    assert refused(mine.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=[made["GrantToken"]])[0] == "AccessDeniedException"
