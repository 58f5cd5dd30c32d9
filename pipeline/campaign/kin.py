"""Addresses of one network, where that is not common. No I/O here.

If an address were any of those that were seen, it would lie in the same network as another by the
share of them that do. So a network that many sources come from tells little.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

from pipeline.campaign.evidence import Evidence
from pipeline.indicator import Indicator
from pipeline.indicator_type import IP

_IPV6_SITE = 48


def network(address: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 address, each in canonical form."""
    if ":" not in address:
        return address.rpartition(".")[0]
    try:
        return f"{int(ip_address(address)) >> 128 - _IPV6_SITE:x}:"
    except ValueError:
        return address  # what is on `sightings` need not be what we sent


class Kin:
    """How many of the addresses that were seen lie in which network."""

    def __init__(self, evidence: Evidence) -> None:
        self._of = Counter(network(value) for (kind, value), _ in evidence.telling() if kind == IP)
        self._all = self._of.total()

    def chance(self, one: Indicator, other: Indicator) -> float | None:
        """How likely the one lies in the other's network by chance; None where it does not."""
        if one[0] != IP or other[0] != IP or (of := network(one[1])) != network(other[1]):
            return None
        return (self._of[of] - 1) / max(self._all - 1, 1)
