"""The groups that guard any application: common, administration pages, known bad inputs."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import readings
from garrison.edge.inspect.detect.survey import Kind, Part
from garrison.edge.inspect.groups import Context, Finding
from garrison.edge.inspect.managed.build import QUERY, URI, Builder, Spec, finding, header, larger, regex, survey
from garrison.edge.inspect.remember import remembered
from garrison.edge.inspect.request import WebRequest

_SCANNERS: Final = re.compile(
    (
        rb"\b(?:nessus|nmap|nikto|sqlmap|masscan|zgrab|nuclei|wpscan|acunetix|netsparker|openvas|w3af|havij"
        rb"|dirbuster|gobuster|feroxbuster|ffuf|wfuzz|dirb(?:uster)?|arachni|skipfish|whatweb|jorgee"
        rb"|morfeus|zmeu|paros|webinspect|"
        rb"appscan|burpcollaborator|hydra|medusa|commix|xsstrike|dalfox|xspider|vega|grabber|joomscan"
        rb"|cmsmap|droopescan|fimap|pangolin|absinthe|bsqlbf|sqlninja|httprint|brutus|metis|webtrends "
        rb"security|n-stealth|cgichk|"
        rb"muieblackcat|detectify|qualys(?:guard)?|rapid7|tenable|censysinspect|internetmeasurement"
        rb"|l9explore|l9tcpid|leakix|expanse|odin|netsystemsresearch|project ?discovery|interactsh|jaeles"
        rb"|kiterunner|xray|awvs|hakrawler|katana|gospider|httpx)\b"
    ),
    re.IGNORECASE,
)
_ADMIN: Final = (
    r"(?i)(?:^|/)(?:(?:php)?my-?admin\d*|pma\d*|phppgadmin|pgadmin\d*|adminer(?:-[\d.]+)?(?:\.php)?"
    r"|sqlmanager|sqlweb|websql|sqladmin|"
    r"mysql-?(?:admin|manager)|dbadmin|db-admin|manager/(?:html|status|text|jmxproxy)|host-manager"
    r"|jmx-console|admin-console|web-console|invoker/|"
    r"_?wpeprivate|plesk-stat|cpanel|whm-server-status|webmin|server-(?:status|info)|actuator/(?:env"
    r"|heapdump|jolokia|gateway|shutdown|beans|trace|mappings)|"
    r"jolokia|solr/admin|hudson/script|jenkins/script|script/?$|axis2-admin|struts/webconsole"
    r"|phpunit/src|vendor/phpunit|_profiler/(?:open|phpinfo)|elmah\.axd|trace\.axd)(?:/|$|\?|\.php)"
)
_LOCALHOST: Final = r"(?i)^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?|0\.0\.0\.0)(?::\d+)?$"
_BODY_PARTS: Final = (
    ("QUERYARGUMENTS", Part.QUERY, "QueryArguments"),
    ("BODY", Part.BODY, "Body"),
    ("URIPATH", Part.PATH, "URIPath"),
)


@remembered
def scanner(agent: bytes) -> bytes | None:
    """The scanner that a User-Agent names, None for none."""
    match = _SCANNERS.search(agent)
    return match.group() if match is not None else None


def bad_agent(request: WebRequest, context: Context) -> Finding | None:
    """A scanner by its name; or a header that carries what none of a browser does: markup, or a URL of an inner network."""
    agent = request.header(b"user-agent") or b""
    word = scanner(agent)
    if word is not None:
        return Finding((word,), (), "BAD_BOT", "HEADER", "user-agent")
    found = survey(request, context.body_limit).found
    for kind in (Kind.XSS, Kind.RFI, Kind.SSRF):
        if (kind, Part.HEADER) in found:
            return finding(found[kind, Part.HEADER])
    return None


def common() -> Builder:
    """``AWSManagedRulesCommonRuleSet``."""
    group = Builder("AWSManagedRulesCommonRuleSet", "core-rule-set", 700)
    present = {
        "SizeConstraintStatement": {
            "ComparisonOperator": "GE",
            "Size": 1,
            "FieldToMatch": header("user-agent"),
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    }
    group.add(Spec("NoUserAgent_HEADER", {"NotStatement": {"Statement": present}}, "NoUserAgent_Header"))
    group.detect("UserAgent_BadBots_HEADER", bad_agent, "BadBots_Header")
    group.add(Spec("SizeRestrictions_QUERYSTRING", larger(2048, QUERY), "SizeRestrictions_QueryString"))
    group.add(Spec("SizeRestrictions_Cookie_HEADER", larger(10240, header("cookie")), "SizeRestrictions_Cookie_Header"))
    group.add(Spec("SizeRestrictions_BODY", larger(8192, {"Body": {"OversizeHandling": "CONTINUE"}}), "SizeRestrictions_Body"))
    group.add(Spec("SizeRestrictions_URIPATH", larger(1024, URI), "SizeRestrictions_URIPath"))
    group.seek("EC2MetaDataSSRF_BODY", [Kind.SSRF], [Part.BODY], "EC2MetaDataSSRF_Body")
    group.seek("EC2MetaDataSSRF_COOKIE", [Kind.SSRF], [Part.COOKIE], "EC2MetaDataSSRF_Cookie")
    group.seek("EC2MetaDataSSRF_URIPATH", [Kind.SSRF], [Part.PATH], "EC2MetaDataSSRF_URIPath")
    group.seek("EC2MetaDataSSRF_QUERYARGUMENTS", [Kind.SSRF], [Part.QUERY], "EC2MetaDataSSRF_QueryArguments")
    for suffix, part, label in (_BODY_PARTS[0], _BODY_PARTS[2], _BODY_PARTS[1]):
        group.seek(f"GenericLFI_{suffix}", [Kind.LFI], [part], f"GenericLFI_{label}")
    group.seek("RestrictedExtensions_URIPATH", [Kind.EXTENSION, Kind.HIDDEN], [Part.PATH], "RestrictedExtensions_URIPath")
    group.seek("RestrictedExtensions_QUERYARGUMENTS", [Kind.EXTENSION], [Part.QUERY], "RestrictedExtensions_QueryArguments")
    for suffix, part, label in _BODY_PARTS:
        # A cookie that holds the URL of an inner network is a query argument by another way in.
        parts = [part, Part.COOKIE] if part is Part.QUERY else [part]
        group.seek(f"GenericRFI_{suffix}", [Kind.RFI], parts, f"GenericRFI_{label}")
    group.seek("CrossSiteScripting_COOKIE", [Kind.XSS], [Part.COOKIE], "CrossSiteScripting_Cookie")
    for suffix, part, label in _BODY_PARTS:
        group.seek(f"CrossSiteScripting_{suffix}", [Kind.XSS], [part], f"CrossSiteScripting_{label}")
    return group


def admin_protection() -> Builder:
    """``AWSManagedRulesAdminProtectionRuleSet``: consoles of servers and databases, not an application's own ``/admin``."""
    group = Builder("AWSManagedRulesAdminProtectionRuleSet", "admin-protection", 100)
    group.detect("AdminProtection_URIPATH", _admin, "AdminProtection_URIPath")
    return group


_ADMIN_PATH: Final = re.compile(_ADMIN.encode())


@remembered
def _console(path: bytes) -> bytes | None:
    """The piece of a path, in any of its readings, that leads to a console."""
    return next((match.group() for text in readings(path) if (match := _ADMIN_PATH.search(text)) is not None), None)


def _admin(request: WebRequest, _context: Context) -> Finding | None:
    found = _console(request.path)
    return None if found is None else Finding((found,), (), "ADMIN_PATH", "URI")


def known_bad_inputs() -> Builder:
    """``AWSManagedRulesKnownBadInputsRuleSet``. Code and expressions that a server's interpreter would run count as Java's do."""
    group = Builder("AWSManagedRulesKnownBadInputsRuleSet", "known-bad-inputs", 200)
    code = [Kind.JAVA, Kind.CODE]
    group.seek("JavaDeserializationRCE_HEADER", code, [Part.HEADER, Part.COOKIE], "JavaDeserializationRCE_Header")
    group.seek("JavaDeserializationRCE_BODY", code, [Part.BODY], "JavaDeserializationRCE_Body")
    group.seek("JavaDeserializationRCE_URIPATH", code, [Part.PATH], "JavaDeserializationRCE_URIPath")
    group.seek("JavaDeserializationRCE_QUERYSTRING", code, [Part.QUERY], "JavaDeserializationRCE_QueryString")
    group.add(Spec("Host_localhost_HEADER", regex(_LOCALHOST, header("host")), "Host_Localhost_Header"))
    group.add(Spec("PROPFIND_METHOD", regex("(?i)^propfind$", {"Method": {}}), "Propfind_Method"))
    group.seek("ExploitablePaths_URIPATH", [Kind.HIDDEN], [Part.PATH], "ExploitablePaths_URIPath")
    group.seek("Log4JRCE_HEADER", [Kind.LOG4J], [Part.HEADER, Part.COOKIE], "Log4JRCE_Header")
    group.seek("Log4JRCE_QUERYSTRING", [Kind.LOG4J], [Part.QUERY], "Log4JRCE_QueryString")
    group.seek("Log4JRCE_BODY", [Kind.LOG4J], [Part.BODY], "Log4JRCE_Body")
    group.seek("Log4JRCE_URIPATH", [Kind.LOG4J], [Part.PATH], "Log4JRCE_URIPath")
    group.seek("ReactJSRCE_BODY", [Kind.REACT], [Part.BODY], "ReactJSRCE_Body", since=2)
    return group
