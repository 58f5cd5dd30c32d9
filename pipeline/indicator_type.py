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

(
    IP,
    DOMAIN,
    URL,
    MD5,
    SHA1,
    SHA256,
    JA3,
    JA4,
    HASSH,
    CREDENTIAL,
    USER_AGENT,
    CVE,
    PURL,
) = INDICATOR_TYPES
