"""Narratives and titles: a person reads all that a row states, and a browser finds nothing but text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir.errors import MesofhirError
from mesofhir.fhir.picture import UNKNOWN
from mesofhir.mapping import words
from mesofhir.mapping.narrative import narrative, title
from mesofhir.mapping.words import LABELLED, line_of, lines, word
from mesofhir.records import model
from mesofhir.records.tables import TABLES, Column, Table
from mesofhir.terminology import LANGUAGES, code_set

XHTML = "{http://www.w3.org/1999/xhtml}"
DATES = (model.DATE_PATTERN, model.TIME_PATTERN)


def resolve(table: str, key: str) -> str:
    return {"dr1": "Rossi Anna", "a1": "Allergia: Lidocaina"}.get(key, f"<{table}> & {key}")


def parsed(div: str) -> ElementTree.Element:
    return ElementTree.fromstring(div)  # noqa: S314 - our own output


def items(table: str, row: Mapping[str, Any], language: str = "it") -> list[str]:
    """The lines of a narrative as a browser shows them; a list in the list after its label."""
    root = parsed(narrative(table, row, language, resolve)["div"])
    return ["".join(item.itertext()) for item in root.iter(f"{XHTML}li")]


def heading(table: str, row: Mapping[str, Any], language: str = "it") -> str | None:
    root = parsed(narrative(table, row, language, resolve)["div"])
    return root.findtext(f"{XHTML}p/{XHTML}b")


# --- words


def columns() -> Iterator[tuple[Table, Column]]:
    seen = set()
    for table in TABLES.values():
        for column in table.columns.values():
            yield table, column
            if column.values and column.values.name not in seen:
                seen.add(column.values.name)
                yield from ((column.values, c) for c in column.values.columns.values())


def asked_for() -> Iterator[tuple[words.Kind, str]]:
    yield from (("phrase", p) for p in ("yes", "no", "not-known"))
    yield from (("table", t) for t in TABLES)
    for table, column in columns():
        name = f"{table.name}.{column.name}"
        yield "field", name
        unit = [column.unit] if column.unit and not column.unit.startswith("{") else []
        for token in [*column.choices, *unit]:
            yield "choice", f"{name}.{token}"
            if unit or name.endswith("_unit"):
                yield "one", f"{name}.{token}"


def test_every_table_field_and_choice_has_a_word_in_both_languages() -> None:
    missing = []
    for kind, name in asked_for():
        for language in LANGUAGES:
            try:
                assert word(kind, name, language).strip()
            except KeyError:
                missing.append((kind, name, language))
    assert not missing


def test_no_line_is_unused_or_hidden_by_a_code_set() -> None:
    used = {line_of(kind, name) for kind, name in asked_for()}
    assert set(lines()) - used == set()
    hidden = [
        (column, token)
        for column, codes in LABELLED.items()
        for token in code_set(codes)
        if ("choice", f"{column}.{token}") in lines()
    ]
    assert not hidden


def test_labelled_choices_are_those_that_have_a_code_set() -> None:
    for name in LABELLED:
        table, column = name.split(".")
        assert TABLES[table].columns[column].kind == "choice"


@pytest.mark.parametrize(
    ("kind", "name", "it", "en"),
    [
        ("table", "sessions", "Seduta", "Session"),
        ("field", "cycles.start", "Inizio", "Start"),
        ("field", "reactions.onset", "Comparsa", "Appeared"),
        ("choice", "sessions.status.done", "Eseguita", "Done"),
        ("choice", "goals.status.entered-in-error", "Registrazione errata", "Entered in error"),
        ("choice", "findings.kind.pregnancy", "Gravidanza", "Pregnancy"),
        ("choice", "cycles.interval_unit.wk", "settimane", "weeks"),
        ("one", "cycles.interval_unit.wk", "settimana", "week"),
        ("one", "drugs.amount_unit.mg", "mg", "mg"),
    ],
)
def test_words(kind: words.Kind, name: str, it: str, en: str) -> None:
    assert (word(kind, name, "it"), word(kind, name, "en")) == (it, en)


@pytest.mark.parametrize(
    ("kind", "name", "language"),
    [
        ("table", "nothing", "it"),
        ("table", "sessions", "fr"),
        ("field", "sessions.nothing", "it"),
        ("choice", "sessions.status.nothing", "it"),
        ("choice", "findings.kind.nothing", "it"),
    ],
)
def test_no_word_is_a_key_error(kind: words.Kind, name: str, language: str) -> None:
    with pytest.raises(KeyError):
        word(kind, name, language)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind,name,en,it\n", "line 1"),
        ("kind,name,it,en\ntable,x,y\n", "line 2"),
        ("kind,name,it,en\ntable,x,y,\n", "empty cell"),
        ("kind,name,it,en\ntabel,x,y,z\n", "unknown kind"),
        ("kind,name,it,en\ntable,x,y,z\ntable,x,y,z\n", "line 3"),
    ],
)
def test_a_broken_table_of_words_is_refused(text: str, says: str) -> None:
    with pytest.raises(MesofhirError, match=says):
        words._lines(text)


# --- narratives

SESSION = {
    "key": "s2",
    "patient": "p1",
    "of": "c1",
    "@cycle": {"site": "lumbar"},
    "status": "done",
    "number": 2,
    "moved_from": ["2026-03-02", "2026-03-03T09:00:00Z"],
    "start": "2026-03-04T10:30:00+01:00",
    "site": "lumbar",
    "site_text": "fascia lombare bassa",
    "side": "left",
    "technique_text": "mia tecnica",
    "needle_length": Decimal("4.0"),
    "needle_gauge": 27,
    "points": 20,
    "performer": "dr1",
    "note": None,
    "unknown": ["depth"],
}
FINDING = {
    "key": "f1",
    "kind": "drug-allergy",
    "strength": "absolute",
    "scope": "substance",
    "substance": "http://snomed.info/sct|372665008",
    "controlled": False,
    "allergy": "a1",
    "found": "2026-03",
    "until": UNKNOWN,
}
MIXTURE = {
    "key": "m1",
    "route": "intradermal",
    "drugs": [
        {"substance": "lidocaine", "active": True, "amount": Decimal("0.50"), "amount_unit": "mg"},
        {"substance_text": "acqua", "active": False, "volume": Decimal("1")},
    ],
    "prepared": Decimal("3.00"),
    "volume": UNKNOWN,
    "expires": "2027",
}


def test_a_session_in_italian() -> None:
    assert heading("sessions", SESSION) == "Seduta 2, 04/03/2026, ore 10:30 (+01:00)"
    assert items("sessions", SESSION) == [
        "Stato: Eseguita",
        "Numero della seduta: 2",
        "Appuntamenti precedenti: 02/03/2026; 03/03/2026, ore 09:00 (UTC)",
        "Inizio: 04/03/2026, ore 10:30 (+01:00)",
        "Sede: Regione lombare (fascia lombare bassa)",
        "Lato: Sinistra",
        "Tecnica: mia tecnica",
        "Lunghezza dell'ago: 4,0 mm",
        "Calibro dell'ago (gauge): 27",
        "Profondità delle iniezioni: non noto",
        "Numero di iniezioni: 20",
        "Operatore: Rossi Anna",
    ]


def test_a_session_in_english() -> None:
    assert heading("sessions", SESSION, "en") == "Session 2, 4 March 2026, 10:30 (+01:00)"
    assert items("sessions", SESSION, "en") == [
        "Status: Done",
        "Session number: 2",
        "Earlier bookings: 2 March 2026; 3 March 2026, 09:00 (UTC)",
        "Start: 4 March 2026, 10:30 (+01:00)",
        "Site: Lumbar region of the back (fascia lombare bassa)",
        "Side: Left",
        "Technique: mia tecnica",
        "Needle length: 4.0 mm",
        "Needle gauge: 27",
        "Depth of the injections: not known",
        "Number of injections: 20",
        "Performer: Rossi Anna",
    ]


def test_a_finding() -> None:
    assert heading("findings", FINDING) == "Controindicazione, 03/2026"
    assert items("findings", FINDING) == [
        "Riscontrata: Allergia a farmaco",
        "Grado: Controindicazione assoluta",
        "Ambito: Vale per le sostanze indicate",
        "Sostanza interessata: SNOMED CT 372665008",
        "Sotto controllo: no",
        "Allergia di riferimento: Allergia: Lidocaina",
        "Data del riscontro: 03/2026",
        "Presente fino a: non noto",
    ]
    assert "Found: March 2026" in items("findings", FINDING, "en")


def test_a_mixture_lists_its_drugs() -> None:
    assert narrative("mixtures", MIXTURE, "it", resolve) == {
        "id": "mesofhir",
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml" lang="it" xml:lang="it"><p><b>Miscela</b></p><ul>'
        "<li>Via di somministrazione: Via intradermica</li>"
        "<li>Farmaci:<ul><li>Lidocaina; principio attivo: sì; quantità: 0,50 mg</li>"
        "<li>acqua; principio attivo: no; volume: 1 mL</li></ul></li>"
        "<li>Volume preparato: 3,00 mL</li><li>Volume somministrato: non noto</li>"
        "<li>Scadenza: 2027</li></ul></div>",
    }
    assert "acqua; active ingredient: no; volume: 1 mL" in items("mixtures", MIXTURE, "en")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"interval": Decimal(1), "interval_unit": "wk"}, "Intervallo tra le sedute: 1 settimana"),
        ({"interval": Decimal("1.5"), "interval_unit": "wk"}, "Intervallo tra le sedute: 1,5 settimane"),
        (
            {"interval": Decimal(1), "interval_max": Decimal(2), "interval_unit": "mo"},
            "Intervallo tra le sedute: 1–2 mesi",
        ),
        ({"sessions_min": 4, "sessions_max": 6}, "Sedute previste: 4–6"),
        ({"sessions_min": 4, "sessions_max": 4}, "Sedute previste: 4"),
        ({"sessions_max": 6}, "Sedute previste, al massimo: 6"),
        ({"minutes_min": Decimal(10), "minutes_max": Decimal("15.0")},
         "Durata prevista di una seduta: 10–15,0 minuti"),
        ({"interval_unit": "wk"}, "Unità dell'intervallo: settimane"),
        ({"minutes_min": Decimal("1E+1")}, "Durata prevista di una seduta: 10 minuti"),
        ({"site": "urn:x|1", "site_text": "qui"}, "Sede: qui (urn:x|1)"),
        ({"site": UNKNOWN, "site_text": "qui"}, "Sede: non noto (qui)"),
        ({"site_text": UNKNOWN}, "Sede, a parole: non noto"),
        ({"protocol": "https://example.org/P|1"}, "Protocollo: https://example.org/P|1"),
        ({"consents": ["x", "y"]}, "Consensi informati: <consents> & x; <consents> & y"),
        ({"start": "2026-03-04T10:30:05.25-03:00"}, "Inizio: 04/03/2026, ore 10:30:05.25 (-03:00)"),
    ],
)  # fmt: skip
def test_a_line_of_a_cycle(row: dict[str, Any], says: str) -> None:
    assert items("cycles", row) == [says]


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("sessions", {"key": "x", "note": None, "moved_from": [], "nothing": "x", "^cycle": "y", "/up": "z"}),
        ("mixtures", {"key": "x", "drugs": [{}], "unknown": ["nothing"]}),
        ("allergies", {"key": "x", "reactions": None}),
    ],
)
def test_what_is_not_stated_is_not_shown(table: str, row: dict[str, Any]) -> None:
    for language in LANGUAGES:
        div = narrative(table, row, language, resolve)["div"]
        assert div.endswith(f"<p><b>{word('table', table, language)}</b></p></div>")


def test_a_list_of_values_that_is_not_known() -> None:
    assert items("mixtures", {"drugs": UNKNOWN}) == ["Farmaci: non noto"]
    assert items("mixtures", {"unknown": ["drugs"]}) == ["Farmaci: non noto"]


def test_a_reference_without_a_name_is_called_by_its_table() -> None:
    div = narrative("sessions", {"performer": "x"}, "it", lambda table, key: "")["div"]
    assert "<li>Operatore: Operatore sanitario</li>" in div


def test_every_list_of_dates_is_shown_as_dates() -> None:
    found = []
    for name, table in TABLES.items():
        schema = msgspec.json.schema(table.struct)["$defs"][table.struct.__name__]
        found += [
            (name, field)
            for field, declared in schema["properties"].items()
            if declared.get("items", {}).get("pattern") in DATES
        ]
    assert found == [("sessions", "moved_from")]


@pytest.mark.parametrize(("table", "language"), [("nothing", "it"), ("sessions", "fr")])
def test_an_unknown_table_or_language_is_a_key_error(table: str, language: str) -> None:
    with pytest.raises(KeyError):
        title(table, {}, language)
    with pytest.raises(KeyError):
        narrative(table, {}, language, resolve)


# --- titles


@pytest.mark.parametrize(
    ("table", "row", "it", "en"),
    [
        ("sessions", SESSION, "Seduta 2, 04/03/2026", "Session 2, 4 March 2026"),
        ("sessions", {"planned_start": "2026-03"}, "Seduta, 03/2026", "Session, March 2026"),
        ("cycles", {"site": "lumbar", "site_text": "x"}, "Ciclo di mesoterapia, Regione lombare",
         "Mesotherapy cycle, Lumbar region of the back"),
        ("cycles", {"site": UNKNOWN, "start": "2026"}, "Ciclo di mesoterapia, 2026",
         "Mesotherapy cycle, 2026"),
        ("conditions", {"condition": "low-back-pain"}, "Lombalgia", "Low back pain"),
        ("conditions", {"condition": "urn:x|1", "condition_text": "mal di\nschiena "}, "mal di schiena",
         "mal di schiena"),
        ("conditions", {"condition": "urn:x|1"}, "urn:x|1", "urn:x|1"),
        ("conditions", {"condition_text": " \u200b\n"}, "Condizione clinica", "Condition"),
        ("practitioners", {"family": "Rossi", "given": ["Anna", "Maria"]}, "Rossi Anna Maria",
         "Rossi Anna Maria"),
        ("patients", {"family": UNKNOWN, "given": None}, "Paziente", "Patient"),
        ("findings", FINDING, "Controindicazione: Allergia a farmaco", "Contraindication: Allergy to a drug"),
        ("mixtures", MIXTURE, "Miscela: Lidocaina, acqua", "Mixture: Lidocaine, acqua"),
        ("mixtures", {**MIXTURE, "name": "Cocktail A"}, "Miscela: Cocktail A", "Mixture: Cocktail A"),
        ("mixtures", {"drugs": UNKNOWN}, "Miscela", "Mixture"),
        ("scores", {"scale": "nrs", "value": Decimal("6.5"), "taken": "2026-03-04"},
         "Punteggio del dolore NRS 6,5, 04/03/2026", "Pain score NRS 6.5, 4 March 2026"),
        ("scores", {"value": Decimal("6"), "scale": None}, "Punteggio del dolore 6", "Pain score 6"),
        ("scores", {"scale": "vas", "value": UNKNOWN}, "Punteggio del dolore", "Pain score"),
        ("instructions", {"text": "a < b <i>c</i>"}, "a < b ‹i>c‹/i>", "a < b ‹i>c‹/i>"),
        ("consents", {"signed": "2026-03-04"}, "Consenso informato, 04/03/2026",
         "Informed consent, 4 March 2026"),
    ],
)  # fmt: skip
def test_titles(table: str, row: dict[str, Any], it: str, en: str) -> None:
    assert (title(table, row, "it"), title(table, row, "en")) == (it, en)


def test_a_long_title_is_cut() -> None:
    text = title("goals", {"text": "parola " * 100}, "it")
    assert len(text) <= 200
    assert text.startswith("Obiettivo: parola parola")
    assert text.endswith("parola…")


# --- whatever the clinic wrote

NASTY = st.sampled_from([
    "<script>alert(1)</script>", "]]>", "&", "&amp;", "&#x0;", "<!-- -->", "<![CDATA[x]]>", "\"'>", "🙂",
    "a\nb", "a\r\nb\rc", "\x00", "\x0b", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\ud800", "\ufffe",
    "<?xml?>", "</li></ul></div>", "javascript:x", "x" * 300,
])  # fmt: skip
TEXTS = st.one_of(NASTY, st.text(max_size=20), st.tuples(NASTY, NASTY).map("".join)).filter(str.strip)
NUMBERS = st.decimals(0, 1000, places=3) | st.sampled_from([Decimal("0.50"), Decimal("1E-8")])
TIMES = st.sampled_from(
    ["2026", "2026-03", "2026-03-04", "2026-03-04T10:30:00+01:00", "2026-03-04T23:59:59.5Z", "<b>"]
)


def values_of(column: Column) -> st.SearchStrategy[Any]:
    stated: st.SearchStrategy[Any]
    if column.values:
        stated = st.lists(rows_of(column.values), max_size=3)
    elif column.kind == "choice":
        stated = st.sampled_from(column.choices)
    elif column.codes:
        stated = st.sampled_from([*code_set(column.codes), "http://snomed.info/sct|1"]) | TEXTS
    elif column.name == "moved_from":
        stated = st.lists(TIMES, max_size=3)
    else:
        stated = {
            "text": TIMES if column.pattern in DATES else TEXTS,
            "words": st.lists(TEXTS, max_size=3),
            "number": NUMBERS,
            "integer": st.integers(0, 2**31),
            "boolean": st.booleans(),
        }[column.kind]
    return st.one_of(stated, stated, stated, st.none(), st.just(UNKNOWN))


def rows_of(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    """Rows that state a few fields."""
    values = {n: values_of(c) for n, c in table.columns.items() if n != "unknown"}
    names = st.lists(st.sampled_from(sorted(table.columns)), max_size=2)
    unknown = names.map(lambda n: {"unknown": n}) if table.name in TABLES else st.just({})
    fields = st.lists(st.sampled_from(sorted(values)), max_size=8, unique=True)
    stated = fields.flatmap(lambda chosen: st.fixed_dictionaries({n: values[n] for n in chosen}))
    return st.tuples(stated, unknown).map(lambda parts: {**parts[0], **parts[1]})


ANY_ROW = st.one_of([st.tuples(st.just(name), rows_of(table)) for name, table in TABLES.items()])
LANGUAGE = st.sampled_from(LANGUAGES)
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def as_read(text: str) -> str:
    """What a reader gets of a text: its line breaks as XML has them, no control characters."""
    return FORBIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


@given(ANY_ROW, LANGUAGE)
def test_whatever_a_row_holds_is_inert_and_complete(case: tuple[str, dict[str, Any]], language: str) -> None:
    table, row = case
    made = narrative(table, row, language, resolve)
    assert made == narrative(table, row, language, resolve)
    made["div"].encode("utf-8")
    assert not FORBIDDEN.search(made["div"])
    root = parsed(made["div"])
    assert root.tag == f"{XHTML}div"
    for element in root.iter():
        assert element is root or element.tag.removeprefix(XHTML) in ("p", "b", "ul", "li")
        assert element.tag == XHTML + "div" or not element.attrib
        assert element.tag != f"{XHTML}ul" or len(element)
    shown = ["".join(item.itertext()) for item in root.iter(f"{XHTML}li")]
    not_known = word("phrase", "not-known", language)
    for name, column in TABLES[table].columns.items():
        value = row.get(name)
        label = word("field", f"{table}.{name}", language)
        if name in ("key", "unknown"):
            continue
        if value is UNKNOWN or (value is None and name in row.get("unknown", [])):
            assert any(s == f"{label}: {not_known}" or s.startswith(f"{label}: {not_known} (") for s in shown)
        elif value is None or value == []:
            assert not any(s.startswith(f"{label}: {not_known}") for s in shown)
        elif column.kind == "text" and not column.codes and not column.to and column.pattern not in DATES:
            text = as_read(value)
            if name.endswith("_text") and name.removesuffix("_text") in TABLES[table].columns:
                code = word("field", f"{table}.{name.removesuffix('_text')}", language)
                own = [s for s in shown if s.startswith(f"{code}: ")]
                assert any(s.endswith((f": {text}", f" ({text})")) or f": {text} (" in s for s in own)
            else:
                assert f"{label}: {text}" in shown
        elif column.values is None and not name.endswith(("_max", "_unit")):
            assert any(s.startswith(f"{label}: ") for s in shown)


@given(ANY_ROW, LANGUAGE)
def test_whatever_a_row_holds_its_title_is_one_line(case: tuple[str, dict[str, Any]], language: str) -> None:
    table, row = case
    text = title(table, row, language)
    assert 0 < len(text) <= 200
    assert text == " ".join(text.split())
    assert not FORBIDDEN.search(text)
    assert not re.search(r"<[A-Za-z/!?]", text)
    text.encode("utf-8")


@given(NUMBERS, LANGUAGE)
def test_numbers_keep_their_digits(number: Decimal, language: str) -> None:
    [text] = items("sessions", {"depth": number}, language)
    digits = text.removesuffix(" mm").rpartition(" ")[2]
    back = Decimal(digits.replace(",", ".") if language == "it" else digits)
    assert back.as_tuple() == number.as_tuple()
