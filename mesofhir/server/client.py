"""One FHIR server, as the rest of mesofhir sees it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

from mesofhir.errors import Refused, Unreachable, UsageError
from mesofhir.server import search
from mesofhir.server.abilities import Abilities
from mesofhir.server.address import Address
from mesofhir.server.answers import Answer
from mesofhir.server.auth import Auth
from mesofhir.server.bundles import Entry, EntryResult, TransactionFailed, failure, put_off, read_results, single_result
from mesofhir.server.capability import Capabilities, read_capabilities
from mesofhir.server.http import Door, Timeouts, log
from mesofhir.server.preset import Preset, preset_of
from mesofhir.server.probed import Probed
from mesofhir.server.query import Params
from mesofhir.server.retry import Clock, Retry
from mesofhir.server.search import Search, Version
from mesofhir.server.validation import Finding, read_findings

MAX_BYTES = 256 * 1024 * 1024
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_WHOLE = {"Prefer": "return=representation"}


def user_agent() -> str:
    """``mesofhir/0.1.0``: product and version, nothing about the machine."""
    try:
        return f"mesofhir/{metadata.version('mesofhir')}"
    except metadata.PackageNotFoundError:  # run from its sources
        return "mesofhir"


class Server:
    """A FHIR R4 server at a base URL. A context manager; safe to use from several threads.

    >>> with Server("https://fhir.example.org/r4", auth=Bearer(from_environment("FHIR_TOKEN"))) as server:
    ...     server.capabilities().fhir_version

    :param url: the base, http or https, without credentials, query or fragment
    :param auth: who we are; see :mod:`mesofhir.server.auth`
    :param allow_http: take plain http to another machine, with a warning
    :param ca: a PEM file (or folder) of authorities to trust instead of the usual ones
    :param timeouts: seconds
    :param max_bytes: of one decoded answer
    :param warn: gets each warning as text; by default it goes to the log ``mesofhir.server``
    :param retry: how often to ask again
    :param clock: time and chance, for tests
    :param preset: what is known of the server beside what it says; by default that of its software, if there is one
    :param probed: what probes have shown; it is forgotten, with a warning, where it holds no longer
    :ivar clock: what time it was on the server (its ``Date`` header) when it said what it can do; None before, and
        where it does not tell
    :raises UsageError: the URL or the ``ca`` cannot be used
    """

    def __init__(
        self,
        url: str,
        *,
        auth: Auth | None = None,
        allow_http: bool = False,
        ca: str | Path | None = None,
        timeouts: Timeouts | None = None,
        max_bytes: int = MAX_BYTES,
        user_agent: str = user_agent(),
        warn: Callable[[str], None] | None = None,
        retry: Retry | None = None,
        clock: Clock | None = None,
        preset: Preset | None = None,
        probed: Probed | None = None,
    ) -> None:
        self.address = Address.parse(url, allow_http=allow_http)
        self._warn = warn or log.warning
        self._capabilities: Capabilities | None = None
        self.clock: datetime | None = None
        self._preset, self._probed = preset, probed or Probed()
        self._lock = threading.Lock()
        self._door = Door(
            self.address,
            auth=auth or Auth(),
            timeouts=timeouts or Timeouts(),
            max_bytes=max_bytes,
            retry=retry or Retry(),
            clock=clock or Clock(),
            ca=ca,
            user_agent=user_agent,
        )
        if self.address.open:
            self._warn(f"{self.address.origin} is plain http: everybody on the way reads what is sent")

    @property
    def url(self) -> str:
        """The base URL, normalised."""
        return self.address.url

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Server({self.url!r})"

    @property
    def hopeless(self) -> bool:
        """Whether asking on would be in vain: the server has long been silent, or does not know us."""
        return self._door.hopeless

    def close(self) -> None:
        """Close all connections."""
        self._door.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Params | None = None,
        headers: Mapping[str, str] | None = None,
        reads: bool | None = None,
    ) -> Answer:
        """Any request below the base; see :meth:`mesofhir.server.http.Door.request`."""
        return self._door.request(method, path, body=body, form=form, headers=headers, reads=reads)

    def capabilities(self) -> Capabilities:
        """What the server says it can do; asked once. From then on nothing is asked of it that it does not offer
        (:meth:`abilities`): such a request is answered 405 without it.

        :raises Unreachable: it is no FHIR server, or does not say
        """
        with self._lock:
            if self._capabilities is None:
                answer = self.request("GET", "metadata")
                if not answer.ok or (answer.body or {}).get("resourceType") != "CapabilityStatement":
                    raise Unreachable(
                        f"{self.address.origin} gave no CapabilityStatement ({answer.status}): "
                        "is the URL the base of a FHIR server?"
                    )
                said = self._capabilities = read_capabilities(answer.body or {})
                probed = self._probed.still(said)
                if probed.forgotten:
                    when = f"{self._probed.at:%Y-%m-%d}"
                    self._warn(
                        f"what probes showed of this server on {when} is forgotten: {probed.forgotten}; "
                        "`mesofhir server check --probe` asks again"
                    )
                self.keep_to(Abilities(said, self._preset or preset_of(said.software), probed))
                with suppress(TypeError, ValueError):
                    self.clock = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
            return self._capabilities

    def abilities(self, *, anyway: bool = False) -> Abilities:
        """What may be asked of the server.

        :param anyway: also of one that speaks another release, or no JSON: nothing may be asked of it
        :raises Unreachable: it does not say what it can do, or cannot be spoken to
        """
        self.capabilities()
        abilities = self._door.abilities
        assert abilities is not None  # noqa: S101 - capabilities() has settled them
        if abilities.unfit and not anyway:
            raise Unreachable(
                f"{self.address.origin} is not a server for {abilities.unfit}; nothing was asked of it. If it has "
                "another base URL for that, use it"
            )
        return abilities

    def warn(self, text: str) -> None:
        """Tell whoever uses the server something that a person should know."""
        self._warn(text)

    def keep_to(self, abilities: Abilities) -> None:
        """From now on nothing is asked that the server does not offer: such a request is answered 405 here."""
        self._door.abilities = abilities

    def search(self, resource_type: str, params: Params, *, count: int = 200) -> Search:
        """The resources that match, each once; read page by page while iterating.

        Values are FHIR's (``system|value``, alternatives with a comma): what comes from data goes through
        :func:`search_value` first. The caller filters again, for what the self link does not tell.

        :param count: resources per page that the server is asked for
        """
        return search.by_params(self._door, _type(resource_type), params, count, self._warn)

    def read(self, resource_type: str, resource_id: str) -> Answer:
        """A resource as it is now: status 200 with a body, 404 (never was), or 410 (deleted: do not
        resurrect).

        :raises Refused: any other answer, or another resource than the one asked for
        """
        path = _path(resource_type, resource_id)
        answer = self.request("GET", path)
        if answer.unasked:
            raise Refused(f"read of {resource_type} was not sent: {answer.unasked}", answer.status)
        if answer.status not in (200, 404, 410):
            raise Refused(f"read of a {resource_type}: {answer.status}", answer.status, answer.issues)
        body = answer.body or {}
        if answer.ok and (body.get("resourceType"), body.get("id")) != (resource_type, resource_id):
            raise Refused(f"read of a {resource_type}: the server gave another resource", answer.status)
        return answer

    def everything(
        self, patient_id: str, *, count: int = 200, since: str | None = None, types: Sequence[str] = ()
    ) -> Search:
        """All that the server holds about a patient (``$everything``), each resource once.

        What a server counts as everything differs: HAPI leaves out what refers by identifier only, sekmet
        leaves out DetectedIssue and Goal.

        :param since: an instant; only what changed after it
        :param types: only these, where the server understands ``_type``
        """
        asked = [("_count", str(count))]
        asked += [("_since", since)] if since else []
        asked += [("_type", ",".join(map(_type, types)))] if types else []
        path = f"{_path('Patient', patient_id)}/$everything?{urlencode(asked)}"
        return search.by_path(self._door, path, "$everything of a Patient", self._warn)

    def validate(self, resource: Mapping[str, Any]) -> list[Finding]:
        """What the server's own validator says of a resource, or of each resource of a Bundle; nothing is stored.

        :raises Refused: it has no ``$validate``
        """
        kind = _type(str(resource.get("resourceType", "")))
        return read_findings(self.request("POST", f"{kind}/$validate", body=resource, reads=True))

    def history(self, resource_type: str, resource_id: str, *, count: int = 200) -> Iterator[Version]:
        """The versions of a resource, newest first.

        Asked from the beginning of time on: without ``_since`` HAPI remembers for a minute how many versions there
        were, and then leaves out the oldest.
        """
        path = f"{_path(resource_type, resource_id)}/_history?_count={count:d}&_since=1970-01-01T00:00:00Z"
        return search.versions(self._door, path, f"history of a {resource_type}")

    def changes(self, resource_type: str, since: str, *, count: int = 200) -> Iterator[Version]:
        """All versions of a type that a server has made since an instant, deletions among them (``_history``). Tried:
        HAPI 8.8.0 and sekmet 0.1.1 tell deletions, both without the resource, HAPI also without the time.

        :param since: an instant with its zone
        :raises Refused: (while iterating) the server keeps no such history
        """
        path = f"{_type(resource_type)}/_history?{urlencode([('_since', since), ('_count', str(count))])}"
        return search.versions(self._door, path, f"history of all {resource_type}")

    def bundle(self, entries: Sequence[Entry], type: str = "transaction") -> list[EntryResult]:
        """Send a transaction or a batch, and account for each entry.

        The entries of a batch that a busy server put off (429 inside an answer with 200) are sent again, alone; those
        that it puts off to the end have that status in their result.

        :param entries: ``fullUrl``, ``resource`` and ``request`` each, as FHIR has them
        :param type: ``transaction`` (all or nothing) or ``batch``
        :raises TransactionFailed: nothing was done; 409 and 412 say that somebody was faster
        :raises TooLarge: nothing was done; send it in parts
        :raises UnknownOutcome: no answer, a 5xx, or one that leaves an entry out
        """
        if type not in ("transaction", "batch"):
            raise UsageError(f"a bundle is sent as a transaction or a batch, not as {type!r}")
        if not entries:
            return []
        results, header = self._bundle(entries, type)
        attempt = 1
        while type == "batch" and (late := put_off(results)) and self._door.waited(attempt, header):
            try:
                again, header = self._bundle([entries[n] for n in late], type)
            except (Unreachable, TransactionFailed):
                break  # nothing more was done: they stay put off
            for n, result in zip(late, again, strict=True):
                results[n] = result
            attempt += 1
        return results

    def _bundle(self, entries: Sequence[Entry], type: str) -> tuple[list[EntryResult], str | None]:
        """The results, and when the server wants to be asked again."""
        body = {"resourceType": "Bundle", "type": type, "entry": list(entries)}
        answer = self.request("POST", "", body=body, headers=_WHOLE)
        if not answer.ok:
            raise failure(answer, f"the {type}")
        return read_results(answer, entries, type), answer.headers.get("Retry-After")

    def create(self, resource: Mapping[str, Any], *, if_none_exist: str | None = None) -> EntryResult:
        """Create one resource: status 201, or 200 when ``if_none_exist`` found it.

        :param if_none_exist: see :func:`identifier_query`
        :raises TransactionFailed: refused; 412: several match
        :raises UnknownOutcome: no answer, a 5xx, or one that speaks of another resource
        """
        kind = _type(str(resource.get("resourceType", "")))
        headers = _WHOLE | ({"If-None-Exist": if_none_exist} if if_none_exist else {})
        answer = self.request("POST", kind, body=resource, headers=headers)
        return _written(answer, {"resource": resource, "request": {"method": "POST", "url": kind}}, "create")

    def update(self, resource: Mapping[str, Any], *, version: str) -> EntryResult:
        """Change one resource by its id, if it is still the version that was read.

        :raises TransactionFailed: refused; 409 (HAPI) or 412: it is another version by now
        :raises UnknownOutcome: as of a create
        """
        kind = _type(str(resource.get("resourceType", "")))
        path = _path(kind, str(resource.get("id", "")))
        headers = _WHOLE | {"If-Match": f'W/"{version}"'}
        answer = self.request("PUT", path, body=resource, headers=headers)
        name = f"{kind}/{resource['id']}"
        return _written(answer, {"resource": resource, "request": {"method": "PUT", "url": name}}, "update")


def _written(answer: Answer, entry: Entry, what: str) -> EntryResult:
    named = f"{what} of a {entry['resource']['resourceType']}"
    if not answer.ok:
        raise failure(answer, f"the {named}")
    return single_result(answer, entry, named)


def _type(name: str) -> str:
    if not _TYPE.fullmatch(name):
        raise UsageError(f"not the name of a resource type: {name[:40]!r}")
    return name


def _path(resource_type: str, resource_id: str) -> str:
    """``Type/id``, whatever letters a server has in its ids; one that leads elsewhere is refused."""
    if not resource_id or resource_id in (".", ".."):
        raise UsageError(f"a {resource_type} without an id cannot be asked for")
    return f"{_type(resource_type)}/{quote(resource_id, safe='')}"
