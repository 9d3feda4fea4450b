from __future__ import annotations

import re
import unicodedata
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from garrison.core.constraints import EQUIVALENTS, constraints, python_pattern
from garrison.core.model import load_model, service_names

PATTERNS = sorted(
    {
        shape.pattern
        for service in service_names()
        for shape in map(load_model(service).shape, load_model(service).shape_names)
        if shape.pattern
    }
)


SLOW = [r"[a-zA-Z](?:-?[a-zA-Z0-9]+)*", r"[a-z](?:-?[a-z0-9]+){0,15}"]
"""Patterns that compile, and would take time exponential in the length of a name."""


def compiles(pattern: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what Python warns of (nested sets, set operations) it reads unlike Java
        try:
            re.compile(pattern)
        except (re.error, FutureWarning):
            return False
    return True


def test_every_pattern_of_every_model_can_be_checked():
    assert len(PATTERNS) > 300
    assert [pattern for pattern in PATTERNS if not compiles(python_pattern(pattern))] == []


def test_every_equivalent_is_needed():
    assert [pattern for pattern in EQUIVALENTS if pattern not in PATTERNS] == []
    assert [pattern for pattern in EQUIVALENTS if compiles(rf"^(?a:{pattern})\Z")] == SLOW


@pytest.mark.parametrize("pattern", [pattern for pattern in EQUIVALENTS if r"\p{L}" in pattern])
def test_unicode_classes_hold_exactly_their_characters(pattern: str):
    find = re.compile(python_pattern(pattern)).search
    extra = "_.:/=+-@" + ("{}" if "{}" in pattern else "")
    for code in range(0x110000):
        letter = chr(code)
        wanted = unicodedata.category(letter)[0] in "LZN" or letter in extra
        assert (find(letter) is not None) == wanted, hex(code)


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        (r"[\w+=,.@-]+", "bob", True),
        (r"[\w+=,.@-]+", "b\u00fcb", False),  # \w is ASCII (java.util.regex.Pattern: "A word character: [a-zA-Z_0-9]")
        (r"\d{12}", "123456789012", True),
        (r"\d{12}", "\u0661" * 12, False),  # "A digit: [0-9]"
        (r"[\w]+", "bob\n", False),  # matches() asks for the whole text
        (r".*", "a\u2028b", False),  # line terminators: \n \r \u0085 \u2028 \u2029
        (r".*", "a\rb", False),
        (r"[.]", ".", True),
        (r"[.]", "a", False),
        (r"\.", "a", False),
        (r"a|b", "ab", False),
        (r"(?s).*", "a\nb", True),
        (r"^[a-zA-Z0-9\s-_()\[\]]+$", "a -_", True),
        (r"^[a-zA-Z0-9\s-_()\[\]]+$", "a!", False),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "a\U0001f600", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "\u0001", False),
    ],
)
def test_patterns_mean_what_they_mean_in_java(pattern: str, text: str, wanted: bool):
    assert (re.search(python_pattern(pattern), text) is not None) is wanted


@pytest.mark.parametrize("pattern", SLOW)
@given(st.lists(st.sampled_from(["a", "-", "0", "a-", "-a", "A", "a-a-a-a"]), max_size=12).map("".join))
@example("a" + "-b" * 15)
@example("a" + "-b" * 16)
@example("ab" + "-b" * 14)
@example("ab" + "-b" * 15)
def test_slow_patterns_have_exact_equivalents(pattern: str, text: str):
    assert (re.search(python_pattern(pattern), text) is None) == (re.fullmatch(pattern, text) is None)


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_patterns_end(pattern: str):
    assert re.search(python_pattern(pattern), "a" * 60 + "!") is None


def test_integers_are_bounded_by_their_type():
    model = load_model("kms")
    assert constraints(model.shape("NumberOfBytesType")) == {"ge": 1, "le": 1024}
    unbounded = next(
        shape
        for shape in map(load_model("iam").shape, load_model("iam").shape_names)
        if shape.type == "integer" and shape.max is None
    )
    assert constraints(unbounded)["le"] == 2**31 - 1


def test_enumerations_are_literal():
    pattern = constraints(load_model("kms").shape("EncryptionAlgorithmSpec"))["pattern"]
    assert re.search(pattern, "SYMMETRIC_DEFAULT")
    assert not re.search(pattern, "SYMMETRIC_DEFAULT2")
