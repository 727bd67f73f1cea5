"""Why a server refused to write a resource, as far as it says; and what a person can do about it. Pure.

A plan is made before anything is sent, from what the server declares and a preset knows; a run does not change it. A
server that refuses at run time what it declares is told of, and a person decides: whether it is for good, or a
permission that is lacking, nobody can tell by an answer, and a clinic should not find summaries in the place of its
data one day. So what is told are the lines of a preset by which the next push plans otherwise.

=============  ============================================  ==================================================
 refusal        told by                                       what helps
=============  ============================================  ==================================================
 type           405, 501, 404 to a create, or the issue       a preset that takes the interaction from the type
                ``not-supported``
 permission     403, or the issue ``forbidden``               a permission; else the same
 content        anything else                                 a preset with the vendor's rule: ``only``,
                                                              ``refuses``, ``needs``
=============  ============================================  ==================================================

Issue codes: http://hl7.org/fhir/R4/valueset-issue-type.html.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from mesofhir.errors import Refused
from mesofhir.sync.planning.plan import Plan, Step

_NO_SUCH_THING: Final = frozenset({405, 501})


class Why(StrEnum):
    """What a refusal is about; see the table of the module."""

    TYPE = "type"
    PERMISSION = "permission"
    CONTENT = "content"


def why(error: Refused, method: str) -> Why:
    """What a refusal is about.

    :param method: what was refused: ``create`` or ``update``
    """
    if error.status == 403 or "forbidden" in error.codes:
        return Why.PERMISSION
    nowhere = error.status in _NO_SUCH_THING or (error.status == 404 and method == "create")
    return Why.TYPE if nowhere or "not-supported" in error.codes else Why.CONTENT


class Refusal(NamedTuple):
    """A write that was refused.

    :param method: ``create`` or ``update``
    """

    kind: str
    method: str
    why: Why


def advice(refused: Mapping[Refusal, int], taken: Container[tuple[str, str]], plan: Plan) -> Iterator[str]:
    """What a person can do, a text for each type.

    :param refused: how many there were of each
    :param taken: (type, method) of what the server did take: it does not refuse the type as such
    """
    for (kind, method, about), count in sorted(refused.items()):
        what = f"{count} {method}{'s' if count > 1 else ''} of {kind}"
        if about is Why.CONTENT or (about is Why.TYPE and (kind, method) in taken):
            yield (
                f"the server refused {what} for what it says, in the words above; a rule that is known goes into a "
                f"preset (`only`, `refuses` or `needs` of [types.{kind}]), and such a resource the next step"
            )
            continue
        does = "allow" if about is Why.PERMISSION else "support"
        first = "ask who runs it for the permission; " if about is Why.PERMISSION else ""
        yield (
            f"the server does not {does} all that it declares: {what} refused; {first}if that is for good, these "
            f"lines in a preset plan without it ({_instead(plan, method)}):\n{_lines(plan, kind, method)}"
        )


def _instead(plan: Plan, method: str) -> str:
    """What the next push then does."""
    if method == "update":
        return "changes are told, and left"
    return {
        Step.DOCUMENT: "what it holds goes into the summary of its cycle",
        Step.FILES: "it goes into the files",
        Step.NONE: "it is told as not sent",
    }[plan.otherwise]


def _lines(plan: Plan, kind: str, method: str) -> str:
    """A table of a preset: what the server does with the type, but for this."""
    able = plan.of(kind).able.interactions
    can = [f'"{name}"' for name, settled in able.items() if settled.can is not False and name != method]
    return f"  [types.{kind}]\n  can = [{', '.join(can)}]"
