"""What belongs together, by pairs: union-find. No I/O here.

Of those that belong together the least stands for all, in whatever order the pairs came.
"""

from __future__ import annotations

from typing import Generic, TypeVar

One = TypeVar("One", str, tuple[str, str])


class Union(Generic[One]):
    """Each alone, until it is joined."""

    def __init__(self) -> None:
        self._up: dict[One, One] = {}

    def head(self, one: One) -> One:
        """The one that stands for it and all that belong with it."""
        up = self._up
        while (above := up.setdefault(one, one)) != one:
            up[one] = up[above]
            one = up[one]
        return one

    def join(self, one: One, other: One) -> None:
        """These two belong together."""
        first, second = sorted((self.head(one), self.head(other)))
        self._up[second] = first
