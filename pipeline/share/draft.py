"""A report as a draft: what Sightline knows of a campaign is filled in, the rest is a person's.

No I/O here. A draft says what was recorded and by whom that has to be judged; it is sent by nobody
but a person, who has read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.campaign.campaign import Campaign
from pipeline.share.deadline import Deadline, Policy, Stage
from pipeline.share.moment import moment
from pipeline.share.neutral import code, plain

MOST_INDICATORS: Final = 200

_QUESTIONS: Final = {
    "suspected-malicious": "Is it suspected to be caused by unlawful or malicious acts?",
    "cross-border": "Could it have, or has it, an impact in other countries?",
    "severity": "How severe is it?",
    "impact": "What is its impact: on the service, on how many users, for how long?",
    "indicators": "Indicators of compromise, where available",
    "status": "What is its status?",
    "description": "What happened, in detail?",
    "root-cause": "What kind of threat or root cause is likely to have triggered it?",
    "mitigation": "Which measures were taken, and which are under way?",
    "nature": "What is the nature of it?",
    "data-subjects": "Which categories and how many data subjects and records, approximately?",
    "contact": "Who can be asked: the data protection officer, or another?",
    "consequences": "What are the likely consequences?",
}
_SEVERITIES: Final = {1: "informational", 2: "low", 3: "medium", 4: "high", 5: "critical"}
BLANK: Final = "**To be answered by a person.**"


def draft(policy: Policy, stage: Stage, campaign: Campaign, deadline: Deadline | None) -> str:
    """The report of one stage, as Markdown."""
    due = moment(deadline.due) if deadline and deadline.due is not None else "not known yet"
    rows = [
        f"# DRAFT: {policy.title}: {stage.name}",
        "This is a draft. Software submits nothing: a person reads, completes and sends it.",
        "\n".join(
            (
                f"- Campaign: {campaign.id}",
                f"- Source: {policy.source}",
                f"- {policy.checked}",
                f"- To: {'; '.join(stage.recipients)}",
                f"- Due (UTC): {due}",
                f"- Marking: TLP:{campaign.tlp}",
            )
        ),
    ]
    for field in stage.fields:
        rows.append(f"## {_QUESTIONS.get(field, field)}")
        known = _KNOWN.get(field)
        rows.append(BLANK)
        if known is not None and (said := known(campaign)):
            rows.append(f"What was recorded:\n\n{said}")
    return "\n\n".join(rows) + "\n"


def _cross_border(campaign: Campaign) -> str:
    countries = ", ".join(campaign.countries)
    return (
        f"- Sensors in {len(campaign.countries)} countries saw it: {countries}. "
        "That is where it was seen, not where it had an impact."
    )


def _severity(campaign: Campaign) -> str:
    return (
        f"- The rules that were met say: {_SEVERITIES.get(campaign.severity, 'unknown')}.\n"
        f"- Confidence that it is one activity: {campaign.confidence_word} "
        f"({campaign.confidence} of 100), sources {campaign.admiralty} (Admiralty code)."
    )


def _status(campaign: Campaign) -> str:
    return f"- {campaign.status}; last seen {moment(campaign.last_seen)} (UTC)."


def _described(campaign: Campaign) -> str:
    return (
        f"- First seen {moment(campaign.first_seen)}, last seen {moment(campaign.last_seen)} "
        f"(UTC), by {len(campaign.organisations)} organisations.\n"
        f"- {len(campaign.indicators)} indicators, {len(campaign.alerts)} alerts."
    )


def _indicators(campaign: Campaign) -> str:
    shown = campaign.indicators[:MOST_INDICATORS]
    rows = [f"- {plain(one.type)}: {code(one.value)}" for one in shown]
    if more := len(campaign.indicators) - len(shown):
        rows.append(f"- and {more} more")
    return "\n".join(rows)


_KNOWN: Final[dict[str, Callable[[Campaign], str]]] = {
    "cross-border": _cross_border,
    "severity": _severity,
    "status": _status,
    "description": _described,
    "nature": _described,
    "indicators": _indicators,
}
