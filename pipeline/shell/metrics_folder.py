"""The folder through which a supervisor's processes share their metrics, and its end.

A supervisor that is killed cannot remove its folder. It holds a lock in it, which ends with it
however that ends; the next supervisor on the machine removes the folders that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "sightline-metrics-"
LOCK = "lock"
YOUNG_S = 60.0  # a folder that was made just now may not be locked yet


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """A new folder, ours alone, removed at the end; before it, those that were left over."""
    remove_left_over(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder


def remove_left_over(under: Path) -> None:
    """Remove the folders there that are ours and that no supervisor holds."""
    for folder in under.glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            young = time.time() - status.st_mtime < YOUNG_S
            if status.st_uid == os.getuid() and folder.is_dir() and not young and _free(folder):
                shutil.rmtree(folder)


def _free(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # its supervisor was killed before it could lock it, or is an older one
    except OSError:
        return False
    return True
