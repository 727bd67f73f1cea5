"""What the README says of CSV is what the folder holds."""

import re
from pathlib import Path

from mesofhir.formats import headings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_files_of_lists_of_values() -> None:
    told = dict(re.findall(r"^\| `(\w+\.csv)` \| (.+) \|$", README, re.M))
    assert told == {name: ", ".join(columns) for name, columns in headings().items() if "position" in columns}
