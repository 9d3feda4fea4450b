"""Where an address is: its country, region and AS number, from databases in MaxMind's format that an operator gives.

A directory may hold ``city.mmdb`` or ``country.mmdb``, and ``asn.mmdb``. Records of GeoLite2 and GeoIP2, of DB-IP's lite
databases, of ip-location-db and of IPinfo's lite database are understood. Without a database nothing is known, and a
``GeoMatchStatement`` or ``AsnMatchStatement`` matches nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import maxminddb

from garrison.edge.files import stamp
from garrison.edge.inspect import Location

LOG = logging.getLogger("garrison.edge")
COUNTRIES: Final = ("city.mmdb", "country.mmdb")
"""The first of them that is there tells countries."""
NUMBERS: Final = "asn.mmdb"
_KEPT: Final = 16_384
"""Answers kept: a client comes more than once."""
_AS_NUMBER: Final = re.compile(r"(?:AS)?(\d{1,10})", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_REGION: Final = re.compile(r"[A-Z0-9]{1,3}", re.ASCII)
Record = Mapping[str, Any]


class Places:
    """The databases of a directory. Reads them whole: a file that is replaced or cut short beneath it harms nothing."""

    def __init__(self, directory: Path | None = None) -> None:
        """Raises ValueError naming a file that is no such database, OSError."""
        self._directory = directory
        self.version = self._look()
        """Another one whenever a database is another."""
        self._countries, self._numbers = self._read()
        self._kept = lru_cache(_KEPT)(self._locate)

    def locate(self, ip: str) -> Location:
        """Where the address is. What is no address is nowhere. Raises InvalidDatabaseError where it is broken there."""
        return self._kept(ip)

    def refresh(self) -> bool:
        """Read again what changed; whether something did. A database that cannot be read changes nothing, and is told of once."""
        seen = self._look()
        if seen == self.version:
            return False
        self.version = seen
        try:
            self._countries, self._numbers = self._read()
        except (ValueError, OSError) as error:
            LOG.warning("databases of places are not taken: %s", error)
            return False
        self._kept = lru_cache(_KEPT)(self._locate)
        return True

    def _locate(self, ip: str) -> Location:
        place, network = _record(self._countries, ip), _record(self._numbers, ip)
        return Location(_country(place), _region(place), _number(network) or _number(place))

    def _read(self) -> tuple[maxminddb.Reader | None, maxminddb.Reader | None]:
        if self._directory is None:
            return None, None
        countries = next((path for name in COUNTRIES if (path := self._directory / name).exists()), None)
        return _open(countries), _open(self._directory / NUMBERS)

    def _look(self) -> str:
        if self._directory is None:
            return ""
        return repr([(name, stamp(self._directory / name)) for name in (*COUNTRIES, NUMBERS)])


def _record(database: maxminddb.Reader | None, ip: str) -> Record:
    try:
        found = None if database is None else database.get(ip)
    except ValueError:  # no address, or one of IPv6 and a database without
        return {}
    return found if isinstance(found, Mapping) else {}


def _open(path: Path | None) -> maxminddb.Reader | None:
    if path is None or not path.exists():
        return None
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise ValueError(f"{path} is no database in MaxMind's format: {error}") from None


def _country(record: Record) -> str:
    """The country's ISO 3166-1 code: where the address is used, else where it is registered."""
    for name in ("country", "registered_country"):
        if (code := _code(record.get(name), _COUNTRY)) is not None:
            return code
    return _code({"iso_code": record.get("country_code")}, _COUNTRY) or ""


def _region(record: Record) -> str:
    """The subdivision's part of its ISO 3166-2 code."""
    subdivisions = record.get("subdivisions")
    first = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None
    return _code(first, _REGION) or ""


def _code(holder: object, form: re.Pattern[str]) -> str | None:
    code = holder.get("iso_code") if isinstance(holder, Mapping) else None
    return code if isinstance(code, str) and form.fullmatch(code) else None


def _number(record: Record) -> int:
    """The AS number; 0 where the record has none."""
    found = record.get("autonomous_system_number", record.get("asn"))
    if isinstance(found, str):
        match = _AS_NUMBER.fullmatch(found)
        return int(match.group(1)) if match else 0
    return found if isinstance(found, int) else 0
