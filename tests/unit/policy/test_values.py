from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network

import pytest

from garrison.policy.values import (
    parse_address,
    parse_binary,
    parse_boolean,
    parse_instant,
    parse_network,
    parse_number,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10", "10"),
        ("-0.50", "-0.5"),
        ("1e3", "1000"),
        ("+.5", "0.5"),
        ("1_0", None),
        ("", None),
        ("NaN", None),
        ("1/2", None),
        ("9" * 65, None),
        ("1e9999", None),
        ("٣", None),
    ],
)
def test_numbers(text: str, number: str | None) -> None:
    assert parse_number(text) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-06-30T00:00:00Z", datetime(2013, 6, 30, tzinfo=UTC)),
        ("2013-06-30", datetime(2013, 6, 30, tzinfo=UTC)),
        ("2013-06", datetime(2013, 6, 1, tzinfo=UTC)),
        ("2013", datetime(1970, 1, 1, 0, 33, 33, tzinfo=UTC)),  # digits alone are epoch seconds
        ("2012-02-29T23:59:59.5Z", datetime(2012, 2, 29, 23, 59, 59, 500_000, tzinfo=UTC)),
        ("2013-06-30T12:00:00+02:00", datetime(2013, 6, 30, 10, tzinfo=UTC)),
        ("2013-06-30T12:00:00-0230", datetime(2013, 6, 30, 14, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("1900-03-01", datetime(1900, 3, 1, tzinfo=UTC)),
        ("2000-02-29", datetime(2000, 2, 29, tzinfo=UTC)),
    ],
)
def test_dates(text: str, moment: datetime) -> None:
    seconds = parse_instant(text)
    assert seconds is not None
    assert float(seconds) == moment.timestamp()


def test_epoch_seconds_and_far_years() -> None:
    assert parse_instant("1704067200.25") == Decimal("1704067200.25")
    assert parse_instant("-292275054") is not None
    for text in ("9223372036854775808", "2013-13-01", "2013-06-30T24:00:00Z", "x", "", "-292275055", "2013-06-30T00:00:00+1"):
        assert parse_instant(text) is None, text


def test_every_day_of_a_cycle_follows_the_one_before() -> None:
    """The calendar arithmetic against Python's own, over leap years, centuries and the cycle of 400 years."""
    for year in (1600, 1700, 1896, 1900, 1999, 2000, 2004, 2100, 2399):
        for month in range(1, 13):
            for day in (1, 28):
                assert parse_instant(f"{year}-{month}-{day}T") == int(datetime(year, month, day, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678::/64"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("203.0.113.0/33", None),
        ("x", None),
    ],
)
def test_networks(text: str, network: str | None) -> None:
    assert parse_network(text) == (None if network is None else ip_network(network))


def test_addresses() -> None:
    assert parse_address("::ffff:203.0.113.7") == ip_address("203.0.113.7")
    assert parse_address("2001:db8::1") == ip_address("2001:db8::1")
    assert parse_address("203.0.113.0/24") is None


def test_binary_and_booleans() -> None:
    assert parse_binary("QmluYXJ5VmFsdWVJbkJhc2U2NA==") == b"BinaryValueInBase64"  # the IAM User Guide's example
    assert parse_binary("!") is None
    assert (parse_boolean("TRUE"), parse_boolean("false"), parse_boolean("1")) == (True, False, None)
