"""The demo's truth: the offline run over the same events, and what differs from it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from pipeline.alert import Alert
from pipeline.shell import files, marx, observe, offline
from pipeline.shell.demo.cast import Cast
from pipeline.tally import Tally

_SHOWN = 5


class Truth(Struct, frozen=True):
    """What the workers should have told."""

    alerts: list[Alert]
    tally: Tally


def events(cast: Cast) -> Iterator[bytes]:
    """All that was sent, in order of arrival."""
    now = time.time_ns() // 1_000_000
    for native in (*cast.first, cast.later):
        yield from native.events(now)
    yield from marx.events(cast.rows)


def truth(cast: Cast) -> Truth:
    """The offline run."""
    settings = cast.settings
    geo, benign = files.geo_of(settings), files.benign_of(settings)
    run = offline.OfflineRun(
        cast.registry, cast.rules, settings.lateness_ms, benign=benign, geo=geo
    )
    episodes = run.episodes(events(cast), lambda *_: None)
    return Truth(list(offline.alerts(episodes, geo, benign)), run.tally)


def differences(workers: Sequence[Alert], expected: Sequence[Alert]) -> list[str]:
    """What the workers told and the offline run did not, or the other way; empty if equal."""
    mine, theirs = Counter(observe.final(workers)), Counter(observe.final(expected))
    if mine == theirs:
        if observe.chances(workers) != observe.chances(expected):
            return ["DIFFERENT: the p-values of the workers are not those of the offline run."]
        return []
    only = [("workers", mine - theirs), ("offline", theirs - mine)]
    lines = [
        f"DIFFERENT: {mine.total():,} alerts from the workers, {theirs.total():,} offline; "
        + ", ".join(f"{extra.total():,} only {who}" for who, extra in only)
    ]
    for who, extra in only:
        lines += [f"only {who}: {key}" for key in sorted(extra.elements())[:_SHOWN]]
    return lines
