"""Why an alert on what a partner shared is there. No I/O here."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pipeline.alert import Alert, Shared
from pipeline.explain.found import MOST_SOURCES, Country, by_country, sources_of
from pipeline.explain.inquiry import Inquiry, Source
from pipeline.watch import is_unsure


class WatchExplained(Struct, frozen=True):
    """`unsure`: the partner is, which lowers the severity; `countries` is empty where what led to
    it is not among what was read. `sources` are its raw events, `sources_omitted` how many more.
    """

    id: str
    type: str
    value: str
    status: int
    severity: int
    first_seen: int
    last_seen: int
    watch: Shared
    unsure: bool
    known_benign: tuple[str, ...]
    countries: tuple[Country, ...]
    organisations: tuple[str, ...]
    sources: tuple[Source, ...]
    sources_omitted: int


def explained(alert: Alert, watch: Shared, inquiry: Inquiry) -> WatchExplained:
    """What was shared, and who saw it within the time that the alert tells of."""
    observed, said, finding = alert.observables[0], alert.unmapped, alert.finding_info
    one = (observed.name, observed.value)
    first, last = finding.first_seen_time, finding.last_seen_time
    sources = sources_of(one, inquiry, first, last)
    return WatchExplained(
        id=finding.uid,
        type=observed.name,
        value=observed.value,
        status=alert.status_id,
        severity=alert.severity_id,
        first_seen=first,
        last_seen=last,
        watch=watch,
        unsure=is_unsure(watch.confidence),
        known_benign=said.known_benign,
        countries=by_country(one, inquiry, first, last),
        organisations=said.organisations,
        sources=tuple(sources[:MOST_SOURCES]),
        sources_omitted=max(len(sources) - MOST_SOURCES, 0),
    )


encode = msgspec.json.Encoder().encode
