"""Seeded draws that are the same on every machine and under every version of Python.

Pure: a stream of draws is a function of its path, and of nothing else. All of it is integers.
The standard library promises only the sequence of `Random.random()`, not of `choice` or `shuffle`,
and a logarithm may differ in its last bit between two C libraries: one such bit, and two worlds of
one seed part. So the words are those of SHAKE-256 over the path, and shapes come from tables of
whole numbers.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import shake_256
from itertools import accumulate, count
from typing import TypeVar

T = TypeVar("T")

_WORDS = 512  # of 64 bits, made at once
_UNPACK = struct.Struct(f">{_WORDS}Q").unpack
_BITS = 64
_SCALE = 1 << 40


class Weights:
    """A table of chances: item n is drawn with a chance of `weights[n]` in their sum."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.sums = list(accumulate(weights))

    @classmethod
    def zipf(cls, size: int) -> Weights:
        """The n-th of `size` items weighs 1/n: few are met all the time, most hardly ever."""
        return cls([_SCALE // rank for rank in range(1, size + 1)])


class Dice:
    """One stream of draws. Streams of different paths know nothing of each other, so that one more
    campaign draws nothing away from the background.
    """

    def __init__(self, *path: str | int) -> None:
        self._path = path
        self._word = _words("/".join(map(str, path)).encode()).__next__

    def child(self, *path: str | int) -> Dice:
        """The stream of that name under this one, whatever has been drawn from this one."""
        return Dice(*self._path, *path)

    def below(self, bound: int) -> int:
        """0 … bound - 1, each as likely (to one part in 2**64 / bound)."""
        return self._word() * bound >> _BITS

    def between(self, least: int, most: int) -> int:
        """From least to most, both of them possible."""
        return least + self.below(most - least + 1)

    def chance(self, part: int, whole: int) -> bool:
        """True in `part` of `whole` draws."""
        return self.below(whole) < part

    def one(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def some(self, items: Sequence[T], number: int) -> list[T]:
        """`number` different places of `items`, or all of them, in random order."""
        left = list(items)
        number = min(number, len(left))
        for place in range(number):
            other = self.between(place, len(left) - 1)
            left[place], left[other] = left[other], left[place]
        return left[:number]

    def weighted(self, weights: Weights) -> int:
        """The number of the item drawn."""
        return bisect_right(weights.sums, self.below(weights.sums[-1]))

    def heavy(self, least: int, most: int) -> int:
        """Pareto with exponent 1, cut: of ten draws, one is over ten times `least`."""
        return min(most, least * _SCALE // (self.below(_SCALE) + 1))

    def hexadecimal(self, digits: int) -> str:
        words = -(-digits // 16)
        return "".join(f"{self._word():016x}" for _ in range(words))[:digits]


def _words(key: bytes) -> Iterator[int]:
    for block in count():
        yield from _UNPACK(shake_256(b"%d/%s" % (block, key)).digest(_WORDS * 8))
