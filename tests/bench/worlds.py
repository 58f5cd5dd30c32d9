"""Twenty labelled worlds by the default options: how well campaigns are told, the worst world last.

    python -m tests.bench.worlds [FIRST LAST]

A few minutes. No parameter was chosen by these seeds: take others to see that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

RULES = Path(__file__).parents[2] / "deploy" / "rules"
AT_ONCE_MS = 1_000
COLUMNS = ("seed", "precision", "recall", "F1", "delay ms", "told a found", "alerts", "fewer")


def sightline(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def world(seed: int) -> dict[str, Any]:
    """What `sightline score` says of one world."""
    with tempfile.TemporaryDirectory(prefix="sightline-world-") as name:
        folder = Path(name)
        sightline(folder, "generate", "--seed", str(seed), "--out", ".")
        sightline(
            folder,
            *("correlate", "--sensors", "sensors.toml", "--rules", str(RULES)),
            *("--input", "events.jsonl", "--output", "alerts.jsonl", "--campaigns", "told.jsonl"),
        )
        scored = sightline(
            folder,
            *("score", "--truth", "truth.jsonl", "--campaigns", "told.jsonl"),
            *("--alerts", "alerts.jsonl", "--json"),
        )
    found: dict[str, Any] = json.loads(scored)
    return found


def row(seed: int, of: dict[str, Any]) -> str:
    figures = (of["precision"], of["recall"], of["bcubed"]["f1"])
    told = (*(f"{figure:.3f}" for figure in figures), f"{of['delay']['median_ms']:.0f}")
    rest = (str(of["most_told_of_one"]), str(of["alerts"]), f"{of['reduction']:.2%}")
    return "  ".join(f"{cell:>12}" for cell in (str(seed), *told, *rest))


def main(arguments: list[str]) -> None:
    first, last = (int(one) for one in arguments) if arguments else (1, 20)
    print("  ".join(f"{name:>12}" for name in COLUMNS))
    worlds: dict[int, dict[str, Any]] = {}
    for seed in range(first, last + 1):
        worlds[seed] = world(seed)
        print(row(seed, worlds[seed]), flush=True)
    goodness = {
        "F1": {seed: one["bcubed"]["f1"] for seed, one in worlds.items()},
        "precision": {seed: one["precision"] for seed, one in worlds.items()},
        "recall": {seed: one["recall"] for seed, one in worlds.items()},
        "delay": {seed: -one["delay"]["median_ms"] for seed, one in worlds.items()},
    }
    for name, by_seed in goodness.items():
        worst = min(by_seed, key=lambda seed: (by_seed[seed], seed))
        print(f"worst {name}:\n{row(worst, worlds[worst])}")
    told = sum(one["told"] for one in worlds.values())
    real = sum(one["real"] for one in worlds.values())
    found = sum(one["found"] for one in worlds.values())
    true = sum(one["campaigns"] for one in worlds.values())
    print(f"all: {real} of {told} told are real, {found} of {true} found")
    delays = [ms for one in worlds.values() for ms in one["delay"]["each_ms"].values()]
    late = sum(ms > AT_ONCE_MS for ms in delays)
    print(
        f"told after the k-th country's event: median {median(delays):.0f} ms, {late} of "
        f"{len(delays)} more than {AT_ONCE_MS} ms"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
