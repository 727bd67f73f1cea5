"""Imports point one way, and each foreign library lives in one room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "mesofhir"
ALLOWED = {
    "errors": set(),
    "terminology": {"errors"},
    "records": {"terminology", "errors"},
    "fhir": {"terminology", "errors"},
    "mapping": {"records", "fhir", "terminology", "errors"},
    "formats": {"mapping", "records", "fhir", "terminology", "errors"},
    "server": {"mapping", "records", "fhir", "terminology", "errors"},
    "sync": {"formats", "server", "mapping", "records", "fhir", "terminology", "errors"},
    "cli": {"sync", "formats", "server", "mapping", "records", "fhir", "terminology", "errors"},
}
ALONE = {
    "requests": "server",
    "click": "cli",
    "fhir.resources": "fhir",
    "pydantic": "fhir",
    "fhirpathpy": "fhir",
    "urllib3": "server",
}
SYNC = {
    "report": {"planning"},
    "planning": set(),
    "sending": {"planning"},
    "theirs": {"planning", "sending", "report"},
    "deciding": {"planning", "sending", "report"},
    "ledger": {"deciding"},
    "pushing": {"ledger", "deciding", "theirs", "sending", "planning", "report"},
    "pulling": {"sending"},
    "observing": {"sending"},
    "profiles": set(),
}
"""The rooms within ``sync/``."""
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{a.name}" for a in node.names}
    return names


@pytest.mark.parametrize(
    "path", [f for f in FILES if room(f) != "__init__"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_point_one_way(path):
    own = room(path)
    assert own in ALLOWED, f"{own} is no room that the architecture knows"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "mesofhir" and len(parts) > 1 and parts[1] != own:
            assert parts[1] in ALLOWED[own], f"{own} may not import {parts[1]}"
        for library, home in ALONE.items():
            if name == library or name.startswith(library + "."):
                assert own == home, f"{library} lives in {home}/ only"


@pytest.mark.parametrize("path", sorted((ROOT / "sync").glob("*/*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way_within_sync(path):
    own = path.parent.name
    assert own in SYNC, f"sync/{own} is no room that the architecture knows"
    for name in imported(path):
        parts = name.split(".")
        if parts[:2] == ["mesofhir", "sync"] and parts[2] != own:
            assert parts[2] in SYNC[own], f"sync/{own} may not import {name}"


def test_every_room_is_walked():
    assert {room(f) for f in FILES} == {*ALLOWED, "__init__"}


def test_help_loads_neither_requests_nor_fhir_resources():
    program = (
        "import sys; from mesofhir.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('requests', 'fhir.resources', 'fhirpathpy', 'pydantic', 'msgspec') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.rstrip().endswith("[]")
