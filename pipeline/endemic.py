"""What is everywhere always: the credential root/123456, a scanner that never rests. No I/O here.

Its episode does not end, and tells nobody anything any more. It is endemic when, at its last
window,

    it has lasted for a whole base before that window (`pipeline.surprise.base_slices`),
    half of all groups (countries, or organisations) saw it there,
    and that window holds no more than `CHANGE` times what the base holds in the same time.

So a flood of what is endemic is no standing matter, and is raised again. All of it are whole
numbers that can be read off the joinable window, and are remembered until the episode is closed.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pipeline.slices import SLICES

CHANGE: Final = 4
"""Days have their rhythm; a change is more than that."""


class Standing(Struct, frozen=True):
    """`before`: sightings in the `base` slices before the last window, by `spread` of all `groups`;
    `now`: sightings in that window.
    """

    groups: int
    base: int
    before: int
    spread: int
    now: int

    @property
    def endemic(self) -> bool:
        return (
            2 * self.spread >= self.groups and self.now * self.base <= CHANGE * self.before * SLICES
        )
