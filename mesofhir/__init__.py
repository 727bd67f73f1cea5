"""mesofhir carries mesotherapy treatment histories between a clinic's records and a FHIR server.

::

    import mesofhir as mf

    NAMESPACE = "https://clinic.example/mesotherapy"

    for history in mf.read("clinic.json"):
        bundle = mf.to_fhir(history, namespace=NAMESPACE)

    with mf.Server("https://fhir.example.org/r4") as server:
        summary = mf.push(mf.read("clinic.json"), server, mf.Clinic(NAMESPACE))
        mf.write("back.json", mf.pull(server, mf.Clinic(NAMESPACE)))

Names are imported when they are first used. The rooms behind them have more: :mod:`mesofhir.formats` tells
what is wrong with each history, and what of FHIR no record holds, instead of raising.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from mesofhir import errors

if TYPE_CHECKING:
    from mesofhir.formats import Item, write
    from mesofhir.mapping import Clinic, Understood
    from mesofhir.records import TreatmentHistory
    from mesofhir.server import Server
    from mesofhir.sync import Ledger, Options, iter_push, push

__all__ = [
    "Clinic",
    "Ledger",
    "Options",
    "Server",
    "TreatmentHistory",
    "errors",
    "from_fhir",
    "iter_push",
    "pull",
    "push",
    "read",
    "to_fhir",
    "write",
]

_ROOMS: Final = {
    "Clinic": "mapping",
    "Ledger": "sync",
    "Options": "sync",
    "Server": "server",
    "TreatmentHistory": "records",
    "iter_push": "sync",
    "push": "sync",
    "write": "formats",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        found = globals()[name] = getattr(import_module(f"mesofhir.{_ROOMS[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def read(
    source: str | PathLike[str],
    *,
    namespace: str | Clinic = "",
    format: str = "",
    encoding: str = "utf-8",
    locale: str = "",
    timezone: str = "",
) -> Iterator[TreatmentHistory]:
    """The histories of a file or folder; see :func:`mesofhir.formats.read`.

    :param namespace: of the clinic, or the :class:`Clinic` itself (with words of its own); needed for FHIR
    :raises InvalidInput: at the first history that is invalid
    """
    from mesofhir import formats

    with formats.read(
        source,
        format=format,
        clinic=_clinic(namespace) if namespace else None,
        encoding=encoding,
        locale=locale,
        timezone=timezone,
    ) as items:
        yield from _histories(items)


def to_fhir(history: TreatmentHistory, *, namespace: str | Clinic) -> dict[str, Any]:
    """The Bundle (type ``collection``) of a history; numbers are ``Decimal``.

    :raises InvalidInput: the history is invalid, or FHIR cannot carry it
    """
    from mesofhir.formats import Item
    from mesofhir.formats.fhir_writer import bundle, entries

    clinic, item = _clinic(namespace), Item.of(history)
    item.judge(clinic)
    if item.faults:
        raise errors.InvalidInput(item.faults)
    return bundle(entries(item, clinic, []))


def from_fhir(
    resources: Mapping[str, Any] | Iterable[Mapping[str, Any]], *, namespace: str | Clinic
) -> Understood:
    """What a Bundle, or resources, say: ``histories``, and beside them what no record holds (``kept``, ``notes``).

    :param resources: FHIR JSON whose numbers are ``Decimal`` where digits matter; what has not the shape of FHIR is
        kept, with that reason
    """
    from mesofhir.mapping import understand

    listed = resources.get("entry", ()) if isinstance(resources, Mapping) else [{"resource": x} for x in resources]
    entries = [entry for entry in listed if entry.get("resource")]
    urls = [str(entry.get("fullUrl", "")) for entry in entries]
    return understand([dict(entry["resource"]) for entry in entries], _clinic(namespace), urls=urls)


def pull(server: Server, clinic: Clinic, *, patients: Sequence[str] = ()) -> Iterator[TreatmentHistory]:
    """The histories of a clinic on a server; :func:`mesofhir.sync.iter_pull` also tells what no record holds.

    :param patients: only these: a clinic's key, or ``Patient/<id of the server>``
    :raises NotAllDone: at the end: some could not be read, or are not there
    """
    from mesofhir.sync import iter_pull

    unread = []
    for item in iter_pull(server, clinic, patients=patients):
        ours = [k for k in item.kept if clinic.link_of(k.resource) is not None]
        unread += [item.where] if ours else []
        if item.history is not None:
            yield item.history
    if unread:
        raise errors.NotAllDone(f"not all of these could be read: {', '.join(unread)}")


def _clinic(namespace: str | Clinic) -> Clinic:
    """A clinic of which nothing but the namespace is said, or as it is."""
    from mesofhir.mapping import Clinic

    return Clinic(namespace) if isinstance(namespace, str) else namespace


def _histories(items: Iterable[Item]) -> Iterator[TreatmentHistory]:
    for item in items:
        if item.faults:
            raise errors.InvalidInput(item.faults)
        if item.history is not None:
            yield item.history
