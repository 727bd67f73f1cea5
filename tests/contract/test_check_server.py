"""`mesofhir check --server`: a server's own $validate, on a HAPI with our profiles and without, and on sekmet, which
does not know them either."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main
from mesofhir.fhir.exactjson import decode
from mesofhir.server import Server
from tests.servers import FhirServer

EXAMPLES = Path(__file__).parents[2] / "examples"
CANARY = "Kanarienvogel"
NAMESPACE = "https://clinic.example/mesotherapy"


def check(source: Path, server: str, *more: str) -> Result:
    arguments = ["check", str(source), "--server", server, "--namespace", NAMESPACE, *more]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def counts(server: FhirServer) -> dict[str, int]:
    """How much the server holds of what an example consists of."""
    with Server(server.url) as asked:
        found = {}
        for kind in ("Procedure", "CarePlan", "Condition"):
            known = f"{NAMESPACE}/cycles|P4001-C1,{NAMESPACE}/conditions|P4001-D1"
            form = [("_summary", "count"), ("identifier", known)]
            found[kind] = (asked.request("POST", f"{kind}/_search", form=form).body or {}).get("total", 0)
        return found


def test_an_example_passes_and_nothing_is_stored(hapi: FhirServer) -> None:
    before = counts(hapi)
    done = check(EXAMPLES / "analgesic-outpatient.json", hapi.url)
    assert done.exit_code == 0, done.output
    assert "judged 1 history: 0 errors" in done.output
    assert counts(hapi) == before


def spoilt(path: Path) -> Path:
    """A Bundle of the examples in which the EHR has taken a session's cycle, and IDINJ from its method."""
    bundle = json.loads((EXAMPLES / "fhir" / "analgesic-outpatient.bundle.json").read_text("utf-8"))
    session = next(
        e["resource"]
        for e in bundle["entry"]
        if e["resource"].get("meta", {}).get("profile", [""])[0].endswith("/mesotherapy-session")
        and e["resource"]["status"] == "completed"
    )
    session["partOf"] = [{"display": CANARY}, {"display": CANARY}]
    [method] = [e for e in session["extension"] if e["url"].endswith("/procedure-method")]
    method["valueCodeableConcept"] = {"text": CANARY}
    path.write_text(json.dumps(bundle), "utf-8")
    return path


def test_what_the_server_refuses_is_told_where_the_record_says_it(hapi: FhirServer, tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    done = check(spoilt(tmp_path / "spoilt.bundle.json"), hapi.url, "--report", str(report))
    assert done.exit_code == 3, done.output
    told = [line for line in done.output.splitlines() if line.startswith("error") and "says" in line]
    assert [line for line in told if "P4001-S1, of of `sessions`: the server says: Procedure.partOf: max" in line]
    assert [line for line in told if "says the server" in line and "rule mesotherapy-session#ses-3" in line]
    assert CANARY not in done.output
    assert CANARY not in report.read_text("utf-8")


def test_an_embedded_server_does_not_either(sekmet: FhirServer) -> None:
    done = check(EXAMPLES / "analgesic-outpatient.json", sekmet.url)
    assert done.exit_code == 4, done.output
    assert "does not judge by the profiles of mesofhir" in done.output


def test_nobody_there() -> None:
    done = check(EXAMPLES / "analgesic-outpatient.json", "http://127.0.0.1:9/fhir")
    assert done.exit_code == 5, done.output


def test_real_patients_are_not_shown_to_a_sandbox(tmp_path: Path) -> None:
    real = decode((EXAMPLES / "analgesic-outpatient.json").read_bytes())
    del real["synthetic"]
    source = tmp_path / "real.json"
    source.write_text(json.dumps(real, default=float), "utf-8")
    done = check(source, "https://hapi.fhir.org/baseR4")
    assert done.exit_code == 2, done.output
    assert "is not marked `synthetic`" in done.output


@pytest.mark.parametrize("option", [("--auth", "none"), ("--allow-http",)])
def test_how_to_reach_no_server(option: tuple[str, ...]) -> None:
    source = str(EXAMPLES / "analgesic-outpatient.json")
    done = CliRunner().invoke(main, ["check", source, "--namespace", NAMESPACE, *option])
    assert done.exit_code == 2
    assert "--server SERVER" in done.output
