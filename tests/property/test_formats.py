"""Every format gives back what it was given; FHIR that no record holds survives the way through records."""

import csv
import io
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir import formats
from mesofhir.fhir.exactjson import decode, encode
from mesofhir.fhir.references import literals, renamed
from mesofhir.formats import Item
from mesofhir.records import TreatmentHistory, plain
from tests.property.strategies import clinics
from tests.property.wire import CLINIC, offline, places, stored

RANDOM = st.integers(0, 2**32).map(random.Random)  # one draw: it shrinks fast
Resource = dict[str, Any]


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def said(histories: list[TreatmentHistory]) -> list[bytes]:
    """What histories say, to the digit: by their bytes, in an order of their own."""
    return sorted(encode(plain(h)) for h in histories)


def back(path: Path, **options: Any) -> list[Item]:
    with formats.read(path, **options) as source:
        items = list(source)
        counts = source.counts
        assert [i.history for i in source] == [i.history for i in items], "a second pass gives the same"
    assert counts.read == counts.mapped + counts.kept + counts.refused + counts.repeated
    return items


def histories(items: list[Item]) -> list[TreatmentHistory]:
    assert [str(p) for i in items for p in i.faults] == []
    return [i.history for i in items if i.history is not None]


# --- records ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a/"])
@given(given=clinics(cleared=True))
def test_records_come_back_to_the_digit(name, given):
    with folder() as here:
        formats.write(f"{here}/{name}", given)
        assert said(histories(back(here / name))) == said(given)
        assert {p.name for p in here.iterdir()} == {name.rstrip("/")}, "nothing else is left"


def as_others_write(folder: Path, chance: random.Random) -> dict[str, str]:
    """Rewrite a CSV folder as another program would; the options by which it is read."""
    encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
    delimiter, end = chance.choice(",;\t"), chance.choice(["\n", "\r\n", "\r"])
    for path in folder.iterdir():
        heading, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
        chance.shuffle(rows)
        order = list(range(len(heading)))
        chance.shuffle(order)
        needless = {"patient"} if heading[:1] == ["patient"] and heading[2:3] == ["key"] else set()
        used = {i for i in order if heading[i] not in needless and (any(r[i] for r in rows) or i < 2)}
        order = [i for i in order if i in used or (heading[i] == "key") or (i > 1 and chance.random() < 0.5)]
        out = io.StringIO(newline="")
        quoting = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
        for row in (heading, *rows):
            cells = [row[i] for i in order]
            if quoting == csv.QUOTE_MINIMAL and any("\r" in c or "\n" in c for c in cells):
                line = delimiter.join('"' + c.replace('"', '""') + '"' for c in cells)
                out.write(line + end)  # Python 3.11 leaves a bare \r unquoted
            else:
                writer.writerow(cells)
        name = chance.choice([path.name, path.name.upper(), path.name.capitalize()])
        path.unlink()
        (folder / name).write_bytes(out.getvalue().encode(encoding))
    return {"encoding": "utf-8" if encoding == "utf-8-sig" else encoding}


@given(clinics(cleared=True), RANDOM)
def test_tables_are_read_as_other_programs_write_them(given, chance):
    with folder() as here:
        formats.write(here / "a", given, format="csv")
        options = as_others_write(here / "a", chance)
        assert said(histories(back(here / "a", format="csv", **options))) == said(given)


# --- FHIR ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.fhir.ndjson", "a.bundles"])
@given(given=clinics(), chance=RANDOM)
def test_fhir_comes_back_in_any_order(name, given, chance):
    with folder() as here:
        written = formats.write(here / name, given, clinic=CLINIC)
        assert not written.warnings
        if name.endswith("ndjson"):
            lines = (here / name).read_bytes().splitlines(keepends=True)
            assert len(lines) == written.resources
            chance.shuffle(lines)
            (here / name).write_bytes(b"".join(lines))
        items = back(here / name, clinic=CLINIC)
        assert said(histories(items)) == said(given)
        assert not any(i.kept or i.notes or i.warnings for i in items)


@given(clinics(min_size=1, max_size=1))
def test_one_bundle_is_a_file(given):
    with folder() as here:
        formats.write(here / "a.bundle.json", given, clinic=CLINIC)
        bundle = decode((here / "a.bundle.json").read_bytes())
        urls = {e["fullUrl"] for e in bundle["entry"]}
        assert len(urls) == len(bundle["entry"])
        assert set().union(*(literals(e["resource"]) for e in bundle["entry"])) <= urls
        for name in ("a.bundle.json", "b.json"):  # by its name, and by its content
            (here / "a.bundle.json").replace(here / name)
            assert said(histories(back(here / name, clinic=CLINIC))) == said(given)
            (here / name).replace(here / "a.bundle.json")


def additions(x: Resource) -> Resource:
    """A resource with what EHRs add to it."""
    new = {**x, "meta": {**x["meta"], "tag": [{"system": "urn:ehr", "code": "tagged"}]}}
    new["extension"] = [{"url": "urn:ehr:e", "valueDecimal": decode(b"1.50")}, *x.get("extension", ())]
    new["identifier"] = [{"system": "urn:ehr", "value": "77"}, *x["identifier"]]
    return new


def foreign(resources: list[Resource], chance: random.Random) -> list[Resource]:
    """What an EHR holds beside ours: of the patients, about ours, and of nobody."""
    names = [name_of(x) for x in resources]
    patients = [n for n in names if n.startswith("Patient/")]
    out: list[Resource] = [{"resourceType": "Organization", "id": "o1", "name": "An EHR & others"}]
    for n, patient in enumerate(patients):
        subject = {"reference": patient}
        value = {"value": decode(b"36.50"), "unit": "Cel"}
        out.append({"resourceType": "Observation", "id": f"t{n}", "subject": subject, "valueQuantity": value})
        out.append({"resourceType": "AllergyIntolerance", "id": f"a{n}", "patient": subject})
    for n in range(chance.randint(0, 3)):
        target = [{"reference": name} for name in chance.sample(names, min(len(names), 2))]
        out.append({"resourceType": "Provenance", "id": f"p{n}", "target": target})
    return out


def name_of(x: Resource) -> str:
    return f"{x['resourceType']}/{x['id']}"


def values(x: Any) -> Counter[tuple[Any, ...]]:
    """All values with their paths, positions in lists left out."""
    return Counter((*(s for s in path if isinstance(s, str)), repr(v)) for path, v in places(x))


def as_bundle(resources: list[Resource], base: str) -> Resource:
    """A Bundle of resources by the addresses of a server, or by URNs."""
    if base:
        entry = [{"fullUrl": f"{base}/{x['resourceType']}/{x['id']}", "resource": x} for x in resources]
    else:
        urns = {name_of(x): f"urn:uuid:{n:032}" for n, x in enumerate(resources)}
        named = [(urns[name_of(x)], renamed(x, lambda name: urns.get(name, name))) for x in resources]
        entry = [{"fullUrl": url, "resource": x} for url, x in named]
    return {"resourceType": "Bundle", "type": "collection", "entry": entry}


def resources_of(path: Path) -> list[Resource]:
    if path.name.endswith(".ndjson"):
        return [decode(line) for line in path.read_bytes().splitlines()]
    return [e["resource"] for e in decode(path.read_bytes()).get("entry", ())]


@pytest.mark.parametrize("base", [None, "", "https://ehr.example/fhir"])
@pytest.mark.parametrize("through", ["r.json", "r.ndjson", "r/"])
@given(given=clinics(min_size=1, max_size=2), chance=RANDOM)
def test_what_no_record_holds_survives_the_way_through_records(base, through, given, chance):
    resources: dict[tuple[str, str], Resource] = {}
    for history in given:
        for x in offline(history):
            resources.setdefault((x["resourceType"], x["id"]), x)
    ours = stored(list(resources.values()), chance)
    edited = [additions(x) if chance.random() < 0.5 else x for x in ours]
    everything = edited + foreign(edited, chance)
    chance.shuffle(everything)
    with folder() as here:
        if base is None:
            source, target = here / "in.fhir.ndjson", here / "out.fhir.ndjson"
            source.write_bytes(b"".join(encode(x) + b"\n" for x in everything))
        else:
            source, target = here / "in.json", here / "out.fhir.ndjson"
            source.write_bytes(encode(as_bundle(everything, base)))
        items = back(source, clinic=CLINIC)
        formats.write(f"{here}/{through}", items)
        again = back(here / through, format="csv" if through == "r/" else "")
        assert said(histories(again)) == said(histories(items))
        formats.write(target, again, clinic=CLINIC)
        out = resources_of(target)
        _all_survive(resources_of(source) if base is None else everything, out, items)
        assert said(histories(back(target, clinic=CLINIC))) == said(histories(items))


def _all_survive(before: list[Resource], after: list[Resource], items: list[Item]) -> None:
    whole = {encode(k.resource.get("id")) for i in items for k in i.kept}
    whole |= {encode(n.resource.get("id")) for i in items for n in i.notes}
    named = {name_of(x): x for x in after}
    assert len(named) == len(after), "each once"
    known = {name_of(x) for x in before}
    for x in before:
        name = name_of(x)
        if encode(x["id"]) in whole:
            assert not values(x) - values(named[name]), name
            assert literals(x) & known <= named.keys(), f"{name}: its references still lead somewhere"
    assert len(after) >= len(before)


@given(clinics(min_size=1, max_size=2), RANDOM)
def test_fhir_to_fhir_changes_nothing(given, chance):
    everything: dict[tuple[str, str], Resource] = {}
    for history in given:
        for x in offline(history):
            everything.setdefault((x["resourceType"], x["id"]), x)
    edited = [additions(x) for x in stored(list(everything.values()), chance)]
    edited += foreign(edited, chance)
    with folder() as here:
        (here / "in.fhir.ndjson").write_bytes(b"".join(encode(x) + b"\n" for x in edited))
        formats.write(here / "out.fhir.ndjson", back(here / "in.fhir.ndjson", clinic=CLINIC), clinic=CLINIC)
        before = {name_of(x): x for x in edited}
        after = {name_of(x): x for x in resources_of(here / "out.fhir.ndjson")}
        assert [n for n in before.keys() | after.keys() if before.get(n) != after.get(n)] == []
