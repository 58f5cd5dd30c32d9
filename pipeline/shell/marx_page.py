"""`docs/marx.md`: the campaigns in half a year of real attacks; `make marx-page` writes it.

Every figure is worked out from the carried events, by the commands that anybody can run.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.campaign.campaign import Campaign
from pipeline.episode import Episode
from pipeline.geo import Geo
from pipeline.registry import Registry
from pipeline.shell import files, marx
from pipeline.shell.offline import OfflineRun
from pipeline.shell.settings import Settings

_INTRODUCTION = """\
([the data](../pipeline/data/marx/LICENSE.md)). They name source addresses and nothing else: no
file, no credential, no fingerprint. What is left to join two addresses is that they lie in one
network that few sources come from, and were at the same honeypots in the same half hours more than
chance allows ([how](decisions/0025-campaigns.md)); a group then takes in what was there with it
mostly. That is strict, and most of what was raised belongs to nothing.
"""
_LEGEND = """\
*Surprise* is the p-value of a campaign's alerts together; *by chance* that of its strongest tie.
*How sure* counts who saw it, and says nothing of who did it. Origins are where networks are
registered now, not then."""
PAGE = Path(__file__).parents[2] / "docs" / "marx.md"


def page(events: Iterable[bytes]) -> str:
    """The page, from events in order of arrival."""
    settings = Settings()
    geo = files.geo_of(settings)
    registry = files.registry_of(files.carried("marx", "sensors.toml"))
    run = OfflineRun(
        registry,
        files.rules_of(None, settings),
        settings.lateness_ms,
        grouping=True,
        geo=geo,
        benign=files.benign_of(settings),
        horizon_ms=settings.campaign_horizon_ms,
        least_countries=settings.campaign_countries,
    )
    episodes = list(run.episodes(events, lambda *_: None))
    return "\n".join(_lines(run, registry, episodes, run.campaigns(), geo)) + "\n"


def _lines(
    run: OfflineRun,
    registry: Registry,
    episodes: list[Episode],
    campaigns: list[Campaign],
    geo: Geo,
) -> Iterator[str]:
    told = {alert for one in campaigns for alert in one.alerts}
    standing = sum(episode.endemic for episode in episodes)
    yield "# Campaigns in half a year of real attacks"
    yield ""
    yield "`make marx-page` writes this page: no figure on it was put there by hand."
    yield ""
    first, last = (edge(one.first_seen for one in episodes) for edge in (min, max))
    yield (
        f"{len(registry.sensors)} honeypots in {len({of.country for of in registry.parties})} "
        f"countries, {_when(first)[:10]} to {_when(last)[:10]}"
    )
    yield _INTRODUCTION
    yield "| | |"
    yield "|---|---|"
    yield f"| events | {run.tally.received:,} |"
    yield f"| alerts, by the rules that the project carries | {len(episodes):,} |"
    yield f"| of these endemic: everywhere always | {standing:,} |"
    yield f"| campaigns | {len(campaigns)} |"
    yield f"| alerts that belong to one | {len(told):,} |"
    yield ""
    yield _LEGEND
    for number, one in enumerate(campaigns, 1):
        yield from _campaign(number, one, geo)


def _campaign(number: int, one: Campaign, geo: Geo) -> Iterator[str]:
    origins = Counter(
        origin.country
        for member in one.indicators
        if member.type == "ip" and (origin := geo.origin(member.value)) is not None
    )
    where = ", ".join(
        f"{country or 'unknown'} {count}" for country, count in sorted(origins.items())
    )
    strongest = min(one.reasons, key=lambda why: (why.p, why.type, why.value))
    yield ""
    yield f"## {number}. {_when(one.first_seen)}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| what | {', '.join(f'`{member.value}`' for member in one.indicators)} |"
    yield f"| when | {_when(one.first_seen)} to {_when(one.last_seen)} UTC |"
    seen = f"{', '.join(one.countries)}; {len(one.organisations)} organisations"
    yield f"| where it was seen | {seen} |"
    yield f"| where it is from | {where} |"
    yield f"| alerts | {len(one.alerts)} |"
    yield f"| how sure | {one.confidence} of 100, {one.confidence_word}, {one.admiralty} |"
    yield f"| surprise | {one.p_value:.3g} |" if one.p_value is not None else "| surprise | |"
    yield f"| why | `{strongest.value}` {strongest.why}; {strongest.p:.1g} by chance |"
    yield f"| id | `{one.id}` |"


def _when(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def main(arguments: list[str]) -> int:
    """Write the page; `--check` says whether it is as it would be written."""
    text = page(marx.events(marx.carried()))
    if arguments == ["--check"]:
        return 0 if PAGE.read_text("utf-8") == text else 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
