"""Writes what comes of each golden case anew: `python -m tests.golden`."""

from tests.golden.cases import LOGS, convert, expected, format_of, lines_of

for path in LOGS:
    events, rejected = convert(lines_of(path), format_of(path))
    expected(path).write_bytes(b"".join(event + b"\n" for event in events))
    print(f"{path.name}: {len(events)} events, {len(rejected)} rejected")
