"""What tables of several inspectors tell each other: together they estimate what one would, whatever is lost or told twice."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.edge.inspect import RateRule, RateTable, Told
from garrison.edge.inspect.tables import ASKED, TOLD, TOLD_IN_STEP
from garrison.edge.sharing import Hub, Message, Telling

RULE = RateRule("rule", 100, 60)
START = 1_000_000.0


class Node:
    """One inspector's table, and its talk with a hub."""

    def __init__(self, name: str, hub: Hub) -> None:
        self.name = name
        self.hub = hub
        self.table = RateTable(shared=True)

    def hit(self, key: bytes, now: float, times: int = 1) -> bool:
        return [self.table.hit(RULE, key, now) for _ in range(times)][-1]

    def share(self, now: float) -> Sequence[Told]:
        told = self.table.tell(now)
        for rule, heard in self.hub.exchange(Message(self.name, [Telling.of(each) for each in told]), now).items():
            self.table.hear(rule, heard)
        return told


def nodes(count: int) -> list[Node]:
    hub = Hub()
    return [Node(f"node-{number}", hub) for number in range(count)]


def test_requests_at_many_inspectors_count_together():
    four = nodes(4)
    for node in four:
        assert not node.hit(b"192.0.2.1", START, 25)
    for _ in range(2):
        for node in four:
            node.hit(b"192.0.2.1", START)
            node.share(START)
    assert [node.hit(b"192.0.2.1", START) for node in four] == [True] * 4
    assert not four[0].hit(b"192.0.2.2", START)


def test_told_twice_is_told_once():
    one, two = nodes(2)
    one.hit(b"a", START, 30)
    for _ in range(10):
        (told,) = one.table.tell(START)
        one.table.hit(RULE, b"b", START)  # so that there is something to tell the next time
        one.hub.exchange(Message(one.name, [Telling.of(told)] * 3), START)
        one.table.hit(RULE, b"a", START)
    two.hit(b"a", START)
    two.share(START)
    assert two.table.estimate(RULE, b"a", START) == 1 + 39


def test_what_others_counted_leaves_the_window_too():
    one, two = nodes(2)
    one.hit(b"a", START, 200)
    one.share(START)
    two.hit(b"a", START)
    two.share(START)
    assert two.hit(b"a", START + 50)
    assert not two.hit(b"a", START + 75)


def test_what_others_counted_while_one_was_quiet_counts():
    one, two = nodes(2)
    for node in (one, two):
        node.hit(b"a", START)
        node.share(START)
    one.hit(b"a", START + 25, 60)
    one.share(START + 25)
    two.hit(b"a", START + 55)
    two.share(START + 55)
    assert two.table.estimate(RULE, b"a", START + 55) == 63


def test_an_inspector_that_starts_again_hears_of_what_it_counted_before():
    one, _ = nodes(2)
    one.hit(b"a", START, 150)
    one.share(START)
    again = Node("another name", one.hub)
    assert not again.hit(b"a", START + 12)
    again.share(START + 12)
    assert again.hit(b"a", START + 12)


def test_what_could_not_be_told_is_in_the_next_telling():
    one, two = nodes(2)
    one.hit(b"a", START, 50)
    one.table.tell(START)  # and nobody heard it
    one.hit(b"a", START)
    one.share(START)
    two.hit(b"a", START)
    two.share(START)
    assert two.table.estimate(RULE, b"a", START) == 52


def test_nothing_counted_nothing_told():
    assert RateTable(shared=True).tell(START) == []
    alone = RateTable()
    alone.hit(RULE, b"a", START)
    assert alone.tell(START) == []


def test_many_instances_tell_of_the_largest_and_stay_bounded():
    table = RateTable(shared=True)
    for number in range(100_000):
        table.hit(RULE, b"%d" % number, START)
    for _ in range(10):
        table.hit(RULE, b"attacker", START)
    (told,) = table.tell(START)
    assert len(told.counts[told.step]) == TOLD
    assert told.counts[told.step][b"attacker"] == 10
    assert len(told.asked_whole) == ASKED
    assert b"attacker" in told.asked_whole


def test_one_step_tells_of_no_more_instances_than_bounded_but_always_of_those_near_the_limit():
    table = RateTable(shared=True)
    seen: set[bytes] = set()
    for start in range(0, 2 * TOLD_IN_STEP, TOLD):
        for number in range(start, start + TOLD):
            table.hit(RULE, b"%d" % number, START)
        for told in table.tell(START):
            seen.update(told.counts.get(told.step, {}))
    assert len(seen) == TOLD_IN_STEP
    for _ in range(3):
        table.hit(RULE, b"late", START)
    (told,) = table.tell(START)
    assert told.counts[told.step] == {b"late": 3}


def test_rules_that_nobody_speaks_of_are_forgotten():
    (one,) = nodes(1)
    one.hit(b"a", START)
    one.share(START)
    one.hub.exchange(Message("other", []), START + 10 * RULE.window)
    two = Node("two", one.hub)
    two.hit(b"a", START)
    two.share(START)
    assert two.table.estimate(RULE, b"a", START) == 1


EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([b"a", b"b", b"c"]), st.floats(0, 5), st.integers(1, 20)),
    min_size=1,
    max_size=40,
)


@given(EVENTS)
@settings(max_examples=200, deadline=None)
def test_once_all_have_told_each_estimates_what_one_table_would(events: list[tuple[int, bytes, float, int]]):
    three, alone = nodes(3), RateTable()
    now = START
    for number, key, passed, times in events:
        now += passed
        three[number].hit(key, now, times)
        three[number].share(now)
        for _ in range(times):
            alone.hit(RULE, key, now)
    keys = {key for _, key, _, _ in events}
    for _ in range(2):
        for node in three:
            for key in keys:
                node.hit(key, now)
                alone.hit(RULE, key, now)
            node.share(now)
    for key in keys:
        expected = alone.estimate(RULE, key, now)
        # The last to share has heard all; the first missed what the others counted after it.
        assert abs(three[-1].table.estimate(RULE, key, now) - expected) < 1e-6
        assert expected - 2 - 1e-6 <= three[0].table.estimate(RULE, key, now) <= expected + 1e-6
