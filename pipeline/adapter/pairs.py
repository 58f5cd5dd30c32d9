"""`key=value` lists as devices write them. No two agree; each is cut as its format says."""

from __future__ import annotations

import re

_QUOTED = re.compile(r'([\w.-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', re.ASCII | re.DOTALL).finditer
_CEF_KEY = re.compile(r"(?:^|\s)([\w.\[\]-]+)=", re.ASCII).finditer
_CEF_ESCAPE = re.compile(r"\\([\\=nr|])")
_CEF_MEANING = {"n": "\n", "r": "\r"}


def quoted(text: str) -> dict[str, str]:
    """`a=b c="d e"`: values with blanks stand in quotation marks (FortiGate)."""
    return {
        found[1]: found[3] if found[2] is None else found[2].replace('\\"', '"')
        for found in _QUOTED(text)
    }


def cef(text: str) -> dict[str, str]:
    """`a=b c d=e`: a value goes on to the next key; `=` in a value is escaped (CEF)."""
    keys = list(_CEF_KEY(text))
    ends = [found.start() for found in keys[1:]] + [len(text)]
    return {
        found[1]: unescaped(text[found.end() : end].strip())
        for found, end in zip(keys, ends, strict=False)
    }


def unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _CEF_ESCAPE.sub(lambda found: _CEF_MEANING.get(found[1], found[1]), text)


def separated(text: str, separator: str) -> dict[str, str]:
    """`a=b<separator>c=d` (LEEF)."""
    pairs = (part.partition("=") for part in text.split(separator))
    return {key.strip(): of.strip() for key, equals, of in pairs if equals}
