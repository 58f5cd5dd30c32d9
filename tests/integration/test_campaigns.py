"""Campaigns of real workers on a real broker: those of the offline run, whatever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from pipeline.campaign.campaign import Campaign, Status
from pipeline.shell import files, observe
from pipeline.shell.offline import OfflineRun
from pipeline.shell.processes import until
from tests.integration.conftest import MISSING, Broker
from tests.integration.faults import stage
from tests.integration.harness import Pipeline

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker forgets, and restarts nothing"),
]

RULES = Path(__file__).parents[2] / "deploy" / "rules"
HISTORY = {"alerts": (), "split_from": msgspec.UNSET}
"""What depends on when it was looked: an alert's id, on the batch that opened it."""


def world(folder: Path) -> list[bytes]:
    made = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "generate", "--seed", "7", "--events", "3000"),
            *("--days", "2", "--campaigns", "6", "--out", str(folder)),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return (folder / "events.jsonl").read_bytes().splitlines()


def standing(revisions: list[Campaign]) -> dict[str, Campaign]:
    """The newest of each id that is one; every other leads to one, or was withdrawn."""
    newest = {one.id: one for one in revisions}
    for one in newest.values():
        ahead, seen = one, {one.id}
        while ahead.status is Status.MERGED:
            ahead = newest[str(ahead.merged_into)]
            assert ahead.id not in seen
            seen.add(ahead.id)
    return {
        one.id: msgspec.structs.replace(one, **HISTORY)
        for one in newest.values()
        if one.status is not Status.MERGED and one.withdrawn is msgspec.UNSET
    }


def label(pipeline: Pipeline, campaign: str, verdict: str) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "label", campaign, verdict),
            *("--by", "ann", "--basis", "a drill"),
        ],
        env=os.environ | pipeline.settings.environment(),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == f"campaign {campaign}: {verdict}, says ann\n", done.stderr
    return campaign


def silenced_by_ann(one: Campaign, campaign: str) -> bool:
    return (
        one.id == campaign
        and one.label is not msgspec.UNSET
        and (one.label.by, one.label.basis) == ("ann", "a drill")
        and (one.status, one.severity) == (Status.CLOSED, 1)
    )


def test_whatever_dies_campaigns_are_those_of_the_offline_run(
    broker: Broker, tmp_path: Path
) -> None:
    events = world(tmp_path)
    pipeline = Pipeline(
        broker.bootstrap,
        "campaigns.",
        RULES,
        tmp_path / "sensors.toml",
        source_idle_after="10m",
        events_partitions=1,
    )
    pipeline.create_topics()
    topic_of = pipeline.topic_of

    def feed(part: list[bytes]) -> None:
        pipeline.produce(
            (topic_of[msgspec.json.decode(line)["device"]["uid"]], line) for line in part
        )

    def told() -> list[Campaign]:
        return asyncio.run(observe.campaigns(pipeline.settings))

    thirds = [events[n * len(events) // 3 : (n + 1) * len(events) // 3] for n in range(3)]
    with (
        pipeline.worker(log=tmp_path / "one") as one,
        pipeline.worker("--stage", "campaign", log=tmp_path / "two") as two,
    ):
        feed(thirds[0])
        until(told, "a campaign is told", 90)
        os.kill(stage(one, "campaign"), signal.SIGKILL)
        feed(thirds[1])
        os.kill(stage(one, "correlate"), signal.SIGKILL)
        feed(thirds[2])
        asyncio.run(
            observe.wait_until_caught_up(pipeline.settings, pipeline.registry, 180, grouped=True)
        )
        assert one.running
        assert two.running
        revisions = told()
        silenced = label(pipeline, min(standing(revisions)), "false-positive")
        until(lambda: any(silenced_by_ann(each, silenced) for each in told()), "it is silenced", 60)

    settings = pipeline.settings
    tested = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "backtest", "--since", "0s", "--json"),
            *("--sensors", str(tmp_path / "sensors.toml"), "--rules", str(RULES)),
        ],
        env=os.environ | settings.environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (tested.returncode, tested.stderr) == (0, "")
    run = OfflineRun(
        pipeline.registry,
        pipeline.rules,
        settings.lateness_ms,
        grouping=True,
        benign=files.benign_of(settings),
        geo=files.geo_of(settings),
    )
    ended = list(run.episodes(events, lambda *_: None))
    backtest = msgspec.json.decode(tested.stdout)
    assert backtest["events"]["received"] == len(events)
    assert {one["rule"]: one["alerts"] for one in backtest["rules"] if one["alerts"]} == Counter(
        episode.rule.id for episode in ended
    )
    wanted = {one.id: msgspec.structs.replace(one, **HISTORY) for one in run.campaigns()}
    found = standing(revisions)
    assert found.keys() == wanted.keys()
    for name, campaign in wanted.items():
        assert msgspec.structs.asdict(found[name]) == msgspec.structs.asdict(campaign)
    assert len(wanted) >= 4, "too little happened for this to show anything"
    alerts = {alert.finding_info.uid for alert in asyncio.run(observe.alerts(settings))}
    for campaign in revisions:
        assert alerts.issuperset(campaign.alerts)
