"""A registry changed in place: one sensor more or less, and every other line as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.registry import Party, Registry, read_registry
from pipeline.shell.access import registry_file
from pipeline.shell.access.registry_file import Change, NewSensor, with_sensor, without_sensor
from pipeline.shell.settings import WrongUseError

TEXT = """\
# the members
[[organisation]]
id = "cz-nren"              # the first
country = "CZ"
name = "Czech research network"
# near the door
[[organisation.sensor]]
id = "cz-nren-hp-1"

# the bank
[[organisation]]
id = "ke-bank"
country = "KE"
name = "A bank in Kenya"
[[organisation.sensor]]
id = "ke-bank-fw-1"  # its wall
country = "TZ"

[[organisation]]
id = "empty"
country = "AT"
name = "None yet"
"""
INLINE = '[[organisation]]\nid = "a"\ncountry = "AT"\nname = "A"\nsensor = [{ id = "a-1" }]\n'


def added(text: str, *asked: str, **more: str) -> Change:
    return with_sensor(text, NewSensor(*asked, **more), "s.toml")


def lines_added(text: str, change: Change) -> list[str]:
    """What was put in, at one place."""
    before, after = text.splitlines(), change.text.splitlines()
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before)
    )
    count = len(after) - len(before)
    assert after[:same] + after[same + count :] == before
    return after[same : same + count]


def test_a_sensor_stands_after_its_organisations_last() -> None:
    change = added(TEXT, "cz-nren")
    assert TEXT.replace(
        'id = "cz-nren-hp-1"\n', 'id = "cz-nren-hp-1"\n[[organisation.sensor]]\nid = "cz-nren-1"\n'
    ) == change.text  # fmt: skip
    assert change.sensor.party == Party("cz-nren", "CZ")
    assert change.topic("x.") == "x.events.cz.cz-nren"


def test_a_sensor_elsewhere_says_where() -> None:
    change = added(TEXT, "cz-nren", "SK", "hp-2")
    assert lines_added(TEXT, change) == [
        "[[organisation.sensor]]", 'id = "hp-2"', 'country = "SK"',
    ]  # fmt: skip
    assert change.registry.sensors["hp-2"] == Party("cz-nren", "SK")


def test_the_first_sensor_of_an_organisation() -> None:
    assert lines_added(TEXT, added(TEXT, "empty")) == ["[[organisation.sensor]]", 'id = "empty-1"']


def test_a_new_organisation_stands_at_the_end() -> None:
    change = added(TEXT, "fr-x", "FR", name='Le "réseau"')
    assert change.text.startswith(TEXT + "\n")
    (found,) = [o for o in change.registry.organisations if o.id == "fr-x"]
    assert (found.name, found.country, [s.id for s in found.sensors]) == (
        'Le "réseau"', "FR", ["fr-x-1"],
    )  # fmt: skip


def test_the_first_of_all() -> None:
    assert added("", "fr-x", "FR").text == (
        '[[organisation]]\nid = "fr-x"\ncountry = "FR"\nname = "fr-x"\n'
        '[[organisation.sensor]]\nid = "fr-x-1"\n'
    )


def test_a_file_without_a_last_line_break() -> None:
    assert lines_added(TEXT, added(TEXT.rstrip("\n"), "empty"))


def test_a_sensor_that_is_there_changes_nothing() -> None:
    change = added(TEXT, "ke-bank", sensor="ke-bank-fw-1")
    assert change.text == TEXT
    assert change.sensor.party == Party("ke-bank", "TZ")


def test_an_id_is_made_up_that_nobody_has_or_had() -> None:
    text = added(TEXT, "empty").text
    change = with_sensor(text, NewSensor("empty"), "s.toml", taken={"empty-2"})
    assert change.sensor.id == "empty-3"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (NewSensor("new"), "organisation 'new' is new: say where it is"),
        (NewSensor("new", "XX"), "country 'XX'"),
        (NewSensor("cz-nren", "C1"), "country 'C1'"),
        (NewSensor("Ä", "AT"), "may hold only a-z"),
        (NewSensor("cz-nren", sensor="ke-bank-fw-1"), "is there, of ke-bank in TZ"),
        (NewSensor("ke-bank", "KE", sensor="ke-bank-fw-1"), "a sensor that moved is another"),
        (NewSensor("cz-nren", sensor='"\nid = "x'), "control character"),
    ],
)
def test_what_cannot_be_added_is_said_in_one_line(asked: NewSensor, said: str) -> None:
    with pytest.raises(WrongUseError) as caught:
        with_sensor(TEXT, asked, "s.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_taking_away_leaves_the_comments_of_others() -> None:
    assert without_sensor(TEXT, "cz-nren-hp-1", "s.toml").text == TEXT.replace(
        '[[organisation.sensor]]\nid = "cz-nren-hp-1"\n', ""
    )
    change = without_sensor(TEXT, "ke-bank-fw-1", "s.toml")
    assert "# the bank\n" in change.text
    assert "its wall" not in change.text
    assert change.sensor.party == Party("ke-bank", "TZ")


def test_what_is_not_understood_is_left_alone() -> None:
    with pytest.raises(WrongUseError, match="no sensor 'x'"):
        without_sensor(TEXT, "x", "s.toml")
    with pytest.raises(WrongUseError, match="written in line"):
        without_sensor(INLINE, "a-1", "s.toml")
    with pytest.raises(WrongUseError, match="written in line"):
        added(INLINE, "a")
    with pytest.raises(WrongUseError, match=r"s\.toml:1: not TOML"):
        added("[[", "a", "AT")


@settings(deadline=None)
@given(st.data(), st.lists(st.sampled_from(["ab", "cd", "ef"]), min_size=1, max_size=8))
def test_any_way_there_and_back(data: st.DataObject, organisations: list[str]) -> None:
    """Whatever is added and taken away, the file says what is left, and comments stay."""
    text, left = TEXT, {"cz-nren-hp-1", "ke-bank-fw-1"}
    for organisation in organisations:
        change = added(text, organisation, data.draw(st.sampled_from(["AT", "DE", "SK"])))
        text, left = change.text, {*left, change.sensor.id}
    for sensor in data.draw(st.permutations(sorted(left))):
        text = without_sensor(text, sensor, "s.toml").text
        left.remove(sensor)
        registry, problems = read_registry(text)
        assert registry is not None, problems
        assert set(registry.sensors) == left
    kept = [line for line in TEXT.splitlines() if line.startswith("#")]
    assert [line for line in text.splitlines() if line.startswith("#")] == kept


def test_a_file_is_replaced_as_a_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sensors.toml"
    assert registry_file.read(path) == ""
    registry_file.write(path, TEXT)
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    registry_file.write(link, TEXT + "\n")
    assert link.is_symlink()
    assert registry_file.read(path) == TEXT + "\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["sensors.toml"]


def test_an_empty_registry_has_no_sensors() -> None:
    assert Registry(()).sensors == {}
