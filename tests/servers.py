"""The real FHIR servers that tests talk to: HAPI (Java, in tests/hapi) and sekmet-fhir (Python).

Each runs in a process of its own, on a free loopback port, and lives only as long as somebody holds
its standard input open: a test run that is killed leaves no server behind.

`python -m tests.servers` builds HAPI (as a first run of its tests would) and runs one with our profiles until Ctrl-C,
`python -m tests.servers bare` one without them; `python -m tests.servers build` only builds it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock

TESTS = Path(__file__).resolve().parent
HAPI_SOURCES = TESTS / "hapi"
HAPI_BUILDS = TESTS.parent / ".cache" / "hapi"

# A test server lives for a minute: a quick start (12 s instead of 19 s) matters more than top speed.
JAVA = ("java", "-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
IN_MEMORY = "jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1"
PROFILES = TESTS.parent / "mesofhir" / "fhir" / "profiles" / "mesofhir.profiles.tgz"
RUNNING_HAPI = {"hapi": "MESOFHIR_TESTS_HAPI", "bare": "MESOFHIR_TESTS_BARE_HAPI"}
"""Variables that name a HAPI which runs already (`python -m tests.servers`), for quick runs while developing."""


class Unavailable(Exception):
    """A server cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class FhirServer:
    """Where a running server is, and which one it is, since they differ in what they do."""

    name: str
    url: str

    @property
    def is_hapi(self) -> bool:
        return self.name == "hapi"


class ServerProcess:
    """A server in a process of its own, as a context manager that waits until it answers."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def ready(self, seconds: float = 600) -> FhirServer:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            if found := re.search(r"^ready (\S+)$", self.log.read_text(errors="replace"), re.MULTILINE):
                return FhirServer(self.name, found[1])
            if ended:
                break
            time.sleep(0.05)
        self.kill()
        raise Unavailable(f"{self.name} did not start: {_last_lines(self.log)}")

    def stop(self) -> None:
        """Ends it in its own time."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> FhirServer:
        return self.ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_sekmet(folder: Path) -> ServerProcess:
    """A sekmet-fhir that keeps its data in the folder."""
    return ServerProcess("sekmet", [sys.executable, str(TESTS / "sekmet_server.py"), str(folder)], folder)


def start_hapi(
    folder: Path, *, jdbc: str = IN_MEMORY, port: int = 0, packages: Sequence[Path] = ()
) -> ServerProcess:
    """A HAPI FHIR R4 server that logs to the folder. The packages are files `name#version.tgz`.

    For a database that outlives `kill`: `jdbc:h2:file:DIR/fhir;WRITE_DELAY=0`.
    """
    options = [f"-Djava.io.tmpdir={folder}", "-cp", build_hapi()]
    return ServerProcess("hapi", [*JAVA, *options, "Hapi", str(port), jdbc, *map(str, packages)], folder)


def profiles_package(folder: Path) -> Path:
    """Our compiled package under the name by which HAPI takes packages, in the folder."""
    with tarfile.open(PROFILES) as package:
        about = package.extractfile("package/package.json")
        assert about is not None
        said = json.load(about)
    named = folder / f"{said['name']}#{said['version']}.tgz"
    return Path(shutil.copyfile(PROFILES, named))


def build_hapi() -> str:
    """The class path of the HAPI launcher, compiled if these sources were not yet.

    The first time on a machine, Maven downloads some 280 MB.
    """
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        raise Unavailable(f"HAPI needs Java 17 and Maven; not found: {', '.join(missing)}")
    digest = hashlib.sha256()
    for path in sorted(path for path in HAPI_SOURCES.rglob("*") if path.is_file()):
        digest.update(path.relative_to(HAPI_SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    build = HAPI_BUILDS / digest.hexdigest()[:16]
    build.mkdir(parents=True, exist_ok=True)
    jars = build / "target" / "classpath.txt"
    with FileLock(build / "lock"):
        if not _all_there(jars):
            shutil.copytree(HAPI_SOURCES, build, dirs_exist_ok=True)
            command = ["mvn", "--quiet", "--batch-mode", "-Dstyle.color=never", f"-Dmdep.outputFile={jars}"]
            command += ["compile", "dependency:build-classpath"]
            log = build / "maven.log"
            with log.open("w") as output:
                maven = subprocess.run(
                    command, cwd=build, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
                )
            if maven.returncode != 0:
                raise Unavailable(f"HAPI could not be built: {_last_lines(log)}")
    return os.pathsep.join([str(build / "target" / "classes"), jars.read_text()])


def _all_there(jars: Path) -> bool:
    return jars.exists() and all(Path(jar).exists() for jar in jars.read_text().split(os.pathsep))


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


class SharedHapi:
    """A HAPI that the whole of a test run shares, though it may be spread over several processes: the one called
    ``hapi`` has our profiles, the one called ``bare`` has not. Each is started only if a test wants it.

    Any process of the run may `request` and `get` it; the first process of the run, which outlives the
    others, has to `keep` it: it starts HAPI at the first request, and stops it at the end.
    They talk through files in a folder of the run.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._name, self._folder = name, folder / name
        self._folder.mkdir(exist_ok=True)
        self._requested = self._folder / "requested"
        self._answer = self._folder / "answer.json"
        self._ending = threading.Event()
        self._server: ServerProcess | None = None

    def request(self) -> None:
        self._requested.touch()

    def get(self) -> FhirServer:
        self.request()
        while not self._answer.exists():
            time.sleep(0.1)
        answer = json.loads(self._answer.read_text())
        if "error" in answer:
            raise Unavailable(answer["error"])
        return FhirServer("hapi", answer["url"])

    def keep(self) -> None:
        threading.Thread(target=self._keep, name=f"{self._name}-keeper", daemon=True).start()

    def _keep(self) -> None:
        while not self._requested.exists():
            if self._ending.wait(0.1):
                return
        try:
            if not (url := os.environ.get(RUNNING_HAPI[self._name])):
                packages = [profiles_package(self._folder)] if self._name == "hapi" else []
                self._server = start_hapi(self._folder, packages=packages)
                url = self._server.ready().url
            answer = {"url": url}
        except Unavailable as reason:
            answer = {"error": str(reason)}
        draft = self._answer.with_suffix(".draft")
        draft.write_text(json.dumps(answer))
        draft.rename(self._answer)

    def stop(self) -> None:
        self._ending.set()
        if self._server:
            self._server.stop()


if __name__ == "__main__":
    try:
        build_hapi()
        if sys.argv[1:] != ["build"]:
            with tempfile.TemporaryDirectory() as logs:
                packages = [] if sys.argv[1:] == ["bare"] else [profiles_package(Path(logs))]
                with start_hapi(Path(logs), packages=packages) as hapi:
                    print(hapi.url, flush=True)
                    threading.Event().wait()
    except Unavailable as reason:
        raise SystemExit(str(reason)) from None
    except KeyboardInterrupt:
        pass
