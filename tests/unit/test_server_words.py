"""What is repeated of a server's words, of its capabilities, and how parameters are written."""

import random
from urllib.parse import parse_qs, unquote

import pytest

from mesofhir.fhir.definitions import elements_of, model_of
from mesofhir.mapping import Clinic, graph
from mesofhir.server import identifier_query, search_value
from mesofhir.server.capability import read_capabilities
from mesofhir.server.outcomes import issues, lines, safe_path, safe_text
from mesofhir.server.query import is_personal
from mesofhir.server.retry import retry_after
from mesofhir.server.words import ELEMENTS
from tests.contract.histories import history, rich

NS = "https://clinic.example/mesotherapy"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        # as HAPI 8.8.0 says it
        (
            'HAPI-0524: Unknown search parameter "foobar" for resource type "Patient".',
            'HAPI-0524: Unknown search parameter "…" for resource type "Patient".',
        ),
        (
            'HAPI-1821: [element="gender"] Invalid attribute value "Rossi": Unknown GenderEnum code',
            'HAPI-1821: [element="gender"] Invalid attribute value "…": Unknown … code',
        ),
        (
            'HAPI-0958: Failed to CREATE Patient with match URL "identifier=https%3A%2F%2Fc%7Crossi" because'
            " this search matched 2 resources",
            'HAPI-0958: Failed to CREATE Patient with match URL "identifier=https…" because'
            " this search matched 2 resources",
        ),
        (
            "HAPI-1094: Resource Patient/42369f99-459d not found, specified in path: Procedure.subject",
            "HAPI-1094: Resource Patient/… not found, specified in path: Procedure.subject",
        ),
        ('Invalid date/time/quantity format: "1960-13-01"', 'Invalid date/time/quantity format: "…"'),
        # as others might
        (
            "Patient Rossi Mario (12/03/1960, 63 years, 82.5 kg) already exists",
            "Patient … (…) already exists",
        ),
        ("ROSSI MARIO, RSSMRA60C12F205X", "…"),
        ("Massimo Long, Will Field and Mark Case", "… and …"),
        ("Bundle exceeds the maximum of 100 entries", "Bundle exceeds the maximum of 100 entries"),
        ("Il campo codice fiscale è obbligatorio", "… campo codice … obbligatorio"),
        ("Invalid path Patient.mario.rossi at Patient.name", "Invalid path … at Patient.name"),
        ("", ""),
        ("\x00\x1b[31m‮évil", "…[…"),
    ],
)
def test_words_of_servers_are_kept_and_values_are_not(said: str, shown: str) -> None:
    assert safe_text(said) == shown


def test_no_name_passes_whatever_stands_around_it() -> None:
    chance = random.Random(7)
    marks = [*" .,:;'\"()[]{}<>/\\|=&?!-_*`~\n\t", "HAPI-0001: ", "Patient/", "matched ", "code '"]
    for _ in range(2000):
        name = chance.choice(
            ["Zqxrossi", "ZQXROSSI", "zqxrossi", "Zqx Rossi", "19600312", "1960-03-12", "82.5"]
        )
        text = "".join(chance.choices(marks, k=4)) + name + "".join(chance.choices(marks, k=4))
        shown = safe_text(text).casefold()
        assert "zqx" not in shown
        assert "1960" not in shown
        assert "82" not in shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("Bundle.entry[3].resource.name[0].family", "Bundle.entry[3].resource.name[0].family"),
        ("Patient.name.where(family='a.rossi.b').given", "Patient.name.where.given"),
        ("/f:Bundle/f:entry[1]/f:resource", "Bundle.entry[1].resource"),
        ("Observation.value[x]", "Observation.value[x]"),
        ("Rossi.Mario", "…"),
        ("Patient.Rossi.id", "Patient.…id"),
        ("12/03/1960", "…"),
        ("Patient.rossi", "Patient.…"),
        ("Patient.name[0].rossi.given", "Patient.name[0].…given"),
        ("/f:Patient/f:rossi", "Patient.…"),
        ("Procedure.extension[0].value.ofType(CodeableConcept).coding", "Procedure.extension[0].value.ofType.coding"),
        ("Procedure.extension[0].valueCodeableConcept", "Procedure.extension[0].valueCodeableConcept"),
    ],
)
def test_paths_are_kept_and_what_they_quote_is_not(path: str, shown: str) -> None:
    assert safe_path(path) == shown


def test_the_segments_of_paths_are_the_elements_of_what_is_exchanged() -> None:
    kinds = {m.link.kind for m in graph(history(rich()), Clinic(NS)).made}
    kinds |= {"Bundle", "OperationOutcome", "Parameters", "CapabilityStatement", "DocumentReference", "Medication"}
    found: set[str] = set()
    waiting = [model for kind in kinds if (model := model_of({"resourceType": kind}))]
    for model in waiting:  # grows on the way
        for e in elements_of(model).elements.values():
            found |= {e.key, e.choice} - {""}
            if e.model and e.model() not in waiting:
                waiting.append(e.model())
    names = {name for name in found if not name.startswith("_")}
    assert len(waiting) > len(kinds) > 15
    assert names <= ELEMENTS
    assert sorted(ELEMENTS - names) == []


def test_issues_of_an_outcome() -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "invalid",
                "details": {
                    "text": "Value required",
                    "coding": [{"code": "MSG_PARAM_INVALID", "display": "not valid"}],
                },
                "diagnostics": "Patient Rossi is missing",
                "expression": ["Patient.name"],
            },
            {"severity": "warning", "code": "Rossi"},
            {"severity": ["Rossi"], "code": {}, "details": "Rossi", "expression": "Rossi"},
            "Rossi",
        ],
    }
    found = issues(outcome)
    assert [(issue.severity, issue.code, issue.failed) for issue in found] == [
        ("error", "invalid", True),
        ("warning", "unknown", False),
        ("error", "unknown", True),
    ]
    assert (
        lines(outcome)[0]
        == "error invalid at Patient.name: Value required …_INVALID not valid Patient … is missing"
    )
    assert "Rossi" in found[0].said
    assert "Rossi" not in repr(found)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "x",
        {},
        {"resourceType": "OperationOutcome"},
        {"resourceType": "Patient", "issue": [{}]},
        {"resourceType": "OperationOutcome", "issue": {"severity": "error"}},
    ],
)
def test_what_is_no_outcome_has_no_issues(broken: object) -> None:
    assert issues(broken) == ()


# --- capabilities -------------------------------------------------------------------------------------------


def test_what_is_not_said_is_unknown() -> None:
    empty = read_capabilities({"resourceType": "CapabilityStatement"})
    assert (empty.fhir_version, empty.software, empty.transaction, empty.batch) == (None, None, None, None)
    patient = empty.of("Patient")
    assert (patient.listed, patient.interactions, patient.conditional_create) == (False, None, None)


def test_what_is_said_is_read() -> None:
    """As HAPI says it: a transaction but no batch, no updateCreate."""
    said = read_capabilities(
        {
            "fhirVersion": "4.0.1",
            "software": {"name": "HAPI FHIR Server", "version": "8.8.0"},
            "rest": [
                {"mode": "client", "interaction": [{"code": "batch"}]},
                {
                    "mode": "server",
                    "interaction": [{"code": "transaction"}, {"code": "history-system"}],
                    "resource": [
                        {
                            "type": "Procedure",
                            "interaction": [{"code": "read"}, {"code": "create"}],
                            "versioning": "versioned-update",
                            "conditionalCreate": True,
                            "conditionalUpdate": False,
                            "searchParam": [{"name": "identifier", "type": "token"}, {"type": "token"}],
                        },
                        {"type": "Goal"},
                    ],
                },
            ],
        }
    )
    procedure, goal = said.of("Procedure"), said.of("Goal")
    assert (said.transaction, said.batch, said.software_version) == (True, None, "8.8.0")
    assert procedure.interactions == {"read", "create"}
    assert (procedure.conditional_create, procedure.conditional_update, procedure.update_create) == (
        True,
        False,
        None,
    )
    assert (procedure.versioning, procedure.search_params) == ("versioned-update", {"identifier"})
    assert (goal.listed, goal.interactions, goal.search_params) == (True, None, None)


@pytest.mark.parametrize(
    "odd",
    [
        {"rest": {}, "software": [], "fhirVersion": 4},
        {"rest": [None, {"mode": "server", "resource": "x", "interaction": {}}]},
        {
            "rest": [
                {"mode": "server", "resource": [None, {}, {"type": 3}], "interaction": [None, {"code": 1}]}
            ]
        },
        {"rest": [{"resource": [{"type": "Patient", "conditionalCreate": "yes", "searchParam": {}}]}]},
    ],
)
def test_what_has_the_wrong_shape_is_not_said(odd: dict[str, object]) -> None:
    read = read_capabilities(odd)
    assert (read.transaction, read.of("Patient").conditional_create, read.of("Patient").search_params) == (
        None,
    ) * 3


def test_an_empty_list_says_that_there_is_none() -> None:
    read = read_capabilities({"rest": [{"resource": [{"type": "Patient", "searchParam": [[]], "interaction": []}]}]})
    assert (read.of("Patient").search_params, read.of("Patient").interactions) == (frozenset(), frozenset())


# --- parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("plain", "plain"),
        (r"a\b", r"a\\b"),
        ("a,b|c$d", r"a\,b\|c\$d"),
        (r"\,", r"\\\,"),
        ("è & + %", "è & + %"),
    ],
)
def test_values_are_escaped_for_fhir(value: str, escaped: str) -> None:
    assert search_value(value) == escaped


@pytest.mark.parametrize("value", ["k1", "a b&c+d%e?fà", "x\\y,z|w$v", '"q" <b> #h;/:@=', "日本"])
def test_the_query_for_an_identifier_is_a_query(value: str) -> None:
    query = identifier_query("https://clinic.example/n,s", value)
    assert query.isascii()
    assert not set(query.removeprefix("identifier=")) & set(" &+?#|,$\\/:=")
    expected = r"https://clinic.example/n\,s|" + search_value(value)
    assert parse_qs(query, strict_parsing=True) == {"identifier": [expected]}
    assert unquote(query) == f"identifier={expected}"


@pytest.mark.parametrize(
    ("name", "value", "personal"),
    [
        ("_count", "1", False),
        ("_include", "Patient:organization", False),
        ("status", "completed", False),
        ("status:not", "completed", False),
        ("code", "http://snomed.info/sct|1", False),
        ("identifier", "https://c|", False),
        ("identifier", "https://c|,https://d|", False),
        ("identifier", "https://c|1", True),
        ("identifier", "|1", True),
        ("identifier", "|", True),
        ("identifier", r"https://c\|", True),
        ("identifier", "", True),
        ("identifier:of-type", "https://c|", True),
        ("subject", "Patient/1", False),
        ("subject", "1", False),
        ("patient", "Patient/1,Patient/2", False),
        ("patient", "https://x/Patient/1", True),
        ("subject:identifier", "https://c|1", True),
        ("patient.name", "x", True),
        ("_has:Procedure:subject:identifier", "x", True),
        ("name", "", True),
        ("birthdate", "1960", True),
        ("_text", "x", True),
        ("_filter", "name eq x", True),
        ("_query", "x", True),
        ("nonsense", "x", True),
    ],
)
def test_what_may_stand_in_a_url(name: str, value: str, personal: bool) -> None:
    assert is_personal(name, value) is personal


# --- waiting ------------------------------------------------------------------------------------------------

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30.0),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("1.5", None),
        ("-1", None),
        ("٣", None),
        ("soon", None),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds
