"""The tutorial, from its first listing to its last, in one shell; what it says is printed is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
LISTING = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- listing"
MOST_S = 240


def listings() -> list[tuple[str, str]]:
    return LISTING.findall(TUTORIAL.read_text("utf-8"))


def test_every_listing_is_one_that_is_run() -> None:
    """No other kind of listing, which nobody would run, and each output follows what prints it."""
    fences = re.findall(r"^```(\w*)$", TUTORIAL.read_text("utf-8"), re.MULTILINE)
    assert set(fences) == {"sh", "text", ""}
    kinds = [kind for kind, _ in listings()]
    assert kinds[0] == "sh"
    assert ("text", "text") not in list(pairwise(kinds))
    assert kinds.count("sh") > 10


def test_it_works_as_it_is_written(tmp_path: Path) -> None:
    commands = [text for kind, text in listings() if kind == "sh"]
    script = "set -eu\n" + "".join(f"echo '{MARK} {n}'\n{of}" for n, of in enumerate(commands))
    clean = {name: of for name, of in os.environ.items() if not name.startswith("SIGHTLINE_")}
    # The virtual environment that runs the tests is the one that `make setup` makes.
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=ROOT,
        env=clean | {"TMPDIR": str(tmp_path), "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a group of its own, to be ended as one if it fails
    )
    try:
        out, _ = process.communicate(timeout=MOST_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out
    printed = dict(enumerate(out.split(f"{MARK} ")[1:]))
    number = -1
    for kind, text in listings():
        if kind == "sh":
            number += 1
            continue
        for line in text.splitlines():
            assert line.strip() in printed[number], f"{line!r} is not in:\n{printed[number]}"
