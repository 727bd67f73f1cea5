"""Coded concepts: the clinic's words, standard codes, and what people read (FHIR R4 2.24.0.8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from mesofhir.fhir.picture import UNKNOWN, Mismatch, Node, Reading, Row, Writing, absent, known, not_known, read

OPEN: Final = re.compile(r"[^|\s]+\|[^|]+")
"""``system|code``, FHIR's own way to write a coding in one string (R4 3.1.1.5.10)."""


class Coding(Protocol):
    """A standard code: its system (URI), code, and the display of its source ("" where it has none)."""

    @property
    def system(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def display(self) -> str: ...


class Meaning(Protocol):
    """What a word stands for."""

    @property
    def codings(self) -> Iterable[Coding]: ...


class Codes(Protocol):
    """A two-way table between the clinic's words and standard codes (see ``terminology``)."""

    def __getitem__(self, token: str) -> Meaning:
        """What is written for a word; KeyError for a word that is not in the table."""

    def token_of(self, system: str, code: str) -> str | None:
        """The word for a standard code, if the code means just that."""

    def token_in(self, codings: Iterable[tuple[str, str]]) -> str | None:
        """The word that all the codings of a concept together mean."""

    def label(self, token: str, language: str) -> str:
        """What people read, in Italian (``it``) or English (``en``)."""


class OneSystem:
    """Codes of one system, under other names or the same: ``{"done": "completed"}``."""

    def __init__(self, system: str, words: Mapping[str, str]) -> None:
        self.system = system
        self.meanings = {word: _Meaning((_Code(system, code),)) for word, code in words.items()}
        self.back = {code: word for word, code in words.items()}
        if len(self.back) != len(words):
            raise TypeError(f"two words for one code of {system}")

    def __getitem__(self, token: str) -> Meaning:
        return self.meanings[token]

    def token_of(self, system: str, code: str) -> str | None:
        return self.back.get(code) if system == self.system else None

    def token_in(self, codings: Iterable[tuple[str, str]]) -> str | None:
        found = {t for c in codings if (t := self.token_of(*c)) is not None}
        return found.pop() if len(found) == 1 else None

    def label(self, token: str, language: str) -> str:
        return ""


class _Meaning(NamedTuple):
    codings: tuple[Coding, ...]


class _Code(NamedTuple):
    system: str
    code: str
    display: str = ""


def coding(c: Coding) -> dict[str, Any]:
    """A Coding as JSON."""
    return {"system": c.system, "code": c.code} | ({"display": c.display} if c.display else {})


Label = Callable[[Row, str], str]  # row, language → the text that people read


class Coded(Node):
    """A CodeableConcept: a field of our words, a field of the clinic's own wording, and standard codings.

    The text is the stated wording, or else the label of the word in the record's language. A code that is in
    no table of ours is carried as ``system|code``. Their additional codings stay as long as the meaning does;
    a change of meaning replaces them all, since they described what is no longer true.

    :param name: the field of the word
    :param codes: its table
    :param text: the field of the wording; without it a foreign text stays unread
    :param open: may the word be ``system|code``? Such a coding is ``userSelected``, which tells it from theirs
    :param beside: codings that are always written, with or without a word beside them
    :param label: what the text says when the clinic gives no wording
    :param labels: all that the text might say without a wording, for one word (a site on either side)
    :param mark: an element id to find the item of a list again by
    :param default: the word that stands for a row that states none (of a status)
    :param decisive: what is not in the table refuses the resource (of a status)
    :param required: where nothing stands, the resource is not as pictured
    """

    def __init__(
        self,
        name: str,
        codes: Codes,
        text: str | None = None,
        *,
        open: bool = False,
        beside: Iterable[Mapping[str, Any]] = (),
        label: Label | None = None,
        labels: Callable[[str, str], Iterable[str]] | None = None,
        default: str | None = None,
        decisive: bool = False,
        required: bool = False,
        mark: str = "",
    ) -> None:
        self.name, self.codes, self.text, self.open = name, codes, text, open
        self.beside = [dict(c) for c in beside]
        self.make_label, self.make_labels, self.id = label, labels, mark
        self.default, self.decisive, self.required = default, decisive, required
        self.fields = frozenset([name] + ([text] if text else []))
        self.mark = ("coded", name)
        self.closed = "" if open else name

    def stated(self, row: Row) -> bool:
        return self.default is not None or bool(self.beside) or super().stated(row)

    def unknown(self, row: Row) -> bool:
        return row.get(self.name) is UNKNOWN

    def _label(self, row: Row, language: str) -> str:
        if self.make_label is not None:
            return self.make_label(row, language)
        token = row.get(self.name)
        return self.codes.label(token, language) if isinstance(token, str) and "|" not in token else ""

    def _made(self, text: Any, token: Any) -> bool:
        """Is the text one that we would make ourselves?"""
        if not isinstance(token, str) or "|" in token:
            return False
        if self.make_labels:
            return any(text in self.make_labels(token, language) for language in ("it", "en"))
        return any(text == self._label({self.name: token}, language) for language in ("it", "en"))

    def _codings(self, token: str) -> list[dict[str, Any]]:
        if self.open and OPEN.fullmatch(token):
            system, code = token.split("|", 1)
            return [{"system": system, "code": code, "userSelected": True}]
        return [coding(c) for c in self.codes[token].codings]

    def put(self, w: Writing, old: Any, path: str) -> Any:
        row = w.row
        if w.force and self.decisive and not super().stated(row) and old and self._then(old, w, path) is None:
            old = None  # it says that the record was withdrawn
        if not super().stated(row) and (old is not None or not self.stated(row)):
            return old
        token = row.get(self.name, self.default if old is None else None)
        words = row.get(self.text) if self.text else None
        if token is UNKNOWN:
            unknown = not_known(old)
            if self.text in row:
                unknown.pop("text", None)
            return unknown | ({"text": words} if isinstance(words, str) else {})
        old = known(old) if old else None
        then = self._then(old, w, path)
        if then is not None and _said(then.row, row, self.fields):
            return self._relabelled(old, then.row, w)
        if old is not None and then is None and not w.force:
            w.doubts.append((path, "stands there in a form that cannot be read; left alone"))
            return old
        old = old or {}
        was = then.row.get(self.name) if then else None
        new = dict(old)
        if self.id and "coding" not in old and "text" not in old:
            new.setdefault("id", self.id)
        if self.name in row or (self.default is not None and not old):
            if token is None:
                new.pop("coding", None)
                if self._made(new.get("text"), was):  # its label, which was never the clinic's wording
                    del new["text"]
            elif was != token:
                new["coding"] = [*self.beside, *self._codings(token)]
                new.pop("text", None)
        elif not old and self.beside:
            new["coding"] = list(self.beside)
        if isinstance(words, str):
            new["text"] = words
        elif self.text in row:
            new.pop("text", None)
        if "text" not in new and new.get("coding"):
            now = {**(then.row if then else {}), **row, self.name: token or was}
            label = self._label(now, w.world.language)
            if label:
                new["text"] = label
        return new or None

    def _then(self, old: Any, w: Writing, path: str) -> Reading | None:
        """What stands there, if its codes can be read; its text alone decides nothing."""
        r = Reading(w.world)
        try:
            self.get(old, r, path)
        except Mismatch:
            return None
        return r

    def says(self, x: Any, w: Writing, path: str) -> bool:
        then = self._then(x, w, path)
        return then is not None and _said(then.row, w.row, self.fields)

    def _relabelled(self, old: dict[str, Any], was: Row, w: Writing) -> Any:
        """A text of ours that another field has outdated (the other knee) is made anew."""
        label = self._label({**was, **w.row}, w.world.language)
        outdated = (
            "text" in old and self._made(old["text"], was.get(self.name)) and not self._current(old["text"], w.row, was)
        )
        return old | {"text": label} if outdated and label else old

    def _current(self, text: Any, row: Row, was: Row) -> bool:
        return any(text == self._label({**was, **row}, language) for language in ("it", "en"))

    def held(self, x: Any) -> int:
        return int(bool(self.id) and isinstance(x, dict) and x.get("id") == self.id)

    def get(self, x: Any, r: Reading, path: str) -> None:
        if self.id and isinstance(x, dict) and x.get("id") == self.id:
            r.seen.append(f"{path}.id")
        if absent(x):
            r.say(self.name, UNKNOWN, path, None, f"{path}.extension")
            self._read_text(x, r, path)
            return
        if not isinstance(x, dict):
            raise Mismatch(f"{path}: an object was expected")
        theirs = [c if isinstance(c, dict) else {} for c in x.get("coding") or ()]
        others = [(i, c) for i, c in enumerate(theirs) if not self._constant(c, r, f"{path}.coding[{i}]")]
        pairs = [(str(c.get("system", "")), str(c.get("code", ""))) for _, c in others]
        token = self.codes.token_in(pairs)
        if token is None and any(self.codes.token_of(*p) for p in pairs):
            raise Mismatch(f"{path}: its codes say different things of {self.name}")
        if token is not None:
            ours = {(c.system, c.code) for c in self.codes[token].codings}
            for (i, _), pair in zip(others, pairs, strict=True):
                if pair in ours or self.codes.token_of(*pair) == token:
                    self._seen_coding(r, f"{path}.coding[{i}]")
            r.say(self.name, token, path, None, "")
        elif self.decisive:
            raise Mismatch(f"{path}: a {self.name} that is not in our table")
        elif others:
            marked = [(i, c) for i, c in others if c.get("userSelected") is True]
            others = marked or others
            i, c = others[0]
            value = f"{c.get('system', '')}|{c.get('code', '')}"
            if not self.open or len(others) > 1 or not OPEN.fullmatch(value):
                raise Mismatch(f"{path}: no code of {self.name} that we know")
            self._seen_coding(r, f"{path}.coding[{i}]")
            r.say(self.name, value, path, None, "")
        if self.default is not None and r.row.get(self.name) == self.default:
            del r.row[self.name]
        self._read_text(x, r, path)

    def _constant(self, c: dict[str, Any], r: Reading, path: str) -> bool:
        if any((c.get("system"), c.get("code")) == (b["system"], b["code"]) for b in self.beside):
            self._seen_coding(r, path)
            return True
        return False

    def _seen_coding(self, r: Reading, path: str) -> None:
        r.seen += [f"{path}.system", f"{path}.code", f"{path}.display", f"{path}.userSelected"]

    def _read_text(self, x: Mapping[str, Any], r: Reading, path: str) -> None:
        words = x.get("text")
        if words is None:
            return
        if any(words == self._label(r.row, language) for language in ("it", "en")):
            r.seen.append(f"{path}.text")
        elif self._made(words, r.row.get(self.name)):
            r.doubts.append((f"{path}.text", "contradicts what is coded"))
            r.unclear[self.text or self.name] = f"{path}.text"
        elif self.text:
            r.say(self.text, words, f"{path}.text")

    def fits(self, x: Any, world: Any) -> bool:
        return isinstance(x, dict)

    def holes(self, path: str) -> Any:
        yield self.name, f"{path}.coding"
        if self.text:
            yield self.text, f"{path}.text"


def _said(theirs: Row, ours: Row, fields: Iterable[str]) -> bool:
    return all(theirs.get(name) == ours[name] for name in fields if name in ours)


class Defined(Node):
    """A CodeableConcept that says what the resource is, by the first coding of a word; the rest decorates.

    :param token: the word, of the table ``codes``
    """

    constant = True

    def __init__(self, codes: Codes, token: str) -> None:
        self.codes, self.token = codes, token
        self.codings = [coding(c) for c in codes[token].codings]
        self.mark = ("defined", token)

    def _at(self, x: Any) -> int | None:
        theirs = x.get("coding") if isinstance(x, dict) else None
        wanted = {k: self.codings[0][k] for k in ("system", "code")}
        at = [i for i, c in enumerate(theirs or ()) if isinstance(c, dict) and wanted.items() <= c.items()]
        return at[0] if at else None

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if old is not None and self._at(old) is not None:
            return old
        label = self.codes.label(self.token, w.world.language)
        return {"coding": [dict(c) for c in self.codings]} | ({"text": label} if label else {})

    def get(self, x: Any, r: Reading, path: str) -> None:
        if self._at(x) is None:
            raise Mismatch(f"{path}: does not say {self.token}")
        r.seen += [f"{path}.coding[{i}]" for i, c in enumerate(x["coding"]) if c in self.codings or i == self._at(x)]
        if x.get("text") in [self.codes.label(self.token, language) for language in ("it", "en")]:
            r.seen.append(f"{path}.text")

    def fits(self, x: Any, world: Any) -> bool:
        return self._at(x) is not None


class Only(Node):
    """A status that we do not write: another than these refuses the resource, as it would change its meaning.

    :param system: the code system of the CodeableConcept
    """

    decisive = True

    def __init__(self, system: str, *codes: str) -> None:
        self.system, self.codes = system, codes

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return None if w.force and old is not None and read(self, old, w.world, path) is None else old

    def get(self, x: Any, r: Reading, path: str) -> None:
        found = [c.get("code") for c in x.get("coding") or () if c.get("system") == self.system]
        if not found or any(code not in self.codes for code in found):
            raise Mismatch(f"{path}: a status that changes what the resource means")
