"""``garrison waf import-crs``: two files, and a word on every rule."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from garrison.cli import cli
from tests.support.secrules import rule
from tests.support.waf import visible

LOG = '198.51.100.7 - - [10/Oct/2025:13:55:36 +0000] "GET {} HTTP/1.1" 200 1 "-" "browser"\n'
RULES = (
    'SecComponentSignature "OWASP_CRS/3.3.4"\n'
    + rule("ARGS", "@rx evil", number=1)
    + rule("ARGS|ARGS_NAMES", "@rx nasty", number=2)
    + rule("&ARGS", "@gt 5", number=3)
    + 'SecRule RESPONSE_BODY "@rx a" "id:4,phase:4,block,severity:\'ERROR\'"\n'
    + 'SecRule ARGS_NAMES "@rx ." "id:5,phase:2,pass,nolog,t:none,setvar:\'tx.count_%{MATCHED_VAR_NAME}=+1\'"\n'
    + rule("TX:/^count_/", "@gt 1", number=6)
)
REPORT = """\
OWASP_CRS/3.3.4: 6 rules
out/crs.json: 4 rules up to paranoia level 1, for Garrison's firewall
     1  more that only prepare what these ask for
out/crs-rule-group.json: 2 rules, 52 capacity units, in AWS WAF's language
     1  does not look at the names of query arguments: the language has no field for them
        2
only in crs.json: 2 rules, which AWS WAF's language cannot say
     1  asks by @gt
        6
     1  counts values
        3
not imported: 1 rules
     1  looks at the answer
        4
"""


def imported(folder: Any, text: str = RULES, *arguments: str) -> Result:
    folder.write("rules/REQUEST-942.conf", text)
    return CliRunner().invoke(cli, ["waf", "import-crs", "rules", "--out", "out", *arguments])


def test_every_rule_is_told_of(folder: Any):
    done = imported(folder)
    assert done.stdout == REPORT
    assert done.exit_code == 0


def test_the_report_in_json(folder: Any):
    found = json.loads(imported(folder, RULES, "--json").stdout)
    assert (found["release"], found["paranoiaLevel"], found["capacity"]) == ("OWASP_CRS/3.3.4", 1, 52)
    by_id = {each["id"]: each for each in found["imported"]}
    assert by_id[1]["statement"]
    assert by_id[3]["noStatementBecause"] == "counts values"
    assert by_id[5]["severity"] is None
    assert found["notImported"] == [{"id": 4, "where": "REQUEST-942.conf:5", "reason": "looks at the answer"}]


def test_both_files_run(folder: Any):
    imported(folder)
    log = folder.write("access.log", LOG.format("/?a=an+evil+one") + LOG.format("/?a=1&a=2") + LOG.format("/?a=good"))
    group = folder.test("out/crs-rule-group.json", "--access-log", log)
    assert "access.log:1: BLOCK" in group.stdout
    assert "3 requests: 2 ALLOW, 1 BLOCK" in group.stdout
    reference = {"ManagedRuleGroupStatement": {"VendorName": "OWASP", "Name": "CoreRuleSet"}}
    document = {
        "Name": "all",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": visible("all"),
        "Rules": [
            {
                "Name": "crs",
                "Priority": 0,
                "Statement": reference,
                "OverrideAction": {"None": {}},
                "VisibilityConfig": visible("crs"),
            }
        ],
    }
    acl = folder.write("acl.json", document)
    whole = folder.test(acl, "--crs", "out/crs.json", "--access-log", log)
    assert (
        "by crs > CRS_1 (OWASP#CoreRuleSet)\n    CRS_1 in ALL_QUERY_ARGS a: `evil`, bytes 5-9 of the query string" in whole.stdout
    )
    assert "by crs > CRS_6" in whole.stdout
    assert "1 ALLOW, 2 BLOCK" in whole.stdout
    assert "1 ALLOW, 2 BLOCK" in folder.test(acl, "--lists", "out", "--access-log", log).stdout
    assert "AWS WAF would refuse it" in folder.refused(acl, "--access-log", log)


def test_what_cannot_be_read_is_named(folder: Any):
    assert imported(folder, "SecRule\n").exit_code == 2
    done = imported(folder, RULES, "--name", "no name")
    assert (done.exit_code, done.stderr) == (
        2,
        "garrison: `--name no name` must have 1 to 128 letters, digits, hyphens and underscores\n",
    )
    folder.write("full", "")
    assert "full" in CliRunner().invoke(cli, ["waf", "import-crs", "rules", "--out", "full"]).stderr
    assert "there are no .conf files" in CliRunner().invoke(cli, ["waf", "import-crs", "none"]).stderr
    assert "this is no bundle" in folder.refused(
        "x", "--crs", folder.write("b.json", "{}"), "--access-log", folder.write("a.log", LOG)
    )


def test_without_the_parser_the_extra_is_named(folder: Any, monkeypatch: pytest.MonkeyPatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "msc_pyparser" else there(name))
    assert "pip install 'garrison[waf]'" in imported(folder).stderr
