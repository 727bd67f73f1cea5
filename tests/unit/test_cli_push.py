"""Push through the command line, with a library that says what we tell it to say."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mesofhir.sync
from mesofhir.cli import main
from mesofhir.errors import NotAllDone, UnknownOutcome, Unreachable
from mesofhir.formats import Item
from mesofhir.mapping import Clinic, Link
from mesofhir.records import TreatmentHistory
from mesofhir.server import Abilities, Capabilities, Server
from mesofhir.sync import Result as Became
from mesofhir.sync.report import Remark

SERVER = "https://fhir.example.org/r4"
SANDBOX = "https://hapi.fhir.org/baseR4"
NAMESPACE = "https://clinic.example/m"
Judge = Callable[[TreatmentHistory], Became]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESOFHIR_NAMESPACE", NAMESPACE)
    monkeypatch.setattr(Server, "abilities", lambda self: Abilities(Capabilities()))


class Library:
    """Stands for the rooms below; keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pushed: list[str] = []
        self.clinic: Clinic | None = None
        self.options: Any = None
        self.window = 40
        self.monkeypatch = monkeypatch

    def pushes(self, judge: Judge) -> None:
        def iter_push(
            histories: Iterable[TreatmentHistory], server: Any, clinic: Clinic, options: Any
        ) -> Iterator[Became]:
            self.clinic, self.options = clinic, options
            source = (given.history if isinstance(given, Item) else given for given in histories)
            while window := [h for _, h in zip(range(self.window), source, strict=False)]:
                for history in window:
                    self.pushed.append(history.key)
                    yield judge(history)

        self.monkeypatch.setattr(mesofhir.sync, "iter_push", iter_push)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    return Library(monkeypatch)


def run(*args: str, code: int) -> Result:
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


def source(count: int) -> str:
    lines = [json.dumps({"key": f"P{n:04}", "synthetic": True}) for n in range(count)]
    Path("many.ndjson").write_text("\n".join(lines))
    return "many.ndjson"


def became(history: TreatmentHistory, outcome: Any = "created", **more: Any) -> Became:
    return Became(history.key, {Link("Patient", "patients", history.key): outcome}, **more)


def test_the_summary_adds_up(library: Library) -> None:
    outcomes = ["created", "unchanged", "changed", "found", "unchanged"]
    library.pushes(lambda h: became(h, outcomes[int(h.key[1:])]))
    result = run("push", source(5), SERVER, code=0)
    assert "5 histories: 5 done" in result.stderr
    assert "5 resources: 1 created, 1 changed, 2 unchanged, 1 found; 0 requests" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("codes", "expected"),
    [({0}, 0), ({0, 4}, 4), ({4, 5}, 5), ({4, 6}, 6), ({6, 5, 4, 0}, 6)],
)
def test_where_several_codes_apply(library: Library, codes: set[int], expected: int) -> None:
    rest = sorted(codes)

    def judge(history: TreatmentHistory) -> Became:
        code = rest[int(history.key[1:])]
        return became(history, "created", exit_code=code, stopped="why" if code else "")

    library.pushes(judge)
    result = run("push", source(len(codes)), SERVER, code=expected)
    if expected:
        assert "error: history P0001 was stopped: why" in result.stderr or len(codes) == 1


def test_every_resource_is_in_the_report_and_few_remarks_on_the_screen(library: Library) -> None:
    def judge(history: TreatmentHistory) -> Became:
        link = Link("Patient", "patients", history.key)
        return became(history, "changed", remarks=[Remark(link, "replaced", "the clinic's value", "$.birthDate")])

    library.pushes(judge)
    result = run("push", source(60), SERVER, "--report", "r.ndjson", code=0)
    assert result.stderr.count("note: patients P00") == 50
    assert "note: … and 10 more (all in r.ndjson)" in result.stderr
    assert "remarks: 60 replaced" in result.stderr
    lines = [json.loads(line) for line in Path("r.ndjson").read_text().splitlines()]
    assert [line["key"] for line in lines] == [f"P{n:04}" for n in range(60)]
    assert lines[0]["remarks"] == [{"kind": "replaced", "path": "$.birthDate", "text": "the clinic's value"}]
    if os.name == "posix":
        assert Path("r.ndjson").stat().st_mode & 0o077 == 0


def test_when_nobody_answers_any_more_the_rest_is_not_tried(library: Library) -> None:
    def judge(history: TreatmentHistory) -> Became:
        gone = int(history.key[1:]) >= 50
        return became(history, "refused" if gone else "created", exit_code=5 * gone, stopped="no answer" * gone)

    library.pushes(judge)
    result = run("push", source(1000), SERVER, code=5)
    assert len(library.pushed) == 80  # the window that was begun comes to its end
    assert "1000 histories: 50 done, 30 stopped, 920 not tried" in result.stderr
    assert "920 histories not tried: the server does not answer" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [(Unreachable("gone"), 5), (UnknownOutcome("who knows"), 6), (NotAllDone("no"), 4)],
)
def test_an_error_in_the_middle(library: Library, error: Exception, code: int) -> None:
    def judge(history: TreatmentHistory) -> Became:
        if history.key == "P0003":
            raise error
        return became(history)

    library.pushes(judge)
    result = run("push", source(9), SERVER, code=code)
    assert "9 histories: 3 done, 6 not tried" in result.stderr
    assert f"error: {error}" in result.stderr
    assert "6 histories not tried" in result.stderr


def test_a_source_that_changes_meanwhile_is_not_called_unsent(library: Library) -> None:
    """It is read twice: to its end for the check, then as it is sent."""
    library.window = 1

    def iter_push(histories: Iterable[Item], *_: Any) -> Iterator[Became]:
        Path("many.ndjson").write_text('{"key": "P0000"}\n{"key": 1}\n')
        yield from (became(item.history) for item in histories)

    library.monkeypatch.setattr(mesofhir.sync, "iter_push", iter_push)
    result = run("push", source(3), SERVER, code=4)
    assert "the source has changed since it was checked" in result.stderr
    assert "3 histories: 1 done, 2 not tried" in result.stderr


def test_options_reach_the_library(library: Library) -> None:
    library.pushes(became)
    Path("mesofhir.toml").write_text(
        f'[servers.h]\nurl = "{SERVER}"\nidentifier_systems = ["urn:a"]\nconcurrency = 4\ncreate_people = true\n'
    )
    run("push", source(1), "h", code=0)
    assert (library.options.match_systems, library.options.jobs) == (("urn:a",), 4)
    assert (library.options.create_people, library.options.withdraw) == (True, False)
    more = ["--match-system", "urn:b", "--match-system", "urn:c", "--jobs", "2", "--no-create-people", "--withdraw"]
    run("push", source(1), "h", *more, code=0)
    assert (library.options.match_systems, library.options.jobs) == (("urn:b", "urn:c"), 2)
    assert (library.options.create_people, library.options.withdraw) == (False, True)
    run("push", source(1), SERVER, code=0)
    assert (library.options.match_systems, library.options.jobs) == ((), 1)
    assert not library.options.create_people


def test_on_a_public_sandbox_everybody_has_a_namespace_of_their_own(library: Library) -> None:
    library.pushes(became)
    run("push", source(1), SANDBOX, code=0)
    assert library.clinic
    assert library.options.create_people
    own = library.clinic.namespace
    assert own.startswith(f"{NAMESPACE}/")
    result = run("push", source(1), SANDBOX, "--withdraw", code=0)
    assert own in result.stderr
    assert library.clinic.namespace == own
    asked: list[Clinic] = []

    def iter_pull(server: Any, clinic: Clinic, **_: Any) -> Iterator[Any]:
        asked.append(clinic)
        yield from ()

    library.monkeypatch.setattr(mesofhir.sync, "iter_pull", iter_pull)
    run("pull", SANDBOX, "x.json", code=4)
    assert [clinic.namespace for clinic in asked] == [own]


def test_on_a_public_sandbox_the_patients_of_strangers_are_not_ours(library: Library) -> None:
    """Everybody pushes the same examples there, with the same identifiers."""
    library.pushes(became)
    run("push", source(1), SANDBOX, code=0)
    assert library.clinic
    assert library.options.match_systems == (library.clinic.namespace,)  # which no record states: by its key alone
    run("push", source(1), SANDBOX, "--match-system", "urn:a", code=0)
    assert library.options.match_systems == ("urn:a",)


INTERRUPTED = """
    import os, signal, sys
    import mesofhir.sync as room
    from mesofhir.cli import main
    from mesofhir.server import Abilities, Capabilities, Server
    from mesofhir.sync import Result

    def iter_push(histories, server, clinic, options):
        for n, history in enumerate(histories):
            for _ in range({presses} if n == 2 else 0):
                os.kill(os.getpid(), signal.SIGINT)
            yield Result(history.history.key)

    room.iter_push = iter_push
    Server.abilities = lambda self: None
    main(["push", "many.ndjson", "https://fhir.example.org/r4"])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(("presses", "done"), [(1, 3), (2, 2)])
def test_ctrl_c_says_what_was_done(presses: int, done: int) -> None:
    """The first lets what was begun come to its end, the second does not wait."""
    source(9)
    code = textwrap.dedent(INTERRUPTED).format(presses=presses)
    command = [sys.executable, "-c", code]
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": path}
    )
    assert ended.returncode == 130
    assert f"interrupted: {done} of 9 histories were handled" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_progress_on_a_terminal_only(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.pushes(became)
    assert "\r" not in run("push", source(5), SERVER, code=0).stderr
    from mesofhir.cli import progress

    monkeypatch.setattr(progress, "on_terminal", lambda: True)
    shown = run("push", source(5), SERVER, code=0).stderr
    assert "\rpushed:   0%|" in shown
    assert "| 0/5 [" in shown
    assert "\r" not in run("push", source(5), SERVER, "-q", code=0).stderr
