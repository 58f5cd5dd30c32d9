"""Whatever is done to an audit log, it is found; what nobody touched holds."""

from __future__ import annotations

import json
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.share import audit
from pipeline.share.audit import Checkpoint, Entry

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))

names = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="@:.%"),
    min_size=1,
    max_size=12,
)
facts = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.booleans()
    | names
    | st.lists(names, max_size=3).map(tuple),
    max_size=3,
)
deeds = st.lists(
    st.tuples(st.integers(0, 2**45), names, names, names, facts), min_size=1, max_size=8
)  # fmt: skip


Done = list[tuple[int, str, str, str, dict[str, audit.Fact]]]


def chain(done: Done) -> list[Entry]:
    entries: list[Entry] = []
    for time, actor, action, about, more in done:
        entries.append(
            audit.next_entry(entries[-1] if entries else None, time, actor, action, about, more)
        )
    return entries


def lines_of(entries: list[Entry]) -> list[bytes]:
    return [audit.encode(entry) + b"\n" for entry in entries]


def faults(lines: list[bytes], signed: Checkpoint | None = None) -> list[audit.Fault]:
    return audit.verify(lines, [signed] if signed else [], KEY.public_key())[1]


@given(deeds)
@settings(max_examples=40)
def test_a_log_that_nobody_touched_is_whole_and_says_what_was_done(done: Done) -> None:
    entries = chain(done)
    signed = audit.sign(entries[-1], 1, KEY)
    assert audit.verify(lines_of(entries), [signed], KEY.public_key()) == (len(done), [])
    for entry, (time, actor, action, about, more) in zip(entries, done, strict=True):
        assert (entry.time, entry.actor, entry.action, entry.about) == (time, actor, action, about)
        assert entry.facts == more


@given(deeds)
@settings(max_examples=40)
def test_hashes_are_what_anybody_would_compute_from_the_file(done: Done) -> None:
    previous = "0" * 64
    for line in lines_of(chain(done)):
        read = json.loads(line)
        stated = read.pop("hash")
        assert read["previous"] == previous
        plain = json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert sha256(plain.encode()).hexdigest() == stated
        previous = stated


@given(deeds, st.data())
@settings(max_examples=150)
def test_any_other_byte_is_found(done: Done, data: st.DataObject) -> None:
    log = b"".join(lines_of(chain(done)))
    at = data.draw(st.integers(0, len(log) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != log[at]))
    changed = log[:at] + bytes([other]) + log[at + 1 :]
    # Without a checkpoint, too: the chain itself shows it.
    assert faults(changed.splitlines(keepends=True)) or faults(changed.split(b"\n"))
    assert faults([line + b"\n" for line in changed.removesuffix(b"\n").split(b"\n")])


@given(deeds.filter(lambda done: len(done) > 1), st.data())
@settings(max_examples=40)
def test_a_removed_a_doubled_and_a_moved_entry_are_found(done: Done, data: st.DataObject) -> None:
    lines = lines_of(chain(done))
    signed = audit.sign(chain(done)[-1], 1, KEY)
    at = data.draw(st.integers(0, len(lines) - 1))
    assert faults(lines[:at] + lines[at + 1 :], signed)
    assert faults(lines[: at + 1] + lines[at:], signed)
    order = data.draw(st.permutations(range(len(lines))).filter(lambda o: o != sorted(o)))
    assert faults([lines[n] for n in order], signed)


@given(deeds, st.data())
@settings(max_examples=40)
def test_what_is_cut_off_behind_a_checkpoint_is_found(done: Done, data: st.DataObject) -> None:
    entries = chain(done)
    at = data.draw(st.integers(1, len(entries)))
    signed = audit.sign(entries[at - 1], 1, KEY)
    left = data.draw(st.integers(0, at - 1))
    assert faults(lines_of(entries[:left]), signed)
    assert not faults(lines_of(entries[:at]), signed)


@given(deeds, st.data())
@settings(max_examples=40)
def test_a_chain_made_anew_is_found_by_a_checkpoint_of_the_old(
    done: Done, data: st.DataObject
) -> None:
    entries = chain(done)
    at = data.draw(st.integers(1, len(entries)))
    changed = list(done)
    changed[at - 1] = (done[at - 1][0] + 1, *done[at - 1][1:])
    assert faults(lines_of(chain(changed)), audit.sign(entries[-1], 1, KEY))


@given(deeds, st.data())
@settings(max_examples=40)
def test_a_checkpoint_that_was_changed_or_signed_by_another_is_found(
    done: Done, data: st.DataObject
) -> None:
    entries = chain(done)
    assert faults(lines_of(entries), audit.sign(entries[-1], 1, OTHER))
    line = audit.encode(audit.sign(entries[-1], 1, KEY))
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    changed = audit.decode_checkpoint(line[:at] + bytes([other]) + line[at + 1 :])
    assert isinstance(changed, str) or faults(lines_of(entries), changed)
