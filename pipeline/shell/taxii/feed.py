"""Campaigns from the read store into TAXII's collections, each as its readers may see it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign, Status
from pipeline.share import stix
from pipeline.share.terms import Terms
from pipeline.share.tlp import Tlp
from pipeline.share.views import Publication
from pipeline.shell.serve.following import follow_campaigns
from pipeline.shell.serve.rows import Row
from pipeline.shell.serve.store import Store
from pipeline.shell.taxii.audience import Audience
from pipeline.shell.taxii.store import TaxiiStore

KEPT_MS = 400 * 86_400_000
"""What ended so long ago is given to nobody any more."""
_DAY_S = 86_400.0


class Feed:
    """What each audience was told, and is to be told."""

    def __init__(self, store: TaxiiStore, terms: Terms, audiences: Iterable[Audience]) -> None:
        self._store = store
        self._terms = terms
        self._to: list[tuple[str, Publication]] = []
        for one in audiences:
            publication = Publication(terms, one.recipient, one.delay_ms)
            for view in store.views(one.collection.id):
                publication.remember(campaigns.decode(view))
            self._to.append((one.collection.id, publication))

    def hear(self, campaign: Campaign, told_at: int, offset: int = 0) -> None:
        """Take note of a revision; see `Publication.hear`."""
        told = without_red(campaign, self._terms)
        for _, publication in self._to:
            publication.hear(told, told_at, offset)

    def look(self, now_ms: int) -> int:
        """Put into each collection what is to be told now; how many versions of objects."""
        return sum(
            self._store.publish(
                collection, view.id, campaigns.encode(view), stix.objects(view), now_ms * 1000
            )
            for collection, publication in self._to
            for view in publication.look(now_ms)
        )

    def clean(self, before_ms: int) -> int:
        """Drop what ended before a time; how many versions of objects."""

        def is_over(view: bytes) -> bool:
            of = campaigns.decode(view)
            return of.last_seen < before_ms and of.status in {Status.CLOSED, Status.MERGED}

        return self._store.forget(before_ms * 1000, is_over)


def without_red(campaign: Campaign, terms: Terms) -> Campaign:
    """Without what was told to people: RED is in no collection, not even its own organisation's."""
    kept = tuple(
        seen
        for seen in campaign.sightings
        if terms.of(seen.organisation).label(seen.tlp or None) is not Tlp.RED
    )
    return msgspec.structs.replace(campaign, sightings=kept)


async def keep_fed(feed: Feed, read: Store) -> None:
    """For ever: what is new in the read store."""
    cleaned = 0.0

    def hear(row: Row) -> None:
        if row.body is not None:
            feed.hear(row.campaign, row.revision // 1000, row.revision)

    def look(now_ms: int) -> None:
        nonlocal cleaned
        feed.look(now_ms)
        if time.monotonic() - cleaned >= _DAY_S:
            feed.clean(now_ms - KEPT_MS)
            cleaned = time.monotonic()

    await follow_campaigns(read, hear, look)
