"""People of a directory sign in to the pages with a SAML response.

Source: IAM User Guide, "Enabling SAML 2.0 federated principals to access the AWS Management Console" and "Configure SAML
assertions for the authentication response".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from garrison.console import saml
from tests.support.browsing import Browser, Page, browser_of
from tests.support.idp_oidc import rsa_key
from tests.support.idp_saml import ATTRIBUTES, SamlIdp, certificate, encoded, encrypt, metadata, private_pem
from tests.support.inprocess import InProcess, between
from tests.support.signing_in import PASSWORD, Clock, new_user

DURATION = f"{ATTRIBUTES}/SessionDuration"


class Directory:
    """An identity provider, a role that trusts it, and who is sent here by it."""

    def __init__(self) -> None:
        self.process = InProcess()
        document = metadata(certificate()[1])
        made = self.process.iam("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=document).body.decode()
        self.provider = between(made, "SAMLProviderArn")
        self.idp = SamlIdp(self.role("work"), self.provider)

    def role(self, name: str, **more: str) -> str:
        """A role that the provider's people may assume, if it names them; its ARN."""
        trust = {"Effect": "Allow", "Principal": {"Federated": self.provider}, "Action": "sts:AssumeRoleWithSAML"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made = self.process.iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=document, **more).body.decode()
        return between(made, "Arn")

    def send(self, browser: Browser, response: SamlIdp | str | None = None, path: str = "/saml", **more: str) -> Page:
        """What the provider's page makes the browser send: from elsewhere, so without our cookies."""
        idp = self.idp if response is None else response
        text = idp.encoded() if isinstance(idp, SamlIdp) else idp
        kept, browser.cookies = browser.cookies, {}
        headers = {"origin": "https://idp.example.com", "sec_fetch_site": "cross-site"}
        page = browser.post(path, {"SAMLResponse": text, **more}, **headers)
        browser.cookies = {**kept, **browser.cookies}
        return page

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.process.events() if event["eventName"] == name]


@pytest.fixture
def directory() -> Iterator[Directory]:
    made = Directory()
    yield made
    made.process.close()


def go_on(browser: Browser, **chosen: str) -> Page:
    return browser.send(saml.FORM, **chosen)


def test_somebody_signs_in_as_a_role(directory: Directory):
    browser = browser_of(directory.process)
    page = directory.send(browser)
    assert page.status == 200
    assert "garrison-session" not in browser.cookies
    assert go_on(browser).location == "/_console/"
    arn = f"arn:aws:sts::{directory.process.account}:assumed-role/work/someone"
    assert browser.get("/_console/").texts["arn"] == arn
    (login,) = directory.events("ConsoleLogin")
    assert (login["userIdentity"]["type"], login["userIdentity"]["arn"]) == ("AssumedRole", arn)
    assert login["additionalEventData"]["SamlProviderArn"] == directory.provider
    (assumed,) = directory.events("AssumeRoleWithSAML")
    assert "errorCode" not in assumed


def test_one_of_several_roles_is_chosen(directory: Directory):
    other = directory.role("other")
    named = [f"{directory.idp.role},{directory.provider}", f"{directory.provider},{other}"]
    browser = browser_of(directory.process)
    page = directory.send(browser, directory.idp.with_(roles=named))
    assert [arn in page.body for arn in (directory.idp.role, other)] == [True, True]
    go_on(browser, choice=f"{other},{directory.provider}")
    assert "/other/" in browser.get("/_console/").texts["arn"]


def test_a_role_that_is_not_offered_is_not_had(directory: Directory):
    other = directory.role("other")
    browser = browser_of(directory.process)
    for choice in (f"{other},{directory.provider}", f"{directory.idp.role},arn:aws:iam::1:saml-provider/x", "", ","):
        directory.send(browser)
        assert go_on(browser, choice=choice).status == 403
    assert directory.events("AssumeRoleWithSAML") == []
    assert "garrison-session" not in browser.cookies


def test_the_roles_trust_policy_has_the_last_word(directory: Directory):
    nobody = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        }
    )
    assert directory.process.iam("UpdateAssumeRolePolicy", RoleName="work", PolicyDocument=nobody).status == 200
    browser = browser_of(directory.process)
    directory.send(browser)
    page = go_on(browser)
    assert (page.status, "Not authorized to perform sts:AssumeRoleWithSAML" in page.body) == (403, True)
    assert "garrison-session" not in browser.cookies


def test_a_response_counts_once(directory: Directory):
    text = directory.idp.encoded()
    one, thief = browser_of(directory.process), browser_of(directory.process)
    directory.send(one, text)
    directory.send(thief, text)
    assert go_on(one).status == 303
    assert go_on(thief).status == 403
    assert "garrison-session" not in thief.cookies


def test_no_page_of_somebody_else_signs_anybody_in(directory: Directory):
    new_user(directory.process, "ann")
    ann = browser_of(directory.process)
    ann.sign_in(directory.process.account, "ann", PASSWORD)
    fields = {"response": directory.idp.encoded(), "choice": f"{directory.idp.role},{directory.provider}", "path": "/saml"}
    assert ann.post(saml.FORM, fields).status == 403
    assert ann.get("/_console/").texts["arn"].endswith(":user/ann")


@pytest.mark.parametrize(
    "response",
    [
        {"key": rsa_key(7)},
        {"signs": "nothing"},
        {"audience": "urn:somebody:else"},
        {"recipient": "https://evil.example/saml"},
        {"issued": -400.0},
        {"issuer": "https://other.example.com/metadata"},
        {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"},
        {"roles": []},
        {"roles": ["arn:aws:iam::111122223333:role/x,arn:aws:iam::111122223333:saml-provider/x"]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_is_not_proven_shows_nothing(directory: Directory, response: dict[str, Any]):
    page = directory.send(browser_of(directory.process), directory.idp.with_(**response))
    assert (page.status, page.forms[-1].action if page.forms else "") == (403, "")
    assert directory.idp.role not in page.body


@pytest.mark.parametrize("text", ["", "x", "PHg+", "é", "A" * 100_001])
def test_what_is_no_response(directory: Directory, text: str):
    assert directory.send(browser_of(directory.process), text).status == 403


def test_more_providers_than_anybody_has(directory: Directory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(saml, "MOST_PROVIDERS", 1)
    named = [f"{directory.idp.role},{directory.provider}", f"{directory.idp.role},{directory.provider}2"]
    assert directory.send(browser_of(directory.process), directory.idp.with_(roles=named)).status == 403


def test_how_long_it_lasts(directory: Directory):
    """An hour, or as SessionDuration says, at most the role's MaxSessionDuration."""
    long = directory.role("long", MaxSessionDuration="7200")
    asked = directory.idp.with_(role=long)
    for idp, seconds in ((asked, 3600), (asked.with_(attributes=[(DURATION, "7200")]), 7200)):
        browser = browser_of(directory.process)
        directory.send(browser, idp)
        assert go_on(browser).status == 303
        clock = Clock(directory.process)
        clock.go(seconds - 30)
        assert browser.get("/_console/").status == 200
        clock.go(60)
        assert browser.get("/_console/").status == 303
        clock.go(-seconds - 30)
    for value in ("899", "43201", "x", "7201", "٩٠٠"):
        browser = browser_of(directory.process)
        directory.send(browser, asked.with_(attributes=[(DURATION, value)]))
        assert go_on(browser).status == 403


def test_where_it_leads(directory: Directory):
    for state, leads in (
        ("/_console/sessions", "/_console/sessions"),
        ("https://evil.example/", "/_console/"),
        ("", "/_console/"),
    ):
        browser = browser_of(directory.process)
        directory.send(browser, RelayState=state)
        assert go_on(browser).location == leads


def test_encrypted_assertions_come_to_the_providers_own_address(directory: Directory):
    key = rsa_key(5)
    given = {"SAMLProviderArn": directory.provider, "AddPrivateKey": private_pem(key), "AssertionEncryptionMode": "Required"}
    assert directory.process.iam("UpdateSAMLProvider", **given).status == 200
    uuid = between(directory.process.iam("GetSAMLProvider", SAMLProviderArn=directory.provider).body.decode(), "SAMLProviderUUID")

    def sealed() -> str:
        return encoded(directory.idp.response(wrap=lambda assertion: encrypt(assertion, key.public_key())))

    browser = browser_of(directory.process)
    assert directory.send(browser, sealed()).status == 403
    assert directory.send(browser, sealed(), f"/saml/acs/{uuid}").status == 200
    assert go_on(browser).status == 303
    assert directory.send(browser, sealed(), "/saml/acs/SAMLAAAAAAAAAAAAAAAAAAAAAA").status == 403


def test_a_bucket_may_be_called_saml(directory: Directory):
    """Only a form with a response is a provider's."""
    browser = browser_of(directory.process)
    for fields in ({"a": "b"}, {}):
        assert "<html" not in browser.post("/saml", fields).body
    assert "<html" not in browser.get("/saml").body
