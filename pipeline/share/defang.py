"""Indicators as they may be shown: nothing that a reader, a mail program or a terminal would follow
as a link. And back. No I/O here.

`hxxps://evil[.]example/a`, `198[.]51[.]100[.]7`, `2001[:]db8[:][:]1`: as is usual among those who
exchange such things.
"""

from __future__ import annotations

import re

from pipeline.indicator_type import DOMAIN, IP, URL

_SCHEME = re.compile(r"^(?:hxxp|fxp)(?=s?\b)", re.IGNORECASE)
_FANGS = (("[.]", "."), ("(.)", "."), ("[dot]", "."), ("[:]", ":"), ("[://]", "://"), ("[@]", "@"))


def defanged(kind: str, value: str) -> str:
    """An indicator's value, of an address, a domain or a URL so that nothing follows it."""
    if kind in (IP, DOMAIN):
        return value.replace(".", "[.]").replace(":", "[:]")
    if kind == URL:
        scheme, between, rest = value.partition("://")
        authority, slash, path = rest.partition("/")
        safe = scheme.replace("http", "hxxp").replace("ftp", "fxp")
        return f"{safe}{between}{authority.replace('.', '[.]')}{slash}{path}"
    return value


def fanged(text: str) -> str:
    """What somebody pasted, as it was before it was defanged."""
    text = text.strip()
    for safe, plain in _FANGS:
        text = text.replace(safe, plain)
    return _SCHEME.sub(lambda found: "http" if found[0][0] in "hH" else "ftp", text)
