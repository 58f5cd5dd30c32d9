"""What of an event leaves, keys on disk, and both through `sightline convert` and `ship`."""

from __future__ import annotations

import hmac
import json
import stat
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.adapter.format import Options
from pipeline.share.privacy import Guard, Policy, Treatment, problems, read_policy
from pipeline.share.pseudonym import Epochs, MissingKey, Ring
from pipeline.shell import key_ring
from pipeline.shell.converting import format_named, zone_of
from pipeline.shell.settings import FailedError, WrongUseError
from pipeline.shell.ship.guarding import Gate
from pipeline.shell.ship.reader import FileReader, Understanding
from pipeline.shell.ship.tail import Tail
from tests.unit.inside import sightline

DAY = 86_400_000
NOW = time.time_ns() // 1_000_000
EVENT: dict[str, Any] = {
    "time": NOW,
    "class_uid": 4001,
    "metadata": {"uid": "u1", "version": "1.5.0", "original_time": "today"},
    "device": {"uid": "a-1", "ip": "10.0.0.1"},
    "src_endpoint": {"ip": "198.41.0.4", "port": 4711},
    "dst_endpoint": {"ip": "10.1.2.3", "port": 22},
    "user": {"name": "anna", "credential_uid": "sha256:00"},
    "http_request": {"user_agent": "curl", "url": {"hostname": "Shop.Example.", "url_string": "http://shop.example/?u=anna"}},
    "observables": [{"type_id": 2, "value": "198.41.0.9"}, {"type_id": 10, "value": "x"}, {"type_id": 8, "value": "a" * 32}],
    "unmapped": {"raw": "198.41.0.4 anna"},
}  # fmt: skip
KEY = bytes(range(32))


def ring(*epochs: int) -> Ring:
    today = NOW // DAY
    return Ring(Epochs(DAY, 0), {today + n: KEY for n in epochs or (0,)}, today)


def told(policy: Policy, of: Ring | None = None) -> dict[str, Any]:
    left = Guard(policy, of).apply(json.dumps(EVENT).encode())
    assert isinstance(left, bytes)
    event: dict[str, Any] = json.loads(left)
    return event


def test_what_is_not_named_does_not_leave() -> None:
    assert told(Policy("a")) == {
        "time": NOW,
        "class_uid": 4001,
        "metadata": {"uid": "u1", "version": "1.5.0"},
        "device": {"uid": "a-1"},
    }


def test_the_longest_path_decides_and_a_type_speaks_for_its_fields() -> None:
    policy = Policy(
        "a",
        types={"ip": Treatment.CLEAR, "url": Treatment.DROP, "hash": Treatment.CLEAR},
        fields={"http_request": Treatment.CLEAR, "dst_endpoint.port": Treatment.CLEAR},
    )
    left = told(policy)
    assert left["src_endpoint"] == {"ip": "198.41.0.4"}
    assert left["dst_endpoint"] == {"port": 22}
    assert left["http_request"] == {"user_agent": "curl", "url": {"hostname": "Shop.Example."}}
    assert left["observables"] == [
        {"type_id": 2, "value": "198.41.0.9"},
        {"type_id": 8, "value": "a" * 32},
    ]


def test_what_may_be_done_with_an_event_and_its_lane_stay() -> None:
    labels = ["tlp:red", "PAP:AMBER", "exercise", "exercise:sightline=x", "patient of ward 3"]
    event = EVENT | {"metadata": {"uid": "u", "labels": labels}}
    left = Guard(Policy("a"), None).apply(json.dumps(event).encode())
    assert isinstance(left, bytes)
    assert json.loads(left)["metadata"]["labels"] == labels[:4]


def test_an_indicator_becomes_an_observable_and_a_victim_does_not() -> None:
    policy = Policy(
        "a",
        types={
            "ip": Treatment.PSEUDONYMOUS,
            "credential": Treatment.PSEUDONYMOUS,
            "domain": Treatment.PSEUDONYMOUS,
        },
        fields={"dst_endpoint.ip": Treatment.PSEUDONYMOUS, "user.name": Treatment.PSEUDONYMOUS},
        keys="keys",
    )
    left = told(policy, ring())
    assert [one["type_id"] for one in left["observables"]] == [2, 19, 1, 2]
    assert set(left["unmapped"]["pseudonyms"]) == {"dst_endpoint.ip", "user.name"}
    text = json.dumps(left)
    for value in ("198.41", "10.1.2.3", "anna", "shop", "sha256:00", '"u1"'):
        assert value not in text.lower()


def test_a_pseudonym_is_what_the_document_says() -> None:
    """HMAC-SHA-256 by the epoch's key and the purpose; an IPv4-mapped address is the IPv4 one."""
    epoch = NOW // DAY
    key = hmac.digest(KEY, b"sightline pseudonym v1\0correlation", "sha256")
    digest = hmac.digest(key, b"ip\0\x04\xc6\x29\x00\x04", "sha256").hex()[:32]
    assert ring().pseudonym(epoch, "ip", "198.41.0.4") == f"pseudonym:1:{epoch}:{digest}"
    assert ring().pseudonym(epoch, "ip", "::ffff:198.41.0.4") == f"pseudonym:1:{epoch}:{digest}"
    other = Ring(Epochs(DAY, 0), {epoch: KEY, epoch + 1: bytes(32)}, epoch)
    assert other.pseudonym(epoch + 1, "ip", "198.41.0.4")[-32:] != digest
    assert other.pseudonym(epoch, "domain", "198.41.0.4")[-32:] != digest
    assert other.pseudonym(epoch, "ip", "198.41.0.4", "subject")[-32:] != digest


def test_a_missing_key_lets_nothing_out() -> None:
    policy = Policy("a", types={"ip": Treatment.PSEUDONYMOUS}, keys="keys")
    today = NOW // DAY
    for keys, gone in (({today + 1: KEY}, True), ({today - 1: KEY}, False)):
        guard = Guard(policy, Ring(Epochs(DAY, 0), keys, today - 9))
        assert guard.apply(json.dumps(EVENT).encode()) == MissingKey(today, gone=gone)
    early = Ring(Epochs(DAY, DAY), {today: KEY}, today - 9)
    assert early.usable(NOW) == MissingKey(today - 1, gone=True)
    assert Ring(Epochs(DAY, DAY), {today: KEY}, today).usable(NOW) == (today,)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"types": {"ips": "clear"}}, "there is no indicator type 'ips'"),
        ({"types": {"hash": "pseudonymous"}, "keys": "k"}, "hash cannot be pseudonymous"),
        ({"types": {"ip": "pseudonymous"}}, "`keys` must name the folder"),
        ({"fields": {"time": "pseudonymous"}, "keys": "k"}, "time cannot be pseudonymous"),
        ({"rest": "pseudonymous", "keys": "k"}, "rest cannot be pseudonymous"),
        ({"fields": {"x": "hidden"}}, "Invalid enum value 'hidden'"),
        ({"more": 1}, "unknown field `more`"),
    ],
)
def test_a_policy_that_says_what_cannot_be_is_refused(policy: dict[str, Any], said: str) -> None:
    read = read_policy({"organisation": "a"} | policy)
    assert isinstance(read, str)
    assert said in read
    assert problems(Policy("a")) == []


def test_keys_are_for_their_owner_and_are_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ring"
    terms = key_ring.make(folder, "1d", "2h", "2d", 2)
    assert {path.name for path in folder.iterdir()} == {
        "ring.toml",
        *(f"{terms.first + n}.key" for n in range(3)),
    }
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_ring.destroy_old(folder) == []
    later = (terms.first + 1) * DAY + 2 * DAY
    monkeypatch.setattr(key_ring, "now_ms", lambda: later - 1)
    assert key_ring.destroy_old(folder) == []
    monkeypatch.setattr(key_ring, "now_ms", lambda: later)
    assert key_ring.destroy_old(folder) == [terms.first]
    assert not (folder / f"{terms.first}.key").exists()
    assert key_ring.extend(folder, 0) == [terms.first + 3]
    (folder / f"{terms.first + 1}.key").chmod(0o644)
    with pytest.raises(WrongUseError, match="others may read it"):
        key_ring.read(folder)


def test_a_log_is_converted_under_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_AUDIT_LOG", str(tmp_path / "audit.jsonl"))
    made = sightline("pseudonym", "make", "ring", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "policy.toml").write_text(
        'organisation = "a"\nkeys = "ring"\n[types]\nip = "pseudonymous"\n'
    )
    (tmp_path / "log").write_text(json.dumps(EVENT) + "\n" + json.dumps(EVENT | {"time": 1}) + "\n")
    run = sightline(
        "convert",
        "log",
        "--format",
        "ocsf",
        "--sensor",
        "a-1",
        "--policy",
        "policy.toml",
        "--rejects",
        "no",
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    left = json.loads(run.stdout)
    asked = sightline("pseudonym", "of", "ring", "ip", "198.41.0.4", cwd=tmp_path)
    assert {one["value"] for one in left["observables"]} >= set(asked.stdout.split())
    assert "no key of its epoch" in (tmp_path / "no").read_text()
    assert "1 events, 1 rejected" in run.stderr
    log = (tmp_path / "audit.jsonl").read_text()
    assert "198.41" not in log
    assert "pseudonym-evaluated" in log


def test_what_ship_reads_is_under_the_policy_before_it_is_packed(tmp_path: Path) -> None:
    """Packs are what is sent and what is spooled: there is nothing in clear in them."""
    key_ring.make(tmp_path / "ring", "7d", "1h", "7d", 1)
    (tmp_path / "policy.toml").write_text(
        'organisation = "a"\nkeys = "ring"\n[types]\nip = "pseudonymous"\n'
    )
    (tmp_path / "log").write_text(json.dumps(EVENT) + "\n")
    how = Understanding(
        format_named("ocsf"), "a-1", zone_of("UTC"), None, Options(), Gate(tmp_path / "policy.toml")
    )
    reader = FileReader(Tail(str(tmp_path / "log"), {}, 0, 0, follow=False), how, lambda *_: None)
    packs = [*(reader.next() or ()), *(reader.next() or ())]
    payload = b"".join(pack.payload for pack in packs)
    assert b"pseudonym:1:" in payload
    assert b"198.41" not in payload
    for path in (tmp_path / "ring").glob("*.key"):
        path.unlink()
    (tmp_path / "more").write_text(json.dumps(EVENT) + "\n")
    how = msgspec.structs.replace(how, gate=Gate(tmp_path / "policy.toml"))
    again = FileReader(Tail(str(tmp_path / "more"), {}, 0, 0, follow=False), how, lambda *_: None)
    with pytest.raises(FailedError, match="nothing is sent without"):
        list(again.next() or ())
