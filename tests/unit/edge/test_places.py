"""Where addresses are, from databases made here in MaxMind's format (https://maxmind.github.io/MaxMind-DB/)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from garrison.edge.inspect import Location
from garrison.edge.places import Places
from tests.support.places import write

# Addresses of RFC 5737 and RFC 3849, which are nobody's.
GEOLITE_CITY: Mapping[str, Mapping[str, Any]] = {
    "192.0.2.0/24": {
        "country": {"iso_code": "US", "names": {"en": "United States"}},
        "registered_country": {"iso_code": "CA"},
        "subdivisions": [{"iso_code": "CA"}, {"iso_code": "X"}],
    },
    "198.51.100.0/24": {"registered_country": {"iso_code": "GB"}},
    "2001:db8::/32": {"country": {"iso_code": "DE"}},
}
GEOLITE_ASN: Mapping[str, Mapping[str, Any]] = {
    "192.0.2.0/25": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}
}


def test_without_databases_nothing_is_known(tmp_path: Path) -> None:
    assert Places().locate("192.0.2.1") == Location()
    assert Places(tmp_path).locate("192.0.2.1") == Location()


def test_records_of_city_and_asn_databases(tmp_path: Path) -> None:
    write(tmp_path / "city.mmdb", GEOLITE_CITY)
    write(tmp_path / "asn.mmdb", GEOLITE_ASN)
    places = Places(tmp_path)
    assert places.locate("192.0.2.1") == Location("US", "CA", 64496)
    assert places.locate("192.0.2.200") == Location("US", "CA", 0)
    assert places.locate("198.51.100.7") == Location("GB", "", 0)
    assert places.locate("2001:db8::1") == Location("DE", "", 0)
    assert places.locate("203.0.113.1") == Location()


@pytest.mark.parametrize("text", ["", "nowhere", "192.0.2", "192.0.2.1, 192.0.2.2", "fe80::1%eth0", "\x00", "1" * 5000])
def test_what_is_no_address_is_nowhere(tmp_path: Path, text: str) -> None:
    write(tmp_path / "country.mmdb", GEOLITE_CITY)
    assert Places(tmp_path).locate(text) == Location()


def test_a_flat_record_with_country_code_and_as_number_in_letters(tmp_path: Path) -> None:
    write(tmp_path / "country.mmdb", {"192.0.2.0/24": {"country_code": "FR", "asn": "AS64500"}})
    assert Places(tmp_path).locate("192.0.2.9") == Location("FR", "", 64500)


@pytest.mark.parametrize(
    "record",
    [
        {"country": {"iso_code": "usa"}, "country_code": 7},
        {"country": "US", "subdivisions": "CA", "asn": "ASN12"},
        {"country": {"iso_code": "U\nS"}, "subdivisions": [7], "asn": "64500 x"},
    ],
)
def test_a_record_that_is_none_says_nothing(tmp_path: Path, record: Mapping[str, Any]) -> None:
    write(tmp_path / "country.mmdb", {"192.0.2.0/24": record})
    assert Places(tmp_path).locate("192.0.2.1") == Location()


def test_a_database_of_ipv4_alone_knows_no_ipv6(tmp_path: Path) -> None:
    write(tmp_path / "country.mmdb", {"192.0.2.0/24": {"country": {"iso_code": "US"}}}, ip_version=4)
    write(tmp_path / "asn.mmdb", {"2001:db8::/32": {"autonomous_system_number": 64496}})
    assert Places(tmp_path).locate("2001:db8::1") == Location("", "", 64496)


def test_a_replaced_database_is_read_and_a_broken_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "country.mmdb"
    write(path, GEOLITE_CITY)
    places = Places(tmp_path)
    before = places.version
    assert not places.refresh()
    write(path, {"192.0.2.0/24": {"country": {"iso_code": "JP"}}})
    assert places.refresh()
    assert places.version != before
    assert places.locate("192.0.2.1").country == "JP"
    path.write_bytes(b"no database")
    assert not places.refresh()
    assert not places.refresh()
    assert places.locate("192.0.2.1").country == "JP"
    assert caplog.text.count("is no database") == 1


def test_a_file_cut_short_beneath_it_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "country.mmdb"
    write(path, GEOLITE_CITY)
    places = Places(tmp_path)
    os.truncate(path, 10)
    assert places.locate("192.0.2.1").country == "US"


def test_the_start_names_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "asn.mmdb").write_bytes(b"\xab\xcd\xefMaxMind.com")
    with pytest.raises(ValueError, match=r"asn\.mmdb is no database"):
        Places(tmp_path)
