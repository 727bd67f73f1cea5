"""The rules of our profiles, read from the compiled FHIR package by one small interpreter.

FSH is the one place where they are written (architecture, *Who owns which truth*). What the interpreter does not
know, it refuses when the profile is first asked for, instead of passing over it. Nothing is loaded before that.

======  ==================================================================================================
 id     rule, at an element such as ``Procedure.extension:number`` (``mesotherapy-session#ELEMENT:RULE``)
======  ==================================================================================================
 min    too few; ``max``: too many
 type   a type that may not stand in a choice
 target a reference to a type or profile that may not stand there; ``aggregation``: contained or not
 fixed  another value; ``pattern``: lacks part of it
 binding a code outside the value set, where the binding is required
 minValue and maxValue, maxLength
 slicing an item that belongs to no slice, where the slices are closed
 profile a value of none of several profiles
======  ==================================================================================================

Beside them ``mesotherapy-session#ses-1`` (an invariant) and ``session-number#context`` (where an extension may stand).
These are what ``rules_of`` lists. What follows from the package as a whole it does not: ``mesotherapy-session#type``
(claimed by another type), ``profile:unknown`` (a profile of ours that there is not), ``session-window#part`` (a part
that it does not have), ``v3-ActReason:code`` (not in that system of HL7's), and the warnings ``mesotherapy:code``,
``SNOMED CT:code``, ``ATC:code``, ``ATC:display``.

Measured on 2 cores: 0.25 s for the first resource (package, definitions, invariants), then 0.6 ms of processor time a
resource, half of it FHIRPath; base validation takes 0.9 ms. The 58 resources of an example::

    python -m timeit -s "from mesofhir.fhir import exactjson; from mesofhir.fhir.profiles import violations
    data = open('examples/fhir/antalgic-outpatient.bundle.json', 'rb').read()
    all = [e['resource'] for e in exactjson.decode(data)['entry']]" "for x in all: violations(x)"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from mesofhir.fhir.profiles.judge import Profiles, Resolve
from mesofhir.fhir.profiles.package import Package, core, package, read
from mesofhir.fhir.profiles.rules import Rule, Violation

__all__ = ["Package", "Profiles", "Resolve", "Rule", "Violation", "ours", "package", "read", "rules_of", "violations"]


@cache
def ours() -> Profiles:
    """The profiles of the package that travels with the program."""
    return Profiles(package(), core())


def rules_of(name: str) -> tuple[Rule, ...]:
    """What one of our profiles or extensions asks for.

    :param name: its id, such as ``mesotherapy-session``, or its canonical URL
    :raises KeyError: there is no such profile
    """
    return ours().rules_of(name)


def violations(
    resource: Mapping[str, Any], *, against: Iterable[str] = (), resolve: Resolve | None = None
) -> list[Violation]:
    """What a resource breaks of our profiles: those that it claims in ``meta.profile``, and of our extensions.

    What R4 itself asks for is the matter of :func:`mesofhir.fhir.validation.validate`; ask that first.

    :param resource: FHIR JSON as :func:`mesofhir.fhir.exactjson.decode` gives it; it is not changed
    :param against: ids or URLs of profiles to be asked as well
    :param resolve: finds what a reference (not one to ``#…``) leads to; without it only its type is judged, as
        far as the reference says it
    """
    return ours().violations(resource, against=against, resolve=resolve)
