"""G1 to G12: each rule fires where two facts stand against each other, names both, and is silent otherwise."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.fhir import exactjson
from mesofhir.records import Fact, Strengths, contradictions, decode, faults, plain
from mesofhir.records.contradictions import DEFAULTS, RULES
from mesofhir.records.contradictions.page import page
from mesofhir.records.tables import TABLES
from mesofhir.sync import Result

ROOT = Path(__file__).parents[2]
Tree = dict[str, Any]
Change = Callable[[Tree], Any]


def session(n: int, **more: Any) -> Tree:
    return {
        "key": f"S{n}", "number": n, "status": "done", "start": f"2026-03-{7 * n - 5:02}", "site": "lumbar",
        "performer": "D", "points": 20,
        "mixtures": [
            {
                "key": f"M{n}", "route": "intradermal", "volume": 3, "prepared": 3,
                "drugs": [{"substance": "ketoprofen"}, {"substance": "lidocaine-hydrochloride"}],
            }
        ],
        **more,
    }  # fmt: skip


def tree() -> Tree:
    """Nothing in it stands against anything."""
    return {
        "key": "P",
        "practitioners": [{"key": "D", "profession": "physician"}],
        "conditions": [{"key": "C", "condition": "low-back-pain"}],
        "cycles": [
            {
                "key": "Y", "status": "running", "protocol": "antalgic-outpatient", "purpose": "antalgic",
                "approach": "allopathic", "phase": "attack", "indications": ["C"], "site": "lumbar",
                "sessions_min": 4, "sessions_max": 6, "sessions_done": 3, "start": "2026-03-02",
                "sessions": [session(1), session(2), session(3)],
                "scores": [{"key": "N", "scale": "nrs", "value": 7, "point": "baseline"}],
            }
        ],
    }  # fmt: skip


def found(changed: Tree, strengths: Strengths | None = None) -> list[tuple[str, str, str, str]]:
    """Rule, severity, and the two places."""
    history = decode(changed)
    assert [f for f in faults(history) if not f.warning] == []
    return [(c.rule, c.severity, said(c.one), said(c.other)) for c in contradictions(history, strengths)]


def said(fact: Fact) -> str:
    return f"{fact.table} {fact.key} {fact.field}"


def finding(**more: Any) -> Change:
    return lambda t: t.update(findings=[{"key": "F", **more}])


def allergy(**more: Any) -> Change:
    record = {"key": "A", "status": "active", "certainty": "confirmed", "substance": "ketoprofen"}
    return lambda t: t.update(allergies=[record | more])


def cycle(**more: Any) -> Change:
    return lambda t: t["cycles"][0].update(**more)


def one(n: int, **more: Any) -> Change:
    """Of session n."""
    return lambda t: t["cycles"][0]["sessions"][n - 1].update(**more)


def mixture(n: int, **more: Any) -> Change:
    return lambda t: t["cycles"][0]["sessions"][n - 1]["mixtures"][0].update(**more)


def both(*changes: Change) -> Change:
    def change(t: Tree) -> None:
        for c in changes:
            c(t)

    return change


def drop(*names: str) -> Change:
    return lambda t: [t["cycles"][0].pop(name) for name in names]


WOUND = {"kind": "open-wound", "site": "lumbar", "found": "2026-03-20"}
PREGNANT = {"kind": "pregnancy", "found": "2026-03-20"}
OVER = both(cycle(status="done", end="2026-03-30", sessions_min=3))
S = "sessions S{} status".format
K = "mixtures M{} drugs[0].substance".format
G1 = ("G1", "error", "findings F kind", "cycles Y status")
FIRES: list[tuple[str, Change, list[tuple[str, str, str, str]]]] = [
    # G1: an open absolute contraindication and an active cycle
    ("G1 at the site", finding(**WOUND), [G1]),
    ("G1 by name", finding(kind="open-wound", cycle="Y"), [G1]),
    ("G1 against anything", finding(**PREGNANT), [G1]),
    ("G1 of a planned cycle", both(cycle(status="planned", sessions=[], scores=[]), drop("sessions_done"),
     finding(**PREGNANT)), [G1]),
    ("G1 said by the record", finding(kind="uncompensated-systemic-disease", strength="absolute", found="2026-04"),
     [G1]),
    ("G1 not known to be controlled", finding(kind="anticoagulant", medicine="warfarin", found="2026-04"), [G1]),
    ("G1 mitigation unknown", finding(**WOUND, unknown=["mitigation"]), [G1]),
    ("G1 while a session took place", both(OVER, finding(**PREGNANT | {"found": "2026-03-05"})),
     [("G1", "error", "findings F kind", S(2)), ("G1", "error", "findings F kind", S(3))]),
    ("G1 until it was eased", both(OVER, finding(**PREGNANT | {"since": "2026-03-05"}, mitigation="-",
     mitigated="2026-03-12")), [("G1", "error", "findings F kind", S(2))]),
    ("G1 a substance", finding(kind="drug-allergy", substance="ketoprofen", found="2026-03-16"),
     [("G1", "error", "findings F kind", K(3))]),
    # G2: contraindicated, and no finding
    ("G2 of a session", both(one(3, status="not-done", reason="contraindicated", mixtures=[]), cycle(sessions_done=2)),
     [("G2", "error", "sessions S3 reason", "patients P findings")]),
    ("G2 of a cycle", cycle(status="stopped", reason="contraindicated"),
     [("G2", "error", "cycles Y reason", "patients P findings")]),
    # G3: an ingredient and an active allergy
    ("G3 the same", allergy(), [("G3", "error", "allergies A substance", K(n)) for n in (1, 2, 3)]),
    ("G3 from that session on", allergy(recorded="2026-03-09T10:45:00+01:00"),
     [("G3", "error", "allergies A substance", K(n)) for n in (2, 3)]),
    ("G3 low", allergy(criticality="low", recorded="2026-03-16"),
     [("G3", "warning", "allergies A substance", K(3))]),
    ("G3 a class", allergy(substance="nsaids", recorded="2026-03-16"),
     [("G3", "error", "allergies A substance", K(3))]),
    ("G3 a class by ATC", allergy(substance="urn:oid:2.16.840.1.113883.6.73|M01AE", recorded="2026-03-16"),
     [("G3", "error", "allergies A substance", K(3))]),
    ("G3 its salt", allergy(substance="lidocaine", recorded="2026-03-16"),
     [("G3", "error", "allergies A substance", "mixtures M3 drugs[1].substance")]),
    ("G3 in the clinic's words", both(mixture(3, drugs=[{"substance_text": "Arnica X"}]), drop("approach"),
     lambda t: t.update(allergies=[{"key": "A", "status": "active", "substance_text": "arnica x "}])),
     [("G3", "error", "allergies A substance_text", "mixtures M3 drugs[0].substance_text")]),
    # G4: sessions and their cycle
    ("G4 numbers", one(3, number=2), [("G4", "error", "sessions S2 number", "sessions S3 number")]),
    ("G4 before", cycle(start="2026-03-03"), [("G4", "warning", "sessions S1 start", "cycles Y start")]),
    ("G4 after", cycle(end="2026-03-15"), [("G4", "warning", "sessions S3 start", "cycles Y end")]),
    ("G4 count", cycle(sessions_done=2), [("G4", "warning", "cycles Y sessions_done", "cycles Y sessions")]),
    # G5: gaps and counts
    ("G5 too soon", one(3, start="2026-03-11"), [("G5", "warning", "sessions S2 start", "sessions S3 start")]),
    ("G5 too late", one(3, start="2026-04-01"), [("G5", "warning", "sessions S2 start", "sessions S3 start")]),
    ("G5 too many", cycle(sessions_min=2, sessions_max=2),
     [("G5", "warning", "cycles Y sessions_done", "cycles Y sessions_max")]),
    ("G5 too many by their number", both(drop("sessions_done", "sessions_max"), cycle(sessions_min=2)),
     [("G5", "warning", "cycles Y sessions", "cycles Y sessions_min")]),
    ("G5 too few", cycle(status="done"), [("G5", "warning", "cycles Y sessions_done", "cycles Y sessions_min")]),
    # G6: pregnancy or breastfeeding against one substance
    ("G6", finding(kind="pregnancy", scope="substance", substance="ketoprofen", since="2026-03-10"),
     [("G6", "warning", "findings F substance", K(3))]),
    ("G6 by the protocol", both(cycle(protocol="pain-micro-injection"),
     finding(kind="breastfeeding", substance="nsaids", since="2026-03-10")),
     [("G6", "warning", "findings F substance", K(3))]),
    # G7: no known allergy, and one
    ("G7", both(allergy(substance="procaine"),
     lambda t: t.update(exclusions=[{"key": "X", "kind": "drug-allergy"}])),
     [("G7", "error", "exclusions X kind", "allergies A status")]),
    ("G7 any", both(allergy(substance="procaine"),
     lambda t: t.update(exclusions=[{"key": "X", "kind": "any-allergy"}])),
     [("G7", "error", "exclusions X kind", "allergies A status")]),
    # G8: approach and drugs, purpose and indication
    ("G8 a drug", both(*(mixture(n, drugs=[{"substance": "homeopathic-preparation"}]) for n in (1, 2, 3))),
     [("G8", "warning", "cycles Y approach", K(1))]),
    ("G8 an indication", cycle(purpose="aesthetic"), [("G8", "warning", "cycles Y purpose", "conditions C condition")]),
    # G9, G10, G11
    ("G9", cycle(scores=[]), [("G9", "warning", "cycles Y purpose", "cycles Y scores")]),
    ("G9 withdrawn", lambda t: t["cycles"][0]["scores"][0].update(status="entered-in-error"),
     [("G9", "warning", "cycles Y purpose", "cycles Y scores")]),
    ("G10", lambda t: t["practitioners"][0].update(profession="nurse"),
     [("G10", "warning", f"sessions S{n} performer", "practitioners D profession") for n in (1, 2, 3)]),
    ("G11 more than prepared", mixture(2, prepared=D("2.9")),
     [("G11", "warning", "mixtures M2 volume", "mixtures M2 prepared")]),
    ("G11 too much for its points", one(2, points=12),
     [("G11", "warning", "sessions S2 points", "mixtures M2 volume")]),
    ("G11 too little", one(2, points=40), [("G11", "warning", "sessions S2 points", "mixtures M2 volume")]),
    # G12: not eased before the next session
    ("G12", finding(kind="uncompensated-systemic-disease", found="2026-03-05"),
     [("G12", "warning", "findings F kind", S(2))]),
    ("G12 a precaution", finding(kind="anticoagulant", medicine="warfarin", controlled=True, found="2026-03-09"),
     [("G12", "warning", "findings F kind", S(2))]),
    ("G12 by name", finding(kind="eczema", strength="relative", session="S3"),
     [("G12", "warning", "findings F kind", S(3))]),
    ("G12 eased too late", finding(kind="uncompensated-systemic-disease", found="2026-03-05", mitigation="-",
     mitigated="2026-03-10"), [("G12", "warning", "findings F kind", S(2))]),
]  # fmt: skip
SILENT: list[tuple[str, Change]] = [
    ("nothing", lambda t: None),
    # G1
    ("G1 eased", finding(**WOUND, mitigation="Healed.", mitigated="2026-03-22")),
    ("G1 ended", finding(**WOUND, until="2026-03-25")),
    ("G1 withdrawn", finding(**WOUND, status="entered-in-error")),
    ("G1 elsewhere", finding(**WOUND | {"site": "knee"})),
    ("G1 on the other side", both(cycle(side="left"), finding(**WOUND, side="right"))),
    ("G1 on hold", both(cycle(status="on-hold"), finding(**PREGNANT))),
    ("G1 after the cycle", both(OVER, finding(**PREGNANT | {"found": "2026-04"}))),
    ("G1 a cycle that is over and no date", both(OVER, finding(kind="pregnancy"))),
    ("G1 another substance", finding(kind="drug-allergy", substance="procaine", found="2026-03-05")),
    ("G1 a substance before", finding(kind="drug-allergy", substance="ketoprofen", found="2026-03-17")),
    ("G1 a withdrawn cycle", both(cycle(status="entered-in-error"), finding(**PREGNANT))),
    # G2
    ("G2 named", both(one(3, status="not-done", reason="contraindicated", mixtures=[]), cycle(sessions_done=2),
     finding(kind="open-wound", session="S3", found="2026-03-16", until="2026-03-20"))),
    ("G2 its cycle", both(cycle(status="stopped", reason="contraindicated"),
     finding(kind="open-wound", session="S3", found="2026-03-17", until="2026-03-20"))),
    ("G2 another reason", cycle(status="stopped", reason="refused")),
    # G3
    ("G3 refuted", allergy(certainty="refuted")),
    ("G3 inactive", allergy(status="inactive")),
    ("G3 withdrawn", lambda t: t.update(allergies=[{"key": "A", "status": "entered-in-error", "substance": "nsaids"}])),
    ("G3 later", allergy(recorded="2026-03-17")),
    ("G3 another of the class", allergy(substance="diclofenac")),
    ("G3 a withdrawn mixture", both(allergy(recorded="2026-03-16"), mixture(3, status="entered-in-error"))),
    # G4, G5
    ("G4 numbers of a withdrawn one", both(one(3, number=2, status="entered-in-error"), cycle(sessions_done=2))),
    ("G4 count of a stopped one", both(one(3, status="stopped"))),
    ("G4 no sessions recorded", cycle(sessions=[], sessions_done=5)),
    ("G4 a partial date", both(cycle(start="2026-03"), one(1, start="2026"))),
    ("G5 maintenance", both(cycle(phase="maintenance"), one(3, start="2026-04-12"))),
    ("G5 at both ends", both(one(2, start="2026-03-05"), one(3, start="2026-03-26"))),
    ("G5 stopped early", cycle(status="stopped", reason="refused")),
    # G6
    ("G6 another substance", finding(kind="pregnancy", scope="substance", substance="diclofenac", since="2026-03-01")),
    ("G6 afterwards", finding(kind="pregnancy", scope="substance", substance="ketoprofen", since="2026-03-17")),
    ("G6 no substance named", both(cycle(protocol="pain-micro-injection"), finding(**PREGNANT))),
    # G7
    ("G7 asked about something else", both(allergy(substance="procaine"),
     lambda t: t.update(exclusions=[{"key": "X", "kind": "pregnancy"}]))),
    ("G7 withdrawn", both(allergy(substance="procaine"),
     lambda t: t.update(exclusions=[{"key": "X", "kind": "drug-allergy", "status": "entered-in-error"}]))),
    # G8
    ("G8 homeopathic", both(cycle(approach="homeopathic"),
     mixture(1, drugs=[{"substance": "homeopathic-preparation"}]))),
    ("G8 by AIC", mixture(1, drugs=[{"substance": "urn:oid:2.16.840.1.113883.2.9.6.1.5|x"}])),
    ("G8 aesthetic", both(cycle(purpose="aesthetic"), lambda t: t["conditions"][0].update(condition="cellulite-pefs"))),
    ("G8 in words", both(cycle(purpose="aesthetic"), lambda t: t["conditions"].__setitem__(0, {"key": "C",
     "condition_text": "Prova"}))),
    # G9, G10, G11
    ("G9 aesthetic", both(cycle(purpose="aesthetic", indications=[], scores=[]))),
    ("G9 not begun", both(cycle(status="planned", sessions=[], scores=[]), drop("sessions_done"))),
    ("G10 not stated", lambda t: t["practitioners"][0].pop("profession")),
    ("G10 of another system", lambda t: t["practitioners"][0].update(profession="urn:oid:2.999|x")),
    ("G11 topical", mixture(1, route="topical", volume=1)),
    ("G11 about", one(2, points=13)),
    # G12
    ("G12 eased", finding(kind="uncompensated-systemic-disease", found="2026-03-05", mitigation="-",
     mitigated="2026-03-08")),
    ("G12 after all sessions", finding(kind="uncompensated-systemic-disease", found="2026-03-17")),
    ("G12 not done", both(finding(kind="uncompensated-systemic-disease", found="2026-03-10"),
     one(3, status="not-done", reason="refused", mixtures=[]), cycle(sessions_done=2))),
    ("G12 no date", finding(kind="uncompensated-systemic-disease")),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [f[1:] for f in FIRES], ids=[f[0] for f in FIRES])
def test_it_fires(change: Change, expected: list[tuple[str, str, str, str]]) -> None:
    changed = tree()
    change(changed)
    assert found(changed) == expected


@pytest.mark.parametrize("change", [s[1] for s in SILENT], ids=[s[0] for s in SILENT])
def test_it_is_silent(change: Change) -> None:
    changed = tree()
    change(changed)
    assert found(changed) == []


def test_every_rule_is_tried_both_ways() -> None:
    keys = [rule.key for rule in RULES]
    assert keys == [f"G{n}" for n in range(1, 13)]
    assert {name.split()[0] for name, _, expected in FIRES if expected} == set(keys)
    assert {name.split()[0] for name, _ in SILENT} == {*keys, "nothing"}


@pytest.mark.parametrize(("change", "expected"), [f[1:] for f in FIRES], ids=[f[0] for f in FIRES])
def test_a_path_leads_to_its_fact(change: Change, expected: Any) -> None:
    changed = tree()
    change(changed)
    whole = plain(decode(changed), by_key=False)
    for c in contradictions(decode(changed)):
        for fact in (c.one, c.other):
            assert f"{fact.table}.{fact.field.rsplit('.', 1)[-1]}".removesuffix("_text") in compared(c.rule)
            assert fact.path.endswith(f".{fact.field}")
            record = fact.path.removesuffix(f".{fact.field}")
            here: Any = whole
            for part in record.removeprefix("$").split(".")[1:]:
                name, _, n = part.rstrip("]").partition("[")
                here = here[name][int(n)]
            assert here["key"] == fact.key


def compared(rule: str) -> tuple[str, ...]:
    return next(r.compares for r in RULES if r.key == rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.key)
def test_what_a_rule_compares_are_fields(rule: Any) -> None:
    for name in rule.compares:
        table, _, field = name.partition(".")
        values = [v for c in TABLES[table].columns.values() if c.values for v in c.values.columns]
        assert field in {*TABLES[table].columns, *TABLES[table].children, *values}


def test_the_page_is_current() -> None:
    wanted = "run: python -m mesofhir.records.contradictions.page > docs/contradictions.md"
    assert (ROOT / "docs" / "contradictions.md").read_text(encoding="utf-8") == page(), wanted


# --- strengths ----------------------------------------------------------------------------------------------


def test_every_kind_of_finding_has_a_default() -> None:
    assert set(DEFAULTS) == set(TABLES["findings"].columns["kind"].choices)


@pytest.mark.parametrize(
    ("said", "fires"),
    [
        ({}, True),
        ({"antalgic-outpatient": {"open-wound": "relative"}}, False),
        ({"default": {"open-wound": "precaution"}}, False),
        ({"default": {"open-wound": "precaution"}, "antalgic-outpatient": {"open-wound": "absolute"}}, True),
        ({"district-intradermal": {"open-wound": "relative"}}, True),
    ],
)
def test_a_clinic_says_how_strong_a_finding_is(said: Any, fires: bool) -> None:
    changed = tree()
    finding(**WOUND)(changed)
    assert found(changed, Strengths(said)) == [G1] * fires
    changed["findings"][0]["strength"] = "absolute"  # the record's own word is stronger
    assert found(changed, Strengths(said)) == [G1]


def test_a_protocol_of_others() -> None:
    changed = tree()
    cycle(protocol="https://hospital.example/protocols/x")(changed)
    finding(**WOUND)(changed)
    assert found(changed, Strengths({"https://hospital.example/protocols/x": {"open-wound": "relative"}})) == []


# --- on the command line ------------------------------------------------------------------------------------


def test_check_tells_them_and_refuses_nothing(tmp_path: Path) -> None:
    source, report = tmp_path / "clinic.json", tmp_path / "report.ndjson"
    trees = [tree() | {"key": "P1", "synthetic": True}]
    cycle(scores=[])(trees[0])
    source.write_bytes(exactjson.encode(trees))
    args = ["check", str(source), "--namespace", "https://clinic.example/m", "--report", str(report)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.stderr
    at = f"{source}: $[0].cycles[0]"
    what = "an antalgic cycle, and no baseline pain score"
    assert f"contradiction G9 (warning): {what}: {at}.purpose | {at}.scores\n" in result.stderr
    assert "1 contradiction: 1 × G9 (facts to look at; nothing is refused for them)" in result.stderr
    [line] = [x for x in map(exactjson.decode, report.read_bytes().splitlines()) if "contradiction" in x]
    assert (line["contradiction"], line["severity"], line["what"]) == ("G9", "warning", what)
    assert [f["where"] for f in line["facts"]] == [f"{at}.purpose", f"{at}.scores"]
    assert [(f["table"], f["key"], f["field"]) for f in line["facts"]] == [
        ("cycles", "Y", "purpose"), ("cycles", "Y", "scores"),
    ]  # fmt: skip
    config = tmp_path / "mesofhir.toml"
    config.write_text("[strengths.default]\nopen-wound = 'relative'\n", encoding="utf-8")
    finding(**WOUND)(trees[0])
    source.write_bytes(exactjson.encode(trees))
    assert "G1" in CliRunner().invoke(main, args).stderr
    assert "G1" not in CliRunner().invoke(main, [*args, "--config", str(config)]).stderr


# --- the hard cases -----------------------------------------------------------------------------------------

EXPECTED = {
    # pregnant from April; the mixture of 4 May held what it stands against, those after it did not
    "P6001": [("G6", "P6001-F1", "P6001-S1-M1")],
    # allergic from the second session on; then one without; the cycle ended one short of its plan
    "P6002": [("G3", "P6002-AL1", "P6002-S2-M1"), ("G5", "P6002-C1", "P6002-C1")],
    "P6003": [("G5", "P6003-C1", "P6003-C1")],  # the wound healed before the next session
    "P6004": [("G8", "P6004-C2", "P6004-MS1-M1"), ("G8", "P6004-C1", "P6004-S1-M1")],  # phosphatidylcholine has no ATC
    "P6006": [("G8", "P6006-C1", "P6006-S3-M1")],
    # of nearly nothing something is known: two findings that nothing eased, and a cycle that is planned
    "P6008": [("G1", "P6008-F1", "P6008-C2"), ("G1", "P6008-F2", "P6008-C2")],
}


def test_the_hard_cases() -> None:
    trees = exactjson.decode((ROOT / "examples" / "hard-cases.json").read_bytes())
    told = {t["key"]: [(c.rule, c.one.key, c.other.key) for c in contradictions(decode(deepcopy(t)))] for t in trees}
    assert {key: found for key, found in told.items() if found} == EXPECTED


def test_a_push_tells_how_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number with the rules, and who says more; they change neither what is sent nor how it ends."""
    monkeypatch.setattr("mesofhir.server.Server.abilities", lambda self: None)
    monkeypatch.setattr("mesofhir.sync.iter_push", lambda histories, *_: [Result(h.key) for h in histories])
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    source, report = tmp_path / "clinic.json", tmp_path / "report.ndjson"
    first, second = (tree() | {"key": key, "synthetic": True} for key in ("P1", "P2"))
    cycle(scores=[])(first)
    source.write_bytes(exactjson.encode([first]))
    args = ["--namespace", "https://clinic.example/m", "--report", str(report), "--dry-run"]
    result = CliRunner().invoke(main, ["push", str(source), "https://fhir.example.org/r4", *args])
    told = "1 contradiction: 1 × G9 (facts to look at; nothing is refused for them; `mesofhir check` says which)\n"
    assert told in result.stderr
    assert "pain score" not in result.stderr
    assert b"contradiction" not in report.read_bytes()
    source.write_bytes(exactjson.encode([second]))
    result = CliRunner().invoke(main, ["push", str(source), "https://fhir.example.org/r4", *args])
    assert "contradiction" not in result.stderr
