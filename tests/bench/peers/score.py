"""What an engine's alerts are worth, by the benchmark's oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.shell.observe import AlertKey


def score(alerts: Iterable[dict[str, Any]], truth: Sequence[AlertKey]) -> dict[str, Any]:
    """Indicators missed and alerted for nothing, alerts beside episodes, and whether all is exact."""
    said = Counter(
        (a["type"], a["value"], a["first_seen"], a["last_seen"], tuple(a["countries"]))
        for a in alerts
    )
    wanted = Counter(episode[1:6] for episode in truth)
    named = {alert[:2] for alert in said}
    attacked = {episode[:2] for episode in wanted}
    return {
        "indicators": len(attacked),
        "indicators_missed": len(attacked - named),
        "indicators_for_nothing": len(named - attacked),
        "episodes": wanted.total(),
        "alerts": said.total(),
        "exact": said == wanted,
    }
