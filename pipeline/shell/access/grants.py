"""Who may do what on the broker: roles, their principals' names, and what each is granted.

What is not granted here is refused, for the broker's authorizer allows nothing unsaid. On a topic
READ and WRITE imply DESCRIBE. docs/threat-model.md says the same in words, with the test of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Literal, NamedTuple

from msgspec import Struct

from pipeline import canary
from pipeline.share.alliance import counts_topic, topic
from pipeline.shell.alliances import folder
from pipeline.shell.settings import Settings, WrongUseError

Operation = Literal["READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"]

OF_NOTIFYING = ("deliveries", "questions", "rulings", "suppressions")
"""Topics that there are where somebody is to be told of something."""
# Fit for a file's name, a Kafka user and a line of a log, whatever reads it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Role(StrEnum):
    """No name ends with another: a user's role can be told whatever the topic prefix is."""

    SENSOR = "sensor"
    INTAKE = "intake"
    CORRELATE = "correlate"
    CAMPAIGN = "campaign"
    CANARY = "canary"
    WORKER = "worker"
    OPERATOR = "operator"
    DASHBOARD = "dashboard"
    READER = "reader"
    PARTNER = "partner"
    SHARE = "share"
    CSIRT = "csirt"
    ALLIANCES = "alliances"
    MEMBER = "member"


class Principal(NamedTuple):
    """Somebody with a login of their own."""

    role: Role
    name: str

    def user(self, prefix: str) -> str:
        """The broker's name for it, such as `sensor/cz-nren-1`. Nobody else's has a slash: a sensor
        that is called `admin` is not the admin, nor one of another topic prefix.
        """
        return f"{prefix}{self.role}/{self.name}"


class Grant(NamedTuple):
    """One operation on one topic or consumer group, or on all whose names begin with `name`."""

    kind: Literal["topic", "group"]
    name: str
    operation: Operation
    prefixed: bool = False


class State(Struct, frozen=True):
    """What a broker knows of one user."""

    credential: bool
    allowed: frozenset[Grant]
    """Without rules that are none of ours, which `strange` counts."""
    strange: int
    denied: bool


NOBODY = State(credential=False, allowed=frozenset(), strange=0, denied=False)


def principal_of(user: str, prefix: str) -> Principal | None:
    """Whose user this is; None for those that are not of this topic prefix, or not ours."""
    before, slash, name = user.partition("/")
    role = before.removeprefix(prefix) if before.startswith(prefix) else ""
    return Principal(Role(role), name) if slash and role in {*Role} else None


def check_name(what: str, name: str) -> None:
    """A `WrongUseError` for a name that no login can be made for."""
    if not _NAME.fullmatch(name):
        raise WrongUseError(
            f"{what} {name[:128]!r}: for a login it may hold letters, digits, '.', '_' and '-', "
            "128 at most, and begins with a letter or a digit"
        )


def grants(principal: Principal, settings: Settings, topic: str = "") -> frozenset[Grant]:
    """All that a principal may do; `topic` is a sensor's own, full name."""
    if principal.role is Role.SENSOR:
        # Not prefixed: events.cz.nren would be the beginning of events.cz.nren-2.
        return frozenset({Grant("topic", topic, "WRITE")})
    return frozenset(_ROLES[principal.role](principal, settings))


def _intake(_: Principal, settings: Settings) -> set[Grant]:
    return _checks(settings) | {
        Grant("topic", settings.topic("events."), "READ", prefixed=True),
        Grant("group", settings.topic("sightline-intake"), "READ"),
        Grant("topic", settings.topic("sightings"), "WRITE"),
        Grant("topic", settings.topic("dead-letters"), "WRITE"),
        Grant("topic", settings.topic("sensors"), "READ"),
        Grant("topic", settings.topic("sensors"), "WRITE"),
        Grant("topic", settings.topic(canary.EVENTS), "READ"),
    }


def _canary(_: Principal, settings: Settings) -> set[Grant]:
    return {
        Grant("topic", settings.topic(canary.EVENTS), "WRITE"),
        Grant("topic", settings.topic(canary.ALERTS), "READ"),
    }


def _correlate(_: Principal, settings: Settings) -> set[Grant]:
    return _checks(settings) | {
        Grant("topic", settings.topic("sightings"), "READ"),
        Grant("group", settings.topic("sightline-correlate"), "READ"),
        Grant("topic", settings.topic("checkpoints"), "READ"),
        Grant("topic", settings.topic("checkpoints"), "WRITE"),
        Grant("topic", settings.topic("alerts"), "WRITE"),
        Grant("topic", settings.topic("dead-letters"), "WRITE"),
        Grant("topic", settings.topic(canary.ALERTS), "WRITE"),
    }


def _campaign(_: Principal, settings: Settings) -> set[Grant]:
    reads = ("sightings", "alerts", "labels", "watches", "campaigns")
    return _checks(settings) | {
        *(Grant("topic", settings.topic(name), "READ") for name in reads),
        Grant("group", settings.topic("sightline-campaign"), "READ"),
        Grant("topic", settings.topic("campaigns"), "WRITE"),
        Grant("topic", settings.topic("alerts"), "WRITE"),  # on what partners shared
        Grant("topic", settings.topic("dead-letters"), "WRITE"),
    }


def _share(_: Principal, settings: Settings) -> set[Grant]:
    """Writes to recipients, reads what they write back, and answers for neither."""
    reads = ("campaigns", "alerts", "rulings", "suppressions", "deliveries", "questions")
    ways: tuple[tuple[str, Operation], ...] = (
        *(("notify.", "WRITE"), ("feed.", "WRITE"), ("notify.", "READ"), ("feed.", "READ")),
        ("replies.", "READ"),
    )
    return (
        _checks(settings)
        | {Grant("topic", settings.topic(name), "READ") for name in reads}
        | {Grant("topic", settings.topic(name), how, prefixed=True) for name, how in ways}
        | {
            Grant("group", settings.topic("sightline-share"), "READ"),
            Grant("topic", settings.topic("deliveries"), "WRITE"),
            Grant("topic", settings.topic("questions"), "WRITE"),
            Grant("topic", settings.topic("dead-letters"), "WRITE"),
        }
    )


def _csirt(principal: Principal, settings: Settings) -> set[Grant]:
    """Its own letters, and its own word: not prefixed, as a sensor's."""
    return _readings(principal, settings, f"notify.{principal.name}") | {
        Grant("topic", settings.topic(f"replies.{principal.name}"), "WRITE")
    }


def _alliances(_: Principal, settings: Settings) -> set[Grant]:
    """Reads campaigns and what alliances were told, and tells them; makes no alliance."""
    theirs = settings.topic("alliance.")
    return _checks(settings) | {
        Grant("topic", settings.topic("campaigns"), "READ"),
        Grant("group", settings.topic("sightline-alliances"), "READ"),
        Grant("topic", theirs, "READ", prefixed=True),
        Grant("topic", theirs, "WRITE", prefixed=True),
        Grant("topic", settings.topic("dead-letters"), "WRITE"),
    }


def _member(principal: Principal, settings: Settings) -> set[Grant]:
    """What the alliances are told that it is a member of, and reads in; not prefixed: alliance.v4
    would be the beginning of alliance.v40.
    """
    return _readings(principal, settings, *_told(principal, settings))


def _told(principal: Principal, settings: Settings) -> list[str]:
    return [
        name
        for one in folder.read(settings).current.values()
        if any(member.name == principal.name for member in one.readers)
        for name in (topic(one.id), counts_topic(one.id))
    ]


def _worker(principal: Principal, settings: Settings) -> set[Grant]:
    stages = (_intake, _correlate, _campaign, _share, _alliances)
    return {grant for stage in stages for grant in stage(principal, settings)}


def _operator(principal: Principal, settings: Settings) -> set[Grant]:
    """Reads what was rejected, and may send it in again: so it can speak for every organisation."""
    return {
        *_readings(principal, settings, "alerts", "campaigns", "labels", "watches"),
        *_readings(principal, settings, "dead-letters", "sensors"),
        *_readings(principal, settings, "deliveries", "questions", "rulings", "suppressions"),
        Grant("topic", settings.topic("replies."), "READ", prefixed=True),
        Grant("topic", settings.topic("replies.operator"), "WRITE"),
        Grant("topic", settings.topic("rulings"), "WRITE"),
        Grant("topic", settings.topic("suppressions"), "WRITE"),
        Grant("topic", settings.topic("labels"), "WRITE"),
        Grant("topic", settings.topic("watches"), "WRITE"),
        Grant("topic", settings.topic("events."), "WRITE", prefixed=True),
        Grant("topic", settings.topic("dead-letters"), "WRITE"),  # the mark that it was sent in
    }


def _dashboard(principal: Principal, settings: Settings) -> set[Grant]:
    return {
        *_readings(principal, settings, "alerts", "campaigns", "labels", "deliveries"),
        # What others answered, and what alliances know: shown to those who see everything.
        Grant("topic", settings.topic("replies."), "READ", prefixed=True),
        Grant("topic", settings.topic("alliance."), "READ", prefixed=True),
        Grant("topic", settings.topic("labels"), "WRITE"),
    }


def _reader(principal: Principal, settings: Settings) -> set[Grant]:
    return _readings(principal, settings, "alerts", "campaigns", "sensors")


def _partner(principal: Principal, settings: Settings) -> set[Grant]:
    """What is released to it: its letters, and what its alliances are told. It says nothing."""
    return _readings(principal, settings, f"notify.{principal.name}", *_told(principal, settings))


_ROLES: dict[Role, Callable[[Principal, Settings], set[Grant]]] = {
    Role.INTAKE: _intake,
    Role.CORRELATE: _correlate,
    Role.CAMPAIGN: _campaign,
    Role.CANARY: _canary,
    Role.WORKER: _worker,
    Role.OPERATOR: _operator,
    Role.DASHBOARD: _dashboard,
    Role.READER: _reader,
    Role.PARTNER: _partner,
    Role.SHARE: _share,
    Role.CSIRT: _csirt,
    Role.ALLIANCES: _alliances,
    Role.MEMBER: _member,
}


def _checks(settings: Settings) -> set[Grant]:
    """What a worker looks at before it starts: that every topic is there, as it ought to be."""
    names = (
        *("sightings", "checkpoints", "alerts", "campaigns", "labels", "watches"),
        *("dead-letters", "sensors", *OF_NOTIFYING, canary.EVENTS, canary.ALERTS),
        *_control(settings),
    )
    see: tuple[Operation, ...] = ("DESCRIBE", "DESCRIBE_CONFIGS")
    found = {Grant("topic", settings.topic(name), operation) for name in names for operation in see}
    found |= {Grant("topic", settings.topic(name), "READ") for name in _control(settings)}
    families = [
        settings.topic(name) for name in ("events.", "notify.", "feed.", "replies.", "alliance.")
    ]
    return found | {
        Grant("topic", name, operation, prefixed=True) for name in families for operation in see
    }


def _control(settings: Settings) -> tuple[str, ...]:
    """In an exercise everybody hears that it is stopped, and nobody but its lead says so."""
    return ("control",) if settings.exercise else ()


def _readings(principal: Principal, settings: Settings, *topics: str) -> set[Grant]:
    """Topics to read, with a consumer group of the reader's own: its name is the user's."""
    named = (*topics, *_control(settings))
    reads = {Grant("topic", settings.topic(name), "READ") for name in named}
    return reads | {Grant("group", principal.user(settings.topic_prefix), "READ")}
