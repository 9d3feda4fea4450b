"""Runs imported rules over a request.

All patterns that follow one chain of transformations are one automaton; it tells for each value which rules can match at all, and
only those are looked at closely. Patterns that the automaton runs exactly need no second look; the others (with look-around, or
captures that later conditions ask for) are held against the value by a backtracking engine with a limit of time, and what exceeds
it counts as a match.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import hyperscan as hs
import regex

from garrison.edge.crs.operators import SIMPLE
from garrison.edge.crs.rules import Bundle, Link, Rule, Variable
from garrison.edge.crs.variables import Value, Values, Variables
from garrison.edge.inspect.patterns import Matcher, Pattern, PatternCache, literal, span
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.transforms import TRANSFORMS

SECONDS: Final = 0.05
"""Of the backtracking engine, for one value."""
REMEMBERED: Final = 256
"""Bytes of a value that is worth remembering."""
KEPT: Final = 4096
"""Values that are remembered for one chain of transformations."""
_EMPTY: Final[frozenset[int]] = frozenset()
_WHOLE: Final = re.compile(rb"\\[AzZG]|\(\?[a-zA-Z^]*-[a-zA-Z]*m")
_MACRO: Final = re.compile(rb"%\{([^}]+)\}")
_CAPTURES: Final = re.compile(r"%\{tx\.\d\}", re.IGNORECASE)
_OWN: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "LENGTH": lambda value: b"%d" % len(value),
    "HEX_ENCODE": lambda value: value.hex().encode(),
    "SHA1": lambda value: hashlib.sha1(value, usedforsecurity=False).digest(),
}
Chain = tuple[str, ...]


class Match(NamedTuple):
    """A rule that matched, the value where it did, and the bytes."""

    rule: Rule
    value: Value
    matched: bytes


def _transform(name: str, value: bytes) -> bytes:
    own = _OWN.get(name)
    return own(value) if own is not None else TRANSFORMS[name](value)


def automaton(expression: str, *, prefilter: bool) -> Pattern:
    """A regular expression for the automaton, with the flags that ModSecurity gives it."""
    return Pattern(expression.encode(), hs.HS_FLAG_DOTALL | hs.HS_FLAG_MULTILINE | (hs.HS_FLAG_PREFILTER if prefilter else 0))


@dataclass(slots=True)
class _Pattern:
    """How a ``rx`` or ``pm`` of a link is looked for: its numbers in the automata of chains, and whether a hit is the answer."""

    numbers: dict[Chain, frozenset[int]]
    exact: bool = True
    compiled: regex.Pattern[bytes] | None = None


class _Lane:
    """All patterns of one chain of transformations, and the variables that their rules look at.

    What was found in short values is remembered: headers of browsers repeat.
    """

    __slots__ = ("_always", "_chain", "_known", "_matcher", "collections", "patterns")

    def __init__(self, chain: Chain) -> None:
        self.patterns: list[Pattern] = []
        self.collections: set[str] = set()
        self._chain = chain
        self._known: dict[bytes, frozenset[int]] = {}
        self._matcher: Matcher | None = None
        self._always: frozenset[int] = frozenset()

    def finish(self, cache: PatternCache | None) -> None:
        """Compile the patterns."""
        self._matcher = Matcher(self.patterns, cache)
        # With joined values, what means the ends of one could be missed.
        self._always = frozenset(number for number, each in enumerate(self.patterns) if _WHOLE.search(each.expression))

    def hits(self, value: bytes, after: bytes) -> frozenset[int]:
        """The numbers of the patterns that match a value, which is ``after`` its transformations."""
        found = self._known.get(value)
        if found is None:
            found = frozenset(self._matcher.scan(after)) if self._matcher else frozenset()
            self._keep(value, found)
        return found

    def union(self, values: Sequence[Value], transform: Callable[[Chain, bytes], bytes]) -> frozenset[int]:
        """The numbers of the patterns that may match one of the values: none is missing.

        New values are scanned in one go, joined by line ends: anchors hold there too, and what else matches over a line end is
        looked at again, value by value.
        """
        hits = set(self._always)
        new: list[bytes] = []
        for each in dict.fromkeys(each.value for each in values):
            known = self._known.get(each)
            if known is None:
                new.append(each)
            else:
                hits |= known
        if new and self._matcher:
            joined = frozenset(self._matcher.scan(b"\n".join((b"", *(transform(self._chain, each) for each in new), b""))))
            hits |= joined
            if not joined and not self._always:
                for each in new:
                    self._keep(each, _EMPTY)
        return frozenset(hits)

    def _keep(self, value: bytes, found: frozenset[int]) -> None:
        if len(value) <= REMEMBERED:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[value] = found


class CoreRules:
    """Imported rules, ready to run. Immutable, and safe to use from several threads."""

    def __init__(self, bundle: Bundle, cache: PatternCache | None = None) -> None:
        """Compiles the patterns, which takes up to a minute where ``cache`` does not have them yet."""
        ordered = sorted(bundle.rules, key=lambda rule: rule.phase)
        self._settings = {name.lower(): value.encode() for name, value in bundle.settings.items()}
        self._lanes: dict[Chain, _Lane] = {}
        self._patterns: dict[int, _Pattern] = {}
        self._rules = tuple(ordered)
        self._gates: list[tuple[tuple[Chain, frozenset[int]], ...]] = []
        for rule in ordered:
            self._add(rule)
        for lane in self._lanes.values():
            lane.finish(cache)

    def _add(self, rule: Rule) -> None:
        captured = captures_asked(rule.links)
        for link in rule.links:
            if link.operator in {"rx", "pm"} and not _MACRO.search(link.argument.encode()):
                self._patterns[id(link)] = self._pattern(link, captured=captured)
        first = rule.links[0]
        found = self._patterns.get(id(first))
        self._gates.append(tuple(found.numbers.items()) if found is not None and not first.negated else ())

    def _pattern(self, link: Link, *, captured: bool) -> _Pattern:
        """Give a link's patterns to the automaton of its chain, or of each part of it where the link looks after each."""
        exact = link.operator == "pm" or (link.engine == "automaton" and not captured)
        compiled = None if exact else compile_regex(link.argument)
        if link.engine == "backtracking":
            return _Pattern({}, exact=False, compiled=compiled)
        wanted = [automaton(link.argument, prefilter=link.engine == "prefilter")]
        if link.operator == "pm":
            literals = [literal(each.encode("utf-8", "surrogateescape")) for each in link.phrases]
            wanted = [Pattern(each.expression, hs.HS_FLAG_CASELESS) for each in literals]
        chains = steps(link)
        return _Pattern({chain: self._add_to(chain, link, wanted) for chain in chains}, exact, compiled)

    def _add_to(self, chain: Chain, link: Link, patterns: Sequence[Pattern]) -> frozenset[int]:
        lane = self._lanes.setdefault(chain, _Lane(chain))
        lane.collections.update(_collection(each) for each in link.variables if not each.excluded)
        start = len(lane.patterns)
        lane.patterns.extend(patterns)
        return frozenset(range(start, len(lane.patterns)))

    def matches(self, request: WebRequest, body_limit: int) -> list[Match]:
        """The rules with a severity that match, in their order."""
        return list(_Run(self, Variables(request, body_limit)).run())


def engine_for(expression: str, *, captured: bool) -> str:
    """The engine for a regular expression, as of ``Link.engine``. Raises ValueError where none takes it."""
    for name in ("automaton", "prefilter"):
        if _compiles(automaton(expression, prefilter=name == "prefilter")):
            break
    else:
        name = "backtracking"
    if captured or name != "automaton":
        try:
            compile_regex(expression)
        except regex.error as error:
            raise ValueError(f"its regular expression is one of no engine here: {error}") from error
    return name


def captures_asked(links: Sequence[Link]) -> bool:
    """Whether a rule asks for what a regular expression captured."""
    texts = [text for link in links for text in (link.argument, *(part for pair in link.sets for part in pair))]
    return any(_CAPTURES.search(each) for each in texts) or any(
        each.collection == "TX" and each.selector.isdigit() for link in links for each in link.variables
    )


def _collection(variable: Variable) -> str:
    return f"XML:{variable.selector}" if variable.collection == "XML" else variable.collection


def steps(link: Link) -> list[Chain]:
    """The chains of transformations after which a link looks at a value."""
    whole = link.transforms
    return list(dict.fromkeys(whole[:end] for end in range(len(whole) + 1))) if link.steps else [whole]


def _compiles(pattern: Pattern) -> bool:
    try:
        Matcher([pattern], None)
    except hs.HyperscanError:
        return False
    return True


@lru_cache(maxsize=4096)
def compile_regex(text: str) -> regex.Pattern[bytes]:
    """A regular expression of PCRE for the backtracking engine. Raises ``regex.error``."""
    return regex.compile(text.encode(), regex.DOTALL | regex.MULTILINE | regex.V0)


class _Run:
    """One request on its way through the rules."""

    def __init__(self, core: CoreRules, variables: Variables) -> None:
        self._core = core
        self._variables = variables
        self._tx: dict[str, bytes] = dict(core._settings)  # noqa: SLF001 - one class in two parts
        self._transformed: dict[tuple[Chain, bytes], bytes] = {}
        self._hits: dict[tuple[Chain, bytes], frozenset[int]] = {}
        self._seen: dict[Chain, frozenset[int]] = {}
        self._chosen: dict[tuple[str, str], Values] = {}
        self._matched: list[Value] = []

    def run(self) -> Iterator[Match]:
        """The matches."""
        gates = self._core._gates  # noqa: SLF001 - as above
        for rule, gate in zip(self._core._rules, gates, strict=True):  # noqa: SLF001 - as above
            if gate and all(self._lane_hits(chain).isdisjoint(numbers) for chain, numbers in gate):
                continue
            found = self._rule(rule)
            if found is not None and rule.severity:
                yield Match(rule, *found)

    def _lane_hits(self, chain: Chain) -> frozenset[int]:
        """The patterns of a chain that match any value that its rules look at."""
        found = self._seen.get(chain)
        if found is None:
            lane = self._core._lanes[chain]  # noqa: SLF001 - as above
            values = [each for name in lane.collections if name not in _DYNAMIC for each in self._variables.get(name)]
            found = self._seen[chain] = lane.union(values, self._after)
        return found

    def _scan(self, chain: Chain, value: bytes) -> frozenset[int]:
        """The patterns of a chain that match a value after its transformations."""
        key = (chain, value)
        found = self._hits.get(key)
        if found is None:
            found = self._hits[key] = self._core._lanes[chain].hits(value, self._after(chain, value))  # noqa: SLF001 - as above
        return found

    def _after(self, chain: Chain, value: bytes) -> bytes:
        if not chain:
            return value
        key = (chain, value)
        found = self._transformed.get(key)
        if found is None:
            found = self._transformed[key] = _transform(chain[-1], self._after(chain[:-1], value))
        return found

    def _rule(self, rule: Rule) -> tuple[Value, bytes] | None:
        """The value of the last condition that matched, and the bytes; None where one does not match."""
        self._matched = []
        first: tuple[Value, bytes] | None = None
        for link in rule.links:
            found = self._link(link)
            if found is None:
                return None
            if first is None:
                first = found
        return first

    def _link(self, link: Link) -> tuple[Value, bytes] | None:
        matched: list[Value] = []
        what = b""
        for value in self._values(link.variables):
            found = self._matches(link, value)
            if (found is None) == (not link.negated):
                continue
            matched.append(value)
            what = what or (value.value if found is None else found)
            if link.sets:
                self._set(link, value, matched)
        if not matched:
            return None
        self._matched = matched
        return matched[0], what

    def _set(self, link: Link, value: Value, matched: Sequence[Value]) -> None:
        before, self._matched = self._matched, [*matched[:-1], value]
        for name, text in link.sets:
            key = self._expanded(name.encode()).decode("latin-1").lower()
            new = self._expanded(text.encode())
            if text[:1] in "+-" and text[1:].isdigit():
                new = b"%d" % (int(self._tx.get(key) or b"0") + int(text))
            self._tx[key] = new
        self._matched = before

    def _expanded(self, text: bytes) -> bytes:
        return _MACRO.sub(lambda found: self._macro(found[1].decode("latin-1").lower()), text) if b"%{" in text else text

    def _macro(self, name: str) -> bytes:
        if name.startswith("tx."):
            return self._tx.get(name[3:], b"")
        if name.startswith("request_headers."):
            return self._variables.request.header(name.partition(".")[2].encode()) or b""
        last = self._matched[-1] if self._matched else None
        if name == "matched_var":
            return last.value if last else b""
        if name == "matched_var_name":
            return last.name if last else b""
        return self._variables.request.method.encode() if name == "request_method" else b""

    # Variables

    def _values(self, variables: Sequence[Variable]) -> Values:
        found: Values = []
        excluded = [each for each in variables if each.excluded]
        for each in variables:
            if each.excluded:
                continue
            values = self._named(each)
            without = [one for one in excluded if one.collection == each.collection]
            if without:
                values = [value for value in values if not any(_excludes(one, value.name) for one in without)]
            if each.count:
                found.append(Value(each.collection.encode(), b"%d" % len(values), values[0].location if values else "HEADER"))
            else:
                found += values
        return found

    def _named(self, variable: Variable) -> Values:
        if variable.collection == "TX" and _expression(variable.selector) is None and variable.selector:
            key = variable.selector.lower()
            return [Value(key.encode("latin-1", "replace"), self._tx[key], "HEADER")] if key in self._tx else []
        values = self._collection(variable)
        if not variable.selector or variable.collection == "XML":
            return values
        if variable.collection in _DYNAMIC:
            return [each for each in values if _selected(variable.selector, each.name)]
        place = (variable.collection, variable.selector)
        found = self._chosen.get(place)
        if found is None:
            found = self._chosen[place] = [each for each in values if _selected(variable.selector, each.name)]
        return found

    def _collection(self, variable: Variable) -> Values:
        name = variable.collection
        if name == "TX":
            return [Value(key.encode("latin-1", "replace"), value, "HEADER") for key, value in self._tx.items()]
        if name in {"MATCHED_VARS", "MATCHED_VAR"}:
            return list(self._matched) if name == "MATCHED_VARS" else self._matched[-1:]
        if name in {"MATCHED_VARS_NAMES", "MATCHED_VAR_NAME"}:
            kept = self._matched if name == "MATCHED_VARS_NAMES" else self._matched[-1:]
            return [Value(each.name, each.name, each.location) for each in kept]
        return self._variables.get(_collection(variable))

    # Operators

    def _matches(self, link: Link, value: Value) -> bytes | None:
        """The bytes that an operator matched, None for none."""
        for chain in steps(link) if link.steps else (link.transforms,):
            found = self._operator(link, value, chain)
            if found is not None:
                return found
        return None

    def _operator(self, link: Link, value: Value, chain: Chain) -> bytes | None:
        simple = SIMPLE.get(link.operator)
        if simple is not None:
            text = self._after(chain, value.value)
            return (text or b"-") if simple(text, self._expanded(link.argument.encode())) else None
        pattern = self._core._patterns.get(id(link))  # noqa: SLF001 - as above
        if pattern is None:
            expression = self._expanded(link.argument.encode()).decode("utf-8", "replace")
            return self._search(compile_regex(expression), self._after(chain, value.value))
        if not pattern.numbers:
            return self._search(pattern.compiled, self._after(chain, value.value))
        hits = self._scan(chain, value.value) & pattern.numbers[chain]
        if not hits:
            return None
        text = self._after(chain, value.value)
        return self._piece(chain, min(hits), text) if pattern.exact else self._search(pattern.compiled, text)

    def _piece(self, chain: Chain, number: int, text: bytes) -> bytes:
        """The bytes of a value that a pattern of the automaton matched."""
        where = span(self._core._lanes[chain].patterns[number], text)  # noqa: SLF001 - as above
        return (text if where is None else text[where[0] : where[1]]) or b"-"

    def _search(self, pattern: regex.Pattern[bytes] | None, text: bytes) -> bytes | None:
        """What a regular expression matched; its captures become ``TX:0`` to ``TX:9``."""
        if pattern is None:
            return None
        try:
            found = pattern.search(text, timeout=SECONDS)
        except TimeoutError:
            return text or b"-"
        if found is None:
            return None
        for number in range(10):
            self._tx[str(number)] = (found[number] or b"") if number <= pattern.groups else b""
        return found[0] or b"-"


_DYNAMIC: Final = frozenset({"TX", "MATCHED_VAR", "MATCHED_VARS", "MATCHED_VAR_NAME", "MATCHED_VARS_NAMES"})


def _selected(selector: str, name: bytes) -> bool:
    """Whether a selector means a name: whatever the case, or as a regular expression between slashes."""
    expression = _expression(selector)
    return selector.lower().encode() == name.lower() if expression is None else expression.search(name) is not None


@lru_cache(maxsize=1024)
def _expression(selector: str) -> re.Pattern[bytes] | None:
    if len(selector) > 1 and selector.startswith("/") and selector.endswith("/"):
        return re.compile(selector[1:-1].encode(), re.IGNORECASE)
    return None


def _excludes(variable: Variable, name: bytes) -> bool:
    return not variable.selector or _selected(variable.selector, name)
