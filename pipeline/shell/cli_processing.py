"""`sightline processing-records`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.share.processing import Facts, Kept, page
from pipeline.shell import files, topics
from pipeline.shell.settings import load
from pipeline.shell.ship.guarding import policy_of

_DAY_MS = 86_400_000


def processing_records(
    policy: Annotated[
        list[Path] | None, typer.Option(help="What leaves an organisation; one for each.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """A record of processing activities, as Markdown, as far as the configuration knows it."""
    settings = load(config)
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    kept = [
        Kept(
            one.name,
            one.kind,
            int(one.config["retention.ms"]) / _DAY_MS if "retention.ms" in one.config else None,
            "compact" in one.config.get("cleanup.policy", ""),
        )
        for one in topics.wanted(registry, settings)
    ]
    facts = Facts(
        kept,
        encrypted=settings.security_protocol != "PLAINTEXT",
        logins=settings.security_protocol == "SASL_SSL",
        audit=True,
        lateness=settings.lateness,
        horizon=settings.campaign_horizon,
    )
    print(page(registry, [policy_of(path) for path in policy or ()], facts), end="")
