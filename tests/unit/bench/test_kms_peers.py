from __future__ import annotations

import base64
import json

import pytest

from bench import kms_peers, load, run
from bench.load import Result

PLAN = load.Plan(
    *("127.0.0.1", 1, 1, "AKIAIOSFODNN7EXAMPLE", "secret", "us-east-1", "Encrypt", "key-id", "bench", 10, 2),
    key_ids=(),
    signing_key_id="pair",
    blob="YmxvYg==",
    signature="c2ln",
)


def figures(cpu: float, *operations: str) -> kms_peers.Figures:
    return {
        (operation, connections): [Result(10, 1.0, cpu * factor, 1.5, 9.0, 800.0) for factor in (1, 2, 30)]
        for operation in operations
        for connections in kms_peers.CONNECTIONS
    }


def planned(**changed: object) -> load.Plan:
    return load.Plan(**{**{name: getattr(PLAN, name) for name in PLAN.__dataclass_fields__}, **changed})


def test_the_table_shows_medians_and_ratios():
    seen = {"garrison": figures(0.1, *kms_peers.OPERATIONS), "peer": figures(0.5, "Encrypt")}
    lines = kms_peers.table(seen)
    assert lines[2] == "| Encrypt | 0.200 / 5,000 | 1.000 / 1,000 | 5.0 |"
    assert lines[3] == "| Decrypt | 0.200 / 5,000 | - | - |"
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    assert "| Sign, 64 | 1.5 / 9.0 | - |" in kms_peers.latencies(seen)


def test_the_section_has_its_own_markers():
    one = kms_peers.Scale(1000, [Result(10, 1.0, 0.25, 1.5, 9.0, 800.0)], 70.0)
    text = kms_peers.section({"garrison": figures(0.1, "Encrypt")}, [one], 3)
    assert text.startswith(kms_peers.BEGIN)
    assert text.endswith(kms_peers.END)
    assert "| 1,000 | 0.250 | 1.5 / 9.0 | 70.0 |" in text
    page = run.PAGE.read_text(encoding="utf-8")
    assert page.count(kms_peers.BEGIN) == page.count(kms_peers.END) == page.count(run.BEGIN) == 1


@pytest.mark.parametrize("operation", kms_peers.OPERATIONS)
def test_every_operation_has_a_call_of_both_kinds(operation: str):
    service, headers, body = load.call(planned(operation=operation), 3)
    assert (service, headers["X-Amz-Target"]) == ("kms", f"TrentService.{operation}")
    assert json.loads(body)
    path, members = load.transit_call(planned(operation=operation), 3)
    assert path.split("/")[1 if operation != "GenerateDataKey" else 2] in {"key-id", "pair"}
    assert members


def test_keys_take_turns():
    plan = planned(key_ids=("a", "b"))
    assert [load.key_call(plan, number)["KeyId"] for number in range(3)] == ["a", "b", "a"]
    assert load.key_call(planned(key_ids=("a", "b"), first=1), 0)["KeyId"] == "b"
    many = tuple(map(str, range(100_000)))
    asked = {load.key_call(planned(key_ids=many, first=5_000), number)["KeyId"] for number in range(5_000)}
    assert len(asked) == 5_000
    assert base64.b64decode(load.key_call(plan, 7)["Plaintext"]) == (7).to_bytes(32, "big")


def test_a_token_signs_nothing():
    request = load.sign(planned(token="t"), 1)
    assert request.startswith(b"POST /v1/transit/encrypt/key-id HTTP/1.1\r\n")
    assert b"X-Vault-Token: t\r\n" in request
    assert b"Authorization" not in request
