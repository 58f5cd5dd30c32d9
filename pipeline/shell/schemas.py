"""The JSON Schemas in `schemas/`, made from the types.

`python -m pipeline.shell.schemas` writes them anew; `--check` fails if they differ from the types.
Registry and rules are read by hand-written parsers that say what is wrong in words; their schemas
are written by hand, too (`schema_of_registry`, `schema_of_rule`), and a test holds that both agree.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import Label
from pipeline.dead_letter import DeadLetter
from pipeline.event import Event
from pipeline.exercise.control import Control
from pipeline.feedback import SourceFigures
from pipeline.share.counts import Counts
from pipeline.share.ledger import Entry
from pipeline.share.letter import Letter
from pipeline.share.reply import Said
from pipeline.share.ruling import Open, Ruling
from pipeline.share.suppression import Suppression
from pipeline.shell.schema_of_registry import REGISTRY
from pipeline.shell.schema_of_rule import RULE
from pipeline.shell.schema_terms import DIALECT
from pipeline.sight import Progress, Sightings
from pipeline.watch import Watch

FOLDER = Path(__file__).parents[2] / "schemas"


def _of(kind: Any, title: str, description: str) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "title": title,
        "description": description,
        **reference,
        "$defs": components,
    }


def documents() -> dict[str, dict[str, Any]]:
    """Every schema by its file name."""
    return {
        name: {"$id": f"urn:sightline:{name.removesuffix('.json')}", **document}
        for name, document in _documents().items()
    }


def _documents() -> dict[str, dict[str, Any]]:
    return {
        "event.json": _of(
            Event,
            "Event",
            "What Sightline requires of an OCSF 1.5.0 event, and what it reads of it. Any other "
            "attribute is allowed and skipped.",
        ),
        "sightings.json": _of(
            Sightings,
            "Sightings",
            "One record of the sightings topic, as MessagePack: arrays in the order of the fields.",
        ),
        "progress.json": _of(
            Progress,
            "Progress",
            "A record of the sightings topic with the key `progress`, as MessagePack.",
        ),
        "alert.json": _of(Alert, "Alert", "An OCSF 1.5.0 Detection Finding on topic alerts."),
        "campaign.json": _of(Campaign, "Campaign", "A campaign on topic campaigns."),
        "label.json": _of(Label, "Label", "What an analyst says, on topic labels."),
        "watch.json": _of(Watch, "Watch", "An indicator that a partner shared, on topic watches."),
        "letter.json": _of(
            Letter, "Letter", "What a recipient is told, on topic notify.<id>, by webhook or mail."
        ),
        "reply.json": _of(Said, "Reply", "What a recipient writes back, on topic replies.<id>."),
        "delivery.json": _of(
            Entry, "Delivery", "A letter and what became of it, on topic deliveries."
        ),
        "question.json": _of(Open, "Question", "What waits for a person, on topic questions."),
        "ruling.json": _of(Ruling, "Ruling", "What a person decided, on topic rulings."),
        "suppression.json": _of(
            Suppression, "Suppression", "What is told to nobody for a time, on topic suppressions."
        ),
        "alliance-counts.json": _of(
            Counts, "Numbers", "By how many members campaigns were seen, on alliance.<id>.counts."
        ),
        "dead-letter.json": _of(DeadLetter, "Dead letter", "A rejected event on dead-letters."),
        "sensors.json": _of(SourceFigures, "Figures of a source", "A record of the topic sensors."),
        "control.json": _of(Control, "Control", "What an exercise says of itself, on control."),
        "registry.json": REGISTRY,
        "rule.json": RULE,
    }


def render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schemas, or with `--check` say which differ; the exit status."""
    different = []
    for name, document in documents().items():
        path = FOLDER / name
        if arguments == ["--check"]:
            if not path.exists() or path.read_text("utf-8") != render(document):
                different.append(name)
        else:
            path.write_text(render(document), "utf-8")
    for name in different:
        print(f"schemas/{name} differs from the types: make schemas", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
