"""One alert for each bucket of the latency histogram: which one took that long.

The client library keeps no exemplars where processes share their metrics, so a stage writes its own
beside them, and they are put back where the metrics are served. Only OpenMetrics shows them.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from prometheus_client import Metric
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from pipeline.shell.metrics import SECONDS


class Kept(Struct, frozen=True, array_like=True):
    """An alert's id, its latency in s, and when it was told (s since the epoch)."""

    alert: str
    value: float
    at: float


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Kept]).decode
_PREFIX = "exemplars_"


class Exemplars:
    """By upper bound of a bucket, the latest alert that fell into it."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self._bounds = sorted(bounds)
        self._kept: dict[str, Kept] = {}
        self._new = False

    def note(self, alert: str, value: float) -> None:
        at = bisect_left(self._bounds, value)
        bound = self._bounds[at] if at < len(self._bounds) else float("inf")
        le: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
        self._kept[le] = Kept(alert, value, time.time())
        self._new = True

    def write(self, folder: Path, stage: str) -> None:
        """For `read`, if there is anything new."""
        if not self._new:
            return
        new = folder / f"{_PREFIX}{stage}.new"
        new.write_bytes(_encode(self._kept))
        new.replace(new.with_suffix(".json"))
        self._new = False


ALERT_LATENCY = Exemplars(SECONDS)
"""Of `sightline_alert_latency_seconds`."""


def read(folder: Path) -> dict[str, Kept]:
    """What all stages have written."""
    found: dict[str, Kept] = {}
    for path in sorted(folder.glob(f"{_PREFIX}*.json")):
        for bound, kept in _decode(path.read_bytes()).items():
            if bound not in found or kept.at > found[bound].at:
                found[bound] = kept
    return found


def put_back(metric: Metric, kept: dict[str, Kept]) -> None:
    """Put them on the buckets of their histogram."""
    metric.samples = [
        _with(sample, kept.get(sample.labels.get("le", ""))) for sample in metric.samples
    ]


def _with(sample: Sample, kept: Kept | None) -> Sample:
    if kept is None:
        return sample
    return sample._replace(exemplar=Exemplar({"alert": kept.alert}, kept.value, kept.at))
