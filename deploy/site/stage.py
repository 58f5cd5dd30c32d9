"""The documents as one tree of pages: docs/, the README as its own page, the licences of data.

`python deploy/site/stage.py FOLDER` copies them there and turns links between them; `make site`
calls it. Links to code and to other files of the repository stay as texts.
"""

from __future__ import annotations

import re
import shutil
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    pages = {path.resolve(): folder / path.relative_to(ROOT / "docs") for path in _documents()}
    pages[ROOT / "README.md"] = folder / "start.md"
    for licence in sorted((ROOT / "pipeline" / "data").glob("*/LICENSE.md")):
        pages[licence] = folder / "licences" / f"{licence.parent.name}.md"
    for source, page in pages.items():
        page.parent.mkdir(exist_ok=True)
        text = source.read_text("utf-8").replace("](docs/images/", "](images/")
        turned = partial(_turned, source=source, page=page, pages=pages)
        page.write_text(_LINK.sub(turned, text), "utf-8")


def _documents() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def _turned(link: re.Match[str], source: Path, page: Path, pages: dict[Path, Path]) -> str:
    text, to = link[1], link[2]
    path, mark, anchor = to.partition("#")
    if not path or "://" in to or to.startswith("mailto:"):
        return link[0]
    target = pages.get((source.parent / path).resolve())
    if target is None:
        return text
    up = "../" * (len(page.parent.parts) - len(_common(page, target)))
    within = target.relative_to(Path(*_common(page, target)))
    return f"[{text}]({up}{within.as_posix()}{mark}{anchor})"


def _common(one: Path, other: Path) -> tuple[str, ...]:
    shared = []
    for mine, theirs in zip(one.parent.parts, other.parent.parts, strict=False):
        if mine != theirs:
            break
        shared.append(mine)
    return tuple(shared)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
