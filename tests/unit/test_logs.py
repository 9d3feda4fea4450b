"""Logs: one JSON object a line, and never a secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from garrison.logs import configure_logs, hide_secrets

MARKER = "wJalrXUtnFEMI-K7MDENG"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn.error")
    handlers, level, quiet = root.handlers[:], root.level, uvicorn.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    uvicorn.setLevel(quiet)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_record_is_one_json_object(capsys: pytest.CaptureFixture[str]):
    configure_logs("info")
    logging.getLogger("garrison").info("serving\non two lines", extra={"endpoint": "http://127.0.0.1:1"})
    (line,) = lines(capsys)
    assert line["event"] == "serving\non two lines"
    assert (line["level"], line["logger"], line["endpoint"]) == ("info", "garrison", "http://127.0.0.1:1")
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize(
    "field",
    [
        "secret",
        "secret_access_key",
        "SecretAccessKey",
        "password",
        "session_token",
        "authorization",
        "x-amz-signature",
        "credentials",
    ],
)
def test_fields_named_like_secrets_are_never_written(capsys: pytest.CaptureFixture[str], field: str):
    configure_logs("debug")
    nested = {"request": {"inner": [{field: MARKER}]}}
    logging.getLogger("garrison").warning("something", extra={field: MARKER, **nested})
    written = capsys.readouterr().err
    assert MARKER not in written
    assert json.loads(written)[field] == "***"


def test_other_fields_stay_as_they_are():
    event = {"event": "x", "keys": ["a", {"b": 1}], "exc_info": (None, None, None)}
    assert hide_secrets(None, "info", dict(event)) == event


def test_a_traceback_stays_on_its_line_and_shows_no_values(capsys: pytest.CaptureFixture[str]):
    configure_logs("info")
    secret = "".join(reversed(MARKER))
    try:
        len(5)  # type: ignore[arg-type] # the error is the point
    except TypeError:
        logging.getLogger("garrison").exception("failed")
    (line,) = lines(capsys)
    assert "TypeError" in str(line["exception"])
    assert secret not in str(line)


def test_a_stranger_cannot_fill_the_disk_through_the_server_library(capsys: pytest.CaptureFixture[str]):
    configure_logs("debug")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("garrison").debug("call")
    assert [line["event"] for line in lines(capsys)] == ["call"]


def test_the_level_is_kept_and_configuring_twice_writes_once(capsys: pytest.CaptureFixture[str]):
    configure_logs("warning")
    configure_logs("warning")
    logging.getLogger("garrison").info("quiet")
    logging.getLogger("garrison").warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]
    assert logging.getLogger().handlers[0].stream is sys.stderr  # type: ignore[attr-defined] # it is the stream handler
