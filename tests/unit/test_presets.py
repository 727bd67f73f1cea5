"""Presets: those that come with mesofhir, and what is wrong with a file."""

from pathlib import Path

import pytest

from mesofhir.errors import UsageError
from mesofhir.server.preset import NOTHING, find_preset, names, preset_of


@pytest.mark.parametrize("name", names())
def test_each_that_comes_with_mesofhir(name: str) -> None:
    found = find_preset(name)
    assert found.name == name
    assert found.about


def test_by_the_name_of_the_software() -> None:
    assert preset_of("SEKMET FHIR R4 Tester").name == "sekmet"
    assert preset_of("Any other") is preset_of(None) is NOTHING


def test_one_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text('batch = true\n[types.Goal]\ncan = ["read"]\n')
    ours = find_preset("ours.toml", tmp_path)
    assert (ours.name, ours.batch, ours.of("Goal").can) == ("ours", True, {"read"})
    assert ours.of("CarePlan").can is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bach = true", "bach: unknown; did you mean batch?"),
        ("xyz = true", "xyz: unknown; known are about, software, transaction"),
        ('[types.Goal]\nneed = ["code"]', "need: unknown; did you mean needs?"),
        ("[others]\nconditional = true", "conditional: unknown; did you mean conditional_create?"),
        ('batch = "yes"', "expected `bool | null`, got `str` - at `$.batch`"),
        ('[others]\ncan = ["write"]', "invalid enum value 'write'"),
        ("batch = ", "not TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as why:
        find_preset(str(file))
    assert words in str(why.value)
    assert str(why.value).startswith(str(file))


def test_no_such_preset(tmp_path: Path) -> None:
    for name, words in (
        ("epic", "did you mean epic-like?"),
        ("none", "a file of your own ends in .toml"),
        (str(tmp_path / "no.toml"), "cannot be read: No such file"),
    ):
        with pytest.raises(UsageError) as why:
            find_preset(name)
        assert words in str(why.value)
