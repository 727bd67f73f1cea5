"""What a reference means: which record of ours a resource is, or stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mesofhir.mapping.clinic import Clinic, Link, tail

ADOPTED: Final = {
    "Patient": "patients",
    "Practitioner": "practitioners",
    "AllergyIntolerance": "allergies",
    "Condition": "conditions",
    "MedicationStatement": "medicines",
}
"""What the EHR may have already: our references carry the clinic's key beside its own resource."""
Resource = dict[str, Any]


def targets(
    resources: Sequence[Resource], clinic: Clinic, urls: Sequence[str], known: Mapping[str, Link]
) -> dict[str, Link]:
    """Literal reference → the record that it leads to.

    A resource's own identifier decides; next comes what is known already; what others say of a resource counts only
    where neither speaks, so that a stray reference cannot make one record out of another.
    """
    own: dict[str, Link] = {}
    for n, x in enumerate(resources):
        if link := clinic.link_of(x):
            own[f"{x.get('resourceType')}/{x.get('id')}"] = link
            if n < len(urls) and urls[n]:
                own[urls[n]] = link
    said = {**known, **own}
    return {**_adopted(resources, clinic, set(said.values())), **said}


def _adopted(resources: Sequence[Resource], clinic: Clinic, placed: set[Link]) -> dict[str, Link]:
    """Resources of the EHR that stand for records of ours, as our own references say: literal and identifier
    beside it. Where they disagree, most of them are right; the others will not be believed."""
    votes: dict[Link, Counter[str]] = {}
    for x in resources:
        if clinic.link_of(x):
            for literal, link in _named(x, clinic):
                if link not in placed:
                    votes.setdefault(link, Counter())[tail(literal)] += 1
    return {count.most_common(1)[0][0]: link for link, count in votes.items()}


def _named(x: Any, clinic: Clinic) -> Iterator[tuple[str, Link]]:
    for value in x.values() if isinstance(x, dict) else x:
        if isinstance(value, dict | list):
            yield from _named(value, clinic)
    if isinstance(x, dict) and isinstance(x.get("reference"), str):
        for kind, table in ADOPTED.items():
            link = clinic.link(kind, x.get("identifier"))
            if link and link.table == table:
                yield x["reference"], link
