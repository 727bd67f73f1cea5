"""Whose records, and which server: what the options, the environment and the configuration say together.

Options beat the environment, the environment beats the file. Nothing here touches the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mesofhir.cli.config import NAME, Config, ServerConfig, folder
from mesofhir.cli.kept import Probes, suffix
from mesofhir.cli.options import Connecting, General, Reading
from mesofhir.errors import UsageError

if TYPE_CHECKING:
    from mesofhir.formats import Source
    from mesofhir.mapping import Clinic
    from mesofhir.records import Strengths
    from mesofhir.server import Auth, Preset, Probed, Server
    from mesofhir.sync import Ledger
    from mesofhir.terminology import Terminology

_FILES: Final = (".json", ".ndjson", ".csv", ".xlsx")  # how names end that are no server's


def clinic(general: General, config: Config) -> Clinic:
    """The clinic.

    :raises UsageError: nobody says its namespace, or it is none
    """
    from mesofhir.mapping import Clinic

    uri = general.namespace or config.namespace
    if not uri:
        raise UsageError(
            "the clinic's namespace is missing: the URI under which its records are known, once and for all, "
            "such as https://clinic.example/mesotherapy\n"
            f"  give it as --namespace URI, in MESOFHIR_NAMESPACE, or as a line namespace = \"URI\" in {NAME} "
            f"(here, or in {folder()})"
        )
    return Clinic(uri, terminology(config), tuple(config.identifiers.values()))


def clinic_if_any(general: General, config: Config) -> Clinic | None:
    """The clinic, where anybody says its namespace; words of its own belong to a clinic that has one.

    :raises UsageError: the namespace is none, or there is only a terminology
    """
    named = general.namespace or config.namespace or config.terminology
    return clinic(general, config) if named else None


def terminology(config: Config) -> Terminology:
    """Our words and codes, with the clinic's own.

    :raises UsageError: its file cannot be read, or says what it may not
    """
    from mesofhir.terminology import OURS
    from mesofhir.terminology.overlay import read_overlay

    return read_overlay(config.terminology) if config.terminology else OURS


def strengths(config: Config) -> Strengths:
    """How strongly findings stand against treatment that do not say it."""
    from mesofhir.records import Strengths

    return Strengths(config.strengths)


def source(name: str, reading: Reading, clinic: Clinic | None, config: Config) -> Source:
    """What a SRC argument names; nothing of its content is read yet.

    :raises UsageError: it cannot be read
    """
    from mesofhir.formats import read

    return read(
        name,
        format=reading.from_,
        clinic=clinic,
        encoding=reading.encoding or config.encoding or "utf-8",
        locale=reading.locale or config.locale or "",
        timezone=reading.timezone or config.timezone or "",
    )


@dataclass(frozen=True)
class Place:
    """A server, and all that was said of it.

    :param sandbox: everybody can read and write it
    """

    said: ServerConfig
    sandbox: bool

    @property
    def create_people(self) -> bool:
        """Are people made whom the server does not have? As configured, else as its preset says, else on sandboxes
        only."""
        preset = self.preset
        said = (self.said.create_people, preset.create_people if preset else None, self.sandbox)
        return next(s for s in said if s is not None)

    @property
    def preset(self) -> Preset | None:
        """What is known of the server; None: nobody named a preset.

        :raises UsageError: there is none of that name, or the file is none
        """
        from mesofhir.server import find_preset

        return find_preset(self.said.preset) if self.said.preset else None

    def match_systems(self, clinic: Clinic) -> tuple[str, ...]:
        """The identifier systems by which people are matched; none: all that a record states. On a sandbox by
        the clinic's own key alone, or the examples of all the world would share their patients."""
        return self.said.identifier_systems or ((clinic.namespace,) if self.sandbox else ())

    def open(self, warn: Callable[[str], None]) -> Server:
        """The server; nothing is asked of it yet.

        :raises UsageError: its URL, its secret, its certificates or its preset cannot be used
        """
        from mesofhir.server import Server, Timeouts

        said = self.said
        return Server(
            said.url,
            auth=_auth(said),
            allow_http=bool(said.allow_http),
            ca=said.ca,
            timeouts=Timeouts.within(said.timeout) if said.timeout else None,
            warn=warn,
            preset=self.preset,
            probed=Probes().of(said.url),
        )

    def remember(self, probed: Probed) -> None:
        """Keep what probes have shown of the server.

        :raises UsageError: it cannot be written
        """
        Probes().keep(self.said.url, probed)

    def clinic(self, clinic: Clinic, config: Config, say: Callable[[str], None]) -> Clinic:
        """The clinic as this server knows it: on a public sandbox its namespace has a suffix of its own,
        since everybody pushes the same examples there."""
        if not self.sandbox:
            return clinic
        own = replace(clinic, namespace=f"{clinic.namespace}/{suffix(config, say)}")
        say(f"a public sandbox: the namespace there is {own.namespace}")
        return own


def place(server: str, connecting: Connecting, config: Config) -> Place:
    """Where a SERVER argument leads: a URL, or a name of the configuration.

    :raises UsageError: no such name, or options that contradict each other
    """
    from mesofhir.server import is_public_sandbox

    said = ServerConfig(server) if "://" in server else _named(server, config)
    said = _over(said, connecting)
    return Place(said, is_public_sandbox(said.url))


def _named(name: str, config: Config) -> ServerConfig:
    if name in config.servers:
        return config.servers[name]
    near = get_close_matches(name, config.servers, 1, 0.5)
    if name.lower().endswith(_FILES) or Path(name).exists():
        hint = "it looks like a file, and it is `push SRC SERVER`, but `pull SERVER DST`"
    elif near:
        hint = f"did you mean {near[0]}?"
    elif config.servers:
        hint = f"{config.path} has {', '.join(config.servers)}"
    elif config.path:
        hint = f"{config.path} names no servers"
    else:
        hint = f"there is no {NAME} that names servers"
    raise UsageError(f"no server is called {name[:80]!r}: {hint}; a URL begins with https://")


def _over(said: ServerConfig, connecting: Connecting) -> ServerConfig:
    """What the options say over what the configuration says; of the two places of a secret, the options' one."""
    values: dict[str, Any] = {**vars(said)}
    if connecting.secret_env and connecting.secret_file:
        raise UsageError("--secret-env and --secret-file: one of the two, not both")
    if connecting.secret_env or connecting.secret_file:
        values |= {"secret_env": None, "secret_file": None}
    if connecting.auth == "none":
        values |= {"user": None, "secret_env": None, "secret_file": None}
    return ServerConfig(**values | {n: v for n, v in vars(connecting).items() if v is not None})


def _auth(said: ServerConfig) -> Auth:
    from mesofhir.server import Auth, Basic, Bearer

    kind = said.auth or "none"
    if kind == "none":
        if said.user or said.secret_env or said.secret_file:
            raise UsageError("a user or a secret is named, and not what it is for: --auth basic or --auth bearer")
        return Auth()
    if kind == "bearer":
        if said.user:
            raise UsageError("a bearer token has no user name: leave --user out, or use --auth basic")
        return Bearer(_secret(said), again=lambda: _secret(said))  # a file may hold another one by then
    if not said.user:
        raise UsageError("basic authentication needs a user name: --user NAME")
    return Basic(said.user, _secret(said))


def _secret(said: ServerConfig) -> Any:
    from mesofhir.server import from_environment, from_file

    if said.secret_env and said.secret_file:
        raise UsageError("the configuration names secret_env and secret_file: one of the two, not both")
    if said.secret_env:
        return from_environment(said.secret_env)
    if said.secret_file:
        return from_file(said.secret_file)
    raise UsageError(
        f"{said.auth} authentication needs a secret: --secret-env VAR names the variable that holds it, "
        "--secret-file FILE the file (never the command line)"
    )


def ledger(named: Path | None, place: Place, clinic: Clinic, *, dry: bool = False) -> Ledger:
    """What is known of a server: in the file that was named, else in the configuration, else in the user's data
    folder.

    :param dry: make no file where there is none
    :raises MesofhirError: it cannot be used, or another push is using it
    """
    from mesofhir.sync.ledger.ledger import Ledger

    path = ledger_path(named, place, clinic)
    return Ledger(None if dry and not path.exists() else path, url(place), clinic.namespace)


def ledger_path(named: Path | None, place: Place, clinic: Clinic) -> Path:
    """Where the ledger of a server is."""
    from mesofhir.sync.ledger.files import default_path

    return named or place.said.ledger or default_path(url(place), clinic.namespace)


def url(place: Place) -> str:
    """The base URL of a server, normalised."""
    from mesofhir.server.address import Address

    return Address.parse(place.said.url, allow_http=True).url


def observed() -> Path:
    """The file that says what servers were seen to do to our data, beside the ledgers."""
    from mesofhir.sync.ledger.files import folder as ledgers

    return ledgers().parent / "observed.sqlite"


@dataclass
class Requests:
    """How many requests were made."""

    count: int = 0


@contextmanager
def requests_counted() -> Iterator[Requests]:
    """Count what goes through the HTTP door, by the line that it logs of each exchange."""
    import logging

    log, requests = logging.getLogger("mesofhir.server"), Requests()

    class Counter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            requests.count += record.levelno == logging.INFO

    handler, level = Counter(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield requests
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
