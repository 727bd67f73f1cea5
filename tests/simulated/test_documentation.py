"""What docs/servers.md says of presets and steps is so."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.server.preset import Preset, TypePreset, find_preset, names
from mesofhir.sync.planning.plan import Step
from tests.simulated.engine import Simulated
from tests.simulated.vendors import ORACLE

TEXT = (Path(__file__).parents[2] / "docs" / "servers.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the table that begins with this heading."""
    rows = TEXT[TEXT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_steps() -> None:
    assert [row[0] for row in table("step")] == [str(step) for step in Step]


def test_the_presets() -> None:
    assert {row[0].strip("`") for row in table("preset")} == set(names())


def test_the_keys() -> None:
    told = {key for row in table("key") for key in re.findall(r"`([a-z_]+)`", row[0])}
    known = {*Preset.__struct_fields__, *TypePreset.__struct_fields__} - {"name", "others", "types"}
    assert told == known


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"^```toml\n(.*?)^```", TEXT, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    Path("ours.toml").write_text(example, encoding="utf-8")
    ours = find_preset("ours.toml")
    assert ours.of("Procedure").refusal({"status": "stopped", "code": {}, "subject": {}})
    assert not ours.of("Procedure").refusal({"status": "not-done", "code": {}, "subject": {}})
    with Simulated(ORACLE) as sim:
        Path("mesofhir.toml").write_text(f'[servers.here]\nurl = "{sim.url}"\npreset = "ours.toml"\n')
        result = CliRunner().invoke(main, ["server", "check", "here"])
    assert result.exit_code == 4, result.output
    [_, line] = [line for line in result.stdout.splitlines() if line.startswith("Procedure ")]
    assert "batch, after a search" in line
    assert "only with status completed or not-done; not without code, subject" in line
    [_, line] = [line for line in result.stdout.splitlines() if line.startswith("CarePlan ")]
    assert "not sent (create: no (declared)" in line
