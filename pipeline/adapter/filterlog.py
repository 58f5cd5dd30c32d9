"""pf's filterlog, as pfSense and OPNsense write it: comma-separated, by IP version."""

from __future__ import annotations

from typing import Any

from pipeline.adapter.syslog import Message
from pipeline.adapter.table import Problem

# Places (from 0) of protocol, source and destination; the ports follow the destination
# (https://docs.netgate.com/pfsense/en/latest/monitoring/logs/raw-filter-format.html).
_PLACES = {"4": (16, 18, 19), "6": (12, 15, 16)}


def fields(message: Message) -> dict[str, Any] | Problem | None:
    """None of another program's message; a problem of one that is cut short."""
    if message.program != "filterlog":
        return None
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
