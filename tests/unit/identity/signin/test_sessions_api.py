"""ListSessions, GetSession, BatchRevokeSessions, IntrospectOAuth2TokenWithIAM and RevokeOAuth2TokenWithIAM through boto3.

Source: AWS Sign-In API Reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.app import new_account
from tests.support.house import ACCOUNT, House
from tests.support.scenario_signin import code_of, prove, request_for
from tests.support.server import AccessKey

ALL = f"arn:aws:iam::{ACCOUNT}:*"
READS = ("signin:ListSessions", "signin:GetSession", "signin:BatchRevokeSessions")


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    prove(made)
    yield made
    made.close()


def user(house: House, name: str, *actions: str, path: str = "/") -> AccessKey:
    iam = house.client("iam")
    iam.create_user(UserName=name, Path=path)
    if actions:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])


def login(house: House, name: str) -> Any:
    """What the token endpoint answers to a command line of a user."""
    request = request_for(code_of(house, name))["tokenInput"]
    return house.client("signin").create_o_auth2_token(tokenInput=request)["tokenOutput"]


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    return str(caught.value.response["Error"]["Code"]), str(caught.value.response.get("error", ""))


def test_a_caller_sees_its_own_sessions(house: House):
    mine = user(house, "ann", *READS)
    user(house, "bob")
    token = login(house, "admin")
    assert token
    code_of(house, "bob")
    code_of(house, "ann")
    items = house.client("signin", mine).list_sessions()["items"]
    assert [item["principalArn"] for item in items] == [f"arn:aws:iam::{ACCOUNT}:user/ann"]
    assert items[0]["status"] == "ACTIVE"
    assert items[0]["expiresAt"] > items[0]["issuedAt"]
    assert "clientType" not in items[0]


def test_an_administrator_sees_those_of_others_and_of_all(house: House):
    user(house, "bob", path="/crew/")
    code_of(house, "bob")
    login(house, "admin")
    signin = house.client("signin")
    (one,) = signin.list_sessions(principalArn=f"arn:aws:iam::{ACCOUNT}:user/bob")["items"]
    assert one["principalArn"] == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert len(signin.list_sessions(principalArn=ALL)["items"]) == 3
    assert signin.list_sessions(principalArn="arn:aws:iam::999999999999:*")["items"] == []
    clients = signin.list_sessions(principalArn=ALL, clientId="arn:aws:signin:::devtools/same-device")["items"]
    assert [item["clientType"] for item in clients] == ["CLI"]
    now = int(house.worker.gateway.clock())
    assert signin.list_sessions(principalArn=ALL, issuedAfter=now + 60)["items"] == []
    assert signin.list_sessions(principalArn=ALL, issuedBefore=now - 60)["items"] == []


def test_lists_come_in_pages_that_belong_to_their_list(house: House):
    for _ in range(5):
        code_of(house, "admin")
    signin = house.client("signin")
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = signin.list_sessions(maxResults=2, **token)
        seen += [item["sessionArn"] for item in page["items"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert len(seen) == len(set(seen)) == 5
    first = signin.list_sessions(maxResults=2)["nextToken"]
    assert refused(signin.list_sessions, principalArn=ALL, nextToken=first) == ("ValidationException", "INVALID_REQUEST")


def test_one_session_with_the_browser_that_it_came_from(house: House):
    login(house, "admin")
    signin = house.client("signin")
    items = signin.list_sessions()["items"]
    client = next(item for item in items if "clientType" in item)
    browser = next(item for item in items if "clientType" not in item)
    found = signin.get_session(sessionArn=client["sessionArn"])
    assert found["originSessionArn"] == browser["sessionArn"]
    assert (found["issuedInRegion"], found["clientType"]) == ("eu-central-1", "CLI")
    assert found["lastUsedAt"] >= found["issuedAt"]


def test_a_session_of_somebody_else_is_not_found(house: House):
    mine = user(house, "ann", *READS)
    code_of(house, "admin")
    theirs = house.client("signin").list_sessions()["items"][0]["sessionArn"]
    signin = house.client("signin", mine)
    for arn in (theirs, "x", theirs[:-1], theirs + "\x00", f"arn:aws:signin:eu-central-1:{ACCOUNT}:session/none"):
        assert refused(signin.get_session, sessionArn=arn) == ("ResourceNotFoundException", "RESOURCE_NOT_FOUND")
    answer = signin.batch_revoke_sessions(sessionArns=[theirs])
    assert answer["revokedSessions"] == []
    assert [error["code"] for error in answer["errors"]] == ["RESOURCE_NOT_FOUND"]
    assert house.client("signin").get_session(sessionArn=theirs)["status"] == "ACTIVE"


def test_a_revoked_session_is_not_refreshed(house: House):
    token = login(house, "admin")
    signin = house.client("signin")
    arn = next(item["sessionArn"] for item in signin.list_sessions()["items"] if "clientType" in item)
    for _ in range(2):
        answer = signin.batch_revoke_sessions(sessionArns=[arn, "nothing"], reason="a lost laptop")
        assert answer["revokedSessions"] == [{"sessionArn": arn}]
        assert answer["errors"][0]["sessionArn"] == "nothing"
    assert signin.get_session(sessionArn=arn)["status"] == "REVOKED"
    assert [item["sessionArn"] for item in signin.list_sessions(status="REVOKED")["items"]] == [arn]
    request = {
        "clientId": "arn:aws:signin:::devtools/same-device",
        "grantType": "refresh_token",
        "refreshToken": token["refreshToken"],
    }
    assert refused(signin.create_o_auth2_token, tokenInput=request) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_without_the_permission_nothing_is_told(house: House):
    signin = house.client("signin", user(house, "nobody"))
    token = login(house, "admin")["refreshToken"]
    denied = ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")
    assert refused(signin.list_sessions) == denied
    assert refused(signin.get_session, sessionArn="x") == denied
    assert refused(signin.batch_revoke_sessions, sessionArns=["x"]) == denied
    assert refused(signin.introspect_oauth2_token_with_iam, token=token) == denied
    assert refused(signin.revoke_oauth2_token_with_iam, token=token) == denied


def test_a_refresh_token_is_introspected_and_revoked(house: House):
    token = login(house, "admin")["refreshToken"]
    signin = house.client("signin")
    found = signin.introspect_oauth2_token_with_iam(token=token, tokenTypeHint="access_token")
    assert found["active"] is True
    assert found["tokenType"] == "refresh_token"
    assert (found["accountId"], found["sub"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/admin")
    assert found["iss"] == "signin.amazonaws.com"
    assert found["userId"] == house.client("iam").get_user(UserName="admin")["User"]["UserId"]
    for _ in range(2):
        signin.revoke_oauth2_token_with_iam(token=token)
    found = signin.introspect_oauth2_token_with_iam(token=token)
    assert {name for name in found if name != "ResponseMetadata"} == {"active"}
    assert found["active"] is False


@pytest.mark.parametrize("token", ["ASORx", "ASOAx", "ASOR" + "A" * 500])
def test_a_token_that_is_none_is_not_active(house: House, token: str):
    signin = house.client("signin")
    assert signin.introspect_oauth2_token_with_iam(token=token)["active"] is False
    if token.startswith("ASOR"):
        signin.revoke_oauth2_token_with_iam(token=token)


def test_tokens_of_other_accounts_are_none(house: House):
    token = login(house, "admin")["refreshToken"]
    other = house.client("signin", AccessKey(*new_account(house.state, "222233334444", name="other").admin_key))
    assert other.introspect_oauth2_token_with_iam(token=token)["active"] is False
    other.revoke_oauth2_token_with_iam(token=token)
    assert house.client("signin").introspect_oauth2_token_with_iam(token=token)["active"] is True
