"""What a server's $validate says: where it belongs, and how it is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesofhir.errors import Refused
from mesofhir.fhir.references import literals
from mesofhir.formats import Item, read
from mesofhir.mapping import Clinic
from mesofhir.server import Abilities, Capabilities, Finding, Issue
from mesofhir.server.answers import Answer
from mesofhir.server.validation import read_findings
from mesofhir.sync.profiles.validating import ProfilesUnknown, ServerJudge

Resource = dict[str, Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
CANARY = "Kanarienvogel"
MESSAGE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"


def said(expression: str, text: str = "wrong", message: str = "", severity: str = "error") -> Resource:
    issue: Resource = {"severity": severity, "code": "processing", "diagnostics": text, "expression": [expression]}
    return issue | ({"extension": [{"url": MESSAGE, "valueString": message}]} if message else {})


def answer(*issues: Resource, status: int = 200) -> Answer:
    return Answer(status, {}, {"resourceType": "OperationOutcome", "issue": list(issues)}, "")


@pytest.mark.parametrize(
    ("expression", "text", "entry", "path"),
    [
        ("Procedure.partOf[0]", "", None, "$.partOf[0]"),
        ("Procedure", "", None, "$"),
        ("", "", None, "$"),
        ("Bundle.entry[3].resource/*Procedure/null*/.extension[0].value.ofType(Quantity).code", "", 3,
         "$.extension[0].valueQuantity.code"),
        ("Bundle.entry[12].resource.ofType(Goal).target[0].due.ofType(date)", "", 12, "$.target[0].dueDate"),
        ("Bundle.entry[0].resource/*MedicationAdministration/null*/.contained[0]/*Medication/m*/.amount", "", 0,
         "$.contained[0].amount"),
        ("Procedure", "Procedure.partOf: minimum required = 1, but only found 0 (from …)", None, "$.partOf"),
        ("Procedure", "Procedure.partOf: max allowed = 1, but found 2 (from …)", None, "$.partOf"),
        ("Procedure.identifier[1]", "Procedure.identifier.system: minimum required = 1", None,
         "$.identifier[1].system"),
        (f"Patient.name.where(family='{CANARY}').given", "", None, "$.name"),
    ],
)  # fmt: skip
def test_where_an_issue_belongs(expression: str, text: str, entry: int | None, path: str) -> None:
    [found] = read_findings(answer(said(expression, text)))
    assert (found.entry, found.path) == (entry, path)
    assert CANARY not in str(found)


def test_a_broken_invariant_is_named() -> None:
    url = "https://w3id.org/mesofhir/StructureDefinition/mesotherapy-session"
    [found] = read_findings(answer(said("Procedure", message=f"{url}#ses-3")))
    assert found.invariant == "mesotherapy-session#ses-3"
    assert read_findings(answer(said("Procedure", message="Some_Message")))[0].invariant == ""


@pytest.mark.parametrize("status", [400, 412, 422])
def test_what_cannot_even_be_read_is_a_verdict(status: int) -> None:
    [found] = read_findings(answer(said("", "Failed to parse request body"), status=status))
    assert found.issue.failed


@pytest.mark.parametrize(
    "none",
    [
        Answer(404, {}, None, ""),
        Answer(200, {}, {"resourceType": "Parameters"}, ""),
        answer(said("") | {"code": "not-supported"}, status=400),
        answer(said("", severity="warning"), status=422),
        answer(said(""), status=501),
    ],
)
def test_a_server_without_validate(none: Answer) -> None:
    with pytest.raises(Refused, match=r"\$validate"):
        read_findings(none)


class Fake:
    """A server whose validator wants an identifier, and knows what it is told to know."""

    url = "https://fhir.example.org/r4"

    def __init__(
        self, *, looks_into_bundles: bool = True, profiles: bool = True, reads: bool = True, shows: bool | None = True
    ) -> None:
        self.looks, self.profiles, self.reads, self.shows = looks_into_bundles, profiles, reads, shows
        self.bundles = True
        self.asked: list[Resource] = []

    def abilities(self) -> Abilities:
        return Abilities(Capabilities())

    def search(self, kind: str, params: list[tuple[str, str]], *, count: int) -> Iterator[Resource]:
        if self.shows is None:
            raise Refused("no search", 405)
        return iter([{"resourceType": kind, "url": params[0][1]}] if self.shows else [])

    def validate(self, resource: Resource) -> list[Finding]:
        self.asked.append(resource)
        if resource["resourceType"] != "Bundle":
            return self._judge(resource, None)
        if not self.bundles:
            raise Refused("no $validate of a Bundle", 405)
        entries = resource["entry"]
        if len(entries) > 2 and not self.reads:
            return [Finding(None, "$", "", Issue("error", "processing", (), "Failed to parse request body", ""))]
        return [f for n, e in enumerate(entries) for f in self._judge(e["resource"], n)] if self.looks else []

    def _judge(self, resource: Resource, entry: int | None) -> list[Finding]:
        good = "identifier" in resource or not self.profiles
        return [] if good else [Finding(entry, "$.identifier", "", Issue("error", "required", (), "missing", ""))]


@pytest.fixture
def item() -> Item:
    [one] = read(str(EXAMPLES / "analgesic-outpatient.json"))
    return one


CLINIC = Clinic("https://clinic.example/mesotherapy")


def test_a_history_is_one_bundle_and_refers_to_itself(item: Item) -> None:
    fake = Fake()
    assert list(ServerJudge(fake, CLINIC).judge(item)) == []  # type: ignore[arg-type]
    _, bundle = fake.asked
    assert {url for e in bundle["entry"] for url in literals(e["resource"])} <= {e["fullUrl"] for e in bundle["entry"]}


@pytest.mark.parametrize("fake", [Fake(looks_into_bundles=False), Fake(reads=False)], ids=["no bundles", "unreadable"])
def test_else_each_resource_is_asked_alone_and_refers_to_nothing(item: Item, fake: Fake) -> None:
    assert list(ServerJudge(fake, CLINIC).judge(item)) == []  # type: ignore[arg-type]
    alone = [x for x in fake.asked if x["resourceType"] != "Bundle"][-len(item.graph(CLINIC).made) :]
    assert [literals(x) for x in alone] == [set()] * len(item.graph(CLINIC).made)
    assert all(x["subject"]["identifier"] for x in alone if "subject" in x)


def test_a_server_that_judges_by_no_profile_of_ours() -> None:
    with pytest.raises(ProfilesUnknown, match="mesofhir profiles install"):
        ServerJudge(Fake(profiles=False), CLINIC)  # type: ignore[arg-type]


def test_a_validator_is_not_asked_for_profiles_that_the_server_does_not_show() -> None:
    fake = Fake(shows=False)
    with pytest.raises(ProfilesUnknown, match="mesofhir profiles install"):
        ServerJudge(fake, CLINIC)  # type: ignore[arg-type]
    assert fake.asked == []


def test_a_server_that_validates_resources_and_no_bundles(item: Item) -> None:
    fake = Fake()
    fake.bundles = False
    judge = ServerJudge(fake, CLINIC)  # type: ignore[arg-type]
    assert not judge.bundles
    assert list(judge.judge(item)) == []


def test_a_server_that_cannot_be_searched_is_tried() -> None:
    assert ServerJudge(Fake(shows=None), CLINIC).bundles  # type: ignore[arg-type]
