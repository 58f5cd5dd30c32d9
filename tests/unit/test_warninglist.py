"""Lists of benign infrastructure: read, cut, carried, refreshed; what is on them is labelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import warninglist
from pipeline.alert import alert
from pipeline.benign import Benign
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.rule import Level
from pipeline.shell import files, warninglists
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.warninglist import Warninglist, cut, decode, encode, read_misp, wanted
from tests.unit.making import rule


def misp(entries: list[str], kind: str = "cidr", *, of: str = "ip-src", name: str = "L") -> bytes:
    return json.dumps(
        {
            "name": name,
            "version": 3,
            "type": kind,
            "description": "d",
            "list": entries,
            "matching_attributes": [of],
        }
    ).encode()


def read(raw: bytes) -> tuple[Warninglist, int]:
    found = read_misp("slug", raw)
    assert not isinstance(found, str), found
    return found


def entries(raw: bytes) -> tuple[str, ...]:
    return read(raw)[0].entries


def test_networks_in_canonical_form() -> None:
    raw = misp(["10.1.2.3/8", "1.1.1.1", "::FFFF:9270:3d68", "2606:4700::/32", "2606:4700::1"])
    assert entries(raw) == (
        *("1.1.1.1/32", "10.0.0.0/8", "146.112.61.104/32", "2606:4700::/32"),
        "2606:4700::1/128",
    )


@pytest.mark.parametrize("wide", ["0.0.0.0/0", "8.0.0.0/7", "::/0", "2000::/3", "::ffff:0:0/96"])
def test_no_list_calls_half_the_internet_benign(wide: str) -> None:
    one, left_out = read(misp([wide, "1.1.1.1"]))
    assert (one.entries, left_out) == (("1.1.1.1/32",), 1)


def test_names_with_and_without_what_is_below() -> None:
    assert entries(misp(["Bücher.example", "com"], "hostname", of="domain")) == (
        ".xn--bcher-kva.example",
    )
    assert entries(misp([".google.ad", "apple.com"], "string", of="hostname")) == (
        ".google.ad",
        "apple.com",
    )


def test_hashes_of_the_kinds_that_there_are() -> None:
    one, left_out = read(misp(["D41D8CD98F00B204E9800998ECF8427E", "3::"], "string", of="md5"))
    assert (one.of, one.entries, left_out) == ("hashes", ("d41d8cd98f00b204e9800998ecf8427e",), 1)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"{", "no warninglist"),
        (b"[" * 100_000, "no warninglist"),
        (b'{"name": "\xff"}', "no warninglist"),
        (misp(["a"], "regex", of="email-dst"), "type regex"),
        (misp(["a"], "substring", of="domain"), "type substring"),
        (misp(["a"], "string", of="phone-number"), "type string"),
        (misp(["1.1.1.1"], name="a\nb"), "control"),
        (misp(["1.1.1.1"], name="a" * 257), "too long"),
    ],
)
def test_what_is_no_list_of_ours_is_told(raw: bytes, why: str) -> None:
    problem = read_misp("slug", raw)
    assert isinstance(problem, str)
    assert problem.startswith("slug: ")
    assert why in problem
    assert "\n" not in problem


def test_a_cut_comes_back_as_it_was_written() -> None:
    made = cut([("b", misp(["1.1.1.1"])), ("a", misp(["x.example"], "string", of="domain"))])
    assert not made.problems
    assert decode(encode(made.lists)) == made.lists
    assert [one.slug for one in made.lists] == ["a", "b"]


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'["a","A",1,"networks",["1.1.1.1"]]',
        b'["a","A",1,"networks",["0.0.0.0/0"]]',
        b'["a","A",1,"domains",[".com"]]',
        b'["a","A",1,"hashes",["x"]]',
        b'["a","",1,"hashes",[]]',
    ],
)
def test_a_cut_that_was_spoilt_by_hand_is_refused(line: bytes) -> None:
    good = encode(cut([("b", misp(["1.1.1.1"]))]).lists)
    wrong = decode(good + b"\n" + line)
    assert isinstance(wrong, str)
    assert wrong.startswith("line 3: ")


def test_a_cut_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warninglist, "MOST_ENTRIES", 2)
    made = cut([("a", misp(["1.1.1.1", "1.1.1.2"])), ("b", misp(["1.1.1.3"]))])
    assert [one.slug for one in made.lists] == ["a"]
    assert made.problems == ("b: more than 2 entries in all: left out",)
    more = (*made.lists, Warninglist("b", "B", 1, "networks", ("1.1.1.3/32",)))
    assert decode(encode(more)) == "more than 2 entries in all"


def revision(value: str) -> Episode:
    return Episode("id", rule("ip", level=Level.HIGH), value, Change.OPENED, 1, 2, ("AT",), ("a",))


LISTED = Benign([Warninglist("s", "Scanners", 1, "networks", ("198.41.0.0/24",))])


def test_a_listed_indicator_is_labelled_and_its_severity_lowered() -> None:
    found = alert(revision("198.41.0.4"), Geo(), LISTED)
    assert (found.unmapped.known_benign, found.severity_id) == (("Scanners",), 1)


def test_of_another_nothing_is_said() -> None:
    found = alert(revision("198.41.1.4"), Geo(), LISTED)
    assert (found.unmapped.known_benign, found.severity_id) == ((), 4)


def test_the_severity_is_kept_if_one_wants_that() -> None:
    lists = decode((files.carried("warninglists", "lists.jsonl")).read_bytes())
    assert not isinstance(lists, str)
    found = alert(revision("104.16.1.1"), Geo(), Benign(lists, lowers=False))
    assert found.unmapped.known_benign == ("List of known Cloudflare IP ranges",)
    assert found.severity_id == 4


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("ip", "162.142.125.1", "Censys IP Ranges Used for Scanning"),
        ("ip", "2606:4700::1", "List of known Cloudflare IP ranges"),
        ("domain", "www.google.de", "List of known google domains"),
        ("md5", "d41d8cd98f00b204e9800998ecf8427e", "List of known hashes for empty files"),
    ],
)
def test_the_carried_cut_knows(kind: str, value: str, name: str) -> None:
    assert name in files.benign_of(Settings()).lists(kind, value)


@pytest.mark.parametrize("value", ["3.5.140.2", "13.65.0.1", "34.80.0.1"])
def test_what_anybody_may_rent_is_not_benign(value: str) -> None:
    assert files.benign_of(Settings()).lists("ip", value) == ()


def test_a_url_is_not_benign_because_its_host_is() -> None:
    benign = files.benign_of(Settings())
    assert benign.lists("domain", "google.com")
    assert benign.lists("url", "https://google.com/payload.exe") == ()


def test_only_lists_of_the_cut_are_wanted() -> None:
    assert wanted("cloudflare")
    assert wanted("new-one-nt-scanning")
    assert not wanted("amazon-aws")


def checkout(folder: Path, **lists: bytes) -> Path:
    for slug, raw in lists.items():
        (folder / "lists" / slug).mkdir(parents=True)
        (folder / "lists" / slug / "list.json").write_bytes(raw)
    return folder


def test_a_refresh_says_what_changed(tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "cut.jsonl"
    settings = Settings(warninglists=str(target))
    first = checkout(tmp_path / "one", cloudflare=misp(["1.1.1.1"]), fastly=misp(["1.1.2.1"]))
    assert warninglists.run(first, None, settings) == 0
    capsys.readouterr()
    second = checkout(
        tmp_path / "two", cloudflare=misp(["1.1.1.2"]), shodan=b"", sinkholes=misp(["1.1.3.1"])
    )
    assert warninglists.run(second, None, settings) == 0
    assert capsys.readouterr().out.splitlines() == [
        "changed  cloudflare: +1 -1 entries",
        "gone     fastly: +0 -1 entries",
        "new      sinkholes: +1 -0 entries",
        f"{target}: 2 lists, 2 entries",
    ]
    assert files.benign_of(settings).lists("ip", "1.1.1.2")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cut.jsonl"]


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"no lists; a checkout has them in lists/NAME"):
        warninglists.run(tmp_path, None, Settings())


def test_what_was_is_kept_where_nothing_can_be_read(tmp_path: Path) -> None:
    target = tmp_path / "cut.jsonl"
    target.write_text("as it was")
    spoilt = checkout(tmp_path / "one", cloudflare=b"{")
    with pytest.raises(FailedError, match="as it was"):
        warninglists.run(spoilt, target, Settings())
    assert target.read_text() == "as it was"


def test_a_file_that_is_no_cut_is_told(tmp_path: Path) -> None:
    target = tmp_path / "cut.jsonl"
    target.write_text("{}")
    with pytest.raises(WrongUseError, match=r"cut\.jsonl: line 1: not a list of a cut"):
        files.benign_of(Settings(warninglists=str(target)))
