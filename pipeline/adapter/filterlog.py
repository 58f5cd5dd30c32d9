"""pf's log: filterlog of pfSense and OPNsense, and what tcpdump prints of pflog on the BSDs."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter.syslog import Message
from pipeline.adapter.table import Problem

# Places (from 0) of protocol, source and destination; the ports follow the destination
# (https://docs.netgate.com/pfsense/en/latest/monitoring/logs/raw-filter-format.html).
_PLACES = {"4": (16, 18, 19), "6": (12, 15, 16)}

_END = r"((?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]+)(?:\.(\d{1,5}))?"
_PRINTED = re.compile(
    rf".*?rule (\S{{1,64}}?)(?:\(match\))?: (pass|block) (?:in|out) on \S{{1,32}}: "
    rf"(?:\([^()]{{0,256}}(?:\([^()]*\)[^()]*)*\) )?{_END} > {_END}:",
    re.ASCII | re.DOTALL,
).match


def fields(message: Message) -> dict[str, Any] | Problem | None:
    """None of another program's message; a problem of one that is cut short."""
    if message.program != "filterlog":
        return _printed(message.text)
    parts = message.text.strip().split(",")
    places = _PLACES.get(parts[8]) if len(parts) > 8 else None
    if places is None or len(parts) <= places[2]:
        return Problem("a filterlog message without an IP version and addresses")
    protocol, source, destination = places
    found: dict[str, Any] = {
        "program": "firewall",
        "rule": parts[3],
        "action": parts[6],
        "protocol": parts[protocol],
        "source": parts[source],
        "destination": parts[destination],
    }
    if parts[protocol].lower() in {"tcp", "udp"} and len(parts) > destination + 2:
        found |= {
            "source port": parts[destination + 1],
            "destination port": parts[destination + 2],
        }
    return found


def _printed(text: str) -> dict[str, Any] | None:
    """`rule 3/0(match): block in on em0: 203.0.113.5.4242 > 198.51.100.1.22: Flags [S]`"""
    match = _PRINTED(text) if " on " in text and " > " in text else None
    if match is None:
        return None
    rule, action, source, source_port, destination, destination_port = match.groups()
    ports = {"source port": source_port, "destination port": destination_port}
    return {
        "program": "firewall",
        "rule": rule,
        "action": action,
        "source": source,
        "destination": destination,
    } | {name: port for name, port in ports.items() if port}
