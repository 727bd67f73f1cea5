"""The options that verbs share: each group of them reaches its verb as one object."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from mesofhir.cli.words import Voice
from mesofhir.errors import UsageError

Function = Callable[..., Any]
FILE: Final = click.Path(path_type=Path)


def common(f: Function) -> Function:
    """``--quiet``, ``--verbose``: the verb gets the ``voice`` of the run."""

    @click.option("-q", "--quiet", is_flag=True, help="Warnings and errors only.")
    @click.option("-v", "--verbose", is_flag=True, help="Also each exchange with a server (without data).")
    @click.pass_context
    @functools.wraps(f)
    def verb(ctx: click.Context, /, quiet: bool, verbose: bool, **values: Any) -> Any:
        return f(voice=Voice(quiet=quiet, verbose=verbose).keep(ctx), **values)

    return verb


def _gathered(name: str, kind: type, *options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """A decorator that adds options, and hands their values over as one object of a dataclass."""

    def decorate(f: Function) -> Function:
        @functools.wraps(f)
        def verb(**values: Any) -> Any:
            given = kind(**{each.name: values.pop(each.name) for each in fields(kind)})
            return f(**values, **{name: given})

        decorated: Function = verb
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


configuration = click.option(
    "--config", metavar="FILE", type=FILE, envvar="MESOFHIR_CONFIG",
    help="Configuration [default: mesofhir.toml here, else in the user's configuration folder].",
)  # fmt: skip


@dataclass(frozen=True)
class General:
    """Where the configuration is, and whose records they are."""

    config: Path | None
    namespace: str | None


general = _gathered(
    "general",
    General,
    click.option(
        "--namespace", metavar="URI", envvar="MESOFHIR_NAMESPACE",
        help="The URI of the clinic under which its records are known, such as https://clinic.example/mesotherapy.",
    ),
    configuration,
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """How a source is to be read."""

    from_: str
    encoding: str | None
    locale: str | None
    timezone: str | None


reading = _gathered(
    "reading",
    Reading,
    click.option(
        "--from", "from_", metavar="FORMAT", default="",
        help="Format of SRC [default: from its name and content].",
    ),
    click.option(
        "--encoding", metavar="NAME", envvar="MESOFHIR_ENCODING", help="Encoding of texts [default: utf-8]."
    ),
    click.option(
        "--locale", metavar="it|en", envvar="MESOFHIR_LOCALE",
        help="How CSV cells write numbers and dates [default: 0.50 and 2026-03-04 only].",
    ),
    click.option(
        "--timezone", metavar="ZONE", envvar="MESOFHIR_TIMEZONE",
        help="Zone of times that come without one, such as Europe/Rome [default: they are refused].",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Connecting:
    """How to reach a server, and what is known of it; None: not said."""

    auth: str | None
    user: str | None
    secret_env: str | None
    secret_file: Path | None
    ca: Path | None
    allow_http: bool | None
    preset: str | None = None


connecting = _gathered(
    "connecting",
    Connecting,
    click.option("--auth", type=click.Choice(["none", "basic", "bearer"]), help="Who we are to the server."),
    click.option("--user", metavar="NAME", help="User name of basic authentication."),
    click.option("--secret-env", metavar="VAR", help="Environment variable with the password or token."),
    click.option("--secret-file", metavar="FILE", type=FILE, help="File with it, readable by you alone."),
    click.option("--ca", metavar="FILE", type=FILE, help="Certificates of a private authority to trust (PEM)."),
    click.option(
        "--allow-http", is_flag=True, default=None,
        help="Allow plain http to another machine: everybody on the way reads what is sent.",
    ),
    click.option(
        "--preset", metavar="NAME|FILE",
        help="What is known of such a server beside what it says: epic-like, … or a file (.toml) of your own.",
    ),
)  # fmt: skip


language = click.option(
    "--language", type=click.Choice(["it", "en"]), default="en", show_default=True, help="Italian or English."
)


@dataclass(frozen=True)
class Deciding:
    """What a push may decide, and whether it sends anything."""

    dry_run: bool
    resume: bool
    ours: bool
    theirs: bool
    moved: bool
    rekeyed: bool | None

    def options(self) -> dict[str, Any]:
        """As :class:`mesofhir.sync.Options` has them.

        :raises UsageError: they contradict each other
        """
        if self.ours and self.theirs:
            raise UsageError("--ours and --theirs: one of the two, not both")
        if self.dry_run and self.resume:
            raise UsageError("--dry-run and --resume: a dry run leaves nothing to go on with")
        side = "ours" if self.ours else "theirs" if self.theirs else ""
        said = {"moved": self.moved, "rekeyed": self.rekeyed}
        return {"dry_run": self.dry_run, "resume": self.resume, "side": side, **said}


deciding = _gathered(
    "deciding",
    Deciding,
    click.option(
        "--dry-run", is_flag=True,
        help="Ask the server, say what would be done and why, and send nothing.",
    ),
    click.option("--resume", is_flag=True, help="Go on with the push that was interrupted."),
    click.option("--ours", is_flag=True, help="Where both sides changed a value, the clinic's is right."),
    click.option("--theirs", is_flag=True, help="Where both sides changed a value, the server's is right."),
    click.option(
        "--moved", is_flag=True,
        help="Records may go to another patient: what stands there is marked entered-in-error.",
    ),
    click.option(
        "--rekeyed/--not-rekeyed", default=None,
        help="Keys were corrected: what stands there goes by the new ones; or: these are others [default: stop].",
    ),
)  # fmt: skip

remembering = click.option(
    "--ledger", metavar="FILE", type=FILE, envvar="MESOFHIR_LEDGER",
    help="What is known of the server [default: one for each server and namespace, in the user's data folder].",
)  # fmt: skip


writing = click.option(
    "--to", metavar="FORMAT", default="", help="Format of DST [default: from its name]."
)


def reporting(what: str) -> Callable[[Function], Function]:
    """``--report FILE``."""
    return click.option("--report", metavar="FILE", type=FILE, help=f"{what} (NDJSON, readable by you alone).")
