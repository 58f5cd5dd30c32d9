"""A poisoned release, a stolen signing key, and a company that is at home in many countries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipeline.adapter.catalogue import BY_NAME
from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.instant import Clock
from pipeline.alert import Alert
from pipeline.geo import Geo
from pipeline.registry import Registry, read_registry
from pipeline.shell.files import geo_of, rules_of
from pipeline.shell.offline import OfflineRun, alerts
from pipeline.shell.settings import Settings

NOON = 1_736_942_400_000
HOUR = 3_600_000
PURL = "pkg:npm/left-pads@1.3.1"
FILE = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
KEY = "0913652b93885dcbca0d0a7659e36beeed2926002566163a16faa8197b4c3cd1"
CERTIFICATE = "MIIBAAEC"  # KEY is the SHA-256 of the bytes that it codes
# One company in four countries: one organisation, four parties. And two others.
REGISTRY = """
[[organisation]]
id = "globex"
country = "US"
name = "A company with subsidiaries"
[[organisation.sensor]]
id = "globex-us"
[[organisation.sensor]]
id = "globex-ke"
country = "KE"
[[organisation.sensor]]
id = "globex-br"
country = "BR"
[[organisation.sensor]]
id = "globex-jp"
country = "JP"

[[organisation]]
id = "cz-nren"
country = "CZ"
name = "A research network"
[[organisation.sensor]]
id = "cz-1"

[[organisation]]
id = "ke-bank"
country = "KE"
name = "A bank"
[[organisation.sensor]]
id = "ke-1"
"""
GLOBEX = ("globex-us", "globex-ke", "globex-br", "globex-jp")


def registry() -> Registry:
    found, problems = read_registry(REGISTRY)
    assert found is not None, problems
    return found


def converted(format_: str, sensor: str, document: dict[str, Any]) -> list[bytes]:
    conversion = Conversion(BY_NAME[format_], sensor, Clock(NOON))
    out = [*conversion.feed(json.dumps(document).encode() + b"\n", 1), *conversion.end()]
    assert not [one for one in out if isinstance(one, Rejected)]
    return [one for one in out if isinstance(one, bytes)]


def raised(events: Sequence[bytes]) -> dict[tuple[str, str], Alert]:
    """By rule and indicator, the alerts of the project's own rules."""
    run = OfflineRun(registry(), rules_of(None), 24 * HOUR, geo=Geo())
    rejected: list[object] = []
    found = list(
        alerts(
            run.episodes(events, lambda line, why: rejected.append((line, why))),
            geo_of(Settings()),
        )
    )
    assert not rejected
    return {(one.finding_info.analytic.name, one.observables[0].value): one for one in found}


def of(found: dict[tuple[str, str], Alert], value: str) -> list[Alert]:
    return [one for (_, indicator), one in found.items() if indicator == value]


def at(hours: int) -> str:
    return f"2025-01-15T{12 + hours:02}:00:00Z"


def bom(hours: int, state: str | None = None) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"timestamp": at(hours)},
        "components": [
            {
                "bom-ref": "p",
                "name": "left-pads",
                "version": "1.3.1",
                "purl": "pkg:NPM/left-pads@1.3.1",
                "hashes": [{"alg": "SHA-256", "content": FILE.upper()}],
                "signature": {"certificatePath": [CERTIFICATE]},
            }
        ],
        "vulnerabilities": [
            {"id": "MAL-2025-7", "affects": [{"ref": "p"}]}
            | ({"analysis": {"state": state, "justification": "x"}} if state else {})
        ],
    }


def osv(hours: int) -> dict[str, Any]:
    package = {"ecosystem": "npm", "name": "left-pads"}
    affected = [{"package": package, "versions": ["1.3.1"]}]
    return {"id": "MAL-2025-7", "modified": at(hours), "affected": affected}


def finding(hours: int) -> dict[str, Any]:
    signature = {
        "algorithm_id": 2,
        "certificate": {"fingerprints": [{"algorithm_id": 3, "value": KEY}]},
    }
    return {
        "class_uid": 2002,
        "time": NOON + hours * HOUR,
        "metadata": {"version": "1.5.0", "uid": f"f-{hours}"},
        "vulnerabilities": [
            {
                "affected_packages": [{"name": "left-pads", "version": "1.3.1", "purl": PURL}],
                "affected_code": [{"file": {"name": "x", "type_id": 1, "signature": signature}}],
            }
        ],
    }


def test_one_poisoned_release_is_found_whatever_tool_saw_it() -> None:
    found = raised(
        [
            *converted("cyclonedx", "globex-us", bom(0)),
            *converted("osv", "cz-1", osv(1)),
            *converted("ocsf", "ke-1", finding(2)),
        ]
    )
    by_rule = {one.finding_info.title for one in of(found, PURL)}
    assert any(title.startswith("One package version (purl) at three") for title in by_rule)
    (alert,) = [one for one in of(found, PURL) if "three organisations" in one.finding_info.title]
    assert alert.unmapped.countries == ("CZ", "KE", "US")
    assert alert.unmapped.organisations == ("cz-nren", "globex", "ke-bank")


def test_one_signing_key_is_found_as_the_fingerprint_of_its_certificate() -> None:
    found = raised(
        [
            *converted("cyclonedx", "cz-1", bom(0)),
            *converted("ocsf", "ke-1", finding(1)),
            *converted("ocsf", "globex-br", finding(2)),
        ]
    )
    titles = {one.finding_info.title for one in of(found, KEY)}
    assert (
        "One file or signer (SHA-256) at three organisations in two countries within a day"
        in titles
    )
    assert of(found, KEY)[0].unmapped.organisations == ("cz-nren", "globex", "ke-bank")


def test_a_company_in_four_countries_is_one_organisation() -> None:
    """What it scans at all its sites is no sign of an attack by itself; with others it counts."""
    parties = {registry().sensors[sensor] for sensor in GLOBEX}
    assert len(parties) == 4
    assert {party.organisation for party in parties} == {"globex"}
    alone = [event for n, sensor in enumerate(GLOBEX) for event in converted("osv", sensor, osv(n))]
    assert of(raised(alone), PURL) == []
    together = raised([*alone, *converted("osv", "cz-1", osv(5))])
    (alert,) = of(together, PURL)
    assert alert.finding_info.title.startswith("One package (purl) in three countries")
    assert alert.unmapped.organisations == ("cz-nren", "globex")
    assert alert.unmapped.countries == ("BR", "CZ", "JP", "KE", "US")


def test_vex_that_says_not_affected_or_fixed_raises_nothing_and_says_why() -> None:
    spared: list[bytes] = []
    for n, (sensor, state) in enumerate(
        (("globex-us", "not_affected"), ("cz-1", "resolved"), ("ke-1", "false_positive"))
    ):
        spared += converted("cyclonedx", sensor, bom(n, state))
    assert raised(spared) == {}
    said = [json.loads(event) for event in spared]
    assert [one["unmapped"]["vex"] for one in said] == [
        "not_affected",
        "resolved",
        "false_positive",
    ]
    assert all(one["unmapped"]["justification"] == "x" for one in said)
    assert all(one["class_uid"] == 0 and PURL[:8] in one["message"].lower() for one in said)
    affected = [
        event
        for n, sensor in enumerate(("globex-us", "cz-1", "ke-1"))
        for event in converted("cyclonedx", sensor, bom(n, "exploitable"))
    ]
    assert of(raised(affected), PURL)
