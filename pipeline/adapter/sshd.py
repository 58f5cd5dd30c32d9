"""OpenSSH's server: who tried to log in, and who only knocked. Passwords are in none of it."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter.syslog import Message

_PROGRAMS = ("sshd", "sshd-session", "sshd-auth", "dropbear")
_IP = r"(?P<ip>(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+(?:\.\d{1,3}){0,3}(?:%\w+)?)"
_PORT = r"(?: port (?P<port>\d{1,5}))?"
# The first that matches. A user's name is the attacker's to choose, and may itself look like one of
# these: the last address in the line is sshd's own.
_SHAPES = tuple(
    (re.compile(pattern, re.DOTALL | re.ASCII).match, outcome)
    for pattern, outcome in (
        (rf"Accepted \S+ for (?P<user>.*) from {_IP}{_PORT}(?: ssh2.*)?$", "success"),
        (rf"(?:Failed|Postponed) \S+ for (?:invalid user |illegal user )?(?P<user>.*) from {_IP}{_PORT}(?: ssh2.*)?(?: \[preauth\])?$", "failure"),
        (rf"(?:Invalid|Illegal) user (?P<user>.*) from {_IP}{_PORT}\s*$", "failure"),
        (rf"User (?P<user>.*) from {_IP} not allowed because .*$", "failure"),
        (rf".*maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.*) from {_IP}{_PORT}(?: ssh2)?(?: \[preauth\])?$", "failure"),
        (rf"(?:Connection (?:closed|reset)|Disconnected|Disconnecting) (?:by|from) (?:\w+ )?user (?P<user>.*) {_IP}{_PORT}(?::.*)?(?: \[preauth\])?\s*$", "failure"),
        (rf"(?:pam_unix|PAM).*authentication failure.*\brhost={_IP}(?: +user=(?P<user>\S*))?\s*$", "failure"),
    )
)  # fmt: skip
# What names an address after one of these words, whatever else it says.
_ANY = re.compile(
    rf"(?:\b(?:from|FROM)|\bby|\bwith|\bfor|\bhost|\bAddress|rhost=|user \S{{0,64}}) ?<?{_IP}(?: port (?P<port>\d{{1,5}})|[:\s]|$)",
    re.ASCII,
).finditer
_REPEATED = re.compile(r"message repeated \d+ times: \[ ?(.*)\]$", re.DOTALL | re.ASCII).match
_REVERSE = re.compile(rf"reverse mapping checking getaddrinfo for \S* \[{_IP}\]", re.ASCII).match
_DROPPED = re.compile(rf"drop connection #\d+ from \[{_IP}\]:(?P<port>\d{{1,5}})", re.ASCII).match
_PENALTY = re.compile(rf"srclimit_penalise: \S+ (?:new|active) {_IP}/", re.ASCII).match
_REFUSED = re.compile(rf"refused connect from \S* ?\({_IP}\)", re.ASCII).match


def fields(message: Message) -> dict[str, Any] | None:
    """None of another program's message, or one that names no address."""
    if message.program not in _PROGRAMS:
        return None
    text = message.text.strip()
    repeated = _REPEATED(text)
    if repeated:
        text = repeated[1].strip()
    found: dict[str, Any] = {"program": "sshd", "service": "ssh"}
    for match, outcome in _SHAPES:
        if shape := match(text):
            found |= {"source": _plain(shape["ip"]), "user": shape["user"], "outcome": outcome}
            if shape.groupdict().get("port"):
                found["source port"] = shape["port"]
            if found["user"] is None:
                del found["user"]
            return found
    if dropped := _DROPPED(text):
        return found | {"source": _plain(dropped["ip"]), "source port": dropped["port"]}
    refused = _REFUSED(text) or _REVERSE(text) or _PENALTY(text)
    if refused:
        return found | {"source": _plain(refused["ip"])}
    *_, last = (None, *_ANY(text))
    if last is None:
        return None
    found["source"] = _plain(last["ip"])
    if last["port"]:
        found["source port"] = last["port"]
    return found


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:") if "." in address else address
