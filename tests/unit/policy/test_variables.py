from __future__ import annotations

import pytest

from garrison.policy.variables import Literal, Part, Pattern, Variable, resolve, single_text, split_variables


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("a*", (Pattern("a*"),)),
        ("${aws:UserName}", (Variable("aws:username", None, "aws:UserName"),)),
        ("a/${k, 'd e'}/b", (Pattern("a/"), Variable("k", "d e", "k"), Pattern("/b"))),
        ("${k,''}", (Variable("k", "", "k"),)),
        ("${*}${?}${$}", (Literal("*"), Literal("?"), Literal("$"))),
        ("${}", (Pattern("${}"),)),
        ("${open", (Pattern("${open"),)),
        ("${k, d}", (Pattern("${k, d}"),)),
        ("$${k}", (Pattern("$"), Variable("k", None, "k"))),
        ("${a${k}}", (Pattern("${a"), Variable("k", None, "k"), Pattern("}"))),
    ],
)
def test_texts_are_cut_at_their_variables(text: str, parts: tuple[Part, ...]) -> None:
    assert split_variables(text) == parts


def test_a_default_stands_for_an_absent_key_only() -> None:
    variable = Variable("k", "d", "k")
    assert resolve(variable, lambda _key: None) == "d"
    assert resolve(variable, {"k": ""}.get) == ""
    assert resolve(variable, {"k": ["a"]}.get) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (5.0, "5"),
        (5.5, "5.5"),
        (b"abc", "YWJj"),
        (["a"], None),
        ((), None),
    ],
)
def test_values_as_text(value: object, text: str | None) -> None:
    assert single_text(value) == text  # type: ignore[arg-type]  # every kind of value in turn
