"""What starts a detector: nothing that it would find stays unseen."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.edge.inspect.detect import shell, survey

PIECES = st.sampled_from([b"cat", b"/etc", b"echo", b"IFS", b" ", b"\n", b"$", b"'", b'"', b"`", b"\\", b"^", b"{", b"}", b",", b"*", b"?", b"/",
    b".", b"-", b"(", b")", b"@", b"!", b"#", b":", b";", b"|", b"1", b"a"])  # fmt: skip
LINES = st.lists(PIECES, max_size=14).map(b"".join)


@given(LINES)
@settings(max_examples=400, deadline=None)
def test_whatever_is_undisguised_is_started(line: bytes):
    assert shell.undisguise(line) == line or shell._DISGUISED.search(line)


@given(LINES)
@settings(max_examples=300, deadline=None)
def test_a_started_detector_finds_what_it_finds_alone(line: bytes):
    assert (shell.detect(line) is None) == (shell.detect(line, hot=survey.started(line)) is None)


def test_a_quoted_argument_starts_it():
    line = b'/*/*!50000\0\0\0";\0\0\0\0cat|| "&;cat\0\0\0";cat  "/"/'
    assert shell.detect(line) == shell.detect(line, hot=survey.started(line)) == b"cat  /"
