"""Rules that ask more of events than who saw, by real workers of which one is killed."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from pipeline.shell import marx
from tests.integration.conftest import Broker
from tests.integration.harness import Pipeline

pytestmark = pytest.mark.kafka

BASE = """
title: Port {port}
name: port_{port}
logsource: {{category: network}}
detection:
  port: {{dst_endpoint.port: {port}}}
  own: {{src_endpoint.ip|cidr: 10.0.0.0/8}}
  condition: port and not own
---"""
RULE = """
title: {title}
id: 3d0f7f0e-9d52-4b3c-8a55-0d9d7f3f2b0{n}
correlation:
  type: {type}
  rules: [{rules}]
  group-by: [{by}]
  timespan: 1h
  condition: {condition}
---"""
ASKED = (
    ("selected", "value_count", "port_22, port_1433", "ip", "{field: country, gte: 2}"),
    ("origins", "value_count", "port_22, port_1433", "user_agent", "{field: origin_country, gte: 3}"),
    ("many", "event_count", "port_22", "ip", "{gte: 6, countries_gte: 2}"),
    ("both", "temporal", "port_22, port_3389", "user_agent", "{countries_gte: 3}"),
    ("in order", "temporal_ordered", "port_1433, port_3306", "user_agent", "{countries_gte: 3}"),
)  # fmt: skip


def rules() -> str:
    bases = "".join(BASE.format(port=port) for port in (22, 1433, 3306, 3389))
    return bases + "".join(
        RULE.format(title=title, n=n, type=of, rules=bases, by=by, condition=condition)
        for n, (title, of, bases, by, condition) in enumerate(ASKED)
    )


def events(count: int) -> tuple[list[str], list[bytes]]:
    """The first of the carried attacks, every third under one of two user agents, some twice."""
    rows = list(islice(marx.carried(), count))
    lines = []
    for n, event in enumerate(marx.events(rows)):
        said = json.loads(event)
        if n % 3 == 0:
            said["http_request"] = {"user_agent": f"agent {n % 2}"}
        lines.append(json.dumps(said).encode())
    return [row.host for row in rows], lines


def test_alerts_equal_the_offline_run(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(rules())
    pipeline = Pipeline(broker.bootstrap, "asking.", path)
    pipeline.create_topics()
    hosts, lines = events(12_000)
    addressed = list(zip((pipeline.topic_of[host] for host in hosts), lines, strict=True))
    with pipeline.worker(), pipeline.worker() as second:
        pipeline.produce(addressed[:7_000])
        second.kill()
        pipeline.produce(addressed[5_000:])  # some of them twice
        pipeline.caught_up()
    alerts = pipeline.alerts()
    assert alerts == pipeline.offline(lines)
    assert {alert[0] for alert in alerts} == {rule.id for rule in pipeline.rules}
