"""The server room against real servers: the facts about them that its code relies on."""

from typing import Any

import pytest

from mesofhir.errors import Refused
from mesofhir.server import Server, TransactionFailed, identifier_query, search_value
from tests.servers import FhirServer

ODD_KEYS = ["plain", "a b&c+d%e?fà", "x\\y,z|w$v", '"q" <b> #h;/:@=\'', "日本"]


@pytest.fixture
def fhir(fhir_server: FhirServer) -> Any:
    with Server(fhir_server.url) as server:
        yield server


def patient(namespace: str, key: str, family: str = "Prova") -> dict[str, Any]:
    system = f"{namespace}/patient"
    return {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": key}],
        "name": [{"family": family}],
    }


def unless_there(resource: dict[str, Any]) -> dict[str, Any]:
    name = resource["identifier"][0]
    condition = identifier_query(name["system"], name["value"])
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition}
    return {"fullUrl": f"urn:uuid:{name['value']}", "resource": resource, "request": request}


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_is_created_once_and_found(fhir: Server, namespace: str, key: str) -> None:
    """Everything percent-encoded in conditions; forms with their charset (HAPI reads Latin-1 without)."""
    resource = patient(namespace, key)
    entry = unless_there(resource) | {"fullUrl": "urn:uuid:6dbb9e5c-0000-4000-8000-000000000001"}
    (created,) = fhir.bundle([entry])
    assert (created.status, created.version) == (201, "1")
    assert fhir.bundle([entry])[0].status == 200
    assert fhir.bundle([entry], type="batch")[0].location == created.location
    name = resource["identifier"][0]
    single = fhir.create(resource, if_none_exist=identifier_query(name["system"], name["value"]))
    assert (single.status, single.location) == (200, created.location)
    found = list(fhir.search("Patient", [("identifier", f"{name['system']}|{search_value(key)}")]))
    assert [each["identifier"] for each in found] == [resource["identifier"]]


def test_an_accent_in_a_search(fhir: Server, namespace: str) -> None:
    fhir.create(patient(namespace, "1", "Niccolò"))
    found = fhir.search("Patient", [("family", "Niccolò"), ("identifier", f"{namespace}/patient|")])
    assert [each["name"][0]["family"] for each in found] == ["Niccolò"]


@pytest.mark.parametrize("name", ["identifier", "family"])
def test_all_pages_each_resource_once(fhir: Server, namespace: str, name: str) -> None:
    """HAPI pages by an opaque link, sekmet by one that repeats the search: then it is posted."""
    family = namespace.rsplit("/", 1)[1].replace("-", "")
    fhir.bundle([unless_there(patient(namespace, str(n), family)) for n in range(7)])
    value = f"{namespace}/patient|" if name == "identifier" else family
    found = fhir.search("Patient", [(name, value)], count=2)
    assert sorted(each["identifier"][0]["value"] for each in found) == [str(n) for n in range(7)]
    assert (found.total, found.complete) == (7, True)


def test_unknown_parameters_are_refused(fhir: Server) -> None:
    """Both are strict when asked to be; HAPI always is."""
    with pytest.raises(Refused) as caught:
        list(fhir.search("Patient", [("nonsense", "Rossi")]))
    assert caught.value.status == 400
    assert "Rossi" not in str(caught.value)


def test_an_unknown_include_is_refused_or_remarked(
    fhir: Server, fhir_server: FhirServer, namespace: str
) -> None:
    fhir.create(patient(namespace, "1"))
    params = [("identifier", f"{namespace}/patient|"), ("_include", "Patient:nonsense")]
    found = fhir.search("Patient", params)
    if fhir_server.is_hapi:
        with pytest.raises(Refused):
            list(found)
    else:
        assert len(list(found)) == 1
        assert not found.complete


def test_a_stale_update_is_refused(fhir: Server, fhir_server: FhirServer, namespace: str) -> None:
    created = fhir.create(patient(namespace, "1"))
    assert created.resource is not None
    changed = fhir.update(created.resource | {"active": True}, version="1")
    assert changed.version == "2"
    entry = {
        "resource": created.resource,
        "request": {"method": "PUT", "url": created.location, "ifMatch": 'W/"1"'},
    }
    for action in (lambda: fhir.update(created.resource or {}, version="1"), lambda: fhir.bundle([entry])):
        with pytest.raises(TransactionFailed) as caught:
            action()
        assert caught.value.status == (409 if fhir_server.is_hapi else 412)
    kind, _, number = str(created.location).partition("/")
    assert [each.version for each in fhir.history(kind, number, count=1)] == ["2", "1"]


def test_what_was_deleted_is_gone(fhir: Server, namespace: str) -> None:
    created = fhir.create(patient(namespace, "1"))
    kind, _, number = str(created.location).partition("/")
    assert fhir.request("DELETE", str(created.location)).ok
    assert fhir.read(kind, number).status == 410
    assert fhir.read(kind, f"{number}x").status == 404
    assert [each.deleted for each in fhir.history(kind, number)] == [True, False]


def test_everything_of_a_patient(fhir: Server, namespace: str) -> None:
    created = fhir.create(patient(namespace, "1"))
    for _ in range(3):
        fhir.create(
            {"resourceType": "Procedure", "status": "completed", "subject": {"reference": created.location}}
        )
    number = str(created.location).partition("/")[2]
    kinds = [each["resourceType"] for each in fhir.everything(number, count=2)]
    assert sorted(kinds) == ["Patient", "Procedure", "Procedure", "Procedure"]


def test_a_failed_transaction_quotes_nothing(fhir: Server, namespace: str) -> None:
    bad = patient(namespace, "1") | {"birthDate": "Zqxcanary"}
    with pytest.raises(TransactionFailed) as caught:
        fhir.bundle([unless_there(bad)])
    assert caught.value.issues
    assert "Zqxcanary" not in str(caught.value)


def test_what_it_can_do(fhir: Server, fhir_server: FhirServer) -> None:
    """HAPI does batches and creates by update, and says neither: unknown, not no."""
    said = fhir.capabilities()
    procedure = said.of("Procedure")
    assert (said.fhir_version, said.transaction, procedure.conditional_create) == ("4.0.1", True, True)
    assert procedure.versioning == "versioned-update"
    assert "identifier" in (procedure.search_params or ())
    unsaid = None if fhir_server.is_hapi else True
    assert (said.batch, procedure.update_create) == (unsaid, unsaid)
    assert not said.of("Nonsense").listed
