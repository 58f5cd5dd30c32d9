"""`sightline warninglists`: the lists of benign infrastructure, cut anew from MISP's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.shell.files import MAX_BYTES, carried, read_text
from pipeline.shell.printable import printable
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.warninglist import Warninglist, cut, decode, encode, wanted


def run(directory: Path, output: Path | None, settings: Settings) -> int:
    """Write the cut to `output`, by default the one in use; prints what is different. 0."""
    target = output or Path(settings.warninglists or carried("warninglists", "lists.jsonl"))
    found = list(_lists(directory))
    if not found:
        raise WrongUseError(f"{directory}: no lists; a checkout has them in lists/NAME/list.json")
    made = cut(found)
    for problem in made.problems:
        print(printable(problem), file=sys.stderr)
    if not made.lists:
        raise FailedError(f"{directory}: nothing in it can be used; {target} is as it was")
    before = _before(target)
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.write_bytes(encode(made.lists))
        os.replace(beside, target)  # noqa: PTH105 - a worker that starts now reads one or the other
    except OSError as error:
        raise FailedError(f"{target}: {error.strerror}; --output names another file") from None
    for line in changes(before, made.lists):
        print(printable(line))
    entries = sum(len(one.entries) for one in made.lists)
    print(printable(f"{target}: {len(made.lists)} lists, {entries:,} entries"))
    return 0


def changes(before: tuple[Warninglist, ...], after: tuple[Warninglist, ...]) -> list[str]:
    """A line for each list that came, went or changed."""
    old, new = ({one.slug: one for one in lists} for lists in (before, after))
    lines = []
    for slug in sorted(old.keys() | new.keys()):
        was = set(old[slug].entries) if slug in old else set()
        now = set(new[slug].entries) if slug in new else set()
        what = "gone" if slug not in new else "new" if slug not in old else "changed"
        if was != now or what != "changed":
            lines.append(f"{what:8} {slug}: +{len(now - was)} -{len(was - now)} entries")
    return lines


def _lists(directory: Path) -> list[tuple[str, bytes]]:
    try:
        paths = [*directory.glob("*/list.json"), *directory.glob("lists/*/list.json")]
        found = [(path.parent.name, path) for path in paths if wanted(path.parent.name)]
        return [(slug, read_text(path).encode()) for slug, path in found]
    except OSError as error:
        raise WrongUseError(f"{directory}: {error.strerror}") from None


def _before(target: Path) -> tuple[Warninglist, ...]:
    """What was there; nothing, if that was no cut."""
    if not target.is_file() or target.stat().st_size > MAX_BYTES:
        return ()
    lists = decode(target.read_bytes())
    return () if isinstance(lists, str) else lists
