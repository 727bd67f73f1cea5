"""FHIR in files: whose a resource is, what is kept and why, and how it comes back beside the records."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from mesofhir import formats
from mesofhir.fhir.exactjson import decode as from_json
from mesofhir.formats import Counts, Item
from mesofhir.formats.fhir_writer import Entry, bundle
from mesofhir.mapping import Clinic, Kept, Link
from mesofhir.records import Fault, decode, plain

NAMESPACE = "https://clinic.example/mesotherapy"
CLINIC = Clinic(NAMESPACE)
Resource = dict[str, Any]
HISTORY = decode(
    {
        "key": "P1",
        "language": "en",
        "practitioners": [{"key": "D1", "family": "Rossi"}],
        "conditions": [{"key": "C1", "condition_text": "pain", "note": "ours"}],
        "exclusions": [{"key": "X1", "kind": "pregnancy", "recorder": "D1"}],
    }
)


def resources(history: Any = HISTORY) -> dict[str, Resource]:
    """Type/key → resource, with ids that a server might give: ``Patient/P1``."""
    out = io.BytesIO()
    formats.write("-", [history], format="fhir", clinic=CLINIC, stdout=out)
    made = [from_json(line) for line in out.getvalue().splitlines()]
    names = {f"{x['resourceType']}/{x['id']}": x["identifier"][0]["value"] for x in made}
    text = out.getvalue().decode()
    for name, key in names.items():
        text = text.replace(f'"{name}"', f'"{name.split("/")[0]}/{key}"').replace(f'"{name.split("/")[1]}"', f'"{key}"')
    made = [from_json(line.encode()) for line in text.splitlines()]
    return {f"{x['resourceType']}/{x['id']}": x for x in made}


def ndjson(path: Path, *given: Resource) -> Path:
    path.write_text("".join(json.dumps(x, default=float) + "\n" for x in given))
    return path


def read(path: Path, **options: Any) -> tuple[list[Item], Counts]:
    with formats.read(path, clinic=CLINIC, **options) as source:
        items = list(source)
        counts = source.counts
    assert counts.read == counts.mapped + counts.kept + counts.refused + counts.repeated
    return items, counts


def kept(items: list[Item]) -> dict[str, tuple[str, str]]:
    """Type/id of what is kept → patient and reason."""
    return {
        f"{k.resource['resourceType']}/{k.resource.get('id')}": (i.patient, k.reason) for i in items for k in i.kept
    }


NOT_OURS = "not ours: no identifier in the namespace"


# --- whose a resource is ------------------------------------------------------------------------------------


def test_each_patient_has_an_item_and_the_rest_is_nobodys(tmp_path: Path) -> None:
    ours = resources() | resources(decode({"key": "P2"}))
    foreign = [
        {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/P2"}},
        {"resourceType": "Provenance", "id": "p", "target": [{"reference": "Condition/C1"}]},
        {"resourceType": "Medication", "id": "m"},
        {"resourceType": "Patient", "id": "theirs"},
        {"resourceType": "Condition", "id": "theirs", "subject": {"reference": "Patient/theirs"}},
    ]
    items, counts = read(ndjson(tmp_path / "a.fhir.ndjson", *reversed([*ours.values(), *foreign])))
    assert [(i.patient, i.history and plain(i.history)) for i in items] == [
        ("P1", plain(HISTORY)), ("P2", {"key": "P2"}), ("", None),
    ]  # fmt: skip
    assert kept(items) == {
        "Provenance/p": ("P1", NOT_OURS), "Observation/o": ("P2", NOT_OURS), "Medication/m": ("", NOT_OURS),
        "Patient/theirs": ("", NOT_OURS), "Condition/theirs": ("", NOT_OURS),
    }  # fmt: skip
    assert counts == Counts(read=10, mapped=5, kept=5, histories=2)


def test_a_patient_of_the_ehr_is_known_by_our_references(tmp_path: Path) -> None:
    ours = resources()
    theirs = {"resourceType": "Patient", "id": "P1", "name": [{"family": "Bianchi"}]}
    bare = {**ours["Condition/C1"], "subject": {"reference": "https://ehr.example/fhir/Patient/P1"}}
    path = ndjson(tmp_path / "a.fhir.ndjson", *(ours | {"Patient/P1": theirs, "Condition/C1": bare}).values())
    [item], counts = read(path)
    assert (counts.mapped, counts.kept) == (4, 0)
    assert item.history is not None
    assert (item.history.family, len(item.history.conditions)) == ("Bianchi", 1)
    formats.write(tmp_path / "b.fhir.ndjson", [item], clinic=CLINIC)
    written = {x["resourceType"]: x for x in map(from_json, (tmp_path / "b.fhir.ndjson").read_bytes().splitlines())}
    assert written["Patient"] == theirs, "people are the EHR's"


def test_most_references_say_whom_a_literal_means(tmp_path: Path) -> None:
    """A stray resource of another patient on the same Patient does not take the others along."""
    ours = resources()
    del ours["Patient/P1"]
    stray = json.loads(json.dumps(ours["Condition/C1"]).replace('"P1"', '"P9"').replace('"C1"', '"C9"'))
    items, _ = read(ndjson(tmp_path / "a.fhir.ndjson", *ours.values(), {**stray, "subject": {**stray["subject"]}}))
    histories = {i.patient: i.history for i in items if i.history}
    assert [c.key for c in histories["P1"].conditions] == ["C1"]


def test_two_patients_of_one_identifier(tmp_path: Path) -> None:
    ours = resources()
    second = {**ours["Patient/P1"], "id": "other", "gender": "female"}
    [item], _ = read(ndjson(tmp_path / "a.fhir.ndjson", *ours.values(), second))
    assert item.history is not None
    assert item.history.gender is not "female"  # noqa: F632
    assert kept([item]) == {"Patient/other": ("P1", "a second Patient with the same identifier")}


def test_a_key_that_two_patients_claim_is_nobodys(tmp_path: Path) -> None:
    ours = resources() | resources(decode({"key": "P2"}))
    subject = {"reference": "Patient/P2", "identifier": {"system": f"{NAMESPACE}/patients", "value": "P2"}}
    other = {**ours["Condition/C1"], "id": "c2", "subject": subject}
    items, counts = read(ndjson(tmp_path / "a.fhir.ndjson", *ours.values(), other))
    assert [i.history and i.history.conditions for i in items] == [[], []]
    reason = "two patients have a record of this key"
    assert kept(items) == {"Condition/C1": ("P1", reason), "Condition/c2": ("P2", reason)}
    assert counts.mapped == 4


def test_a_record_without_a_patient_is_kept(tmp_path: Path) -> None:
    ours = resources()
    orphan = {k: v for k, v in ours["Condition/C1"].items() if k != "subject"}
    items, _ = read(ndjson(tmp_path / "a.fhir.ndjson", *(ours | {"Condition/C1": orphan}).values()))
    assert kept(items) == {"Condition/C1": ("", "its subject is not a patient of ours")}


@pytest.mark.parametrize("id", ["Zqxrossi Mario", "Zqxrossi" * 20, "C1"])
def test_what_is_no_id_is_not_shown(id: str, tmp_path: Path) -> None:
    given = resources()
    given["Condition/C1"]["id"] = id
    [item], _ = read(ndjson(tmp_path / "a.fhir.ndjson", *given.values()))
    place = item.locate(Fault("conditions", "C1", "note", "odd", ""))
    assert place == f"{tmp_path}/a.fhir.ndjson: Condition/C1, note of `conditions`"


def test_practitioners_go_to_those_who_name_them(tmp_path: Path) -> None:
    ours = resources()
    exclusion = {"key": "X2", "kind": "pregnancy", "recorder": "D1"}
    other = resources(decode({**plain(HISTORY), "key": "P2", "conditions": [], "exclusions": [exclusion]}))
    unnamed = {**ours["Practitioner/D1"], "id": "D9"}
    unnamed["identifier"] = [{"system": f"{NAMESPACE}/practitioners", "value": "D9"}]
    stranger = {"resourceType": "Practitioner", "id": "s"}
    items, counts = read(ndjson(tmp_path / "a.fhir.ndjson", *(other | ours).values(), unnamed, stranger))
    assert [[p.key for p in i.history.practitioners] for i in items if i.history] == [["D1"], ["D1"]]
    assert kept(items) == {
        "Practitioner/D9": ("", "nothing here names this practitioner"), "Practitioner/s": ("", NOT_OURS),
    }  # fmt: skip
    assert (counts.read, counts.mapped) == (8, 6)


def test_what_has_another_shape_than_fhir_is_kept(tmp_path: Path) -> None:
    ours = resources()
    bad = [
        {"resourceType": "Observation", "id": "a", "identifier": "x", "subject": {"reference": "Patient/P1"}},
        {"resourceType": "Observation", "id": "b", "identifier": 5, "subject": "Patient/P1"},
        {"resourceType": "Patient", "id": "c", "identifier": {"system": 1}},
    ]
    items, counts = read(ndjson(tmp_path / "a.fhir.ndjson", *ours.values(), *bad))
    assert len(kept(items)) == 3
    assert kept(items)["Observation/a"][0] == "P1"
    assert counts.mapped == 4


# --- containers ---------------------------------------------------------------------------------------------


def test_bundles_tell_what_they_do_not_hold(tmp_path: Path) -> None:
    entry: list[Any] = [{"resource": x} for x in resources().values()]
    entry += [
        {"request": {"method": "DELETE", "url": "Patient/1"}},
        {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
        {"resource": {"resourceType": "patient"}},
        5,
    ]
    whole = {"resourceType": "Bundle", "type": "searchset", "timestamp": "2026", "entry": entry}
    whole["link"] = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    (tmp_path / "a.json").write_text(json.dumps(whole))
    items, counts = read(tmp_path / "a.json")
    assert [p.where.removeprefix(f"{tmp_path}/a.json: ") for i in items for p in i.faults] == [
        "$.entry[6].resource", "$.entry[7]",
    ]  # fmt: skip
    warnings = " ".join(p.what for i in items for p in i.warnings)
    for words in ("without a resource", "may not be all", "one page of several", "`timestamp`"):
        assert words in warnings
    assert (counts.mapped, counts.refused, counts.kept) == (4, 2, 1)


def test_a_folder_as_bulk_exports_give_it(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name, x in resources().items():
        ndjson(tmp_path / "x" / f"{name.split('/')[0]}.ndjson", x)
    [item], _ = read(tmp_path / "x")
    assert plain(item.history) == plain(HISTORY) if item.history else False


def test_a_resource_in_two_bundles_is_read_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        formats.write(tmp_path / f"{name}.bundle.json", [HISTORY], clinic=CLINIC)
    (tmp_path / "x.bundles").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"{name}.bundle.json").rename(tmp_path / "x.bundles" / f"{name}.json")
    [item], counts = read(tmp_path / "x.bundles")
    assert (counts.read, counts.mapped, counts.repeated) == (8, 4, 4)
    assert not item.kept


def test_addresses_of_a_bundle() -> None:
    """References follow the addresses, and stay as they are where they already lead there (R4, Bundle 2.36.4)."""
    base = "https://ehr.example/fhir"
    plan, own = {"reference": "CarePlan/7"}, {"reference": f"Condition/{'0' * 8}"}
    found = bundle(
        [
            Entry({"resourceType": "CarePlan", "id": "7"}, "h7", f"{base}/CarePlan/7"),
            Entry({"resourceType": "Goal", "id": "8", "a": plan, "b": own}, "h8", f"{base}/Goal/8"),
            Entry({"resourceType": "Condition", "a": plan}, "0" * 8, link=Link("Condition", "conditions", "C1")),
            Entry({"resourceType": "List", "a": {"reference": "#x"}, "b": {"reference": "Patient/unknown"}}, "h9"),
        ]
    )
    urls = [e["fullUrl"] for e in found["entry"]]
    assert urls == [f"{base}/CarePlan/7", f"{base}/Goal/8", f"urn:uuid:{'0' * 8}", "urn:uuid:h9"]
    goal, condition, others = (e["resource"] for e in found["entry"][1:])
    assert (goal["a"], goal["b"]) == (plan, {"reference": f"urn:uuid:{'0' * 8}"})
    assert condition["a"] == {"reference": f"{base}/CarePlan/7"}
    assert (others["a"], others["b"]) == ({"reference": "#x"}, {"reference": "Patient/unknown"})
    assert bundle([]) == {"resourceType": "Bundle", "type": "collection"}


# --- what is kept beside records ----------------------------------------------------------------------------


def edited() -> list[Resource]:
    """Ours as an EHR gives them back, and something of its own."""
    ours = resources()
    ours["Condition/C1"]["extension"] = [{"url": "urn:ehr", "valueDecimal": 1.5}]
    ours["Condition/C1"]["recorder"] = {"reference": "Organization/o"}
    lab = {
        "resourceType": "Observation",
        "id": "lab",
        "subject": {"reference": "Patient/P1"},
        "focus": [{"reference": "Patient/P1"}],
    }
    return [*ours.values(), {"resourceType": "Organization", "id": "o"}, lab]


def test_the_file_of_what_is_kept(tmp_path: Path) -> None:
    path = ndjson(tmp_path / "a.fhir.ndjson", *edited())
    written = formats.write(tmp_path / "r.json", read(path)[0])
    assert [p.name for p in written.files] == ["r.json", "r.json.kept.ndjson"]
    assert stat.S_IMODE((tmp_path / "r.json.kept.ndjson").stat().st_mode) == 0o600
    lines = [json.loads(line) for line in (tmp_path / "r.json.kept.ndjson").read_bytes().splitlines()]
    assert written.kept == len(lines) == 4
    by_name = {f"{x['resource']['resourceType']}/{x['resource']['id']}": x for x in lines}
    condition = by_name["Condition/C1"]
    assert (condition["patient"], condition["record"]) == ("P1", {"table": "conditions", "key": "C1"})
    assert [p["path"] for p in condition["paths"]] == [
        "$.extension[0].url", "$.extension[0].valueDecimal", "$.recorder.reference",
    ]  # fmt: skip
    assert by_name["Observation/lab"]["reason"] == NOT_OURS
    assert by_name["Organization/o"]["patient"] is None
    light = {"resourceType": "Patient", "id": "P1"}
    assert (by_name["Patient/P1"]["resource"], by_name["Patient/P1"]["record"]["table"]) == (light, "patients")


@pytest.mark.parametrize("name", ["r.json", "r.ndjson", "r/"])
def test_records_that_were_edited_go_over_what_was_kept(name: str, tmp_path: Path) -> None:
    formats.write(f"{tmp_path}/{name}", read(ndjson(tmp_path / "a.fhir.ndjson", *edited()))[0])
    items, counts = read(tmp_path / name, format="csv" if name == "r/" else "")
    assert (counts.kept, counts.histories) == (2, 1)
    history = items[0].history
    assert history is not None
    history.conditions[0].note = "edited"
    formats.write(tmp_path / "b.fhir.ndjson", items, clinic=CLINIC)
    back = {
        f"{x['resourceType']}/{x['id']}": x
        for x in map(from_json, (tmp_path / "b.fhir.ndjson").read_bytes().splitlines())
    }
    assert back["Condition/C1"]["note"][0]["text"] == "edited"
    assert {"url": "urn:ehr", "valueDecimal": from_json(b"1.5")} in back["Condition/C1"]["extension"]
    assert back["Condition/C1"]["subject"]["reference"] == "Patient/P1"
    assert {"Patient/P1", "Observation/lab", "Organization/o"} < back.keys()
    assert len(back) == 6


def test_records_to_records_carry_it_along(tmp_path: Path) -> None:
    formats.write(tmp_path / "r.json", read(ndjson(tmp_path / "a.fhir.ndjson", *edited()))[0])
    formats.write(tmp_path / "s.ndjson", read(tmp_path / "r.json")[0])
    first, second = (sorted((tmp_path / f"{n}.kept.ndjson").read_bytes().splitlines()) for n in ("r.json", "s.ndjson"))
    assert first == second


def test_a_resource_of_a_record_that_is_gone_is_still_kept(tmp_path: Path) -> None:
    formats.write(tmp_path / "r.json", read(ndjson(tmp_path / "a.fhir.ndjson", *edited()))[0])
    (tmp_path / "r.json").write_text('{"key": "P1"}')
    items, _ = read(tmp_path / "r.json")
    written = formats.write(tmp_path / "b.fhir.ndjson", items, clinic=CLINIC)
    assert ["no longer makes" in str(w) for w in written.warnings] == [True]
    assert b'"C1"' in (tmp_path / "b.fhir.ndjson").read_bytes()
    (tmp_path / "r.json").write_text('{"key": "P7"}')
    items, _ = read(tmp_path / "r.json")
    assert kept(items)["Condition/C1"] == ("P1", "its record is no longer there")


def test_what_was_kept_of_other_records_goes_with_them(tmp_path: Path) -> None:
    path = ndjson(tmp_path / "a.fhir.ndjson", *edited())
    for name in ("r.json", "r/"):
        formats.write(f"{tmp_path}/{name}", read(path)[0])
        formats.write(f"{tmp_path}/{name}", [HISTORY])
        assert not list(tmp_path.glob("*.kept.ndjson"))


def test_beside_a_stream_nothing_is_kept_and_that_is_told(tmp_path: Path) -> None:
    items, _ = read(ndjson(tmp_path / "a.fhir.ndjson", *edited()))
    written = formats.write("-", items, format="ndjson", stdout=io.BytesIO())
    assert ["3 resources" in w.what for w in written.warnings] == [True]


def test_a_file_of_kept_resources_that_is_broken_is_told(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"key": "P1"}')
    (tmp_path / "r.json.kept.ndjson").write_text('{"patient": "P1"}\nnothing\n')
    items, _ = read(tmp_path / "r.json")
    assert [p.where.removeprefix(f"{tmp_path}/r.json.kept.ndjson: ") for i in items for p in i.faults] == [
        "line 1", "line 2, column 1",
    ]  # fmt: skip


def test_bundles_keep_what_is_nobodys(tmp_path: Path) -> None:
    items, _ = read(ndjson(tmp_path / "a.fhir.ndjson", *edited()))
    formats.write(tmp_path / "x.bundles", items, clinic=CLINIC)
    again, _ = read(tmp_path / "x.bundles")
    assert kept(again) == kept(items)
    formats.write(tmp_path / "one.bundle.json", items, clinic=CLINIC)
    assert kept(read(tmp_path / "one.bundle.json")[0]) == kept(items)


def test_items_of_ones_own_may_keep_resources(tmp_path: Path) -> None:
    item = Item.of(HISTORY)
    item.kept.append(Kept({"resourceType": "Basic", "id": "b"}, "why not"))
    formats.write(tmp_path / "r.json", [item])
    assert kept(read(tmp_path / "r.json")[0]) == {"Basic/b": ("P1", "why not")}
