"""Debian's own copy of the OWASP Core Rule Set, imported whole: nothing is lost on the way, and its rules match."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from garrison.edge.crs.evaluate import CoreRules
from garrison.edge.crs.reading import read_rules
from garrison.edge.inspect import WebRequest
from tests.support import needs

FOLDER = Path("/usr/share/modsecurity-crs/rules")
HEADERS = [(b"Host", b"www.example.com"), (b"User-Agent", b"Mozilla/5.0"), (b"Accept", b"*/*")]
FORM = [*HEADERS, (b"Content-Type", b"application/x-www-form-urlencoded")]
REQUESTS = (
    ("GET", b"/", HEADERS, b""),
    ("GET", b"/shop?q=red+shoes&page=2", HEADERS, b""),
    ("GET", b"/?id=1%27%20or%201=1--", HEADERS, b""),
    ("GET", b"/?q=%3Cscript%3Ealert(1)%3C/script%3E", HEADERS, b""),
    ("GET", b"/?file=../../../../etc/passwd", HEADERS, b""),
    ("GET", b"/?cmd=;cat+/etc/passwd", HEADERS, b""),
    ("GET", b"/?page=http://192.0.2.7/shell.txt?", HEADERS, b""),
    ("GET", b"/.git/config", HEADERS, b""),
    ("POST", b"/login", [*FORM, (b"Content-Length", b"38")], b"user=admin&password=x' union select 1--"),
    ("POST", b"/api", [*HEADERS, (b"Content-Type", b"application/json")], b'{"x": "<?php system($_GET[1]); ?>"}'),
    ("PUT", b"/", HEADERS, b""),
    ("GET", b"/", [(b"User-Agent", b"sqlmap/1.0")], b""),
    ("GET", b"/?a=b%00c", HEADERS, b""),
    ("GET", b"/", [*HEADERS, (b"Range", b"bytes=50-5,1-2,3-4,5-6,7-8,9-10")], b""),
    ("GET", b"/", [*HEADERS, (b"Cookie", b"a=java.lang.Runtime")], b""),
)


@pytest.fixture(scope="module")
def rules() -> Path:
    if not FOLDER.is_dir():
        needs.missing("Debian's `modsecurity-crs`")
    return FOLDER


def requests() -> list[WebRequest]:
    return [WebRequest(method, target, headers, body, source_ip="192.0.2.1") for method, target, headers, body in REQUESTS]


@pytest.mark.parametrize("level", [1, 4])
def test_every_rule_of_the_files_is_imported_or_has_a_reason(rules: Path, level: int):
    found = read_rules(rules, level=level)
    written = {
        int(number)
        for path in rules.glob("*.conf")
        for line in path.read_text().splitlines()
        if not line.lstrip().startswith("#")
        for number in re.findall(r"[\"\s,]id:(\d+)", line)
    }
    told = {each.id for each in found.rules} | {each.id for each in found.left}
    assert written <= told
    assert not {each.id for each in found.rules} & {each.id for each in found.left}
    assert len(found.rules) > (120 if level == 1 else 190)
    assert all(each.reason for each in found.left)


def test_the_same_rules_match_as_in_libmodsecurity(rules: Path):
    found = read_rules(rules, level=4)
    deciding = {rule.id for rule in found.rules if rule.severity}
    lines = "".join(
        json.dumps(
            {
                "method": each.method,
                "target": each.target.decode("latin-1"),
                "version": each.http_version,
                "client": each.source_ip,
                "headers": [[name.decode(), value.decode()] for name, value in each.headers],
                "body": base64.b64encode(each.body).decode(),
            }
        )
        + "\n"
        for each in requests()
    )
    program = [sys.executable, str(needs.ROOT / "bench" / "modsecurity.py"), str(rules), "4"]
    done = subprocess.run(program, input=lines, check=True, capture_output=True, text=True)
    theirs = [sorted(deciding & set(json.loads(line))) for line in done.stdout.splitlines()]
    core = CoreRules(found)
    ours = [sorted({each.rule.id for each in core.matches(each_request, 65536)}) for each_request in requests()]
    assert ours == theirs
    assert sum(map(len, ours)) > 60
