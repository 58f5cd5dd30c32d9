"""What is meant, and what is an exercise: two lanes that never meet. No I/O here.

An exercise has topics, principals, groups and state of its own, all under one prefix. Which lane
something is in is told by where it came in, never by what it says of itself. What it says is held
against that: an event on the live lane that says it is an exercise's, and one on an exercise's lane
that does not, are rejected. So a mistake at a sensor, and a lie, stay where they are seen.

An event says so in OCSF's `metadata.labels`: `exercise`, or a tag of that name space, such as
`exercise:generic="comcheck"` (MISP's taxonomy); ours is `exercise:sightline="<id>"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec

TAG: Final = "exercise"
BANNER: Final = "EXERCISE EXERCISE EXERCISE"
_PREFIX: Final = re.compile(r"exercise\.([a-z0-9][a-z0-9-]{0,39})\.")
_OURS: Final = re.compile(r'exercise:sightline="([^"]*)"')

Flag = str | msgspec.UnsetType
"""The exercise that an alert or a campaign is of; unset where it is meant."""


def prefix_of(exercise: str) -> str:
    """The topic prefix of an exercise's lane."""
    return f"{TAG}.{exercise}."


def exercise_of(prefix: str) -> str | None:
    """Whose lane a topic prefix is; None of any other prefix."""
    match = _PREFIX.fullmatch(prefix)
    return match[1] if match else None


def exercise_of_topic(topic: str) -> str:
    """Whose lane a topic is on, by its full name; "" for the live one."""
    match = _PREFIX.match(topic)
    return match[1] if match else ""


def tag_of(exercise: str) -> str:
    """What events of an exercise are labelled with, beside `exercise`."""
    return f'{TAG}:sightline="{exercise}"'


def claims(labels: Iterable[str] | None) -> bool:
    """Does it say of itself that it is an exercise's?"""
    return any(
        label.strip().lower() == TAG or label.strip().lower().startswith(f"{TAG}:")
        for label in labels or ()
    )


def mismatch(labels: Iterable[str] | None, exercise: str) -> str | None:
    """Why what an event says does not fit the lane it came in on; None if it does.

    `exercise`: whose lane that is; "" for the live one.
    """
    said = list(labels or ())
    if not exercise:
        return "it says that it is an exercise's, and this is none" if claims(said) else None
    if not claims(said):
        return f"it does not say that it is an exercise's, and this is the lane of {exercise!r}"
    named = [match[1] for label in said if (match := _OURS.fullmatch(label.strip()))]
    if named and exercise not in named:
        return f"it says that it is of another exercise than {exercise!r}"
    return None


def labelled(raw: bytes, exercise: str) -> bytes:
    """An event (JSON) that says that it is an exercise's; what is no event comes back as it is."""
    try:
        event: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    if not isinstance(event, dict) or not isinstance(event.get("metadata"), dict):
        return raw
    metadata = event["metadata"]
    said = metadata.get("labels")
    kept = [label for label in said if label != TAG] if isinstance(said, list) else []
    metadata["labels"] = list(dict.fromkeys((TAG, tag_of(exercise), *kept)))
    return msgspec.json.encode(event)


def flag_of(exercise: str) -> Flag:
    """What alerts and campaigns of a lane carry."""
    return exercise or msgspec.UNSET


def crossing(flag: Flag, exercise: str) -> str | None:
    """Why an alert or a campaign must not leave by an egress of a lane; None if it may.

    `exercise`: whose lane the egress is of; "" for the live one. When in doubt, it may not.
    """
    found = "" if flag is msgspec.UNSET else flag
    if found == exercise:
        return None
    lane = f"the lane of {exercise!r}" if exercise else "the live lane"
    of = f"exercise {found!r}" if found else "no exercise"
    return f"it is of {of}, and this is {lane}"


class Act(StrEnum):
    """What has an effect outside."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    PUSH = "push"
    """To another's server: MISP, syslog."""
    CLOCK = "clock"
    """A legal deadline that begins to run."""
    BLOCK = "block"


def withheld(act: Act, exercise: str) -> str | None:
    """Why an act is not done on a lane; None if it may be done. In an exercise none is."""
    return f"on the lane of exercise {exercise!r} there is no {act}" if exercise else None
