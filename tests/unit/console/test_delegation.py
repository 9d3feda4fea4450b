"""The page that a partner's deep link leads to: the customer's whole way, with nothing but the session's own permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from garrison import app
from garrison.core.ids import system_random
from garrison.identity.delegation import notices, partners
from tests.support.browsing import Browser, Page, browser_of, path_of
from tests.support.delegation import BOUNDARY, DOMAIN, PARTNER, TOPIC, registration
from tests.support.inprocess import InProcess, between
from tests.support.server import AccessKey
from tests.support.signing_in import PASSWORD, new_user
from tests.unit.console.test_federation import ask, session_of, sts

PATH = "/_console/delegation"
ALLOW = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}}


@pytest.fixture
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


@pytest.fixture
def partner(process: InProcess) -> AccessKey:
    made = app.new_account(process.state, PARTNER, name="partner")
    with process.state.store.writing() as tx:
        partners.register(tx, process.state.keyring, partners.read(registration()), system_random)
    process.state.store.commit()
    return AccessKey(*made.admin_key)


def asked(process: InProcess, partner: AccessKey, template: str = "Whole_20260101", **more: str) -> str:
    """The path of a new request's deep link."""
    members = {
        "OwnerAccountId": process.account,
        "Description": "<b>Set up</b>",
        "Permissions.PolicyTemplateArn": partners.template_arn(DOMAIN, template),
        "RequestorWorkflowId": "workflow-1",
        "NotificationChannel": TOPIC,
        "SessionDuration": "3600",
        "RedirectUrl": "https://partner.com/back",
        **more,
    }
    answer = process.iam("CreateDelegationRequest", partner, **members)
    assert answer.status == 200, answer.body
    link = between(answer.body.decode(), "ConsoleDeepLink").replace("&amp;", "&")
    assert link.startswith("http://127.0.0.1:4566/_console/delegation?id=dr-")
    return path_of(link)


def signed_in(process: InProcess, name: str, *, allowed: bool, onward: str = "") -> Browser:
    new_user(process, name)
    if allowed:
        process.iam("PutUserPolicy", UserName=name, PolicyName="own", PolicyDocument=json.dumps(ALLOW))
    browser = browser_of(process)
    browser.sign_in(process.account, name, PASSWORD, onward)
    return browser


def press(browser: Browser, step: str, **typed: str) -> Page:
    """Press a button of the form that the browser shows."""
    assert browser.page is not None
    form = browser.page.form(PATH)
    return browser.post(PATH, {**form.fields, "step": step, **typed})


def test_a_deep_link_leads_through_the_sign_in_to_shared_access(process: InProcess, partner: AccessKey):
    link = asked(process, partner)
    browser = browser_of(process)
    first = browser.get(link)
    assert first.location == f"/_console/sign-in?next={quote(link, safe='')}"
    browser = signed_in(process, "alice", allowed=True, onward=link)
    page = browser.get(link)
    assert (page.texts["state"], page.texts["requestor"]) == ("UNASSIGNED", PARTNER)
    assert page.texts["description"] == "<b>Set up</b>", "escaped"
    assert page.texts["check"] == "ALLOWED"
    assert '"iam:ListUsers"' in page.texts["policy"]
    for step, state in (
        ("AssociateDelegationRequest", "ASSIGNED"),
        ("AcceptDelegationRequest", "ACCEPTED"),
        ("SendDelegationToken", "FINALIZED"),
    ):
        assert press(browser, step).location == link
        assert browser.get(link).texts["state"] == state
    page = browser.get(link)
    assert page.texts["back"] == "Go back to Example Partner"
    assert 'href="https://partner.com/back"' in page.body
    assert '<form method="post" action="/_console/delegation"' not in page.body
    assert "workflow" not in page.body
    messages = [
        json.loads(json.loads(each)["Message"])
        for each in notices.kept(process.state.store.reading(), process.state.keyring, TOPIC)
    ]
    token = messages[-1]["ExchangeToken"]
    key = sts(process, "GetDelegatedAccessToken", partner, TradeInToken=token)
    assert process.iam("ListUsers", key).status == 200
    assert process.iam("ListRoles", key).status == 403
    assert browser.get("/_console/delegation").status == 200


def test_who_may_not_accept_forwards(process: InProcess, partner: AccessKey):
    link = asked(process, partner)
    browser = signed_in(process, "bob", allowed=False)
    assert browser.get(link).texts["check"] == "DENIED"
    press(browser, "AssociateDelegationRequest")
    browser.get(link)
    refused = press(browser, "AcceptDelegationRequest")
    assert refused.status == 403
    assert "not authorized to perform: iam:AcceptDelegationRequest" in refused.message
    browser.get(link)
    press(browser, "UpdateDelegationRequest", notes="please look")
    page = browser.get(link)
    assert (page.texts["state"], page.texts["notes"]) == ("PENDING_APPROVAL", "please look")
    assert browser.get("/_console/delegation").status == 403
    admin = signed_in(process, "carol", allowed=True)
    admin.get(link)
    press(admin, "RejectDelegationRequest", notes="not now")
    assert admin.get(link).texts["rejection"] == "not now"


def test_what_is_not_a_step_and_what_is_not_there(process: InProcess, partner: AccessKey):
    link = asked(process, partner)
    browser = signed_in(process, "dave", allowed=True)
    browser.get(link)
    assert press(browser, "DeleteUser").status == 400
    assert browser.get("/_console/delegation?id=dr-00000000-0000-4000-8000-000000000000").status == 403
    assert browser.get("/_console/delegation?id=%3Cscript%3E").status == 403
    assert browser.post("/_console/delegation", {"id": link, "step": "AssociateDelegationRequest"}).status == 403, (
        "no form of ours"
    )
    assert browser.get(link).texts["state"] == "UNASSIGNED"


def test_the_boundary_of_roles_is_shown(process: InProcess, partner: AccessKey):
    given = {"bucketNames": "bucket-1", "AccountId": process.account, "EnableKeys": "False"}
    members: dict[str, str] = {}
    for at, (name, value) in enumerate(given.items(), 1):
        place = f"Permissions.Parameters.member.{at}"
        members |= {f"{place}.Name": name, f"{place}.Values.member.1": value, f"{place}.Type": "string"}
    link = asked(process, partner, "SetUp_20260101", **members)
    page = signed_in(process, "erin", allowed=True).get(link)
    assert partners.boundary_arn(DOMAIN, BOUNDARY) in page.body
    assert "arn:aws:s3:::bucket-1/*" in page.texts["policy"]


def test_delegated_access_opens_no_console(process: InProcess, partner: AccessKey):
    """Else it would last as long as a browser's session."""
    link = asked(process, partner)
    browser = signed_in(process, "frank", allowed=True)
    for step in ("AssociateDelegationRequest", "AcceptDelegationRequest", "SendDelegationToken"):
        browser.get(link)
        press(browser, step)
    kept = notices.kept(process.state.store.reading(), process.state.keyring, TOPIC)
    token = json.loads(json.loads(kept[-1])["Message"])["ExchangeToken"]
    key = sts(process, "GetDelegatedAccessToken", partner, TradeInToken=token)
    answer = ask(browser, session_of(key))
    assert answer.status == 403
    assert "delegated" in answer.body
