"""A campaign with an analyst's word. No I/O here.

A word is of the campaign as it was when it was said. One that is no campaign, or a benign one,
wakes nobody; but when most of what belongs to it now was not in what the analyst saw, it is another
matter, and is raised as if nothing had been said.
"""

from __future__ import annotations

import msgspec

from pipeline.campaign.campaign import Campaign, Status, Word
from pipeline.campaign.confidence import Confidence, confirmed
from pipeline.campaign.label import About, Label, Verdict

_INFORMATIONAL = 1


def labelled(campaign: Campaign, label: Label | None) -> Campaign:
    """One that is told as it was, with what is said of it now."""
    if label is None or not _stands_over(label, campaign):
        return campaign
    word = Word(label.verdict, label.by, label.basis, label.confidence, label.at)
    said = msgspec.structs.replace(campaign, label=word)
    if label.verdict is Verdict.CONFIRMED:
        return said
    return msgspec.structs.replace(said, status=Status.CLOSED, severity=_INFORMATIONAL)


def verdict_on(campaign: Campaign, label: Label | None) -> Verdict | None:
    """What is said of it: by the newest label, though it may not have been told with that yet; by
    none where the label is of what it was.
    """
    if label is None:
        return campaign.label.verdict if campaign.label else None
    return label.verdict if _stands_over(label, campaign) else None


def judged(campaign: Campaign, label: Label | None) -> Campaign:
    """One that the evidence comes to, with what is said of it."""
    said = labelled(campaign, label)
    if not said.label or said.label.verdict is not Verdict.CONFIRMED:
        return said
    before = Confidence(said.confidence, said.confidence_word, said.admiralty, said.corroboration)
    sure = confirmed(before, said.label.confidence)
    return msgspec.structs.replace(
        said, confidence=sure.number, confidence_word=sure.word, admiralty=sure.grade
    )


def _stands_over(label: Label, campaign: Campaign) -> bool:
    if label.about is not About.CAMPAIGN:
        return False
    seen = {(one.type, one.value) for one in label.indicators}
    if label.verdict is Verdict.CONFIRMED or not seen:
        return True
    new = sum((one.type, one.value) not in seen for one in campaign.indicators)
    return 2 * new <= len(campaign.indicators)
