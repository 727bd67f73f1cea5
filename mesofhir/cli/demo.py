"""``mesofhir demo``: the whole path on this machine, each step told with what really happened."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mesofhir.cli.comparison import Comparison, compared
from mesofhir.cli.embedded import check_installed, embedded
from mesofhir.cli.options import common
from mesofhir.cli.words import MOST, Voice, number
from mesofhir.errors import MesofhirError, NotAllDone, UsageError

if TYPE_CHECKING:
    from mesofhir.mapping import Clinic
    from mesofhir.records import TreatmentHistory
    from mesofhir.server import Server
    from mesofhir.sync import Result

NAMESPACE: Final = "https://clinic.example/mesofhir-demo"
NOTE: Final = {"authorString": "Day hospital (EHR)", "text": "Seen at the ward round: no complaints."}
OUTCOME: Final = {"text": "As expected (EHR)"}
ROOM: Final = "Day hospital, room 12 (EHR)"
FOLLOW_UP: Final = "Telefonata di controllo dopo tre giorni."


@click.command()
@common
def command(voice: Voice) -> int:
    """Show all of it on this machine: an embedded FHIR server, nothing configured.

    Invented histories are pushed to a FHIR server inside this process, pushed again, changed as an EHR would
    change them, pushed with a change of the clinic's, pulled and compared value by value. Nothing leaves this
    machine. What was sent and what came back stays in a temporary folder.

    \b
    Example:
      mesofhir demo
    """
    check_installed()
    histories = list(_examples())
    folder = Path(tempfile.mkdtemp(prefix="mesofhir-demo-"))
    (folder / "server").mkdir()
    with embedded(folder / "server") as url:
        from mesofhir.mapping import Clinic
        from mesofhir.server import Server

        click.echo(f"An embedded FHIR server (sekmet-fhir) at {url}; nothing leaves this machine.\n")
        with Server(url, warn=voice.warn) as server:
            demo = Demo(voice, folder, server, Clinic(NAMESPACE), {h.key: h for h in histories})
            demo.run()
            demo.ledger.close()
    if demo.broken:
        voice.error(NotAllDone(f"{number(len(demo.broken), 'promise')} not kept: {'; '.join(demo.broken)}"))
        return NotAllDone.exit_code
    return 0


def _examples() -> Iterator[TreatmentHistory]:
    """The examples: in the package where it is installed, beside it in its sources."""
    import mesofhir
    from mesofhir.formats import read

    package = Path(str(mesofhir.__file__)).parent
    places = (package / "_examples", package.parent / "examples")
    paths = [p for place in places if place.is_dir() for p in sorted(place.glob("*.json")) if "." not in p.stem]
    if not paths:
        raise UsageError(f"the examples are missing: they should be in {places[0]}; install mesofhir again")
    for item in (item for path in paths for item in read(path)):
        if item.history is None or item.faults:
            raise MesofhirError(f"an example of ours is invalid: {item.where}")
        yield item.history


@dataclass
class Demo:
    """The steps, and the promises that were not kept.

    :param histories: what the clinic has, by the patient's key
    """

    voice: Voice
    folder: Path
    server: Server
    clinic: Clinic
    histories: dict[str, TreatmentHistory]
    broken: list[str] = field(default_factory=list)
    names: dict[Any, str] = field(default_factory=dict)  # link → reference on the server
    step: int = 0
    edited: Any = None  # the session that both sides edit

    def __post_init__(self) -> None:
        from mesofhir.sync import Ledger

        self.ledger = Ledger(self.folder / "ledger.sqlite", self.server.url, self.clinic.namespace)

    def run(self) -> None:
        """:raises NotAllDone: the first push brought nothing to go on with"""
        self.push_first()
        self.push_again()
        procedure = self.edit()
        self.push_change(procedure)
        self.compare(self.pull())
        self.files()

    # --- the steps ----------------------------------------------------------------------------------------

    def push_first(self) -> None:
        counts, results = self._push()
        self._tell("push", f"{number(len(results), 'history', 'histories')}: {_listed(counts)}")
        self._promise(not set(counts) - {"created"}, "the first push creates everything")

    def push_again(self) -> None:
        before = self._versions()
        counts, _ = self._push()
        after = self._versions()
        new = [name for name in after if after[name] != before.get(name)]
        versions = f"{number(len(new), 'new version')} among the {len(after)} on the server"
        self._tell("push again", f"{_listed(counts)}; {versions}")
        self._promise(not set(counts) - {"unchanged", "found"}, "a second push changes nothing")
        self._promise(not new, "a second push makes no version")

    def edit(self) -> str:
        """An EHR adds to a session and changes what the clinic has stated, by a PUT as any EHR would; then the
        clinic states something more of the same session. The resource of both edits."""
        link, session = next(self._sessions(), (None, None))
        if session is None:
            raise NotAllDone("the server took no session that both sides could edit")
        name = self.names[link]
        theirs = self.server.read(*name.split("/")).body or {}
        version = theirs["meta"]["versionId"]
        edited = theirs | {"outcome": OUTCOME, "note": [*theirs.get("note", ()), NOTE]}
        edited["location"] = {**theirs.get("location", {}), "display": ROOM}
        self.server.update(edited, version=version)
        self._tell("the EHR edits", f"{name} (session {session.key}): adds a note and an outcome, changes the room")
        session.follow_up = FOLLOW_UP
        self.edited = session
        return name

    def push_change(self, procedure: str) -> None:
        counts, results = self._push()
        kept = [r for result in results for r in result.remarks if r.kind == "kept"]
        room = [r for r in kept if "location" in r.path]
        self._tell("the clinic edits", f"the follow-up of that session, and pushes: {_listed(counts)}")
        self._more(f"the EHR's room stays, and that was {'reported' if room else 'NOT reported'}")
        now = self.server.read(*procedure.split("/")).body or {}
        stayed = NOTE["text"] in [n.get("text") for n in now.get("note", ())] and now.get("outcome") == OUTCOME
        self._more(f"the EHR's note and outcome are {'still there' if stayed else 'GONE'}")
        self._promise(counts.get("changed") == 1, "only what differs is changed")
        self._promise(bool(room), "what only the EHR has changed is reported")
        self._promise(now.get("location", {}).get("display") == ROOM, "what only the EHR has changed survives")
        self._promise(stayed, "what an EHR adds survives")
        self.edited.place = ROOM  # the clinic has read it, and says so from now on

    def pull(self) -> dict[str, TreatmentHistory]:
        from mesofhir.formats import write
        from mesofhir.sync import iter_pull

        items = list(iter_pull(self.server, self.clinic))
        histories = {i.history.key: i.history for i in items if i.history is not None}
        mapped, kept = len({link for i in items for link in i.sources}), sum(len(i.kept) for i in items)
        notes = sorted({f"{n.resource['resourceType']}{n.path[1:]}" for i in items for n in i.notes})
        self._tell("pull", f"{number(len(histories), 'history', 'histories')} of {mapped} resources, {kept} kept")
        self._more(f"in no record, and kept beside them: {', '.join(notes) or 'nothing'}")
        self._promise(not kept and any("note" in path for path in notes), "what no record holds is told")
        write(self.folder / "pulled.json", items)
        write(self.folder / "pulled.fhir.ndjson", items, clinic=self.clinic)
        return histories

    def compare(self, pulled: Mapping[str, TreatmentHistory]) -> None:
        result = compared(self.histories, pulled)
        same = f"{result.total} values: {result.equal} the same"
        self._tell("compare", f"{same}, {_zeros(result)}, {len(result.others)} different")
        for d in result.others[:MOST]:
            self._more(f"{d.path}: {d.ours!r} came back as {d.theirs!r}")
        if result.zeros:
            self._more("this server drops trailing zeros; others keep them (HAPI does)")
        self._promise(not result.others, "what comes back is what was sent")

    def files(self) -> None:
        from mesofhir.formats import Item, write

        write(self.folder / "pushed.json", [Item.of(h) for h in self.histories.values()])
        click.echo(f"\nWhat was sent and what came back: {self.folder}")

    # --- helpers ------------------------------------------------------------------------------------------

    def _push(self) -> tuple[dict[str, int], list[Result]]:
        from mesofhir.sync import Options, Summary, iter_push

        summary, results = Summary(), []
        became: dict[Any, str] = {}
        options = Options(create_people=True, ledger=self.ledger)
        for result in iter_push(self.histories.values(), self.server, self.clinic, options):
            summary.add(result)
            results.append(result)
            became = {**result.outcomes, **became}  # a practitioner of several histories is made by the first
            self.names |= result.references
            if result.stopped:
                self.voice.error(NotAllDone(f"history {result.key} was stopped: {result.stopped}"))
        self._promise(summary.exit_code == 0, "every push succeeds")
        return dict(Counter(became.values())), results

    def _versions(self) -> dict[str, str]:
        """The version of everything on the server; the server is asked, not our memory."""
        from mesofhir.cli.server_check import kinds

        return {
            f"{kind}/{x['id']}": str(x["meta"]["versionId"])
            for kind in kinds()
            for x in self.server.search(kind, [])
        }

    def _sessions(self) -> Iterator[tuple[Any, Any]]:
        """The sessions that took place in a room that the clinic states."""
        from mesofhir.mapping import Link

        for history in self.histories.values():
            for session in (s for cycle in history.cycles for s in cycle.sessions):
                link = Link("Procedure", "sessions", session.key)
                if session.status == "done" and isinstance(session.place, str) and link in self.names:
                    yield link, session

    def _promise(self, kept: bool, promise: str) -> None:
        if not kept and promise not in self.broken:
            self.broken.append(promise)

    def _tell(self, name: str, text: str) -> None:
        self.step += 1
        click.echo(f"{self.step}  {name:17} {text}")

    def _more(self, text: str) -> None:
        click.echo(f"{'':20} {text}")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items())) or "nothing"


def _zeros(result: Comparison) -> str:
    if not result.zeros:
        return "no number lost a zero"
    d = result.zeros[0]
    return f"{number(len(result.zeros), 'number')} without trailing zeros ({d.ours} came back as {d.theirs})"
