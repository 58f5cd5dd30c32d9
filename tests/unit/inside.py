"""The command line within this process: as `tests.unit.test_cli.sightline`, for a fifth of its cost.

What only a process of its own shows (signals, the terminal, what is imported) is not tried so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from typer.testing import CliRunner

from pipeline.shell.cli import cli
from pipeline.shell.settings import FailedError, WrongUseError


def sightline(
    *arguments: str, cwd: Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> CompletedProcess[str]:
    with contextlib.chdir(cwd):
        done = CliRunner().invoke(
            cli, list(arguments), input=stdin, env=environment, prog_name="sightline"
        )
    status, error = done.exit_code, done.exception
    stderr = done.stderr
    if isinstance(error, WrongUseError | FailedError):
        status = 2 if isinstance(error, WrongUseError) else 1
        stderr += f"sightline: {error}\n"
    elif error is not None and not isinstance(error, SystemExit):
        raise error
    return CompletedProcess(list(arguments), status, done.stdout, stderr)
