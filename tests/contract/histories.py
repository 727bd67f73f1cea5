"""Treatment histories for the contract tests, as trees that a test changes before it makes records of them."""

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal as D
from typing import Any

from mesofhir.records import TABLES, TreatmentHistory, decode

Tree = dict[str, Any]


def small(key: str = "P1", **more: Any) -> Tree:
    """A patient with a condition, a cycle and a session: seven resources."""
    return {
        "key": key,
        "language": "it",
        "synthetic": True,
        "family": "Prova",
        "conditions": [{"key": f"{key}-C", "condition": "low-back-pain", "status": "active"}],
        "cycles": [
            {
                "key": f"{key}-Y",
                "status": "running",
                "start": "2026-03",
                "sessions": [{"key": f"{key}-S", "status": "done", "start": "2026-03-02", "place": "Sala 1"}],
            }
        ],
        **more,
    }


def rich(key: str = "P1") -> Tree:
    """Something of everything; the keys end in what they are of."""
    k = f"{key}-".__add__
    done = {
        "key": k("S1"), "number": 1, "status": "done", "planned_start": "2026-03-02",
        "start": "2026-03-02T10:00:00+01:00", "end": "2026-03-02T10:12:00+01:00",
        "site": "lumbar", "side": "both", "technique": "multiple-micro-injections",
        "needle_length": 4, "needle_gauge": 27, "depth": D("2.50"), "points": 20,
        "performer": k("D1"), "place": "Ambulatorio 2", "note": "Ben tollerata.",
        "mixtures": [
            {
                "key": k("X1"), "route": "intradermal", "volume": D("0.50"), "prepared": 3, "lot": "L1",
                "drugs": [
                    {"substance": "lidocaine", "amount": D("20.0"), "amount_unit": "mg", "volume": D("1.0")},
                    {"substance": "sodium-chloride", "active": False, "volume": 2},
                ],
            }
        ],
        "effects": [
            {"key": k("E1"), "effect": "wheal", "onset": "2026-03-02", "duration": 3, "duration_unit": "h"},
            {"key": k("E2"), "effect": "injection-site-infection", "onset": "2026-03-20", "severity": "mild"},
        ],
    }  # fmt: skip
    cycle = {
        "key": k("Y1"), "status": "running", "protocol": "antalgic-outpatient", "purpose": "antalgic",
        "approach": "allopathic", "phase": "attack", "indications": [k("C1")], "consents": [k("K1")],
        "medicines": [k("M1")], "site": "lumbar", "side": "both", "sessions_min": 4, "sessions_max": 6,
        "interval": 1, "interval_unit": "wk", "minutes_min": 10, "start": "2026-03-02", "physician": k("D1"),
        "note": "Primo ciclo.",
        "sessions": [
            done,
            {
                "key": k("S2"), "number": 2, "status": "not-done", "planned_start": "2026-03-09",
                "moved_from": ["2026-03-08"], "reason": "contraindicated", "reason_text": "ferita",
            },
            {"key": k("S3"), "number": 3, "status": "planned", "planned_start": "2026-03-16"},
        ],
        "scores": [
            {
                "key": k("N1"), "scale": "nrs", "value": D("7.50"), "taken": "2026-03-02", "point": "baseline",
                "session": k("S1"),
            },
            {"key": k("N2"), "scale": "vas", "unknown": ["value"]},
        ],
        "aftercares": [
            {
                "key": k("R1"), "start": "2026-03-02",
                "instructions": [
                    {
                        "key": k("I1"), "instruction": "no-massage", "avoid": True, "window": "after", "lasts": 24,
                        "lasts_unit": "h", "text": "Non massaggiare", "translation": "Do not massage",
                    }
                ],
            }
        ],
        "continuations": [{"key": k("O1"), "phase": "maintenance", "interval": 1, "interval_unit": "mo"}],
        "therapies": [{"key": k("T1"), "role": "combined", "therapy": "physiotherapy"}],
        "goals": [{"key": k("G1"), "status": "active", "text": "NRS sotto 3", "target": 3, "due": "2026-04-30"}],
    }  # fmt: skip
    return {
        "key": key, "language": "it", "synthetic": True, "family": "Prova", "given": ["Anna", "Maria"],
        "birth_date": "1970-05", "gender": "female",
        "practitioners": [{"key": k("D1"), "family": "Medico", "profession": "physician"}],
        "conditions": [
            {
                "key": k("C1"), "condition": "low-back-pain", "status": "active", "site": "lumbar", "side": "both",
                "onset": "2026-01", "note": "Da gennaio.",
            }
        ],
        "allergies": [
            {
                "key": k("A1"), "substance": "ketoprofen", "status": "active", "certainty": "confirmed",
                "criticality": "high", "unknown": ["onset"],
                "reactions": [
                    {"manifestation": "urticaria", "severity": "mild"}, {"manifestation": "fever", "onset": "2020"},
                ],
            }
        ],
        "exclusions": [
            {"key": k("U1"), "kind": "pregnancy", "asked": "2026-02-01"}, {"key": k("U2"), "kind": "skin-infection"},
        ],
        "findings": [
            {
                "key": k("F1"), "kind": "skin-not-intact", "strength": "absolute", "scope": "site", "site": "lumbar",
                "side": "left", "finding_text": "escoriazione", "since": "2026-03-01", "until": "2026-03-08",
                "session": k("S2"), "cycle": k("Y1"), "mitigation": "guarita", "mitigated": "2026-03-08",
                "author": k("D1"),
            },
            {"key": k("F2"), "kind": "anticoagulant", "medicine": "warfarin", "controlled": False},
            {"key": k("F3"), "kind": "drug-allergy", "allergy": k("A1"), "strength": "absolute"},
        ],
        "medicines": [
            {"key": k("M1"), "status": "active", "medicine": "http://www.whocc.no/atc|C09AA05", "dose": "1 cp"}
        ],
        "consents": [{"key": k("K1"), "status": "active", "decision": "permit", "signed": "2026-02-28"}],
        "cycles": [cycle],
    }  # fmt: skip


def history(tree: Tree) -> TreatmentHistory:
    return decode(deepcopy(tree))


def records(tree: Tree, table: str, name: str = "patients") -> Iterator[Tree]:
    """The records of a table, wherever they stand in the tree."""
    if name == table:
        yield tree
    for child in TABLES[name].children:
        for item in tree.get(child, ()):
            yield from records(item, table, child)


def record(tree: Tree, table: str, end: str = "") -> Tree:
    """The one record of a table whose key ends so."""
    [found] = [r for r in records(tree, table) if r["key"].endswith(end)]
    return found
