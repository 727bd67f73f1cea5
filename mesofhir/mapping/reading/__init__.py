"""Resources → histories: what we wrote, and what an EHR made of it.

Nothing is dropped: what is no record of ours is *kept* with the reason, what no picture accounts for in a
record of ours is *noted* with its path (architecture, rules 3 and 11). One step a module: what references mean
(``identity``), each resource by itself (``singles``), the rows that they say together (``joining``), the
histories that the rows are (``nesting``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mesofhir.fhir.picture import unaccounted
from mesofhir.mapping.clinic import Clinic, Link
from mesofhir.mapping.reading.found import Kept, Note, Read, Understood
from mesofhir.mapping.reading.identity import ADOPTED, targets
from mesofhir.mapping.reading.joining import joined
from mesofhir.mapping.reading.nesting import nested
from mesofhir.mapping.reading.singles import ENVELOPE, Singles

__all__ = ["ADOPTED", "Kept", "Note", "Understood", "understand"]


def understand(
    resources: Iterable[dict[str, Any]],
    clinic: Clinic,
    *,
    urls: Sequence[str] = (),
    known: Mapping[str, Link] | None = None,
) -> Understood:
    """Read histories from resources.

    :param urls: the ``fullUrl`` of each resource, where it has one
    :param known: what literal references are known to mean (a patient of the EHR that is one of ours)
    """
    out, given = Understood(), list(resources)
    singles = Singles(clinic, targets(given, clinic, urls, known or {}), out)
    reads, rows = joined(list(singles.read(given)), clinic, out)
    nested(reads, rows, out)
    for r in reads:
        if r.link in out.sources:
            _note_the_rest(r, out)
    out.read = len(out.sources)
    return out


def _note_the_rest(r: Read, out: Understood) -> None:
    """What no field of the record holds."""
    doubted = {path for path, _ in r.reading.doubts}
    for path, why in r.reading.doubts:
        out.note(r.resource, path, why)
    for path in unaccounted(r.resource, [*r.reading.seen, *ENVELOPE]):
        if not any(path == d or path.startswith((d + ".", d + "[")) for d in doubted):
            out.note(r.resource, path, "no field of a record holds it")
