"""`sightline evidence`: packs that others verify without this software."""

from __future__ import annotations

import asyncio
import secrets
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.campaign import decode as decode_campaign
from pipeline.share import neutral
from pipeline.share.evidence import (
    EVENTS,
    PARAMETERS,
    SALT_BYTES,
    Parameters,
    alert_digest,
    fingerprint,
    pack,
    read_line,
    redacted,
)
from pipeline.shell import files, observe
from pipeline.shell.audit_log import AuditLog, actor, audit_path
from pipeline.shell.evidence import gathering, packing, rerun, standalone
from pipeline.shell.printable import printable
from pipeline.shell.settings import FailedError, Settings, WrongUseError, load
from pipeline.shell.signing import make_key, read_private_key

group = typer.Typer(no_args_is_help=True, help="Packs of evidence, verified without this software.")

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Pack = Annotated[Path, typer.Argument(metavar="PACK", help="Its folder.")]
Key = Annotated[Path | None, typer.Option("--key", help="The signer's public key, PEM.")]


@group.command("pack")
def pack_(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of an alert or a campaign.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    events: Annotated[
        Path | None, typer.Option(help="Recorded events; by default they come from the topics.")
    ] = None,
    alerts: Annotated[Path | None, typer.Option(help="Alerts in a file, with --events.")] = None,
    campaigns: Annotated[
        Path | None, typer.Option(help="Campaigns in a file, with --events.")
    ] = None,
    judgement: Annotated[
        Path | None, typer.Option(help="TOML: what an analyst holds beyond what was recorded.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="To sign with; by default this installation's.")
    ] = None,
    config: Config = None,
) -> None:
    """Gather the events behind an alert or a campaign, and sign for them."""
    settings = load(config)
    if (events is None) != (alerts is None):
        raise WrongUseError("--events and --alerts belong together: both from a file, or neither")
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    rules = packing.rules_by_id(settings)
    said = _judgement(judgement) if judgement else None
    known = _alerts_in(alerts) if alerts else asyncio.run(observe.alerts(settings))
    campaign = _campaign(settings, identity, campaigns, offline=events is not None)
    told = _told(identity, known, campaign)
    wanted = gathering.wanted(told, {uid: rule for uid, (_, rule) in rules.items()})
    found = (
        gathering.in_file(events, wanted, registry.sensors)
        if events
        else asyncio.run(gathering.in_topics(settings, registry, wanted))
    )
    private = key or _key_path()
    if key is None and not private.exists():
        make_key(private, private.with_name("evidence.public.pem"))
    signer = read_private_key(private)
    gathered = packing.made(
        identity, told, campaign, found, registry, rules, settings, said, signer
    )
    salts = [secrets.token_bytes(SALT_BYTES) for _ in found]
    files_ = pack(gathered, salts, time.time_ns() // 1_000_000, actor(), signer)
    packing.write(out, files_)
    AuditLog(audit_path(settings)).append(
        actor(), "evidence-packed", identity, events=len(found), alerts=len(told)
    )
    print(printable(f"{out}: {len(told)} alerts, {len(found)} events"))
    print(f"signed by {fingerprint(signer.public_key())}")


@group.command()
def redact(
    folder: Pack,
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    organisation: Annotated[
        list[str] | None, typer.Option(help="Withhold the events of this one.")
    ] = None,
    line: Annotated[
        list[int] | None, typer.Option(help="Withhold this line of events.jsonl.")
    ] = None,
    config: Config = None,
) -> None:
    """Withhold some events: what is left verifies under the same signature."""
    if not (organisation or line):
        raise WrongUseError("--organisation ID or --line N: what is to be withheld")
    settings = load(config)
    files_ = packing.read(folder)
    before = packing.verified(files_, None)
    files_[EVENTS] = redacted(files_[EVENTS], set(line or ()), set(organisation or ()))
    after = packing.verified(files_, None)
    if after.withheld == before.withheld:
        raise WrongUseError(f"{folder}: no such events are shown in it")
    packing.write(out, files_)
    AuditLog(audit_path(settings)).append(
        actor(), "evidence-redacted", before.about, withheld=after.withheld, of=after.events
    )
    print(printable(f"{out}: {after.withheld} of {after.events} events withheld"))
    print("registry, statements and alerts still name who took part")


@group.command()
def verify(folder: Pack, key: Key = None) -> None:
    """What the script in the pack says; without openssl, by this installation."""
    found = packing.verified(packing.read(folder), _der(key))
    print(printable(f"verified: {found.kind} {found.about}"))
    print(f"{found.alerts} alerts; {found.events} events, {found.withheld} of them withheld")
    if key is None:
        print("The key came with the pack: --key FILE for one that you had another way.")


@group.command("rerun")
def rerun_(folder: Pack, key: Key = None, config: Config = None) -> None:
    """Correlate a pack's events again, and compare what comes of it with what was signed."""
    files_ = packing.read(folder)
    found = packing.verified(files_, _der(key))
    stated = msgspec.json.decode(files_[PARAMETERS], type=Parameters)
    settings = load(config, lateness=f"{stated.lateness_ms}ms", known_benign=stated.known_benign)
    registry, rules = rerun.read_inputs(files_)
    shown = [one.event for row in files_[EVENTS].splitlines() if (one := read_line(row)).shown]
    watches = rerun.watches_of(packing.alerts_in(files_))
    again = {
        one.finding_info.uid: alert_digest(one)
        for one in rerun.run(shown, registry, rules, settings, stated.exercise, watches)
    }
    here = rerun.parameters(settings, stated.published)
    same = True
    for alert in packing.alerts_in(files_):
        uid, wanted = alert.finding_info.uid, alert_digest(alert)
        equal = again.get(uid) == wanted
        same = same and equal
        print(printable(f"{uid}: {'the same' if equal else 'NOT the same'}: sha256 {wanted}"))
    different = [
        name
        for name in msgspec.structs.asdict(stated)
        if getattr(stated, name) != getattr(here, name)
    ]
    if different:
        print(f"differs from where it was made: {', '.join(different)}")
    if found.withheld:
        print(f"{found.withheld} events are withheld: they may be what is missing")
    raise typer.Exit(0 if same else 1)


def _der(key: Path | None) -> bytes | None:
    if key is None:
        return None
    try:
        return standalone.key_of(key.read_bytes())
    except OSError as error:
        raise WrongUseError(f"{key}: {error.strerror}") from None
    except standalone.NotVerifiedError as error:
        raise WrongUseError(f"{key}: {error}") from None


def _key_path() -> Path:
    return files.state_folder() / "evidence.key.pem"


def _judgement(path: Path) -> neutral.Judgement:
    try:
        document = tomllib.loads(files.read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise WrongUseError(f"{path}: {error}") from None
    said = neutral.read_judgement(document)
    if isinstance(said, str):
        raise WrongUseError(f"{path}: {said}")
    return said


def _alerts_in(path: Path) -> list[Alert]:
    try:
        return [observe.decode_alert(row) for row in files.read_text(path).encode().splitlines()]
    except msgspec.DecodeError as error:
        raise WrongUseError(f"{path}: no alerts: {error}") from None


def _campaign(
    settings: Settings, identity: str, path: Path | None, *, offline: bool
) -> Campaign | None:
    """The newest revision of the campaign of this id, if there is one."""
    if path is not None:
        try:
            known = [decode_campaign(row) for row in files.read_text(path).encode().splitlines()]
        except msgspec.DecodeError as error:
            raise WrongUseError(f"{path}: no campaigns: {error}") from None
    else:
        known = [] if offline else asyncio.run(observe.campaigns(settings))
    return next((one for one in reversed(known) if one.id == identity), None)


def _told(identity: str, known: Iterable[Alert], campaign: Campaign | None) -> list[Alert]:
    """The newest revision of each alert that is asked for; merged ones are in another."""
    newest = {alert.finding_info.uid: alert for alert in known}
    asked = campaign.alerts if campaign else (identity,)
    told = [
        alert
        for uid in asked
        if (alert := newest.get(uid)) is not None and alert.unmapped.merged_into is msgspec.UNSET
    ]
    if not told:
        raise WrongUseError(f"there is no alert and no campaign {printable(identity)!r}")
    if len(told) < len(asked) and campaign is None:
        raise FailedError(f"alert {identity} was merged into another")
    return told
