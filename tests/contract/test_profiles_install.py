"""`mesofhir profiles install` on real servers: what is put there, once, and that HAPI validates by it at once."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.fhir.profiles import Package, package
from mesofhir.server import Server
from mesofhir.sync.profiles.conformance import Installed, install, ordered
from tests.servers import FhirServer

CORE = "http://hl7.org/fhir/"
EXAMPLE = Path(__file__).parents[2] / "examples" / "analgesic-outpatient.json"
NAMESPACE = "https://clinic.example/mesotherapy"


def words(done: list[Installed]) -> Counter[str]:
    return Counter(i.word for i in done)


def of_namespace(namespace: str) -> Package:
    """Our package under URLs of its own: the tests of a run share the servers."""

    def moved(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: moved(v) for k, v in x.items()}
        if isinstance(x, list):
            return [moved(v) for v in x]
        return x.replace("https://w3id.org/mesofhir", namespace) if isinstance(x, str) else x

    return Package(moved(copy.deepcopy(dict(r))) for r in package().by_url.values())


def test_each_comes_after_what_it_names():
    order = [r["url"] for r in ordered(package())]
    assert sorted(order) == sorted(package().by_url)
    at = {url: n for n, url in enumerate(order)}
    for r in package().of("StructureDefinition"):
        for e in r["differential"]["element"]:
            url = e.get("binding", {}).get("valueSet", "")
            assert at.get(url, -1) < at[r["url"]]
            for t in e.get("type", ()):
                assert all(at.get(u, -1) < at[r["url"]] for u in t.get("profile", ()))


@pytest.mark.hapi
def test_new_then_the_same_then_one_that_changed(hapi: FhirServer, namespace: str):
    ours = of_namespace(namespace)
    with Server(hapi.url) as server:
        assert words(install(server, ours, dry_run=True)) == {"new": len(ours.by_url)}
        assert words(install(server, ours)) == {"new": len(ours.by_url)}, "the dry run wrote nothing"
        assert words(install(server, ours)) == {"same": len(ours.by_url)}
        theirs = next(r for r in ours.by_url.values() if r["id"] == "pain-score")
        changed = Package([{**r, "title": "Another"} if r is theirs else r for r in ours.by_url.values()])
        told: list[Installed] = []
        assert words(install(server, changed, dry_run=True)) == {"same": len(ours.by_url) - 1, "changed": 1}
        assert words(install(server, changed, say=told.append)) == {"same": len(ours.by_url) - 1, "changed": 1}
        assert [i.resource["id"] for i in told if i.word == "changed"] == ["pain-score"]
        [held] = server.search("StructureDefinition", [("url", theirs["url"])])
        assert held["title"] == "Another"
        versions = list(server.history("StructureDefinition", held["id"]))
        assert len(versions) == 2


@pytest.mark.hapi
def test_another_version_stays_beside_ours(hapi: FhirServer, namespace: str):
    ours = of_namespace(namespace)
    first = next(r for r in ours.by_url.values() if r["id"] == "sides")
    with Server(hapi.url) as server:
        assert words(install(server, Package([first]))) == {"new": 1}
        assert words(install(server, Package([{**first, "version": "9.9.9"}]))) == {"new": 1}
        held = list(server.search("ValueSet", [("url", first["url"])]))
        assert sorted(r["version"] for r in held) == [first["version"], "9.9.9"]


@pytest.mark.hapi
def test_a_bare_hapi_validates_by_each_profile_at_once(bare_hapi: FhirServer):
    """Also where somebody has checked a source on it before, and was told that it lacks the profiles."""

    def checked(code: int) -> str:
        done = CliRunner().invoke(main, ["check", str(EXAMPLE), "--server", bare_hapi.url, "--namespace", NAMESPACE])
        assert done.exit_code == code, done.stderr
        return done.stderr

    def run(*more: str) -> str:
        done = CliRunner().invoke(main, ["profiles", "install", bare_hapi.url, *more])
        assert done.exit_code == 0, done.stderr
        return done.stderr.splitlines()[-1]

    lacks = "does not judge by the profiles of mesofhir: `mesofhir profiles install` puts them there"
    assert lacks in checked(4)
    total = len(package().by_url)
    assert run("--dry-run") == f"{total} new (nothing was written)"
    assert run() == f"{total} new"
    assert run() == f"{total} same"
    with Server(bare_hapi.url) as server:
        for definition in package().of("StructureDefinition"):
            if definition["type"] == "Extension":
                continue
            nothing = {"resourceType": definition["type"], "meta": {"profile": [definition["url"]]}}
            answer = server.request("POST", f"{definition['type']}/$validate", body=nothing, reads=True)
            said = [i["diagnostics"] for i in (answer.body or {})["issue"]]
            assert not any("profile" in text and "retrieve" in text for text in said), (definition["id"], said)
            if definition["id"] != "mesotherapy-cocktail":  # which may leave out everything
                assert any(f"(from {definition['url']}" in text for text in said), (definition["id"], said)
    checked(0)


def test_a_server_that_holds_no_profiles_says_so(sekmet: FhirServer):
    done = CliRunner().invoke(main, ["profiles", "install", sekmet.url])
    assert done.exit_code == 4
    assert done.stderr.splitlines()[-1] == f"{len(package().by_url)} refused"
    assert done.stdout.count("the server does not let us look for a ValueSet by its URL: ") == 1
