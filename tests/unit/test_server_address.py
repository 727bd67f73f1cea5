"""URLs: which are taken, which belong to a server, and what of them is told."""

import pytest

from mesofhir.errors import UsageError
from mesofhir.server.address import Address, is_loopback, link
from mesofhir.server.sandboxes import HOSTS, is_public_sandbox


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://fhir.example.org/r4", "https://fhir.example.org/r4"),
        ("https://fhir.example.org/r4/", "https://fhir.example.org/r4"),
        ("https://fhir.example.org", "https://fhir.example.org"),
        ("https://fhir.example.org///", "https://fhir.example.org"),
        ("HTTPS://FHIR.Example.org:443/R4", "https://fhir.example.org/R4"),
        ("https://fhir.example.org.:8443/r4", "https://fhir.example.org:8443/r4"),
        ("http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080/fhir"),
        ("http://127.1.2.3/fhir", "http://127.1.2.3/fhir"),
        ("http://LOCALHOST:80/fhir", "http://localhost/fhir"),
        ("http://[::1]:8080/fhir", "http://[::1]:8080/fhir"),
        ("https://fhir.example.org/a@b/r4", "https://fhir.example.org/a@b/r4"),
        ("https://fhir.example.org/tenant/%C3%A0", "https://fhir.example.org/tenant/%C3%A0"),
    ],
)
def test_a_base_url_is_normalised(given: str, base: str) -> None:
    address = Address.parse(given)
    assert address.url == base
    assert Address.parse(base) == address


@pytest.mark.parametrize(
    "given",
    [
        "",
        "fhir.example.org/r4",
        "//fhir.example.org",
        "ftp://fhir.example.org",
        "file:///etc/passwd",
        "https://",
        "https:///r4",
        "https://user:hunter2@fhir.example.org/r4",
        "https://hunter2@fhir.example.org",
        "https://127.0.0.1@evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1\\@evil.example/",
        "https://fhir.example.org/r4?hunter2=1",
        "https://fhir.example.org/r4#hunter2",
        "https://fhir.example.org/a/../r4",
        "https://fhir.example.org/a/%2e%2e/r4",
        "https://fhir.example.org/a/%252e%252e/r4",
        "https://fhir.example.org/a\\b",
        "https://fhir.example.org/a%5C..%5Cr4",
        "https://fhir.example.org/a b",
        "https://fhir.example.org/a\nb",
        "https://fhir.example.org:0/",
        "https://fhir.example.org:99999/",
        "https://fhir.example.org:80x/",
        "https://[::1/",
        "https://münchen.example/r4",
        "https://./r4",
    ],
)
def test_what_is_no_base_url_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(given)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        "http://fhir.example.org/r4",
        "http://10.0.0.1/r4",
        "http://128.0.0.1/r4",
        "http://127.1/r4",
        "http://2130706433/r4",
        "http://0.0.0.0/r4",
        "http://localhost.example.org/r4",
        "http://127.0.0.1.example.org/r4",
        "http://[2001:db8::1]/r4",
    ],
)
def test_plain_http_to_another_machine_must_be_allowed(given: str) -> None:
    with pytest.raises(UsageError, match="plain http"):
        Address.parse(given)
    assert Address.parse(given, allow_http=True).open


def test_what_stays_here_is_not_open() -> None:
    assert not Address.parse("http://localhost/fhir").open
    assert not Address.parse("https://fhir.example.org").open
    assert is_loopback("[::1]")
    assert not is_loopback("")


BASE = Address.parse("https://fhir.example.org/r4")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("", "https://fhir.example.org/r4"),
        ("metadata", "https://fhir.example.org/r4/metadata"),
        ("/Patient/1", "https://fhir.example.org/r4/Patient/1"),
        ("Patient?url=http://x", "https://fhir.example.org/r4/Patient?url=http://x"),
        ("https://fhir.example.org/r4?_getpages=1", "https://fhir.example.org/r4?_getpages=1"),
        ("https://FHIR.example.org:443/r4/Patient", "https://FHIR.example.org:443/r4/Patient"),
    ],
)
def test_paths_are_below_the_base(path: str, url: str) -> None:
    assert BASE.at(path) == url


@pytest.mark.parametrize(
    "path",
    [
        "../admin",
        "Patient/../../admin",
        "Patient/%2e%2e/%2e%2e/admin",
        "https://fhir.example.org/r44",
        "https://fhir.example.org/",
        "http://fhir.example.org/r4",
        "https://fhir.example.org:444/r4",
        "https://evil.example/r4",
        "https://u@fhir.example.org/r4",
        "file:///r4",
    ],
)
def test_nothing_is_asked_outside_the_base(path: str) -> None:
    with pytest.raises(UsageError, match="outside"):
        BASE.at(path)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("/Patient/123", "/Patient/*"),
        ("/Patient/123/_history/4", "/Patient/*/_history/*"),
        ("/Patient/123/$everything?_count=1&_since=2026", "/Patient/*/$everything?_count&_since"),
        ("/Patient/_search", "/Patient/_search"),
        ("/Patient/Patient", "/Patient/*"),
        ("/Patient/1/Procedure/2", "/Patient/*/Procedure/*"),
        ("/metadata", "/metadata"),
        ("", "/"),
        ("?_getpages=abc&_getpagesoffset=2", "/?_getpages&_getpagesoffset"),
        ("/Rossi/Mario?Rossi=1&family:exact=Rossi&a.b=1", "/*/*?*&family&a"),
        ("/Patient?identifier=x%7Cy", "/Patient?identifier"),
    ],
)
def test_no_id_and_no_value_is_told(url: str, told: str) -> None:
    assert BASE.told(BASE.url + url) == told


@pytest.mark.parametrize(
    "url", ["mailto:x@y", "http:///x", "http://h:99999/", "http://a b/", "http://[x]/", ""]
)
def test_what_is_no_link(url: str) -> None:
    assert link(url) is None


@pytest.mark.parametrize("host", HOSTS)
def test_public_sandboxes_are_known_by_their_host(host: str) -> None:
    for url in (
        f"https://{host}/baseR4",
        f"http://{host.upper()}:8080",
        f"https://{host}./x",
        f"https://r4.{host}/x",
        host,
        f"{host}:443/r4",
    ):
        assert is_public_sandbox(url), url


@pytest.mark.parametrize(
    "url",
    [
        "https://fhir.example.org/hapi.fhir.org",
        "https://hapi.fhir.org.example.org/r4",
        "https://myhapi.fhir.org.it",
        "https://nothapi.fhir.orgs",
        "https://xhapi.fhir.org",
        "http://localhost:8080/?u=hapi.fhir.org",
        "http://[",
        "",
    ],
)
def test_others_are_not_public_sandboxes(url: str) -> None:
    assert not is_public_sandbox(url)
