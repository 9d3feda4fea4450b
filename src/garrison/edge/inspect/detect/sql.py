"""SQL injection: a lexer over the dialects, and the question whether what it reads can be the rest of a query.

An injection continues a query that the application began: in the middle of a string (so the value must close a quote and go on
as SQL does), after a number or name, or as a statement of its own. A value is read in each of these contexts; the tokens become
a *shape*, one letter each, and a shape is an attack where it goes on as a query would and prose does not. Quotes, keywords and
functions alone are none: ``it's``, ``select one from the list`` and ``Tom and Jerry`` are no SQL in any context.

Letters: ``s`` string, ``1`` number, ``n`` name, ``f`` function before ``(``, ``F`` one that only SQL has, ``v`` variable, ``a``
and/or/xor, ``t`` not, ``o`` operator, ``U`` union, ``E`` select, ``T`` statement, ``k`` keyword, ``m`` from, ``w`` where,
``h`` having, ``g`` group/order by, ``l`` limit, ``i`` into, ``C`` comment, and ``( ) , ; .`` for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from garrison.edge.inspect.detect.normal import lengthy
from garrison.edge.inspect.detect.sqlwords import (
    FUNCTIONS,
    KEYWORDS,
    LOGICAL,
    OPERATORS,
    STATEMENTS,
    STRONG_FUNCTIONS,
    UNION,
)

TOKENS: Final = 400
"""Tokens of a value that are read."""
CONTEXTS: Final = 6
"""Quotes of each kind that a value is tried to be closed at."""
_TOKEN = re.compile(
    rb"""(?P<space>[\s\xa0]+)
    |(?P<unwrapped>/\*!\d*)
    |(?P<comment>/\*(?:[^*]|\*(?!/))*(?:\*/|$)|--(?=[\s;+)'"]|-|$|[A-Za-z(]))
    |(?P<hash>\#)
    |(?P<number>0x[0-9a-f]+|0b[01]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)
    |(?P<word>[a-z_\x80-\xff][\w$\x80-\xff]*)
    |(?P<variable>@@?[\w$.]*)
    |(?P<string>'(?:[^'\\]|\\.|'')*(?P<open1>$|')|"(?:[^"\\]|\\.|"")*(?P<open2>$|"))
    |(?P<tick>`[^`]*(?:`|$)|\[[a-z_][\w ]*\])
    |(?P<logical>&&|\|\|)
    |(?P<operator><=>|<>|!=|<=|>=|:=|::|->>|->|@>|<@|<<|>>|[=<>!~^&|%*/+:?\-])
    |(?P<punct>[(),;.])
    |(?P<other>.)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# A byte that MySQL takes for a blank, where it ends no letter of UTF-8.
_HARD_SPACE = re.compile(rb"(?<![\x80-\xff])\xa0")
_COMMENT = re.compile(rb"/\*[^*!]*\*/")
_SPLIT_WORD = re.compile(rb"(?<=\w)/\*[^*!]*\*/(?=\w)")


class Token(NamedTuple):
    """A token: its letter, its bytes in lower case, and where it ends."""

    letter: str
    text: bytes
    end: int


_SINGLE: Final = {
    b"not": "t",
    b"select": "E",
    b"from": "m",
    b"where": "w",
    b"having": "h",
    b"limit": "l",
    b"offset": "l",
    b"into": "i",
    b"values": "V",
}


def _word(  # noqa: PLR0911 - one answer for each class of words
    text: bytes, rest: bytes, end: int
) -> str:
    called = rest[end : end + 8].lstrip()[:1] == b"("
    if text in _SINGLE:
        return _SINGLE[text]
    if text in LOGICAL:
        return "a"
    if text in UNION:
        return "U"
    if called and text in STRONG_FUNCTIONS:
        return "F"
    if called and text in FUNCTIONS:
        return "f"
    if text in OPERATORS:
        return "o"
    if text in STATEMENTS:
        return "T"
    return "k" if text in KEYWORDS else "n"


def tokens(text: bytes) -> Iterator[Token]:
    """The tokens of ``text``, at most :data:`TOKENS`; comments are tokens only where something may be hidden behind them."""
    count = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "space" or kind is None:
            continue
        count += 1
        if count > TOKENS:
            return
        token = _token(kind, match, text)
        if token is not None:
            yield token


def _token(  # noqa: PLR0911 - one answer for each kind of token
    kind: str, match: re.Match[bytes], text: bytes
) -> Token | None:
    found, end = match.group(), match.end()
    if kind == "unwrapped":
        return None
    if kind == "comment":
        closed = found.startswith(b"/*") and found.endswith(b"*/") and len(found) >= 4
        return None if closed else Token("C", found, end)
    if kind == "hash":
        return Token("C", found, end)
    if kind == "word":
        lowered = found.lower()
        return Token(_word(lowered, text, end), lowered, end)
    if kind in {"string", "open1", "open2"}:
        return Token("s", found, end)
    if kind == "variable" and found in {b"@", b"@@"}:
        return Token("?", found, end)
    if kind == "operator" and found == b"*" and text[end : end + 1] == b"/":
        return None
    return Token(_LETTERS.get(kind) or found.decode("latin-1"), found.lower(), end)


_LETTERS: Final = {"number": "1", "variable": "v", "tick": "n", "logical": "a", "operator": "o", "other": "?"}


class Shape(NamedTuple):
    """The letters of some tokens, and the tokens."""

    letters: str
    tokens: list[Token]

    def text(self, start: int, end: int) -> bytes:
        """The tokens' bytes from one letter to another."""
        return b" ".join(each.text for each in self.tokens[start:end])[:128]


def shape(text: bytes) -> Shape:
    """The shape of ``text``; ``group by`` and ``order by`` are one letter."""
    found: list[Token] = []
    for token in tokens(text):
        if token.text == b"by" and found and found[-1].text in {b"order", b"group", b"partition"}:
            found[-1] = Token("g", found[-1].text + b" by", token.end)
            continue
        found.append(token)
    return Shape("".join(each.letter for each in found), found)


_OPERAND = r"[t(o]*(?:[fF]\(|[1snvk])"
# What may follow the quote that a value closed, before the application's own quote.
_TAILS: Final = (
    r"\)*a+[t(]*[fF]\(",  # ' or sleep(5)
    r"\)*a+[t(]*E",  # ' or select
    r"\)*a+[t(]*[1s]\)*(?:[oaC;)]|$)",  # ' or 1=1, ' or 'a'='a, ' or 1
    r"\)*a+[t(]*[nvk](?:\.n)*\(*\)*o",  # ' or a=a
    r"\)*a+[t(]*[nvk](?:\.n)*\)*[C;]",  # ' or true--
    r"\)*a+[to(]*\(+[1snvfFE]",  # ' or (1
    r"\)*a+t+[nk1s(]",  # ' and not x
    r"\)*a+[kT]+[n(1s]?o",  # ' or exists (, ' or binary
    r"\)*;+(?:T[kinmvs(?.]|T$|E|k?[fF]\(|C|v|$)",  # '; drop
    r"\)*;+n[(vs1C]",
    r"\)*C",  # '--
    r"\)*U[k]*\(*(?:E(?:[^n]|n[^n]|$)|[V1C])",  # ' union select
    r"\)*g[o(]*(?:[1fFv]|n,|n[oC]|s?C)",  # ' order by 1
    r"\)*h[o(]*(?:[1fFsv]|no)",
    r"\)*l[1(].{0,3}(?:[C;]|$)",
    r"\)*i(?:k|n$|v)",  # ' into outfile
    r"\)*(?:o|\.|,)+[to(]*[F]\(",  # '+sleep(5)+'
    r"\)*[oa]+[to(]*f\([^)]*\)+(?:[oaC]|$)",
    r"\)*[oa]+[to(]*E(?:[1sfFvo(k]|n[,.o(m])",  # '||(select
    r"\)*[oat]+[to(]*[1nsvk]\)*(?:C|;$)",  # '-email--
    r"\)*o+[to(]*[s1]\)*[oa]",  # '='a' or '
    r"\)*[oat]+k\)*$",  # ' is null
    r"\)+(?:a[^n]|a[tn][^n]|C|;(?:[TEC]))|\)+;$",  # ') or
    r"\)*w[t(]*[nsf1v](?:\.n)?o",  # ' where x
    r"o+s$",  # '='
    r"[oa]+[1v]$",
    r"E[n1]$",
    r"\)*to[1nsv]",  # ' not like x
)
_TAIL = re.compile("|".join(_TAILS))
# How a value goes on that stands where a number or name would.
_RAWS: Final = (
    r"[(o]*[1nsv]?(?:\.n)*\)*a+[t(]*(?:[1s]\)*[o;C]|F\(|f\(|\(*E)",  # 1 or 1=1
    r"[(o]*[1nsv]?\)*a+[t(]*k\)*[C;]",  # 1 or true--
    r"[(o]*[1s]\)*a+[t(]*[nvk](?:\.n)*o[1sno(]",  # 1 or a=a
    r"[(o]*[1nsv]?\)*a+[t(]*\(+[1snvfFE][o,)a]",
    r"[(o]*[1nsv]\)+a+[t(]*[1snv]",
    r"[(o]*[1nsv]?\)*o*U[k]*\(*(?:E(?:[^n]|n[^n]|$)|[(V])",
    r"[(o]*[1nsv]?\)*;+(?:T(?:[kimnvs(?]|T|$)|E|F\(|C)",
    r"[(o]*[1s]\)*[gh][o(]*[1fFsnv(]",  # 1 order by 3
    r"[(o]*1\)*(?:o|,)+[(o]*(?:F\(|E)",
    r"[(o]*[1nsv]?\)+(?:[gh;C]|l1|a|ik|TkS?)",
    r"[(o]*[1nv]\)*T[k]s",  # 1 waitfor delay '
    r"[(o]*1\)*\(*E|[(o]*[1nv]\)*\(+E",
    r"[(o]*[1v]\)*ik?s",
    r"[o]?[1]\)*C$",
)
_RAW = re.compile("|".join(_RAWS))
# What is SQL wherever it stands.
_ANYWHERES: Final = (
    r"U[k]*\(*E(?:[^n]|n[^n]|$)",
    r"U[k]*\(*V\(",
    r"E[k(]*(?:[ovFs1f(]|n(?:\.n)*[,o(.])[^;TECU]{0,60}?m[(n]",
    r"(?:^|[(;s1C])En(?:\.n)?mn(?:\.n)?(?:[wlghCU;)]|$)",  # select list from
    r"E\(E|E[k(]*F\(|E[k(]*f\(|Ek*v|E\(k",
    r"Tin(?:\([^)]{0,120}\))?(?:V|E|k\()",  # insert into t (..) values
    r"T[nk.]{1,4}Tno",  # update t set x =
    r"Tm[nk](?:\.n)?(?:w|C|;|l)",  # delete from t where
    r"a[t(]*F\([^;]{0,40}\)",
    r"(?:^|[1s;(o,])[(o]*F\((?:[1sv][,)o]|[(FfE]|n[,.]|\))",  # sleep(5)
)
_ANYWHERE = re.compile("|".join(_ANYWHERES))
_PROSE = re.compile(r"nn+")
_WORDS = re.compile(r"[nTk]{3}")


def _prose(letters: str) -> bool:
    """Whether the tokens run as prose does: words beside words, with nothing between."""
    beside = sum(len(match.group()) - 1 for match in _PROSE.finditer(letters))
    return beside >= 3 and beside * 3 > len(letters)


_WHOLE = re.compile(
    rb"""\bunion\s*(?:all|distinct)?\s*select\b(?!(?:\s+(?!from\b)[a-z]+)+\s*(?:$|\|\s|[!?]))|union\s*(?:all\s*)?select\s*.{0,100}?from
    |\b(?:information_schema|pg_catalog|sqlite_(?:master|temp_master|schema)|sysobjects|syscolumns|msysaccessobjects
        |msdasql|sysibm\.)\b
    |\b(?:sp_(?:executesql|password|oacreate|addextendedproc|makewebtask|configure|sqlexec|addsrvrolemember)|xp_\w{3,30}
        |utl_(?:http|inaddr|file)|dbms_\w{3,20}\.|dbms_java|openrowset|opendatasource|openquery)\b
    |\bwaitfor\s+(?:delay|time)\s*['"]
    |\b(?:benchmark|pg_sleep|dbms_pipe\.receive_message)\s*\(\s*[\d'(]
    |\bsleep\s*\(\s*(?:/\*.*?\*/)?\s*(?:\d{1,8}\s*(?:\)|div|\*)|[(a-z]*mod\s*\(|select\b|\d+\.to_i)
    |^\s*if\s*\(\s*\d+\s*=|\bif\s*\(\s*(?:now\s*\(|\d+\s*=\s*\d|length\s*\(|substr|ascii|mid\s*\(|user\s*\()
    |\b(?:drop|truncate|alter|create)\s+(?:temporary\s+|temp\s+|or\s+replace\s+)?(?:table|database|schema|view
        |function|procedure|trigger|user|index|login|role)\s+
        (?:if\s+(?:not\s+)?exists\s+)?[`"\[\w.]+\s*(?:[;(#]|--|$|add\b|drop\b|change\b|modify\b|rename\b|cascade|as\b
        |identified|returns|on\b|before|after)
    |\bload\s+data\s+(?:local\s+)?infile\b|\binto\s+(?:out|dump)file\b|\bload_file\s*\(|\bprocedure\s+analyse\b
    |\bexec(?:ute)?(?:\s+immediate\s*['"(]|\s+(?:master\.|xp_|sp_)|\s*\(\s*(?:@|['"]\s*(?:select|xp_|insert|drop)
        |(?:n?var)?char\s*\())
    |\bdeclare\s+@\w+
    |\bselect\b[^;]{0,200}?\bfrom\s+(?:information_schema|mysql\.|pg_|sys\.|dual\b|all_tab|user_tab|v\$)
    |\bselect\s+(?:@@|sleep\s*\(|pg_sleep|benchmark|load_file|user\s*\(|version\s*\(|database\s*\(|group_concat|concat
        |char\s*\(|chr\s*\(|current_user|if\s*\(|\(?\s*case\b|0x)
    |\b(?:from|join)\s*\(\s*select\b|\bin\s*\(\s*select\b|\bexists\s*\(\s*select\b|\(\s*select\s*\(
        |\bexcept\s+(?:select\b|values\s*\()
    |\bas\s*["'`][\w\ ]*["'`]?\s+from\b|`\s*regexp\b|\bselect\w{0,5}(?:\s|\*/|,|\d|%20|%2520)*\s*user\s*\(
        |\bselect\s*\*\s*from\s*[\w(\[`"]
    |\bcase\s+when\b.{1,100}?\bthen\b
    |\b\d+(?:\.\d+)?e\s*\(\s*\w|\b\d\.e(?:\(|\.\w)
    |::\s*(?:int(?:eger|\d)?|text|bool(?:ean)?|bigint|jsonb?|numeric|double\s+precision|regclass|varchar)\b
    |['"}\]]\s*(?:<@|@>|\?\||\?&|\#>>?|->>?)\s*['"{\[]
    |\b(?:length|char_length|ascii|substr(?:ing)?|mid|ord)\s*\(\s*(?:\(\s*)?(?:select|user\s*\(|database\s*\(
        |version\s*\(|@@|password\b)
    |@@(?:version|hostname|datadir|servername|global|session|language|basedir)\b
    |/\*!\d{5}\s*\w|\bselect/\*|\bunion/\*|/\*\*/(?:select|union|from|where|and|or)\b
    |\bhaving\s+(?:count|sum|min|max|avg)\s*\(|\border\s+by\s+\d+\s*(?:--|\#|/\*)
    |\bgroup\s+by\b.{1,80}?\bhaving\b
    |\bcharacter\s+set\s+(?:utf8|latin1)|\bset\s+@\w+\s*=\s*[xb]?'
    |\b(?:insert|replace)\s+(?:ignore\s+)?into\s+[\w.`"\[\]]+\s*(?:\([^)]{1,300}\)\s*)?(?:values\s*\(|select\b)
    |;\s*(?:insert\s+into|drop\s+\w|delete\s+from|update\s+\w+\s+set|truncate\b|alter\s+table|exec(?:ute)?\s
        |shutdown\b|replace\s*(?:into\b|\w+\s*\())
    |\bdelete\s+from\s+[\w.`"]+\s*(?:;|--|\#|where\s+\S+\s*(?:=|<|>|like|in\b|is\b|\())
    |\bupdate\s+[\w.`"\[\]]+\s+set\s+[\w.`"\[\]]+\s*=\s*[^=]
    |\b(?:current_user|session_user|database|schema|db_name|user_name|suser_s?name|version
        |@@version)\s*\(\s*\)\s*(?:[,)=<>|+-]|like|from|limit|$)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# A value that is nothing but the beginning of a call that only SQL has.
_FRAGMENT = re.compile(
    rb"\s*(?:[=,(|+-]\s*)?("
    + b"|".join(
        sorted(
            FUNCTIONS
            - {
                b"if",
                b"user",
                b"date",
                b"time",
                b"left",
                b"right",
                b"log",
                b"sign",
                b"default",
                b"format",
                b"replace",
                b"values",
                b"field",
                b"space",
                b"point",
                b"position",
                b"quote",
                b"repeat",
                b"round",
                b"second",
                b"minute",
                b"hour",
                b"month",
                b"year",
                b"week",
                b"day",
                b"host_name",
                b"password",
                b"exp",
                b"dump",
                b"array",
                b"lead",
                b"lag",
                b"schema",
                b"mid",
                b"sum",
                b"min",
                b"max",
                b"count",
                b"pi",
                b"str",
                b"now",
                b"version",
                b"len",
                b"length",
                b"lower",
                b"upper",
                b"trim",
                b"floor",
                b"ceil",
                b"abs",
                b"tan",
                b"sin",
                b"pow",
                b"sqrt",
                b"random",
                b"rand",
                b"encrypt",
                b"decode",
                b"encode",
                b"compress",
                b"sha1",
                b"md5",
                b"unicode",
                b"reverse",
                b"procedure",
                b"changes",
                b"interval",
                b"extract",
                b"insert",
                b"convert",
                b"cast",
                b"char",
                b"chr",
                b"ascii",
                b"hex",
                b"bin",
                b"oct",
                b"concat",
                b"substr",
                b"substring",
                b"timestamp",
                b"translate",
                b"printf",
                b"power",
                b"locate",
                b"instr",
                b"greatest",
                b"least",
            },
            reverse=True,
        )
    )
    + rb")\s*(?:/\*.*?\*/\s*)?\(",
    re.IGNORECASE | re.DOTALL,
)
_NOSQL = re.compile(
    rb"\[\$?(?:\$(?:ne|eq|gte?|lte?|in|nin|exists|regex|where|not|nor|or|and|all|size|mod|type|elemmatch|text|options))\]"
    rb"|\$(?:where|func|function|accumulator)\b\s*['\"]?\s*:"
    rb"|['\"]\s*(?:\|\||&&)\s*(?:this\.|['\"\d])|\bthis\.\w+(?:\.match\(|\s*(?:==|!=|\.length))|['\"]\s*;\s*return\b",
    re.IGNORECASE,
)
NOSQL_KEYS: Final = re.compile(
    (
        rb"\$(?:ne|eq|gte?|lte?|in|nin|exists|regex|where|not|nor|or|and|all|size|mod|type|elemmatch|text"
        rb"|expr|options|function|set|unset|inc|rename)"
    ),
    re.IGNORECASE,
)
_OPEN = re.compile(
    rb"\W*(?:"
    + b"|".join(sorted([*FUNCTIONS, *STRONG_FUNCTIONS], reverse=True))
    + rb"|insert)\s*=?\s*\\?\(\s*$|\s*div\s*\(|\)\s*like\s*\(",
    re.IGNORECASE,
)
_MAGIC = re.compile(
    (
        rb"\s*(?:2\.2250738585072011e-308|2\.2250738585072007e-308|4294967296|-?2147483648|0{5,}12345|1e309"
        rb"|4294967295)\s*"
    ),
    re.IGNORECASE,
)
_BARE = re.compile(
    rb"\s*(?:information_schema|database\s*\(|db_name\s*\(|tempdb|msdb|mysql\.db|msysaccessobjects"
    rb"|northwind|schema_name|pg_catalog"
    rb"|sqlite_\w+|sysobjects|current_user\s*\(|user\s*\(|select\s*\(?user\s*\()",
    re.IGNORECASE,
)


def prose(text: bytes) -> bool:
    """Whether a value runs as prose does, in whatever language has words."""
    letters = shape(text[:400]).letters
    return letters.count("nn") >= 2 or _WORDS.search(letters) is not None


def _at_quotes(text: bytes, quote: int) -> Iterator[bytes]:
    """What follows each quote that a value may close the application's string with."""
    position = -1
    for _ in range(CONTEXTS):
        position = text.find(quote, position + 1)
        if position < 0:
            return
        before = text[:position]
        if before.endswith(b"\\") and not before.endswith(b"\\\\"):
            continue
        yield text[position + 1 : position + 1 + 600]


def detect(text: bytes, *, high: bool = False) -> bytes | None:
    """The piece of one reading that makes it SQL injection, None for none."""
    magic = _MAGIC.fullmatch(text)
    if magic is not None:
        return magic.group()
    text = _HARD_SPACE.sub(b" ", text[:8192])
    if b"/*" in text and b"*/" in text:
        for plain in (_SPLIT_WORD.sub(b"", text), _COMMENT.sub(b" ", text)):
            match = _WHOLE.search(plain) if plain != text else None
            if match is not None:
                return match.group()[:128]
    long = lengthy(text)
    for pattern in (_WHOLE, _NOSQL):
        match = pattern.search(text)
        if match is not None and not (
            long and text[: match.start()].rstrip()[-1:] not in {b"'", b'"', b";", b")", b"0", b"1", b"/"}
        ):
            return match.group()[:128]
    match = _OPEN.match(text)
    if match is not None:
        return match.group()[:128]
    for pattern in (_FRAGMENT, _BARE):
        match = pattern.match(text)
        if match is not None and match.end() >= len(text.rstrip()) - 2:
            return match.group()[:128]
    return _in_contexts(text, high=high)


def _in_contexts(text: bytes, *, high: bool) -> bytes | None:
    raw = shape(text)
    found = _RAW.match(raw.letters)
    if found is not None and not _prose(raw.letters) and _worth(raw, found, high=high):
        return raw.text(found.start(), found.end())
    found = None if lengthy(text) else _ANYWHERE.search(raw.letters)
    if found is not None and not _prose(raw.letters):
        return raw.text(found.start(), found.end())
    for quote in b"'\"`":
        for tail in _at_quotes(text, quote):
            one = shape(tail)
            match = _TAIL.match(one.letters)
            if match is not None and not _prose(one.letters[:12]) and _tail_worth(one, match, text, quote):
                return bytes((quote,)) + one.text(match.start(), match.end())
    return None


def _worth(raw: Shape, _found: re.Match[str], *, high: bool) -> bool:
    """Whether a raw match has more than a word that prose has too."""
    return high or any(each.letter in "1so(;CF=EUT" for each in raw.tokens[:8])


def _tail_worth(one: Shape, match: re.Match[str], text: bytes, quote: int) -> bool:
    """Whether a tail after a quote is more than punctuation of prose or code."""
    letters = match.group()
    odd = text.count(quote) % 2 == 1
    if (
        letters.strip(")") in {"C", ";", ";C"}
        or letters[:2] in {"oo", "o)"}
        or (letters[:1] in "oa" and letters[-1:] in "1v" and len(letters) <= 3)
    ):
        # `'#` and `';` end code and Markdown too; an injection ends there, and leaves one quote open.
        return odd and len(one.letters) <= 4 and len(text) < 200 and (one.tokens[0].text != b"#" or len(text) < 80)
    if (
        letters[-1:] == "s"
        and len(one.tokens[match.end() - 1].text) < 5
        and not one.tokens[match.end() - 1].text.strip(b"'\"` }])")
    ):
        return odd and len(text) < 40
    return _FIRM.search(letters) is not None or not (lengthy(text) or _wordy(one.letters))


_FIRM = re.compile(r"[FE]|T[kin]|U|a[t(]*[1s]o[1s]|;[TE]|a[t(]*f\(")


def _wordy(letters: str) -> bool:
    return letters.count("nn") >= 2


# Where a value may go on as SQL: after a quote, after its first operand, or with the words that make a statement.
_AFTER_QUOTE = re.compile(
    (
        rb"['\"`](?:[\s)\xa0]|/\*.*?\*/)*(?:[-+|&=<>!;#,*/%^~.@\\:(?]|(?:or|and|xor|union|except|intersect"
        rb"|having|order|group|limit|offset|where|like|is|in|between|not|div|mod|regexp|rlike|glob|into"
        rb"|similar|collate|waitfor|select|procedure|sounds|match)(?:\W|$)|$)"
    ),
    re.IGNORECASE | re.DOTALL,
)
_AFTER_START = re.compile(
    (
        rb"^[\s(+~!-]*[\w.$@\x80-\xff]*[\s)'\"`]*(?:(?:or|and|xor)\W|\|\||&&|(?:union|having|select"
        rb"|procedure|waitfor)\b|(?:order|group)\s+by\b|into\s|;\s*[a-z#-]|--|#|\)\s*[;)a-z#|&-])"
    ),
    re.IGNORECASE,
)
_PARTS = re.compile(
    (
        rb"\bunion\b.{1,200}\bselect\b|\bselect\b.{1,400}\bfrom\b|\b(?:insert|replace)\b.{1,80}\binto\b"
        rb"|\bupdate\b.{1,200}\bset\b|\bdelete\b.{1,80}\bfrom\b|\b(?:"
    )
    + b"|".join(sorted(STRONG_FUNCTIONS))
    + rb")\W{0,40}\(|\(\s*select\b|/\*",
    re.IGNORECASE | re.DOTALL,
)
GATES: Final = (_OPEN, _WHOLE, _NOSQL, NOSQL_KEYS, _FRAGMENT, _MAGIC, _BARE, _AFTER_QUOTE, _AFTER_START, _PARTS)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
