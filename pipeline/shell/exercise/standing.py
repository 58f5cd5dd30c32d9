"""What was told on the lane of an exercise, as it stands."""

from __future__ import annotations

import msgspec

from pipeline.alert import Alert
from pipeline.campaign import campaign as campaigns
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import Label
from pipeline.shell.observe import decode_alert
from pipeline.shell.past import Past
from pipeline.shell.settings import Settings


async def standing(lane: Settings) -> tuple[list[Campaign], list[Alert], list[Label]]:
    """The newest revision of each campaign and alert, and all labels."""
    told: dict[str, Campaign] = {}
    alerts: dict[str, Alert] = {}
    said: list[Label] = []
    async for record in Past(lane).records(
        [lane.topic(name) for name in ("campaigns", "alerts", "labels")]
    ):
        if record.value is None:
            continue
        try:
            if record.topic == lane.topic("campaigns"):
                campaign = campaigns.decode(record.value)
                told[campaign.id] = campaign
            elif record.topic == lane.topic("alerts"):
                alert = decode_alert(record.value)
                alerts[alert.finding_info.uid] = alert
            else:
                said.append(labels.decode(record.value))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    # Alerts that went into another are none of their own.
    unset = msgspec.UNSET
    apart = [one for one in alerts.values() if one.unmapped.merged_into is unset]
    return list(told.values()), apart, said
