"""From a directory of SecRule files to rules: what can be imported, and for everything else the reason why not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from garrison.edge.crs.evaluate import captures_asked, engine_for
from garrison.edge.crs.rules import FORMAT, Bundle, Left, Link, Rule, Variable

Directive = Mapping[str, Any]
TRANSFORMS: Final[Mapping[str, str]] = {
    "urldecodeuni": "URL_DECODE_UNI",
    "urldecode": "URL_DECODE",
    "lowercase": "LOWERCASE",
    "uppercase": "UPPERCASE",
    "htmlentitydecode": "HTML_ENTITY_DECODE",
    "utf8tounicode": "UTF8_TO_UNICODE",
    "removenulls": "REMOVE_NULLS",
    "replacenulls": "REPLACE_NULLS",
    "jsdecode": "JS_DECODE",
    "cssdecode": "CSS_DECODE",
    "cmdline": "CMD_LINE",
    "compresswhitespace": "COMPRESS_WHITE_SPACE",
    "removewhitespace": "REMOVE_WHITESPACE",
    "normalisepath": "NORMALIZE_PATH",
    "normalizepath": "NORMALIZE_PATH",
    "normalisepathwin": "NORMALIZE_PATH_WIN",
    "normalizepathwin": "NORMALIZE_PATH_WIN",
    "replacecomments": "REPLACE_COMMENTS",
    "removecommentschar": "REMOVE_COMMENTS_CHAR",
    "base64decode": "BASE64_DECODE",
    "base64decodeext": "BASE64_DECODE_EXT",
    "hexdecode": "HEX_DECODE",
    "escapeseqdecode": "ESCAPE_SEQ_DECODE",
    "sqlhexdecode": "SQL_HEX_DECODE",
    "trim": "TRIM",
    "trimleft": "TRIM_LEFT",
    "trimright": "TRIM_RIGHT",
    "md5": "MD5",
    "length": "LENGTH",
    "hexencode": "HEX_ENCODE",
    "sha1": "SHA1",
}
COLLECTIONS: Final = frozenset(
    [
        "ARGS",
        "ARGS_NAMES",
        "ARGS_GET",
        "ARGS_GET_NAMES",
        "ARGS_POST",
        "ARGS_POST_NAMES",
        "ARGS_COMBINED_SIZE",
        "REQUEST_COOKIES",
        "REQUEST_COOKIES_NAMES",
        "REQUEST_HEADERS",
        "REQUEST_HEADERS_NAMES",
        "REQUEST_METHOD",
        "REQUEST_PROTOCOL",
        "REQUEST_LINE",
        "REQUEST_URI",
        "REQUEST_URI_RAW",
        "REQUEST_FILENAME",
        "REQUEST_BASENAME",
        "QUERY_STRING",
        "REQUEST_BODY",
        "REQBODY_PROCESSOR",
        "FILES",
        "FILES_NAMES",
        "FILES_COMBINED_SIZE",
        "MULTIPART_PART_HEADERS",
        "XML",
        "REMOTE_ADDR",
        "TX",
        "MATCHED_VAR",
        "MATCHED_VARS",
        "MATCHED_VAR_NAME",
        "MATCHED_VARS_NAMES",
    ]
)
OPERATORS: Final = frozenset(
    [
        "rx",
        "pm",
        "pmfromfile",
        "pmf",
        "contains",
        "beginswith",
        "endswith",
        "streq",
        "within",
        "eq",
        "ge",
        "gt",
        "le",
        "lt",
        "detectsqli",
        "detectxss",
        "validatebyterange",
        "validateurlencoding",
        "validateutf8encoding",
        "ipmatch",
        "unconditionalmatch",
        "nomatch",
    ]
)
XML: Final = frozenset({"/*", "//@*"})
_SEVERITIES: Final = {"0": "CRITICAL", "1": "CRITICAL", "2": "CRITICAL", "3": "ERROR", "4": "WARNING", "5": "NOTICE"}
_NAMES: Final = {"EMERGENCY": "CRITICAL", "ALERT": "CRITICAL", "INFO": "", "DEBUG": ""}
_MACRO: Final = re.compile(r"%\{([^}]+)\}")
_KNOWN_MACROS: Final = re.compile(r"(?i:tx\.[\w.%{}-]+|matched_var(?:_name)?|request_headers\.[\w-]+|request_method|rule\.\w+)")
_SCORE: Final = re.compile(r"score|^msg$|^\d|%\{rule\.", re.IGNORECASE)
_LEVELS: Final = re.compile(r"paranoia_level", re.IGNORECASE)
_HARMLESS: Final = frozenset({"auditlogparts", "forcerequestbodyvariable", "auditengine"})
_BEGINS: Final = re.compile(r"\s*Sec(?:Rule|Action|Marker)\b", re.IGNORECASE)
_SETTING: Final = "gives a setting its value, which is taken"
_LOGS: Final = "keeps counts of addresses between requests; a rate-based rule does"


class Unreadable(ValueError):  # noqa: N818 - what is wrong with the files
    """A file that cannot be read or parsed. The message begins with file and line."""


class _Skip(Exception):  # noqa: N818 - a rule is left out; the message is the reason
    """Why a rule is not imported."""


@dataclass(slots=True)
class _Import:
    """The work on one directory."""

    folder: Path
    level: int
    settings: dict[str, str] = field(default_factory=dict)
    release: str = ""
    rules: list[Rule] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def parse_file(path: Path) -> list[Directive]:
    """The directives of a file. Raises Unreadable; ImportError where the parser is not installed."""
    return _Parser.shared().parse(path)


class _Parser:
    """msc-pyparser's, made once, which takes a second; it writes no tables and says nothing."""

    _made: _Parser | None = None

    def __init__(self) -> None:
        import msc_pyparser  # noqa: PLC0415 - an optional package, of the extra `waf`
        from ply import yacc  # noqa: PLC0415 - the same

        found = msc_pyparser.MSCParser.__new__(msc_pyparser.MSCParser)
        found.lexer = msc_pyparser.MSCLexer()
        found.parser = yacc.yacc(module=found, debug=False, write_tables=False, errorlog=yacc.NullLogger())
        self._parser = found
        self._new_lexer = msc_pyparser.MSCLexer

    @classmethod
    def shared(cls) -> _Parser:
        """The parser of this process."""
        if cls._made is None:
            cls._made = cls()
        return cls._made

    def parse(self, path: Path) -> list[Directive]:
        """As of :func:`parse_file`."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unreadable(f"{path}: {error}") from error
        parser = self._parser
        parser.configlines, parser.secrule, parser.secaction = [], {}, {}
        parser.secconfdir = parser.secrule_variable = ""
        lexer = self._new_lexer()
        try:
            parser.parser.parse(text, lexer=lexer.lexer)
        except Exception as error:
            place = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], Mapping) else {}
            line = f":{place['line']}" if "line" in place else ""
            what = str(error.args[0] if error.args else error).splitlines()[0]
            raise Unreadable(f"{path}{line}: {what}") from error
        found = list(parser.configlines)
        read = {int(each["lineno"]) for each in found}
        for number, line in enumerate(text.splitlines(), 1):
            # What breaks off at the end of a file, the parser passes over.
            if _BEGINS.match(line) and number not in read:
                raise Unreadable(f"{path}:{number}: this directive cannot be parsed, or breaks off")
        return found


def read_rules(folder: Path, *, level: int = 1, setup: Path | None = None) -> Bundle:
    """Import a directory of rule files, or one that has it as ``rules``.

    ``level`` is the highest paranoia level; ``setup`` is a ``crs-setup.conf``. Raises Unreadable.
    """
    inner = folder / "rules"
    files = sorted((inner if inner.is_dir() else folder).glob("*.conf"))
    if setup is None and (folder / "crs-setup.conf").is_file():
        setup = folder / "crs-setup.conf"
    files = [each for each in files if each != setup]
    if not files:
        raise Unreadable(f"{folder}: there are no .conf files in it")
    work = _Import(inner if inner.is_dir() else folder, level)
    parsed = [(path, parse_file(path)) for path in ([setup] if setup else []) + files]
    chains = [(path, chain) for path, directives in parsed for chain in _chains(work, path, directives)]
    chains = [each for each in chains if not _setting(work, each[1])]
    for path, chain in chains:
        _take(work, path, chain)
    _drop_unset(work)
    _drop_unasked(work)
    if not work.rules:
        raise Unreadable(f"{folder}: none of its rules can be imported")
    return Bundle(FORMAT, work.release, level, work.settings, tuple(work.rules), tuple(work.left))


def _chains(work: _Import, path: Path, directives: Sequence[Directive]) -> Iterator[list[Directive]]:
    """Rules, each with those that are chained to it."""
    chain: list[Directive] = []
    gates: dict[str, int] = {}
    for each in directives:
        kind = each["type"].lower()
        if kind == "secmarker":
            gates.pop(str(each["arguments"][0]["argument"]), None)
        elif kind == "seccomponentsignature":
            work.release = str(each["arguments"][0]["argument"])
        elif kind == "secaction":
            found = list(_sets(each))
            for name, value in found:
                work.settings.setdefault(name.lower(), value)
            reason = _SETTING if found else "sets nothing that is known"
            work.left.append(Left(_identity([each]), f"{path.name}:{each['lineno']}", reason))
        elif kind == "secrule":
            chain.append({**each, "where": f"{path.name}:{each['lineno']}", "gate": next(iter(gates.values()), 0)})
            if not each["chained"]:
                gates |= _gate(chain)
                yield chain
                chain = []
        elif kind in {"secruleremovebyid", "secruleupdatetargetbyid", "secruleremovebytag", "secruleupdatetargetbytag"}:
            work.left.append(Left(0, f"{path.name}:{each['lineno']}", f"{each['type']}: changes other rules"))
    if chain:
        raise Unreadable(f"{path}:{chain[0]['lineno']}: the chain has no end")


def _gate(chain: Sequence[Directive]) -> dict[str, int]:
    """The marker that a rule steps to, unless it does so by the paranoia level, which tags tell."""
    if _severity(chain):
        return {}  # it decides by itself, and what it would step over may decide too
    markers = [str(each["act_arg"]) for link in chain for each in _actions(link, "skipafter")]
    levels = any(_LEVELS.search(str(each["variable_part"])) for link in chain for each in link["variables"])
    return {} if levels else dict.fromkeys(markers, _identity(chain))


def _actions(directive: Directive, name: str) -> list[Mapping[str, Any]]:
    return [each for each in directive.get("actions") or () if each["act_name"].lower() == name]


def _argument(directive: Directive, name: str) -> str:
    found = _actions(directive, name)
    return str(found[-1]["act_arg"]) if found else ""


def _sets(directive: Directive) -> Iterator[tuple[str, str]]:
    """What a rule sets in TX, names without ``tx.``."""
    for each in _actions(directive, "setvar"):
        text = str(each["act_arg"])
        name, _, value = text.partition("=")
        value = str(each.get("act_arg_val") or value)
        if name.lower().startswith("tx."):
            yield name[3:], value


def _identity(chain: Sequence[Directive]) -> int:
    text = _argument(chain[0], "id")
    return int(text) if text.isdigit() else 0


def _setting(work: _Import, chain: Sequence[Directive]) -> bool:
    """Whether a rule only gives a setting its default: ``SecRule &TX:name "@eq 0"`` with ``setvar``."""
    first = chain[0]
    variables = first["variables"]
    if len(chain) != 1 or len(variables) != 1 or not variables[0]["counter"] or variables[0]["variable"].upper() != "TX":
        return False
    if first["operator"].lower() != "@eq" or first["operator_argument"] != "0":
        return False
    found = list(_sets(first))
    for name, value in found:
        work.settings.setdefault(name.lower(), value)
    if found:
        work.left.append(Left(_identity(chain), str(first["where"]), _SETTING))
    return bool(found)


def _take(work: _Import, path: Path, chain: Sequence[Directive]) -> None:
    number = _identity(chain)
    where = str(chain[0]["where"])
    try:
        rule = _rule(work, path, chain, number, where)
    except _Skip as skipped:
        work.left.append(Left(number, where, str(skipped)))
        return
    work.rules.append(rule)


def _rule(work: _Import, path: Path, chain: Sequence[Directive], number: int, where: str) -> Rule:
    first = chain[0]
    phase = _phase(_argument(first, "phase"))
    if phase > 2:
        raise _Skip("looks at the answer" if phase < 5 else "runs when the answer is sent")
    _refuse_flow(chain)
    if first["gate"]:
        raise _Skip(f"stands behind a rule that steps over it unless it is asked for ({first['gate']})")
    tags = tuple(str(each["act_arg"]) for each in _actions(first, "tag"))
    level = next((int(each.rpartition("/")[2]) for each in tags if re.fullmatch(r"paranoia-level/\d", each)), 1)
    if level > work.level:
        raise _Skip(f"of paranoia level {level}")
    notes: list[str] = []
    links = tuple(_link(path, each, notes) for each in chain)
    links = _with_engines(links)
    severity = _severity(chain)
    if not severity and not any(link.sets for link in links):
        raise _Skip("decides nothing: it has no severity, and sets nothing that is asked for")
    message = _argument(first, "msg")
    return Rule(number, where, phase, links, severity, level, message, tags, tuple(dict.fromkeys(notes)))


def _with_engines(links: tuple[Link, ...]) -> tuple[Link, ...]:
    captured = captures_asked(links)
    try:
        return tuple(
            msgspec.structs.replace(link, engine=engine_for(link.argument, captured=captured))
            if link.operator == "rx" and not _MACRO.search(link.argument)
            else link
            for link in links
        )
    except ValueError as error:
        raise _Skip(str(error)) from error


def _phase(text: str) -> int:
    return {"request": 2, "response": 4, "logging": 5}.get(text, int(text) if text.isdigit() else 2)


def _refuse_flow(chain: Sequence[Directive]) -> None:
    """Raises _Skip for rules that steer others."""
    variables = [each for link in chain for each in link["variables"]]
    names = [f"{each['variable']}:{each['variable_part']}" for each in variables]
    if any(_actions(link, "skipafter") for link in chain) and not _severity(chain):
        if any(_LEVELS.search(name) for name in names):
            raise _Skip("steps over rules of higher paranoia levels; their tags tell the level")
        raise _Skip("steps over other rules (skipAfter)")
    controls = {str(each["act_arg"]).partition("=")[0].lower() for link in chain for each in _actions(link, "ctl")}
    if controls - _HARMLESS:
        raise _Skip(f"changes other rules or the engine (ctl:{min(controls - _HARMLESS)})")
    if any(each["variable"].upper() in {"IP", "GLOBAL", "SESSION", "USER", "RESOURCE"} for each in variables):
        raise _Skip(_LOGS)
    if any(
        name.upper().startswith("TX:") and re.search(r"anomaly_score|blocking|detection", name, re.IGNORECASE) for name in names
    ):
        raise _Skip("adds up scores; the group's own last rule does")
    if any(_LEVELS.search(name) for name in names):
        raise _Skip("adds up scores; the group's own last rule does")


def _severity(chain: Sequence[Directive]) -> str:
    """The rule's severity; where it says none, that of the score that it adds."""
    text = _argument(chain[0], "severity").upper().strip("'")
    found = _SEVERITIES.get(text, _NAMES.get(text, text))
    if found:
        return found
    for link in chain:
        for _, value in _sets(link):
            added = re.search(r"%\{tx\.(critical|error|warning|notice)_anomaly_score\}", value, re.IGNORECASE)
            if added:
                return added[1].upper()
    return "CRITICAL" if any(_actions(chain[0], each) for each in ("block", "deny", "drop")) else ""


def _link(path: Path, directive: Directive, notes: list[str]) -> Link:
    variables = tuple(_variable(each) for each in directive["variables"])
    operator = directive["operator"].lstrip("@").lower() or "rx"
    if operator not in OPERATORS:
        raise _Skip(f"asks by @{directive['operator'].lstrip('@')}, which needs what is not there")
    argument = str(directive["operator_argument"])
    if directive.get("operator_argument_quote") or not argument:
        argument = argument.strip()
    _check_macros(argument)
    transforms: list[str] = []
    for each in _actions(directive, "t"):
        name = str(each["act_arg"]).lower()
        if name == "none":
            transforms = []
        elif name in TRANSFORMS:
            transforms.append(TRANSFORMS[name])
        else:
            raise _Skip(f"transforms by t:{each['act_arg']}, which is not known")
    sets = []
    for name, value in _sets(directive):
        if not _SCORE.search(name):
            _check_macros(value)
            _check_macros(name)
            sets.append((name, value))
    if _actions(directive, "expirevar") or any(
        str(each["act_arg"]).lower().startswith("ip.") for each in _actions(directive, "setvar")
    ):
        notes.append("does not remember the address of who sent it")
    phrases = _phrases(path, operator, argument)
    return Link(
        variables,
        "pm" if operator in {"pmfromfile", "pmf"} else operator,
        "" if phrases else argument,
        bool(directive.get("operator_negated")),
        tuple(transforms),
        phrases,
        tuple(sets),
        bool(_actions(directive, "multimatch")),
    )


def _variable(spec: Mapping[str, Any]) -> Variable:
    name, selector = str(spec["variable"]).upper(), str(spec["variable_part"])
    if spec.get("quote_type") == "quoted" or (selector[:1] == "'" and selector[-1:] == "'"):
        selector = selector.strip("'")
    if name not in COLLECTIONS:
        raise _Skip(_LOGS if name == "IP" else f"looks at {name}, which is not there")
    if name == "XML" and selector not in XML:
        raise _Skip(f"looks at XML:{selector}, and only /* and //@* are known")
    return Variable(name, selector, bool(spec["counter"]), bool(spec["negated"]))


def _check_macros(text: str) -> None:
    for found in _MACRO.findall(text):
        if not _KNOWN_MACROS.fullmatch(found):
            raise _Skip(f"needs %{{{found}}}, which is not there")


def _phrases(path: Path, operator: str, argument: str) -> tuple[str, ...]:
    """The phrases of ``pm``, from a file beside the rules where it names one."""
    if operator == "pm":
        return tuple(_unescaped(each) for each in argument.split())
    if operator not in {"pmfromfile", "pmf"}:
        return ()
    found: list[str] = []
    for name in argument.split():
        file = path.parent / name
        if file.parent != path.parent:
            raise _Skip(f"names a file outside of the directory: {name}")
        try:
            lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError as error:
            raise Unreadable(f"{file}: {error.strerror or error}") from error
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return tuple(dict.fromkeys(found))


_HEX: Final = re.compile(r"\|((?:[0-9A-Fa-f]{2} ?)+)\|")


def _unescaped(text: str) -> str:
    """A phrase of ``pm``: bytes stand between bars, in hexadecimal, as in Snort's rules."""
    return _HEX.sub(lambda found: bytes.fromhex(found[1]).decode("latin-1"), text)


def _drop_unset(work: _Import) -> None:
    """Leave out rules that ask for a setting that nothing sets: they would never match."""
    constant = {rule.id for rule in work.rules if _constant(rule, work)}
    work.left += [Left(each.id, each.where, "asks of settings alone") for each in work.rules if each.id in constant]
    work.rules = [rule for rule in work.rules if rule.id not in constant]
    while True:
        known = {*work.settings, *(name.lower() for rule in work.rules for link in rule.links for name, _ in link.sets)}
        unset = {rule.id: name for rule in work.rules for name in [_unset(rule, known)] if name}
        if not unset:
            return
        work.left += [
            Left(rule.id, rule.where, f"asks for the setting tx.{unset[rule.id]}, which is not set")
            for rule in work.rules
            if rule.id in unset
        ]
        work.rules = [rule for rule in work.rules if rule.id not in unset]


def _constant(rule: Rule, work: _Import) -> bool:
    """Whether a rule asks of nothing but settings, so that no request makes a difference."""
    made = {name.lower() for each in work.rules for link in each.links for name, _ in link.sets}
    names = [each.selector.lower() for link in rule.links for each in link.variables if each.collection == "TX"]
    only = all(each.collection == "TX" for link in rule.links for each in link.variables)
    return only and not any(name.isdigit() or name.startswith("/") or name in made for name in names)


def _unset(rule: Rule, known: set[str]) -> str:
    for link in rule.links:
        for each in link.variables:
            name = each.selector.lower()
            if each.collection != "TX" or name.isdigit() or name.startswith("/"):
                continue
            if name not in known and not (each.count and link.operator == "eq" and link.argument == "0"):
                return name
    return ""


def _drop_unasked(work: _Import) -> None:
    """Leave out rules that only set what no imported rule asks for."""
    asked = " ".join(
        text.lower()
        for rule in work.rules
        for link in rule.links
        for text in (
            link.argument,
            *(each.selector for each in link.variables if each.collection == "TX"),
            *(v for _, v in link.sets),
        )
    )
    idle = {
        rule.id
        for rule in work.rules
        if not rule.severity
        and not any(_MACRO.split(name.lower())[0].strip("_") in asked for link in rule.links for name, _ in link.sets)
    }
    work.left += [Left(rule.id, rule.where, "sets what no imported rule asks for") for rule in work.rules if rule.id in idle]
    work.rules = [rule for rule in work.rules if rule.id not in idle]
