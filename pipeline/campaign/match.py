"""An alert as campaigns read it: what matters of its newest revision. No I/O here."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pipeline.alert import Alert
from pipeline.indicator import Indicator


class Match(Struct, frozen=True, gc=False):
    """One alert that stands. Times in ms."""

    id: str
    type: str
    value: str
    first_seen: int
    last_seen: int
    severity: int
    p_value: float | None = None
    endemic: bool = False

    @property
    def indicator(self) -> Indicator:
        return self.type, self.value


def match_of(alert: Alert) -> Match | None:
    """What one revision says; None of one that was merged: it stands no more."""
    if alert.unmapped.merged_into is not msgspec.UNSET:
        return None
    finding, indicator = alert.finding_info, alert.observables[0]
    return Match(
        finding.uid,
        indicator.name,
        indicator.value,
        finding.first_seen_time,
        finding.last_seen_time,
        alert.severity_id,
        alert.unmapped.p_value,
        alert.unmapped.endemic,
    )
