"""What is of an exercise says so in every format, and leaves by no egress of another lane."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stix2
from stix2validator import ValidationOptions, validate_instance
from typer.testing import CliRunner

from pipeline.alert import marked
from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign
from pipeline.lane import BANNER, tag_of
from pipeline.share import letter as letters
from pipeline.share import misp, ocsf, stix
from pipeline.share.correspondence import Correspondence
from pipeline.share.directory import Directory
from pipeline.share.ledger import Entry, Failure, Ledger, Way
from pipeline.share.letter import Letter, Told, letter
from pipeline.share.release import Kind, Recipient, release
from pipeline.share.route import Routes, Victim
from pipeline.share.subscriber import Delivery
from pipeline.share.terms import PUBLIC, Conditions, Grant, Terms
from pipeline.share.tlp import Tlp
from pipeline.shell.cli import cli
from pipeline.shell.notify.case import Case
from pipeline.shell.notify.posting import Posting
from pipeline.shell.notify.sources import Sources, Ways
from pipeline.shell.serve.rows import Record
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import Settings, load
from tests.unit import told
from tests.unit.telling import campaign

LANE = load(None, {}, lane="exercise", topic_prefix="exercise.spring.")
LIVE = Settings()
REAL = campaign("cz", "ke", tlp=Tlp.AMBER)
DRILL = campaign("cz", "ke", tlp=Tlp.AMBER, exercise="spring")
ALERTS = told.alert(), marked(told.alert(), "spring")


def crossings() -> Iterator[tuple[Settings, Campaign, bool]]:
    """Each lane with what is of it, and what is not."""
    for settings in (LIVE, LANE):
        for one in (REAL, DRILL):
            yield settings, one, bool(one.exercise) == bool(settings.exercise)


def test_stix_is_labelled_and_marked_and_others_take_it() -> None:
    raw = stix.bundle([DRILL])
    errors = validate_instance(json.loads(raw), ValidationOptions(version="2.1")).errors
    assert not errors
    bundle = stix2.parse(raw, allow_custom=True)
    statements = [
        one.id
        for one in bundle.objects
        if one.type == "marking-definition" and "EXERCISE" in str(one)
    ]
    assert len(statements) == 1
    (itself,) = [one for one in bundle.objects if one.type == "campaign"]
    assert {"exercise", tag_of("spring")} <= set(itself.labels)
    assert itself.name.startswith(BANNER)
    own = [one for one in bundle.objects if one.type in {"indicator", "sighting", "grouping"}]
    assert own
    assert all(statements[0] in one.object_marking_refs for one in [itself, *own])
    assert b"EXERCISE" not in stix.bundle([REAL]).upper()


def test_misp_and_ocsf_say_it_too() -> None:
    event = misp.event(DRILL)
    assert event["info"].startswith(BANNER)
    assert tag_of("spring") in {tag["name"] for tag in event["Tag"]}
    assert "exercise" not in json.dumps(misp.event(REAL)).lower()
    finding = ocsf.finding(DRILL)
    assert finding.unmapped.exercise == "spring"
    assert finding.message.startswith(BANNER)
    assert b"exercise" not in ocsf.encode(ocsf.finding(REAL))


def test_what_is_released_is_of_the_same_lane() -> None:
    open_ = Conditions(tlp=Tlp.CLEAR, releasable_to=(Grant(PUBLIC),))
    terms = Terms({one.organisation: open_ for one in DRILL.sightings})
    for one in (REAL, DRILL):
        clear = [msgspec.structs.replace(of, tlp=Tlp.CLEAR) for of in one.sightings]
        open_to_all = msgspec.structs.replace(one, sightings=tuple(clear))
        seen = release(open_to_all, terms, Recipient(Kind.PUBLIC))
        assert seen is not None
        assert seen.exercise == one.exercise


def test_an_alert_that_is_marked_drives_no_block() -> None:
    blocking = msgspec.structs.replace(ALERTS[0].unmapped, may_block=True)
    raised = msgspec.structs.replace(ALERTS[0], unmapped=blocking)
    drill = marked(raised, "spring")
    assert (drill.unmapped.exercise, drill.unmapped.may_block) == ("spring", False)
    assert drill.message.startswith(BANNER)
    assert marked(raised, "") == raised


def a_letter(of: Campaign) -> Letter:
    return letter("cz-csirt", 1_700_000_000_000, Told(of.id, 1, (Victim("CZ", "org-cz"),), of))


def test_a_letter_of_an_exercise_begins_with_it() -> None:
    for one in (REAL, DRILL):
        said = letters.text(a_letter(one)), letters.subject(a_letter(one))
        assert [text.startswith("EXERCISE") for text in said] == [bool(one.exercise)] * 2


def test_no_letter_of_an_exercise_leaves_but_by_its_own_topics() -> None:
    ways = {"topic": Way(), "webhook": Way(), "email": Way(), "syslog": Way()}
    entry = Entry("a", "cz-csirt", "t", 1, "s", a_letter(DRILL), ways)
    published: list[str] = []
    tried: dict[str, Any] = {}

    async def publish(topic: str, _: Letter) -> None:
        published.append(topic)

    async def settled(_: Entry, name: str, way: Way) -> None:
        tried[name] = way.why

    async def post() -> None:
        sources = Sources(ways={"cz-csirt": Ways("notify.cz-csirt")})
        posting = Posting(sources, publish, settled, lambda: None, "spring")
        ledger = Ledger([entry])
        for _ in range(8):
            await posting.round(ledger)
            await asyncio.sleep(0)
        while len(tried) < len(ways):
            await asyncio.sleep(0)
        await posting.close()

    asyncio.run(post())
    assert published == ["notify.cz-csirt"]
    assert tried == {
        "topic": None,
        "webhook": Failure.NOT_ALLOWED,
        "email": Failure.NOT_ALLOWED,
        "syslog": Failure.NOT_ALLOWED,
    }


def test_nobody_is_told_of_what_is_of_another_lane() -> None:
    for settings, one, ours in crossings():
        case = Case(Correspondence(Routes(Directory()), Terms(), Delivery(), hold_ms=0), settings)
        taken = case.take(settings.topic("campaigns"), one.id.encode(), campaigns.encode(one))
        assert (taken.about == [one.id], case.not_ours == 0) == (ours, ours)


def test_the_read_store_takes_what_is_of_its_lane_only(tmp_path: Path) -> None:
    for number, (settings, one, ours) in enumerate(crossings()):
        alert = ALERTS[bool(one.exercise)]
        records = [
            Record("campaigns", one.id.encode(), campaigns.encode(one), 0),
            Record("alerts", alert.finding_info.uid.encode(), msgspec.json.encode(alert), 0),
        ]
        path = tmp_path / f"{number}.sqlite"
        with closing(Store(path, {}, exercise=settings.exercise)) as store:
            assert len(store.apply(records, {})) == (2 if ours else 0)
            assert store.not_ours == (0 if ours else 2)


@pytest.mark.parametrize("format_", ["stix", "misp", "ocsf"])
def test_nothing_is_exported_from_another_lane(tmp_path: Path, format_: str) -> None:
    for settings, one, ours in crossings():
        source = tmp_path / "campaigns.jsonl"
        source.write_bytes(campaigns.encode(one) + b"\n")
        arguments = ["export", "--format", format_, "--campaigns", str(source)]
        out = tmp_path / f"{format_}-{settings.exercise}-{one.exercise}"
        done = CliRunner().invoke(
            cli, [*arguments, "--out", str(out)],
            env={"SIGHTLINE_LANE": settings.lane, "SIGHTLINE_TOPIC_PREFIX": settings.topic_prefix},
        )  # fmt: skip
        assert (done.exit_code == 0) == ours, done.output
        if not ours:
            assert "this is the l" in str(done.exception)


def test_nothing_of_an_exercise_is_pushed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40)
    done = CliRunner().invoke(
        cli, ["push", "--server", "https://misp.example", "--key-file", str(tmp_path / "key"), "--to", "*",
              "--follow"],
        env={"SIGHTLINE_LANE": "exercise", "SIGHTLINE_TOPIC_PREFIX": "exercise.spring."},
    )  # fmt: skip
    assert "there is no push" in str(done.exception)


def test_no_clock_starts_in_an_exercise_nor_is_a_report_made_of_one(tmp_path: Path) -> None:
    source = tmp_path / "campaigns.jsonl"
    source.write_bytes(campaigns.encode(DRILL) + b"\n")
    kept = {"SIGHTLINE_CLOCKS": str(tmp_path / "c"), "SIGHTLINE_AUDIT_LOG": str(tmp_path / "a")}
    lane = {"SIGHTLINE_LANE": "exercise", "SIGHTLINE_TOPIC_PREFIX": "exercise.spring."}
    started = CliRunner().invoke(cli, ["clock", "start", DRILL.id], env=kept | lane)
    assert "there is no clock" in str(started.exception)
    assert not (tmp_path / "c").exists()
    assert CliRunner().invoke(cli, ["clock", "start", DRILL.id], env=kept).exit_code == 0
    report = ["report", DRILL.id, "--stage", "early-warning", "--campaigns", str(source)]
    assert "this is the live lane" in str(CliRunner().invoke(cli, report, env=kept).exception)
