"""The whole carried data set: what `sightline correlate` says is what the oracle says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipeline.shell import marx
from pipeline.shell.files import carried
from tests import oracle
from tests.integration.rules import THREE_COUNTRIES


def test_every_episode_of_half_a_year_of_attacks(tmp_path: Path) -> None:
    rules, events, alerts = (tmp_path / name for name in ("rule.yml", "events", "alerts"))
    rules.write_text(THREE_COUNTRIES)
    with events.open("wb") as out:
        out.writelines(event + b"\n" for event in marx.events(marx.carried()))
    command = [
        *(sys.executable, "-m", "pipeline", "correlate", "--rules", str(rules)),
        *("--sensors", str(carried("marx", "sensors.toml"))),
        *("--input", str(events), "--output", str(alerts), "--rejects", str(tmp_path / "rejects")),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "451581 events: 449568 correlated, 2013 without indicators, 0 rejected, 0 late" in (
        done.stderr
    )
    assert (tmp_path / "rejects").read_bytes() == b""

    said = []
    for line in alerts.read_bytes().splitlines():
        alert = json.loads(line)
        said.append(
            oracle.Episode(
                alert["observables"][0]["name"],
                alert["observables"][0]["value"],
                alert["finding_info"]["first_seen_time"],
                alert["finding_info"]["last_seen_time"],
                tuple(alert["unmapped"]["countries"]),
                tuple(alert["unmapped"]["organisations"]),
            )
        )
    wanted = oracle.episodes(
        oracle.sightings_of_marx(marx.carried()), oracle.OracleRule("ip", 3_600_000, "country", 3)
    )
    assert len(wanted) == 9_413
    assert sorted(said) == sorted(wanted)
