"""Rule files are read whole: what cannot be imported has its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from garrison.edge.crs.reading import Unreadable, read_rules
from garrison.edge.crs.rules import Bundle, BundleError, Variable, dump, read
from tests.support.secrules import TAIL, bundle, folder, rule


def left(found: Bundle) -> dict[int, str]:
    return {each.id: each.reason for each in found.left}


GOOD = rule("ARGS", "@rx good", number=942999)


def test_a_rule_is_read_as_it_is_written(tmp_path: Path):
    text = """SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|REQUEST_HEADERS:User-Agent|&ARGS|XML:/* "@rx (?i:a\\"b)" \\
    "id:942100,\\
    phase:2,\\
    block,\\
    capture,\\
    t:none,t:urlDecodeUni,t:lowercase,\\
    msg:'Found',\\
    tag:'attack-sqli',\\
    tag:'paranoia-level/1',\\
    severity:'WARNING',\\
    multiMatch,\\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\\
    setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
"""
    (found,) = bundle(tmp_path, text).rules
    assert (found.id, found.where, found.phase, found.severity, found.level, found.message) == (
        942100,
        "REQUEST-942-TEST.conf:1",
        2,
        "WARNING",
        1,
        "Found",
    )
    (link,) = found.links
    assert link.variables == (
        Variable("REQUEST_COOKIES"),
        Variable("REQUEST_COOKIES", "/__utm/", excluded=True),
        Variable("REQUEST_HEADERS", "User-Agent"),
        Variable("ARGS", count=True),
        Variable("XML", "/*"),
    )
    assert (link.operator, link.negated, link.transforms, link.steps) == ("rx", False, ("URL_DECODE_UNI", "LOWERCASE"), True)
    assert link.sets == ()


def test_none_forgets_the_transformations_before_it(tmp_path: Path):
    (found,) = bundle(tmp_path, rule("ARGS", "@rx a", "t:lowercase,t:none,t:trim")).rules
    assert found.links[0].transforms == ("TRIM",)


def test_chains_are_one_rule(tmp_path: Path):
    text = rule("ARGS", "@rx a(b)", "capture,chain") + 'SecRule TX:1 "!@streq b" "t:none"\n'
    (found,) = bundle(tmp_path, text).rules
    assert [link.operator for link in found.links] == ["rx", "streq"]
    assert found.links[1].negated


def test_phrases_come_from_the_file_beside(tmp_path: Path):
    found = bundle(tmp_path, rule("ARGS", "@pmFromFile words.data"), words_data="# note\nalpha\n\n  beta gamma \nalpha\n")
    assert found.rules[0].links[0].phrases == ("alpha", "beta gamma")
    inline = bundle(tmp_path, rule("ARGS", "@pm one two|20 |three"))
    assert inline.rules[0].links[0].phrases[0] == "one"


def test_settings_are_those_of_the_setup_else_the_defaults(tmp_path: Path):
    text = """SecRule &TX:allowed_methods "@eq 0" "id:901160,phase:1,pass,nolog,setvar:'tx.allowed_methods=GET HEAD'"
SecRule &TX:other "@eq 0" "id:901161,phase:1,pass,nolog,setvar:'tx.other=a=b'"
"""
    path = folder(tmp_path, text + GOOD)
    assert read_rules(path).settings == {"allowed_methods": "GET HEAD", "other": "a=b"}
    setup = tmp_path / "crs-setup.conf"
    setup.write_text("SecAction \"id:900200,phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods=GET'\"\n")
    assert read_rules(path).settings["allowed_methods"] == "GET"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    mine = elsewhere / "mine.conf"
    mine.write_text("SecAction \"id:900200,phase:1,nolog,pass,setvar:'tx.allowed_methods=PUT'\"\n")
    assert read_rules(path, setup=mine).settings["allowed_methods"] == "PUT"
    assert left(read_rules(path))[901160] == "gives a setting its value, which is taken"


def test_a_checkout_has_its_rules_in_a_folder(tmp_path: Path):
    folder(tmp_path / "rules", 'SecComponentSignature "OWASP_CRS/4.28.0"\n' + GOOD)
    assert read_rules(tmp_path).release == "OWASP_CRS/4.28.0"


SKIP = 'SecRule TX:DETECTION_PARANOIA_LEVEL "@lt {}" "id:94201{},phase:2,pass,nolog,skipAfter:END"\n'
REASONS = {
    SKIP.format(2, 3): (942013, "steps over rules of higher paranoia levels; their tags tell the level"),
    rule("ARGS", "@rx a", tail="severity:'CRITICAL',tag:'paranoia-level/2'"): (942100, "of paranoia level 2"),
    'SecRule RESPONSE_BODY "@rx a" "id:1,phase:4,block,severity:\'ERROR\'"\n': (1, "looks at the answer"),
    'SecRule ARGS "@rx a" "id:2,phase:5,pass,nolog"\n': (2, "runs when the answer is sent"),
    'SecRule IP:COUNT "@gt 5" "id:3,phase:1,deny,severity:\'CRITICAL\'"\n': (
        3,
        "keeps counts of addresses between requests; a rate-based rule does",
    ),
    'SecRule REQUEST_URI "@rx a" "id:4,phase:1,pass,nolog,ctl:ruleRemoveById=942100"\n': (
        4,
        "changes other rules or the engine (ctl:ruleremovebyid)",
    ),
    'SecRule TX:ANOMALY_SCORE "@ge 5" "id:5,phase:2,deny,severity:\'CRITICAL\'"\n': (
        5,
        "adds up scores; the group's own last rule does",
    ),
    rule("ARGS", "@geoLookup", number=6): (6, "asks by @geoLookup, which needs what is not there"),
    rule("DURATION", "@gt 5", number=7): (7, "looks at DURATION, which is not there"),
    rule("ARGS", "@rx a", "t:parityEven7bit", number=8): (8, "transforms by t:parityEven7bit, which is not known"),
    rule("TX:MAX_NUM_ARGS", "@gt 5", "chain", number=9) + 'SecRule &ARGS "@gt 9"\n': (
        9,
        "asks for the setting tx.max_num_args, which is not set",
    ),
    rule("ARGS", "@streq %{unique_id}", number=10): (10, "needs %{unique_id}, which is not there"),
    'SecRule ARGS "@rx a" "id:11,phase:2,pass,nolog,setvar:\'tx.unasked=1\'"\n': (11, "sets what no imported rule asks for"),
    'SecRule ARGS "@rx a" "id:12,phase:2,pass,nolog"\n': (
        12,
        "decides nothing: it has no severity, and sets nothing that is asked for",
    ),
    rule("ARGS", "@rx (?<!a+)b\\x", number=13): (13, "its regular expression is one of no engine here"),
    rule("ARGS", "@pmFromFile ../words.data", number=14): (14, "names a file outside of the directory: ../words.data"),
    rule("&TX:crs_setup_version", "@eq 0", number=15): (15, "asks of settings alone"),
    'SecAction "id:16,phase:1,nolog,pass,ctl:auditEngine=Off"\n': (16, "sets nothing that is known"),
    'SecRule ARGS "@rx a" "id:17,phase:2,pass,nolog,skipAfter:END-OTHER"\nSecMarker "END-OTHER"\n': (
        17,
        "steps over other rules (skipAfter)",
    ),
}


@pytest.mark.parametrize(("text", "expected"), REASONS.items(), ids=[str(each[0]) for each in REASONS.values()])
def test_what_is_not_imported_has_its_reason(tmp_path: Path, text: str, expected: tuple[int, str]):
    found = bundle(tmp_path, text + GOOD)
    assert [each.id for each in found.rules] == [942999]
    number, reason = expected
    assert left(found)[number].startswith(reason)


def test_rules_of_a_higher_level_are_imported_where_they_are_asked_for(tmp_path: Path):
    text = SKIP.format(2, 3) + rule("ARGS", "@rx a", tail="severity:'CRITICAL',tag:'paranoia-level/2'") + 'SecMarker "END"\n'
    assert [each.level for each in bundle(tmp_path, text, level=2).rules] == [2]


def test_what_stands_behind_a_gate_is_left_out(tmp_path: Path):
    """Packages of exceptions for one application are switched on by a setting."""
    text = f"""SecRule &TX:crs_exclusions_wiki|TX:crs_exclusions_wiki "@eq 0" "id:1,phase:1,pass,nolog,skipAfter:END-WIKI"
{rule("ARGS", "@rx a", number=2)}
SecMarker "END-WIKI"
{GOOD}"""
    found = bundle(tmp_path, text)
    assert [each.id for each in found.rules] == [942999]
    assert left(found)[2] == "stands behind a rule that steps over it unless it is asked for (1)"


def test_a_rule_that_blocks_and_steps_over_others_is_no_gate(tmp_path: Path):
    text = (
        rule("&REQUEST_HEADERS:Host", "@eq 0", "t:none,skipAfter:END-HOST", number=1)
        + rule("REQUEST_HEADERS:Host", "@rx ^$", number=2)
        + 'SecMarker "END-HOST"\n'
    )
    assert [each.id for each in bundle(tmp_path, text).rules] == [1, 2]


def test_directives_that_change_other_rules_are_told_of(tmp_path: Path):
    found = bundle(tmp_path, GOOD + "SecRuleRemoveById 942999\n")
    assert [each.reason for each in found.left] == ["SecRuleRemoveById: changes other rules"]


def test_a_rule_without_a_severity_has_that_of_its_score(tmp_path: Path):
    tail = "tag:'paranoia-level/1',setvar:'tx.inbound_anomaly_score_pl1=+%{tx.notice_anomaly_score}'"
    (found,) = bundle(tmp_path, rule("ARGS", "@rx a", tail=tail)).rules
    assert found.severity == "NOTICE"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "none of its rules can be imported"),
        ('SecRule ARGS "@rx a" "id:1,phase:2,block,chain"\n', "REQUEST-942-TEST.conf:1: the chain has no end"),
        ('\n\nSecRule ARGS "@rx a" "id:1', "REQUEST-942-TEST.conf:3"),
        (rule("ARGS", "@pmFromFile none.data"), "none.data: No such file or directory"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, text: str, said: str):
    with pytest.raises(Unreadable) as caught:
        bundle(tmp_path, text)
    assert said in str(caught.value)


def test_a_folder_without_rules(tmp_path: Path):
    with pytest.raises(Unreadable, match=r"there are no \.conf files in it"):
        read_rules(tmp_path)
    (tmp_path / "x.conf").write_bytes(b"\xff\xfe")
    with pytest.raises(Unreadable, match=r"x\.conf"):
        read_rules(tmp_path)


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path):
    found = bundle(tmp_path / "rules", GOOD)
    file = tmp_path / "crs.json"
    file.write_bytes(dump(found))
    assert read(file) == found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this is no bundle"),
        (b"{}", "this is no bundle"),
        (b"[" * 100_000, "this is no bundle"),
        (b'{"format":9,"release":"","level":1,"settings":{},"rules":[],"left":[]}', "the bundle has format 9"),
    ],
)
def test_a_file_that_is_no_bundle(tmp_path: Path, content: bytes, said: str):
    file = tmp_path / "crs.json"
    file.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}: {said}")


def test_the_tail_of_these_tests_is_of_level_one():
    assert "paranoia-level/1" in TAIL
