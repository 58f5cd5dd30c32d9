"""Alerts with their events to a folder that others verify, and such a folder read again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.registry import Party, Registry
from pipeline.rule import Rule
from pipeline.rule_file import read_rules
from pipeline.share import neutral
from pipeline.share.evidence import PARAMETERS, Gathered, Kept, canonical, fingerprint
from pipeline.share.moment import moment
from pipeline.shell import files
from pipeline.shell.evidence import rerun, standalone
from pipeline.shell.observe import key as said_by
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.shell.signing import public_pem
from pipeline.watch import is_watched


def made(
    about: str,
    told: Sequence[Alert],
    campaign: Campaign | None,
    events: Sequence[Kept],
    registry: Registry,
    rules: Mapping[str, tuple[Path, Rule]],
    settings: Settings,
    judgement: neutral.Judgement | None,
    key: Ed25519PrivateKey,
) -> Gathered:
    """All of a pack but events and envelope. The events must come to what was told."""
    reduced = rerun.reduced(registry, _involved(events, registry))
    used = {alert.finding_info.analytic.uid for alert in told} & rules.keys()
    # Watches are seen in the slices of the rules that are on their type.
    watched = {alert.observables[0].name for alert in told if is_watched(alert)}
    used |= {uid for uid, (_, rule) in rules.items() if rule.indicator_type in watched}
    sources = {path: files.read_text(path) for path in sorted({rules[uid][0] for uid in used})}
    plain = {
        "registry.toml": reduced.encode(),
        **{name: text.encode() for name, text in _named(sources).items()},
    }
    small, known = rerun.read_inputs(plain)
    raw = [one.raw for one in events]
    watches = rerun.watches_of(told)
    found = rerun.run(raw, small, known, settings, settings.exercise, watches)
    alerts: list[Alert] = []
    published: dict[str, str] = {}
    for alert in told:
        same = next((one for one in found if said_by(one) == said_by(alert)), None)
        if same is None:
            raise FailedError(_differs(alert, found))
        alerts.append(same)
        published[same.finding_info.uid] = alert.finding_info.uid
    about_it = campaign.id if campaign else about
    for language in neutral.LANGUAGES:
        text = neutral.statement(language, about_it, alerts, campaign)
        plain[f"statement.{language}.md"] = text.encode()
    if judgement is not None:
        plain["judgement.md"] = neutral.judgement(judgement).encode()
    if campaign is not None:
        plain["campaign.json"] = canonical(campaign) + b"\n"
    public = key.public_key()
    plain |= {
        PARAMETERS: canonical(rerun.parameters(settings, published)) + b"\n",
        "signer.pem": public_pem(public),
        "verify.py": Path(standalone.__file__).read_bytes(),
        "verify.md": _how_to_verify(fingerprint(public)),
    }
    kind = "campaign" if campaign else "alert"
    return Gathered(about_it, kind, tuple(alerts), tuple(events), plain)


def _how_to_verify(fingerprint: str) -> bytes:
    text = files.read_text(files.carried("evidence", "verify.md"))
    return text.format(fingerprint=fingerprint).encode()


def _involved(events: Sequence[Kept], registry: Registry) -> list[Party]:
    heard = {one.organisation for one in events}
    return [party for party in registry.parties if party.organisation in heard]


def _named(sources: Mapping[Path, str]) -> dict[str, str]:
    """Rule files by the names they have in the pack: plain ones, each once."""
    named: dict[str, str] = {}
    for number, (path, text) in enumerate(sources.items(), 1):
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", path.stem)
        name = f"rules/{stem}.yml"
        named[name if name not in named else f"rules/{stem}-{number}.yml"] = text
    return named


def _differs(alert: Alert, found: Sequence[Alert]) -> str:
    said = alert.finding_info
    near = [one for one in found if one.finding_info.analytic.uid == said.analytic.uid]
    what = "; ".join(
        f"{moment(one.finding_info.first_seen_time)} … "
        f"{moment(one.finding_info.last_seen_time)} in {', '.join(one.unmapped.countries)}"
        for one in near[:3]
    )
    return (
        f"alert {said.uid}: the events that there are come to {what or 'no alert'}, and not to "
        f"{moment(said.first_seen_time)} … {moment(said.last_seen_time)} in "
        f"{', '.join(alert.unmapped.countries)}: some are gone, or it has grown meanwhile"
    )


def rules_by_id(settings: Settings) -> dict[str, tuple[Path, Rule]]:
    """Every rule, and the file that it is in."""
    at = Path(settings.rules) if settings.rules else files.carried("rules")
    found: dict[str, tuple[Path, Rule]] = {}
    for source in sorted(at.glob("**/*.y*ml")) if at.is_dir() else [at]:
        rules, problems = read_rules(files.read_text(source), str(source))
        files.refuse(problems)
        found |= {rule.id: (source, rule) for rule in rules}
    return found


def write(folder: Path, pack: Mapping[str, bytes]) -> None:
    """A pack as a folder, all of it or nothing."""
    if folder.exists():
        raise WrongUseError(f"{folder}: it is there already")
    beside = folder.with_name(f".{folder.name}.new")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        for name, content in pack.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(content)
            path.chmod(0o600)
        beside.rename(folder)
    except OSError as error:
        raise FailedError(f"{error.filename or folder}: {error.strerror}") from None


def read(folder: Path) -> dict[str, bytes]:
    """The files of a pack, by name; not yet verified."""
    if not folder.is_dir():
        raise WrongUseError(f"{folder}: no folder")
    try:
        return standalone.read_pack(str(folder))
    except standalone.NotVerifiedError as error:
        raise FailedError(f"{folder}: {error}") from None
    except OSError as error:
        raise WrongUseError(f"{error.filename or folder}: {error.strerror}") from None


def verified(pack: Mapping[str, bytes], der: bytes | None) -> standalone.Verified:
    """What the standalone script finds, without the openssl command; else a `FailedError`.

    `der`: the key that must have signed; by default whichever the pack brings.
    """
    try:
        if der is None:
            standalone.require("signer.pem" in pack, "signer.pem is missing")
            der = standalone.key_of(pack["signer.pem"])
        return standalone.check(dict(pack), der, signature_holds)
    except standalone.NotVerifiedError as error:
        raise FailedError(f"not verified: {error}") from None


def signature_holds(der: bytes, signature: bytes, message: bytes) -> bool:
    """What `openssl_verifies` says, by a library."""
    try:
        key = load_der_public_key(der)
        key.verify(signature, message)  # type: ignore[union-attr,call-arg]
    except (ValueError, InvalidSignature):
        return False
    return True


def alerts_in(pack: Mapping[str, bytes]) -> list[Alert]:
    return [msgspec.json.decode(row, type=Alert) for row in pack["alerts.jsonl"].splitlines()]
