"""An analyst's word, made of what an alert or a campaign says now."""

from __future__ import annotations

import time

import msgspec

from pipeline.alert import Alert
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import About, Label, Marked, Verdict
from pipeline.shell.printable import printable
from pipeline.shell.settings import WrongUseError


def label_for(
    found: Alert | Campaign, verdict: Verdict, by: str, basis: str, confidence: int
) -> Label:
    """The label, dated now; a `WrongUseError` says why it cannot be said.

    What was merged into another is that other now: a word of it would be of nothing.
    """
    into = found.merged_into if isinstance(found, Campaign) else found.unmapped.merged_into
    if into:
        raise WrongUseError(f"it was merged into {printable(into)}: label that")
    at = time.time_ns() // 1_000_000
    if isinstance(found, Campaign):
        marked = tuple(Marked(one.type, one.value) for one in found.indicators)
        made = Label(
            found.id, About.CAMPAIGN, verdict, by, at, basis, confidence, marked,
            found.organisations,
        )  # fmt: skip
    else:
        one = found.observables[0]
        made = Label(
            found.finding_info.uid, About.ALERT, verdict, by, at, basis, confidence,
            (Marked(one.name, one.value),), found.unmapped.organisations,
        )  # fmt: skip
    try:
        return labels.decode(labels.encode(made))
    except msgspec.ValidationError as error:
        raise WrongUseError(f"this cannot be said: {error}") from None
