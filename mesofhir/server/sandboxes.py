"""Servers that everybody can read and write: no real patient may ever be sent there.

Gathered from public documentation, 2026; each line says where. The list cannot be complete, so a host that
is not on it is not therefore private.
"""

from __future__ import annotations

from urllib.parse import urlsplit

#: host → where it is described as a public test server; its subdomains count as well
HOSTS = {
    "hapi.fhir.org": "mitre.github.io/fhir-for-research/modules/synthea-test-server",
    "fhirtest.uhn.ca": "gazelle.ihe.net/content/fhir-read-write-server (the public HAPI before)",
    # Firely, formerly Vonk: "free to use and intended for testing and educational purposes only"
    "server.fire.ly": "github.com/FirelyTeam/firely-docs-firely-server, index.rst",
    "vonk.fire.ly": "gist.github.com/MattCordell/86f78572a770e61dff5402f19808f869",
    # r4., launch. and others: open, without authentication
    "smarthealthit.org": "skills.sh/nvidia/dgx-spark-playbooks/fhir-basics, and many more",
    "test.fhir.org": "wiki.hl7.org, 201809_Terminology_Services_Track",
    "tx.fhir.org": "github.com/HealthIntersections/fhirserver/issues/194",
    "spark.incendi.no": "github.com/FirelyTeam/spark/wiki",
    "spark.kufu.no": "github.com/richtallon/spark (the same, before)",
    "spark.furore.com": "github.com/matt-hammond/spark (the same, long before)",
    "spark-dstu2.furore.com": "github.com/ztfuqingvip/spark",
    "wildfhir.org": "the testing log of sekmet-fhir, round 4: wildfhir.wildfhir.org/r4",
    "wildfhir3.aegis.net": "gist.github.com/MattCordell/86f78572a770e61dff5402f19808f869",
    # "Uploading real patient data is strictly prohibited."
    "subscriptions.argo.run": "subscriptions.argo.run",
    # Oracle's open sandbox; the secured ones have hosts of their own
    "fhir-open.cerner.com": "docs.oracle.com, millennium-platform-apis/mfrap/srv_root_url.html",
    # The rest: confluence.hl7.org/display/FHIR/Public+Test+Servers, as quoted in public code on 2020-06-19
    "wildfhir4.aegis.net": "Public Test Servers",
    "sqlonfhir-r4.azurewebsites.net": "Public Test Servers",
    "sqlonfhir-stu3.azurewebsites.net": "Public Test Servers",
    "sqlonfhir-dstu2.azurewebsites.net": "Public Test Servers",
    "nprogram.azurewebsites.net": "Public Test Servers",
    "test.pyrohealth.net": "Public Test Servers",
    "demo.oridashi.com.au": "Public Test Servers",
    "ontoserver.csiro.au": "Public Test Servers",
    "lforms-fhir.nlm.nih.gov": "Public Test Servers",
    "r4.heliossoftware.com": "Public Test Servers",
    "syntheticmass.mitre.org": "Public Test Servers",
}


def is_public_sandbox(url: str) -> bool:
    """Whether a URL leads to a host of :data:`HOSTS` or below it, whatever its port, case or trailing dot."""
    try:
        host = (urlsplit(url if "://" in url else f"//{url}").hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    return any(host == known or host.endswith(f".{known}") for known in HOSTS)
