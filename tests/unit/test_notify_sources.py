"""What notifying is made from; and that nothing of an exercise leaves its lane."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from pipeline.campaign import campaign as campaigns
from pipeline.share.correspondence import Correspondence
from pipeline.share.letter import Told, letter, subject, text
from pipeline.share.route import Routes
from pipeline.share.subscriber import Delivery
from pipeline.share.terms import Terms
from pipeline.shell.notify.case import Case
from pipeline.shell.notify.sources import sources_of, topics_of
from pipeline.shell.settings import Settings, WrongUseError
from tests.unit.telling import campaign

DIRECTORY = """
[[csirt]]
id = "cz"
name = "CZ"
country = "CZ"
role = "national"
email = "csirt@cz.example"
webhook = "https://hooks.example/x"
webhook_secret_file = "secret"
"""
DELIVERY = """
[mail]
host = "localhost"
sender = "s@here.example"
[webhooks]
hosts = ["hooks.example"]
[[subscriber]]
id = "soc"
sees = "*"
email = "soc@here.example"
syslog = { host = "localhost", by = "udp" }
"""


def made(**said: str) -> Settings:
    return msgspec.convert(said, Settings)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "directory.toml").write_text(DIRECTORY)
    (tmp_path / "delivery.toml").write_text(DELIVERY)
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    secret.chmod(0o600)
    return {name: str(tmp_path / f"{name}.toml") for name in ("directory", "delivery")}


def test_everybody_s_ways(files: dict[str, str]) -> None:
    ways = sources_of(made(**files)).ways
    assert (ways["cz"].topic, ways["soc"].topic) == ("notify.cz", "feed.soc")
    assert ways["cz"].hook is not None
    assert ways["cz"].mailbox is not None
    assert ways["soc"].syslog is not None
    assert topics_of(made(**files)) == (["notify.cz"], ["replies.cz", "replies.operator"])


def test_nothing_of_an_exercise_leaves_by_a_way_that_others_are_on(files: dict[str, str]) -> None:
    settings = made(**files, lane="exercise", topic_prefix="exercise.one.")
    found = sources_of(settings)
    assert found.delivery.mail is None
    for ways in found.ways.values():
        assert (ways.hook, ways.mailbox, ways.syslog) == (None, None, None)
    assert topics_of(settings)[0] == ["notify.cz", "feed.soc"]


@pytest.mark.parametrize(("lane", "told"), [("live", ["c"]), ("exercise", ["x"])])
def test_what_is_of_another_lane_is_told_to_nobody(lane: str, told: list[str]) -> None:
    prefix = "exercise.one." if lane == "exercise" else ""
    settings = made(lane=lane, topic_prefix=prefix)
    case = Case(
        Correspondence(Routes(sources_of(Settings()).directory), Terms(), Delivery(), hold_ms=0),
        settings,
    )
    for one in (
        campaign("cz", id="c"),
        campaign("cz", id="x", exercise="one"),
        campaign("cz", id="y", exercise="two"),
    ):
        case.take(settings.topic("campaigns"), one.id.encode(), campaigns.encode(one))
    assert case.of.standing == told
    assert case.not_ours == 2


def test_a_letter_of_an_exercise_says_so_first() -> None:
    view = campaign("cz", exercise="one")
    one = letter("cz", 0, Told("t", 1, (), view))
    assert subject(one).startswith("EXERCISE EXERCISE EXERCISE: [TLP:AMBER] ")
    assert text(one).startswith("EXERCISE EXERCISE EXERCISE\n")


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("delivery", ('hosts = ["hooks.example"]', "hosts = []"), "its webhook is not https to one of"),
        ("delivery", ('id = "soc"', 'id = "cz"'), "subscriber 'cz' is a CSIRT's id, too"),
        ("directory", ('"secret"', '"none"'), "none: No such file"),
        ("directory", ('country = "CZ"', 'country = "XX"'), "csirt 'cz': country 'XX'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_runs(
    files: dict[str, str], file: str, change: tuple[str, str], said: str
) -> None:
    path = Path(files[file])
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(WrongUseError, match=said):
        sources_of(made(**files))
