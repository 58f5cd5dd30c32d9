"""What is found on the lists is what looking at every entry finds."""

from __future__ import annotations

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.benign import Benign
from pipeline.warninglist import Warninglist, cut, decode, encode

# Near each other, so that they meet: of each address only a few low and high bits differ.
addresses = st.builds(
    lambda high, low: str(ipaddress.IPv4Address(high << 24 | low)),
    st.integers(8, 10),
    st.integers(0, 40) | st.integers(0, 40).map(lambda n: n << 16),
) | st.integers(0, 40).map(lambda n: str(ipaddress.IPv6Address((0x2606_4700 << 96) + n)))
networks = st.builds(
    lambda address, narrower: str(
        ipaddress.ip_network(f"{address}/{_longest(address) - narrower}", strict=False)
    ),
    addresses,
    st.integers(0, 24),
)
names = st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=4).map(".".join)
domains = st.builds("{}{}".format, st.sampled_from(["", "."]), names)
lists = st.lists(
    st.one_of(
        st.tuples(st.just("networks"), st.lists(networks, max_size=6, unique=True)),
        st.tuples(st.just("domains"), st.lists(domains, max_size=6, unique=True)),
    ),
    max_size=4,
).map(
    lambda drawn: [
        Warninglist(f"list-{n}", f"List {n % 3}", 1, of, tuple(sorted(entries)))  # type: ignore[arg-type]
        for n, (of, entries) in enumerate(drawn)
    ]
)


def _longest(address: str) -> int:
    return ipaddress.ip_address(address).max_prefixlen


def covers(entry: str, kind: str, value: str) -> bool:
    if kind == "ip":
        network, address = ipaddress.ip_network(entry), ipaddress.ip_address(value)
        return address.version == network.version and address in network
    return value == entry or (
        entry.startswith(".") and (value == entry[1:] or value.endswith(entry))
    )


@settings(max_examples=500, deadline=None)
@given(lists, st.tuples(st.just("ip"), addresses) | st.tuples(st.just("domain"), names))
def test_the_index_is_every_entry_looked_at(
    given: list[Warninglist], indicator: tuple[str, str]
) -> None:
    kind, value = indicator
    of = "networks" if kind == "ip" else "domains"
    expected = {
        one.name
        for one in given
        if one.of == of and any(covers(entry, kind, value) for entry in one.entries)
    }
    found = Benign(given).lists(kind, value)
    assert set(found) == expected
    assert list(found) == sorted(found)


@settings(max_examples=200, deadline=None)
@given(lists)
def test_a_cut_comes_back(given: list[Warninglist]) -> None:
    assert decode(encode(given)) == tuple(given)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=40)), max_size=3))
def test_any_bytes_are_read_or_told(raw: list[tuple[str, bytes]]) -> None:
    made = cut(raw)
    assert len(made.lists) + len(made.problems) >= len(raw)
    decode(b"\n".join(line for _, line in raw))
