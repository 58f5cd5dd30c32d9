"""What it is all for, on a real broker: what two countries saw warns a third before it is hit.

The Czech Republic and Kenya see one tool and what it brings. Their alliance is told, without their
organisations' names. Its member in Brazil watches for it at home: its first visit there raises an
alert. Then it verifies the evidence, with a script and openssl.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign, Member
from pipeline.share.tlp import Tlp
from pipeline.shell import evidence, observe
from pipeline.shell.processes import until
from pipeline.watch import WATCHED
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline

HOUR_MS = 3_600_000
VERIFIER = Path(evidence.__file__).parent / "standalone.py"
TOOL, FILE = "218.237.65.47", "b" * 64
SEEN_BY = {"CZ": "cz-nren", "KE": "ke-bank"}
TERMS = 'tlp = "AMBER"\npap = "GREEN"\nreleasable_to = [{ to = "alliance:v4", as = "country" }]\n'
RULES = """
title: One source in two countries within an hour
id: 7b6ce4ea-7a35-4a2c-8a31-1b1f3f0e5b01
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 1h
  condition: {field: country, gte: 2}
level: high
---
title: One file in two countries within an hour
id: 7b6ce4ea-7a35-4a2c-8a31-1b1f3f0e5b02
correlation:
  type: value_count
  rules: [any_event]
  group-by: [sha256]
  timespan: 1h
  condition: {field: country, gte: 2}
level: high
"""


def organisation(name: str, country: str) -> str:
    return (
        f'[[organisation]]\nid = "{name}"\ncountry = "{country}"\nname = "{name}"\n{TERMS}'
        f'[[organisation.sensor]]\nid = "{name}-1"\n'
    )


def event(sensor: str, number: int, at: int, address: str, file: str) -> bytes:
    said = {
        "time": at,
        "metadata": {"uid": f"{sensor}-{number}"},
        "device": {"uid": sensor},
        "src_endpoint": {"ip": address},
        "file": {"hashes": [{"algorithm_id": 3, "value": file}]},
    }
    return json.dumps(said).encode()


def traffic(now: int) -> Iterator[tuple[str, bytes]]:
    """Hours of what is always there, each source once, and in every third the tool in both."""
    number = 0
    for hour in range(18):
        begin = now - (19 - hour) * HOUR_MS
        for country, name in SEEN_BY.items():
            for nth in range(8):
                number += 1
                source, common = f"8.{ord(country[0])}.{hour}.{nth}", f"{nth % 3}" * 64
                yield f"{name}-1", event(f"{name}-1", number, begin + nth, source, common)
            if hour % 3 == 0:
                number += 1
                yield f"{name}-1", event(f"{name}-1", number, begin + 60_000, TOOL, FILE)


def sightline(pipeline: Pipeline, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env=os.environ | pipeline.settings.environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def pipelines(broker: Broker, folder: Path) -> tuple[Pipeline, Pipeline]:
    """Where the Czech and Kenyan organisations share, and what Brazil runs at home."""
    rules = folder / "rules.yml"
    rules.write_text(RULES)
    shared, home = folder / "sensors.toml", folder / "br.toml"
    shared.write_text("".join(organisation(name, land) for land, name in SEEN_BY.items()))
    home.write_text(organisation("br-uni", "BR"))
    common = Pipeline(
        broker.bootstrap, "common.", rules, shared, source_idle_after="10m", campaign_countries=2,
        alliances=str(folder / "alliances"), audit_log=str(folder / "audit.jsonl"),
        events_partitions=1, canary_interval="0s",
    )  # fmt: skip
    return common, Pipeline(
        broker.bootstrap, "home.", rules, home, events_partitions=1, canary_interval="0s",
        audit_log=str(folder / "home-audit.jsonl"),
    )  # fmt: skip


def alliance_heard(pipeline: Pipeline) -> Campaign | None:
    """The newest campaign that the alliance was told, with all that is to be in it."""

    async def all_of() -> list[Campaign]:
        topic = pipeline.settings.topic("alliance.v4")
        return [campaigns.decode(one) async for one in observe.read_topic(pipeline.settings, topic)]

    whole = {Member("ip", TOOL), Member("sha256", FILE)}
    told = [one for one in asyncio.run(all_of()) if whole <= set(one.indicators)]
    return told[-1] if told else None


def test_a_third_country_is_warned_before_it_is_hit(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    common, home = pipelines(broker, tmp_path)
    lead = ("--key", str(tmp_path / "lead.pem"))
    members = [word for land in ("CZ", "KE", "BR") for word in ("--member", land)]
    sightline(common, "alliance", "create", "v4", *lead, *members)
    common.create_topics()
    home.create_topics()
    now = time.time_ns() // 1_000_000
    with common.worker(log=tmp_path / "common"):
        common.produce((common.topic_of[sensor], said) for sensor, said in traffic(now))
        released = until(lambda: alliance_heard(common), "the alliance is told", 120)
        assert released is not None
        (alert, *_) = sorted(
            one.finding_info.uid
            for one in asyncio.run(observe.alerts(common.settings))
            if one.observables[0].value == TOOL
        )
    assert (released.countries, released.tlp) == (("CZ", "KE"), Tlp.AMBER)
    said = campaigns.encode(released)
    assert not any(name.encode() in said for name in SEEN_BY.values()), "whose they are is not told"

    # Brazil takes it in at home, before anything of it was seen there.
    (tmp_path / "told.jsonl").write_bytes(said + b"\n")
    bundle = str(tmp_path / "bundle.json")
    of = ("--campaigns", str(tmp_path / "told.jsonl"), "--to", "*")
    sightline(common, "export", "--format", "stix", *of, "--out", bundle)
    with home.worker(log=tmp_path / "home"):
        assert sightline(home, "intel", "import", bundle, "--source", "v4").startswith("2 new,")
        assert asyncio.run(observe.alerts(home.settings)) == []
        hit = event("br-uni-1", 1, time.time_ns() // 1_000_000, TOOL, "c" * 64)
        home.produce([(home.topic_of["br-uni-1"], hit)])

        def warned() -> bool:
            told = asyncio.run(observe.alerts(home.settings))
            return any(
                one.finding_info.analytic.uid == WATCHED.uid
                and one.observables[0].value == TOOL
                and one.unmapped.countries == ("BR",)
                for one in told
            )

        until(warned, "the first visit raises an alert", 60)

    # It asks for the evidence, and needs to trust nobody's software.
    pack, public = tmp_path / "pack", tmp_path / "state/sightline/evidence.public.pem"
    sightline(common, "evidence", "pack", alert, "--out", str(pack))
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFIER), str(pack), "--key", str(public)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"verified: alert {alert}\n")
    assert alert in sightline(common, "evidence", "rerun", str(pack))
