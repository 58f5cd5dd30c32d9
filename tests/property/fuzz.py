"""Bytes that no sensor would send, by mutating a corpus; `make fuzz` does it for a minute.

Invariant: whatever the bytes of a message are, each event in it comes out once, taken or rejected
with a reason and a detail, and everything that is done with it afterwards works.

The corpus is `tests/property/corpus/` and the event examples in `schemas/`. A mutant whose outcome
is new (reasons, details without their numbers, indicator types) joins the corpus of the run. A run
is its seed: the same seed does the same.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline import dead_letter
from pipeline.alert import alert, encode
from pipeline.canonical import MAX_VALUE_CHARACTERS
from pipeline.decode import MAX_MESSAGE_BYTES, Reason, Rejection, decode, split
from pipeline.episode import Change, Episode
from pipeline.event import MAX_VALUES, Event
from pipeline.geo import Geo
from pipeline.indicator import indicators
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.shell.letters.file import line_of
from pipeline.shell.letters.reading import Filed, Place
from pipeline.shell.printable import plain_json, printable
from pipeline.sight import decode_sightings, records

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
NOW = 1_767_268_800_000
LONGEST = 64 * 1024  # of a mutant: long ones are slow, and the bounds have tests of their own
TOKENS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf"),
    *(b"\\u0000", b"\\ud800", b"\\udfff", b"null", b"true", b"1e999", b"-0", b"NaN", b"9" * 400),
    *(b'"time":', b'"metadata":{"uid":"u"}', b'"device":{"uid":"s"}', b'"observables":', b'"value":'),
    *(text.encode() for text in ("ü。", "\u202e", "\u0130", "ß", "١", "／", "＠", "xn--zz", "😀")),
    *(b"::ffff:8.8.8.8", b"%25", b"http://[::1]:080/", b"pkg:npm/%40a/b@1?x=y#z", b"CVE-2021-44228"),
]  # fmt: skip
_RULE = Rule("5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10", "T", Level.LOW, "ip", 3_600_000, "country", 2)
_PARTY = Party("o", "CZ")
_NUMBERS = re.compile(r"[0-9]+")


def corpus() -> list[bytes]:
    """What a run begins with."""
    return [path.read_bytes() for folder in (CORPUS, EXAMPLES) for path in sorted(folder.iterdir())]


def check(message: bytes) -> frozenset[str]:
    """The invariant, for one message; what its outcome was like."""
    outcome, parts = decode(message), split(message)
    assert len(outcome) == len(parts)
    seen: set[str] = set()
    for index, one in enumerate(outcome):
        if isinstance(one, Rejection):
            assert one.detail
            assert one.reason in Reason
            seen.add(f"{one.reason} {_NUMBERS.sub('0', one.detail)}")
            _keep(one, index)
        else:
            assert isinstance(one, Event)
            assert one.values <= MAX_VALUES
            seen.update(_look(one))
    sensors = {"s": _PARTY} | {o.device.uid: _PARTY for o in outcome if isinstance(o, Event)}
    intake = Intake("t/0", sensors, sensors, dict.fromkeys(INDICATOR_TYPES, 3_600_000), 10**15)
    rejected = intake.read(message, NOW)
    assert intake.tally.adds_up
    assert intake.tally.received == len(outcome)
    assert len(rejected) == intake.tally.rejected.total() + intake.tally.late
    for packed in intake.pack(3, NOW).values():
        for sightings in packed:
            for record in records(sightings):
                decode_sightings(None, record)
    return frozenset(seen)


def _look(event: Event) -> Iterator[str]:
    found, uncanonical = indicators(event)
    assert uncanonical >= 0
    for kind, value in found:
        assert kind in INDICATOR_TYPES
        assert 0 < len(value) <= MAX_VALUE_CHARACTERS + 64  # an A-label may be longer
        episode = Episode("id", _RULE, value, Change.OPENED, 1, 2, ("CZ",), ("o",))
        assert plain_json(encode(alert(episode, Geo()))).isprintable()
        yield kind
    yield f"uncanonical {min(uncanonical, 3)}"


def _keep(rejection: Rejection, index: int) -> None:
    letter = dead_letter.dead_letter(rejection, "t", 0, 1, index, NOW)
    assert dead_letter.decode(dead_letter.encode(letter)) == letter
    dead_letter.sensor_of(letter.raw)
    assert plain_json(line_of(Filed(Place(0, 1), letter.key, letter, False))).isprintable()
    assert printable(letter.detail).isprintable()


def mutants(seed: int, grown: list[bytes]) -> Iterator[bytes]:
    """Endless mutants of a corpus, which may grow meanwhile."""
    choice = random.Random(seed)
    while True:
        message = bytearray(choice.choice(grown))
        for _ in range(choice.choice((1, 1, 2, 3, 8))):
            choice.choice(MUTATIONS)(choice, message, grown)
        yield bytes(message[:LONGEST])


def _place(choice: random.Random, message: bytearray) -> tuple[int, int]:
    start = choice.randint(0, len(message))
    return start, min(len(message), start + choice.choice((1, 2, 4, 16, 64, 1024)))


def _flip(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    if message:
        message[choice.randrange(len(message))] ^= 1 << choice.randrange(8)


def _overwrite(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    start, end = _place(choice, message)
    message[start:end] = choice.randbytes(end - start)


def _remove(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    start, end = _place(choice, message)
    del message[start:end]


def _repeat(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    start, end = _place(choice, message)
    message[start:start] = message[start:end] * choice.choice((1, 3, 70, 1100))


def _insert(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    start, _ = _place(choice, message)
    message[start:start] = choice.choice(TOKENS) * choice.choice((1, 1, 1, 70))


def _splice(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    other = choice.choice(grown)
    start, _ = _place(choice, message)
    begin = choice.randint(0, len(other))
    message[start:] = other[begin:]


def _wrap(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    message[:] = choice.choice(
        (b"[" + message + b"]", message + b"\n" + message, b"[" + message + b"," + message + b"]")
    )


def _exchange(choice: random.Random, message: bytearray, grown: list[bytes]) -> None:
    texts = list(re.finditer(rb'"(?:[^"\\]|\\.)*"|-?\d+', message))
    if texts:
        one, other = (
            choice.choice(texts),
            choice.choice([*TOKENS, b'""', b"-1", b"[]", b"{}", b"null"]),
        )
        message[one.start() : one.end()] = other


MUTATIONS: list[Callable[[random.Random, bytearray, list[bytes]], None]] = [
    *(_flip, _overwrite, _remove, _repeat, _insert, _insert, _splice, _wrap, _exchange, _exchange)
]


def run(seed: int, enough: Callable[[int], bool]) -> tuple[int, int]:
    """Try mutants until it is enough; how many, and how many different outcomes there were.

    The mutant that breaks the invariant is in the `Broken` that is raised.
    """
    grown = corpus()
    seen = set().union(*map(check, grown))
    for tried, message in enumerate(mutants(seed, grown)):
        if enough(tried):
            return tried, len(seen)
        try:
            outcome = check(message)
        except Exception as error:
            raise Broken(seed, tried + 1, message) from error
        if not outcome <= seen:
            seen |= outcome
            grown.append(message)
    raise AssertionError("mutants never end")


class Broken(Exception):  # noqa: N818 - it is what happened
    """A message that broke the invariant; add it to the corpus with the mending."""

    def __init__(self, seed: int, number: int, message: bytes) -> None:
        super().__init__(f"seed {seed}, mutant {number}: {message[:2000]!r}")
        self.message = message


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.property.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    given = parser.parse_args()
    until = time.monotonic() + given.seconds
    print(f"seed {given.seed}", flush=True)
    try:
        tried, outcomes = run(given.seed, lambda _: time.monotonic() > until)
    except Broken as broken:
        path = Path("var") / f"fuzz-{given.seed}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(broken.message)
        print(
            f"{broken.__cause__!r}\n{broken}\nkept as {path}: put it into {CORPUS}", file=sys.stderr
        )
        return 1
    print(f"{tried:,} messages, {outcomes} different outcomes, none of them an exception")
    return 0


assert LONGEST < MAX_MESSAGE_BYTES

if __name__ == "__main__":
    sys.exit(main())
