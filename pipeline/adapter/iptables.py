"""Netfilter's LOG target, as iptables, nftables and ufw write it to the kernel's log."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter.syslog import Message

_PAIR = re.compile(r"\b([A-Z]+)=(\S*)", re.ASCII).findall
_PREFIX = re.compile(r"(?:\[ *[\d.]+\] ?)?(.*?)\s*\b(?:IN|OUT|XX)=", re.ASCII).match


def fields(message: Message) -> dict[str, Any] | None:
    """None of a message that is no packet's."""
    if " SRC=" not in message.text or " DST=" not in message.text:
        return None
    pairs: dict[str, str] = {}
    # An ICMP error repeats, in brackets, the packet that it is about.
    for key, of in _PAIR(message.text.partition(" [SRC=")[0]):
        pairs.setdefault(key, of)
    names = {"SRC": "source", "SPT": "source port", "DST": "destination",
             "DPT": "destination port", "PROTO": "protocol"}  # fmt: skip
    found: dict[str, Any] = {name: pairs[key] for key, name in names.items() if pairs.get(key)}
    prefix = _PREFIX(message.text)
    rule = prefix[1].strip(" :[]") if prefix else ""
    if rule:
        found["rule"] = rule
        lower = rule.lower()
        if "drop" in lower or "block" in lower or "reject" in lower or "deny" in lower:
            found["action"] = "block"
        elif "accept" in lower or "allow" in lower:
            found["action"] = "allow"
    return found | {"program": "firewall"}
