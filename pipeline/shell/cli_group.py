"""The commands that other modules hold, each imported when it is asked for.

All of them together take a second of a core to import, more than most of them take to run, and
every worker, sensor and script that calls one would pay it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

ELSEWHERE: Final = {
    "config": "pipeline.shell.cli_config:config_cli",
    "audit": "pipeline.shell.cli_audit:group",
    "alliance": "pipeline.shell.alliances.cli:group",
    "dead-letters": "pipeline.shell.letters.cli:group",
    "evidence": "pipeline.shell.evidence.cli:group",
    "pseudonym": "pipeline.shell.cli_pseudonym:group",
    "clock": "pipeline.shell.clocks.cli:group",
    "sensor": "pipeline.shell.access.cli:sensor_cli",
    "principal": "pipeline.shell.access.cli:principal_cli",
    "intel": "pipeline.shell.intel.cli:intel",
    "exercise": "pipeline.shell.exercise.cli:group",
    "notify": "pipeline.shell.notify.cli:notify_cli",
    "request": "pipeline.shell.notify.cli_reply:request_cli",
    "suppress": "pipeline.shell.notify.cli_suppress:suppress_cli",
    "reply": "pipeline.shell.notify.cli_reply:reply",
    "backtest": "pipeline.shell.cli_backtest:backtest",
    "bench": "pipeline.shell.cli_bench:bench",
    "canary": "pipeline.shell.cli_canary:canary",
    "convert": "pipeline.shell.cli_convert:convert",
    "export": "pipeline.shell.export.cli:export",
    "push": "pipeline.shell.export.cli:push",
    "ship": "pipeline.shell.cli_ship:ship",
    "report": "pipeline.shell.clocks.cli:report",
    "erase": "pipeline.shell.erasing.cli:erase",
    "processing-records": "pipeline.shell.cli_processing:processing_records",
    "explain": "pipeline.shell.explain.cli:explain",
    "generate": "pipeline.shell.cli_generate:generate",
    "label": "pipeline.shell.cli_label:label",
    "playground": "pipeline.shell.cli_playground:playground",
    "score": "pipeline.shell.cli_score:score",
    "top": "pipeline.shell.cli_top:top",
    "serve": "pipeline.shell.cli_serve:serve",
    "user": "pipeline.shell.cli_serve:user",
    "watch": "pipeline.shell.watch.cli:watch",
}
"""By name, where a command or a group of them is: module and attribute."""


class Commands(TyperGroup):
    """What `cli.py` itself holds, and what is elsewhere."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        # Of a name that nobody knows, the likest of all names is told.
        self._load((cmd_name,) if cmd_name in {*self.commands, *ELSEWHERE} else ELSEWHERE)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        self._load(ELSEWHERE)
        return super().list_commands(ctx)

    def _load(self, names: Iterable[str]) -> None:
        wanted = [name for name in names if name not in self.commands]
        if not wanted:
            return
        # As `cli.py` is made; the callback makes a group of it, though one command is in it alone.
        held = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        held.callback()(lambda: None)
        for name in wanted:
            module, _, attribute = ELSEWHERE[name].partition(":")
            found = getattr(import_module(module), attribute)
            if isinstance(found, typer.Typer):
                held.add_typer(found, name=name)
            else:
                held.command(name)(found)
        self.commands |= typer.main.get_command(held).commands  # type: ignore[attr-defined]
