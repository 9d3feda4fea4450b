"""Attacks that scanners and their authors publish, read where the packages of these put them; none is copied into this project.

``DIR`` is what ``bench/waf_sources.py`` filled: sqlmap (payloads of its techniques in its own boundaries, and these through each
tamper script), wapiti, wfuzz's and libinjection's lists (the latter in the source package of ModSecurity). Each attack stands in
a query argument, a form, JSON or a multipart form, by its checksum; so a run always sees the same requests.
"""

from __future__ import annotations

import configparser
import importlib
import json
import random
import re
import sys
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus, unquote_plus, unquote_to_bytes

from garrison.edge.inspect import WebRequest

MOST: Final = 1500
"""Attacks of one list; longer ones are thinned out evenly."""
_KEPT: Final = "%+!$'()*,-./:;<=>?@[\\]^_`{|}~\""
_MARKS: Final = {
    "[RANDNUM]": "4821", "[RANDNUM1]": "7316", "[RANDNUM2]": "5502", "[RANDNUM3]": "9120", "[RANDNUM4]": "3377",
    "[RANDNUM5]": "6104", "[RANDSTR]": "qKzx", "[RANDSTR1]": "jWpe", "[RANDSTR2]": "xLro", "[DELIMITER_START]": "qvxbq",
    "[DELIMITER_STOP]": "qkjpq", "[SLEEPTIME]": "5", "[INFERENCE]": "4821=4821", "[ORIGVALUE]": "1", "[ORIGINAL]": "1",
    "[GENERIC_SQL_COMMENT]": "-- wXyz", "[AT_REPLACE]": "qaq", "[SPACE_REPLACE]": "qsq", "[DOLLAR_REPLACE]": "qdq",
    "[HASH_REPLACE]": "qhq", "[SINGLE_QUOTE]": "'", "[COLSTART]": "1", "[COLSTOP]": "10",
}  # fmt: skip
"""What sqlmap writes for its marks when it sends a payload."""
_WAPITI: Final = {
    "[VALUE]": "default", "[LF]": "\n", "[FF]": "\f", "[TAB]": "\t", "[SPACE]": " ", "[EXTERNAL_IP]": "203.0.113.7",
    "[PROTO]": "http", "[EXTERNAL_ENDPOINT]": "http://attacker.example", "[TIME]": "6", "[DIRVALUE]": "/srv",
    "[FILE_NAME]": "index", "[FILE_NOEXT]": "index", "[EXT]": "php", "[PATH_ID]": "12", "[NULL]": "\0", "[PARAM_AS_HEX]": "6964",
    "__XSS__": "wq3x",
}  # fmt: skip


class Attack(NamedTuple):
    """A value that attacks: the list that it is of, its class, and how it is written in a URL."""

    source: str
    kind: str
    wire: str


def _thin(found: list[Attack]) -> list[Attack]:
    found = list(dict.fromkeys(found))
    if len(found) <= MOST:
        return found
    step = len(found) / MOST
    return [found[int(number * step)] for number in range(MOST)]


def _lines(path: Path) -> list[str]:
    text = path.read_text("utf-8", "replace").replace("\r", "")
    return [each for each in text.split("\n") if each.strip() and not each.startswith("# ") and each != "#"]


def _raw(text: str) -> str:
    return quote(text, safe="")


def _as_sent(text: str) -> str:
    """A line of a list that is written as it goes into a URL."""
    return quote(text, safe=_KEPT)


def _libinjection(folder: Path) -> Iterator[tuple[str, list[Attack]]]:
    for path in sorted(folder.glob("modsecurity*/others/libinjection/data/*.txt")):
        kind = "XSS" if "xss" in path.name else "SQL injection"
        if not path.name.startswith(("sqli-", "xss-")):
            continue
        lines = _lines(path)
        if path.name == "xss-shazzer.txt":
            lines = [each.split("|", 5)[5] for each in lines if each.count("|") >= 5]
        if path.name == "xss-html5secorg.txt":
            lines = [re.sub(r"^test [\d_]+ ", "", each) for each in lines]
        name = f"libinjection: {path.stem.partition('-')[2]}"
        yield name, [Attack(name, kind, _as_sent(each)) for each in lines if not each.startswith("#")]


def _wfuzz(folder: Path) -> Iterator[tuple[str, list[Attack]]]:
    kinds = {"SQL.txt": "SQL injection", "XSS.txt": "XSS", "Traversal.txt": "files"}
    for path in sorted(folder.glob("wfuzz/**/Injections/*.txt")):
        if path.name in kinds:
            name = f"wfuzz: {path.stem}"
            yield name, [Attack(name, kinds[path.name], _as_sent(each)) for each in _lines(path)]
    for path in sorted(folder.glob("wfuzz/**/vulns/dirTraversal-*.txt")):
        name = f"wfuzz: {path.stem}"
        yield name, [Attack(name, "files", _as_sent(each)) for each in _lines(path)]


def _filled(text: str, marks: dict[str, str]) -> str:
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def _wapiti(folder: Path) -> Iterator[tuple[str, list[Attack]]]:
    kinds = {
        "xssPayloads": "XSS", "blindSQLPayloads": "SQL injection", "execPayloads": "commands", "fileHandlingPayloads": "files",
        "ldap": "LDAP", "xxePayloads": "XXE",
    }  # fmt: skip
    for path in sorted(folder.glob("wapiti/**/data/attacks/*.ini")):
        if path.stem not in kinds:
            continue
        parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";",), strict=False)
        parser.read(path)
        found = []
        for section in parser.sections():
            text = parser.get(section, "payload", fallback="") or ""
            text = _filled(text.strip(" \n"), _WAPITI)
            if text and text != "None":
                found.append(Attack(f"wapiti: {path.stem}", kinds[path.stem], _raw(text)))
        yield f"wapiti: {path.stem}", found


def _boundaries(root: Path) -> list[tuple[str, str]]:
    tree = ET.parse(root / "data/xml/boundaries.xml")  # noqa: S314 - sqlmap's own file
    usual = (each for each in tree.getroot().iter("boundary") if int(each.findtext("level") or 5) <= 3)
    return [(each.findtext("prefix") or "", each.findtext("suffix") or "") for each in usual]


class _Test(NamedTuple):
    payload: str
    comment: str
    where: str


def _tests(root: Path) -> list[_Test]:
    found = []
    for path in sorted((root / "data/xml/payloads").glob("*.xml")):
        for test in ET.parse(path).getroot().iter("test"):  # noqa: S314 - sqlmap's own files
            payload = test.findtext("request/payload") or ""
            if path.stem == "union_query":
                payload = "UNION ALL SELECT NULL,CONCAT(0x7176786271,0x4a6b,0x716b6a7071),NULL"
            if payload.strip():
                found.append(_Test(payload, test.findtext("request/comment") or "", test.findtext("where") or "1"))
    return found


def _sqlmap(folder: Path) -> Iterator[tuple[str, list[Attack]]]:
    for root in sorted(folder.glob("sqlmap/**/data/xml"))[:1]:
        base = root.parent.parent
        boundaries = _boundaries(base)
        sent = []
        for number, test in enumerate(_tests(base)):
            for at in range(5):
                prefix, suffix = boundaries[(number * 5 + at * 7) % len(boundaries)]
                blank = "" if test.payload[0] in ";," else " "
                text = f"1{prefix}{blank}{test.payload}{test.comment or (' ' + suffix)}"
                if test.where == "3":  # in place of the value: nothing is closed before it or opened after
                    text = test.payload + test.comment
                sent.append(_filled(text, _MARKS))
        yield "sqlmap: techniques", [Attack("sqlmap: techniques", "SQL injection", _raw(each)) for each in dict.fromkeys(sent)]
        yield "sqlmap: tamper scripts", list(_tampered(base, sent))


def _tampered(base: Path, sent: list[str]) -> Iterator[Attack]:
    """What each tamper script makes of forty payloads."""
    sys.path.insert(0, str(base))
    try:
        data = importlib.import_module("lib.core.data")
        data.kb.keywords = set((base / "data/txt/keywords.txt").read_text().split())
        data.kb.aliasName = "qKzx"
        data.conf.smokeTest = True  # no warnings, which would look at more of its state
        random.seed(1)
        for path in sorted((base / "tamper").glob("*.py")):
            if path.stem == "__init__":
                continue
            tamper = importlib.import_module(f"tamper.{path.stem}").tamper
            for text in sent[:: max(1, len(sent) // 40)]:
                changed = tamper(payload=text, headers={})
                # sqlmap sends what a script made as it is where the script encodes, and encodes it itself otherwise.
                encoded = "%" in changed and "%" not in text
                yield Attack("sqlmap: tamper scripts", "SQL injection", _as_sent(changed) if encoded else _raw(changed))
    finally:
        sys.path.remove(str(base))


def attacks(folder: Path) -> Iterator[Attack]:
    """The attacks below ``folder``."""
    for read in (_libinjection, _wfuzz, _wapiti, _sqlmap):
        for _, found in read(folder):
            # A word or number alone is what any field holds; lists have them as probes.
            yield from _thin([each for each in found if re.fullmatch(r"[\w .*-]*", unquote_plus(each.wire)) is None])


def request(attack: Attack) -> WebRequest:
    """The attack in a request."""
    way = zlib.crc32(attack.wire.encode()) % 6
    headers = [
        (b"Host", b"shop.example.com"),
        (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        (b"Accept", b"*/*"),
    ]
    value = unquote_to_bytes(attack.wire.replace("+", " "))
    if way == 4 and value != value.decode("utf-8", "replace").encode():
        way = 0  # JSON cannot say it
    target, body, kind = b"/app/item", b"", b""
    if way < 3:
        target += b"?lang=en&id=" + attack.wire.replace("&", "%26").encode()
    elif way == 3:
        body, kind = b"name=Anna&note=" + quote_plus(value).encode(), b"application/x-www-form-urlencoded"
    elif way == 4:
        body, kind = json.dumps({"id": 7, "note": value.decode("utf-8", "replace")}).encode(), b"application/json"
    else:
        body = b'--b0undary\r\nContent-Disposition: form-data; name="note"\r\n\r\n' + value + b"\r\n--b0undary--\r\n"
        kind = b"multipart/form-data; boundary=b0undary"
    if body:
        headers += [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(body))]
    return WebRequest("POST" if body else "GET", target, headers, body, source_ip="192.0.2.1")
