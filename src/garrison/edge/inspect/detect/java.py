"""Java: expressions that reach the runtime, class names of gadget chains, serialized objects, and lookups of Log4j."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, lengthy

_SPACE: Final = rb"[\s\x00]*"
_CLASS = re.compile(
    rb"\bjava[^\w\s]{1,3}(?:lang|io|util|net|nio|rmi|beans|security|sql|awt|math"
    rb"|text)[^\w\s]{1,3}(?:\w+[^\w\s]{1,3}){0,4}?(?:runtime|processbuilder|process|system"
    rb"|class(?:loader)?|thread|script|reflect|method|invoke|url|file\w*|scanner|objectinput|base64"
    rb"|hashmap|priorityqueue|string|object|math|integer|socket|inputstream|eventhandler|naming|jar|zip"
    rb"|logging|concurrent|boolean|character|unsupported|enum|throwable)"
    rb"|\bjavax?\W{1,3}(?:script|naming|management|xml|el|faces|servlet|persistence|crypto"
    rb"|swing)\W{1,3}\w|\bjavassist\W{1,3}\w|\bsun\W{1,3}(?:reflect|misc|rmi|security|net|print"
    rb"|awt)\W{1,3}\w|\bjdk\W{1,3}(?:internal|jshell|nashorn|xml)\W{1,3}"
    rb"|\b(?:org\W{1,3}(?:apache\W{1,3}(?:commons|struts2?|catalina|tomcat|xalan|xbean|logging|shiro"
    rb"|velocity|ofbiz|click|myfaces|naming|wicket|log4j|juli|jasper|coyote|batik|axis|cxf|hadoop"
    rb"|activemq|karaf|kafka|ibatis|bcel|xerces)|codehaus\W{1,3}groovy|springframework|hibernate"
    rb"|mozilla\W{1,3}javascript|jboss|mvel\d?|python|jython|eclipse|thymeleaf|omg|yaml|reflections"
    rb"|rhino)"
    rb"|com\W{1,3}(?:sun\W{1,3}(?:rowset|org|syndication|jndi|tools|management)|opensymphony|mchange"
    rb"|bea\b|caucho|alibaba|ibm\W{1,3}(?:jtc|ws|icu)|oracle\W{1,3}\w|microsoft\W{1,3}sqlserver"
    rb"|mysql\W{1,3}|fasterxml|thoughtworks|hazelcast|vaadin|zaxxer|tangosol|rometools|nqadmin"
    rb"|h2database)|bsh\W{1,3}(?:interpreter|xthis|cmd|eval)|clojure\W{1,3}(?:core|lang|main|java)"
    rb"|groovy\W{1,3}(?:lang|util)|freemarker\W{1,3}(?:template|core)|ognl\W{1,3}\w|weblogic\W{1,3}\w"
    rb"|net\W{1,3}(?:sf|sourceforge|bytebuddy)\W{1,3}|oracle\W{1,3}(?:jdbc|toplink|tip)"
    rb"|scala\W{1,3}(?:sys|tools|reflect|collection))",
    re.IGNORECASE,
)
_ANY_CLASS = re.compile(
    (
        rb"^\W{0,4}(?:java\.(?:lang|io|util|net|nio|rmi|sql)\.[a-z]\w*"
        rb"|javax\.[a-z]+\.[a-z]\w*)(?<!exception)(?<!error)\W{0,4}$"
    ),
    re.IGNORECASE,
)
_RUN = re.compile(
    (
        rb"\b(?:getruntime|processbuilder)\b\s*(?:\(|\.|\W{1,3}\w)|\bruntime\W{1,3}(?:getruntime|exec"
        rb"|getclass)|\.getclass\s*\(|\bclass\s*\.\s*forname\b|\.forname\s*\(\s*['\"]|\.getmethod\s*\("
        rb"|\.getdeclared\w+\s*\(|\.newinstance\s*\(|\bscriptenginemanager\b|\bt\s*\(\s*java|#_memberaccess"
        rb"|#(?:context|request|session|attr|application|parameters|root|this|ognl\w*|container|dm|cmd|rt"
        rb"|a)\s*[.=\[]|@(?:java|org|com|ognl)\.[\w.]+@|\bnew\s+java\.|\bclass\.module\.classloader"
        rb"|\bclass(?:\.|\[['\"]?)(?:module|classloader|protectiondomain)|classloader\.(?:resources|urls"
        rb"|jar)|\bobjectinputstream\b|\bmethodinvoke\b|\bmemberaccess\b|denymethodexecution"
        rb"|allowstaticmethodaccess|\bxmldecoder\b|\bgroovyshell\b|\bfreemarker\.template\.utility"
        rb"|\?new\(\)|\bunmarshaller\b|redirect(?:action)?:[%$#]\{|\baction:[%$]\{"
        rb"|springframework\.context\.support"
    ),
    re.IGNORECASE,
)
_GADGET: Final = (
    rb"(?:clonetransformer|forclosure|instantiatefactory|instantiatetransformer|invokertransformer"
    rb"|prototypeclonefactory|prototypeserializationfactory|whileclosure|getproperty|filewriter"
    rb"|xmldecoder|chainedtransformer|constanttransformer|lazymap|templatesimpl"
    rb"|badattributevalueexpexception|priorityqueue|beancomparator|annotationinvocationhandler"
    rb"|jdbcrowsetimpl|transformingcomparator|hashtable|urldns|signedobject|jrmpclient"
    rb"|spelexpressionparser|methodclosure|convertedclosure|propertyutils|unicastref|c3p0"
    rb"|jndireferenceforwardingdatasource|wrapperconnectionpooldatasource|pojonode)"
)
_REACH: Final = rb"(?:runtime|processbuilder|process|exec|undeclared|getruntime|unmarshaller|base64data|java)"
_GADGETS = re.compile(
    rb"\b"
    + _GADGET
    + rb"\b.{0,200}?\b"
    + _REACH
    + rb"\b|\b"
    + _REACH
    + rb"\b.{0,200}?\b"
    + _GADGET
    + (
        rb"|\bjava[^\w\s][^\s]{0,60}\b(?:runtime|processbuilder)\b|\bjava\W{1,3}(?:runtime"
        rb"|processbuilder)\b|\b(?:runtime|processbuilder)[^\w\s][^\s]{0,60}\bjava\b"
    ),
    re.IGNORECASE | re.DOTALL,
)
_SERIAL = re.compile(
    (
        rb"\xac\xed\x00\x05|(?:^|[^A-Za-z0-9+/])(?:rO0AB[A-Za-z0-9+/]|KztAAU|Cs7QAF|H4sIAAAAAAAA)"
        rb"|aced0005[0-9a-f]{2}"
    ),
    0,
)
_SERIAL_HEX = re.compile(rb"aced0005", re.IGNORECASE)
# `runtime`, `exec` and the rest of a chain as base64 would spell them at each of its three alignments.
_ENCODED = re.compile(
    rb"cnVudGltZ|HJ1bnRpbWU|BydW50aW1l|cHJvY2Vzc2J1aWxkZX|HByb2Nlc3NidWlsZGVy|Bwcm9jZXNzYnVpbGRlc"
    rb"|Y2xvbmV0cmFuc2Zvcm1lc|GNsb25ldHJhbnNmb3JtZX|BjbG9uZXRyYW5zZm9ybWVy|Zm9yY2xvc3VyZ|GZvcmNsb3N1cm"
    rb"|Bmb3JjbG9zdXJl"
    rb"|aW5zdGFudGlhdGVmYWN0b3J5|Gluc3RhbnRpYXRlZmFjdG9ye|BpbnN0YW50aWF0ZWZhY3Rvcn"
    rb"|aW5zdGFudGlhdGV0cmFuc2Zvcm1lc|Gluc3RhbnRpYXRldHJhbnNmb3JtZX|BpbnN0YW50aWF0ZXRyYW5zZm9ybWVy"
    rb"|aW52b2tlcnRyYW5zZm9ybWVy|Gludm9rZXJ0cmFuc2Zvcm1lc|BpbnZva2VydHJhbnNmb3JtZX"
    rb"|cHJvdG90eXBlY2xvbmVmYWN0b3J5|HByb3RvdHlwZWNsb25lZmFjdG9ye|Bwcm90b3R5cGVjbG9uZWZhY3Rvcn"
    rb"|cHJvdG90eXBlc2VyaWFsaXphdGlvbmZhY3Rvcn|HByb3RvdHlwZXNlcmlhbGl6YXRpb25mYWN0b3J5"
    rb"|Bwcm90b3R5cGVzZXJpYWxpemF0aW9uZmFjdG9ye|d2hpbGVjbG9zdXJl|HdoaWxlY2xvc3VyZ|B3aGlsZWNsb3N1cm"
    rb"|UnVudGltZ|J1bnRpbW|SdW50aW1l|UHJvY2Vzc0J1aWxkZX|Byb2Nlc3NCdWlsZGVy|Qcm9jZXNzQnVpbGRlc"
)
_LOOKUP = re.compile(rb"\$\{(?:[^:${}]{0,40}:)*+-?([^:${}]{0,40})\}")
"""No colon within a part: with one, thirty of them could be taken apart in a milliard ways."""
_JNDI = re.compile(
    (
        rb"j\W{0,3}n\W{0,3}d\W{0,3}i\s*:|\$\{\s*jndi|:(?:ldaps?|rmi|dns|iiop|corba|nis|nds|https?)://?|ctx:"
        rb"|\bjndi:"
    ),
    re.IGNORECASE,
)
_NESTED = re.compile(
    (
        rb"\$\{[^}]{0,60}\$\{|\$\{(?:(?:lower|upper|env|sys|date|java|main|marker|bundle|ctx|map|sd|web"
        rb"|docker|k8s|spring|base64|log4j|event)\s*:|::-|:[\w-]{0,20}:?-|jndi)|\$\{?\{?[^}]{0,40}jndi"
    ),
    re.IGNORECASE,
)
_EL = re.compile(
    (
        rb"[$#%*]\{[^}]{0,300}(?:\.\w+\s*\(|\bnew\s+\w|@\w|\(\s*['\"#]|\d\s*[*]\s*\d|class\b"
        rb"|applicationscope|sessionscope|request\.|param\.)"
    ),
    re.IGNORECASE,
)
_UPLOAD = re.compile(rb"\.(?:jspx?|jspf|jsw|jsv|war)(?:\.{0,10}|\s*|[;:%\x00].{0,8})$|\.jspx?\.", re.IGNORECASE)


def detect(text: bytes, *, alone: bool = True, hot: Gates = EVERYTHING) -> bytes | None:
    """The piece of one reading that would run code on a Java server, None for none."""
    text = text[:16384]
    for pattern in (_SERIAL, _GADGETS, _ENCODED):
        match = pattern.search(text) if pattern in hot else None
        if (
            match is not None
            and not (pattern is _ENCODED and len(text) > 200)
            and not (pattern is _GADGETS and not alone and lengthy(text))
        ):
            return match.group().strip()[:128]
    if not alone and lengthy(text):
        return None
    for pattern in (_CLASS, _ANY_CLASS, _RUN, _EL, _SERIAL_HEX):
        match = pattern.search(text) if pattern in hot else None
        if match is not None and not (lengthy(text) and match.start() > 0):
            return match.group().strip()[:128]
    return None


def log4j(text: bytes) -> bytes | None:
    """The lookup in one reading with which Log4j would load code, whatever lookups it is nested in (CVE-2021-44228)."""
    if b"$" not in text and b"jndi" not in text.lower():
        return None
    text = text[:8192]
    plain = text
    for _ in range(8):
        resolved = _LOOKUP.sub(
            lambda found: b"${" + found[0][2:] if found[1].lower().lstrip().startswith(b"jndi") else found[1], plain
        )
        if resolved == plain:
            break
        plain = resolved
    if b"jndi" in plain.lower() and _JNDI.search(plain):
        match = _JNDI.search(plain)
        return match.group()[:128] if match else None
    match = _NESTED.search(text)
    return match.group()[:128] if match is not None else None


def upload(name: bytes) -> bytes | None:
    """The end of a file name that a servlet container would run."""
    match = _UPLOAD.search(name.replace(b" ", b""))
    return match.group() if match is not None else None


_JNDI_GATE = re.compile(rb"jndi|\$\{", re.IGNORECASE)
GATES: Final = (_SERIAL, _GADGETS, _ENCODED, _CLASS, _ANY_CLASS, _RUN, _EL, _SERIAL_HEX, _NESTED, _JNDI_GATE)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
