"""Whatever was used, the generated policies allow it; and what was named in no use, they do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from garrison.cli.policy import catalog
from garrison.policy.generate import Use, generate, uncovered

NAMES = st.text(st.sampled_from("ab*?${}/:-' é"), min_size=1, max_size=12)
ACTIONS = st.sampled_from(
    ["s3:GetObject", "s3:PutObject", "kms:Encrypt", "kms:ListKeys", "iam:PassRole", "lambda:InvokeFunction"]
)
SERVICES = st.sampled_from(["ec2.amazonaws.com", "${aws:username}", "*", "rds.amazonaws.com"])


@st.composite
def uses(draw: st.DrawFn) -> Use:
    keys = {"iam:passedtoservice": draw(SERVICES)} if draw(st.booleans()) else {}
    return Use(
        draw(ACTIONS), f"arn:aws:s3:::{draw(st.sampled_from(['one', 'two']))}/{draw(NAMES)}", {"aws:username": "a", **keys}
    )


@given(st.lists(uses(), min_size=1, max_size=30))
def test_everything_that_was_used_is_allowed(used: list[Use]):
    generated = generate(used, catalog, most_resources=5)
    assert uncovered(generated.documents, used) == []


@given(st.lists(uses(), min_size=1, max_size=5), NAMES)
def test_nothing_else_is(used: list[Use], name: str):
    generated = generate(used, catalog, most_resources=5)
    other = Use("s3:GetObject", f"arn:aws:s3:::one/{name}", {"aws:username": "a"})
    was_used = any((use.action, use.resource) == (other.action, other.resource) for use in used)
    assert (uncovered(generated.documents, [other]) == []) is was_used
