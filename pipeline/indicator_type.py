"""The kinds of indicator there are, in the order in which they are listed everywhere."""

from typing import Final

INDICATOR_TYPES: Final[tuple[str, ...]] = (
    "ip",
    "domain",
    "url",
    "md5",
    "sha1",
    "sha256",
    "ja3",
    "ja4",
    "hassh",
    "credential",
    "user_agent",
    "cve",
    "purl",
)
