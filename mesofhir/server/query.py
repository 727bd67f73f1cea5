"""Search parameters: how a value is written, which may stand in a URL, and which of them a server says it
used.

Sources: http://hl7.org/fhir/R4/search.html#escaping, ``#conformance`` (*the server SHALL return the
parameters that were actually used*, in the self link), and what HAPI 8.8.0 and sekmet 0.1.1 really do
(tests/live).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mesofhir.server.words import words

Params = Sequence[tuple[str, str]]

#: these change how the answer looks, not which resources it holds; servers leave them out of the self link
_PRESENTATION = words(
    "_count _sort _summary _elements _total _format _pretty _contained _containedType _maxresults"
)
#: parameters whose values are codes, dates of the record or sizes: nobody is known by them
_IMPERSONAL = _PRESENTATION | words("""
    _id _include _revinclude _lastUpdated _tag _profile _security _source _type _since active category class
    clinical-status code date intent lifecycle-status status type verification-status
    """)
#: parameters whose values are references; a logical id stands in the URL of every read as well
_REFERENCES = words("""
    based-on context encounter focus general-practitioner medication organization part-of patient performer
    recorder related source subject
    """)
#: parameters that are about somebody, wherever they turn up
_PERSONAL = words("""
    address address-city address-country address-postalcode address-state birthdate death-date email family
    gender given identifier name phone phonetic telecom _content _text
""")
_REFERENCE = re.compile(r"(?:[A-Z][A-Za-z]+/)?[A-Za-z0-9.-]{1,64}")
_SYSTEM_ONLY = re.compile(r"[^\\|]+\|")
_SAME = {"subject": "patient"}  # servers write one for the other


def search_value(value: str) -> str:
    r"""A value as it stands in a search parameter: ``\``, ``,``, ``|`` and ``$`` escaped by a backslash."""
    return re.sub(r"([\\,|$])", r"\\\1", value)


def identifier_query(system: str, value: str) -> str:
    """The search for one identifier as it goes into ``ifNoneExist`` and ``If-None-Exist``.

    It is a URL's query: escaped for FHIR, then everything percent-encoded. HAPI answers 400 to a bare space,
    ``&``, ``+``, ``%``, ``?`` or ``à``.
    """
    return "identifier=" + quote(f"{search_value(system)}|{search_value(value)}", safe="")


def is_personal(name: str, value: str) -> bool:
    """Whether a parameter could tell who somebody is, so that it may stand in no URL.

    Unknown parameters can. ``identifier=system|`` (any value of that system) does not.
    """
    base = name.split(":", 1)[0]
    if base in _IMPERSONAL:
        return False
    parts = re.split(r"(?<!\\),", value)
    if name in _REFERENCES:
        return not all(_REFERENCE.fullmatch(part) for part in parts)
    return name != "identifier" or not all(_SYSTEM_ONLY.fullmatch(part) for part in parts)


def names_somebody(url: str) -> bool:
    """Whether a URL has a parameter about a person, such as ``name=`` or ``identifier=system|key``."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(_base(name) in _PERSONAL and is_personal(name, value) for name, value in pairs)


def carries(url: str, secrets: Params) -> bool:
    """Whether a URL that a server made holds one of the values that may stand in none."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    names = {_base(name) for name, _ in secrets}
    if any(_base(name) in names and value and is_personal(name, value) for name, value in pairs):
        return True
    texts = [value for _, value in pairs] + [unquote(urlsplit(url).path)]
    return names_somebody(url) or any(core in text for core in _cores(secrets) for text in texts)


def _cores(secrets: Params) -> Iterable[str]:
    """What is secret in the values, without systems; too short ones would be found everywhere."""
    for _, value in secrets:
        for part in re.split(r"(?<!\\),", value):
            core = re.split(r"(?<!\\)\|", part)[-1]
            plain = re.sub(r"\\(.)", r"\1", core)
            yield from (each for each in {core, plain} if len(each) >= 4)


def ignored(asked: Params, self_url: str | None, *, posted: bool) -> list[str]:
    """The names of the parameters that a server did not use, as far as its self link tells.

    Nothing is told by: no self link; after a POST, a self link without parameters (HAPI:
    ``…/Patient/_search``) or with none of ours (an opaque token). Chained parameters are not compared, since
    servers rewrite them.
    """
    names = [name for name, _ in asked if name not in _PRESENTATION]
    needed = [name for name in names if "." not in name and not name.startswith("_has")]
    if self_url is None or not needed:
        return []
    pairs = parse_qsl(urlsplit(self_url).query, keep_blank_values=True)
    ours = {_base(name) for name, _ in asked}
    if posted and not any(_base(name) in ours for name, _ in pairs):
        return []
    used = [name for name, value in pairs if value]
    missing = []
    for name in needed:
        found = next((each for each in used if _honours(each, name)), None)
        if found is None:
            missing.append(name)
        else:
            used.remove(found)  # asked twice (a range of dates), it must be there twice
    return missing


def _honours(used: str, asked: str) -> bool:
    if ":" in asked:
        return used == asked
    return _base(used) == _base(asked)


def _base(name: str) -> str:
    base = name.split(":", 1)[0]
    return _SAME.get(base, base)
