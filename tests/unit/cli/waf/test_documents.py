"""Web ACLs as the AWS CLI prints and takes them, and files for what they refer to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from garrison.cli.waf.documents import Files, check_references, read_acl
from garrison.cli.waf.jsonlines import FileError
from tests.support.waf import ARN, byte_match, rule, web_acl

IP = f"{ARN}/ipset/office/1"
REGEX = f"{ARN}/regexpatternset/bad/1"
GROUP = f"{ARN}/rulegroup/own/1"


def written(tmp_path: Path, document: Any, name: str = "x.json") -> Path:
    file = tmp_path / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_what_get_web_acl_prints_and_what_create_web_acl_takes_are_the_same(tmp_path: Path):
    acl = web_acl()
    printed = read_acl(written(tmp_path, {"WebACL": acl, "LockToken": "t", "ApplicationIntegrationURL": "u"}), raw=False)
    taken = read_acl(written(tmp_path, {**acl, "Scope": "REGIONAL", "Tags": []}), raw=False)
    assert printed["Rules"] == taken["Rules"] == []
    assert printed["Name"] == taken["Name"]


def test_a_rule_group_runs_alone(tmp_path: Path):
    group = {"RuleGroup": {"Name": "own", "Capacity": 10, "ARN": GROUP, "Rules": []}}
    found = read_acl(written(tmp_path, group), raw=False)
    assert found["DefaultAction"] == {"Allow": {}}


def test_raw_search_strings_are_text(tmp_path: Path):
    spec = web_acl(rule("r", 0, {"NotStatement": {"Statement": byte_match(b"x")}}))
    inner = spec["Rules"][0]["Statement"]["NotStatement"]["Statement"]["ByteMatchStatement"]
    inner["SearchString"] = "BadBot"
    found = read_acl(written(tmp_path, spec), raw=True)
    assert found["Rules"][0]["Statement"]["NotStatement"]["Statement"]["ByteMatchStatement"]["SearchString"] == b"BadBot"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.json:1: this is no JSON"),
        ('{\n"Name": "a",\n}', "x.json:3: this is no JSON"),
        ("[]", "x.json: the file must have one JSON object"),
        ('{"a": 1}', "x.json: this is no web ACL, rule group, IP set or regex pattern set"),
        ('{"Addresses": []}', "x.json: this is no web ACL, and no rule group"),
        ('{"Rules": [], "Rules": []}', "x.json: `Rules` stands twice in one object"),
    ],
)
def test_a_file_that_is_no_web_acl(tmp_path: Path, text: str, said: str):
    with pytest.raises(FileError) as caught:
        read_acl(written(tmp_path, text), raw=False)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_not_utf_8(tmp_path: Path):
    with pytest.raises(FileError, match=r"none\.json: No such file or directory"):
        read_acl(tmp_path / "none.json", raw=False)
    (tmp_path / "x.json").write_bytes(b'{\n"\xff"}')
    with pytest.raises(FileError, match=r"x\.json:2: the file is not UTF-8"):
        read_acl(tmp_path / "x.json", raw=False)


def test_files_of_what_is_referred_to(tmp_path: Path):
    files = Files()
    plain = "# the office\n10.0.0.0/8\n\n192.0.2.1/32 # door\n"
    files.named("IPSet", f"{IP}={written(tmp_path, plain)}")
    assert files.ip_sets == {IP: ["10.0.0.0/8", "192.0.2.1/32"]}
    files.named("IPSet", f"{IP}={written(tmp_path, {'IPSet': {'Addresses': ['10.0.0.0/8']}})}")
    assert files.ip_sets == {IP: ["10.0.0.0/8"]}
    files.named("IPSet", f"{IP}={written(tmp_path, ['10.0.0.0/9'])}")
    assert files.ip_sets == {IP: ["10.0.0.0/9"]}
    files.named("RegexPatternSet", f"{REGEX}={written(tmp_path, {'RegularExpressionList': [{'RegexString': 'a+'}]})}")
    assert files.regex_sets == {REGEX: ["a+"]}
    files.named("RuleGroup", f"{GROUP}={written(tmp_path, {'Name': 'own', 'Rules': []})}")
    assert files.rule_groups[GROUP]["Rules"] == []


def test_a_folder_of_what_get_commands_print(tmp_path: Path):
    written(tmp_path, {"IPSet": {"ARN": IP, "Addresses": []}}, "a.json")
    written(tmp_path, {"RegexPatternSet": {"ARN": REGEX, "RegularExpressionList": []}}, "b.json")
    written(tmp_path, {"RuleGroup": {"ARN": GROUP, "Rules": []}}, "c.json")
    written(tmp_path, {"WebACL": web_acl()}, "d.json")
    files = Files()
    files.folder(tmp_path)
    assert (set(files.ip_sets), set(files.regex_sets), set(files.rule_groups)) == ({IP}, {REGEX}, {GROUP})


@pytest.mark.parametrize(
    ("given", "content", "said"),
    [
        ("x.json", "{}", "`x.json` must be ARN=FILE"),
        (f"{IP}=x.json", '{"Addresses": [1]}', "x.json: `Addresses` must be a list of texts"),
        (f"{IP}=x.json", '{"Other": []}', "x.json: `Addresses` must be a list of texts"),
    ],
)
def test_a_file_that_is_nothing_of_that_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, content: str, said: str
):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, content)
    with pytest.raises(FileError) as caught:
        Files().named("IPSet", given)
    assert said in str(caught.value)


def test_a_folder_s_file_without_an_arn(tmp_path: Path):
    written(tmp_path, {"IPSet": {"Addresses": []}})
    with pytest.raises(FileError, match="the document has no `ARN`"):
        Files().folder(tmp_path)


def test_what_no_file_has_is_named_with_its_option():
    inner = {"Rules": [rule("b", 0, {"IPSetReferenceStatement": {"ARN": IP}})]}
    document = web_acl(
        rule("a", 0, {"RuleGroupReferenceStatement": {"ARN": GROUP}}, OverrideAction={"None": {}}),
        rule("c", 1, {"RegexPatternSetReferenceStatement": {"ARN": REGEX}}),
    )
    with pytest.raises(FileError) as caught:
        check_references(document, Files(rule_groups={GROUP: inner}), Path("acl.json"))
    assert str(caught.value).splitlines() == [
        "acl.json: the web ACL refers to what no file has:",
        f"  --regex-set {REGEX}=FILE",
        f"  --ip-set {IP}=FILE",
    ]
