"""The parts of `sightline ship`: files behind a path, the state, the buffer, the bundle."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pipeline.adapter.catalogue import BY_NAME
from pipeline.adapter.conversion import Rejected
from pipeline.adapter.format import Options
from pipeline.adapter.instant import utc
from pipeline.decode import MAX_MESSAGE_BYTES, decode
from pipeline.event import Event
from pipeline.shell.access.join import Bundle, read_bundle, write_bundle
from pipeline.shell.settings import Settings, WrongUseError
from pipeline.shell.ship.log_file import LONGEST, LogFile
from pipeline.shell.ship.pack import Pack, Reached, packs
from pipeline.shell.ship.reader import FileReader, Understanding
from pipeline.shell.ship.spool import Spool
from pipeline.shell.ship.state import State
from pipeline.shell.ship.tail import Tail

LONG = b"x" * 100 + b"\n"


def all_lines(tail: Tail) -> list[bytes]:
    """Whatever is there now, as a reader would take it."""
    found: list[bytes] = []
    while True:
        tail.look()
        before = len(found)
        for file in list(tail.files):
            if file in tail.files and (lines := file.lines()) is None:
                tail.cut(file)
                before = -1
            elif file in tail.files:
                found += lines or []
        if len(found) == before:
            return found


def follow(path: Path) -> Tail:
    return Tail(str(path), {}, 0, 0, follow=True)


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntw")
    file = LogFile(log)
    assert file.lines() == [b"one\n"]
    assert file.lines() == []
    with log.open("ab") as more:
        more.write(b"o\nthree\n")
    assert file.lines() == [b"two\n", b"three\n"]
    assert (file.offset, file.line) == (14, 3)


def test_a_line_without_end_is_given_out_once_and_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\n" + b"y" * (LONGEST + 3_000_000) + b"\nb\n")
    file = LogFile(log)
    found: list[bytes] = []
    while file.offset < log.stat().st_size:
        found += file.lines() or []
    assert [line[:1] for line in found] == [b"a", b"y", b"b"]
    assert LONGEST < len(found[1]) < LONGEST + 3_000_000
    assert file.line == 3


def test_a_renamed_file_is_read_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1" + LONG)
    tail = follow(log)
    assert all_lines(tail) == [b"1" + LONG]
    log.rename(tmp_path / "log.1")
    with (tmp_path / "log.1").open("ab") as late:
        late.write(b"2" + LONG)
    log.write_bytes(b"3" + LONG)
    assert all_lines(tail) == [b"2" + LONG, b"3" + LONG]


@pytest.mark.parametrize("read_before", [True, False])
def test_a_file_that_was_copied_and_cut_twice(tmp_path: Path, read_before: bool) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1" + LONG)
    tail = follow(log)
    if read_before:
        assert all_lines(tail) == [b"1" + LONG]
    with log.open("ab") as more:
        more.write(b"2" + LONG)
    shutil.copyfile(log, tmp_path / "log.2")
    log.write_bytes(b"3" + LONG)
    shutil.copyfile(log, tmp_path / "log.1")
    log.write_bytes(b"")
    log.write_bytes(b"4" + LONG)
    expected = [b"2" + LONG, b"3" + LONG, b"4" + LONG]
    assert all_lines(tail) == ([] if read_before else [b"1" + LONG]) + expected
    assert tail.given_up == 0


def test_what_was_rotated_meanwhile_is_found_also_compressed(tmp_path: Path) -> None:
    log = tmp_path / "eve.json"
    log.write_bytes(b"1" + LONG)
    tail = follow(log)
    assert all_lines(tail) == [b"1" + LONG]
    (place,) = [file.place for file in tail.files]
    tail.close()
    older = tmp_path / "eve.json.2.gz"
    older.write_bytes(gzip.compress(log.read_bytes() + b"2" + LONG))
    log.unlink()
    (tmp_path / "eve.json.1").write_bytes(b"3" + LONG)
    (tmp_path / "eve.json.bak2").mkdir()
    (tmp_path / "other.json.1").write_bytes(b"9" + LONG)
    log.write_bytes(b"4" + LONG)
    again = Tail(str(log), {3: place}, 0, 4, follow=True)
    assert all_lines(again) == [b"2" + LONG, b"3" + LONG, b"4" + LONG]
    assert [file.number for file in again.files] == [3, 4, 5]
    assert again.given_up == 0


@pytest.mark.parametrize(
    ("spoil", "read", "why"),
    [
        (lambda whole: whole[:-8], 50, "it ends before it is whole"),
        (lambda whole: whole[:700], 20, "it ends before it is whole"),
        (lambda whole: whole[:5], 0, "it ends before it is whole"),
        (lambda whole: whole[:-8] + b"\0" * 8, 50, "it is damaged"),
        (lambda whole: whole + b"what comes behind", 50, "it is damaged"),
        (lambda whole: whole[:700] + b"\xff" * 90 + whole[790:], 0, "it is damaged"),
        (lambda whole: whole, 50, ""),
    ],
)
def test_what_can_be_read_of_a_broken_archive_is_given_out_and_the_rest_is_told(
    tmp_path: Path, spoil: Callable[[bytes], bytes], read: int, why: str
) -> None:
    random = Random(1)
    lines = [b"%d\n" % random.getrandbits(200) for _ in range(50)]
    log = tmp_path / "eve.json.gz"
    whole = gzip.compress(b"".join(lines))
    log.write_bytes(spoil(whole))
    tail = Tail(str(log), {}, 0, 0, follow=False)
    (file,) = tail.files
    found = list(file.lines() or [])
    assert found == lines[: len(found)]
    assert len(found) >= read
    assert file.lines() == []
    tail.finish(file)
    assert tail.broken == ([why] if why else [])


def test_an_archive_that_is_still_being_written_has_more_later(tmp_path: Path) -> None:
    whole = gzip.compress(b"1" + LONG) + gzip.compress(b"2" + LONG)
    log = tmp_path / "log.gz"
    log.write_bytes(whole[:20])
    file = LogFile(log)
    found = list(file.lines() or [])
    for size in range(21, len(whole) + 1):
        log.write_bytes(whole[:size])
        found += file.lines() or []
    assert found == [b"1" + LONG, b"2" + LONG]
    assert file.broken == ""


def test_a_file_that_is_gone_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1" + LONG)
    (place,) = [file.place for file in follow(log).files]
    log.unlink()
    log.write_bytes(b"2" + LONG)
    tail = Tail(str(log), {0: place}, 0, 1, follow=True)
    assert (tail.given_up, tail.gone) == (1, [0])
    assert all_lines(tail) == [b"2" + LONG]


def test_a_header_holds_after_a_restart_in_mid_file(tmp_path: Path) -> None:
    log = tmp_path / "conn.log"
    header = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.resp_h\n"
    log.write_bytes(header + b"1700000000.1\tC1\t198.0.0.1\t9.9.9.9\n")
    rejected: list[Rejected] = []
    how = Understanding(BY_NAME["zeek"], "s-1", utc, None, Options())

    def read(tail: Tail) -> list[Pack]:
        reader = FileReader(tail, how, lambda _, one: rejected.append(one))
        return list(reader.next() or ())

    tail = follow(log)
    (first,) = read(tail)
    assert first.reached is not None
    with log.open("ab") as more:
        more.write(b"1700000001.1\tC2\t198.0.0.2\t9.9.9.9\n")
    (second,) = read(Tail(str(log), {0: first.reached.place}, 0, 1, follow=True))
    assert (first.events, second.events, rejected) == (1, 1, [])
    assert b'"198.0.0.2"' in second.payload


def test_packs_are_messages_as_the_intake_takes_them() -> None:
    event = b'{"time": 1, "metadata": {"uid": "u"}, "device": {"uid": "s"}, "message": "%s"}'
    reached = Reached("log", 0, LogFile(Path(__file__)).place)
    found = list(packs([event % (b"x" * 3_000)] * 1_800, reached))
    assert [pack.reached for pack in found] == [None] * (len(found) - 1) + [reached]
    assert sum(pack.events for pack in found) == 1_800
    for pack in found:
        assert len(pack.payload) < min(1_000_000, MAX_MESSAGE_BYTES)
        assert all(isinstance(one, Event) for one in decode(pack.payload))


def test_the_buffer_keeps_order_and_survives_a_torn_end(tmp_path: Path) -> None:
    place = LogFile(Path(__file__)).place
    some = [Pack(b"%d" % n, 1, Reached("log", 0, place)) for n in range(5)]
    spool = Spool(tmp_path / "spool", 1 << 20)
    for pack in some[:3]:
        spool.put(pack)
    (segment,) = (tmp_path / "spool").iterdir()
    segment.write_bytes(segment.read_bytes() + b"\x40\0\0\0torn")
    again = Spool(tmp_path / "spool", 1 << 20)
    assert list(again.all()) == some[:3]
    for pack in some[3:]:
        again.put(pack)
    taken = []
    while (one := again.take()) is not None:
        taken.append(one[0])
        if one[1] is not None:
            again.drop(one[1])
    assert taken == some
    assert (again.size, again.empty, list((tmp_path / "spool").iterdir())) == (0, True, [])
    assert not Spool(tmp_path / "spool", 100).takes(Pack(b"x" * 101, 1, None))


def test_a_state_is_one_process_s_and_one_sensor_s(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    place = LogFile(Path(__file__)).place
    with State(path, "s-1") as state:
        state.load()
        state.acknowledged(Reached("log", 0, place))
        state.acknowledged(Reached("log", 0, place, done=True))
        state.acknowledged(Reached("log", 1, place))
        state.save(now=True)
        with pytest.raises(WrongUseError, match="another `sightline ship` has it"):
            State(path, "s-1").__enter__()
    with State(path, "s-1") as state:
        assert state.load().files == {"log": {1: place}}
    with State(path, "s-2") as state, pytest.raises(WrongUseError, match="it is of sensor 's-1'"):
        state.load()


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    settings = Settings(
        broker="kafka:9094", security_protocol="SASL_SSL", sasl_username="sensor/cz-1",
        sasl_password_file=str(tmp_path / "password"),
    )  # fmt: skip
    path = write_bundle(tmp_path, settings, "cz-1", "events.cz.cz-nren")
    bundle, warning = read_bundle(path)
    wanted = ("cz-1", "events.cz.cz-nren", "kafka:9094", "SASL_SSL", "sensor/cz-1", "secret")
    assert bundle == Bundle(*wanted)
    assert warning == ""
    path.chmod(0o644)
    assert "others can read" in read_bundle(path)[1]
    path.write_text('password = "secret"\nbroker = 1\n')
    with pytest.raises(WrongUseError) as raised:
        read_bundle(path)
    assert "secret" not in str(raised.value)
