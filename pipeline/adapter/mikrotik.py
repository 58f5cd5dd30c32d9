"""MikroTik RouterOS: its firewall's packets, and failed logins."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter.syslog import Message

_END = r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|[0-9A-Fa-f:]+::?[0-9A-Fa-f:]*))(?::(\d{1,5}))?"
_RULE = re.compile(r"([^:]{0,128}):? ?in:", re.ASCII).match
_PROTOCOL = re.compile(r"\bproto (\w+)", re.ASCII).search
_PACKET = re.compile(rf", {_END}->{_END}", re.ASCII).search
_LOGIN = re.compile(
    r".*login failure for user (.*) from ([0-9A-Fa-f:.]+) via (\S+)", re.ASCII
).match


def fields(message: Message) -> dict[str, Any] | None:
    """None of a message that is neither."""
    text = message.text if not message.program else f"{message.program}: {message.text}"
    protocol = _PROTOCOL(text) if "->" in text else None
    packet = _PACKET(text, protocol.end()) if protocol else None
    if protocol and packet:
        rule = _RULE(text)
        found = {
            "program": "firewall",
            "protocol": protocol[1],
            "source": packet[1] or packet[2],
            "destination": packet[4] or packet[5],
        }
        if rule:
            found["rule"] = rule[1].strip()
        if packet[3] and packet[6]:
            found |= {"source port": packet[3], "destination port": packet[6]}
        return found
    failed = _LOGIN(text)
    if failed:
        return {"program": "sshd", "user": failed[1], "source": failed[2],
                "service": failed[3], "outcome": "failure"}  # fmt: skip
    return None
