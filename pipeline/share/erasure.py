"""What becomes of each thing that is kept when an indicator or a person is to be forgotten.

No I/O here. A text is looked for as a word, in any case: `198.41.0.4` is not in `198.41.0.40`.
What is erased of a record that holds others' data, too, is that part only; of an event, all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from pipeline.campaign import campaign as campaigns
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Campaign
from pipeline.checkpoint import Segment, Singles, decode_segment, encode_segment
from pipeline.dead_letter import decode as decode_letter
from pipeline.decode import Rejection, decode, split
from pipeline.indicator import indicators
from pipeline.sight import PROGRESS_KEY, Group, Sightings, decode_sightings
from pipeline.sight import encode as encode_sightings
from pipeline.slices import SINGLE_BYTES

ERASED: Final = "(erased)"
_any = msgspec.json.Decoder().decode
_replace = msgspec.structs.replace


class Sought(Struct, frozen=True):
    """What is to be forgotten: texts, each as it is kept, pseudonyms included."""

    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.texts or not all(len(text) >= 3 for text in self.texts):
            raise ValueError("three characters at the least: less is found everywhere")

    def pattern(self) -> re.Pattern[str]:
        return _pattern(self.texts)

    def in_text(self, text: str) -> bool:
        return _pattern(self.texts).search(text) is not None

    def in_bytes(self, raw: bytes) -> bool:
        """Whether bytes name it: as they are, or as an escape in JSON writes it, at any depth; or
        as an indicator of the same canonical form.
        """
        if self.in_text(raw.decode("utf-8", "replace")):
            return True
        if any(self.in_text(text) for text in _strings(raw)):
            return True
        return any(
            value in self.texts
            for event in decode(raw)
            if not isinstance(event, Rejection)
            for _, value in indicators(event)[0]
        )


_PATTERNS: dict[tuple[str, ...], re.Pattern[str]] = {}


def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    known = _PATTERNS.get(texts)
    if known is None:
        either = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
        # A word. 1.198.41.0.4 and 198.41.0.4.5 are no 198.41.0.4; what stands below a domain, or
        # has a port, is found as well.
        known = re.compile(rf"(?<![\w-])(?<!\d\.)(?:{either})(?![\w-])(?!\.\w)", re.IGNORECASE)
        _PATTERNS.clear()
        _PATTERNS[texts] = known
    return known


def _strings(raw: bytes) -> Iterator[str]:
    """Every text in the JSON of a message, if it is any."""
    for part in split(raw):
        if isinstance(part, Rejection):
            continue
        try:
            left: list[Any] = [_any(part)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        while left:
            one = left.pop()
            if isinstance(one, str):
                yield one
            elif isinstance(one, dict):
                left += one.keys()
                left += one.values()
            elif isinstance(one, list):
                left += one


def in_letter(value: bytes, sought: Sought) -> bool:
    """Whether a dead letter holds it: its bytes travel as base64."""
    try:
        letter = decode_letter(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return sought.in_bytes(value)
    return sought.in_text(letter.detail) or sought.in_bytes(letter.raw)


def of_sightings(key: bytes | None, value: bytes, sought: Sought) -> bytes:
    """A record of sightings without it, as a companion of others, too."""
    record = decode_sightings(key, value)
    if not isinstance(record, Sightings) or key == PROGRESS_KEY:
        return value
    groups = [_group(group, sought) for group in record.groups]
    if groups == record.groups:
        return value
    return encode_sightings(_replace(record, groups=groups))


def _group(group: Group, sought: Sought) -> Group:
    kept = [n for n, value in enumerate(group.values) if not sought.in_text(value)]
    whole = len(kept) == len(group.values)
    companions = [
        tuple(one for one in group.companions[n] if not sought.in_text(one[1])) for n in kept
    ] if group.companions else []  # fmt: skip
    if whole and companions == group.companions:
        return group
    return Group(
        group.type,
        [group.values[n] for n in kept],
        [group.first_seen[n] for n in kept],
        [group.last_seen[n] for n in kept],
        companions,
        [group.labels[n] for n in kept] if group.labels else [],
        [group.events[n] for n in kept] if group.events else [],
    )


def of_segment(value: bytes, sought: Sought) -> bytes:
    """A segment of a checkpoint without its state. Of a rule's label, the party stays and the
    label does not.
    """
    segment = decode_segment(value)
    track = segment.track
    names, packed = track.singles.values, track.singles.packed
    kept = [n for n, name in enumerate(names) if not sought.in_text(name)]
    singles = Singles(
        [names[n] for n in kept],
        b"".join(packed[n * SINGLE_BYTES : (n + 1) * SINGLE_BYTES] for n in kept),
    )
    cleaned = Segment(
        segment.parties,
        _replace(
            track,
            singles=singles,
            windows=[one for one in track.windows if not sought.in_text(one.value)],
            gone=[name for name in track.gone if not sought.in_text(name)],
        ),
        [ERASED if sought.in_text(label) else label for label in segment.labels],
    )
    return value if cleaned == segment else encode_segment(cleaned)


def of_campaign(value: bytes, sought: Sought) -> bytes | None:
    """A campaign without it; None if nothing is left. Alerts on it go, as far as they are told."""
    try:
        campaign = campaigns.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not any(_is(one, sought) for one in campaign.indicators):
        return campaigns.encode(_without(campaign, sought))
    if all(_is(one, sought) for one in campaign.indicators):
        return None
    return campaigns.encode(_without(campaign, sought))


def _without(campaign: Campaign, sought: Sought) -> Campaign:
    words = sought.pattern()
    left = _replace(
        campaign,
        indicators=tuple(one for one in campaign.indicators if not _is(one, sought)),
        reasons=tuple(
            _replace(one, why=words.sub(ERASED, one.why))
            for one in campaign.reasons
            if not _is(one, sought)
        ),
        sightings=tuple(one for one in campaign.sightings if not _is(one, sought)),
    )
    if isinstance(label := campaign.label, campaigns.Word):
        basis, by = words.sub(ERASED, label.basis), words.sub(ERASED, label.by)
        left = _replace(left, label=_replace(label, basis=basis, by=by))
    return left


def _is(one: Any, sought: Sought) -> bool:
    return sought.in_text(one.value)


def of_label(value: bytes, sought: Sought) -> bytes | None:
    """An analyst's word without it; None if it was about nothing else."""
    try:
        label = labels.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    words = sought.pattern()
    left = tuple(one for one in label.indicators if not _is(one, sought))
    if label.about is labels.About.ALERT and label.indicators and not left:
        return None
    basis, by = words.sub(ERASED, label.basis), words.sub(ERASED, label.by)
    return labels.encode(_replace(label, indicators=left, basis=basis, by=by))


def of_pack(payload: bytes, sought: Sought) -> tuple[bytes, int]:
    """Events one a line without those that name it, and how many are left."""
    kept = [line for line in payload.split(b"\n") if line.strip() and not sought.in_bytes(line)]
    return b"\n".join(kept), len(kept)


def named(texts: Iterable[str]) -> Sought | str:
    """What to look for, or why that cannot be."""
    given: Sequence[str] = tuple(dict.fromkeys(text.strip() for text in texts))
    try:
        return Sought(tuple(given))
    except ValueError as error:
        return str(error)
