"""`sightline bench` on a real Kafka: exact whatever the load is, and its last line says so."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from pipeline.shell.broker import missing_for_kafka

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(missing_for_kafka()), reason="it starts a real Kafka"),
]

PROMISED = ("events_per_second", "ceiling_events_per_second", "ratio", "exact")


@pytest.mark.parametrize(
    "factors",
    [
        (
            "--events",
            "40000",
            "--indicators",
            "3",
            "--live",
            "30000",
            "--packed",
            "40",
            "--under",
            "",
        ),
        (
            "--events",
            "40000",
            "--skew",
            "hot",
            "--workers",
            "2",
            "--window",
            "24h",
            "--under",
            "0.5",
        ),
    ],
    ids=" ".join,
)
def test_a_run_is_exact_and_says_what_it_took(factors: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pipeline", "bench", "--probes", "10", *factors]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    *_, last = done.stdout.splitlines()
    result = orjson.loads(last)
    assert result["exact"] is True
    assert all(result[name] for name in PROMISED)
    assert len(result["ceilings"]) == 2
    assert all(result["cpu_seconds_per_million_events"].values())
    assert result["live_indicators"]["before"] == result["live"]
    assert result["alerts"] > 0
    if result["live"]:  # and what was remembered is, by others
        assert result["restore"]["indicators"] >= result["live"]
        assert result["restore"]["seconds"] > 0
    assert ("restore" in result) == bool(result["live"])
    under = result.get("latency_under_load", {})
    assert list(under) == [share for share in result["under"].split(",") if share]
    for timed in under.values():
        assert timed["latency_p99_ms"] >= timed["latency_p50_ms"] > 0
        assert timed["events_per_second"] > 0
    assert (result.get("kept_up_events_per_second", 0) > 0) == bool(under)
