"""Identifiers of Italy: checked, read under every name of their system, written under the one that is chosen.

All persons are invented: the codici fiscali below are of people called Prova, born at a place that does not exist.
"""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from codicefiscale.codicefiscale import encode_cin

from mesofhir.cli import config, main
from mesofhir.errors import UsageError
from mesofhir.fhir import exactjson
from mesofhir.mapping import Clinic, graph, understand
from mesofhir.records import decode, faults, plain
from mesofhir.records.identifiers import CHOICES, KINDS, names, same_system, wrong

URL, OID = CHOICES["codice_fiscale"]
FISCAL = "PRVPNT61A01X999T"
CLINIC = Clinic("https://clinic.example/m")


def tree(*identifiers: tuple[str, str]) -> dict[str, Any]:
    return {"key": "P", "synthetic": True, "identifiers": [{"system": s, "value": v} for s, v in identifiers]}


def patient(told: Any, clinic: Clinic = CLINIC, old: Any = None) -> dict[str, Any]:
    [made] = graph(decode(told), clinic).made
    return exactjson.decode(exactjson.encode(made.over(old)[0]))


def pairs(x: dict[str, Any]) -> list[tuple[str, str]]:
    """Without the clinic's own key."""
    return [(i["system"], i["value"]) for i in x["identifier"] if not i["system"].startswith(CLINIC.namespace)]


# --- checked ------------------------------------------------------------------------------------------------


def test_omocodia_is_a_codice_fiscale_of_its_own() -> None:
    """Where two persons would have the same, a digit of one becomes a letter; they stay two persons."""
    other = FISCAL[:14] + "V"  # the letter of the digit 9
    other += encode_cin(other)
    assert wrong(URL, other) is None
    assert other != FISCAL
    assert wrong(URL, FISCAL[:14] + "V" + FISCAL[15]) is not None


@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        ("codice_fiscale", FISCAL, True),
        ("codice_fiscale", FISCAL[:15] + "A", False),
        ("codice_fiscale", FISCAL[:15], False),
        ("codice_fiscale", "PRVPNT61F01X999T", False),  # F is no month
        ("codice_fiscale", "01234567890", True),  # a provisional one
        ("codice_fiscale", "STP1201010000001", True),  # in its place
        ("stp", "STP1201010000001", True),
        ("stp", "ENI1201010000001", False),
        ("stp", "STP120101000001", False),
        ("eni", "ENI1201010000001", True),
        ("eni", "1201010000001", False),
        ("ana", "x", True),
        ("anpr", "x", True),
        ("team", "x", True),
        ("asl", "x", True),
        ("facility", "x", True),
    ],
)
def test_what_each_looks_like(kind: str, value: str, right: bool) -> None:
    assert {wrong(system, value) is None for system in KINDS[kind].systems} == {right}


def test_a_fault_names_no_value() -> None:
    bad = FISCAL[:15] + "A"
    [fault] = faults(decode(tree((OID, bad))))
    assert (fault.path, fault.what) == ("$.identifiers[0].value", "its check character does not fit the rest")
    assert bad not in str(fault)
    person = {"key": "D", "identifiers": [{"system": URL, "value": bad}]}
    whole = {"key": "P", "practitioners": [person], "cycles": [{"key": "Y", "status": "running", "physician": "D"}]}
    assert [f.path for f in faults(decode(whole))] == ["$.practitioners[0].identifiers[0].value"]


def test_no_system_has_two_kinds() -> None:
    systems = [s for kind in KINDS.values() for s in kind.systems]
    assert len(systems) == len(set(systems))
    assert all(same_system(a, b) for kind in KINDS.values() for a in kind.systems for b in kind.systems)
    assert names("https://ehr.example/mrn") == ("https://ehr.example/mrn",)


# --- there and back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("here", "there"), [(URL, OID), (OID, URL)])
def test_what_stands_under_the_other_name_stays_and_is_not_doubled(here: str, there: str) -> None:
    old = patient(tree((there, FISCAL)))
    assert patient(tree((here, FISCAL)), old=old) == old
    assert patient(tree((here, FISCAL)), Clinic(CLINIC.namespace, systems=(here,)), old) == old


def test_what_the_ehr_mistyped_costs_that_identifier() -> None:
    right = patient(tree((URL, FISCAL), ("https://ehr.example/mrn", "1")))
    theirs = {**right, "id": "1"}
    next(i for i in theirs["identifier"] if i["system"] == URL)["value"] = FISCAL[:15] + "A"
    back = understand([theirs], CLINIC)
    assert [plain(h) for h in back.histories] == [plain(decode(tree(("https://ehr.example/mrn", "1"))))]
    assert back.kept == []
    assert [(n.path, n.reason) for n in back.notes] == [("$.identifier.value", "an identifier that cannot be right")]


# --- configured ---------------------------------------------------------------------------------------------


def test_the_configuration_chooses(tmp_path: Path) -> None:
    path, source, out = tmp_path / "mesofhir.toml", tmp_path / "clinic.json", tmp_path / "x.fhir.ndjson"
    path.write_text(f'namespace = "{CLINIC.namespace}"\n[identifiers]\ncodice_fiscale = "{OID}"\n', encoding="utf-8")
    source.write_bytes(exactjson.encode(tree((URL, FISCAL))))
    result = CliRunner().invoke(main, ["convert", str(source), str(out), "--config", str(path)])
    assert result.exit_code == 0, result.stderr
    assert pairs(exactjson.decode(out.read_bytes().splitlines()[0])) == [(OID, FISCAL)]
    source.write_bytes(exactjson.encode(tree((URL, FISCAL[:15] + "A"))))
    result = CliRunner().invoke(main, ["check", str(source), "--config", str(path)])
    assert result.exit_code == 3
    assert f"{source}: $.identifiers[0].value: its check character does not fit the rest" in result.stderr
    assert FISCAL[:15] not in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('codice_fiscal = "x"', "identifiers.codice_fiscal: unknown; did you mean codice_fiscale?"),
        ('codice_fiscale = "x"', f"identifiers.codice_fiscale: not a name of that system; expected {URL} or {OID}"),
        ('stp = "x"', "identifiers.stp: unknown"),
    ],
)
def test_a_wrong_choice_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mesofhir.toml"
    path.write_text(f"[identifiers]\n{text}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        config.load(path)
    assert words in str(caught.value)
