"""`docs/formats.md`, made from the tables that the adapters run.

`python -m pipeline.shell.formats_doc` writes it anew; `--check` fails if it differs from them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.adapter.catalogue import FORMATS
from pipeline.adapter.format import Format
from pipeline.adapter.table import Table

PATH = Path(__file__).parents[2] / "docs" / "formats.md"
CLASSES = {
    0: "Base Event",
    1007: "Process Activity",
    2002: "Vulnerability Finding",
    3002: "Authentication",
    4001: "Network Activity",
    4002: "HTTP Activity",
    4003: "DNS Activity",
    4005: "RDP Activity",
    4006: "SMB Activity",
    4007: "SSH Activity",
    4008: "FTP Activity",
    4010: "Network File Activity",
    6003: "API Activity",
}
_INTRODUCTION = """\
# Formats

<!-- Made by `python -m pipeline.shell.formats_doc` from the tables in pipeline/adapter. -->

`sightline convert` reads the logs below and writes OCSF 1.5.0 events, one a line:

```sh
sightline convert --sensor cz-nren-hp-1 eve.json > events.jsonl
```

Without `--format` the first lines tell the format. Files may be compressed by gzip. JSON may stand
one record a line, in an array, or printed over several lines.

- **What is wrong** is rejected record by record: `--rejects FILE` takes line, reason and detail;
  `--only-failed` prints them, and no events; `--explain LINE` shows what becomes of each field of
  one line.
- **What is not wrong but says nothing of a connection**, such as statistics, becomes a Base Event.
- **Passwords** are in no output. A name and a password that were tried become
  `user.credential_uid`: `sha256:` and the hex of SHA-256 over the name, a zero byte, the password.
- **Times** that name no zone are in `--timezone` (UTC by default). Times that name no year are the
  latest that are not more than a day after `--reference` (now by default).
- **An id** that a format gives its events becomes `metadata.uid`. Without one, it is made of the
  record's bytes and the number of its line: to convert a file again gives the same.
- A field that cannot be read is passed over. Time and source (**bold** below) must be readable, if
  they are there, and a time must be there.
"""


def document() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, "\n".join(_contents())]
    parts += ["\n".join(_format(one)) for one in sorted(FORMATS, key=lambda one: one.title.lower())]
    return "\n".join(parts) + "\n"


def _contents() -> Iterator[str]:
    yield "| format | `--format` | also |"
    yield "|---|---|---|"
    for one in sorted(FORMATS, key=lambda one: one.title.lower()):
        also = ", ".join(f"`{name}`" for name in one.also)
        yield f"| [{one.title}]({one.reference}) | `{one.name}` | {also} |"
    yield ""


def _format(one: Format) -> Iterator[str]:
    yield f"## {one.title}"
    yield ""
    for note in one.notes:
        yield f"- {note}"
    if one.notes:
        yield ""
    for table in one.tables:
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    class_name = CLASSES[table.class_uid]
    yield f"**{table.name}** → {class_name} ({table.class_uid})"
    yield ""
    yield "| field | attribute |"
    yield "|---|---|"
    for row in table.rows:
        source = " + ".join(f"`{name}`" for name in row.sources)
        if row.needed or row.target == "time":
            source = f"**{source}**"
        yield f"| {source} | `{row.target}` |"
    yield ""


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` say whether it is as it should be."""
    if "--check" in arguments:
        return 0 if PATH.exists() and PATH.read_text("utf-8") == document() else 1
    PATH.write_text(document(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
