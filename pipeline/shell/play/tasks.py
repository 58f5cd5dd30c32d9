"""The tasks: what is set up, what counts as done by what is on the topics, and how to do it.

No task needs another one to have been done: the broker forgets, and progress is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from pipeline.alert import Alert
from pipeline.shell.play.hands import YOURS, Hands, body, now_ms
from pipeline.shell.play.seen import Arrived, Seen, uid_of

MINUTE = 60_000
LIED = "45.148.10.240"
BAD = "sim-bad-1"
ENDEMIC, NEW = "root/root", "svc-backup/Winter2025"


class Task(Struct, frozen=True):
    """`set_up` sends what it needs; `done` looks at the topics and at the answers that were given.

    `solution`: commands that do it, for whoever wants to see it done. An answer that depends on
    what was seen is worked out by `answer`.
    """

    name: str
    done: Callable[[Seen, Sequence[str]], bool]
    solution: tuple[str, ...] = ()
    set_up: Callable[[Hands], None] = lambda _: None
    ready: Callable[[Seen], bool] = lambda _: True
    """What was set up has led to what the learner shall look at."""
    answer: Callable[[Seen], str] | None = None


def _yours(seen: Seen) -> list[Arrived]:
    return [one for one in seen.events if one.event is not None and one.uid.startswith(YOURS)]


def _countries(of: Sequence[Arrived], kind: str) -> dict[str, set[str]]:
    """By value of that type, the countries that sent it."""
    found: dict[str, set[str]] = {}
    for one in of:
        for type_, value in one.indicators:
            if type_ == kind:
                found.setdefault(value, set()).add(one.country)
    return found


def _alerts(seen: Seen, kind: str) -> list[Alert]:
    return [one for one in seen.alerts if one.observables[0].name == kind]


def _first_event(seen: Seen, _: Sequence[str]) -> bool:
    return any(one.country == "CZ" and one.indicators for one in _yours(seen))


def _same_hash(seen: Seen, _: Sequence[str]) -> bool:
    sent = _countries(_yours(seen), "sha256")
    return any(
        len(sent.get(one.observables[0].value, ())) >= 2 and len(one.unmapped.countries) >= 2
        for one in _alerts(seen, "sha256")
    )


def _twice(seen: Seen, _: Sequence[str]) -> bool:
    """An event that is there twice has an alert, and it is the only one of its indicator."""
    times = Counter(one.uid for one in _yours(seen))
    alerts = Counter(one.observables[0].value for one in seen.alerts)
    return any(
        times[one.uid] > 1 and alerts[value] == 1
        for one in _yours(seen)
        for _, value in one.indicators
    )


def _not_public(seen: Seen, _: Sequence[str]) -> bool:
    """The same address that is no indicator, from all three countries, and no alert of it."""
    sent: dict[str, set[str]] = {}
    for one in _yours(seen):
        endpoint = one.event.src_endpoint if one.event else None
        if endpoint is not None and endpoint.ip and not one.indicators:
            sent.setdefault(endpoint.ip, set()).add(one.country)
    raised = {one.observables[0].value for one in seen.alerts}
    return any(len(of) >= 3 and address not in raised for address, of in sent.items())


def _set_bad_line(hands: Hands) -> None:
    said = body("ip", "185.220.101.4")
    topic, value = hands.simulated("ke-1", BAD, 0, said)
    hands.produce([(topic, value.replace(b'"time": 0', b'"time": "yesterday"'))])


def _bad_line(seen: Seen) -> bool:
    return any(uid_of(one.raw) == BAD for one in seen.letters)


def _mended(seen: Seen, _: Sequence[str]) -> bool:
    return _bad_line(seen) and any(one.event and one.uid == BAD for one in seen.events)


def _foreign(seen: Seen, _: Sequence[str]) -> bool:
    return any(
        one.reason == "foreign-sensor" and uid_of(one.raw).startswith(YOURS) for one in seen.letters
    )


def _log_line(seen: Seen, _: Sequence[str]) -> bool:
    """A learner's event that a converter wrote: only these name the product that logged."""
    return any(b'"product"' in one.raw and one.indicators for one in _yours(seen))


def _set_liar(hands: Hands) -> None:
    now = now_ms()
    lie = [
        hands.simulated(f"acme-{where}", f"sim-lie-{where}", now - MINUTE, body("ip", LIED))
        for where in ("cz", "ke", "br")
    ]
    true = [
        hands.simulated(f"{where}-1", f"sim-true-{where}", now - MINUTE, body("ip", "91.240.118.9"))
        for where in ("cz", "ke", "br")
    ]
    hands.produce([*lie, *true])


def _liars(seen: Seen) -> set[str]:
    """Whose word alone an alert rests on, though it is of three countries."""
    return {
        one.unmapped.organisations[0]
        for one in _alerts(seen, "ip")
        if len(one.unmapped.organisations) == 1 and len(one.unmapped.countries) >= 3
    }


def _liar(seen: Seen, answers: Sequence[str]) -> bool:
    return bool(_liars(seen) & set(answers))


def _set_endemic(hands: Hands) -> None:
    """One password that is tried somewhere every half hour, and one that nobody has seen before."""
    now = now_ms()
    sensors = ("cz-1", "ke-1", "br-1")
    before = [
        hands.simulated(
            sensors[n % 3], f"sim-old-{n}", now - (n + 4) * 30 * MINUTE, body("password", ENDEMIC)
        )
        for n in range(16)
    ]
    hands.produce(reversed(before))
    hands.produce(
        hands.simulated(sensor, f"sim-{name}-{sensor}", now - MINUTE, body("password", password))
        for name, password in (("old-now", ENDEMIC), ("new-now", NEW))
        for sensor in sensors
    )


def _endemic(seen: Seen) -> str | None:
    """Of the passwords that raised an alert, the one whose spread is the least surprising."""
    found = {
        one.observables[0].value: one.unmapped.p_value
        for one in _alerts(seen, "credential")
        if one.unmapped.p_value is not None
    }
    if len(found) < 2:
        return None
    return max(found, key=lambda value: found[value] or 0.0)


def _spotted(seen: Seen, answers: Sequence[str]) -> bool:
    """An answer is the beginning of its digest, so much as tells it from the other."""
    endemic = _endemic(seen)
    others = [one.observables[0].value for one in _alerts(seen, "credential")]
    return endemic is not None and any(
        endemic.startswith(answer) and sum(one.startswith(answer) for one in others) == 1
        for answer in (one if one.startswith("sha256:") else f"sha256:{one}" for one in answers)
    )


SSHD = "now gate sshd[812]: Failed password for root from 45.155.205.7 port 4242 ssh2"

TASKS = (
    Task("first-event", _first_event, ("send cz ip 218.237.65.47",)),
    Task("same-hash", _same_hash, ("send cz sha256 evil.exe", "send ke sha256 evil.exe")),
    Task("twice", _twice, ("send cz sha256 twice.exe", "send br sha256 twice.exe", "again")),
    Task(
        "not-public",
        _not_public,
        ("send cz ip 10.0.0.1", "send ke ip 10.0.0.1", "send br ip 10.0.0.1"),
    ),
    Task("mend", _mended, ("dead", "mend 1 time now"), _set_bad_line, _bad_line),
    Task("foreign", _foreign, ("send ke ip 45.155.205.9 as cz-1", "dead")),
    Task("log-line", _log_line, (f"line br {SSHD}", "events")),
    Task(
        "liar",
        _liar,
        ("alerts",),
        _set_liar,
        lambda seen: bool(_liars(seen)),
        lambda seen: min(_liars(seen), default=""),
    ),
    Task(
        "endemic",
        _spotted,
        ("alerts",),
        _set_endemic,
        lambda seen: _endemic(seen) is not None,
        lambda seen: (_endemic(seen) or "")[7:19],
    ),
)
