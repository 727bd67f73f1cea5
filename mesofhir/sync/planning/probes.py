"""What a server does not say, asked by requests that change nothing.

====================  ==================================================  ==================================
 question              asked by                                            settled
====================  ==================================================  ==================================
 batch, transaction    such a bundle with one entry, a count by GET        by its answer
 search of a type      a count of all                                      by its answer
 anything else         –                                                   by a preset alone: a create, also a
                                                                           conditional one, would be one
====================  ==================================================  ==================================

Only a person asks so (``server check --probe``); a push sends nothing that is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mesofhir.errors import Refused, UnknownOutcome
from mesofhir.server import Abilities, Probed, Server

BUNDLES: Final = ("transaction", "batch")
_NO: Final = frozenset({400, 404, 405, 422, 501})


def questions(abilities: Abilities, kinds: Iterable[str]) -> list[str]:
    """What is not known of a server, and can be asked harmlessly.

    :param kinds: the resource types that matter
    """
    kinds = list(kinds)
    searches = [f"{kind} search-type" for kind in kinds if abilities.of(kind)["search-type"].can is None]
    if not any(abilities.of(kind)["search-type"] for kind in kinds):
        return searches  # there is no GET that a bundle could be tried with
    settled = {"transaction": abilities.transaction, "batch": abilities.batch}
    return [name for name in BUNDLES if settled[name].can is None] + searches


def ask(server: Server, kinds: Iterable[str]) -> Probed:
    """Ask all of these questions, those that were answered earlier too; from then on the server is held to the answers.

    :raises Unreachable: it does not answer, or does not let us in
    """
    kinds, abilities = list(kinds), replace(server.abilities(), probed=Probed())
    asked = questions(abilities, kinds)
    server.keep_to(replace(abilities, probed=Probed(dict.fromkeys(asked, True))))
    known = next((kind for kind in kinds if abilities.of(kind)["search-type"]), "")
    answers = Probed.now({question: _answer(server, question, known) for question in asked}, abilities.said)
    server.keep_to(replace(abilities, probed=answers))
    return answers


def _answer(server: Server, question: str, known: str) -> bool:
    kind, _, interaction = question.partition(" ")
    try:
        if interaction:
            next(iter(server.search(kind, [("_summary", "count")])), None)
        else:
            server.bundle([{"request": {"method": "GET", "url": f"{known}?_summary=count"}}], question)
    except Refused as why:
        if why.status not in _NO:
            raise
        return False
    except UnknownOutcome:  # it fails at it, or answers something else: not to be relied on
        return False
    return True
