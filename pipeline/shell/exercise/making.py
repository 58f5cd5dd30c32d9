"""What an exercise is begun with: its scenario, the worlds that tell of it, and logins."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from pipeline.exercise.cexf import Scenario
from pipeline.exercise.payload import WORLD, Fault, options_of, told, world_of
from pipeline.shell import files
from pipeline.shell.access.cli import admit
from pipeline.shell.access.grants import Principal, Role
from pipeline.shell.exercise.folder import Folder
from pipeline.shell.settings import Settings, WrongUseError
from pipeline.world.truth import Truth


def one_world(exercise: str, options: dict[str, int]) -> bytes:
    """A scenario of one world, in CEXF."""
    inject, payload = str(uuid.uuid4()), str(uuid.uuid4())
    document: dict[str, Any] = {
        "exercise": {
            "uuid": str(uuid.uuid4()), "name": f"World {options['seed']}",
            "description": "Attacks of six kinds in a synthetic world", "namespace": "sightline",
            "tags": ['exercise:generic="comcheck"'], "total_duration": "0", "version": "1",
            "meta": {"made-by": "sightline exercise start", "exercise": exercise},
        },
        "inject_flow": [
            {"inject_uuid": inject, "description": "All of it", "timing": {"triggered_at": None},
             "sequence": {"trigger": ["startex"]}, "requirements": {}, "reporting_callback": []}
        ],
        "inject_payloads": [
            {"uuid": payload, "name": "world", "type": WORLD, "parameters": options}
        ],
        "injects": [
            {"uuid": inject, "name": "world", "action": "sensor_events",
             "action_payload_resource_uuid": payload, "target_tool": "Sightline",
             "inject_evaluation": []}
        ],
    }  # fmt: skip
    return json.dumps(document, indent=2).encode()


def worlds(scenario: Scenario, folder: Folder, started: int, sensors: Path | None) -> list[Truth]:
    """Write the registry, and what its worlds tell; what is true of them."""
    each = [one for one in scenario.payloads.values() if one.type == WORLD]
    if len(each) > 1 or bool(each) == bool(sensors):
        raise WrongUseError("a scenario has one world, or else --sensors names the teams' registry")
    if sensors is not None:
        folder.write("sensors.toml", files.read_text(sensors).encode())
        return []
    (payload,) = each
    options = options_of(payload)
    if isinstance(options, Fault):
        raise WrongUseError(options.message)
    world = world_of(options)
    # A minute before now: no sensor's clock makes it an event from the future.
    moved = told(world, started - 60_000, folder.exercise)
    folder.write("sensors.toml", world.registry.encode())
    lines = (b"%s\t%s\n" % (sensor.encode(), raw) for sensor, raw in moved.events)
    folder.write(f"world-{payload.uuid}.events", b"".join(lines))
    return list(moved.truths)


def logins(lane: Settings, teams: tuple[str, ...], out: Path) -> None:
    """Make them, for a worker and each team, and say where they are."""
    from pipeline.shell.access.principals import Principals

    principals = Principals(lane)
    wanted = [
        Principal(Role.WORKER, "lane"),
        *(Principal(Role.READER, team.lower()) for team in teams),
        *(Principal(Role.OPERATOR, team.lower()) for team in teams),
    ]
    for principal in wanted:
        admit(principals, principal, lane, out, renew=False)
    print(f"logins   {out}: a worker's, and a reader's and an operator's for each team")
