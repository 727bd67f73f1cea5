"""Base validation: whether a resource is FHIR R4 at all, before any profile is asked.

The judge is ``fhir.resources``, whose R4B classes serve for R4 4.0.1. It checks what is required, and how
dates and numbers are written; it lets a good deal through (nulls, empty lists, ``"7"`` for a number, codes
outside a required value set, its own Python names). So there are three passes:

1. *the shape*: the resource is walked beside the elements that the classes declare, and checked for what FHIR
   makes of JSON (R4 json.html, datatypes.html#primitive), required bindings, and references;
2. *the models* of ``fhir.resources`` themselves;
3. *the constraints*, where these found nothing: invariants, required codes of concepts, absolute URIs
   (:mod:`mesofhir.fhir.constraints`, with what it leaves out).

:func:`validate` is the one door. It changes nothing in the resource: send the dict that was validated.
Problems carry the JSON path and say what kind of thing is wrong, never a value.

Profiles are the matter of :mod:`mesofhir.fhir.profiles`. Known limit: resource types that only R4B has are not told
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mesofhir.errors import Problem
from mesofhir.fhir.constraints import broken
from mesofhir.fhir.definitions import Element, Shape, elements_of, model_of
from mesofhir.fhir.shape import Walk, invalid, shape_at, wrong_kind

if TYPE_CHECKING:  # importing fhir.resources takes longer than everything else together
    from fhir_core.fhirabstractmodel import FHIRAbstractModel

    Model = type[FHIRAbstractModel]


def validate(resource: Mapping[str, Any], where: str = "$") -> list[Problem]:
    """Say what makes a resource invalid FHIR R4; an empty list says that nothing does.

    :param resource: FHIR JSON as :func:`mesofhir.fhir.exactjson.decode` gives it; it is not changed
    :param where: where the resource stands, such as ``bundle.json: $.entry[0].resource``; paths start there
    """
    if not isinstance(resource, Mapping):
        return [wrong_kind(where, resource, "a resource, which is an object")]
    resource = resource if isinstance(resource, dict) else dict(resource)
    try:
        walk = Walk()
        walk.root(resource, where)
        model = model_of(resource)
        if model is None:
            return walk.found
        found = [*walk.found, *_ask_model(resource, model, where, walk.found)]
        return found or list(broken(resource, where))  # of what has no good shape, nothing else can be asked
    except RecursionError:
        return [Problem(where, "nested too deeply to be checked", "far fewer levels of extensions")]


def _ask_model(resource: dict[str, Any], model: Model, where: str, known: list[Problem]) -> list[Problem]:
    """What the models refuse, without what the shape has said already."""
    from pydantic import ValidationError

    try:
        model.model_validate(resource)
    except ValidationError as error:
        places = [problem.where for problem in known]
        found = []
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            problem = _explained(detail["type"], detail["msg"], detail["loc"], resource, model, where)
            if problem and not any(same_place(problem.where, place) for place in places):
                found.append(problem)
        return found
    except (KeyError, TypeError, AttributeError):
        if not known:  # a good shape must not break the models: our bug
            raise
    return []


def _explained(
    kind: str, message: str, steps: tuple[int | str, ...], resource: dict[str, Any], model: Model, where: str
) -> Problem | None:
    """One refusal in our words; none where the models are wrong for R4, or where the shape says it better."""
    path, element, complete = _located(steps, resource, model)
    place = where + path
    if kind == "value_error" and "from this list" in message:
        return None  # x[y]: the shape has checked it, and knows that _x with an extension is enough
    if (kind == "extra_forbidden" and complete) or kind == "uuid_version":
        return None  # valueMeta, and UUIDs that are not random
    if element is None:
        return Problem(place, "not valid", f"a valid {model.get_resource_type()}")
    if kind in ("missing", "model_field_validation.missing"):
        return Problem(place, "missing, but required", element.expected)
    return invalid(place, element)


def _located(steps: tuple[int | str, ...], resource: dict[str, Any], model: Model) -> tuple[str, Element | None, bool]:
    """The JSON path of an error, the element there, and whether all steps were understood."""
    path = ""
    element: Element | None = None
    here: Any = resource
    shape: Shape | None = elements_of(model)
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if isinstance(here, list) and step < len(here) else None
            continue
        if element is not None:
            shape = shape_at(element, here)
        if shape is None or step not in shape.elements:
            return path, element, False
        element = shape.elements[step]
        path += f".{step}"
        here = here.get(step) if isinstance(here, dict) else None
    return path, element, True


def same_place(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies inside the other."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) :][:1] in ("", ".", "[")
