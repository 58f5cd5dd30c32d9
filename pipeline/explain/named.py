"""What somebody means who names an indicator. No I/O here."""

from __future__ import annotations

import re
from typing import Final

from pipeline.canonical import CANONICAL, canonical_ip
from pipeline.indicator import Indicator
from pipeline.indicator_type import (
    CVE,
    DOMAIN,
    IP,
    PURL,
    URL,
)
from pipeline.share.defang import fanged

_ADDRESS: Final = re.compile(
    r"\d+\.\d+\.\d+\.\d+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"
).fullmatch
"""What looks like an address is one, or nothing."""
_TELLING: Final = (IP, URL, CVE, PURL)
"""Types that a value is of, and of no other, if it has a form of theirs."""


def named(text: str) -> list[Indicator]:
    """What a text may name, in canonical form: `type:value`, or a value alone; defanged or not.

    None if it is nothing that can be an indicator.
    """
    kind, colon, rest = text.strip().partition(":")
    if colon and kind in CANONICAL:
        value = CANONICAL[kind](rest.strip()) or CANONICAL[kind](fanged(rest))
        return [(kind, value)] if value else []
    plain = fanged(text)
    if _ADDRESS(plain):
        value = canonical_ip(plain)
        return [(IP, value)] if value else []
    found = [
        (of, value)
        for of, canonical in CANONICAL.items()
        if (value := canonical(plain if of in (URL, DOMAIN) else text.strip()))
    ]
    telling = [one for one in found if one[0] in _TELLING]
    return telling[:1] or found
