"""Configurations for other shippers: as far as they can be held without these programs."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Producer

from pipeline.shell.access.join import Bundle

FOLDER = Path(__file__).parents[2] / "deploy" / "sensor"
VARIABLES = {f"SIGHTLINE_{name}" for name in ("BROKER", "TOPIC", "SENSOR", "USER", "PASSWORD")}
# What an event must have, and what of EVE is the indicator.
NEEDED = ("time", "metadata", "uid", "device", "src_endpoint", "ip")


def vector() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "vector.toml").read_text("utf-8"))


def fluent_bit() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "fluent-bit.yaml").read_text("utf-8"))
    return found


def test_vector_is_wired_from_file_to_kafka() -> None:
    config = vector()
    assert set(config) == {"data_dir", "sources", "transforms", "sinks"}
    parts = config["sources"] | config["transforms"] | config["sinks"]
    assert {name: part["type"] for name, part in parts.items()} == {
        "eve": "file",
        "event": "remap",
        "sightline": "kafka",
    }
    for part in parts.values():
        assert set(part.get("inputs", ())) <= parts.keys()
    sink = config["sinks"]["sightline"]
    assert sink["sasl"]["mechanism"] == "SCRAM-SHA-512"
    assert sink["tls"]["enabled"]
    assert sink["sasl"]["enabled"]
    assert sink["acknowledgements"]["enabled"]
    assert sink["buffer"]["max_size"] >= 268_435_488  # Vector takes no smaller one on disk


def test_vector_s_program_makes_an_event() -> None:
    program = vector()["transforms"]["event"]["source"]
    for pair in ("{}", "()", "[]"):
        assert program.count(pair[0]) == program.count(pair[1])
    made = program[program.index(". = {") :]
    for name in NEEDED:
        assert f'"{name}"' in made
    # Every variable of the program is assigned before it is used.
    for name in ("said", "time", "name"):
        assert program.index(f"{name} =") < program.rindex(name)


def test_fluent_bit_is_wired_from_file_to_kafka() -> None:
    config = fluent_bit()
    assert set(config) == {"service", "parsers", "pipeline"}
    pipeline = config["pipeline"]
    ((source,), (filter_,), (out,)) = (pipeline[k] for k in ("inputs", "filters", "outputs"))
    assert (source["name"], filter_["name"], out["name"]) == ("tail", "lua", "kafka")
    assert source["tag"] == filter_["match"] == out["match"]
    assert source["parser"] in {parser["name"] for parser in config["parsers"]}
    assert f"function {filter_['call']}(" in filter_["code"]
    assert out["rdkafka.security.protocol"] == "SASL_SSL"
    assert out["rdkafka.sasl.mechanism"] == "SCRAM-SHA-512"
    for name in NEEDED:
        assert re.search(rf"\b{name}\b", filter_["code"])


def test_librdkafka_takes_what_fluent_bit_hands_on() -> None:
    (out,) = fluent_bit()["pipeline"]["outputs"]
    options = {k.removeprefix("rdkafka."): v for k, v in out.items() if k.startswith("rdkafka.")}
    del options["ssl.ca.location"]  # a file of the sensor's
    Producer(options | {"bootstrap.servers": "127.0.0.1:1", "log_level": 0})


def test_fluent_bit_s_program_is_lua() -> None:
    program = fluent_bit()["pipeline"]["filters"][0]["code"]
    opened = len(re.findall(r"\b(?:function|if)\b", program))
    assert opened == len(re.findall(r"\bend\b", program))
    if lua := next(
        filter(None, map(shutil.which, ("luac", "luac5.4", "luac5.3", "luac5.1"))), None
    ):
        subprocess.run([lua, "-p", "-"], input=program.encode(), check=True)


def test_all_variables_are_said_and_are_what_a_sensor_is_handed() -> None:
    for name in ("vector.toml", "fluent-bit.yaml"):
        text = (FOLDER / name).read_text("utf-8")
        used = set(re.findall(r"\$\{(\w+)\}", text)) | set(re.findall(r'getenv\("(\w+)"', text))
        assert used == VARIABLES, name
    head = (FOLDER / "vector.toml").read_text("utf-8").split("\n\n")[0]
    assert all(name in head for name in VARIABLES)
    handed = set(Bundle.__struct_fields__)
    assert {"broker", "topic", "sensor", "sasl_username", "password"} <= handed
