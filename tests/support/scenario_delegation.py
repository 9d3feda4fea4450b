"""Temporary delegation, role templates and account properties: the steps of the scenario."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from garrison.core.ids import system_random
from garrison.identity.delegation import notices, partners
from tests.support.house import ACCOUNT, House

if TYPE_CHECKING:
    from tests.support.scenario import Answers, Step

DOMAIN = "partner.com"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:delegations"
USERS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]}
TEMPLATE = partners.template_arn(DOMAIN, "Users_20260101")
ROLE_TEMPLATE = "arn:aws:iam::aws:role-template/iam.amazonaws.com/PowerUserRoleTemplate:1"


def admit(house: House) -> Callable[[str], str]:
    """Register the account as a partner; what gives the token of a request of its own."""
    policies = {
        "domain": DOMAIN,
        "name": "Partner",
        "accounts": [ACCOUNT],
        "topics": {TOPIC: {}},
        "templates": {"Users_20260101": USERS},
    }
    state = house.state
    with state.store.writing() as tx:
        partners.register(tx, state.keyring, partners.read(json.dumps(policies).encode()), system_random)
    state.store.commit()

    def token(request: str) -> str:
        messages = [json.loads(json.loads(each)["Message"]) for each in notices.kept(state.store.reading(), state.keyring, TOPIC)]
        (found,) = [each["ExchangeToken"] for each in messages if each["RequestId"] == request and "ExchangeToken" in each]
        return str(found)

    return token


def steps(answers: Answers) -> Iterator[Step]:
    """A partner of the account itself: every state that a request comes to, and what is answered where nothing is here."""
    from tests.support.scenario import Step, Wanted  # noqa: PLC0415 - that file goes through these steps

    token: Callable[[str], str] = answers["delegation token"]
    request = Wanted("AWS::IAM::DelegationRequest", "")

    def asked() -> dict[str, Any]:
        return {"DelegationRequestId": answers["CreateDelegationRequest"]["DelegationRequestId"]}

    for number in range(2):
        members = {
            "OwnerAccountId": ACCOUNT,
            "Description": "to look at users",
            "Permissions": {"PolicyTemplateArn": TEMPLATE},
            "RequestorWorkflowId": f"workflow-{number}",
            "NotificationChannel": TOPIC,
            "SessionDuration": 900,
        }
        yield Step("iam", "CreateDelegationRequest", members, request)
        # Who is refused asks for one that is not there: what nobody has taken up anybody of the account may.
        refused = {"DelegationRequestId": "dr-00000000-0000-4000-8000-000000000000"}
        yield Step("iam", "AssociateDelegationRequest", asked(), request, refused=refused)
        yield Step("iam", "UpdateDelegationRequest", {**asked(), "Notes": "please look"}, request)
        if number == 0:
            yield Step("iam", "RejectDelegationRequest", {**asked(), "Notes": "not now"}, request)
    yield Step("iam", "GetDelegationRequest", {**asked(), "DelegationPermissionCheck": True})
    yield Step("iam", "ListDelegationRequests")
    entity = f"arn:aws:iam::{ACCOUNT}:delegation-request/{asked()['DelegationRequestId']}"
    yield Step("iam", "GetHumanReadableSummary", {"EntityArn": entity})
    yield Step("iam", "AcceptDelegationRequest", asked(), request)
    yield Step("iam", "SendDelegationToken", asked(), request)
    yield Step("sts", "GetDelegatedAccessToken", {"TradeInToken": token(asked()["DelegationRequestId"])})
    account = Wanted("AWS::::Account", f"arn:aws:iam::{ACCOUNT}:root")
    yield Step("iam", "PutAccountProperties", {"Properties": {"RoleManager/Enabled": "true"}}, account)
    yield Step("iam", "GetAccountProperties")
    yield Step("iam", "AcquireRole", {"TemplateArn": ROLE_TEMPLATE}, fails="NoSuchEntity")
    yield Step("iam", "GetRoleTemplateVersion", {"TemplateArn": ROLE_TEMPLATE}, fails="NoSuchEntity")
