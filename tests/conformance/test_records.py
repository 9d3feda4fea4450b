"""What a call leaves behind: every operation of every service, called once allowed and once refused.

One event each, whatever came of the call; a configuration item for every change; no secret in either.
Sources: CloudTrail User Guide, "CloudTrail record contents"; AWS Config Developer Guide, "Components of a configuration item".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import resources
from typing import Any
from urllib.parse import quote

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

import garrison.app
from garrison.core.model import load_model
from garrison.core.operation import REGISTRY, Declaration
from garrison.keys.kms.custom.stores import Cluster
from tests.support import scenario_delegation, scenario_signin
from tests.support.house import ACCOUNT, REGION, House, Item, Left
from tests.support.scenario import CLUSTER, HSM_PASSWORD, MATERIAL, PLAINTEXT, Answers, Step, scenario
from tests.support.server import AccessKey

assert garrison.app is not None  # registers every operation

LIMITED = resources.files("garrison") / "api" / "limited.json"
DECLARATIONS = sorted(REGISTRY.values(), key=lambda one: one.key)
OF_ITSELF = {("kms", "rotatekeyondemand"): ["RotateKey"]}
"""Events that a service leaves of itself beside the call's own."""
NO_ITEM = {
    "iam:AcquireRole": "no role template is here, and so no role is made",
    "sts:GetDelegatedAccessToken": "sessions come and go, and are no resources of AWS Config",
    "kms:CreateGrant": "grants are no part of a key's configuration item, and no resource of their own in AWS Config",
    "kms:RetireGrant": "the same",
    "kms:RevokeGrant": "the same",
    "signin:BatchRevokeSessions": "sessions come and go, and are no resources of AWS Config",
    "signin:CreateOAuth2Token": "the same",
    "signin:RevokeOAuth2TokenWithIAM": "the same",
    "wafv2:CreateAPIKey": "keys of the client integration are no resources of AWS Config",
    "wafv2:DeleteAPIKey": "the same",
}
"""Writes that change no resource, each with its reason."""


@dataclass(slots=True)
class Record:
    """A step, what it was answered and what it left."""

    step: Step
    code: str = ""
    events: list[Left] = field(default_factory=list)
    added: int = 0
    """How many events there were more after the call than before."""
    items: list[Item] = field(default_factory=list)
    answer: Any = None


@dataclass(slots=True)
class Run:
    """The whole scenario."""

    allowed: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    refused: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    secrets: set[bytes] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    """Everything that the trail and the configuration items hold at the end."""


def call(house: House, step: Step, key: AccessKey) -> tuple[Record, Any]:
    """Make a call and look at what it left."""
    before = len(house.events())
    try:
        answer = getattr(house.client(step.service, key), xform_name(step.operation))(**step.members)
    except ClientError as error:
        answer = error.response
    record = Record(step, answer.get("Error", {}).get("Code", ""), answer=answer)
    request_id = answer["ResponseMetadata"]["RequestId"]
    record.events = house.events(request_id)
    record.added = len(house.events()) - before
    record.items = house.items(request_id)
    return record, answer


def stranger(house: House, run: Run) -> AccessKey:
    """A user without any right."""
    iam = house.client("iam")
    iam.create_user(UserName="stranger")
    made = iam.create_access_key(UserName="stranger")
    run.secrets |= secrets_in(made)
    return AccessKey(made["AccessKey"]["AccessKeyId"], made["AccessKey"]["SecretAccessKey"])


def another_account(house: House) -> Any:
    """The client of Organizations of a second account."""
    made = garrison.app.new_account(house.state, "222233334444", name="other")
    return house.client("organizations", AccessKey(*made.admin_key))


def later(house: House, days: int) -> None:
    """As if the accounts of organizations had joined so many days ago."""
    with house.state.store.writing() as tx:
        tx.run("UPDATE org_account SET joined = joined - ?", days * 86_400.0)
    house.state.store.commit()


def sealed_denial(house: House, key: AccessKey) -> str:
    """The details that EC2 seals into a denial."""
    with pytest.raises(ClientError) as caught:
        house.client("ec2", key).describe_instances()
    return str(caught.value.response["Error"]["Message"]).rpartition(": ")[2]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    house = House()
    house.worker.gateway.ports.keys.stores.clusters = {CLUSTER: Cluster("/nowhere.so", "token")}
    passwords = {HSM_PASSWORD.encode(), HSM_PASSWORD[::-1].encode()}
    found = Run(secrets={*passwords, MATERIAL, PLAINTEXT, house.first.root_key[1].encode(), house.first.admin_key[1].encode()})
    try:
        nobody = stranger(house, found)
        wrong = AccessKey(house.admin.access_key_id, "not-the-secret")
        found.answers["encoded"] = sealed_denial(house, nobody)
        found.answers["another account"] = another_account(house)
        found.answers["later"] = partial(later, house)
        found.answers["tick"] = house.worker.tick
        found.answers["code of"] = partial(scenario_signin.code_of, house)
        found.answers["delegation token"] = scenario_delegation.admit(house)
        scenario_signin.prove(house)
        for step in scenario(found.answers):
            declaration = REGISTRY[step.service, step.operation.lower()]
            key = (step.service, step.operation.lower())
            tried = step if step.refused is None else replace(step, members=step.refused)
            record, answer = call(house, tried, nobody if declaration.auth == "required" else wrong)
            found.refused.setdefault(key, []).append(record)
            record, answer = call(house, step, house.admin)
            assert record.code == step.fails, f"{step.service}:{step.operation} must be allowed: {answer.get('Error')}"
            found.allowed.setdefault(key, []).append(record)
            found.answers[step.operation] = answer
            found.secrets |= secrets_in(step.members) | secrets_in(answer)
        found.texts = everything(house)
        yield found
    finally:
        house.close()


SECRET_MEMBERS = {
    "Base32StringSeed",
    "NewPassword",
    "OldPassword",
    "Password",
    "QRCodePNG",
    "SecretAccessKey",
    "SessionToken",
    "TradeInToken",
    "WebIdentityToken",
    "SAMLAssertion",
    "AddPrivateKey",
    "Plaintext",
    "CiphertextBlob",
    "PrivateKey",
    "PrivateKeyPlaintext",
    "PrivateKeyCiphertextBlob",
    "code",
    "codeVerifier",
    "idToken",
    "refreshToken",
    "secretAccessKey",
    "sessionToken",
    "token",
    "SharedSecret",
    "SharedSecretCiphertextBlob",
    "Signature",
    "ServicePassword",
    "ServiceCredentialSecret",
    "Mac",
}


def secrets_in(answer: Any) -> set[bytes]:
    """Every secret of an answer: of access keys and sessions, plaintexts, ciphertexts, data keys, signatures."""
    if isinstance(answer, list):
        return {secret for item in answer for secret in secrets_in(item)}
    if not isinstance(answer, dict):
        return set()
    found = {value if isinstance(value, bytes) else value.encode() for name, value in answer.items() if name in SECRET_MEMBERS}
    return found | {secret for value in answer.values() for secret in secrets_in(value)}


def everything(house: House) -> list[str]:
    """All text of the tables that the trail and the configuration items are in."""
    tables = ("audit_event", "audit_resource", "config_item")
    rows = [row for table in tables for row in house.state.store.reading().all(f"SELECT * FROM {table}")]  # noqa: S608 - constants
    return [str(value) for row in rows for value in row if isinstance(value, str)]


def spellings(secret: bytes) -> set[str]:
    """A secret as a text may hold it."""
    plain = secret.decode("latin-1")
    encoded = base64.b64encode(secret).decode()
    return {
        plain,
        json.dumps(plain)[1:-1],
        quote(plain, safe=""),
        encoded,
        encoded.rstrip("="),
        quote(encoded, safe=""),
        secret.hex(),
    }


def identify(declaration: Declaration) -> str:
    return f"{declaration.service}:{name_of(declaration)}"


def name_of(declaration: Declaration) -> str:
    names = load_model(declaration.service).operation_names
    return next(name for name in names if name.lower() == declaration.key[1])


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=identify)
def test_a_call_that_is_allowed_leaves_one_event(declaration: Declaration, run: Run):
    records = run.allowed.get(declaration.key)
    assert records, "no step of the scenario calls it"
    for record in records:
        assert record.code == record.step.fails
        assert (len(record.events), record.added) == (1, 1 + len(OF_ITSELF.get(declaration.key, ())))
        event = json.loads(record.events[0].record)
        assert event["eventName"] == name_of(declaration)
        assert event["eventSource"] == f"{declaration.service}.amazonaws.com"
        assert event["readOnly"] is declaration.read
        assert event["userIdentity"]["userName"] == "admin"
        assert event.get("errorCode", "") == record.step.fails


def test_what_has_no_meaning_here_answers_as_the_coverage_page_says(run: Run):
    listed: dict[str, dict[str, dict[str, str]]] = json.loads(LIMITED.read_text(encoding="utf-8"))
    for service, names in listed.items():
        for name, limit in names.items():
            codes = {record.code for record in run.allowed[service, name.lower()]}
            assert codes == {limit["answers"]}, f"{service}:{name}"


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=identify)
def test_a_call_that_is_refused_leaves_one_event_and_no_change(declaration: Declaration, run: Run):
    """Refused by policy; where no policy is asked, for a signature that is not the key's."""
    records = run.refused.get(declaration.key)
    assert records, "no step of the scenario calls it"
    signed = declaration.auth != "required" and declaration.proves is None
    for record in records:
        assert record.code in ({"SignatureDoesNotMatch"} if signed else {"AccessDenied", "AccessDeniedException"})
        assert (len(record.events), record.added, record.items) == (1, 1, [])
        event = json.loads(record.events[0].record)
        assert event["eventName"] == name_of(declaration)
        assert event["errorCode"] == record.code
        assert event["responseElements"] is None
        if not signed:
            assert event["userIdentity"]["userName"] == "stranger"
            assert json.loads(record.events[0].decision)["outcome"] != "allow"


@pytest.mark.parametrize(
    "declaration", [one for one in DECLARATIONS if not one.read and identify(one) not in NO_ITEM], ids=identify
)
def test_a_write_leaves_the_configuration_item_of_what_it_changed(declaration: Declaration, run: Run):
    records = run.allowed.get(declaration.key)
    assert records, "no step of the scenario calls it"
    for record in (each for each in records if not each.step.fails):
        wanted = record.step.item
        assert wanted is not None, "the step does not say which item it leaves"
        arn = wanted.arn or arn_of(record.answer)
        (item,) = [one for one in record.items if one.type == wanted.type and arn in {"", one.arn}]
        assert (item.account, item.region, bool(item.deleted)) == (ACCOUNT, wanted.region, wanted.deleted)
        assert json.loads(item.tags) == wanted.tags
        assert item.id
        assert wanted.deleted or json.loads(item.configuration)


def arn_of(answer: Any) -> str:
    """The ARN of what a call made, where the answer alone tells it; empty where its type is enough."""
    if "CustomKeyStoreId" in answer:
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:custom-key-store/{answer['CustomKeyStoreId']}"
    return str(answer["KeyMetadata"]["Arn"]) if "KeyMetadata" in answer else ""


@pytest.mark.parametrize("declaration", [one for one in DECLARATIONS if one.read], ids=identify)
def test_a_read_leaves_no_configuration_item(declaration: Declaration, run: Run):
    assert [record.items for record in run.allowed[declaration.key] if record.items] == []


def test_no_secret_is_on_record(run: Run):
    assert len(run.secrets) >= 16, "the scenario makes secrets"
    text = "\n".join(run.texts)
    found = {spelling for secret in run.secrets for spelling in spellings(secret) if spelling in text}
    assert not found


def test_the_search_for_secrets_finds_what_is_there(run: Run):
    """The same search, for what the trail does hold: a name, and a value of an encryption context."""
    text = "\n".join(run.texts)
    for shown in (b"stranger", b"tenant"):
        assert any(spelling in text for spelling in spellings(shown))


def test_every_step_calls_what_is_registered(run: Run):
    assert set(run.allowed) == {declaration.key for declaration in DECLARATIONS}
    known = {identify(declaration) for declaration in DECLARATIONS if not declaration.read}
    assert set(NO_ITEM) <= known
