"""The company that indicators keep: a bounded sample of what else the same events named. No I/O.

Of each sighting the companions with the lowest hashes are kept. The lowest of a union are among the
lowest of its parts, so such samples can be joined in any order and as often as they come; and a
hash of its own kind lets nobody choose companions that displace the others.

What command line came with it is a companion, too: by its signature (`pipeline.command`), and as no
indicator, for no rule asks for it, and it is of no campaign. Of these the sample holds a few beside
what else there is, so that neither crowds out the other. The lowest signatures are kept: those of
near-equal commands begin alike, so that of two such sessions the same are.

An event names few indicators, and most indicators are met once before they are packed: what was met
is what the event named, as it stands, until there is more.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from pipeline.command import signature_of
from pipeline.indicator import Indicator
from pipeline.sight import Companions

SAMPLE = 8
"""Companions of one sighting that are kept."""
_ROOM = 4 * SAMPLE
COMMAND: Final = "command"
"""What a command's signature is called among companions. In their order no indicator type comes
before it.
"""
COMMANDS = 4
"""Of a sample, those that may be commands."""

Met = Companions | set[Indicator]
"""Whom an indicator was met with: those of one event, or those of several."""


@lru_cache(1 << 16)
def _hash(companion: Indicator) -> bytes:
    return blake2b("\0".join(companion).encode(), digest_size=8, person=b"company").digest()


def lowest(companions: Iterable[Indicator]) -> Companions:
    """The sample of these, in order: of many, the lowest commands and, of the others, those with
    the lowest hashes. Samples can be joined by this, too.
    """
    kept = tuple(sorted(set(companions)))
    if len(kept) <= COMMANDS:
        return kept
    commands: Companions = ()
    if kept[0][0] == COMMAND:
        commands = tuple(each for each in kept if each[0] == COMMAND)
        kept = kept[len(commands) :]
        commands = commands[:COMMANDS]
    room = SAMPLE - len(commands)
    if len(kept) > room:
        kept = tuple(sorted(sorted(kept, key=lambda each: (_hash(each), each))[:room]))
    return commands + kept


def with_command(found: Iterable[Indicator], command: str) -> Companions:
    """What one event names, and the command line that it holds."""
    signature = signature_of(command)
    return (*found,) if signature is None else (*found, (COMMAND, signature))


def meet(known: Met, others: Companions) -> Met:
    """Whom an indicator was met with, when one more event named it."""
    if known == others:
        return known
    if not isinstance(known, set):
        known = set(known)
    known.update(others)
    return known if len(known) <= _ROOM else set(lowest(known))


def sample(met: Met) -> Companions:
    """Of those that an indicator was met with, in no order that means anything."""
    return met if isinstance(met, tuple) and len(met) <= SAMPLE else lowest(met)
