"""Cross-site scripting: what a browser would run of a value that an application writes into its page.

A value is read in the contexts where pages put values: between tags, inside an attribute (quoted or not), inside a URL
attribute, inside a script. Formatting alone is no attack: ``<b>``, ``<p class=x>``, ``<a href="https://...">`` pass; what runs
code (event handlers, script URLs, elements that load or run) does not.
"""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, lengthy, unentity, unescape

LONGEST: Final = 16384
_JUNK = re.compile(rb"[\x00-\x20\xa0]+")
_TAG = re.compile(rb"<([!?%]|/(?=\s*[a-zA-Z]))?[\s/:\x00]{0,8}([a-zA-Z][\w:.-]{0,40}|\[cdata\[|--)?", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\s/"'\x0b\x0c\x00]{0,64}([^\s=>/"'<\x00][^\s=>/<\x00]{0,64})(?:[\s\x00]{0,16}=[\s\x00]{0,16}("[^"]{0,4096}"?"""
    rb"""|'[^']{0,4096}'?|`[^`]{0,4096}`?|[^\s>]{0,4096}))?""",
    re.DOTALL,
)
DANGEROUS: Final = frozenset(
    b"script iframe frame frameset object embed applet meta base link style layer ilayer bgsound isindex xml blink marquee "
    b"noscript import xss vmlframe foreignobject animate animatetransform animatemotion set handler "
    b"listener use noembed noframes "
    b"plaintext portal fencedframe param xmp math template command keygen basefont dialog audio video".split()
)
HARMLESS_ALONE: Final = frozenset(
    (
        b"audio video style set use math template dialog animate param noscript blink marquee xmp noembed noframes xml command"
    ).split()
)
"""Elements that are dangerous with what they carry, not by themselves."""
NEEDS_ATTRIBUTES: Final = frozenset(b"meta base link layer noscript bgsound basefont object embed applet frame".split())
"""Elements that do something by their attributes alone."""
FIELDS: Final = frozenset(b"input button textarea select keygen isindex".split())
"""Parts of forms: at the start of a value they ask visitors in the application's name."""
_EVENT = re.compile(rb"on[a-z]{3,40}(?![a-z])|on[a-z]{3,40}$", re.IGNORECASE)
_NO_EVENTS: Final = frozenset(
    b"only once onto ones online onward onwards onboard onsite ongoing onset onlyfor onshore onerous onion onions oneself onlook "
    b"onbording onfoo onwer".split()
)
_URL_ATTRIBUTES: Final = frozenset(
    b"href src action formaction xlink:href data code codebase background poster srcdoc to values from lowsrc dynsrc longdesc "
    b"cite profile usemap classid archive manifest icon content srcset ping style folder".split()
)
_SCRIPT_URL = re.compile(
    rb"^[^\w]{0,8}(?:(?:j\W{0,2}a\W{0,2}v\W{0,2}a|v\W{0,2}b|live|j|vb"
    rb"|ecma)\W{0,2}s\W{0,2}c\W{0,2}r\W{0,2}i\W{0,2}p\W{0,2}t|mocha|view-source|feed|mhtml)\s{0,4}:"
    rb"|^\W{0,8}data:[^,]{0,60}(?:text/html|svg|xml|javascript|text/xsl|base64)",
    re.IGNORECASE,
)
_STYLE = re.compile(
    (
        rb"^>?\s*[@=]\s*\\|expression\s*\(|-moz-binding|behaviou?r\s*:"
        rb"|@\W{0,3}i\W{0,3}m\W{0,3}p\W{0,3}o\W{0,3}r\W{0,3}t|javascript|vbscript"
        rb"|url\s*\(\s*['\"]?\s*(?:data:text|java|vb)|\bbinding\s*:\s*url"
    ),
    re.IGNORECASE,
)
_JS_CALL: Final = (
    rb"(?:alert|prompt|confirm|eval|settimeout|setinterval|setimmediate|execscript|atob|btoa|fetch"
    rb"|import|open|print|requestanimationframe|getscript|globaleval|importscripts)"
)
_COMMENT: Final = rb"(?:\s|/\*[^*]{0,60}\*/)*"
_SCRIPT = re.compile(
    rb"""(?<![\w$.])(?:window|document|self|top|parent|frames|globalthis|this|location)"""
    + _COMMENT
    + rb"""\["""
    + _COMMENT
    + rb"""["'`/(\\]"""
    rb"""|(?<![\w$])\(?document(?:\s|/\*[^*]{0,60}\*/|\))*(?:\.|\[\s*["'`])\s*(?:/\*[^*]{0,60}\*/)?\s*(?:cookie|domain"""
    rb"""|location|write(?:ln)?|body|forms|queryselector|getelement|createelement|url|referrer|documentelement|open|head|images"""
    rb"""|links|scripts|execcommand|implementation|defaultview)\b"""
    rb"""|(?<![\w$])(?:window|self|top|parent|globalthis|this)""" + _COMMENT + rb"""\.""" + _COMMENT + rb"""(?:location"""
    rb"""|name\b|onerror|eval|alert|prompt|confirm|document|open|constructor|localstorage|sessionstorage)"""
    rb"""|\["""
    + _COMMENT
    + rb"""["'`](?:alert|eval|cookie|constructor|filter|map|globaleval|prompt|confirm|document|location|fromcharcode)["'`]"""
    + _COMMENT
    + rb"""\]"""
    rb"""|constructor\s*(?:\.|\[\s*['"`])\s*constructor|\.constructor\s*\(|\[\]\s*\[\s*["'`(]"""
    rb"""|string\s*\.\s*fromcharcode|\bnew\s+function\s*\(|\bfunction\s*\(\s*["'`]"""
    rb"""|(?:localstorage|sessionstorage)\s*\.\s*(?:getitem|setitem|key)|new\s+xmlhttprequest|activexobject\s*\("""
    rb"""|\.innerhtml\s*[+]?=|\.outerhtml\s*=|\.srcdoc\s*="""
    rb"""|\blocation\s*(?:\.\s*(?:href|hash|assign|replace)\s*)?=\s*["'`(\w]{1,3}[\w'"`:+/(]{2}|\bhistory\s*\.\s*pushstate"""
    rb"""|\$\s*\.\s*(?:getscript|globaleval|ajax|get|post)\s*\(|angular\s*\.\s*callbacks|import\s*\(\s*["'`]"""
    rb"""|\]\s*\.\s*(?:/\*[^*]{0,60}\*/\s*)?(?:sort|map|find|filter|some|every|foreach|reduce|join|concat|fill|at|from"""
    rb"""|push|slice|flat|includes)\s*\.\s*(?:call|apply|bind)\s*[`(]"""
    rb"""|\breflect\s*\.\s*\w{2,20}\s*\.\s*\w{2,12}\s*[`(]|\breflect\s*\.\s*(?:apply|construct|get|set)\b"""
    rb"""|^\s*import\b[^;"'\n]{1,120}\bfrom\s*["'](?:\.{0,2}/|https?:|data:|blob:)[^"'\n]{1,200}["']\s*;?\s*$"""
    rb"""|\bonerror\s*=\s*(?:alert|eval|prompt|confirm)|\bthrow\s+onerror""",
    re.IGNORECASE,
)
_CALLS = re.compile(rb"(?<![\w$.])" + _JS_CALL + rb"(?:\s|/\*[^*]{0,60}\*/|\))*[(`]", re.IGNORECASE)
_BREAK_CALL = re.compile(
    rb"""(?:^|["'`;}\])>/{(,=+|&!~?:-])\s{0,8}(?:void\s|typeof\s|new\s|in\s|[+!~-])?\s{0,8}\(?(?:window\.|self\.|top\.|parent\.)?"""
    + _JS_CALL
    + rb"""(?:\s"""
    rb"""|/\*[^*]{0,60}\*/|\)|\?\.)*[(`][^)`]{0,400}(?:[)`]|$)""",
    re.IGNORECASE,
)
_JSFUCK = re.compile(
    rb"(?:[\[\]()!+]\s*){0,12}\[\s*\](?:\s*[\[\]()!+]){12,}|\(\s*!\s*!?\s*\[\s*\]\s*\+\s*\[\s*\]"
    rb"|!\s*!\s*\[\s*\]\s*(?:\+|$)|\(!\[\] ?[+ ]"
)
_HANDLER = re.compile(
    rb"""(?:^|[\s"'`/;,<>\x0b\x0c(])(on[a-z]{3,40})[\s\x00/]{0,8}=[\s\x00]{0,8}(?!=)(.{0,120})""", re.IGNORECASE | re.DOTALL
)
_URLISH = re.compile(
    (
        rb"url\s*\(\s*['\"]?\s*(?:java|vb)script|-moz-binding\s*:|[\"'\s/]formaction\s*=|(?:^"
        rb"|[\s\"'`=(<,;])(?:(?:j\s{0,3}a\s{0,3}v\s{0,3}a|v\s{0,3}b|live|j"
        rb"|vb)\s{0,3}s\s{0,3}c\s{0,3}r\s{0,3}i\s{0,3}p\s{0,3}t)\s{0,3}:(?!//)"
    ),
    re.IGNORECASE,
)
_DATA_URL = re.compile(
    (
        rb"^\s*data:[^,<]{0,60},\s{0,8}<|(?:^|[\"'=\s(])data:\s*(?:text/html|text/javascript|application/(?:x-)?javascript|image/svg\+xml"
        rb"|text/xml|application/xhtml|text/x?sl)"
    ),
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    (
        rb"\{\{[^}]{0,200}(?:constructor|\$eval|\$on|__proto__|tostring|charat|orderby|alert|\$new"
        rb"|_openblock|\$emit)|\$\{\s*(?:alert|eval|prompt|confirm|window|document)"
    ),
    re.IGNORECASE,
)
_XXE = re.compile(
    rb"!\s*entity\s+(?:%|\w)|<!doctype\s+[^>\[]{1,200}(?:\[|\bsystem\b)|<\?xml-stylesheet|<xi:include"
    rb"|\bxsi:schemalocation\s*=|xlink:href\s*=\s*[\"']?\s*(?:data|java)"
    rb"|<!--\s?#(?:set|exec|echo|include|config|printenv|if|fsize|flastmod)\b"
    rb"|<\??\s*import\w*\s*implementation\s*=|<esi:|<\?import\b",
    re.IGNORECASE,
)
_BREAKOUT = re.compile(
    rb"""^[^<>\n]{0,200}?["'`]\s{0,8}/?>\s{0,8}<[a-z/!]|["'`]\s{0,16}(?:style|href|src|formaction|srcdoc|xlink:href"""
    rb"""|action|background|data|autofocus|accesskey|tabindex|contenteditable)\s{0,8}=\s{0,8}(?:["']?\s*(?:java|vb|data:|//)"""
    rb"""|x\s+on)|^[\w-]{0,40}\s{1,8}src\s{0,8}=\s{0,8}["']?(?:https?:)?//[^\s"'<>]{1,200}\.js\b""",
    re.IGNORECASE,
)
_FORM_SPACED = re.compile(
    (
        rb"<\s?(?:f\s?o\s?r\s?m|s\s?c\s?r\s?i\s?p\s?t|i\s?f\s?r\s?a\s?m\s?e|x\s?:\s?s\s?c\s?r\s?i\s?p\s?t"
        rb"|d\s?i\s?a\s?l\s?o\s?g|i\s?m\s?p\s?o\s?r\s?t\s?i)\b"
    ),
    re.IGNORECASE,
)


def document(text: bytes, hot: Gates = EVERYTHING) -> bytes | None:
    """The declaration in a document of XML that loads or runs something, None for none."""
    match = _XXE.search(text[:LONGEST]) if _XXE in hot else None
    return match.group()[:128] if match is not None else None


def detect(text: bytes, hot: Gates = EVERYTHING) -> bytes | None:
    """The piece of one reading that a browser would run, None for none."""
    text = text[:LONGEST]
    found = _tags(text) if _TAG_GATE in hot else None
    if found is not None:
        return found
    found = _handlers(text) if _HANDLER_GATE in hot else None
    if found is not None:
        return found
    match = _FORM_SPACED.search(text) if _FORM_SPACED in hot else None
    if match is not None and not (match.group().lower() == b"<form" and lengthy(text) and not _posts(text[match.end() :])):
        return match.group()[:128]
    match = _XXE.search(text) if _XXE in hot else None
    if match is not None and not (lengthy(text) and _SHOWN_SSI.match(match.group()) is not None):
        return match.group()[:128]
    for pattern in (_IN_STYLE, _URLISH, _DATA_URL, _TEMPLATE, _JSFUCK, _BREAKOUT):
        match = pattern.search(text) if pattern in hot else None
        if match is not None:
            return match.group()[:128]
    return _script(text, hot)


_SHOWN_SSI = re.compile(rb"<!--\s?#(?:set|echo|config|if|fsize|flastmod)", re.IGNORECASE)
_ELSEWHERE = re.compile(rb"\baction\s*=\s*[\"']?\s*(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def _posts(rest: bytes) -> bool:
    """Whether a form sends what is typed in to somewhere else."""
    return _ELSEWHERE.search(rest.partition(b">")[0]) is not None


def header(value: bytes) -> bytes | None:
    """The attribute of an event in a header, behind a digit: where the quote before it was taken out on the way."""
    match = _AFTER_DIGIT.search(value)
    return match.group() if match is not None else None


_AFTER_DIGIT = re.compile(rb"\don[a-z]{3,50}=[^=\s]", re.IGNORECASE)


def _tags(text: bytes) -> bytes | None:
    for match in _TAG.finditer(text):
        mark, name = match[1] or b"", (match[2] or b"").lower()
        if not name or mark in {b"!", b"?", b"%"}:
            continue
        local = name.rpartition(b":")[2].rstrip(b".-")
        rest = text[match.end() : match.end() + 2048]
        if mark == b"/":
            if local == b"script":
                return match.group() + rest[:64]
            continue
        inside = rest.partition(b">")[0]
        bare = (local in NEEDS_ATTRIBUTES and b"=" not in inside) or _plain(local, inside, text)
        if local in DANGEROUS and local not in HARMLESS_ALONE and not bare and (rest[:1] in b" \t\r\n/>\x0c\x0b#" or not rest):
            return match.group() + rest[:64]
        if local in FIELDS and match.start() < 8 and b"=" in inside and not lengthy(text):
            return match.group() + rest[:64]
        if local == b"style" and _styled(unentity(rest)):
            return match.group() + rest[:64]
        found = _attributes(rest, local)
        if found is not None:
            return match.group() + found
    return None


def _plain(local: bytes, inside: bytes, text: bytes) -> bool:
    """Whether an element neither runs nor loads anything of others; of a page's head only where a text shows it."""
    pattern = _PLAIN.get(local)
    return pattern is not None and pattern.search(inside) is not None and (local not in _HEAD or lengthy(text))


_HEAD: Final = frozenset({b"meta", b"link"})
_PLAIN: Final = {
    b"meta": re.compile(
        rb"http-equiv\s*=\s*[\"']?content-type(?!.*utf-?7)|\b(?:name|property|charset)\s*=\s*[\"']?(?!.*(?:http-equiv|utf-?7))",
        re.IGNORECASE | re.DOTALL,
    ),
    # Of this application's own folders.
    b"base": re.compile(rb"^\s*href\s*=\s*[\"']?(?!//)[\w./$#-]*[\"']?\s*/?\s*$", re.IGNORECASE),
    b"link": re.compile(rb"^(?!.*(?://|:|\\|import)).*\bhref\s*=", re.IGNORECASE | re.DOTALL),
    # Neither a document nor a plugin: an element of another vocabulary.
    b"object": re.compile(rb"^(?!.*(?:data|classid|codebase|code|type|\bon)\w*\s*=)", re.IGNORECASE | re.DOTALL),
}
"""What an element has inside where it neither runs nor loads anything of others."""


def _attributes(rest: bytes, local: bytes) -> bytes | None:
    position = 0
    for _ in range(40):
        match = _ATTRIBUTE.match(rest, position)
        if match is None or match.end() == position:
            return None
        position = match.end()
        name, value = match[1].lower(), match[2]
        if value is not None and _runs(name, value, local):
            return match.group()[:96]
        if value is None and b">" in rest[position : position + 1]:
            return None
    return None


_CSS_ESCAPE = re.compile(rb"\\([0-9a-fA-F]{1,6})\s?|\\(.)", re.DOTALL)


def _escaped(found: re.Match[bytes]) -> bytes:
    return chr(min(int(found[1], 16), 0x10FFFF)).encode("utf-8", "replace") if found[1] else found[2]


def _css(text: bytes) -> bytes:
    """A style as a browser reads it: escapes (a backslash and hexadecimal digits) undone, no comments and control characters."""
    if b"\\" in text:
        text = _CSS_ESCAPE.sub(_escaped, text)
    return _CSS_COMMENT.sub(b"", text)


_CSS_COMMENT = re.compile(rb"/\*[^*]{0,400}\*/|[\x00-\x08\x0b\x0c]")


def _styled(text: bytes) -> bool:
    """Whether a style runs or loads something, or its escapes hide markup."""
    plain = _css(text)
    return _STYLE.search(plain) is not None or _STYLE.search(unescape(text)) is not None or _MARKUP.search(plain) is not None


_IN_STYLE = re.compile(
    rb"(?:^|[\s'\"`/])style\s{0,8}=\s{0,8}['\"]?[^'\"<>]{0,200}(?:expression\s{0,8}\(|behaviou?r\s{0,8}:|-moz-binding|javascript:)",
    re.IGNORECASE,
)
_MARKUP = re.compile(rb"<\s*/?\s*[a-z]\w*[\s/>]", re.IGNORECASE)


def _runs(name: bytes, value: bytes, local: bytes) -> bool:
    if _EVENT.match(name) and name not in _NO_EVENTS:
        return not value.startswith(b"{")
    plain = unentity(value.strip(b"\"'`"))
    if name in {b"srcdoc", b"datasrc", b"dataformatas", b"ev:handler", b"ev:event"} or (name == b"src" and local == b"xml"):
        return True
    if name == b"style":
        # A brace that nothing closes breaks out of the attribute's declarations in old browsers.
        return _styled(plain) or plain.count(b"{") != plain.count(b"}")
    if name == b"xlink:href" and local not in {b"use", b"image"}:
        return plain.lstrip()[:2] == b"//" or _script_url(plain)
    if name in _URL_ATTRIBUTES or b":" in name:
        return _script_url(plain)
    return False


def _script_url(text: bytes) -> bool:
    return _SCRIPT_URL.search(_JUNK.sub(b"", text)) is not None


def _handlers(text: bytes) -> bytes | None:
    for match in _HANDLER.finditer(text):
        name, value = match[1].lower(), match[2]
        if name in _NO_EVENTS or value[:1] == b"{":
            continue
        known = name[2:] in EVENTS
        if not text[: match.start()].strip() and text[:1] in b" \t\n\r\x0b\x0c/" and not value.strip():
            return match.group()[:96]
        if known and (not value.strip() or _CALLISH.search(value) or text[max(0, match.start()) : match.start() + 1] in b"\"'`<"):
            return match.group()[:96]
        if not known and _CALLISH.search(value) and (_CALLS.search(value) or b"<" in text[: match.start()]):
            return match.group()[:96]
    return None


EVENTS: Final = frozenset(
    b"abort activate afterprint afterscriptexecute animationcancel animationend animationiteration animationstart auxclick "
    b"beforecopy beforecut beforeinput beforematch beforepaste beforeprint beforescriptexecute "
    b"beforetoggle beforeunload begin blur bounce "
    b"cancel canplay canplaythrough cellchange change click close command contextmenu contentvisibilityautostatechange copy "
    b"cuechange cut dataavailable datasetchanged datasetcomplete dblclick deactivate drag dragdrop dragend dragenter dragexit "
    b"dragleave dragover dragstart drop durationchange emptied end ended error errorupdate filterchange finish focus focusin "
    b"focusout formchange formdata forminput fullscreenchange fullscreenerror gesturechange "
    b"gestureend gesturestart gotpointercapture "
    b"hashchange help input invalid keydown keypress keyup languagechange layoutcomplete load loadeddata loadedmetadata loadend "
    b"loadstart losecapture lostpointercapture mediacomplete mediaerror message messageerror mousedown mouseenter mouseleave "
    b"mousemove mouseout mouseover mouseup mousewheel move moveend movestart mozfullscreenchange "
    b"offline online outofsync page pagehide "
    b"pageshow paste pause play playing pointercancel pointerdown pointerenter pointerleave pointermove pointerout "
    b"pointerover pointerrawupdate pointerup popstate progress propertychange ratechange "
    b"readystatechange rejectionhandled repeat "
    b"reset resize resizeend resizestart resume reverse rowdelete rowenter rowexit rowinserted "
    b"rowsdelete rowsinserted scroll scrollend "
    b"scrollsnapchange search securitypolicyviolation seek seeked seeking select selectionchange "
    b"selectstart show slotchange stalled start "
    b"stop storage submit suspend syncrestored timeerror timeupdate toggle touchcancel touchend touchmove touchstart trackchange "
    b"transitioncancel transitionend transitionrun transitionstart unhandledrejection unload urlflip volumechange waiting "
    b"webkitanimationend webkitanimationiteration webkitanimationstart webkitfullscreenchange webkittransitionend wheel zoom "
    b"webkitplaybacktargetavailabilitychanged webkitmouseforcechanged webkitwillrevealbottom beforehellfreezes".split()
)
_CALLISH = re.compile(rb"[\w$\])]\s*[(`=\[]|[a-z]\.[a-z]|\\|&#|%[0-9a-f]{2}|javascript", re.IGNORECASE)


def _script(text: bytes, hot: Gates) -> bytes | None:
    match = _SCRIPT.search(text) if _SCRIPT in hot else None
    if match is not None and not _inside_code(text, match.start()):
        return match.group()[:128]
    match = _BREAK_CALL.search(text) if _BREAK_CALL in hot else None
    if (
        match is not None
        and not _inside_code(text, match.start())
        and (
            _WEAK_CALL.search(match.group()) is None
            or (match.start() < 3 and b"print" not in match.group().lower())
            or text[:1] in b"'\"`"
        )
    ):
        return match.group()[:128]
    return None


_WEAK_CALL = re.compile(rb"(?:fetch|import|open|print|atob|btoa)(?:\s|/\*[^*]{0,60}\*/)*[(`]", re.IGNORECASE)


def _inside_code(text: bytes, position: int) -> bool:
    """Whether the match is one line of many, as in a message that shows code: an injected script is a value of its own."""
    return lengthy(text) and not (position < 60 and text.lstrip()[:1] in b"'\"`;)}]/-")


_TAG_GATE = re.compile(rb"<[\s/:\x00]{0,9}(?:script|[a-z][\w:.-]{0,40}(?:[^\w:.-]|$))", re.IGNORECASE)
_HANDLER_GATE = re.compile(rb"on[a-z]{3,40}[\s\x00/]{0,8}=", re.IGNORECASE)
GATES: Final = (
    _TAG_GATE,
    _XXE,
    _FORM_SPACED,
    _HANDLER_GATE,
    _IN_STYLE,
    _URLISH,
    _DATA_URL,
    _TEMPLATE,
    _JSFUCK,
    _BREAKOUT,
    _SCRIPT,
    _BREAK_CALL,
    _AFTER_DIGIT,
)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
