"""Reading SAML documents safely: no document type, no entities, no network, no processing instructions, bounded depth. Pure.

What an element says is all of its text. A comment within it does not cut it short: ``admin<!-- -->.example`` is
``admin.example``, as whoever signed it meant it, and an element where a text is due is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lxml import etree

Element = etree._Element  # noqa: SLF001 - lxml's class of elements has no other name

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z?", re.ASCII)


class BadXmlError(ValueError):
    """A document that is not read, or an element that is not what is due in its place."""


def parsed(text: bytes) -> Element:
    """The root of a document. Raises BadXmlError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, collect_ids=False
    )
    if b"<!DOCTYPE" in text:
        raise BadXmlError("a document type")
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadXmlError("no XML") from error
    # Once more, of what the parser found: the text may be in another encoding.
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype or docinfo.internalDTD is not None or docinfo.externalDTD is not None:
        raise BadXmlError("a document type")
    beside = [*root.itersiblings(preceding=True), *root.itersiblings()]
    within = root.iter(etree.Entity, etree.ProcessingInstruction)
    if any(True for _ in within) or any(isinstance(each, etree._ProcessingInstruction) for each in beside):  # noqa: SLF001 - as above
        raise BadXmlError("an entity or a processing instruction")
    return root


def ids(root: Element) -> list[str]:
    """The values of all attributes that name elements, in whatever spelling a verifier may go by."""
    return [str(value) for each in elements(root) for name, value in each.attrib.items() if _local(str(name)) == "id"]


def _local(name: str) -> str:
    return name.rpartition("}")[2].lower()


def elements(root: Element) -> Iterator[Element]:
    """Every element, without comments."""
    return root.iter(etree.Element)


def tag(namespace: str, name: str) -> str:
    """A name as lxml has it."""
    return f"{{{namespace}}}{name}"


def children(parent: Element, namespace: str, name: str) -> list[Element]:
    """The children of a name."""
    return parent.findall(tag(namespace, name))


def only(parent: Element, namespace: str, name: str) -> Element:
    """The one child of a name. Raises BadXmlError where there is none, or more than one."""
    found = children(parent, namespace, name)
    if len(found) != 1:
        raise BadXmlError(f"{len(found)} elements {name}")
    return found[0]


def text_of(element: Element) -> str:
    """All that an element says. Raises BadXmlError where it holds other elements."""
    parts = [element.text or ""]
    for child in element:
        if not isinstance(child, etree._Comment):  # noqa: SLF001 - as above
            raise BadXmlError("an element where a text is due")
        parts.append(child.tail or "")
    return "".join(parts).strip()


def attribute(element: Element, name: str) -> str:
    """An attribute; empty where it is not there."""
    return str(element.get(name) or "")


def instant(text: str) -> float:
    """A time in seconds since the epoch: UTC, with or without its ``Z``. Raises BadXmlError."""
    found = _INSTANT.fullmatch(text)
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None
    except ValueError:
        whole = None
    if found is None or whole is None:
        raise BadXmlError("no time")
    return whole + float(found[2] or 0)
