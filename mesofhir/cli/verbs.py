"""The verbs: each is imported only when it is called, so that ``mesofhir --help`` costs nothing.

A verb is a click command called ``command`` in a module of this room. It returns its exit code; what it
raises becomes words and a code here (:func:`told`), so no user ever sees a traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module, metadata
from typing import Any, Final, NamedTuple

import click

from mesofhir.cli.report import incomplete
from mesofhir.cli.words import Interrupted, Voice
from mesofhir.errors import MesofhirError

TRACEBACK: Final = "MESOFHIR_TRACEBACK"
CLOSED: Final = 128 + 13  # what shells say of a program whose reader went away (SIGPIPE)


class Verb(NamedTuple):
    """Where a verb is, and its line in the list of verbs: the first line of its own help."""

    module: str
    help: str


VERBS: Final[Mapping[str, Verb]] = {
    "demo": Verb("demo", "Show all of it on this machine: an embedded FHIR server, nothing configured."),
    "convert": Verb("convert", "Convert between records, FHIR and CSV, offline."),
    "check": Verb("check", "Read, map and validate, without a network."),
    "push": Verb("push", "Bring histories to a FHIR server: nothing twice, nothing erased."),
    "pull": Verb("pull", "Fetch histories from a FHIR server."),
    "server": Verb("server", "Look at a FHIR server."),
    "profiles": Verb("profiles", "Show the FHIR profiles, and put them on a server."),
    "ledger": Verb("ledger", "Say what was sent to a server, and settle what nobody knows the outcome of."),
    "support-bundle": Verb("support_bundle", "Write down what a help desk needs to know, without patient data."),
    "schema": Verb("schema", "Print the JSON Schema of a treatment history."),
}
ALIASES: Final[Mapping[str, str]] = {"export": "convert"}
LEDGER_VERBS: Final[Mapping[str, Verb]] = {
    "status": Verb("ledger_status", "Say what was done, and what is pending, unknown or refused, per server."),
    "resolve": Verb(
        "ledger_resolve", "Settle what is pending or unknown: look for it on the server, compare, and ask of the rest."
    ),
}
SERVER_VERBS: Final[Mapping[str, Verb]] = {
    "check": Verb(
        "server_check",
        "Say what a server is, what it can do for each type that we write, and how a push would go.",
    ),
}
PROFILES_VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("profiles_list", "List what the package holds: profiles, extensions, value sets, codes, protocols."),
    "show": Verb("profiles_show", "Show what a profile asks for, as a table; or the codes of a value set."),
    "package": Verb("profiles_package", "Write the FHIR package (.tgz) that validators and servers load."),
    "install": Verb("profiles_install", "Put the profiles on a server, with all that it needs to validate."),
}


class Verbs(click.Group):
    """A group whose verbs are imported when they are called."""

    def __init__(
        self, verbs: Mapping[str, Verb], aliases: Mapping[str, str] | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.verbs, self.aliases = verbs, aliases or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        verb = self.verbs.get(self.aliases.get(name, name))
        if verb is None:
            return None
        command = import_module(f"mesofhir.cli.{verb.module}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.verbs and name not in self.aliases and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, [*self.verbs, *self.aliases], 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the verbs are {', '.join(self.verbs)}"
            ctx.fail(f"No such verb {name[:40]!r}: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])


class Program(Verbs):
    """The whole program: whatever a verb raises is told in words and ends in an exit code."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        import threading

        # What fails while an error is told, in a thread or in a destructor: Python would quote what the errors say.
        sys.excepthook = lambda kind, error, trace: _last_words(error)
        threading.excepthook = lambda found: _last_words(found.exc_value)
        sys.unraisablehook = lambda found: _last_words(found.exc_value)
        return super().__call__(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.exit(told(ctx, lambda: super(Program, self).invoke(ctx)))


def told(ctx: click.Context, act: Callable[[], Any]) -> int:
    """The exit code of an act; errors become lines on standard error.

    :raises click.ClickException: click tells its own (usage errors: exit code 2)
    """
    voice = Voice.of(ctx)
    try:
        code = act()
        sys.stdout.flush()
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except MesofhirError as error:
        return _failed(voice, error, error.exit_code)
    except KeyboardInterrupt:
        voice.error(Interrupted("interrupted"))
        return Interrupted.exit_code
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _reader_gone()
        return _failed(voice, _system(error), 2)
    except Exception as error:  # noqa: BLE001 - the last resort: nobody sees a traceback
        return _failed(voice, _bug(error), 1, error)
    return (code if isinstance(code, int) else 0) or incomplete(ctx)


def _failed(voice: Voice, error: MesofhirError, code: int, cause: BaseException | None = None) -> int:
    if os.environ.get(TRACEBACK) == "1":
        voice.line(_traceback(cause or error))
    voice.error(error)
    return code


def _traceback(error: BaseException) -> str:
    """Where it was raised, and what led to it. Of an error that is not ours only the type: what it says, and the notes
    on it, could quote a patient's data."""
    import traceback

    parts: list[str] = []
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        says = f": {each}" if isinstance(each, MesofhirError) else ""
        frames = "".join(traceback.format_tb(each.__traceback__))
        parts.insert(0, f"Traceback (most recent call last):\n{frames}{type(each).__qualname__}{says}")
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\n\nwhich led to:\n\n".join(parts)


def _system(error: OSError) -> MesofhirError:
    """A file or folder that the system does not give us; the name is the user's own."""
    name = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return MesofhirError(f"{name}{error.strerror or type(error).__name__}")


def _bug(error: BaseException) -> MesofhirError:
    """Only the type: a message could quote a patient's data."""
    return MesofhirError(
        f"mesofhir itself failed ({type(error).__name__}). This is a mistake of ours: please report it, with "
        f"what you called, and with what it says once {TRACEBACK}=1 is set in the environment: where it failed, and "
        "nothing of your data"
    )


def _last_words(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt):  # once more, while it ended
        told: object = "interrupted"
    else:
        told = _system(error) if isinstance(error, OSError) else _bug(error or Exception())
    with suppress(Exception):
        sys.stderr.write(f"error: {told}\n")


def _reader_gone() -> int:
    """Whoever read our output has enough (``| head``): end quietly, also when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        try:
            number = metadata.version("mesofhir")
        except metadata.PackageNotFoundError:
            number = "(run from its sources)"
        click.echo(f"mesofhir {number}")
        ctx.exit()


main = Program(
    VERBS,
    ALIASES,
    name="mesofhir",
    help="""Carry mesotherapy treatment histories between a clinic's records and a FHIR R4 server.

    \b
    Begin with:   mesofhir demo
    Then:         mesofhir VERB --help   (each has an example)

    SRC and DST are a path or `-`; SERVER is a URL or a name of mesofhir.toml. Data goes to standard output,
    words go to standard error.

    \b
    Exit codes: 0 all done; 1 a bug of ours; 2 usage or configuration; 3 invalid
    input, nothing sent; 4 some not done; 5 unreachable or not authorised; 6 an
    outcome is unknown; 130 interrupted.
    """,
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
