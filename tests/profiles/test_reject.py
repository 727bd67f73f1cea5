"""What is wrong is rejected: each rule of each profile by a fixture that breaks it in a single point."""

from pathlib import Path

import pytest

from mesofhir.fhir.profiles import ours, rules_of
from tests.profiles.material import DISAGREEMENTS, FILES, UNREACHABLE, Reject, judged, reasons, sheet, staged
from tests.profiles.validator import Issue, Validator, told

RULES = {rule.name: rule for name in ours().ids for rule in rules_of(name)}


def test_every_rule_has_a_fixture() -> None:
    there = [reject.rule for path in FILES for reject in sheet(path).rejects]
    assert sorted(RULES.keys() - set(there)) == sorted(reasons(UNREACHABLE)), "rules without a fixture"
    assert sorted(set(there) - RULES.keys()) == [], "fixtures of rules that there are no more"
    assert len(there) == len(set(there))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_validator(path: Path, validator: Validator) -> None:
    """The good ones are accepted; each bad one is rejected with its error and no other."""
    fixtures = sheet(path)
    goods = validator.bundle(*staged([good.resource for good in fixtures.goods]))
    before = {good.name: issues for good, issues in zip(fixtures.goods, goods, strict=False)}
    refused = {name: told([i for i in issues if i.failed]) for name, issues in before.items()}
    assert refused == {name: [] for name in before}

    answers = validator.bundle(*staged([reject.resource for reject in fixtures.rejects]))
    wrong = {}
    for reject, issues in zip(fixtures.rejects, answers, strict=False):
        said = _new(reject, issues, before[reject.good.name])
        if not reject.answered(said):
            wrong[f"{reject.rule} ({reject.good.name})"] = told(said)
    assert wrong == {}


def _new(reject: Reject, issues: list[Issue], before: list[Issue]) -> list[Issue]:
    """What the validator refuses; for a rule that is a warning, what it says beyond what it says of the good one."""
    if RULES[reject.rule].severity == "error":
        return [i for i in issues if i.failed]
    known = {(i.id, i.element) for i in before}
    return [i for i in issues if i.failed or (i.severity == "warning" and (i.id, i.element) not in known)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_python(path: Path) -> None:
    """Without Java: the same verdict, by the rule that the fixture names."""
    fixtures = sheet(path)
    resources, urls = staged([g.resource for g in fixtures.goods] + [r.resource for r in fixtures.rejects])
    known = dict(zip(urls, resources, strict=True))
    for good in fixtures.goods:
        base, broken = judged(good.resource, known)
        assert (base, [v for v in broken if v.severity == "error"]) == ([], []), good.name
    silent = {r.rule for r in fixtures.rejects if r.rule not in {v.rule for v in judged(r.resource, known)[1]}}
    assert silent == reasons(DISAGREEMENTS).keys() & {r.rule for r in fixtures.rejects}


def test_the_exceptions_may_only_become_fewer() -> None:
    """Each says why; a new one has to be argued for here."""
    for file, most in ((DISAGREEMENTS, 0), (UNREACHABLE, 3)):
        assert reasons(file).keys() <= RULES.keys()
        assert all(len(reason) > 30 for reason in reasons(file).values())
        assert len(reasons(file)) <= most
