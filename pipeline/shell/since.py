"""A time back, as it is given on the command line."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from pipeline.shell.settings import milliseconds


def since_ms(text: str) -> int:
    """`2h` (ago) or `2026-01-31T09:30` (UTC), as ms; 0 for `0s`: from the beginning."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        back = milliseconds("--since", text)
        return time.time_ns() // 1_000_000 - back if back else 0
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
