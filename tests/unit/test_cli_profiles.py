"""`mesofhir profiles`: the package in words, and the mistakes of those who ask for it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main
from mesofhir.fhir.profiles import package
from mesofhir.fhir.profiles.described import KINDS, kind, listed, rows, translated
from mesofhir.fhir.profiles.package import archive, read
from mesofhir.terminology import LANGUAGES, code_set


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["profiles", *map(str, args)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_has_everything_once_under_its_kind(language):
    lines = run("list", "--language", language).stdout.splitlines()
    assert [x for x in lines if x and not x.startswith(" ")] == list(KINDS.values())
    urls = [x.split()[-1] for x in lines if x.startswith(" ")]
    assert sorted(urls) == sorted(package().by_url)


def test_the_list_speaks_italian():
    assert "Seduta di mesoterapia" in run("list", "--language", "it").stdout
    assert "Mesotherapy session" in run("list").stdout


@pytest.mark.parametrize("name", [r["id"] for r in listed(package()) if kind(r) in ("profile", "extension")])
def test_show_has_every_element_and_rule_of_a_profile(name):
    shown = run("show", name)
    assert shown.exit_code == 0
    definition = next(r for r in listed(package()) if r["id"] == name and kind(r) in ("profile", "extension"))
    for row in rows(definition, package(), "en"):
        assert any(row.element.strip() in x and row.cardinality in x for x in shown.stdout.splitlines())
    for e in definition["differential"]["element"]:
        for c in e.get("constraint", ()):
            assert f"{c['key']}  " in shown.stdout


@pytest.mark.parametrize("definition", [r for r in listed(package()) if kind(r) == "profile"], ids=lambda r: r["id"])
def test_every_must_support_element_has_a_meaning_in_both_languages(definition):
    assert translated(definition, "description", "it") != translated(definition, "description", "en")
    english = {r.element: r.meaning for r in rows(definition, package(), "en")}
    for row in rows(definition, package(), "it"):
        if "MS" in row.cardinality:
            assert row.meaning
            assert row.meaning != english[row.element], row.element


def test_show_lists_the_codes_of_a_value_set_with_italian_labels():
    shown = run("show", "sites", "--language", "it").stdout
    for token in code_set("sites"):
        assert code_set("sites").label(token, "it") in shown


def test_show_takes_a_url():
    url = "https://w3id.org/mesofhir/StructureDefinition/pain-score"
    assert run("show", url).stdout == run("show", "pain-score").stdout


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mesotherapy-sesion", "did you mean 'mesotherapy-session'?"), ("zzzz", "`mesofhir profiles list` names all")],
)
def test_a_name_that_there_is_not(name, hint):
    shown = run("show", name)
    assert shown.exit_code == 2
    assert hint in shown.stderr
    assert shown.stdout == ""


def test_a_verb_that_there_is_not():
    assert run("instal", "x").exit_code == 2


def test_package_writes_what_mesofhir_judges_by(tmp_path):
    done = run("package", tmp_path)
    assert done.exit_code == 0
    [written] = tmp_path.iterdir()
    assert written.name == f"mesofhir.profiles#{package().of('CodeSystem')[0]['version']}.tgz"
    assert written.read_bytes() == archive()
    assert read(written.read_bytes()).by_url.keys() == package().by_url.keys()


def test_package_says_what_it_replaces(tmp_path):
    target = tmp_path / "p.tgz"
    target.write_bytes(gzip.compress(b""))
    done = run("package", target)
    assert done.exit_code == 0
    assert "is replaced" in done.stderr
    assert target.read_bytes() == archive()


def test_package_into_no_folder(tmp_path):
    done = run("package", tmp_path / "no" / "p.tgz")
    assert done.exit_code == 2
    assert "no such folder" in done.stderr


def test_install_on_a_name_that_is_not_configured():
    done = run("install", "hospital")
    assert done.exit_code == 2


def test_install_where_nobody_answers():
    done = run("install", "http://127.0.0.1:9/fhir")
    assert done.exit_code == 5
