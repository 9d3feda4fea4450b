"""What reading SQL must not cost."""

from __future__ import annotations

import pytest

from garrison.edge.inspect.detect.sql import detect


@pytest.mark.parametrize("unit", [b"--%concat(", b"-concat(-", b"1-concat(1-", b"(-", b"concat(1),-"])
def test_calls_without_an_end_are_divided_in_one_way(unit: bytes):
    """A hundred of them took minutes, and each more many times as long: the test never ends if they do."""
    detect(unit * 800)
    detect(unit * 800, high=True)


@pytest.mark.parametrize("text", [b"2*(concat(1,2)) and 8=3", b"1-concat(1,2)-abs(3) or 1=1", b"concat(a,b)||c and 1=1"])
def test_conditions_after_calls_are_found(text: bytes):
    assert detect(text) is not None
