"""``mesofhir server check``: what is said, what is declared missing, and what is not said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mesofhir.server.probed
from mesofhir.cli import main
from mesofhir.cli.server_check import kinds
from mesofhir.errors import NotAuthorised, Refused
from mesofhir.server import Server
from mesofhir.server.answers import Answer

URL = "https://fhir.example.org/r4"
ALL = ("create", "read", "update", "search-type")


def statement(*interactions: str, types: list[str] | None = None, **more: Any) -> dict[str, Any]:
    described = {
        "interaction": [{"code": code} for code in interactions],
        "searchParam": [{"name": "identifier"}],
        "conditionalCreate": True,
        "versioning": "versioned-update",
    } | more
    resources = [described | {"type": kind} for kind in (kinds() if types is None else types)]
    rest = {"mode": "server", "resource": resources, "interaction": [{"code": "transaction"}]}
    return {"software": {"name": "Any", "version": "1"}, "fhirVersion": "4.0.1", "rest": [rest]}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def prepare(said: dict[str, Any], *args: str, code: int, search: Exception | None = None) -> Result:
        def searched(self: Server, *_: Any) -> Any:
            if search:
                raise search
            return iter(())

        statement = {"resourceType": "CapabilityStatement"} | said
        monkeypatch.setattr(Server, "request", lambda self, *_, **__: Answer(200, {}, statement, URL))
        monkeypatch.setattr(Server, "search", searched)
        result = CliRunner().invoke(main, ["server", "check", URL, *args], env={"TOKEN": "abc"})
        assert result.exit_code == code, result.output
        return result

    prepare.patch = monkeypatch
    return prepare


def step(result: Result, kind: str) -> str:
    """How a type goes, and why."""
    [_, line] = [line for line in result.stdout.splitlines() if line.startswith(f"{kind} ")]
    return line.removeprefix(kind).strip()


def row(result: Result, kind: str) -> list[str]:
    [line, _] = [line for line in result.stdout.splitlines() if line.startswith(f"{kind} ")]
    return line.split()[1:]


def test_all_that_a_push_needs(check) -> None:  # type: ignore[no-untyped-def]
    result = check(statement(*ALL), code=0)
    assert f"{URL}: Any 1, FHIR 4.0.1" in result.stdout
    assert "transaction: yes   batch: ?" in result.stdout
    assert all(row(result, kind) == ["yes"] * 7 for kind in kinds())


def test_what_is_not_said_is_not_a_no(check) -> None:  # type: ignore[no-untyped-def]
    """But nothing is written that nobody says can be: a preset may."""
    result = check({"resourceType": "CapabilityStatement"}, code=4)
    assert "software not said, FHIR release not said" in result.stdout
    assert row(result, "CarePlan") == ["?"] * 7
    assert "create: not known of every type" in result.stdout
    assert "a preset may know it" in result.stdout
    settled = check({"resourceType": "CapabilityStatement"}, "--preset", "hapi", code=0)
    assert "create: yes (preset hapi) of every type" in settled.stdout
    assert step(settled, "CarePlan") == "transaction"


def test_an_ehr_that_is_read_only(check) -> None:  # type: ignore[no-untyped-def]
    result = check(statement("read", "search-type", conditionalCreate=False), code=4)
    assert row(result, "CarePlan") == ["no", "yes", "no", "yes", "yes", "no", "yes"]
    assert "missing: CarePlan: taken in no form of its own: not sent" in result.stdout
    assert step(result, "CarePlan").startswith("not sent (create: no (declared); no DocumentReference either")
    assert "missing: Patient" not in result.stdout  # people are found, not made


def test_types_that_it_does_not_list(check) -> None:  # type: ignore[no-untyped-def]
    """The embedded server takes Goals, and does not say so: its preset does."""
    few = statement(*ALL, types=[k for k in kinds() if k != "Goal"])
    result = check(few, code=4)
    assert "not listed, which is not a no: Goal" in result.stdout
    assert row(result, "Goal") == ["?"] * 7
    assert "missing: Goal: taken in no form of its own" in result.stdout
    few["software"] = {"name": "SEKMET FHIR R4 Tester"}
    assert step(check(few, code=0), "Goal") == "transaction, after a search"


def test_no_search_by_identifier(check) -> None:  # type: ignore[no-untyped-def]
    result = check(statement(*ALL, searchParam=[{"name": "patient"}]), code=4)
    assert "missing: Patient: by identifier" in result.stdout
    assert "missing: CarePlan" not in result.stdout  # found by patient then


def test_a_vendor_by_its_preset(check) -> None:  # type: ignore[no-untyped-def]
    everything = statement(*ALL, types=[*kinds(), "DocumentReference"])
    result = check(everything, "--preset", "epic-like", code=4)
    assert "preset epic-like: What Epic documents" in result.stdout
    assert step(result, "Condition").startswith("search, single (transaction: no (preset epic-like)")
    assert "only with verificationStatus provisional" in step(result, "Condition")
    assert step(result, "CarePlan") == "document (create: no (preset epic-like))"
    assert "did you mean epic-like?" in check(everything, "--preset", "epic", code=2).stderr


def test_what_is_not_declared_is_asked_harmlessly_and_remembered(check) -> None:  # type: ignore[no-untyped-def]
    said = statement(*ALL)
    said["rest"][0]["interaction"] = []
    assert "batch: not known" in check(said, code=0).stdout
    assert step(check(said, code=0), "CarePlan").startswith("single (transaction: unknown (not said)")
    asked = []

    def bundle(self: Server, entries: Any, type: str) -> Any:
        asked.append((type, entries))
        if type == "transaction":
            raise Refused("no", 400)

    check.patch.setattr(Server, "bundle", bundle)
    before = datetime.now(UTC)
    result = check(said, "--probe", code=0)
    assert asked == [(t, [{"request": {"method": "GET", "url": "AllergyIntolerance?_summary=count"}}]) for t in
                     ("transaction", "batch")]  # fmt: skip
    days = {f"{day:%Y-%m-%d}" for day in (before, datetime.now(UTC))}  # two, around midnight
    for again in (result, check(said, code=0)):
        assert "batch: yes (probed)" in again.stdout
        assert "transaction: no (probed)" in again.stdout
        assert step(again, "CarePlan") == "batch (transaction: no (probed))"
        assert any(f"probed: asked on {day}, kept until " in again.stdout for day in days)
    asked.clear()
    check(said, "--probe", code=0)
    assert [kind for kind, _ in asked] == ["transaction", "batch"]  # anew, not what was remembered


def test_what_was_asked_of_another_software_or_long_ago_is_forgotten(check) -> None:  # type: ignore[no-untyped-def]
    said = statement(*ALL)
    said["rest"][0]["interaction"] = []
    check.patch.setattr(Server, "bundle", lambda self, entries, type: [])
    assert "batch: yes (probed)" in check(said, "--probe", code=0).stdout
    upgraded = said | {"software": {"name": "Any", "version": "2"}}
    result = check(upgraded, code=0)
    assert "batch: not known" in result.stdout
    assert "probed:" not in result.stdout
    assert "the server says something else of itself since; `mesofhir server check --probe` asks" in result.stderr
    assert "batch: yes (probed)" in check(said, code=0).stdout  # it was not taken from the file
    monthly = said | {"date": "2026-12-01", "id": "another"}  # of a statement that is made anew each time
    assert "batch: yes (probed)" in check(monthly, code=0).stdout
    check.patch.setattr(mesofhir.server.probed, "KEPT", timedelta(0))
    result = check(said, code=0)
    assert "batch: not known" in result.stdout
    assert "that was not in the last 0 days" in result.stderr


@pytest.mark.parametrize(("release", "code"), [("4.0.0", 0), ("4.3.0", 0), ("5.0.0", 4), ("3.0.2", 4), ("4.1.0", 4)])
def test_releases(check, release: str, code: int) -> None:  # type: ignore[no-untyped-def]
    result = check(statement(*ALL) | {"fhirVersion": release}, code=code)
    assert ("missing: FHIR R4" in result.stdout) == bool(code)


def test_whether_the_credentials_open_the_door(check) -> None:  # type: ignore[no-untyped-def]
    """A CapabilityStatement is for everybody."""
    signed = ("--auth", "bearer", "--secret-env", "TOKEN")
    check(statement(*ALL), *signed, code=0)
    assert "error: 401" in check(statement(*ALL), *signed, code=5, search=NotAuthorised("401")).stderr
    refused = check(statement(*ALL), *signed, code=4, search=Refused("no such thing", 400))
    assert "missing: a first search (Patient): no such thing" in refused.stdout
    check(statement(*ALL), code=0, search=NotAuthorised("not asked"))
