"""How events are labelled themselves: TLP and PAP in what OCSF has for it. No I/O here.

`metadata.labels` may hold `tlp:green` and `PAP:AMBER`; `osint[].tlp` is the label of intelligence
that the sensor matched. The strictest of them stands. A text that is no label says nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pipeline.event import Event
from pipeline.share.tlp import Pap, Tlp, pap_of, strictest_pap, strictest_tlp, tlp_of


class Mark(NamedTuple):
    """The labels of some events; "" where there is none."""

    tlp: str = ""
    pap: str = ""


UNMARKED = Mark()
_KNOWN = 256


def mark_of(event: Event) -> Mark:
    """What an event says of itself."""
    labels = event.metadata.labels
    of_intelligence = event.osint
    return _mark(
        () if labels is None else tuple(labels),
        () if of_intelligence is None else tuple([one.tlp for one in of_intelligence]),
    )


# A sensor labels its events alike.
@lru_cache(_KNOWN)
def _mark(labels: tuple[str, ...], of_intelligence: tuple[str | None, ...]) -> Mark:
    tlps: list[Tlp | None] = []
    paps: list[Pap | None] = []
    for text in labels:
        # A label among any others must say what it is of: "red" may be a team.
        prefix = text.strip().upper()[:4]
        if prefix == "TLP:":
            tlps.append(tlp_of(text))
        elif prefix == "PAP:":
            paps.append(pap_of(text))
    tlps += [tlp_of(text) for text in of_intelligence if text is not None]
    known, uses = [one for one in tlps if one], [one for one in paps if one]
    if not known and not uses:
        return UNMARKED
    # Plain strings: they are looked up with each event.
    return Mark(
        strictest_tlp(known).value if known else "", strictest_pap(uses).value if uses else ""
    )
