"""`sightline topics`: they are created, and those that are there are checked, or mended."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from pipeline.shell import files, topic_config
from pipeline.shell.printable import printable
from pipeline.shell.settings import Settings
from pipeline.shell.topics import ensure, wanted


def run(settings: Settings, *, mend: bool) -> int:
    """The exit status: 1 where a topic's configuration makes alerts wrong and was not mended."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # an error is told in one line
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    checked = asyncio.run(ensure(registry, settings))
    for name, partitions in checked.partitions.items():
        made = "created" if name in checked.created else "there"
        print(f"{made:8} {name} ({partitions} partitions)")
    topics = wanted(registry, settings)
    found = topic_config.check(settings, topics)
    if isinstance(found, str):
        why = f"their configuration could not be checked: {found}"
        print(printable(why), file=sys.stderr)
        return 0
    grave = [mismatch for mismatch in found if mismatch.grave]
    for mismatch in found:
        if not mismatch.grave:
            print(printable(f"unwise   {mismatch}"), file=sys.stderr)
    if mend:
        topic_config.mend(settings, grave)
        for mismatch in grave:
            print(f"mended   {mismatch.topic}: {mismatch.key}={mismatch.value}")
        return 0
    for mismatch in grave:
        print(printable(f"wrong    {mismatch}"), file=sys.stderr)
    if grave:
        print("to mend it: `sightline topics --apply`, or", file=sys.stderr)
    for topic in dict.fromkeys(mismatch.topic for mismatch in grave):
        print(printable(f"  {topic_config.command(settings, topic, grave)}"), file=sys.stderr)
    return 1 if grave else 0
