"""GetDelegatedAccessToken: what a token is good for, and what nobody gets with it.

Expected values: STS API Reference, GetDelegatedAccessToken; IAM User Guide, "Exchange Tokens" (the table of redemptions), "How temporary
delegation works" and "CloudTrail" of temporary delegation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison import app
from garrison.core.clock import iso8601
from garrison.identity.delegation import exchange, partners, requests
from tests.support.delegation import (
    BOUNDARY,
    DOMAIN,
    EVERYTHING,
    PARTNER,
    READER,
    Delegating,
    refusal,
)
from tests.support.house import House
from tests.support.server import AccessKey

OTHER = "777788889999"
HOUR = 3600


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


@pytest.fixture
def world(house: House, monkeypatch: pytest.MonkeyPatch) -> Delegating:
    return Delegating(house, monkeypatch)


def trade_refusal(world: Delegating, token: str, key: AccessKey | None = None) -> str:
    return refusal(world.house.client("sts", key or world.key).get_delegated_access_token, TradeInToken=token)


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements]}


def role(world: Delegating, name: str, own: dict[str, Any]) -> str:
    """A role of the customer's that its account may assume."""
    iam = world.house.client("iam")
    trusting = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": world.account},
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            }
        ],
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusting), MaxSessionDuration=43_200)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(own))
    return str(made["Role"]["Arn"])


def assumed(world: Delegating, arn: str, **members: Any) -> AccessKey:
    made = world.house.client("sts").assume_role(RoleArn=arn, RoleSessionName="approver", **members)["Credentials"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


# What it gives


def test_a_token_gives_the_approvers_session_within_the_request(world: Delegating):
    token = world.release()
    made = world.house.client("sts", world.key).get_delegated_access_token(TradeInToken=token)
    assert made["AssumedPrincipal"] == f"arn:aws:iam::{world.account}:user/admin"
    assert "PackedPolicySize" not in made
    found = made["Credentials"]
    key = AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    assert world.house.client("sts", key).get_caller_identity()["Arn"] == made["AssumedPrincipal"]
    iam = world.house.client("iam", key)
    assert {each["UserName"] for each in iam.list_users()["Users"]} == {"admin"}
    assert refusal(iam.list_roles) == "AccessDenied"
    assert refusal(iam.create_user, UserName="mine") == "AccessDenied"


def test_credentials_of_one_token_end_together(world: Delegating):
    """The table of the guide: released at ten for two hours."""
    token = world.release(SessionDuration=2 * HOUR)
    sts = world.house.client("sts", world.key)
    ends = sts.get_delegated_access_token(TradeInToken=token)["Credentials"]["Expiration"]
    passed, key = 0, world.key
    for minutes in (20, 100):
        world.later(minutes * 60 - passed)
        passed = minutes * 60
        found = sts.get_delegated_access_token(TradeInToken=token)["Credentials"]
        assert found["Expiration"] == ends
        key = AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    assert world.house.client("iam", key).list_users()
    world.later(20 * 60)
    assert trade_refusal(world, token) == "ExpiredTradeInTokenException"
    assert refusal(world.house.client("iam", key).list_users) == "ExpiredToken"


def test_a_token_that_may_be_traded_once(house: House):
    world = Delegating(house, single_use=True)
    token = world.release()
    assert world.trade(token).session_token
    assert trade_refusal(world, token) == "AccessDenied"


def test_the_trail_names_the_partner(world: Delegating):
    """IAM User Guide, "CloudTrail": invokedByDelegate."""
    key = world.trade(world.release())
    answer = world.house.client("iam", key).list_users()
    (event,) = world.house.events(answer["ResponseMetadata"]["RequestId"])
    record = json.loads(event.record)
    assert record["userIdentity"]["invokedByDelegate"] == {"accountId": PARTNER}
    assert (record["userIdentity"]["type"], record["recipientAccountId"]) == ("IAMUser", world.account)
    answer = world.house.client("iam").list_users()
    (event,) = world.house.events(answer["ResponseMetadata"]["RequestId"])
    assert "invokedByDelegate" not in json.loads(event.record)["userIdentity"]


def test_the_event_of_a_trade_holds_neither_token_nor_credentials(world: Delegating):
    token = world.release()
    made = world.house.client("sts", world.key).get_delegated_access_token(TradeInToken=token)
    (event,) = world.house.events(made["ResponseMetadata"]["RequestId"])
    for secret in (token, made["Credentials"]["SecretAccessKey"], made["Credentials"]["SessionToken"]):
        assert secret not in event.record
    assert json.loads(event.record)["userIdentity"]["accountId"] == PARTNER


# Never more than the approver has


def test_a_partner_gets_no_more_than_who_approved(world: Delegating):
    """The request asks for all of S3 and for IAM's users; the approver may read users alone."""
    few = policy({"Action": "iam:*DelegationRequest*"}, {"Action": "iam:SendDelegationToken"}, {"Action": "iam:GetUser"})
    key = world.trade(world.release(world.user("few", few)))
    iam = world.house.client("iam", key)
    assert refusal(iam.list_users) == "AccessDenied"
    assert refusal(iam.get_user, UserName="few") == "AccessDenied", "the approver may, the request does not ask for it"


def test_what_the_approver_loses_the_partner_loses(world: Delegating):
    approver = world.user("approver", EVERYTHING)
    key = world.trade(world.release(approver))
    iam, admin = world.house.client("iam", key), world.house.client("iam")
    assert iam.list_users()
    deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}}
    admin.put_user_policy(UserName="approver", PolicyName="less", PolicyDocument=json.dumps(deny))
    assert refusal(iam.list_users) == "AccessDenied"


def test_a_scoped_approver_delegates_within_the_scope(world: Delegating):
    arn = role(world, "Approver", EVERYTHING)
    scoped = assumed(world, arn, Policy=json.dumps(policy({"Action": "iam:*Delegation*"}, {"Action": "s3:*"})))
    key = world.trade(world.release(scoped))
    assert refusal(world.house.client("iam", key).list_users) == "AccessDenied"
    assert world.house.client("sts", key).get_caller_identity()["Arn"].endswith(":assumed-role/Approver/approver")


def test_a_permissions_boundary_of_the_approver_bounds_the_partner(world: Delegating):
    approver = world.user("bounded", EVERYTHING)
    admin = world.house.client("iam")
    bound = admin.create_policy(PolicyName="bound", PolicyDocument=json.dumps(policy({"Action": "iam:*Delegation*"})))["Policy"][
        "Arn"
    ]
    admin.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=bound)
    key = world.trade(world.release(approver))
    assert refusal(world.house.client("iam", key).list_users) == "AccessDenied"


def test_root_delegates_within_the_request(world: Delegating):
    key = world.trade(world.release(AccessKey(*world.house.first.root_key)))
    iam = world.house.client("iam", key)
    assert iam.list_users()
    assert refusal(iam.list_roles) == "AccessDenied"
    assert refusal(iam.create_access_key) == "AccessDenied"


def test_a_role_that_approves_keeps_its_session(world: Delegating):
    arn = role(world, "Approver", EVERYTHING)
    approver = assumed(world, arn, Tags=[{"Key": "team", "Value": "red"}], SourceIdentity="alice")
    token = world.release(approver)
    made = world.house.client("sts", world.key).get_delegated_access_token(TradeInToken=token)
    assert made["AssumedPrincipal"] == f"arn:aws:sts::{world.account}:assumed-role/Approver/approver"
    found = made["Credentials"]
    key = AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    answer = world.house.client("iam", key).list_users()
    (event,) = world.house.events(answer["ResponseMetadata"]["RequestId"])
    assert json.loads(event.record)["userIdentity"]["sessionContext"]["sourceIdentity"] == "alice"
    red = policy({"Action": "iam:ListUsers", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}})
    world.house.client("iam").put_role_policy(RoleName="Approver", PolicyName="own", PolicyDocument=json.dumps(red))
    assert world.house.client("iam", key).list_users()


def test_that_the_approver_gave_a_code_is_not_handed_on(world: Delegating):
    grant = json.loads(world_row(world, world.release()).approver)
    assert grant[12] is None, "mfa_at"


def world_row(world: Delegating, token: str) -> requests.RequestRow:
    store = world.house.state.store.reading()
    traded = exchange.open_token(world.house.state.keyring, token, PARTNER)
    row = requests.find(store, traded.request_id)
    assert row is not None
    return row


# Attacks


def test_another_account_trades_nothing_in(world: Delegating):
    token = world.release()
    other = app.new_account(world.house.state, OTHER, name="other")
    assert trade_refusal(world, token, AccessKey(*other.admin_key)) == "AccessDenied"
    assert trade_refusal(world, token, world.house.admin) == "AccessDenied", "not even the customer"
    assert world.trade(token).session_token


def test_every_wrong_token_is_refused_alike(world: Delegating):
    token = world.release()
    other = app.new_account(world.house.state, OTHER, name="other")
    altered = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    answers = set()
    for key, wrong in (
        (world.key, altered),
        (world.key, token[:-4]),
        (world.key, token + "AAAA"),
        (world.key, "x" * 20_000),
        (world.key, "tökén"),
        (world.key, "."),
        (AccessKey(*other.admin_key), token),
    ):
        with pytest.raises(ClientError) as caught:
            world.house.client("sts", key).get_delegated_access_token(TradeInToken=wrong)
        error = caught.value.response["Error"]
        answers.add((error["Code"], error["Message"]))
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert len(answers) == 1
    assert world.trade(token).session_token


def test_a_token_of_a_sealed_message_of_another_kind_is_none(world: Delegating):
    """What the same keys seal for another purpose is no token."""
    key = world.trade(world.release())
    assert key.session_token is not None
    assert trade_refusal(world, key.session_token) == "AccessDenied"


def test_a_partner_without_the_permission_trades_nothing_in(world: Delegating):
    token = world.release()
    iam = world.house.client("iam", world.key)
    iam.create_user(UserName="clerk")
    made = iam.create_access_key(UserName="clerk")["AccessKey"]
    assert trade_refusal(world, token, AccessKey(made["AccessKeyId"], made["SecretAccessKey"])) == "AccessDenied"


def test_a_token_of_a_revoked_delegation_is_worth_nothing(world: Delegating):
    token = world.release()
    key = world.trade(token)
    iam = world.house.client("iam", key)
    assert iam.list_users()
    row = world_row(world, token)
    with world.house.state.store.writing() as tx:
        requests.revoke(tx, row.id, world.house.worker.gateway.clock())
    world.house.state.store.commit()
    assert refusal(iam.list_users) == "InvalidClientTokenId"
    assert trade_refusal(world, token) == "AccessDenied"


def test_a_deny_on_the_tokens_age_ends_what_was_and_will_be_traded(world: Delegating):
    """How sessions are revoked at AWS; a fresh trade makes no fresh session."""
    approver = world.user("approver", EVERYTHING)
    token = world.release(approver)
    key = world.trade(token)
    world.later(60)
    now = iso8601(world.house.worker.gateway.clock())
    deny = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}},
        },
    }
    world.house.client("iam").put_user_policy(UserName="approver", PolicyName="revoked", PolicyDocument=json.dumps(deny))
    assert refusal(world.house.client("iam", key).list_users) == "AccessDenied"
    world.later(60)
    assert refusal(world.house.client("iam", world.trade(token)).list_users) == "AccessDenied"


def test_who_is_gone_takes_the_delegation_along(world: Delegating):
    admin = world.house.client("iam")
    approver = world.user("gone", EVERYTHING)
    token = world.release(approver)
    key = world.trade(token)
    admin.delete_access_key(UserName="gone", AccessKeyId=approver.access_key_id)
    admin.delete_user_policy(UserName="gone", PolicyName="own")
    admin.delete_user(UserName="gone")
    world.user("gone", EVERYTHING)
    assert refusal(world.house.client("iam", key).list_users) == "InvalidClientTokenId"
    assert trade_refusal(world, token) == "AccessDenied", "a later namesake approved nothing"


def test_a_deleted_role_takes_the_delegation_along(world: Delegating):
    admin = world.house.client("iam")
    token = world.release(assumed(world, role(world, "Approver", EVERYTHING)))
    key = world.trade(token)
    admin.delete_role_policy(RoleName="Approver", PolicyName="own")
    admin.delete_role(RoleName="Approver")
    assert refusal(world.house.client("iam", key).list_users) == "InvalidClientTokenId"
    assert trade_refusal(world, token) == "AccessDenied"


def test_the_first_of_two_tokens_is_not_the_seconds(world: Delegating):
    """A token is its own request's: one that was rejected after all was never sent."""
    first, second = world.release(), world.release()
    row = world_row(world, first)
    with world.house.state.store.writing() as tx:
        requests.write(tx, row._replace(token_mac=world_row(world, second).token_mac))
    world.house.state.store.commit()
    assert trade_refusal(world, first) == "AccessDenied"
    assert world.trade(second).session_token


def mighty(world: Delegating) -> tuple[str, AccessKey]:
    """Delegated access that the request does not bound, as no template of a partner's could ask for it."""
    token = world.release(SessionDuration=HOUR)
    with world.house.state.store.writing() as tx:
        tx.run("UPDATE iam_delegation_request SET policy = ?", json.dumps(EVERYTHING))
    world.house.state.store.commit()
    return token, world.trade(token)


def test_delegated_access_approves_no_delegation(world: Delegating):
    """Else a partner would renew itself without end."""
    iam, admin = world.house.client("iam", mighty(world)[1]), world.house.client("iam")
    assert iam.list_roles()
    again = world.ask()
    admin.associate_delegation_request(DelegationRequestId=again)
    assert refusal(iam.accept_delegation_request, DelegationRequestId=again) == "AccessDenied"
    admin.accept_delegation_request(DelegationRequestId=again)
    assert refusal(iam.send_delegation_token, DelegationRequestId=again) == "AccessDenied"


def test_a_role_that_is_assumed_with_delegated_access_ends_with_it(world: Delegating):
    arn = role(world, "Worker", EVERYTHING)
    token, key = mighty(world)
    sts = world.house.client("sts", key)
    made = sts.assume_role(RoleArn=arn, RoleSessionName="work", DurationSeconds=12 * HOUR)["Credentials"]
    left = made["Expiration"].timestamp() - world.house.worker.gateway.clock()
    assert left <= HOUR
    worker = AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    answer = world.house.client("iam", worker).list_users()
    (event,) = world.house.events(answer["ResponseMetadata"]["RequestId"])
    assert json.loads(event.record)["userIdentity"]["invokedByDelegate"] == {"accountId": PARTNER}
    with world.house.state.store.writing() as tx:
        requests.revoke(tx, world_row(world, token).id, world.house.worker.gateway.clock())
    world.house.state.store.commit()
    assert refusal(world.house.client("iam", worker).list_users) == "InvalidClientTokenId"


def test_delegated_access_makes_no_other_temporary_credentials_of_its_own(world: Delegating):
    _, key = mighty(world)
    sts = world.house.client("sts", key)
    assert refusal(sts.get_session_token) == "AccessDenied"
    assert refusal(sts.get_federation_token, Name="work", Policy=json.dumps(EVERYTHING)) == "AccessDenied"
    scoped = sts.get_scoped_credentials(DurationSeconds=900)["Credentials"]
    narrow = AccessKey(scoped["AccessKeyId"], scoped["SecretAccessKey"], scoped["SessionToken"])
    answer = world.house.client("iam", narrow).list_users()
    (event,) = world.house.events(answer["ResponseMetadata"]["RequestId"])
    assert json.loads(event.record)["userIdentity"]["invokedByDelegate"] == {"accountId": PARTNER}


def test_a_closed_partner_has_no_access(world: Delegating):
    key = world.trade(world.release())
    with world.house.state.store.writing() as tx:
        tx.run("UPDATE account SET state = 'SUSPENDED' WHERE id = ?", PARTNER)
        tx.changed("account", PARTNER)
    world.house.state.store.commit()
    assert refusal(world.house.client("iam", key).list_users) == "InvalidClientTokenId"


def test_an_accepted_request_that_is_rejected_gives_nothing(world: Delegating):
    request = world.ask()
    iam = world.house.client("iam")
    iam.associate_delegation_request(DelegationRequestId=request)
    iam.accept_delegation_request(DelegationRequestId=request)
    iam.reject_delegation_request(DelegationRequestId=request)
    assert refusal(iam.send_delegation_token, DelegationRequestId=request) == "InvalidInput"
    assert not [each for each in world.messages() if "ExchangeToken" in each]


# Roles that a partner leaves behind


def test_a_partner_makes_roles_with_its_boundary_alone(world: Delegating):
    given = [
        {"Name": "bucketNames", "Values": ["bucket-1"], "Type": "stringList"},
        {"Name": "AccountId", "Values": [world.account], "Type": "string"},
        {"Name": "EnableKeys", "Values": ["False"], "Type": "string"},
    ]
    permissions = {"PolicyTemplateArn": partners.template_arn(DOMAIN, "SetUp_20260101"), "Parameters": given}
    key = world.trade(world.release(Permissions=permissions))
    iam = world.house.client("iam", key)
    assert refusal(iam.list_access_keys, UserName="admin") == "AccessDenied", "the statement was not switched on"
    trusting = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": PARTNER}, "Action": "sts:AssumeRole"}],
    }
    made = {"Path": "/partner.com/", "RoleName": "Reader", "AssumeRolePolicyDocument": json.dumps(trusting)}
    boundary = partners.boundary_arn(DOMAIN, BOUNDARY)
    assert refusal(iam.create_role, **made) == "AccessDenied"
    admins = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert refusal(iam.create_role, **made, PermissionsBoundary=admins) == "AccessDenied"
    arn = iam.create_role(**made, PermissionsBoundary=boundary)["Role"]["Arn"]
    iam.put_role_policy(RoleName="Reader", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    found = world.house.client("sts", world.key).assume_role(RoleArn=arn, RoleSessionName="later")["Credentials"]
    later = world.house.client("iam", AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]))
    assert later.list_users()
    assert refusal(later.list_roles) == "AccessDenied", "the boundary allows to list users alone"
    admin = world.house.client("iam")
    assert admin.get_role(RoleName="Reader")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert READER["Statement"][0]["Action"] == "iam:ListUsers"  # type: ignore[index] # a document
    unknown = partners.boundary_arn(DOMAIN, "Nothing_20260101")
    assert refusal(admin.put_role_permissions_boundary, RoleName="Reader", PermissionsBoundary=unknown) == "NoSuchEntity"
