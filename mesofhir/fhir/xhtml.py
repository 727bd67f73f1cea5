"""Narratives: what R4 allows in the ``div`` of a resource's text (narrative.html#xhtml, txt-1 and txt-2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from typing import Final
from xml.etree import ElementTree

from mesofhir.errors import Problem

_XHTML: Final = "{http://www.w3.org/1999/xhtml}"
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_INLINE: Final = "a abbr acronym b bdo big br cite code dfn em i img kbd q samp small span strong sub sup tt var"
_BLOCKS: Final = "address blockquote dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre ul map area"
_TABLES: Final = "caption col colgroup table tbody td tfoot th thead tr"
ELEMENTS: Final = frozenset(f"{_XHTML}{name}" for name in f"{_INLINE} {_BLOCKS} {_TABLES}".split())
_COMMON: Final = "title style class id lang dir accesskey tabindex"
_OF_TABLES: Final = "align valign border cellpadding cellspacing bgcolor char charoff abbr axis headers scope rowspan"
_OF_OTHERS: Final = "colspan span width height frame rules summary nowrap cite href name src alt rel rev shape coords"
_MORE: Final = "datetime start value type compact clear noshade size longdesc charset hreflang target usemap"
ATTRIBUTES: Final = frozenset(
    [*f"{_COMMON} {_OF_TABLES} {_OF_OTHERS} {_MORE}".split(), f"{_XML}lang", f"{_XML}space"]
)


def broken(div: str, where: str) -> Iterator[Problem]:
    """What is wrong with a narrative."""
    try:
        root = ElementTree.fromstring(_plain(div))  # noqa: S314 - no declaration is left that expat could expand
    except (ElementTree.ParseError, ValueError):
        yield Problem(where, "not well-formed XHTML", "one <div> of XHTML")
        return
    elements = list(root.iter())
    if root.tag != f"{_XHTML}div":
        yield Problem(where, "no <div> of XHTML", 'a <div xmlns="http://www.w3.org/1999/xhtml">')
    elif any(e.tag not in ELEMENTS or not ATTRIBUTES.issuperset(e.attrib) for e in elements):
        expected = "the basic elements and attributes of HTML 4.0: no scripts, forms or events (txt-1)"
        yield Problem(where, "an element or attribute that a narrative may not have", expected)
    elif not "".join(root.itertext()).strip() and not any(e.tag == f"{_XHTML}img" for e in elements):
        yield Problem(where, "a narrative without content", "a text or an image (txt-2)")


def _plain(div: str) -> str:
    """The names of HTML's characters as characters; a declaration is refused."""
    if "<!" in re.sub(r"<!--.*?-->", "", div, flags=re.DOTALL):
        raise ValueError
    return re.sub(r"&([A-Za-z][A-Za-z0-9]*);", _character, div)


def _character(match: re.Match[str]) -> str:
    if match[1] in ("amp", "lt", "gt", "quot", "apos"):
        return match[0]
    return html5.get(f"{match[1]};", match[0])
