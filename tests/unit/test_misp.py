"""A feed that grows, and a server that is pushed to."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.campaign.campaign import Campaign, Member
from pipeline.share import misp
from pipeline.share.outward import Producer
from pipeline.share.tlp import Pap, Tlp
from pipeline.shell.access.certificates import make_authority, make_broker
from pipeline.shell.export.misp_feed import Feed
from pipeline.shell.export.misp_server import TRIES, MispServer, Outcome
from pipeline.shell.settings import FailedError, WrongUseError
from tests.misp_server import KEY, Misp, serving
from tests.unit.test_cli import sightline
from tests.unit.test_stix import AT, campaign, seen

replace = msgspec.structs.replace


def feed(path: Path) -> Feed:
    return Feed(path, Producer())


def event(path: Path) -> dict[str, Any]:
    (found,) = path.glob("*-*.json")
    read: dict[str, Any] = json.loads(found.read_bytes())["Event"]
    return read


def test_an_event(tmp_path: Path) -> None:
    with feed(tmp_path) as one:
        assert one.update([campaign()]) == [campaign().id]
    made = event(tmp_path)
    (attribute,) = made["Attribute"]
    assert (attribute["type"], attribute["value"]) == ("ip-src", "203.0.113.5")
    assert attribute["comment"] == "seen by 2 organisations in CZ, KE"
    assert attribute["to_ids"] is True
    assert attribute["first_seen"] == "2025-03-01T12:25:00.123000+00:00"
    assert [tag["name"] for tag in made["Tag"]] == [
        "tlp:amber+strict",
        "PAP:GREEN",
        'estimative-language:likelihood-probability="very-likely"',
        'admiralty-scale:source-reliability="b"',
        'admiralty-scale:information-credibility="2"',
    ]
    assert made["date"] == "2025-03-01"


def test_a_timestamp_rises_only_with_a_change(tmp_path: Path) -> None:
    def updated(of: Campaign) -> tuple[int, int]:
        with feed(tmp_path) as one:
            changed = len(one.update([of]))
        listed = json.loads((tmp_path / "manifest.json").read_bytes())
        made = event(tmp_path)
        assert listed[made["uuid"]]["timestamp"] == int(made["timestamp"])
        return changed, int(made["timestamp"])

    changed, first = updated(campaign())
    assert (changed, first) == (1, (AT + 90_000 + 7) // 1_000)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert updated(campaign()) == (0, first)
    assert files == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # Less is known now: a clock of what was seen would stand still, or go back.
    assert updated(campaign(sightings=(seen("cz-nren", "CZ"),))) == (1, first + 1)
    assert updated(campaign(withdrawn=True)) == (1, first + 2)
    made = event(tmp_path)
    assert made["info"].startswith("Withdrawn: ")
    assert [one["to_ids"] for one in made["Attribute"]] == [False]


@pytest.mark.parametrize("pap", [Pap.AMBER, Pap.RED, msgspec.UNSET])
def test_what_may_not_be_acted_on_drives_no_block(pap: Pap) -> None:
    made = misp.event(campaign(pap=pap))
    assert [one["to_ids"] for one in made["Attribute"]] == [False]
    assert f"PAP:{pap or 'AMBER'}" in {tag["name"] for tag in made["Tag"]}


def test_red_and_erased_campaigns_are_in_no_feed(tmp_path: Path) -> None:
    with feed(tmp_path) as one:
        one.update([campaign(), campaign(id="b"), campaign(id="c", tlp=Tlp.RED)])
        one.update([campaign(tlp=Tlp.RED)], ["b"])
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == {}
    assert (tmp_path / "hashes.csv").read_bytes() == b""
    assert not list(tmp_path.glob("*-*.json"))


def test_a_feed_has_one_writer_and_keeps_what_is_not_ours(tmp_path: Path) -> None:
    with feed(tmp_path), pytest.raises(FailedError, match="another export"), feed(tmp_path):
        pass
    (tmp_path / f"{'0' * 8}-0000-0000-0000-{'0' * 12}.json").write_text('{"Event": {}}')
    with pytest.raises(FailedError, match="move it away"), feed(tmp_path):
        pass


def test_export_on_the_command_line(tmp_path: Path) -> None:
    lines = [campaign(), campaign(id="../../evil"), campaign(id="red", tlp=Tlp.RED)]
    (tmp_path / "c.jsonl").write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in lines))
    arguments = ("--campaigns", "c.jsonl", "--out")
    done = sightline("export", "--format", "misp", *arguments, "feed", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "sightline: 1 left out: TLP:RED is for named people\n"
    assert len(json.loads((tmp_path / "feed/manifest.json").read_bytes())) == 2
    done = sightline("export", "--format", "ocsf", *arguments, "-", cwd=tmp_path)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["osint"][0]["tlp"] for one in findings] == ["AMBER STRICT", "AMBER STRICT", "RED"]
    (tmp_path / "each").mkdir()
    done = sightline("export", "--format", "stix", *arguments, "each", cwd=tmp_path)
    assert done.returncode == 0
    assert len(list((tmp_path / "each").iterdir())) == 3
    (tmp_path / "c.jsonl").write_text('{"id": 1}\n')
    done = sightline("export", "--format", "stix", *arguments, "-", cwd=tmp_path)
    assert done.returncode == 2
    assert "c.jsonl:1: no campaign" in done.stderr
    done = sightline("export", "--format", "stix", "--out", "-", cwd=tmp_path)
    assert done.returncode == 2


def test_a_push_arrives_once_and_again_when_it_changed() -> None:
    server = Misp()
    with serving(server) as url, MispServer(url, KEY) as to:
        first = misp.pushed(campaign())
        assert to.push(first) is Outcome.ADDED
        assert server.events[first["uuid"]] == first
        assert to.push(first) is Outcome.UNCHANGED
        grown = campaign(sightings=(*campaign().sightings, seen("br-uni", "BR", AT, AT + 99_000)))
        assert to.push(misp.pushed(grown), publish=True) is Outcome.CHANGED
        (there,) = server.events.values()
        assert [one["source"] for one in there["Attribute"][0]["Sighting"]] == [
            "seen by cz-nren in CZ",
            "seen by ke-bank in KE",
            "seen by br-uni in BR",
        ]
        assert (there["distribution"], there["published"]) == ("0", False)
        # Somebody worked on it there, later than we: what we know more of still gets in.
        there["timestamp"] = str(int(there["timestamp"]) + 10_000)
        there["Attribute"].append({"uuid": "theirs", "type": "comment", "value": "x"})
        assert to.push(misp.pushed(grown)) is Outcome.UNCHANGED
        more = replace(grown, indicators=(*grown.indicators, Member("domain", "a.example")))
        assert to.push(misp.pushed(more)) is Outcome.CHANGED
        assert len(server.events[first["uuid"]]["Attribute"]) == 2
    assert server.keys == {KEY}
    assert server.published == [first["uuid"]]


def test_tries_are_bounded_and_a_refusal_is_final() -> None:
    server, pauses = Misp(), list[float]()
    with serving(server) as url:
        with MispServer(url, KEY, pause=pauses.append) as to:
            server.fail = [(503, {}), (429, {"Retry-After": "9"})]
            assert to.push(misp.pushed(campaign())) is Outcome.ADDED
            assert pauses == [0.5, 9.0]
            server.fail = [(500, {"Retry-After": "99999"})] * 99
            with pytest.raises(FailedError, match=f"status 500 .later. .{TRIES} tries"):
                to.push(misp.pushed(campaign()))
            assert pauses[2:] == [30.0] * (TRIES - 1)
            server.fail = [(302, {"Location": "http://127.0.0.1:1/"})]
            with pytest.raises(FailedError, match="status 302"):
                to.push(misp.pushed(campaign()))
            server.fail = []
        asked = len(server.asked)
        with MispServer(url, "wrong") as to, pytest.raises(FailedError) as told:
            to.push(misp.pushed(campaign()))
        assert len(server.asked) == asked + 1
        assert "status 403" in str(told.value)
        assert "\x1b" not in str(told.value)
    with MispServer(url, KEY, pause=pauses.append) as to, pytest.raises(FailedError, match="tries"):
        to.push(misp.pushed(campaign()))


def test_the_server_must_prove_its_name(tmp_path: Path) -> None:
    authority = make_authority()
    server = Misp()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    for address, trusted in (("127.0.0.1", True), ("misp.example", False)):
        made = make_broker(authority, "misp", [address])
        (tmp_path / "server.pem").write_bytes(made.key + made.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        with serving(server, context) as url:
            for authorities in (tmp_path / "ca.pem", None):
                with MispServer(url, KEY, authorities, pause=lambda _: None) as to:
                    if trusted and authorities:
                        assert to.push(misp.pushed(campaign())) is Outcome.ADDED
                    else:
                        with pytest.raises(FailedError, match="CERTIFICATE_VERIFY_FAILED"):
                            to.push(misp.pushed(campaign()))
    assert server.asked == ["GET /events/view", "POST /events"]
    for url in ("http://misp.example", "https://user:pw@misp.example", "ftp://x"):
        with pytest.raises(WrongUseError) as told:
            MispServer(url, KEY)
        assert "pw" not in str(told.value)


def test_push_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_AUDIT_LOG", str(tmp_path / "audit.jsonl"))
    lines = [campaign(), campaign(id="red", tlp=Tlp.RED)]
    (tmp_path / "c.jsonl").write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in lines))
    (tmp_path / "key").write_text(f"{KEY}\n")
    server = Misp()
    with serving(server) as url:
        to = ("--server", url, "--key-file", "key", "--to", "*")
        done = sightline("push", *to, "--campaigns", "c.jsonl", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "1 added, 0 changed, 0 unchanged\n"), (
            done.stderr
        )
        assert done.stderr == "sightline: 1 left out: TLP:RED is for named people\n"
        (tmp_path / "key").write_text("wrong\n")
        done = sightline("push", *to, "--campaigns", "c.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "status 403" in done.stderr
    assert len(server.events) == 1
    done = sightline("push", *to[:4], "--campaigns", "c.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "say for whom it is" in done.stderr
    log = (tmp_path / "audit.jsonl").read_text()
    assert log.count('"pushed"') == 1
    assert KEY not in log
