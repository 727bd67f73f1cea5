"""Credentials: where they come from, what goes over the wire, and that they do not show themselves."""

import base64
import os
import pickle
from pathlib import Path

import pytest

from mesofhir.errors import UsageError
from mesofhir.server import Auth, Basic, Bearer, Secret, from_environment, from_file
from mesofhir.server.address import Address

ORIGIN = Address.parse("https://fhir.example.org").origin


def test_headers() -> None:
    assert Auth().headers(ORIGIN) == {}
    assert Bearer("tok.en-~+/=").headers(ORIGIN) == {"Authorization": "Bearer tok.en-~+/="}
    value = Basic("ännä", Secret("p:ss wörd")).headers(ORIGIN)["Authorization"]
    assert base64.b64decode(value.removeprefix("Basic ")).decode() == "ännä:p:ss wörd"
    assert not Bearer("x").renew()


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "a\nb", "tökèn", "a\x00", "a\x7f"])
def test_a_token_that_could_break_out_of_its_header_is_refused(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        Bearer(token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(("user", "password"), [("a:b", "c"), ("a\n", "c"), ("a", "c\r\n")])
def test_a_user_that_could_break_out_is_refused(user: str, password: str) -> None:
    with pytest.raises(UsageError):
        Basic(user, password)


@pytest.mark.parametrize("thing", [Secret("hunter2"), Bearer("hunter2"), Basic("user", "hunter2")])
def test_nothing_shows_a_secret(thing: object) -> None:
    for text in (repr(thing), str(thing), f"{thing}", repr([thing]), repr({"auth": thing})):
        assert "hunter2" not in text
        assert base64.b64encode(b"user:hunter2").decode() not in text
    with pytest.raises(TypeError):
        pickle.dumps(thing)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOFHIR_TEST_TOKEN", " tok \n")
    assert from_environment("MESOFHIR_TEST_TOKEN").reveal() == "tok"
    for empty in ("", "  "):
        monkeypatch.setenv("MESOFHIR_TEST_TOKEN", empty)
        with pytest.raises(UsageError, match="MESOFHIR_TEST_TOKEN"):
            from_environment("MESOFHIR_TEST_TOKEN")
    monkeypatch.delenv("MESOFHIR_TEST_TOKEN")
    with pytest.raises(UsageError, match="not set"):
        from_environment("MESOFHIR_TEST_TOKEN")


@pytest.mark.parametrize("secret", ["hunter2", "ey.J_x", "JBSWY3DPEHPK3PXP", "A_b", "/hunter2/hunter2", "x" * 5000])
def test_a_secret_in_the_place_of_its_name_is_not_shown(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for take in (from_environment, from_file):
        with pytest.raises(UsageError, match="could be the secret") as caught:
            take(secret)
        assert secret not in str(caught.value)


def secret_file(folder: Path, data: bytes, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_from_a_file_of_its_owner(tmp_path: Path, mode: int) -> None:
    assert from_file(secret_file(tmp_path, b"\ttok\n", mode)).reveal() == "tok"


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601, 0o777])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, b"hunter2", mode)
    with pytest.raises(UsageError, match="chmod 600") as caught:
        from_file(path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UsageError, match="empty, too long, or not text"):
        from_file(secret_file(tmp_path, data))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        from_file(tmp_path / "missing")
    with pytest.raises(UsageError):
        from_file(tmp_path)
    if os.name == "posix":
        with pytest.raises(UsageError, match="plain file"):
            from_file("/dev/null")
