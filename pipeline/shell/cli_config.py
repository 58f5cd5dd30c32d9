"""`sightline config show`: what each setting is, and who said so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.shell.printable import printable
from pipeline.shell.settings import PREFIX, load, said

MASKED = "***"
_SECRET = re.compile(r"(password|passphrase|secret|token|credential|api_?key|private_?key)")
_A_PLACE = ("_file", "_dir", "_path")

config_cli = typer.Typer(no_args_is_help=True, help="The settings as they are.")


class Shown(msgspec.Struct, frozen=True):
    """One setting: its value, its secrets masked, and where that is from."""

    setting: str
    value: Any
    origin: str


@config_cli.callback()
def group() -> None:
    """The settings as they are."""


@config_cli.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="JSON.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Show every setting, its value, and where that was said; secrets are masked."""
    rows = effective(config)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("setting", "value", "origin"):
        table.add_column(title, overflow="fold")
    for row in rows:
        style = "dim" if row.origin == "default" else ""
        cells = (row.setting, str(row.value), row.origin)
        table.add_row(*(Text(printable(cell), style) for cell in cells))
    Console(soft_wrap=True).print(table)


def effective(config: Path | None = None) -> list[Shown]:
    """Every setting in the order of the reference."""
    settings = load(config)
    in_file, in_environment = said(config)
    rows = []
    for name, value in msgspec.structs.asdict(settings).items():
        origin = "default"
        if name in in_environment.values:
            origin = f"environment, {PREFIX}{name.upper()}"
        elif name in in_file.values:
            origin = f"file, {in_file.where}"
        rows.append(Shown(name, masked(name, value), origin))
    return rows


def masked(name: str, value: Any) -> Any:
    """A value without what is secret in it: by its name, or in a URL the login and the query."""
    if _SECRET.search(name) and not name.endswith(_A_PLACE):
        return MASKED if value else value
    if isinstance(value, str) and "://" in value:
        return _url(value)
    if isinstance(value, dict):
        return {key: masked(str(key), of) for key, of in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, of) for of in value]
    return value


def _url(text: str) -> str:
    parts = urlsplit(text)
    _, at, host = parts.netloc.rpartition("@")
    query = MASKED if parts.query else ""
    return urlunsplit((parts.scheme, f"{MASKED}@{host}" if at else host, parts.path, query, ""))
