"""TLS: who is trusted is decided by us, and a TLS connection can be cut like any other."""

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from mesofhir.errors import UnknownOutcome, Unreachable, UsageError
from tests.faults.fault_server import FEW, PATIENT, Exchange, FaultServer, client

x509 = pytest.importorskip("cryptography.x509")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one PEM file."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fault server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def server(tls: ssl.SSLContext) -> Iterator[FaultServer]:
    with FaultServer(lambda exchange: exchange.answer(200, PATIENT), tls) as running:
        yield running


def test_a_private_authority_is_trusted_when_it_is_named(server: FaultServer, certificate: Path) -> None:
    with client(server.url, ca=certificate) as fhir:
        assert fhir.read("Patient", "1").status == 200


def test_nothing_in_the_environment_makes_a_server_trusted(
    server: FaultServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificate))
    with client(server.url) as fhir:
        with pytest.raises(Unreachable, match="not trusted"):
            fhir.read("Patient", "1")
        with pytest.raises(Unreachable, match="not trusted"):  # nothing of the write has left
            fhir.create({"resourceType": "Patient"})
    assert server.requests == []


def test_a_missing_authority_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(UsageError, match="does not exist"):
        client("https://fhir.example.org", ca="/no/such/file.pem")


def test_https_to_a_plain_server_is_no_connection() -> None:
    with FaultServer(lambda exchange: exchange.answer(200, PATIENT)) as plain:
        url = plain.url.replace("http:", "https:")
        with client(url, retry=FEW) as fhir, pytest.raises(Unreachable, match="TLS"):
            fhir.create({"resourceType": "Patient"})


def test_a_slow_drip_over_tls_is_cut(tls: ssl.SSLContext, certificate: Path) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        exchange.drip(b" " * 5000, 0.02)

    with FaultServer(drip, tls) as slow, client(slow.url, ca=certificate, total=2.0) as fhir:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="not there after"):
            fhir.read("Patient", "1")
        with pytest.raises(UnknownOutcome, match="not there after"):
            fhir.create({"resourceType": "Patient"})
        assert time.monotonic() - begun < 40  # of the 200 that both would take; the machine may be busy


def test_a_dropped_answer_over_tls_is_unknown(tls: ssl.SSLContext, certificate: Path) -> None:
    with FaultServer(Exchange.drop, tls) as server, client(server.url, ca=certificate) as fhir:
        with pytest.raises(UnknownOutcome):
            fhir.create({"resourceType": "Patient"})
        assert len(server.requests) == 1
