"""Who takes part in the demo, and with what: organisations, logs, rows, settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from pipeline.adapter.catalogue import BY_NAME
from pipeline.adapter.conversion import Conversion, Rejected
from pipeline.adapter.instant import Clock
from pipeline.registry import Party, Registry
from pipeline.rule import Rule
from pipeline.shell import files, marx
from pipeline.shell.ports import free_port
from pipeline.shell.settings import FailedError, Settings

OUT = Path("var/demo")


class Log(Struct, frozen=True):
    """A sensor's native log, as it lies on its disk."""

    format: str
    sensor: str
    path: Path

    def events(self, now_ms: int) -> Iterator[bytes]:
        """What is good of it, as `sightline convert` would have it."""
        conversion = Conversion(BY_NAME[self.format], self.sensor, Clock(now_ms))
        found: list[bytes | Rejected] = []
        for number, line in enumerate(self.path.read_bytes().splitlines(keepends=True), 1):
            found += conversion.feed(line, number)
        found += conversion.end()
        return (one for one in found if not isinstance(one, Rejected))


class Cast(Struct, frozen=True):
    """All of them. `first` are the logs that the story begins with, `later` is one country more."""

    settings: Settings
    registry: Registry
    rules: list[Rule]
    first: list[Log]
    later: Log
    rows: list[marx.Row]
    start: datetime
    end: datetime
    out: Path

    def party(self, native: Log) -> Party:
        return self.registry.sensors[native.sensor]

    def name(self, native: Log) -> str:
        """What its organisation is called."""
        of = self.party(native).organisation
        return next(one.name for one in self.registry.organisations if one.id == of)

    def countries(self, logs: list[Log]) -> list[str]:
        return sorted({self.party(native).country for native in logs})


def cast(start: datetime, end: datetime, out: Path) -> Cast:
    """All that takes part; `out` is where the demo leaves what may be looked at afterwards."""
    rows = list(marx.carried(start, end))
    if not rows:
        raise FailedError(f"there are no events between {start} and {end}")
    sensors = _sensors(out)
    first = [
        Log("suricata", "cz-nren-ids", files.carried("demo", "cz-eve.json")),
        Log("cowrie", "ke-bank-hp", files.carried("demo", "ke-cowrie.json")),
        Log("zeek", "br-uni-nsm", files.carried("demo", "br-zeek.json")),
    ]
    return Cast(
        settings=Settings(
            sensors=str(sensors),
            metrics_port=free_port(),
            serve_port=0,
            lane="demonstration",
            # Three weeks pass in a minute: nobody is idle for being waited for.
            source_idle_after="10m",
        ),
        registry=files.registry_of(sensors),
        rules=files.rules_of(None),
        first=first,
        later=Log("sshd", "pt-clinic-bastion", files.carried("demo", "pt-auth.log")),
        rows=rows,
        start=start,
        end=end,
        out=out,
    )


def _sensors(out: Path) -> Path:
    """One registry of those of the logs and those of the replay."""
    path = out / "sensors.toml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "\n".join(
                files.carried(of, "sensors.toml").read_text("utf-8") for of in ("demo", "marx")
            ),
            "utf-8",
        )
    except OSError as error:
        raise FailedError(f"{path}: {error.strerror}; --out says where to write") from None
    return path
