"""Databases of places in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), made for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write(path: Path, records: Mapping[str, Mapping[str, Any]], *, ip_version: int = 6) -> None:
    """Put a database of these networks in the place of what is there; it appears whole."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type="Test", int_type="u32")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), dict(record))
    beside = path.with_suffix(".new")
    writer.to_db_file(str(beside))
    beside.replace(path)
