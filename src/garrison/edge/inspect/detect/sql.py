"""SQL injection: a lexer over the dialects, and the question whether what it reads can be the rest of a query.

An injection continues a query that the application began: in the middle of a string (so the value must close a quote and go on
as SQL does), after a number or name, or as a statement of its own. A value is read in each of these contexts; the tokens become
a *shape*, one letter each, and a shape is an attack where it goes on as a query would and prose does not. Quotes, keywords and
functions alone are none: ``it's``, ``select one from the list`` and ``Tom and Jerry`` are no SQL in any context.

The letters of shapes are those of :mod:`garrison.edge.inspect.detect.sqllexer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, Scan, everything, lengthy
from garrison.edge.inspect.detect.sqllexer import TOKENS, Shape, shape
from garrison.edge.inspect.detect.sqlwords import COMPARISONS, FUNCTIONS, STRONG_FUNCTIONS

CONTEXTS: Final = 6
"""Quotes of each kind that a value is tried to be closed at."""
# A byte that MySQL takes for a blank, where it ends no letter of UTF-8.
_HARD_SPACE = re.compile(rb"(?<![\x80-\xff])\xa0")
_COMMENT = re.compile(rb"/\*[^*!]*\*/")
_SPLIT_WORD = re.compile(rb"(?<=\w)/\*[^*!]*\*/(?=\w)")
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
    r"\)*o+[to(]*s\)*[oa]",  # '='a' or '
    r"\)*o+[to(]*1\)*(?:a|o+[to(1]*(?:s$|C|$))",  # '-1 or, '-0-'
    r"\)*[oat]+k\)*$",  # ' is null
    r"\)+(?:a[^n]|a[tn][^n]|C|;(?:[TEC]))|\)+;$",  # ') or
    r"\)*w[t(]*[nsf1v](?:\.n)?o",  # ' where x
    r"o+s$",  # '='
    r"[oa]+[1v]$",
    r"\)*[oat]{2,}s$",  # ' or!'
    r"\)*o[to(]*[1nvs]\)*[oa][to1snvka()]{0,40}(?:s$|C)",  # '*@a or '1
    r"\)*a+[to(]*[nvk1s](?:\.n)*\)*a+[to(]*[s1n]$",  # ' or name and '1
    r"E[n1]$",
    r"\)*to[1nsv]",  # ' not like x
)
_TAIL = re.compile("|".join(_TAILS))
# What a call has between its brackets is taken whole: each other way to divide it would be tried where nothing follows.
_EXPRESSION = r"[(o]*+(?:[1sv]|n(?:\.n)?|[fF]\([(o1nsvfk,.]*+\)*)\)*"
# How a value goes on that stands where a number or name would.
_RAWS: Final = (
    rf"{_EXPRESSION}(?:o{_EXPRESSION}){{0,4}}a+[to(]*(?:[1s]\)*o[to(]*[1snvf]|f\([(o1nsvfk,)]{{0,20}}?o)",  # 2*(a) and 8=3
    r"[(o]*[1nsv]?(?:\.n|o[1nsv])*\)*a+[to(]*(?:[1s]\)*[o;C]|F\(|f\(|\(*E|\([1s]\))",  # 1 or 1=1
    r"[(o]*[1nsv]?\)*a+[t(]*k\)*[C;]",  # 1 or true--
    r"[(o]*[1s]\)*a+[t(]*[nvk](?:\.n)*o[1snov(]",  # 1 or a=a
    r"[(o]*[1nsv]?\)*a+[t(]*\(+[1snvfFE][o,)a]",
    r"[(o]*(?:[1sv]\)+a+[t(]*[1snv]|n\)+a+[t(]*[1sv])",
    r"[(o]*[1nsv]?\)*o*U[k]*\(*(?:E(?:[^n]|n[^n]|$)|[(V])",
    r"[(o]*[1nsv]?\)*;+(?:T(?:[kimnvs(?]|T|$)|E|F\(|C)",
    r"[(o]*[1s]\)*[gh][o(]*[1fFsnv(]",  # 1 order by 3
    r"[(o]*1\)*(?:o|,)+[(o]*(?:F\(|E)",
    r"[(o]*[1nsv]?\)+(?:[gh]|;+(?:[TEFC]|$)|C|l1|a|ik|TkS?)",
    r"[1s]\)+mn(?:w|C|;|$)",  # 1) from users where
    r"\([1svkfFoatnEl(),]*\)+C$",  # (binary (1)) --
    r"1\)*a+[t(]*k\)*$",  # 9 or true
    r"[1s]\)*w[(]*[1s]",  # 1 where 2=2
    r"(?:1|[(o]*[1s]?\)+);+f\(",
    r"[(o]*[1nv]\)*T[k]s",  # 1 waitfor delay '
    r"[(o]*1\)*\(*E|[(o]*[1nv]\)*\(+E",
    r"[(o]*[1v]\)*ik?s",
    r"o?1(?:o+1)*\)*C$",
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
    rb"""(?<![a-z_])union\s*(?:all|distinct)?\s*select\b(?!\s+(?!(?:from|null|distinct|all|top|case|exists)\b)[a-z]{3,}
        (?:\s*(?:$|[\n!?|,:])|\s+(?!(?:from|as)\b)[a-z]))
    |union\s*(?:all\s*)?select(?!(?:ed|or|ors|ion|ive|s|ing)\b)\s*.{0,100}?from
    |\b(?:information_schema|pg_catalog|sqlite_(?:master|temp_master|schema)|sysobjects|syscolumns|msysaccessobjects
        |msdasql|sysibm\.)\b
    |\b(?:sp_(?:executesql|password|oacreate|addextendedproc|makewebtask|configure|sqlexec|addsrvrolemember)|xp_\w{3,30}
        |utl_(?:http|inaddr|file)|dbms_\w{3,20}\.|dbms_java|openrowset|opendatasource|openquery)\b
    |\bwaitfor\s+(?:delay|time)\s*\\?['"]
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
    |\bcase\s+(?:when\b.{1,100}?\bthen\b|[\w'"()]{1,30}\s+when\s+\S{1,40}\s+then\s+\S{1,40}\s+(?:else\b|end\b))
    |^\W*\w{0,20}\W*;\s*do\s*\(|\bmatch\b[^;]{1,60}\bagainst\s*\(
    |\b(?:randomblob|regexp_substring|sleepeachrow|crypt_key|raise_error|rotateleft)\s*\(\s*[\d('"\w]
    |\b(?:if|iif|elt|make_set|nullif|ifnull|decode|greatest|least)\s*\(\s*[(\s]*(?:binary\s+)?(?:\d+|'[^']{0,40}')
        \s*(?:=|<=?>?|>=?|!=|like\b|r?like\b)\s*\(*(?:binary\s+)?[\d']
    |^\W*\w{2,20}\(\s*(?:user|database|version|schema|(?:current|session|system)_user)\(\s*\)\s*\)\W*$
    |^\s*'[^']{0,200}'\s*(?:=|!=|<=?>?|>=?|r?like\b|regexp\b)\s*'
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
    rb"\{\s*\$(?:ne|eq|gte?|lte?|n?in|exists|regex|where|not|n?or|and|all|size|mod|type|elemmatch|text|expr|options)\s*:"
    rb"|\bdb\.\w{1,40}\.(?:find|insert|update|remove|drop|aggregate|delete)\w{0,12}\(|\[\$?(?:\$(?:ne|eq|gte?|lte?|in|nin|exists|regex|where|not|nor|or|and|all|size|mod|type|elemmatch|text|options))\]"
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


def detect(text: bytes, *, high: bool = False, hot: Gates = EVERYTHING, scan: Scan = everything) -> bytes | None:
    """The piece of one reading that makes it SQL injection, None for none."""
    magic = _MAGIC.fullmatch(text) or _IMPLICIT.fullmatch(text)
    if magic is None and _SAME_GATE in hot:
        magic = _found(_SAME, text) if lengthy(text) else _SAME.search(text)
    if magic is not None:
        return magic.group()[:128]
    for plain in _plain(_HARD_SPACE.sub(b" ", text[:8192])):
        # What is left of a disguise without its comments is short; of a text it is still a text.
        long = lengthy(plain) or (lengthy(text) and len(plain.split(None, 16)) > 14 and plain.count(b"\n") < text.count(b"\n"))
        found = _detect(plain, high=high, long=long, hot=hot if plain == text else scan(plain))
        if found is not None:
            return found
    return None


# A string closed, an operator, and the string that the application closes: MySQL compares what it makes numbers of.
_IMPLICIT = re.compile(
    rb"[\w.@-]{0,32}'\s*(?:[-+^*/%&|=<>!~]{1,3}|and|or|xor|div|mod|(?:not\s+)?(?:r?like|regexp|between|in)|is(?:\s+not)?"
    rb"|sounds\s+like|collate)\s*'",
    re.IGNORECASE,
)
# A number compared with itself, where a condition stands: what tools ask first.
_SAME = re.compile(
    rb"(?:\(|\b(?:when|where|and|or|if))[\s(]{0,20}(\d{1,12})\s*(?:=|<=>|like)\s*\1\s*(?:$|[)\s,;#-])", re.IGNORECASE
)
_SAME_GATE = re.compile(
    rb"(?:\(|\b(?:when|where|and|or|if))[\s(]{0,20}\d{1,12}\s*(?:=|<=>|like)\s*\d{1,12}\s*(?:$|[)\s,;#-])", re.IGNORECASE
)
_PLUS = re.compile(
    rb"(?:^|[\W\d])(?:and|or|xor|union|select|waitfor|order|group|having|where|if|call|exec)\+[^\s]{0,200}\+?", re.IGNORECASE
)
_UNWRAPPED = re.compile(rb"/\*!\d*|\*/")
_LINE_COMMENT = re.compile(rb"(?:\#|--)[^\n]{0,400}\n")


def _plain(text: bytes) -> Iterator[bytes]:
    """The text, and as a database reads it: without comments between and within words, with strings in dollars as in quotes."""
    yield text
    changed = text
    if b"/*" in text and b"*/" in text:
        yield _SPLIT_WORD.sub(b"", text)
        changed = _COMMENT.sub(b" ", text)
    if b"/*!" in changed:
        changed = _UNWRAPPED.sub(b" ", changed)
    if b"\n" in changed and (b"#" in changed or b"--" in changed):
        changed = _LINE_COMMENT.sub(b" ", changed)
    if changed != text:
        yield changed
    if b"$$" in text:
        yield text.replace(b"$$", b"'")
    if b"+" in text and _PLUS.search(text):
        yield text.replace(b"+", b" ")
    if b"q'[" in text:
        yield text.replace(b"q'[", b"'").replace(b"]'", b"'")


def _detect(text: bytes, *, high: bool, long: bool, hot: Gates) -> bytes | None:
    for pattern in (_WHOLE, _NOSQL):
        match = None if pattern not in hot else _found(pattern, text) if long else pattern.search(text)
        if match is not None:
            return match.group()[:128]
    match = _OPEN.match(text) if _OPEN in hot else None
    if match is not None:
        return match.group()[:128]
    for pattern in (_FRAGMENT, _BARE):
        match = pattern.match(text) if pattern in hot else None
        if match is not None and match.end() >= len(text.rstrip()) - 2:
            return match.group()[:128]
    # Where only a quote was seen that SQL may follow, no more than what follows quotes needs to be read.
    return _in_contexts(text, high=high, long=long, raw=high or any(gate in hot for gate in _BEGINS))


# What an injection has before its own words, where it does not begin after a quote: an operand, and what ends it.
_BEGUN = re.compile(
    rb"[\s(+~!-]*[\w.$@%-]{0,40}(?:[)'\"`;,*/#&|=<>+\s-]|%[0-9a-f]{2})+(?:(?:and|or|xor|union|if|not|all)[\s(]*){0,3}",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    rb"(?:(?<=[\w%])(['\"])|(['\"])[\s);,|+&*/-][\s);,|+&*/-]*)[\s(]*(?:(?:and|or|xor|not|union|all)[\s(]*){0,3}$", re.IGNORECASE
)


def _found(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes] | None:
    """The first match in a long text that continues a query: a text that shows statements is none."""
    for number, match in enumerate(pattern.finditer(text)):
        if number >= CONTEXTS:
            return None
        before = text[: match.start()]
        if len(before) <= 64 and re.search(rb"[\d'\")]", before) is not None and _BEGUN.fullmatch(before) is not None:
            return match
        closed = _BROKEN.search(before[-64:])
        if closed is not None and before.count(closed[1] or closed[2]) % 2 == 1:
            return match
    return None


def _tails(text: bytes, quote: int) -> Iterator[tuple[int, bytes]]:
    """Where the application's string may end in a value, and what follows.

    The first quote ends it, unless it is doubled. What stands behind later ones is no query, but it may be to who filters quotes.
    """
    position = -1
    for _ in range(CONTEXTS):
        position = text.find(quote, position + 1)
        if position < 0:
            return
        yield position, text[position + 1 : position + 601]


def _unquoted(text: bytes, *, high: bool, long: bool) -> bytes | None:
    """The piece that goes on with a query where no string has to be closed, or is one wherever it stands."""
    raw = shape(text, 80 if long else TOKENS)
    found = _RAW.match(raw.letters)
    if found is not None and not _prose(raw.letters) and _worth(raw, found, high=high, long=long):
        return raw.text(found.start(), found.end())
    found = None if long else _ANYWHERE.search(raw.letters)
    return raw.text(found.start(), found.end()) if found is not None and not _prose(raw.letters) else None


def _in_contexts(text: bytes, *, high: bool, long: bool, raw: bool) -> bytes | None:
    unquoted = _unquoted(text, high=high, long=long) if raw else None
    if unquoted is not None:
        return unquoted
    for quote in b"'\"" if long else b"'\"`":
        for number, (position, tail) in enumerate(_tails(text, quote)):
            if long and number % 2 == 1:
                continue  # it ends what the text itself began
            one = shape(tail, 48)
            match = _TAIL.match(one.letters)
            if match is None or _prose(one.letters[:12]) or _in_tag(text, position, tail):
                continue
            first = number == 0 and text[position - 1 : position] != b"\\"
            if _FIRM.search(one.letters[match.start() : match.end() + 2]) or (first and _tail_worth(one, match, text, position)):
                return bytes((quote,)) + one.text(match.start(), match.end())
    return None


def _in_tag(text: bytes, position: int, tail: bytes) -> bool:
    """Whether the quote is one of an attribute's in a tag of markup, and the tag goes on or ends behind it."""
    opened = text.rfind(b"<", 0, position)
    return opened > text.rfind(b">", 0, position) and b"=" in text[opened:position] and tail.lstrip()[:1] in b">/"


def _worth(raw: Shape, found: re.Match[str], *, high: bool, long: bool) -> bool:
    """Whether a raw match has more than a word, a number or a password that others write too."""
    letters = found.group()
    if letters[-1:] == "C" and raw.tokens[found.end() - 1].text == b"#" and letters[:1] in "n)" and not high:
        return False  # `word)#` ends many a password
    if letters[:1] == "(" and letters[-2:] == ")C" and ("nn" in letters or not set(letters) & set("1sv")):
        return False
    if long and _FIRM.search(letters) is None:
        return False
    return not _calculated(raw, found) and (high or any(each.letter in "1so(;CF=EUT" for each in raw.tokens[:8]))


def _calculated(raw: Shape, found: re.Match[str]) -> bool:
    """Whether what stands around a logical word is no condition: ``9 or none``, ``7&&a%b``, ``5 > 3 and 2 < 4``."""
    letters = found.group()
    texts = [each.text for each in raw.tokens[: found.end()]]
    if letters.startswith("1") and letters.endswith("k") and texts[-1] not in {b"true", b"false", b"null"}:
        return True
    if "a" not in letters:
        return False
    if letters[-3:-1] == "no" and texts[-2] not in COMPARISONS:
        return True
    return any(each in {b"<", b">"} for each in texts[: letters.find("a")])


def _tail_worth(one: Shape, match: re.Match[str], text: bytes, position: int) -> bool:
    """Whether a weak tail after the first quote is more than punctuation of prose or code."""
    letters = match.group()
    odd = text.count(text[position : position + 1]) % 2 == 1
    words = len(text[:position].split())
    if text[position : position + 1] == b"`" and (words != 1 or letters not in {"C", ";", ";C"}):
        return False
    if (
        letters.strip(")") in {"C", ";", ";C"}
        or letters[:2] in {"oo", "o)"}
        or (letters[:1] in "oa" and letters[-1:] in "1v" and len(letters) <= 3)
    ):
        # `'#` and `';` end code and Markdown too; an injection ends there, and leaves one quote open.
        dashes = one.tokens[0].text.startswith(b"--")
        return odd and len(one.letters) <= 4 and len(text) < 200 and (dashes or (words <= 2 and len(text) < 80))
    if (
        letters[-1:] == "s"
        and len(one.tokens[match.end() - 1].text) < 5
        and not one.tokens[match.end() - 1].text.strip(b"'\"` }])")
    ):
        return odd and len(text) < 40
    if words >= 4 or _BESIDE.search(letters) is not None or lengthy(text) or _wordy(one.letters):
        return False
    arithmetic = (
        letters[0] == "o" and len(letters) > 3 and not any(each.letter == "a" or each.text in COMPARISONS for each in one.tokens)
    )
    # `4'+x+4'+wood` is arithmetic alone; a weak tail is one line, behind one word.
    return not arithmetic and (_SHAPED.search(letters) is not None or not (words >= 2 or b"\n" in text[position:].rstrip()))


_BESIDE = re.compile(r"[1nvs][1nvs]")
_FIRM = re.compile(r"[FE]|T[kin]|U|a[t(]*[1s]o[1s]|;[TE]|a[t(]*f\(")
# Logic with a comparison, or a comment at the end: more than a quoted word that an operator precedes.
_SHAPED = re.compile(r"a.*o|C|a[to(]*\(|f\(|;")


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
_LOGIC = re.compile(
    rb"(?:\b(?:and|or|xor|eqv)\b|&&|\|\|)[\s(~+!-]{0,40}(?:\d|['\"]|\w{2,20}\s*\()[^<>=]{0,60}(?:[<>=]|\blike\b)"
    rb"|\bwhere\b[\s(]{0,20}\d",
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
_CLOSES = re.compile(rb"\)\s{0,8}--\s{0,8}$")
_BEGINS: Final = (_CLOSES, _OPEN, _WHOLE, _FRAGMENT, _BARE, _SAME_GATE, _AFTER_START, _LOGIC, _PARTS)
GATES: Final = (
    _CLOSES,
    _OPEN,
    _WHOLE,
    _NOSQL,
    NOSQL_KEYS,
    _FRAGMENT,
    _MAGIC,
    _BARE,
    _IMPLICIT,
    _SAME_GATE,
    _AFTER_QUOTE,
    _AFTER_START,
    _LOGIC,
    _PARTS,
)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
