"""The command line as a whole: what it lists, what it loads, and how it ends."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mesofhir import errors
from mesofhir.cli import main, verbs
from mesofhir.cli.words import Interrupted

VERBS = [*verbs.VERBS, "export"]
GROUPS = {"server": verbs.SERVER_VERBS, "profiles": verbs.PROFILES_VERBS}
EACH = [[verb] for verb in VERBS] + [[group, verb] for group, inside in GROUPS.items() for verb in inside]


def run(*args: str | Path, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """The program in a process of its own, its standard output closed to nobody."""
    command = [sys.executable, "-m", "mesofhir.cli", *map(str, args)]
    return subprocess.run(command, capture_output=True, input=input, timeout=300)


def test_lists_its_verbs() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name, verb in verbs.VERBS.items():
        assert name in result.stdout
        assert " ".join(verb.help.split()[:4]) in " ".join(result.stdout.split())


@pytest.mark.parametrize("path", EACH, ids=" ".join)
def test_each_verb_has_help_with_an_example(path: Sequence[str]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.stdout
    name = " ".join(path).replace("export", "convert")
    assert f"  mesofhir {name}" in result.stdout


def test_check_says_what_is_validated() -> None:
    said = " ".join(CliRunner().invoke(main, ["check", "--help"]).stdout.split())
    assert "every resource that the histories become is validated" in said


@pytest.mark.parametrize("group", [verbs.VERBS, *GROUPS.values()])
def test_the_list_says_what_the_help_says(group: dict[str, verbs.Verb]) -> None:
    """The list stands apart from the verbs, so that it can be shown without importing them."""
    program = verbs.Verbs(group, name="x")
    for name, verb in group.items():
        command = program.get_command(click.Context(program), name)
        assert command is not None
        assert str(command.help).splitlines()[0] == verb.help


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["nonsense"], []])
def test_the_list_imports_nothing_heavy(args: Sequence[str]) -> None:
    code = (
        "import sys; from mesofhir.cli import main\n"
        f"try: main({args!r})\n"
        "except SystemExit: pass\n"
        "heavy = ['requests', 'urllib3', 'msgspec', 'pydantic', 'fhir', 'sekmet', 'uvicorn', 'sqlite3']\n"
        "print('loaded:', [m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_says_its_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(b"mesofhir ")


@pytest.mark.parametrize(
    ("args", "near"),
    [(["psh"], "push"), (["exprot"], "export"), (["server", "chek"], "check"), (["zzz"], "the verbs are")],
)
def test_an_unknown_verb(args: Sequence[str], near: str) -> None:
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert near in result.stderr
    assert result.stdout == ""


def test_the_schema_is_the_schema() -> None:
    from mesofhir.fhir.exactjson import decode
    from mesofhir.records.schema import json_schema

    done = run("schema")
    assert (done.returncode, done.stderr) == (0, b"")
    assert decode(done.stdout) == json_schema()


def test_a_reader_who_has_enough() -> None:
    """``mesofhir schema | head -1`` ends quietly."""
    command = [sys.executable, "-m", "mesofhir.cli", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == verbs.CLOSED


# --- whatever a verb raises ---------------------------------------------------------------------------------

PROBLEM = errors.Problem("clinic.json: $.start", "text", "a date", "as 2026-03-04")


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make the verb ``schema`` raise."""

    def prepare(error: BaseException) -> None:
        def act() -> None:
            raise error

        command = click.Command("schema", callback=act)
        monkeypatch.setattr(verbs.Verbs, "get_command", lambda self, ctx, name: command)

    return prepare


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.UsageError("no such server"), 2, "error: no such server\n"),
        (errors.InvalidInput(PROBLEM), 3, f"error: {PROBLEM}\n"),
        (errors.NotAllDone("two left"), 4, "error: two left\n"),
        (errors.Refused("no", 400, ["error invalid"]), 4, "error: no\n  error invalid\n"),
        (errors.Unreachable("nobody there"), 5, "error: nobody there\n"),
        (errors.NotAuthorised("401"), 5, "error: 401\n"),
        (errors.UnknownOutcome("who knows"), 6, "error: who knows\n"),
        (Interrupted("3 done"), 130, "error: 3 done\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (OSError(13, "Permission denied", "x.json"), 2, "error: x.json: Permission denied\n"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, BaseException) else "",
)
def test_errors_end_in_words_and_a_code(raising, error: BaseException, code: int, words: str) -> None:  # type: ignore[no-untyped-def]
    raising(error)
    result = CliRunner().invoke(main, ["schema"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, words, "")


def test_a_bug_tells_its_type_and_no_value(raising) -> None:  # type: ignore[no-untyped-def]
    raising(KeyError("Zqxcanary"))
    result = CliRunner().invoke(main, ["schema"])
    assert result.exit_code == 1
    assert "KeyError" in result.stderr
    assert "report" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Zqxcanary" not in result.output


def test_a_traceback_only_when_asked_for(raising) -> None:  # type: ignore[no-untyped-def]
    """It says where, and by which errors, and nothing that they say."""
    inner, outer = ValueError("Zqxcanary"), KeyError("Zqxcanary")
    outer.__cause__ = inner
    outer.add_note("Zqxcanary")
    raising(outer)
    result = CliRunner().invoke(main, ["schema"], env={verbs.TRACEBACK: "1"})
    assert result.exit_code == 1
    assert result.stderr.count("Traceback") == 2
    assert result.stderr.index("ValueError") < result.stderr.index("in act") < result.stderr.index("KeyError")
    assert "Zqxcanary" not in result.output


def test_a_traceback_of_what_is_ours_says_it(raising) -> None:  # type: ignore[no-untyped-def]
    raising(errors.UsageError("no such server"))
    result = CliRunner().invoke(main, ["schema"], env={verbs.TRACEBACK: "1"})
    assert "UsageError: no such server\nerror: no such server\n" in result.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [("ValueError('Zqxcanary')", "itself failed (ValueError)"), ("OSError(28, 'No space left')", "No space left")],
)
def test_what_fails_while_an_error_is_told_quotes_nothing_either(error: str, words: str) -> None:
    code = f"""if True:
        from mesofhir.cli import verbs, words
        def fail(*_):
            raise {error}
        words.Voice.line = fail
        verbs.main(["check", "gone.json"])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Zqxcanary" not in done.stderr + done.stdout


def test_very_many_problems_are_counted(raising) -> None:  # type: ignore[no-untyped-def]
    raising(errors.InvalidInput([PROBLEM] * 173))
    result = CliRunner().invoke(main, ["schema"])
    lines = result.stderr.splitlines()
    assert (len(lines), lines[-1]) == (51, "error: … and 123 more")


def test_nothing_in_a_message_steers_the_terminal(raising) -> None:  # type: ignore[no-untyped-def]
    raising(errors.UsageError("\x1b[2Jgone\r\u202e.json: no such file"))
    result = CliRunner().invoke(main, ["schema"])
    assert result.stderr == "error: �[2Jgone��.json: no such file\n"
