"""`sightline convert`: what it says of files, and what it does not say."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from pipeline.adapter.format import Options
from pipeline.shell import cli, converting
from pipeline.shell.converting import clock_of, options_of, zone_of
from pipeline.shell.settings import WrongUseError
from tests.golden.cases import FOLDER

SSHD = FOLDER / "syslog.sshd.log"


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, bytes, str]:
    command = ["sightline", "convert", "--sensor", "s-1", *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", command)
        patch.setattr(cli, "exit_with_parent", lambda: None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    out, said = capfdbinary.readouterr()
    return int(ended.value.code or 0), out, said.decode()


def test_events_come_out_and_are_counted(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    status, out, said = run(capfdbinary, str(SSHD), "--reference", "2025-01-01")
    events = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert len(events) == 24
    assert {event["device"]["uid"] for event in events} == {"s-1"}
    assert said == "24 records: 24 events, 0 rejected, 0 headers and comments\n"


def test_a_compressed_file_is_the_same(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    packed = tmp_path / "sshd.gz"
    packed.write_bytes(gzip.compress(SSHD.read_bytes()))
    plain = run(capfdbinary, str(SSHD), "--reference", "2025-01-01")
    assert run(capfdbinary, str(packed), "--reference", "2025-01-01") == plain


def test_a_compressed_file_that_is_broken_is_told(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    packed = tmp_path / "sshd.gz"
    whole = gzip.compress(SSHD.read_bytes() * 50)
    packed.write_bytes(whole[:40] + b"\xff" * 40 + whole[80:])
    status, _, said = run(capfdbinary, str(packed), "--format", "syslog")
    assert status == 2
    assert said.startswith(f"sightline: {packed}: ")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 64, 1000])
def test_lines_do_not_hang_on_how_a_file_is_read(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a line that is too long, so much is kept that it is seen to be."""
    monkeypatch.setattr(converting, "_BLOCK", at_once)
    monkeypatch.setattr(converting, "_LONGEST", 20)
    text = b"\na\n\nbcd\r\n" + b"x" * 20 + b"\n" + b"y" * 50 + b"\nlast\n" + b"z" * 45 + b"\nend"
    blocks = [block for block in converting._read("-", io.BytesIO(text)) if block]
    lines = [line for block in blocks for line in block]
    assert [line[:20] for line in lines] == [
        *(b"\n", b"a\n", b"\n", b"bcd\r\n", b"x" * 20, b"y" * 20, b"last\n", b"z" * 20, b"end")
    ]


def test_what_is_rejected_is_told_by_line(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    log = tmp_path / "eve.json"
    good = (FOLDER / "suricata.more.log").read_bytes().splitlines()[0]
    log.write_bytes(good + b"\n{broken\n" + good.replace(b"45.148.10.240", b"45.148") + b"\n")
    rejects = tmp_path / "rejects.jsonl"
    status, out, said = run(
        capfdbinary, str(log), "--format", "suricata", "--rejects", str(rejects)
    )
    assert (status, len(out.splitlines())) == (0, 1)
    assert "3 records: 1 events, 2 rejected" in said
    rows = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    assert [(row["line"], row["reason"]) for row in rows] == [(2, "not-json"), (3, "schema")]
    assert rows[1]["detail"] == "src_ip: not an address: '45.148'"
    _, out, _ = run(capfdbinary, str(log), "--format", "eve", "--only-failed")
    assert [line.split(b": ")[0] for line in out.splitlines()] == [f"{log}:{n}".encode() for n in (2, 3)]  # fmt: skip


def test_a_line_is_explained_by_its_number_and_by_itself(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    _, by_number, _ = run(capfdbinary, str(SSHD), "--explain", "1")
    line = SSHD.read_text().splitlines()[0]
    _, by_itself, _ = run(capfdbinary, "--explain", line)
    assert by_number == by_itself
    assert b"source = '35.188.49.176' -> src_endpoint.ip = '35.188.49.176'" in by_number


def test_a_line_within_a_printed_record_explains_the_record(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    _, out, _ = run(capfdbinary, str(FOLDER / "suricata.printed.log"), "--explain", "5")
    assert b"src_ip = '8.42.77.171'" in out


def test_no_line_is_explained_that_is_not_there(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary, str(SSHD), "--explain", "99")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "suricat", str(SSHD)], "did you mean 'suricata'?"),
        (["--timezone", "Prague", str(SSHD)], "is none of UTC"),
        (["--reference", "soon", str(SSHD)], "is no time"),
        (["no-such-file"], "No such file"),
        ([str(FOLDER / "SOURCES.md")], "cannot be told"),
    ],
)
def test_wrong_use_is_one_line(
    capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str], says: str
) -> None:
    status, _, said = run(capfdbinary, *arguments)
    assert status == 2
    assert says in said
    assert len(said.splitlines()) == 1


def test_an_empty_file_has_no_events(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    assert run(capfdbinary, str(tmp_path / "empty"))[:2] == (0, b"")


def test_columns_are_named_by_a_mapping(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('time = "When"\nsrc_ip = "Böse"\n')
    assert options_of(mapping) == Options({"time": "When", "src_ip": "Böse"})
    log = tmp_path / "x.csv"
    log.write_text("Böse,time,When\n8.8.8.8,1,2024-05-02 12:00:00\n")
    arguments = ("--format", "csv", "--mapping", str(mapping), "--timezone", "+02:00")
    _, out, _ = run(capfdbinary, str(log), *arguments)
    event = json.loads(out)
    assert (event["time"], event["src_endpoint"]) == (1_714_644_000_000, {"ip": "8.8.8.8"})


@pytest.mark.parametrize("text", ['sorce = "x"', "time = 1", 'src_ip = "a"', "time ="])
def test_a_wrong_mapping_is_told(tmp_path: Path, text: str) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(text)
    with pytest.raises(WrongUseError, match=str(mapping)):
        options_of(mapping)


def test_a_reference_is_a_day_or_a_time() -> None:
    assert clock_of("UTC", "2025-01-01").reference_ms == 1_735_689_600_000
    assert clock_of("UTC", "2025-01-01T00:00:01Z").reference_ms == 1_735_689_601_000
    assert zone_of("Africa/Nairobi")(10_800_000) == 0


def test_lines_without_a_time_are_dated_by_the_reference_and_counted(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    log = tmp_path / "cef.log"
    log.write_text("CEF:0|V|P|1|1|n|5|src=45.148.10.240\n" * 2)
    _, out, said = run(capfdbinary, str(log), "--reference", "2025-01-01")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["time"] for event in events] == [1_735_689_600_000] * 2
    assert [event["unmapped"]["undated"] for event in events] == [True, True]
    assert said.endswith(", 2 without a time of their own\n")


def test_a_collectors_file_holds_many_formats(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    log = str(FOLDER / "syslog.collector.log")
    products = set()
    for arguments in ((log,), (log, "--format", "syslog")):
        _, out, said = run(capfdbinary, *arguments, "--reference", "2025-06-01")
        products = {json.loads(line)["metadata"]["product"]["name"] for line in out.splitlines()}
        assert " 0 rejected" in said
    assert products == {"syslog", "CEF", "LEEF", "FortiGate", "PAN-OS"}


def test_a_file_of_syslog_is_one_though_no_line_says_anything(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    log = tmp_path / "messages"
    log.write_text("Jan  5 10:00:00 host CRON[1]: session opened\n" * 3)
    assert run(capfdbinary, str(log))[2].startswith("3 records: 3 events, 0 rejected")
