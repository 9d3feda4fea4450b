"""What an inspector tells in batches: bounded in memory, in rows and in time."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from garrison.edge import samples
from garrison.edge.inspect import Action, Verdict, WebRequest
from garrison.edge.inspect.verdict import TokenAnswer
from garrison.edge.privacy import privacy
from garrison.edge.samples import Batch
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store

ACL = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/a/1"
NOW = 1_760_000_000.0


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store("", sealer=Keyring(bytes(32)), memory=True)
    yield found
    found.close()


def zeros(count: int) -> bytes:
    return bytes(count)


def seen(path: str = "/", when: float = NOW, headers: tuple[tuple[bytes, bytes], ...] = ()) -> WebRequest:
    return WebRequest("GET", path.encode(), headers, source_ip="192.0.2.1", time=when)


def verdict(*metrics: tuple[str, Action], action: Action = Action.ALLOW, labels: tuple[str, ...] = ()) -> Verdict:
    return Verdict(action, metrics=(*metrics, ("acl", action)), labels=labels)


def flush(store: Store, batch: Batch, now: float = NOW, inspector: str = "one") -> None:
    with store.writing() as tx:
        batch.flush(tx, inspector, now)
    store.commit()


def rows(store: Store, table: str) -> int:
    found = store.reading().one(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of tests
    assert found is not None
    return int(found[0])


def sampled(store: Store, metric: str) -> tuple[int, list[dict[str, object]]]:
    return samples.sampled(store.reading(), ACL, metric, (NOW - 3600, NOW + 3600))


def test_a_batch_is_written_once(store: Store):
    batch = Batch(zeros)
    batch.add(ACL, "acl", seen(), verdict())
    flush(store, batch)
    flush(store, batch)
    assert sampled(store, "ALL")[0] == 1
    batch.add(ACL, "acl", seen(), verdict())
    flush(store, batch)
    assert sampled(store, "ALL")[0] == 2


def test_a_flood_is_bounded_in_the_batch_and_in_the_slot(store: Store):
    batch = Batch(zeros)
    for _ in range(50):
        for number in range(1500):
            batch.add(ACL, "acl", seen(f"/{number}"), verdict(("rule", Action.COUNT)))
        flush(store, batch)
    count, kept = sampled(store, "rule")
    assert (count, len(kept)) == (75_000, samples.PER_SLOT)
    assert rows(store, "waf_path") == samples.PATHS
    assert rows(store, "waf_sample") == 3 * samples.PER_SLOT


def test_every_request_of_a_batch_may_be_kept(store: Store):
    """Reservoir sampling: drawn numbers below the bound replace, others do not."""
    high = Batch(lambda count: b"\xff" * count)
    low = Batch(zeros)
    for batch in (high, low):
        for number in range(samples.PER_BATCH + 1):
            batch.add(ACL, "acl", seen(f"/{number}"), verdict())
    flush(store, low)
    kept = {each["Request"]["URI"] for each in sampled(store, "ALL")[1]}  # type: ignore[index] # a mapping
    assert f"/{samples.PER_BATCH}" in kept
    assert "/0" not in kept


def test_what_is_old_goes(store: Store):
    batch = Batch(zeros)
    batch.add(ACL, "acl", seen(), verdict())
    flush(store, batch)
    with store.writing() as tx:
        samples.tell_limited(tx, "rule", "one", ["192.0.2.1"], NOW)
    store.commit()
    flush(store, batch, NOW + samples.KEPT - 120)
    assert rows(store, "waf_sample") == 2
    assert rows(store, "waf_limited") == 0
    flush(store, batch, NOW + samples.KEPT + 120)
    assert (rows(store, "waf_sample"), rows(store, "waf_count"), rows(store, "waf_path")) == (0, 0, 1)
    flush(store, batch, NOW + samples.PATHS_KEPT + 7200)
    assert rows(store, "waf_path") == 0


def test_credentials_and_long_values_are_not_kept():
    headers = ((b"Authorization", b"Bearer secret"), (b"cookie", b"a=secret"), (b"X-Long", b"x" * 10_000), (b"X-Bytes", b"\xff"))
    shown = samples.record(seen("/" + "y" * 10_000, headers=headers), verdict(), Action.ALLOW)
    assert "secret" not in json.dumps(shown)
    values = {each["Name"]: each["Value"] for each in shown["Request"]["Headers"]}
    assert values["Authorization"] == values["cookie"] == "REDACTED"
    assert len(values["X-Long"]) == len(shown["Request"]["URI"]) == samples.VALUE
    assert values["X-Bytes"] == "\ufffd"
    many = tuple((b"n%d" % number, b"") for number in range(1000))
    assert len(samples.record(seen(headers=many), verdict(), Action.ALLOW)["Request"]["Headers"]) == samples.HEADERS


def test_arguments_that_carry_credentials_and_what_a_web_acl_protects_are_masked():
    asked = seen("/login?user=ann&password=secret&page=1", headers=((b"X-Tenant", b"blue"), (b"Cookie", b"a=1; theme=dark")))
    shown = samples.record(asked, verdict(), Action.ALLOW)["Request"]
    assert shown["URI"] == "/login?user=ann&password=REDACTED&page=1"

    def protect(kind: str, *keys: str) -> dict[str, object]:
        return {"Field": {"FieldType": kind, "FieldKeys": list(keys)}, "Action": "SUBSTITUTION"}

    protected = [protect("SINGLE_HEADER", "x-tenant"), protect("SINGLE_QUERY_ARGUMENT", "user")]
    masks = privacy({"DataProtectionConfig": {"DataProtections": protected}}, (), "111122223333")
    shown = samples.record(asked, verdict(), Action.ALLOW, None, masks)["Request"]
    assert shown["URI"] == "/login?user=REDACTED&password=REDACTED&page=1"
    assert [each["Value"] for each in shown["Headers"]] == ["REDACTED", "REDACTED"]
    whole = privacy({"DataProtectionConfig": {"DataProtections": [protect("QUERY_STRING")]}}, (), "111122223333")
    assert samples.record(asked, verdict(), Action.ALLOW, None, whole)["Request"]["URI"] == "/login?REDACTED"


def test_a_record_tells_of_tokens_and_overrides():
    challenged = Verdict(
        Action.CHALLENGE, challenge=TokenAnswer(202, failure="TOKEN_MISSING"), overridden=Action.BLOCK, inserted=(("x-a", "1"),)
    )
    shown = samples.record(seen(), challenged, Action.CHALLENGE)
    assert shown["ResponseCodeSent"] == 202
    assert shown["ChallengeResponse"] == {"ResponseCode": 202, "FailureReason": "TOKEN_MISSING"}
    assert shown["OverriddenAction"] == "BLOCK"
    assert shown["RequestHeadersInserted"] == [{"Name": "x-a", "Value": "1"}]
    solved = Verdict(Action.ALLOW, captcha=TokenAnswer(0, solved=NOW))
    assert samples.record(seen(), solved, Action.ALLOW)["CaptchaResponse"] == {"ResponseCode": 0, "SolveTimestamp": int(NOW)}


def test_paths_know_the_bot_by_its_labels(store: Store):
    batch = Batch(zeros)
    prefix = "awswaf:managed:aws:bot-control:bot:"
    labels = (f"{prefix}category:ai", f"{prefix}name:gptbot", f"{prefix}verified", f"{prefix}organization:openai")
    batch.add(ACL, "acl", seen("/a?x=1"), verdict(labels=labels))
    flush(store, batch)
    (found,) = samples.paths(store.reading(), ACL, (NOW, NOW))
    assert found == samples.PathCount("/a", "ai", "openai", "gptbot", 1)


def test_who_falls_silent_is_not_believed(store: Store):
    with store.writing() as tx:
        samples.tell_limited(tx, "rule", "one", ["192.0.2.1"], NOW)
        samples.tell_limited(tx, "rule", "two", ["192.0.2.2"], NOW + 20)
    store.commit()
    assert samples.limited(store.reading(), "rule", NOW + 25) == ["192.0.2.1", "192.0.2.2"]
    assert samples.limited(store.reading(), "rule", NOW + 40) == ["192.0.2.2"]
    with store.writing() as tx:
        samples.tell_limited(tx, "rule", "two", [], NOW + 41)
    store.commit()
    assert samples.limited(store.reading(), "rule", NOW + 42) == []
