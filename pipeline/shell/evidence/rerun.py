"""The alerts that a pack's events come to: when it is made, and again by whoever has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

import pipeline
from pipeline import __version__
from pipeline.alert import Alert
from pipeline.decode import Rejection
from pipeline.registry import Party, Registry, read_registry
from pipeline.rule import Rule
from pipeline.rule_file import read_rules
from pipeline.share.evidence import Parameters
from pipeline.shell import files
from pipeline.shell.offline import OfflineRun, alerts
from pipeline.shell.settings import FailedError, Settings
from pipeline.watch import Watch


def code_digest() -> str:
    """SHA-256 over the paths and digests of the program's files: which code it was."""
    root = Path(pipeline.__file__).parent
    told = "".join(
        f"{file_digest(path)}  {path.relative_to(root).as_posix()}\n"
        for path in sorted(root.rglob("*.py"))
    )
    return sha256(told.encode()).hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def parameters(settings: Settings, published: Mapping[str, str]) -> Parameters:
    """What an alert comes of, beside events, registry and rules."""
    return Parameters(
        __version__,
        code_digest(),
        settings.lateness_ms,
        settings.known_benign,
        file_digest(files.geoip_path(settings)),
        file_digest(Path(settings.geoip_asn_db)) if settings.geoip_asn_db else "",
        file_digest(files.warninglists_path(settings)),
        dict(published),
        settings.exercise,
    )


def run(
    events: Iterable[str],
    registry: Registry,
    rules: Sequence[Rule],
    settings: Settings,
    exercise: str,
    watches: Iterable[Watch] = (),
) -> list[Alert]:
    """All alerts of some events in order of time, as they end. `exercise`: whose they are;
    `watches`: what partners shared, besides.
    """
    geo, benign = files.geo_of(settings), files.benign_of(settings)
    offline = OfflineRun(
        registry, rules, settings.lateness_ms,
        benign=benign, geo=geo, watches=watches, exercise=exercise,
    )  # fmt: skip

    def refuse(line: int, rejection: Rejection) -> None:
        raise FailedError(f"event {line} of the pack: {rejection.reason}: {rejection.detail}")

    by_rules = list(
        alerts(offline.episodes((e.encode() for e in events), refuse), geo, benign, exercise)
    )
    return by_rules + offline.watched()


def watches_of(told: Iterable[Alert]) -> list[Watch]:
    """What was watched for, as the alerts on it say: of when it was of interest they hold all."""
    found = []
    for alert in told:
        said, one = alert.unmapped.watch, alert.observables[0]
        if said is not msgspec.UNSET:
            fields = {**msgspec.structs.asdict(said), "type": one.name, "value": one.value}
            found.append(msgspec.convert(fields, Watch))
    return found


def reduced(registry: Registry, involved: Iterable[Party]) -> str:
    """The registry as a pack holds it: sensors of those involved, of others only how many.

    How likely a spread is by chance is told by the number of countries and organisations that
    could have seen it; who the others are is nobody's business.
    """
    shown = {party.organisation for party in involved}
    rows = ["# As far as these alerts need it: of others, only that they are there.\n"]
    for number, of in enumerate(registry.organisations, 1):
        name = of.id if of.id in shown else f"other-{number}--"
        rows.append(f'[[organisation]]\nid = "{name}"\ncountry = "{of.country}"\nname = "{name}"\n')
        if of.id in shown:
            labels = (("tlp", of.conditions.tlp), ("pap", of.conditions.pap))
            rows += [f'{key} = "{label}"\n' for key, label in labels if label is not None]
            stand = [(sensor.id, sensor.party.country) for sensor in of.sensors]
        else:
            stand = [(f"{name}{n}", party.country) for n, party in enumerate(of.parties, 1)]
        for sensor, country in stand:
            rows.append(
                f'[[organisation.sensor]]\nid = {files.toml_text(sensor)}\ncountry = "{country}"\n'
            )
    return "".join(rows)


def read_inputs(pack: Mapping[str, bytes]) -> tuple[Registry, list[Rule]]:
    """Registry and rules of a pack that was verified."""
    registry, problems = read_registry(pack["registry.toml"].decode(), "registry.toml")
    rules: list[Rule] = []
    for name, content in sorted(pack.items()):
        if name.startswith("rules/"):
            good, wrong = read_rules(content.decode(), name)
            rules += good
            problems += wrong
    files.refuse(problems)
    assert registry is not None
    return registry, rules
