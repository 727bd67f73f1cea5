"""What every test may use: the real FHIR servers, a namespace of the test's own, and Hypothesis set up for machines
of any speed."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.servers import FhirServer, SharedHapi, Unavailable, start_sekmet

SHARED_HAPI = pytest.StashKey[dict[str, SharedHapi]]()
HAPIS = {"hapi": "hapi", "bare_hapi": "bare"}  # fixture → server
RUN_FOLDER = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()

# As many examples as minutes allow, more with MESOFHIR_TESTS=thorough; no test fails because a machine is busy.
_ANY_SPEED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
}
settings.register_profile("quick", max_examples=60, **_ANY_SPEED)
settings.register_profile("thorough", max_examples=2000, **_ANY_SPEED)
settings.register_profile("explore", max_examples=40, phases=[Phase.generate], **_ANY_SPEED)
settings.load_profile(os.environ.get("MESOFHIR_TESTS", "quick"))


@pytest.fixture(params=["sekmet", pytest.param("hapi", marks=pytest.mark.hapi)], scope="session")
def fhir_server(request: pytest.FixtureRequest) -> FhirServer:
    """Each of the servers in turn."""
    server: FhirServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def sekmet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirServer]:
    """The embedded server, one for each process of the run."""
    with start_sekmet(tmp_path_factory.mktemp("sekmet")) as server:
        yield server


@pytest.fixture(scope="session")
def hapi(pytestconfig: pytest.Config) -> FhirServer:
    """The HAPI with our profiles that the whole run shares. Without Java and Maven its tests are skipped; in CI they
    fail."""
    return _shared(pytestconfig, "hapi")


@pytest.fixture(scope="session")
def bare_hapi(pytestconfig: pytest.Config) -> FhirServer:
    """A HAPI that knows nothing of our profiles, shared and skipped likewise."""
    return _shared(pytestconfig, "bare")


def _shared(config: pytest.Config, name: str) -> FhirServer:
    try:
        return config.stash[SHARED_HAPI][name].get()
    except Unavailable as error:
        reason = str(error)
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def namespace() -> str:
    """A clinic's namespace that no other test has: the servers are shared."""
    return f"https://clinic.example/{uuid4()}"


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes to the data folder of who runs it (ledgers)."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own-data"))


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker:
        folder = Path(worker["run_folder"])
    else:
        made = config.stash[RUN_FOLDER] = tempfile.TemporaryDirectory(prefix="mesofhir-tests-")
        folder = Path(made.name)
    config.stash[SHARED_HAPI] = {name: SharedHapi(folder, name) for name in HAPIS.values()}
    if not worker:
        for hapi in config.stash[SHARED_HAPI].values():
            hapi.keep()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tells a worker of pytest-xdist where the run's folder is."""
    node.workerinput["run_folder"] = node.config.stash[RUN_FOLDER].name  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs HAPI, and puts it last: it starts while the others run."""
    for item in items:
        if _hapis(item):
            item.add_marker("hapi")
    items.sort(key=needs_hapi)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    for name in {name for item in session.items for name in _hapis(item)}:
        session.config.stash[SHARED_HAPI][name].request()


def pytest_unconfigure(config: pytest.Config) -> None:
    if RUN_FOLDER in config.stash:
        for hapi in config.stash[SHARED_HAPI].values():
            hapi.stop()
        config.stash[RUN_FOLDER].cleanup()


def _hapis(item: pytest.Item) -> set[str]:
    """Which HAPIs a test wants."""
    wanted = {HAPIS[name] for name in getattr(item, "fixturenames", ()) if name in HAPIS}
    return wanted | ({"hapi"} if item.get_closest_marker("hapi") and not wanted else set())


def needs_hapi(item: pytest.Item) -> bool:
    return item.get_closest_marker("hapi") is not None
