"""What somebody means who names an indicator. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pipeline.indicator import (
    CREDENTIAL,
    CVE,
    DOMAIN,
    HASSH,
    IP,
    JA3,
    JA4,
    MD5,
    PURL,
    SHA1,
    SHA256,
    URL,
    USER_AGENT,
    Indicator,
    canonical_cve,
    canonical_domain,
    canonical_fingerprint,
    canonical_hash,
    canonical_ip,
    canonical_purl,
    canonical_text,
    canonical_url,
)
from pipeline.share.defang import fanged

CANONICAL: Final[dict[str, Callable[[str], str | None]]] = {
    IP: canonical_ip,
    URL: canonical_url,
    CVE: canonical_cve,
    PURL: canonical_purl,
    MD5: lambda text: canonical_hash(text, 32),
    SHA1: lambda text: canonical_hash(text, 40),
    SHA256: lambda text: canonical_hash(text, 64),
    DOMAIN: canonical_domain,
    JA3: canonical_fingerprint,
    JA4: canonical_fingerprint,
    HASSH: canonical_fingerprint,
    CREDENTIAL: canonical_text,
    USER_AGENT: canonical_text,
}
"""By indicator type, its canonical form."""
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
