"""The configuration: what is known is taken, what is not is refused with a hint; and who beats whom."""

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from mesofhir.cli import config, kept, places
from mesofhir.cli.options import Connecting, General
from mesofhir.errors import UsageError

NOTHING = Connecting(None, None, None, None, None, None)
FULL = """
namespace = "https://clinic.example/m"
encoding = "cp1252"
locale = "it"
timezone = "Europe/Rome"

[servers.hospital]
url = "https://fhir.hospital.example/r4"
auth = "basic"
user = "clinic"
secret_file = "secret"
ca = "/etc/ca.pem"
allow_http = false
identifier_systems = ["urn:oid:1.2.3"]
concurrency = 4
timeout = 90
create_people = false

[servers.other]
url = "https://other.example"

[sandbox]
suffix = "mine"
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and a user's folder without any configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in [n for n in os.environ if n.startswith("MESOFHIR_")]:
        monkeypatch.delenv(name)


def written(text: str, path: Path = Path("mesofhir.toml")) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_all_that_can_be_said() -> None:
    said = config.load(written(FULL, Path("etc/any.toml")))
    assert (said.namespace, said.encoding, said.locale) == ("https://clinic.example/m", "cp1252", "it")
    assert (said.timezone, said.suffix) == ("Europe/Rome", "mine")
    hospital = said.servers["hospital"]
    assert hospital.secret_file == Path("etc/secret")  # beside the file that says it
    assert hospital.ca == Path("/etc/ca.pem")
    assert (hospital.identifier_systems, hospital.concurrency) == (("urn:oid:1.2.3",), 4)
    assert hospital.timeout == 90
    assert said.servers["other"] == config.ServerConfig("https://other.example")


def test_strengths_of_findings() -> None:
    said = config.load(written('[strengths.default]\neczema = "relative"\n[strengths."https://h.example/p"]\n'))
    assert said.strengths == {"default": {"eczema": "relative"}, "https://h.example/p": {}}


def test_nothing_said() -> None:
    assert config.load(None) == config.Config()


def test_the_working_folder_beats_the_users() -> None:
    written('namespace = "https://user.example/m"', config.folder() / "mesofhir.toml")
    assert config.load(None).namespace == "https://user.example/m"
    written('namespace = "https://here.example/m"')
    assert config.load(None).namespace == "https://here.example/m"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('namspace = "x"', "mesofhir.toml: namspace: unknown; did you mean namespace?"),
        ("[server.x]", "server: unknown; did you mean servers?"),
        ('[servers.x]\nurl = "https://x.example"\ncolour = 3', "servers.x.colour: unknown; known are url"),
        ('[servers.x]\nurl = "https://x.example"\npassword = "Zqx"', "no secret is kept here"),
        ("[servers.x]", "servers.x.url: missing; expected the base URL"),
        ("[servers.x]\nurl = 3", "servers.x.url: a whole number; expected text"),
        ('[servers.x]\nurl = "u"\nallow_http = "yes"', "allow_http: text; expected true or false"),
        ('[servers.x]\nurl = "u"\nallow_http = 1', "allow_http: a whole number; expected true or false"),
        ('[servers.x]\nurl = "u"\nconcurrency = true', "concurrency: true or false; expected a whole number"),
        ('[servers.x]\nurl = "u"\nconcurrency = 99', "concurrency: out of range; expected 1 to 32"),
        ('[servers.x]\nurl = "u"\ntimeout = 0', "timeout: out of range; expected 1 to 3600 seconds"),
        ('[servers.x]\nurl = "u"\nauth = "oauth"', "auth: not known; expected none or basic or bearer"),
        ('[servers.x]\nurl = "u"\nidentifier_systems = "a"', "expected a list of texts"),
        ('[servers.x]\nurl = "u"\nidentifier_systems = [1]', "expected a list of texts"),
        ('servers = "x"', "servers: text; expected a table: [servers]"),
        ("servers = {x = 1}", "servers.x: a whole number; expected a table"),
        ("[sandbox]\nsufix = 'a'", "sandbox.sufix: unknown; did you mean suffix?"),
        ("[strengths.antalgic-outpatien]", "strengths.antalgic-outpatien: unknown protocol; did you mean antalgic-out"),
        ("[strengths.default]\npregnacy = 'absolute'", "strengths.default.pregnacy: unknown; did you mean pregnancy?"),
        ("[strengths.default]\neczema = 'high'", "eczema: not known; expected absolute or relative or precaution"),
        ("[strengths]\neczema = 'absolute'", "strengths.eczema: text; expected a table: [strengths.eczema]"),
        ("namespace = ", "mesofhir.toml: not TOML:"),
        ("namespace = 2026-01-01", "namespace: another kind of value; expected text"),
    ],
)
def test_what_it_does_not_know_it_refuses(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.load(written(text))
    assert words in str(caught.value)
    assert "Zqx" not in str(caught.value)


def test_a_file_that_cannot_be_read() -> None:
    with pytest.raises(UsageError, match=r"gone\.toml: the configuration cannot be read"):
        config.load(Path("gone.toml"))
    Path("latin.toml").write_bytes(b'namespace = "\xe0"')
    with pytest.raises(UsageError, match="not UTF-8"):
        config.load(Path("latin.toml"))


def test_options_beat_the_file() -> None:
    said = config.Config(namespace="https://file.example/m")
    assert places.clinic(General(None, None), said).namespace == "https://file.example/m"
    assert places.clinic(General(None, "https://option.example/m"), said).namespace == "https://option.example/m"


def test_a_server_by_name_and_by_url() -> None:
    said = config.load(written(FULL))
    place = places.place("hospital", NOTHING, said)
    assert (place.said.url, place.sandbox, place.create_people) == ("https://fhir.hospital.example/r4", False, False)
    assert places.place("https://any.example/r4", NOTHING, said).said == config.ServerConfig("https://any.example/r4")
    over = places.place("hospital", Connecting("bearer", None, "TOKEN", None, None, True), said).said
    assert (over.auth, over.secret_env, over.secret_file, over.allow_http) == ("bearer", "TOKEN", None, True)
    none = places.place("hospital", Connecting("none", None, None, None, None, None), said).said
    assert (none.user, none.secret_file) == (None, None)


@pytest.mark.parametrize(
    ("name", "words"),
    [("hopital", "did you mean hospital?"), ("zzz", "mesofhir.toml has hospital, other"), ("fhir.x/r4", "https://")],
)
def test_a_server_that_nobody_named(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        places.place(name, NOTHING, config.load(written(FULL)))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("connecting", "words"),
    [
        (Connecting(None, "me", None, None, None, None), "--auth basic or --auth bearer"),
        (Connecting("basic", None, "V", None, None, None), "--user NAME"),
        (Connecting("bearer", "me", "V", None, None, None), "no user name"),
        (Connecting("bearer", None, None, None, None, None), "--secret-env VAR"),
        (Connecting("bearer", None, "NOT_SET", None, None, None), "NOT_SET"),
        (Connecting("bearer", None, "V", Path("f"), None, None), "not both"),
        (Connecting("bearer", None, None, Path("gone"), None, None), "looked for in"),
        (Connecting(None, None, None, None, Path("gone.pem"), None), "gone.pem"),
    ],
)
def test_credentials_that_cannot_be_used(connecting: Connecting, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        places.place("https://x.example", connecting, config.Config()).open(print).close()
    assert words in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_secret_that_others_can_read() -> None:
    Path("token").write_text("abc")
    Path("token").chmod(0o644)
    connecting = Connecting("bearer", None, None, Path("token"), None, None)
    with pytest.raises(UsageError, match="chmod 600 token"):
        places.place("https://x.example", connecting, config.Config()).open(print)
    Path("token").chmod(0o600)
    places.place("https://x.example", connecting, config.Config()).open(print).close()


# --- public sandboxes ---------------------------------------------------------------------------------------

SANDBOX = "https://hapi.fhir.org/baseR4"


def sandbox_namespace(said: config.Config, words: list[str]) -> str:
    place = places.place(SANDBOX, NOTHING, said)
    assert place.create_people
    clinic = places.clinic(General(None, "https://clinic.example/m"), said)
    return place.clinic(clinic, said, words.append).namespace


def test_a_suffix_is_made_once_and_said() -> None:
    words: list[str] = []
    first = sandbox_namespace(config.Config(), words)
    path = config.folder() / kept.SUFFIX_FILE
    assert first == f"https://clinic.example/m/{path.read_text().strip()}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in words[0]
    assert first in words[1]
    assert sandbox_namespace(config.Config(), words) == first
    assert len(words) == 3


def test_a_configured_suffix() -> None:
    assert sandbox_namespace(config.Config(suffix="mine"), []) == "https://clinic.example/m/mine"
    assert not config.folder().exists()
    with pytest.raises(UsageError, match=r"sandbox\.suffix: not a suffix"):
        sandbox_namespace(config.Config(Path("x.toml"), suffix="a/b"), [])


def test_a_suffix_that_cannot_be_kept() -> None:
    config.folder().parent.mkdir(parents=True)
    config.folder().write_text("a file, not a folder")
    with pytest.raises(UsageError, match=r"\[sandbox\] suffix"):
        sandbox_namespace(config.Config(), [])


def test_elsewhere_the_namespace_is_the_clinics() -> None:
    place = places.place("https://fhir.example.org", NOTHING, config.Config())
    clinic = places.clinic(General(None, "https://clinic.example/m"), config.Config())
    assert place.clinic(clinic, config.Config(), print) is clinic
    assert not place.create_people


def test_a_preset_stands_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text('about = "Ours."\ncreate_people = true\n')
    file = tmp_path / "mesofhir.toml"
    file.write_text('[servers.a]\nurl = "https://a.example"\npreset = "ours.toml"\n[servers.b]\nurl = "https://b.example"\n')
    found = places.place("a", NOTHING, config.load(file))
    assert found.preset is not None
    assert (found.preset.about, found.create_people) == ("Ours.", True)
    other = places.place("b", dataclasses.replace(NOTHING, preset="epic-like"), config.load(file))
    assert other.preset is not None
    assert (other.preset.name, other.create_people) == ("epic-like", False)
    assert places.place("b", NOTHING, config.load(file)).preset is None
