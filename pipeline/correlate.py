"""Sightings to episodes: the heart of the pipeline. No I/O here.

The state is a join-semilattice (see `pipeline.window`), so that order, duplicates and replays
of sightings change nothing. An episode is a longest run of windows that hold; it is opened as
soon as its first window holds, updated when it grows, and closed when no sighting that may
still come can change it. The frontier is the first slice in which one may still come:

                        frontier - 61           frontier
    slices    ──forgotten──┤──────remembered──────┤──may still change──▶
    windows     final, their episodes closed      ┤  may still change

A sighting before the frontier is late and is dropped, counted. A window that ends before the
frontier is final. Once an episode's last window and the one after it are final, it is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.count_track import CountTrack
from pipeline.episode import Episode
from pipeline.label_track import LabelTrack
from pipeline.party import Parties
from pipeline.registry import Party
from pipeline.rule import Field, Rule
from pipeline.sight import UNKNOWN_WATERMARK, Sightings
from pipeline.surprise import Background
from pipeline.track import Track

_KEEPING: dict[Field, type[Track]] = {
    "origin_country": LabelTrack,
    "origin_as": LabelTrack,
    "rule": LabelTrack,
    "event": CountTrack,
}


def fair_level(held: Iterable[int], excess: int) -> int:
    """To how much everyone who holds more must come down for `excess` to be gone; at least 0."""
    rest = sorted(held, reverse=True)
    taken = 0
    for n, most in enumerate(rest, 1):
        following = rest[n] if n < len(rest) else 0
        if taken + n * (most - following) >= excess:
            return most - -(-(excess - taken) // n)
        taken += n * (most - following)
    return 0


class Correlator:
    """The state of one partition of `sightings`: every rule, every indicator that falls in it."""

    def __init__(
        self, rules: Iterable[Rule], lateness_ms: int, background: Background | None = None
    ) -> None:
        """Without a `background` no p-value is worked out, nor remembered for."""
        self.parties = Parties()
        self.watermark = UNKNOWN_WATERMARK
        by_track: dict[tuple[str, int], list[Rule]] = {}
        for rule in rules:
            by_track.setdefault((rule.kind, rule.timespan_ms), []).append(rule)
        self.tracks = [
            _KEEPING.get(of[0].field, Track)(
                kind, timespan, of, self.parties, lateness_ms, background
            )
            for (kind, timespan), of in by_track.items()
        ]
        self._shed_above = 0
        self._by_kind: dict[str, list[Track]] = {}
        for track in self.tracks:
            for kind in {aspect.kind for rule in track.rules for aspect in rule.aspects}:
                self._by_kind.setdefault(kind, []).append(track)

    def observe(self, sightings: Sightings) -> int:
        """Note one record's sightings; how many of them were late, by any rule."""
        party = self.parties.number(Party(sightings.organisation, sightings.country))
        late = 0
        for group in sightings.groups:
            tracks = self._by_kind.get(group.type, ())
            late += max((track.hear(party, group) for track in tracks), default=0)
        return late

    def settle(self) -> list[Episode]:
        """The episodes that what was observed opened, extended or joined."""
        return [episode for track in self.tracks for episode in track.settle()]

    def refresh(self) -> list[Episode]:
        """The growth that is not worth a revision of its own, now and then."""
        return [episode for track in self.tracks for episode in track.refresh()]

    def advance(self, watermark: int) -> list[Episode]:
        """Event time has come to `watermark`: the episodes that ended. Settle first."""
        self.watermark = max(self.watermark, watermark)
        return [episode for track in self.tracks for episode in track.advance(self.watermark)]

    def resume(self) -> None:
        """After a restore, before anything is observed."""
        for track in self.tracks:
            track.resume()

    def finish(self) -> list[Episode]:
        """The end of an offline run: every episode that is left, as it ended."""
        return [episode for track in self.tracks for episode in track.finish()]

    def sweep(self, budget: int = 20_000) -> int:
        """Forget what has passed, a bounded step at a time; how many indicators went."""
        return sum(track.sweep(budget) for track in self.tracks)

    def shed(self, most: int) -> dict[str, int]:
        """Come back to `most` live indicators if there are more; how many went, by type.

        Each of them may be a miss. They are taken from what only one party has seen, of those
        parties first that have most of it, so that a flood costs the one who floods; and its
        oldest first. What two parties have seen stays, however much it is.
        """
        live = sum(len(track.states) for track in self.tracks)
        if live <= most:
            self._shed_above = 0
        if live <= max(most, self._shed_above):
            return {}
        solitary = [(track, track.solitary()) for track in self.tracks]
        held = Counter[int]()
        for _, by_party in solitary:
            held.update({party: len(values) for party, values in by_party.items()})
        # Below the bound by an eighth: the look at everything is not for every batch.
        level = fair_level(held.values(), live - most + most // 8)
        went: dict[str, int] = {}
        for track, by_party in solitary:
            for party, values in by_party.items():
                if held[party] > level:
                    share = len(values) * (held[party] - level)
                    going = values[: -(-share // held[party])]
                    for value in going:
                        del track.states[value]
                    kind = track.rules[0].indicator_type
                    went[kind] = went.get(kind, 0) + len(going)
        self._shed_above = sum(len(track.states) for track in self.tracks) + most // 8
        return went

    def unplaced(self) -> dict[str, int]:
        """Sightings since the last call that had more labels than there is room for, by type."""
        counts: dict[str, int] = {}
        for track in self.tracks:
            if track.unplaced:
                kind = track.rules[0].indicator_type
                counts[kind] = counts.get(kind, 0) + track.unplaced
                track.unplaced = 0
        return counts

    @property
    def live(self) -> dict[str, int]:
        """Live indicators by type."""
        counts: dict[str, int] = {}
        for track in self.tracks:
            kind = track.rules[0].indicator_type
            counts[kind] = counts.get(kind, 0) + len(track.states)
        return counts

    @property
    def open_episodes(self) -> int:
        """Alerts that may still change."""
        return sum(len(lives) for track in self.tracks for lives in track.episodes.values())
