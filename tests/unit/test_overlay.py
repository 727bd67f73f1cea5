"""A clinic's own words and codes: beside ours, out with the clinic's own systems, and back as the same words."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.errors import UsageError
from mesofhir.fhir import exactjson
from mesofhir.formats import read
from mesofhir.mapping import Clinic, graph, understand
from mesofhir.records import TABLES, contradictions, decode, faults, plain
from mesofhir.records.schema import json_schema
from mesofhir.terminology import ATC, OURS, SCT, Terminology, code_set
from mesofhir.terminology.overlay import EXTENSIBLE, read_overlay

HEADING = "set,code,it,en,system,value,display,relation"
SITES, DIAGNOSES = "https://clinic.example/codes/sites", "https://clinic.example/codes/diagnoses"
LINES = f"""\
{HEADING}
sites,plantar-fascia,Fascia plantare,Plantar fascia,{SITES},PF,Plantar fascia,equivalent
sites,plantar-fascia,,,sct,56459004,Foot structure,broader
conditions,low-back-pain,,,{DIAGNOSES},LBP-1,,equivalent
substances,metamizole,Metamizolo,Metamizole,atc,N02BB02,metamizole sodium,equivalent

"""
TREE = {
    "key": "P",
    "conditions": [{"key": "C", "condition": "low-back-pain"}],
    "allergies": [{"key": "A", "status": "active", "substance": "metamizole"}],
    "cycles": [
        {
            "key": "Y", "status": "running", "site": "plantar-fascia", "side": "left", "indications": ["C"],
            "sessions": [
                {
                    "key": "S", "status": "done", "start": "2026-03-02", "site": "plantar-fascia",
                    "mixtures": [
                        {"key": "M", "route": "intradermal", "volume": 2, "drugs": [{"substance": "metamizole"}]}
                    ],
                }
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture
def codes(tmp_path: Path) -> Terminology:
    return overlay(tmp_path, LINES)


def overlay(folder: Path, text: str) -> Terminology:
    path = folder / "our-codes.csv"
    path.write_text(text, encoding="utf-8")
    return read_overlay(path)


def wire(clinic: Clinic, tree: Any = TREE) -> dict[str, Any]:
    made = graph(decode(tree), clinic)
    assert made.faults == []
    return {
        f"{m.link.kind} {m.link.key}": exactjson.decode(exactjson.encode({**m.resource, "id": m.handle}))
        for m in made.made
    }


def test_out_with_its_own_system_and_back(codes: Terminology) -> None:
    clinic = Clinic("https://clinic.example/m", codes)
    resources = wire(clinic)
    [site] = resources["Procedure Y"]["bodySite"]
    assert site["coding"] == [
        {"system": SITES, "code": "PF", "display": "Plantar fascia"},
        {"system": SCT, "code": "56459004", "display": "Foot structure"},
    ]
    assert site["text"] == "Fascia plantare, sinistra"
    assert "Fascia plantare" in resources["Procedure Y"]["text"]["div"]
    assert resources["MedicationAdministration M"]["dosage"]["site"]["coding"][0]["code"] == "PF"
    said = resources["Condition C"]["code"]["coding"]
    assert said[0] == {"system": SCT, "code": "279039007", "display": "Low back pain"}
    assert said[-1] == {"system": DIAGNOSES, "code": "LBP-1"}
    assert resources["AllergyIntolerance A"]["code"]["coding"] == [
        {"system": ATC, "code": "N02BB02", "display": "metamizole sodium"}
    ]
    back = understand(resources.values(), clinic)
    assert [plain(h) for h in back.histories] == [plain(decode(TREE))]
    assert (back.kept, back.notes) == ([], [])


def test_the_clinic_s_code_alone_is_read_as_the_word(codes: Terminology) -> None:
    """An EHR that keeps the codes of the clinic only."""
    clinic = Clinic("https://clinic.example/m", codes)
    resources = wire(clinic)
    resources["Condition C"]["code"] = {"coding": [{"system": DIAGNOSES, "code": "LBP-1"}]}
    [history] = understand(resources.values(), clinic).histories
    assert history.conditions[0].condition == "low-back-pain"


def test_it_holds_at_that_clinic_only(codes: Terminology) -> None:
    assert "plantar-fascia" in codes["sites"]
    assert "plantar-fascia" not in code_set("sites")
    assert "plantar-fascia" not in OURS["sites"]
    assert codes["phases"] is code_set("phases")
    assert faults(decode(TREE), codes) == []
    assert {f.path for f in faults(decode(TREE))} == {
        "$.cycles[0].site", "$.cycles[0].sessions[0].site", "$.allergies[0].substance",
        "$.cycles[0].sessions[0].mixtures[0].drugs[0].substance",
    }  # fmt: skip


def test_a_code_that_has_a_word_is_told(codes: Terminology) -> None:
    tree = {"key": "P", "conditions": [{"key": "C", "condition": f"{DIAGNOSES}|LBP-1"}]}
    [fault] = faults(decode(tree), codes)
    assert (fault.what, fault.expected) == ("a code that has a word of ours", "`low-back-pain`")


def test_contradictions_know_its_drugs(codes: Terminology) -> None:
    tree = {**TREE, "allergies": [{"key": "A", "status": "active", "substance": f"{ATC}|N02BB"}]}
    assert [c.rule for c in contradictions(decode(tree), codes=codes)] == ["G3"]


def test_the_schema_knows_its_words(codes: Terminology) -> None:
    def words(schema: Any) -> list[str]:
        return next(f["enum"] for f in schema["$defs"]["Cycle"]["properties"]["site"]["anyOf"] if "enum" in f)

    assert words(json_schema(codes)) == [*words(json_schema()), "plantar-fascia"]


def test_what_can_be_added_to_is_what_fields_hold_openly() -> None:
    columns = [c for t in TABLES.values() for c in t.columns.values()]
    columns += [v for c in columns if c.values for v in c.values.columns.values()]
    assert set(EXTENSIBLE) == {c.codes for c in columns if c.open}


# --- what is refused ----------------------------------------------------------------------------------------

NEW = "sites,heel,Tallone,Heel,https://c.example,H,,equivalent"
WRONG = [
    ("", "our-codes.csv: the terminology is empty; expected a heading set,code"),
    ("set,code\n", "line 1: not the heading of a terminology; expected set,code,it,en"),
    ("{H}\nsites,heel\n", "line 2: 2 cells; expected 8"),
    ('{H}\n"sites\n', "line 2: not CSV"),
    ("{H}\nsite,heel,Tallone,Heel,https://c.example,H,,equivalent", "no set 'site'; expected sites?"),
    ("{H}\nphases,x,X,X,https://c.example,H,,equivalent", "the set 'phases' is closed; expected one of conditions"),
    ("{H}\nsites,Heel,Tallone,Heel,https://c.example,H,,equivalent", "no word in `code`; expected small letters"),
    ("{H}\nsites,heel,,Heel,https://c.example,H,,equivalent", "'heel' is new and lacks a label"),
    ("{H}\nsites,kneee,,,https://c.example,K,,equivalent", "or did you mean 'knee' of ours?"),
    ("{H}\nsites,knee,Ginocchio mio,,https://c.example,K,,equivalent", "'knee' is a word of ours and has its labels"),
    ("{H}\nsites,joint,ginocchio,Joint,https://c.example,J,,equivalent", "'knee' has the same label in `it`"),
    ("{H}\nsites,heel,Tallone,Heel,https://c.example,H,,broader", "the first code of 'heel' only stands near it"),
    ("{H}\nsites,heel,Tallone,Heel,sct,72696002,,equivalent", "the code means 'knee' already"),
    ("{H}\n{N}\nsites,sole,Pianta,Sole,https://c.example,H,,equivalent", "line 3: the code means 'heel' already"),
    ("{H}\n{N}\nsites,heel,,,https://c.example,H,,equivalent", "line 3: 'heel' has this code already"),
    ("{H}\n{N}\nsites,heel,Tallone,Heel,https://c.example,I,,equivalent", "line 3: 'heel' is a word of an earlier"),
    ("{H}\nsites,heel,Tallone,Heel,local,heel,,equivalent", "mesofhir's own code system"),
    ("{H}\nsites,heel,Tallone,Heel,https://w3id.org/mesofhir/x,heel,,equivalent", "mesofhir's own code system"),
    ("{H}\nsites,heel,Tallone,Heel,snomed,H,,equivalent", "no system; expected an absolute URI, or one of sct"),
    ("{H}\nsites,heel,Tallone,Heel,https://c.example,,,equivalent", "no code in `value`"),
    ("{H}\nsites,heel,Tallone,Heel,https://c.example,a|b,,equivalent", "no code in `value`"),
    ("{H}\nsites,heel,Tallone,Heel,https://c.example,H,,equal", "unknown relation 'equal'; expected equivalent?"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_wrong_one_is_refused_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        overlay(tmp_path, text.replace("{H}", HEADING).replace("{N}", NEW))
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'our-codes.csv'}")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_overlay(tmp_path / "gone.csv")
    (tmp_path / "latin.csv").write_bytes(HEADING.encode() + b"\nsites,x,\xe0,X,https://c.example,H,,equivalent")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_overlay(tmp_path / "latin.csv")


def test_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    """With a byte order mark, semicolons, and columns in another order."""
    text = "﻿code;set;it;en;value;system;display;relation\r\nheel;sites;Tallone;Heel;H;https://c.example;;equivalent\r\n"
    assert overlay(tmp_path, text)["sites"].label("heel", "it") == "Tallone"


# --- the README ---------------------------------------------------------------------------------------------


def test_the_readme_s_file_and_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [part] = re.findall(r"^### Words and codes of your own\n(.*?)^## ", readme, re.M | re.S)
    config, table = re.findall(r"^```(?:toml|csv)\n(.*?)^```", part, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesofhir.toml").write_text(config, encoding="utf-8")
    (tmp_path / "our-codes.csv").write_text(table, encoding="utf-8")
    tree = {"key": "P", "cycles": [{"key": "Y", "status": "planned", "site": "plantar-fascia"}]}
    (tmp_path / "clinic.json").write_bytes(exactjson.encode(tree))
    for args in (["convert", "clinic.json", "x.fhir.ndjson"], ["convert", "x.fhir.ndjson", "back.json"]):
        assert CliRunner().invoke(main, args).exit_code == 0
    assert b'"code":"PF"' in (tmp_path / "x.fhir.ndjson").read_bytes()
    assert exactjson.decode((tmp_path / "back.json").read_bytes()) == tree


# --- on the command line ------------------------------------------------------------------------------------


def test_the_configuration_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "our-codes.csv").write_text(LINES, encoding="utf-8")
    (tmp_path / "clinic.json").write_bytes(exactjson.encode(TREE))
    config = tmp_path / "mesofhir.toml"

    def run(*args: str) -> Any:
        return CliRunner().invoke(main, args)

    config.write_text('namespace = "https://clinic.example/m"\n', encoding="utf-8")
    assert run("check", "clinic.json").exit_code == 3
    with config.open("a", encoding="utf-8") as file:
        file.write('terminology = "our-codes.csv"\n')
    assert run("check", "clinic.json").exit_code == 0
    assert run("convert", "clinic.json", "clinic.fhir.ndjson").exit_code == 0
    assert run("convert", "clinic.fhir.ndjson", "back.json").exit_code == 0
    clinic = Clinic("https://clinic.example/m", read_overlay(tmp_path / "our-codes.csv"))
    with read("back.json", clinic=clinic) as items:
        assert [plain(i.history) for i in items] == [plain(decode(TREE))]
    assert "plantar-fascia" in run("schema").stdout
    config.write_text('terminology = "our-codes.csv"\n', encoding="utf-8")
    result = run("convert", "clinic.json", "out")
    assert (result.exit_code, "namespace is missing" in result.stderr) == (2, True)
    config.write_text('namespace = "https://clinic.example/m"\nterminology = "gone.csv"\n', encoding="utf-8")
    result = run("check", "clinic.json")
    assert (result.exit_code, "gone.csv: the terminology cannot be read" in result.stderr) == (2, True)
