"""``garrison mfa``: tokens brought in, listed and removed, on record and without a seed anywhere."""

from __future__ import annotations

import time

import pytest

from tests.support.inprocess import InProcess
from tests.support.secrets import Phone
from tests.unit.cli.conftest import Garrison

HEX = "000102030405060708090a0b0c0d0e0f10111213"
BASE32 = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT"
SERIAL = "GAHT12345678"


def test_a_token_is_brought_in_enabled_and_removed(one: InProcess, garrison: Garrison):
    made = garrison("mfa", "import-token", "gaht12345678", text=f"{HEX}\n")
    assert (made.exit_code, made.output) == (0, f"Brought in {SERIAL}\n")
    assert garrison("mfa", "list-tokens").output == f"{SERIAL}  free\n"
    phone, now = Phone(BASE32), time.time()
    two = {"AuthenticationCode1": phone.code(now, -1), "AuthenticationCode2": phone.code(now)}
    assert one.iam("EnableMFADevice", UserName="admin", SerialNumber=SERIAL, **two).status == 200
    one.gateway.flush()
    assert garrison("mfa", "list-tokens").output == f"{SERIAL}  {one.account}\n"
    kept = garrison("mfa", "remove-token", SERIAL)
    assert (kept.exit_code, f"is enabled in account {one.account}" in kept.output) == (1, True)
    assert one.iam("DeactivateMFADevice", UserName="admin", SerialNumber=SERIAL).status == 200
    one.gateway.flush()
    assert garrison("mfa", "remove-token", SERIAL.lower()).exit_code == 0
    assert garrison("mfa", "list-tokens").output == ""


def test_it_is_on_record_without_the_seed(one: InProcess, garrison: Garrison):
    garrison("mfa", "import-token", SERIAL, text=BASE32)
    garrison("mfa", "remove-token", SERIAL)
    events = [event for event in one.events() if event["eventType"] == "AwsServiceEvent"][-2:]
    assert [event["eventName"] for event in events] == ["ImportMFAToken", "RemoveMFAToken"]
    assert events[0]["resources"][0]["ARN"] == f"arn:aws:iam::{one.account}:mfa-token/{SERIAL}"
    assert not {BASE32, HEX} & set(str(events).split('"'))


@pytest.mark.parametrize(
    ("serial", "seed", "status"),
    [(SERIAL, "", 2), (SERIAL, "00" * 15, 2), (SERIAL, "no seed", 2), ("short", HEX, 1), ("arn:aws:iam::1:mfa/x", HEX, 1)],
)
def test_what_is_no_token_is_refused(one: InProcess, garrison: Garrison, serial: str, seed: str, status: int):
    refused = garrison("mfa", "import-token", serial, text=seed)
    assert refused.exit_code == status
    assert HEX not in refused.output
    assert garrison("mfa", "list-tokens").output == ""


def test_one_that_is_there_and_one_that_is_not(one: InProcess, garrison: Garrison):
    garrison("mfa", "import-token", SERIAL, text=HEX)
    assert garrison("mfa", "import-token", SERIAL, text=HEX).exit_code == 1
    assert garrison("mfa", "remove-token", "GAHT99999999").exit_code == 1
