"""The carried Marx data set is read whole, and each of its rows is a valid OCSF event."""

import hashlib
import json
import lzma
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from pipeline.shell import marx

HEADER = "datetime,host,src,proto,type,spt,dpt\n"
TCP = "2013-03-03 21:53:59,groucho-oregon,1032051418,TCP,,6000,1433\n"
ICMP = "2013-03-03 21:54:00,groucho-eu,1032051418,ICMP,8,,\n"
PUBLISHED_SHA256 = "7e980a4d5fc09468e9b66efb87eb1024ff9184e38353ce6d8e98ac7162bc041a"


@pytest.fixture(scope="module")
def whole() -> list[marx.Row]:
    return list(marx.carried())


@pytest.fixture(scope="module")
def network_activity() -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0"))
    # `device` belongs to the profile `host`, which the events therefore name.
    return Draft202012Validator(schema.get_class_schema("network_activity", ["host"]))


def test_a_row_is_read_as_utc_and_dotted() -> None:
    assert list(marx.rows([HEADER, TCP, ICMP])) == [
        marx.Row(
            1362347639000, "groucho-oregon", "61.131.218.218", "TCP", None, 6000, 1433, number=1
        ),
        marx.Row(1362347640000, "groucho-eu", "61.131.218.218", "ICMP", 8, None, None, number=2),
    ]


def test_exact_duplicates_are_distinct_arrivals() -> None:
    uids = [
        json.loads(event)["metadata"]["uid"]
        for event in marx.events(marx.rows([HEADER, TCP, TCP, ICMP]))
    ]
    assert uids == ["groucho-oregon-1", "groucho-oregon-2", "groucho-eu-3"]


@pytest.mark.parametrize(
    "lines", [[TCP], [HEADER, "2013\n"], [HEADER, TCP.replace("1032051418", "4294967296")]]
)
def test_another_file_is_refused_with_the_line(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=f"line {len(lines)} is"):
        list(marx.rows(lines))


def test_the_whole_set_is_carried_unchanged(whole: list[marx.Row]) -> None:
    assert len(whole) == 451_581
    assert [row.number for row in whole] == list(range(1, 451_582))
    packed = (files("pipeline") / "data" / "marx" / "marx.csv.xz").read_bytes()
    assert hashlib.sha256(lzma.decompress(packed)).hexdigest() == PUBLISHED_SHA256


def test_a_part_of_the_set_keeps_the_numbers_of_its_rows(whole: list[marx.Row]) -> None:
    start, end = datetime(2013, 3, 4, tzinfo=UTC), datetime(2013, 3, 5, tzinfo=UTC)
    part = [r for r in whole if 1362355200000 <= r.time_ms < 1362441600000]
    assert part
    assert list(marx.carried(start=start, end=end)) == part
    with pytest.raises(TypeError):
        next(marx.carried(start=datetime(2013, 3, 4)))  # noqa: DTZ001


def test_every_host_is_a_sensor_of_the_registry(whole: list[marx.Row]) -> None:
    registry = tomllib.loads((files("pipeline") / "data" / "marx" / "sensors.toml").read_text())
    sensors = [s["id"] for o in registry["organisation"] for s in o["sensor"]]
    assert sorted(sensors) == sorted({row.host for row in whole})
    assert {o["country"] for o in registry["organisation"]} == {"US", "JP", "SG", "AU", "BR", "IE"}


@pytest.mark.parametrize("proto", ["TCP", "UDP", "ICMP"])
def test_events_are_valid_ocsf(
    whole: list[marx.Row], network_activity: Draft202012Validator, proto: str
) -> None:
    of_proto = [row for row in whole if row.proto == proto]
    sample = islice(of_proto, 0, None, len(of_proto) // 100)
    for event in marx.events(sample):
        network_activity.validate(json.loads(event))


def test_the_schema_would_object(network_activity: Draft202012Validator) -> None:
    """Guard the proof above: a schema that lets everything pass proves nothing."""
    (event,) = map(json.loads, marx.events(marx.rows([HEADER, TCP])))
    assert network_activity.is_valid(event)
    for part in ("time", "metadata", "severity_id"):
        assert not network_activity.is_valid({k: v for k, v in event.items() if k != part})
    assert not network_activity.is_valid(event | {"device": {"uid": "groucho-oregon"}})
    assert not network_activity.is_valid(event | {"dst_endpoint": {"port": 1433}})
    assert not network_activity.is_valid(event | {"colour": "red"})


def test_an_event_is_compact_and_says_what_the_row_says() -> None:
    first, second = marx.events(marx.rows([HEADER, TCP, ICMP]))
    assert b" " not in first.replace(b"Data-Driven Security", b"")
    event = json.loads(first)
    assert event["time"] == 1362347639000
    assert event["device"]["uid"] == "groucho-oregon"
    assert event["src_endpoint"] == {"ip": "61.131.218.218", "port": 6000}
    assert event["dst_endpoint"] == {"name": "groucho-oregon", "port": 1433}
    assert event["connection_info"]["protocol_name"] == "tcp"
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert json.loads(second)["unmapped"] == {"icmp_type": 8}
