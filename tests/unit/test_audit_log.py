"""The audit log on disk: one writer at a time, nothing half written, nothing cut off unseen."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.share import audit
from pipeline.shell import audit_log
from pipeline.shell.audit_log import CHECKPOINT_EVERY, AuditLog, checkpoints_path, verify
from pipeline.shell.settings import FailedError, WrongUseError
from tests.unit.inside import sightline


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.jsonl"


def filled(path: Path, entries: int = 3) -> AuditLog:
    log = AuditLog(path, lambda: 1_700_000_000_000)
    for number in range(entries):
        log.append("anna", "told", f"campaign-{number}", recipient="cz-nren", revision=number)
    return log


def test_several_logs_of_one_path_make_one_chain(path: Path) -> None:
    first, second = filled(path), AuditLog(path)
    second.append("serve", "read", "campaign-1")
    first.append("anna", "told", "campaign-9")
    assert verify(path) == (5, [])


def test_threads_and_processes_at_once_make_one_chain(path: Path) -> None:
    log = filled(path)
    code = (
        "import sys; from pathlib import Path; from pipeline.shell.audit_log import AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]))\n"
        "for n in range(20): log.append('other', 'told', f'campaign-{n}')"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: log.append("thread", "told", f"campaign-{n}"), range(40)))
    assert [other.wait(60) for other in others] == [0, 0]
    assert verify(path) == (83, [])


def test_only_its_owner_reads_it(path: Path) -> None:
    filled(path, CHECKPOINT_EVERY)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_checkpoint_comes_by_itself_and_when_asked(path: Path) -> None:
    log = filled(path, CHECKPOINT_EVERY + 1)
    signed = log.checkpoint()
    assert signed is not None
    assert [one.sequence for one in audit_log.read_checkpoints(path)] == [64, 65]


@pytest.mark.parametrize("left", range(1, 40, 7))
def test_a_half_line_is_cut_off_and_that_is_said(path: Path, left: int) -> None:
    filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:left])
    AuditLog(path).append("anna", "told", "campaign-9")
    assert verify(path) == (5, [])
    entries = [audit.decode(line) for line in path.read_bytes().splitlines()]
    assert isinstance(entries[3], audit.Entry)
    assert (entries[3].action, entries[3].facts) == ("repaired", {"bytes": left})


def test_a_half_line_is_all_that_is_mended(path: Path) -> None:
    filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"revision":2', b'"revision":3'))
    with pytest.raises(FailedError, match="not what its hash says"):
        AuditLog(path).append("anna", "told", "campaign-9")


def test_nothing_is_added_to_a_log_that_was_cut(path: Path) -> None:
    log = filled(path)
    log.checkpoint()
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:1]))
    with pytest.raises(FailedError, match="it was cut"):
        log.append("anna", "told", "campaign-9")
    with pytest.raises(FailedError, match="entries up to 3 are missing"):
        AuditLog(path).append("anna", "told", "campaign-9")
    assert [fault.what for fault in verify(path)[1]] == [
        "entries up to 3 are missing: a checkpoint knows them"
    ]


def test_a_half_checkpoint_is_written_over(path: Path) -> None:
    log = filled(path)
    log.checkpoint()
    with checkpoints_path(path).open("ab") as file:
        file.write(b'{"hash":')
    assert verify(path)[1]
    log.checkpoint()
    assert verify(path) == (3, [])


def test_checkpoints_kept_elsewhere_hold_against_one_who_has_the_folder(
    path: Path, tmp_path: Path
) -> None:
    log = filled(path)
    signed = log.checkpoint()
    assert signed is not None
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(audit.encode(signed) + b"\n")
    path.unlink()
    checkpoints_path(path).unlink()
    filled(path, 1)
    assert verify(path) == (1, [])
    assert verify(path, kept=kept)[1]


def test_no_other_key_signs_for_a_log(path: Path) -> None:
    filled(path)
    (path.parent / "audit.key.pem").unlink()
    with pytest.raises(FailedError, match="it is gone"):
        AuditLog(path)


def test_a_key_that_others_may_read_is_refused(path: Path) -> None:
    filled(path)
    (path.parent / "audit.key.pem").chmod(0o640)
    with pytest.raises(WrongUseError, match="others may read it"):
        AuditLog(path)


@pytest.mark.parametrize(
    "text",
    ["218.237.65.47", "seen at 218.237.65.47, twice", "[2001:db8::1]", "anna@cert.example",
     "https://evil.example/x", "fe80::1%eth0"],
)  # fmt: skip
def test_what_is_personal_is_refused(path: Path, text: str) -> None:
    log = AuditLog(path)
    for wrong in (
        {"about": text},
        {"about": "x", "seen": text},
        {"about": "x", "seen": ("a", text)},
    ):
        with pytest.raises(ValueError, match="it holds"):
            log.append("anna", "told", **wrong)
    assert not path.exists() or not path.read_bytes()


def test_an_indicator_is_told_by_its_digest(path: Path) -> None:
    log = AuditLog(path)
    named = log.digest("ip", "218.237.65.47")
    log.append("anna", "erased", named)
    assert b"218.237" not in path.read_bytes()
    assert named == AuditLog(path).digest("ip", "218.237.65.47")
    assert named != AuditLog(path.with_name("other.jsonl")).digest("ip", "218.237.65.47")


def test_the_command_line_says_what_was_done_and_what_is_wrong(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_AUDIT_LOG", str(path))
    filled(path)
    assert sightline("audit", "verify", cwd=path.parent).stdout == f"{path}: 3 entries, whole\n"
    shown = sightline("audit", "show", "--about", "campaign-1", cwd=path.parent).stdout
    assert (
        shown == "2 2023-11-14T22:13:20+00:00 anna told campaign-1 recipient=cz-nren revision=1\n"
    )
    assert sightline("audit", "checkpoint", cwd=path.parent).stdout.startswith('{"hash":"')
    path.write_bytes(path.read_bytes().replace(b"anna", b"otto", 1))
    run = sightline("audit", "verify", cwd=path.parent)
    assert (run.returncode, run.stdout) == (1, f"{path}:1: it is not what its hash says\n")
