"""Indicators so that nobody can follow them by a slip of the hand. No I/O here.

For people to look at: what is copied or sent on is the indicator itself.
"""

from __future__ import annotations

from pipeline.indicator import DOMAIN, IP, URL


def defanged(kind: str, value: str) -> str:
    """`198[.]51[.]100[.]7`, `2001[:]db8[:][:]1`, `hxxps[://]a[.]example/x`; hashes stay."""
    if kind == IP:
        return value.replace(".", "[.]").replace(":", "[:]")
    if kind == DOMAIN:
        return value.replace(".", "[.]")
    if kind == URL:
        scheme, mark, rest = value.partition("://")
        host, slash, path = rest.partition("/")
        if not mark:
            return value.replace(".", "[.]")
        return f"{scheme.replace('t', 'x')}[://]{host.replace('.', '[.]')}{slash}{path}"
    return value


def refanged(text: str) -> str:
    """What somebody pasted, as it was before it was defanged."""
    for shown, meant in (("[.]", "."), ("(.)", "."), ("[:]", ":"), ("[://]", "://")):
        text = text.replace(shown, meant)
    scheme, mark, rest = text.partition("://")
    return f"{scheme.lower().replace('x', 't')}{mark}{rest}" if mark else text
