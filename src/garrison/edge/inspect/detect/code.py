"""Code and templates of other languages: JavaScript on the server, Python, Ruby, Perl, and what template engines evaluate."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, lengthy, words

_NODE = re.compile(
    rb"_\$\$nd_func\$\$_|__js_function|\beval\s*\(\s*string\.fromcharcode|\bfunction\s*\(\s*\)\s*\{"
    rb"|\bnew\s+function\s*\(|\bthis\.constructor\.constructor|\bconsole\s*(?:\.|\[\s*['\"])\s*(?:info"
    rb"|trace|debug|warn|error)['\"\]]*\s*[.(]|\brequire\s*\[\s*(?:['\"`]|\w+[.(\[])|\bmodule\s*\.\s*exports\s*="
    rb"|\brequire\s*\(\s*['\"`](?:child_process|fs|os|net|http|vm|path|util|cluster|repl|dns)['\"`]"
    rb"|\brequire\b.{0,20}\bchild_process|\bchild_process\b|\bprocess\s*\.\s*(?:binding|mainmodule|env"
    rb"|exit|kill|dlopen|spawn|fork|cwd|version)|\bprocess\s*\[|\bglobal\s*\.\s*process"
    rb"|\brequire\s*\.\s*main\b"
    rb"|\.\s*(?:execsync|execfilesync|spawnsync|execfile)\s*\(|\['(?:exec|spawn|execsync|fork)'\]"
    rb"|\.constructor\._load|\(\s*function\s*\(\s*\)\s*\{|while\s*\(\s*(?:[-+!(\s]*(?:infinity"
    rb"|new\s+date|this|string|true|\d|``|\"\"|'')|!+\s*[-+!~]*\s*(?:false|0|\"\"|''|null|nan|undefined"
    rb"|\[\]|\{\}|[\w(])|true|1|[\w\"'.()]{1,12}\s*[=!<>]=*\s*[\w\"']{1,12})\s*\)+\s*(?:[;{]|$)"
    rb"|\bfs\s*\.\s*(?:readfile|writefile|readdir|unlink|createreadstream)\w*\s*\(|\bres\s*\.\s*(?:end"
    rb"|write|send)\s*\(\s*(?:require|process)|\bsetinterval\s*\(\s*function|\bbuffer\s*\(\s*['\"]",
    re.IGNORECASE,
)
_PROTOTYPE = re.compile(
    (
        rb"__proto__|\bconstructor\s*(?:\.|\[\s*['\"]?)\s*prototype|\bprototype\s*(?:\.|\[)\s*\w"
        rb"|__definegetter__|__lookupgetter__|\[constructor\]|\bconstructor%5b"
    ),
    re.IGNORECASE,
)
_REACT = re.compile(
    (
        rb"\"\$@?\d+:(?:constructor|__proto__|then)|:constructor:constructor|\$[a-z]?\d+:__proto__:"
        rb"|\"_response\"\s*:\s*\{.{0,200}_prefix|resolved_model.{0,200}(?:then|_formdata)"
    ),
    re.IGNORECASE | re.DOTALL,
)
_PYTHON = re.compile(
    (
        rb"__(?:class|mro|bases?|subclasses|globals|builtins|import|getattribute|reduce|dict|code"
        rb"|closure|self)__|(?<=[.\[(|'\"])__init__|\bos\s*\.\s*(?:system|popen|exec\w*|spawn\w*|environ|listdir|remove)\b"
        rb"|\bsubprocess\s*\.\s*(?:popen|call|run|check_output|getoutput)|\b(?:eval|exec)\s*\(\s*(?:compile"
        rb"|__import__|open|input|base64)|\bimport\s+(?:os|subprocess|socket|pty|sys)\s*(?:;|,|$|\n)"
        rb"|\bpickle\s*\.\s*loads|\bc(?:os|posix|nt)\nsystem|!!python/(?:object|name|module)|\byaml\.load\b"
        rb"|\bconfig\.items\s*\(|\brequest\.application\b|\blipsum\.|\bcycler\.|\bjoiner\."
        rb"|\bself\._template|\bget_flashed_messages|\burl_for\."
    ),
    re.IGNORECASE,
)
_RUBY = re.compile(
    (
        rb"\bprocess\s*\.\s*(?:spawn|clock_gettime|fork)\b|\bkernel\s*\.\s*(?:exec|system|open|fork|spawn"
        rb"|`)|\bio\s*\.\s*(?:popen|read|binread|sysopen)\s*\(|\bfile\s*\.\s*(?:open|read"
        rb"|write)\s*\(\s*['\"/]|\bopen3\.|#\{[^}]{0,200}[(*`'\"+]|%x[({\[|]|\bsend\s*\(\s*:"
        rb"|\bdir\s*\.\s*(?:glob|entries|\[)|\.to_sym\b.{0,20}\.call|\berb\.new"
    ),
    re.IGNORECASE,
)
_PERL = re.compile(
    (
        rb"@\{\s*(?:\[|\\)|\$\{\s*\\|@\{\s*\$|(?:^|[\s;=({,&|`])qx\s*[{(/|!]|\$env\{|%env\b|\bcore::|\buse\s+(?:socket"
        rb"|posix)\b|\$(?:\$|<|>|0)\s*(?:$|[;\]])"
    ),
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    rb"\{\{\s*(?:settings|secrets?|env)\b|\{\{\s*(?:[-#/^>!&~]?\s*)?(?:\d+\s*[-*+/]\s*['\"]?\d|['\"].{0,40}['\"]\s*(?:\.|\|)|self\b"
    rb"|config\b|request\b|session\b|[\w.]{1,40}\s*\(|[\w.]{0,40}\.(?:constructor|class|__)"
    rb"|.{0,80}\|\s*(?:attr|map|filter|join|select|raw|safe|first|reduce|sort)\b|_self|app\.|\[\]|range"
    rb"|dump|include|source|php|system|with\s|lookup|url_for|lipsum|cycler|joiner|namespace|''|\"\")"
    rb"|\{%\s*(?:if|for|set|include|import|extends|block|macro|raw|with|autoescape|debug|load|filter"
    rb"|call|do|else|endif)\b|<%[=\-#@!]?\s*[\w('\"@$:.*/ -]{1,200}%>|<%=|<%\s*(?:if|system|exec|eval"
    rb"|response|out\.|runtime|import)|#set\s*\(|#(?:foreach|include|parse|evaluate)\s*\(|<#(?:assign"
    rb"|if|list|include|import|function|macro)\b|\$\{\s*['\"]?\d+\s*[-*+/]\s*\d"
    rb"|[#*@%~]\{\s*\d+\s*[*+-]\s*\d|\{\s*\d+\s*\*\s*\d+\s*\}|\{php\}|\{\$smarty|\{system|\{literal\}"
    rb"|\{if\s+|\[\[\$\{|\$\{\{|@\(\s*\d+\s*[*+-]\s*\d|\{@(?:math|debug)|#\{\s*\d|\{\{=|\{\{\{"
    rb"|\$\{\{?\s*(?:request|session|application|param|header|cookie|initparam|pagecontext|process"
    rb"|require|global)\b|\$\{(?:t\(|@)",
    re.IGNORECASE,
)
_DJANGO = re.compile(
    (
        rb"^[a-z]\w*?(?:__[a-z]\w*?)*__(?:i?startswith|i?endswith|i?contains|i?regex|search|has_keys?"
        rb"|has_any_keys|contained_by|overlap|len|trigram_similar|unaccent)$"
    ),
    re.IGNORECASE,
)
_DJANGO_JSON = re.compile(
    (
        rb"[\"'][a-z]\w*?(?:__[a-z]\w*?)*__(?:i?startswith|i?endswith|i?contains|i?regex|isnull|gte?"
        rb"|lte?)[\"']\s*:"
    ),
    re.IGNORECASE,
)
_LDAP = re.compile(
    (
        rb"\)\s*\(\s*[|&!]?\s*\(?\s*\w{1,30}\s*[~<>]?=|\*\)\s*\(|\(\s*[|&]\s*\(\s*\w{1,30}=|\)\s*\(\s*[|&]"
        rb"|\*\)\)+%00|^\w{0,20}\*\){2,}\s*$"
    ),
    re.IGNORECASE,
)
_XPATH = re.compile(
    rb"\b(?:child|parent|ancestor|descendant|following|preceding|self|attribute)(?:-or-self|-sibling)?::(?:node|text|\*|\w)"
    rb"|['\"]\s*\]\s*\|\s*/|\bcontains\(\s*[*.]\s*,|\b(?:name|position|last|local-name)\(\)\s*[=<>]|\bstring-length\(\s*/",
    re.IGNORECASE,
)
_CRLF = re.compile(
    (
        rb"[\r\n]{1,2}\s{0,8}(?:(?:set-cookie|location|content-(?:type|length|encoding|disposition)"
        rb"|x-[\w-]{2,30}|access-control-\w+|refresh|transfer-encoding|host|referer|cookie|link|status)\s*:"
        rb"|http/[\d.]+\s+\d{3}\b|(?:get|post|head|put|delete|options)\s+\S{1,200}\s+http/)|[\r\n]{2,4}<(?:html"
        rb"|script|!doctype)"
    ),
    re.IGNORECASE,
)


def detect(text: bytes, *, alone: bool = True, hot: Gates = EVERYTHING) -> bytes | None:
    """The piece of one reading that a server's interpreter or template engine would evaluate, None for none."""
    text = text[:8192]
    match = (_PROTOTYPE in hot and _PROTOTYPE.search(text)) or (_REACT in hot and _REACT.search(text)) or None
    long = lengthy(text)
    if match is not None and not (long and (not alone or match.start() > 40)):
        return match.group()[:128]
    if long and not alone:
        return None
    for pattern in (_NODE, _PYTHON, _RUBY, _PERL, _TEMPLATE, _LDAP, _XPATH, _CRLF):
        match = pattern.search(text) if pattern in hot else None
        if match is not None and not (long and match.start() > 0) and not _named(text, match):
            return match.group().strip()[:128]
    return None


def _named(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether a module's own words stand in code or prose about it: ``module.exports = function``, "set `process.env`"."""
    found = match.group().lower()
    if found.startswith((b"module", b"process")) and match.re is _NODE:
        return words(text[: match.start()]) + words(text[match.end() :]) >= 2
    if found.startswith(b"os") and match.re is _PYTHON and found.endswith((b"environ", b"remove", b"listdir")):
        return words(text[: match.start()]) >= 3 and text[match.end() : match.end() + 1] not in {b"(", b"["}
    return False


def lookup(name: bytes) -> bytes | None:
    """A name that reaches through an object mapper's lookups (``user__password__startswith``), None for none."""
    match = _DJANGO.match(name) or _DJANGO_JSON.search(name)
    return match.group()[:128] if match is not None else None


def react(body: bytes) -> bytes | None:
    """The reference in a body of React Server Components that reaches a constructor (CVE-2025-55182), None for none."""
    match = _REACT.search(body[:65536])
    return match.group()[:128] if match is not None else None


GATES: Final = (_PROTOTYPE, _REACT, _NODE, _PYTHON, _RUBY, _PERL, _TEMPLATE, _LDAP, _XPATH, _CRLF)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
