"""`sightline erase`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.share import erasure, privacy
from pipeline.shell import key_ring
from pipeline.shell.audit_log import AuditLog, actor, audit_path
from pipeline.shell.erasing import local
from pipeline.shell.erasing.topics import Eraser
from pipeline.shell.printable import printable
from pipeline.shell.settings import FailedError, WrongUseError, load, milliseconds


def erase(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INDICATOR|SUBJECT...]", help="Each as it is kept."),
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", help="A file with one a line: no process list has it.")
    ] = None,
    ring: Annotated[
        Path | None, typer.Option(help="Keys: their pseudonyms are erased, too.")
    ] = None,
    evidence: Annotated[
        list[Path] | None, typer.Option(help="A folder in which packs of evidence lie.")
    ] = None,
    basis: Annotated[str, typer.Option(help="On what ground, for the audit log.")] = "",
    within: Annotated[str, typer.Option(help="How long the broker may take.")] = "10m",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else say what would go.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Forget an indicator or a person, everywhere. Workers, serve and ship must be stopped."""
    settings = load(config)
    given = list(texts or ())
    if from_ is not None:
        try:
            given += from_.read_text("utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            raise WrongUseError(f"{from_}: {error}") from None
    given = [text for text in given if text.strip()]
    if not given:
        raise WrongUseError("what is to be forgotten? name it, or --from FILE")
    known = [*given, *(_pseudonyms(ring, given) if ring else ())]
    sought = erasure.named(known)
    if isinstance(sought, str):
        raise WrongUseError(sought)
    eraser = Eraser(settings, sought, milliseconds("within", within) / 1000)
    plan = eraser.plan()
    here = local.look(settings, sought, tuple(evidence or ()))
    for topic, count in sorted(plan.found.items()):
        print(printable(f"{topic}: {count} records"))
    for folder, count in here.spools.items():
        print(printable(f"{folder}: {count} events"))
    for path in (*here.packs, *here.stores):
        print(printable(f"{path}: the whole of it"))
    at_work = [*eraser.at_work(), *local.at_work(settings)]
    if not yes:
        print("nothing was changed: --yes does it. Of events, all in the same partition go")
        if at_work:
            print(printable(f"stop first, for they remember it: {', '.join(at_work)}"))
        return
    if at_work:
        # Before anything is begun: what is at work would tell again what it has read.
        raise FailedError(f"stop first, for they remember it: {', '.join(at_work)}")
    audit = AuditLog(audit_path(settings))
    subject = audit.digest("erased", "\n".join(sorted(given)))
    ground, topics = basis or "none stated", tuple(sorted(plan.found))
    audit.append(actor(), "erasure-begun", subject, basis=ground, topics=topics)
    if plan.found:
        eraser.erase(plan)
    local.erase(here, sought)
    audit.append(actor(), "erased", subject, packs=len(here.packs), spools=len(here.spools))
    print("erased: no reader meets it; brokers remove their files soon after (see docs/law.md)")


def _pseudonyms(folder: Path, given: list[str]) -> list[str]:
    """By every key that is left: those that were destroyed told something that nobody can read."""
    ring = key_ring.read(folder)
    return [
        ring.pseudonym(epoch, kind, value)
        for text in given
        for kind in privacy.PSEUDONYMOUS
        if (value := privacy.canonical(kind, text)) is not None
        for epoch in ring.known
    ]
