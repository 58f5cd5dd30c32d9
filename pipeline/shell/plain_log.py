"""Log lines that are what they seem: one record begins at one line's start, and steers nothing."""

from __future__ import annotations

import logging

from pipeline.shell.printable import printable


class PlainFormatter(logging.Formatter):
    """Control characters are written out; a record's further lines, as of a traceback, are
    indented: no text from outside can begin what looks like another record.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(map(printable, super().format(record).split("\n")))
