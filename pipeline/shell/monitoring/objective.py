"""The objective: 99 of 100 canaries are told of within two seconds, over 30 days.

What is spent of the 1 % is watched over two windows at once: the long one says that it matters, the
short one that it still goes on (Google's SRE Workbook, "Alerting on SLOs", the sixth way).
"""

from __future__ import annotations

from typing import Final

from pipeline.shell.monitoring.rule import AlertRule, Recording, fires, quiet

WITHIN: Final = "2.0"
"""Seconds, as the bucket is named."""
ALLOWED: Final = 0.01
WINDOWS: Final = ("5m", "30m", "1h", "6h", "30d")


def bad(window: str) -> str:
    """The recorded share of canaries that were late or lost."""
    return f"sightline:canary_bad:ratio_rate{window}"


RECORDINGS: Final = tuple(
    Recording(
        bad(window),
        "clamp_min(1 - "
        f'sum(rate(sightline_canary_latency_seconds_bucket{{le="{WITHIN}"}}[{window}])) / '
        f"sum(rate(sightline_canaries_sent_total[{window}])), 0)",
    )
    for window in WINDOWS
)

_SENT = "sightline_canaries_sent_total"
_GOOD = f'sightline_canary_latency_seconds_bucket{{le="{WITHIN}"}}'


def _burns(rate: float, long: str, short: str) -> str:
    spent = f"{rate * ALLOWED:g}"
    return f"{bad(long)} > {spent} and {bad(short)} > {spent}"


ALERTS: Final = (
    AlertRule(
        "SightlineObjectiveBurnsFast",
        _burns(14.4, "1h", "5m"),
        "2m",
        "page",
        "Canaries are late or lost so often that a month's allowance is gone in two days",
        (
            fires({_SENT: "0+2x120", _GOOD: "0+1x120"}, at="2h"),
            quiet({_SENT: "0+2x120", _GOOD: "0+2x120"}, at="2h"),
            # It was bad, and is over.
            quiet({_SENT: "0+2x120", _GOOD: "0+1x100 102+2x19"}, at="2h"),
        ),
    ),
    AlertRule(
        "SightlineObjectiveBurnsSlowly",
        _burns(6, "6h", "30m"),
        "15m",
        "ticket",
        "Canaries are late or lost so often that a month's allowance is gone in five days",
        (
            fires({_SENT: "0+20x400", _GOOD: "0+18x400"}, at="6h30m"),
            quiet({_SENT: "0+100x400", _GOOD: "0+99x400"}, at="6h30m"),
        ),
    ),
    AlertRule(
        "SightlineNoCanaries",
        "absent(sightline_canary_last_success_timestamp_seconds) or "
        "time() - max(sightline_canary_last_success_timestamp_seconds) > 300",
        "2m",
        "page",
        "No canary has come back for five minutes: nobody knows whether attacks are told of",
        (
            fires({}),
            fires({"sightline_canary_last_success_timestamp_seconds": "60x40"}),
            quiet({"sightline_canary_last_success_timestamp_seconds": "0+60x40"}),
        ),
    ),
)
