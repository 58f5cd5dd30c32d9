"""The files a run is made from; whatever is wrong with one is said as wrong use."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.geo import Origin
from pipeline.registry import Party
from pipeline.shell.checking import listed
from pipeline.shell.files import carried, geo_of, read_text, registry_of, rules_of
from pipeline.shell.settings import Settings, WrongUseError

SENSORS = '[[organisation]]\nid = "a"\ncountry = "CZ"\nname = "A"\n'
RULE = """\
title: {title}
id: 5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a1{last}
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 1h
  condition: {{field: country, gte: 3}}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_what_is_carried_is_there() -> None:
    assert carried("marx", "sensors.toml").is_file()
    assert carried("geoip", "geo-whois-asn-country.mmdb").is_file()
    assert list(carried("rules").glob("*.yml"))


def test_a_registry_is_read(tmp_path: Path) -> None:
    registry = registry_of(write(tmp_path / "s.toml", SENSORS), "x.")
    assert registry.topics("x.") == {"x.events.cz.a": Party("a", "CZ")}


def test_everything_wrong_with_a_registry_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "s.toml", SENSORS.replace("CZ", "UK") + 'colour = "red"\n')
    with pytest.raises(WrongUseError) as caught:
        registry_of(path)
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        f"{path}:3",
        f"{path}:5",
    ]


def test_a_prefix_counts_into_a_topic_s_length(tmp_path: Path) -> None:
    path = write(tmp_path / "s.toml", SENSORS)
    with pytest.raises(WrongUseError, match="Kafka allows 249"):
        registry_of(path, "x" * 240)


def test_a_long_list_of_problems_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "s.toml", "".join(f"key{n} = 1\n" for n in range(50)))
    with pytest.raises(WrongUseError) as caught:
        registry_of(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 30 more"


def test_rules_of_a_folder_are_those_that_check_looks_at(tmp_path: Path) -> None:
    """A folder that Kubernetes mounts has all files once more, in a hidden folder."""
    write(tmp_path / "one.YML", RULE.format(title="one", last=1))
    write(tmp_path / "..2026_01_01" / "one.YML", RULE.format(title="one", last=1))
    write(tmp_path / ".one.yml.swp.yml", "what an editor: left")
    write(tmp_path / "deep" / "two.yaml", RULE.format(title="two", last=2))
    write(tmp_path / "three.yxml", "no rule: at all")
    assert sorted(rule.title for rule in rules_of(tmp_path)) == ["one", "two"]
    assert [path.name for path in sorted(listed([tmp_path]))] == ["two.yaml", "one.YML"]


def test_rules_of_a_file_and_of_a_folder(tmp_path: Path) -> None:
    one = write(tmp_path / "a.yml", RULE.format(title="one", last=1))
    write(tmp_path / "deeper" / "b.yaml", RULE.format(title="two", last=2))
    write(tmp_path / "c.txt", "no rule")
    assert [rule.title for rule in rules_of(one)] == ["one"]
    assert [rule.title for rule in rules_of(tmp_path)] == ["one", "two"]


def test_by_default_the_project_s_rules() -> None:
    assert rules_of(None) == rules_of(carried("rules"))
    assert len(rules_of(None)) > 10


def test_ids_are_unique_over_the_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        write(tmp_path / name, RULE.format(title="one", last=1))
    with pytest.raises(WrongUseError, match="is taken by a rule of .*a.yml"):
        rules_of(tmp_path)


def test_a_broken_rule_stops_all(tmp_path: Path) -> None:
    write(tmp_path / "a.yml", RULE.format(title="one", last=1))
    write(tmp_path / "b.yml", "title: x\n")
    with pytest.raises(WrongUseError, match=r"b\.yml:1: id is missing"):
        rules_of(tmp_path)


def test_a_folder_without_rules_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="no rules"):
        rules_of(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"none: No such file"):
        read_text(tmp_path / "none")
    with pytest.raises(WrongUseError, match="Is a directory"):
        read_text(tmp_path)
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(WrongUseError, match="latin: not UTF-8"):
        read_text(tmp_path / "latin")


def test_a_file_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(WrongUseError, match="larger than 64 MiB"):
        read_text(path)


def test_the_carried_database_is_the_default() -> None:
    assert geo_of(Settings()).origin("8.8.8.8") == Origin("US")


def test_another_database_may_be_set(tmp_path: Path) -> None:
    carried_one = str(carried("geoip", "geo-whois-asn-country.mmdb"))
    geo = geo_of(Settings(geoip_db=carried_one, geoip_asn_db=carried_one))
    assert geo.origin("8.8.8.8") == Origin("US")
    broken = write(tmp_path / "broken.mmdb", "not a database")
    for settings in (
        Settings(geoip_db=str(broken)),
        Settings(geoip_asn_db=str(broken)),
        Settings(geoip_db=str(tmp_path / "none.mmdb")),
    ):
        with pytest.raises(WrongUseError, match=r"\.mmdb"):
            geo_of(settings)
