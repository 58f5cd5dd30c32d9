"""Whether an indicator is known to be benign, and by which lists. No I/O here.

Exact: an address by the prefixes of the networks that there are, a domain by its suffixes, a hash
as it stands. A look-up costs one look into a table for each length of prefix (some twenty of either
version) or each label, however many entries there are. What is listed is labelled, never dropped: a
scanner that means no harm is still who it is, and a list may be wrong.

A URL is not benign because its host is: well-known hosts serve what anybody has put there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from socket import AF_INET, AF_INET6, inet_pton
from typing import TypeVar

from pipeline.indicator_type import DOMAIN, IP, MD5, SHA1, SHA256
from pipeline.warninglist import Warninglist

_HASHES = frozenset((MD5, SHA1, SHA256))

_Key = TypeVar("_Key")

Numbers = tuple[int, ...]
"""Of lists, in the order of their names."""


class Benign:
    """An index over lists. `lowers`: whether being listed lowers an alert's severity."""

    __slots__ = ("_below", "_exact", "_names", "_networks", "lowers")

    def __init__(self, lists: Iterable[Warninglist] = (), *, lowers: bool = True) -> None:
        self.lowers = lowers
        ordered = sorted(lists, key=lambda one: one.name)
        self._names = tuple(one.name for one in ordered)
        self._networks: dict[int, dict[int, dict[int, Numbers]]] = {4: {}, 6: {}}
        """By version, by how many low bits are the hosts', by the bits above them."""
        self._below: dict[str, Numbers] = {}
        """By a domain, the lists that name it and all below it."""
        self._exact: dict[str, Numbers] = {}
        """By a domain or hash, the lists that name just it."""
        for number, one in enumerate(ordered):
            for entry in one.entries:
                if one.of == "networks":
                    network = ipaddress.ip_network(entry)
                    low = network.max_prefixlen - network.prefixlen
                    table = self._networks[network.version].setdefault(low, {})
                    _add(table, int(network.network_address) >> low, number)
                elif entry.startswith("."):
                    _add(self._below, entry[1:], number)
                else:
                    _add(self._exact, entry, number)

    def lists(self, kind: str, value: str) -> tuple[str, ...]:
        """The names of the lists that an indicator, in canonical form, is on; in their order."""
        if kind == IP:
            found = self._of_address(value)
        elif kind == DOMAIN:
            found = self._of_domain(value)
        elif kind in _HASHES:
            found = iter(self._exact.get(value, ()))
        else:
            return ()
        return tuple(self._names[number] for number in sorted(set(found)))

    def _of_address(self, value: str) -> Iterator[int]:
        version, family = (6, AF_INET6) if ":" in value else (4, AF_INET)
        try:
            bits = int.from_bytes(inet_pton(family, value), "big")
        except (OSError, ValueError):
            return  # what is on `sightings` has come a long way: it need not be what we sent
        for low, table in self._networks[version].items():
            yield from table.get(bits >> low, ())

    def _of_domain(self, value: str) -> Iterator[int]:
        yield from self._exact.get(value, ())
        below = self._below
        name = value
        while name:
            yield from below.get(name, ())
            _, _, name = name.partition(".")


def _add(table: dict[_Key, Numbers], key: _Key, number: int) -> None:
    known = table.get(key, ())
    if number not in known:
        table[key] = (*known, number)


NOTHING_LISTED = Benign()
