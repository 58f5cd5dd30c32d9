"""`sightline alliance`: who shares with whom; each change is a new version that somebody signs."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.country import COUNTRIES
from pipeline.share import dsse
from pipeline.share.alliance import (
    Alliance,
    Extender,
    Member,
    Policy,
    collection,
    counts_topic,
    digest,
    problem,
    signed,
    topic,
    without,
)
from pipeline.share.terms import Granularity
from pipeline.shell import files
from pipeline.shell.alliances import folder
from pipeline.shell.audit_log import AuditLog, actor, audit_path
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import Settings, WrongUseError, load, milliseconds
from pipeline.shell.signing import make_key, read_private_key, read_public_key

group = typer.Typer(
    no_args_is_help=True, help="Groups of countries and organisations that share with each other."
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Identity = Annotated[str, typer.Argument(metavar="ID", help="Of the alliance: a-z, 0-9, '-'.")]
Who = Annotated[
    str, typer.Argument(metavar="MEMBER", help="A country (CZ), or ORGANISATION[@COUNTRY].")
]
Key = Annotated[Path, typer.Option(help="The Ed25519 key that signs the new version, in PEM.")]
Theirs = Annotated[
    Path | None, typer.Option(help="The member's own public key, by which it may leave.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
What = Annotated[list[str] | None, typer.Option(help="An indicator type to tell of; else all.")]
To = Annotated[list[str] | None, typer.Option(help="A member who reads it; else all.")]
After = Annotated[str | None, typer.Option(help="So long after a revision, as in 6h.")]
As = Annotated[
    Granularity | None, typer.Option("--granularity", help="The most told of who saw it.")
]
Counts = Annotated[
    int | None, typer.Option(help="Tell by how many members, from so many (3 or more); 0: do not.")
]
Text = Annotated[str | None, typer.Option(help="For people: to whom it may be released.")]


@group.command()
def create(
    identity: Identity,
    key: Key,
    member: Annotated[list[str] | None, typer.Option(help="CZ, or ORGANISATION[@COUNTRY].")] = None,
    name: Annotated[str, typer.Option(help="For people.")] = "",
    what: What = None,
    to: To = None,
    after: After = None,
    granularity: As = None,
    counts: Counts = None,
    releasability: Text = None,
    config: Config = None,
) -> None:
    """Found an alliance. A key that is not there is made, its public half beside it."""
    settings = load(config)
    if not key.exists():
        make_key(key, key.with_suffix(".public.pem"))
        print(printable(f"made     {key}: whoever has it may change the alliance; keep it"))
    mine = read_private_key(key)
    text = base64.b64encode(dsse.raw(mine.public_key())).decode()
    alliance = Alliance(
        identity, 1, _now(), tuple(_members(settings, member or ())), (Extender(actor(), text),),
        _policy(Policy(), what, to, after, granularity, counts), name, releasability or "",
    )  # fmt: skip
    _add(settings, [], alliance, key)


@group.command()
def add(
    identity: Identity, member: Who, key: Key, theirs: Theirs = None, config: Config = None
) -> None:
    """Take a member in."""
    settings = load(config)
    before, versions = _current(settings, identity)
    (made,) = _members(settings, [member])
    if any(one.name == made.name for one in before.members):
        raise WrongUseError(f"{made.name} is a member of {identity}")
    if theirs is not None:
        own = base64.b64encode(dsse.raw(read_public_key(theirs))).decode()
        made = msgspec.structs.replace(made, key=own)
    changed = msgspec.structs.replace(before, members=(*before.members, made))
    _add(settings, versions, _next(changed, versions), key)


@group.command()
def remove(identity: Identity, member: Who, key: Key, config: Config = None) -> None:
    """Take a member out; what it was told stays told."""
    settings = load(config)
    before, versions = _current(settings, identity)
    _add(settings, versions, _next(without(before, _member(before, member)), versions), key)


@group.command()
def leave(identity: Identity, member: Who, key: Key, config: Config = None) -> None:
    """Leave, by the member's own key: nobody else need agree. What was told stays told."""
    remove(identity, member, key, config)


@group.command("set")
def set_(
    identity: Identity,
    key: Key,
    what: What = None,
    to: To = None,
    after: After = None,
    granularity: As = None,
    counts: Counts = None,
    releasability: Text = None,
    config: Config = None,
) -> None:
    """Share otherwise from now on."""
    settings = load(config)
    before, versions = _current(settings, identity)
    changed = msgspec.structs.replace(
        before,
        policy=_policy(before.policy, what, to, after, granularity, counts),
        releasability=before.releasability if releasability is None else releasability,
    )
    if changed == before:
        raise WrongUseError("nothing would change")
    _add(settings, versions, _next(changed, versions), key)


@group.command()
def show(
    identity: Identity,
    version: Annotated[int | None, typer.Option(help="Not the newest one.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """One alliance: its members, what is shared, its topics and its TAXII collection."""
    versions = _read(load(config), identity)
    if version is not None and not 1 <= version <= len(versions):
        raise WrongUseError(f"{identity} has the versions 1 to {len(versions)}")
    alliance = versions[(version or len(versions)) - 1]
    if json:
        print(plain_json(msgspec.json.encode(alliance)))
        return
    made = datetime.fromtimestamp(alliance.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    policy = alliance.policy
    rows = (
        ("version", f"{alliance.version} of {len(versions)}, {made}"),
        ("name", alliance.name),
        ("release", alliance.releasability),
        ("members", ", ".join(one.name for one in alliance.members) or "nobody"),
        ("read by", ", ".join(one.name for one in alliance.readers) or "nobody"),
        ("extend", ", ".join(_key_name(one) for one in alliance.extend)),
        ("types", ", ".join(policy.types) or "all"),
        ("after", f"{policy.after // 1000} s"),
        ("told of", policy.granularity),
        ("counts", f"from {policy.counts} members" if policy.counts else "no"),
        ("topic", topic(alliance.id)),
        ("", counts_topic(alliance.id) if policy.counts else ""),
        ("TAXII", collection(alliance).id),
    )
    for head, text in rows:
        if text:
            print(printable(f"{head:8} {text}"))


@group.command("list")
def list_(config: Config = None) -> None:
    """All alliances."""
    found = folder.read(load(config))
    for name, one in found.current.items():
        members = ", ".join(each.name for each in one.members)
        print(printable(f"{name:16} version {one.version}: {members}"))
    for name, wrong in found.wrong.items():
        print(printable(f"{name:16} not used: {wrong}"))
    raise typer.Exit(1 if found.wrong else 0)


@group.command()
def verify(
    identity: Identity,
    key: Annotated[
        Path | None, typer.Option(help="The public key that must have founded it, in PEM.")
    ] = None,
    config: Config = None,
) -> None:
    """Say whether each version was signed by one who could, and follows on the one before."""
    settings = load(config)
    from pipeline.share.alliance import verified

    root = dsse.fingerprint(dsse.raw(read_public_key(key))) if key else ""
    found = verified(folder.contents(folder.folder_of(settings), identity), root)
    wrong = found if isinstance(found, str) else folder.read(settings).wrong.get(identity)
    if wrong is not None:
        print(printable(f"{identity}: {wrong}"))
        raise typer.Exit(1)
    print(printable(f"{identity}: {len(found)} versions, each signed by one who could"))


@group.command()
def access(config: Config = None) -> None:
    """Let the logins of members, and of nobody else, read what their alliances are told."""
    from pipeline.shell.access.grants import Role, grants, principal_of
    from pipeline.shell.access.principals import Principals

    settings = load(config)
    folder.folder_of(settings)
    principals = Principals(settings)
    for user, state in sorted(principals.states().items()):
        principal = principal_of(user, settings.topic_prefix)
        reading = principal is not None and principal.role in {Role.MEMBER, Role.PARTNER}
        if principal is None or not reading or not state.credential:
            continue
        wanted = grants(principal, settings)
        if wanted != state.allowed:
            principals.allow(user, wanted)
        reads = sorted(one.name for one in wanted if one.kind == "topic")
        print(printable(f"{user:24} reads {', '.join(reads) or 'nothing'}"))


def _read(settings: Settings, identity: str) -> list[Alliance]:
    found = folder.read(settings)
    if identity in found.wrong:
        raise WrongUseError(f"{identity}: {found.wrong[identity]}")
    if identity not in found.alliances:
        raise WrongUseError(f"there is no alliance {identity!r} in {folder.folder_of(settings)}")
    return found.alliances[identity]


def _current(settings: Settings, identity: str) -> tuple[Alliance, list[bytes]]:
    alliance = _read(settings, identity)[-1]
    return alliance, folder.contents(folder.folder_of(settings), identity)


def _next(changed: Alliance, versions: list[bytes]) -> Alliance:
    """The version after these."""
    return msgspec.structs.replace(
        changed,
        version=len(versions) + 1,
        at=max(_now(), changed.at),
        previous=digest(versions[-1]),
    )


def _add(settings: Settings, versions: list[bytes], alliance: Alliance, key: Path) -> None:
    if versions == [] and folder.contents(folder.folder_of(settings), alliance.id):
        raise WrongUseError(f"there is an alliance {alliance.id!r} already")
    if wrong := problem(alliance):
        raise WrongUseError(wrong)
    content = signed(alliance, read_private_key(key))
    path = folder.add(settings, versions, alliance, content)
    AuditLog(audit_path(settings)).append(
        actor(), folder.MADE, alliance.id, version=alliance.version, digest=digest(content),
        members=tuple(one.name for one in alliance.members),
    )  # fmt: skip
    print(printable(f"{alliance.id}: version {alliance.version}, {path}"))
    print("next     `sightline topics` makes its topics; `sightline alliance access` lets members'")
    print("         logins read them, and nobody else's (`sightline principal add member NAME`)")


def _policy(
    before: Policy,
    what: Iterable[str] | None,
    to: Iterable[str] | None,
    after: str | None,
    granularity: Granularity | None,
    counts: int | None,
) -> Policy:
    return Policy(
        before.types if what is None else tuple(what),
        before.to if to is None else tuple(to),
        before.after if after is None else milliseconds("after", after),
        before.granularity if granularity is None else granularity,
        before.counts if counts is None else counts,
    )


def _members(settings: Settings, names: Iterable[str]) -> list[Member]:
    """A country's code, an organisation of the registry, or one with its country."""
    made: list[Member] = []
    for name in names:
        organisation, _, country = name.partition("@")
        if name in COUNTRIES:
            made.append(Member(name))
        elif country:
            made.append(Member(country, organisation))
        else:
            registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
            homes = {of.id: of.country for of in registry.organisations}
            if name not in homes:
                raise WrongUseError(
                    f"{name!r} is no country, and not in {settings.sensors}: write its country, "
                    f"too, as in {name}@CZ"
                )
            made.append(Member(homes[name], name))
    return made


def _member(alliance: Alliance, name: str) -> Member:
    known = name.partition("@")[0]
    for one in alliance.members:
        if one.name == known:
            return one
    raise WrongUseError(f"{name!r} is no member of {alliance.id}")


def _key_name(one: Extender) -> str:
    return f"{one.name} ({dsse.fingerprint(base64.b64decode(one.key))[:16]})"


def _now() -> int:
    return time.time_ns() // 1_000_000
