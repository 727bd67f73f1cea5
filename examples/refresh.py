"""Makes the FHIR beside the examples anew: `python examples/refresh.py`.

``NAME.json`` with one history becomes ``fhir/NAME.bundle.json``; one with several becomes the folder
``fhir/NAME.bundles``, a Bundle for each, named by the patient's key. They are what `mesofhir convert` writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # our own mesofhir, installed or not

from mesofhir import formats
from mesofhir.errors import InvalidInput
from mesofhir.mapping import Clinic
from mesofhir.records import TreatmentHistory

HERE = Path(__file__).resolve().parent
CLINIC = Clinic("https://clinic.example/mesotherapy")


def histories() -> Iterator[tuple[Path, TreatmentHistory]]:
    """Every example, and the file of the FHIR that it becomes, within this folder.

    :raises InvalidInput: something is wrong with one of them
    """
    for source in sorted(HERE.glob("*.json")):
        with formats.read(source, clinic=CLINIC) as items:
            found = list(items)
        for item in found:
            if item.faults or item.warnings or item.history is None:
                raise InvalidInput([*item.faults, *item.warnings])
            name = Path(f"{source.stem}.bundles", item.history.key) if len(found) > 1 else Path(source.stem)
            yield Path("fhir", f"{name}.bundle.json"), item.history


def refresh(folder: Path) -> list[Path]:
    """Write them below a folder, and remove what was made of examples that are no more."""
    written = []
    for path, history in histories():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        formats.write(folder / path, [history], clinic=CLINIC)
        written.append(path)
    for path in (folder / "fhir").rglob("*.bundle.json"):
        if path.relative_to(folder) not in written:
            path.unlink()
    return written


if __name__ == "__main__":
    print(f"{len(refresh(HERE))} Bundles in {HERE / 'fhir'}")
