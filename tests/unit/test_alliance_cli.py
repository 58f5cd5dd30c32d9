from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from pipeline.share.alliance import Alliance
from pipeline.share.audit import decode
from pipeline.shell.alliances import folder
from pipeline.shell.alliances.cli import group
from pipeline.shell.settings import WrongUseError, load
from pipeline.shell.signing import make_key


class Desk:
    """A folder of alliances, and a command line beside it."""

    def __init__(self, at: Path) -> None:
        self.at = at
        (at / "sensors.toml").write_text(
            '[[organisation]]\nid = "cz-nren"\ncountry = "CZ"\nname = "N"\n'
        )
        self.config = at / "sightline.toml"
        self.config.write_text(
            f"sensors = {json.dumps(str(at / 'sensors.toml'))}\n"
            f"alliances = {json.dumps(str(at / 'alliances'))}\n"
            f"audit_log = {json.dumps(str(at / 'audit.jsonl'))}\n"
        )
        self.key = ("--key", str(at / "lead.pem"))

    def __call__(self, *arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(group, [*arguments, "--config", str(self.config)])
        if isinstance(done.exception, WrongUseError):
            assert status == 2, done.exception
            return str(done.exception)
        assert done.exit_code == status, (done.output, done.exception)
        return done.output

    def current(self) -> Alliance:
        return folder.read(load(self.config, {})).current["v4"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made("create", "v4", *made.key, "--member", "SK", "--member", "cz-nren", "--name", "Four")
    return made


def test_an_alliance_from_its_founding_to_who_leaves_it(desk: Desk) -> None:
    theirs = desk.at / "at.public.pem"
    make_key(desk.at / "at.pem", theirs)
    desk("add", "v4", "at-cert@AT", *desk.key, "--theirs", str(theirs))
    desk(
        "set",
        "v4",
        *desk.key,
        "--after",
        "6h",
        "--granularity",
        "count",
        "--what",
        "ip",
        "--counts",
        "3",
    )
    shown = desk("show", "v4")
    for text in (
        "version  3 of 3",
        "SK, cz-nren, at-cert",
        "21600 s",
        "count",
        "alliance.v4.counts",
    ):
        assert text in shown
    assert (
        msgspec.json.decode(desk("show", "v4", "--version", "1", "--json"), type=Alliance).version
        == 1
    )
    desk("leave", "v4", "at-cert", "--key", str(desk.at / "at.pem"))
    desk("remove", "v4", "SK", *desk.key)
    assert [one.name for one in desk.current().members] == ["cz-nren"]
    assert desk.current().policy.after == 6 * 3_600_000
    assert "v4               version 5: cz-nren" in desk("list")
    assert "5 versions, each signed by one who could" in desk("verify", "v4")
    assert "5 versions" in desk("verify", "v4", "--key", str(desk.at / "lead.public.pem"))
    assert "nobody signed it who may" in desk("verify", "v4", "--key", str(theirs), status=1)
    lines = (desk.at / "audit.jsonl").read_bytes().splitlines()
    entries = [entry for line in lines if not isinstance(entry := decode(line), str)]
    assert [(one.action, one.about, one.facts["version"]) for one in entries] == [
        ("alliance", "v4", number) for number in range(1, 6)
    ]


def test_who_may_not_changes_nothing(desk: Desk) -> None:
    other = desk.at / "other.pem"
    make_key(other, desk.at / "other.public.pem")
    for command in (("add", "v4", "PL"), ("remove", "v4", "SK"), ("leave", "v4", "SK")):
        said = desk(*command, "--key", str(other), status=2)
        assert said == "v4: version 2: nobody signed it who may"
    assert desk.current().version == 1


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("create", "v4"), "there is an alliance 'v4' already"),
        (("create", "V 4"), "id 'V 4' may hold only a-z, 0-9 and '-', 64 at most"),
        (("create", "../x"), "id '../x' may hold only a-z, 0-9 and '-', 64 at most"),
        (("create", "w", "--what", "colour"), "'colour' is no indicator type; there are ip, domain"),
        (("create", "w", "--counts", "2"), "counts: from 3 members at the least"),
        (("add", "v4", "SK"), "SK is a member of v4"),
        (("add", "v4", "nobody"), "'nobody' is no country, and not in"),
        (("add", "v4", "x@UK"), "country 'UK' is not an ISO 3166-1 alpha-2 country code"),
        (("remove", "v4", "PL"), "'PL' is no member of v4"),
        (("set", "v4"), "nothing would change"),
        (("set", "v4", "--after", "soon"), "after is 'soon'"),
        (("add", "none", "PL"), "there is no alliance 'none' in"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(desk: Desk, command: tuple[str, ...], why: str) -> None:
    assert why in desk(*command, *desk.key, status=2)


def test_what_was_tampered_with_is_not_used(desk: Desk) -> None:
    version = desk.at / "alliances" / "v4" / "1.json"
    version.write_bytes(version.read_bytes().replace(b'"payload":"', b'"payload":"AAAA'))
    assert "not used: version 1:" in desk("list", status=1)
    assert folder.read(load(desk.config, {})).current == {}


def test_a_member_that_was_put_out_does_not_come_back_by_an_older_folder(desk: Desk) -> None:
    """Nor does an alliance of the same name that somebody else has founded."""
    folder_ = desk.at / "alliances" / "v4"
    desk("remove", "v4", "cz-nren", *desk.key)
    settings = load(desk.config, {})
    assert [one.name for one in folder.read(settings).current["v4"].members] == ["SK"]
    second = (folder_ / "2.json").read_bytes()
    (folder_ / "2.json").unlink()
    found = folder.read(settings)
    assert found.current == {}
    assert "version 2 was made or released by here" in found.wrong["v4"]
    assert "version 2" in desk("show", "v4", status=2)
    (folder_ / "2.json").write_bytes(second)
    assert set(folder.read(settings).current) == {"v4"}

    other = desk.at / "other"
    other.mkdir()
    (other / "sensors.toml").write_bytes((desk.at / "sensors.toml").read_bytes())
    theirs = Desk(other)
    theirs("create", "v4", *theirs.key, "--member", "RU")
    theirs("add", "v4", "at-cert@AT", *theirs.key)
    for version in (1, 2):
        path = other / "alliances" / "v4" / f"{version}.json"
        (folder_ / path.name).write_bytes(path.read_bytes())
    assert set(folder.read(load(theirs.config, {})).current) == {"v4"}
    assert folder.read(settings).current == {}
