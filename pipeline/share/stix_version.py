"""What becomes of STIX objects that were exported, when their campaign is told anew. No I/O here.

    the same but for its times     nothing: it stands as it was
    changed                        the same id, `created` as it was, `modified` later
    no more in the campaign        revoked
    revoked before                 nothing, for ever

For those who remember what they gave: a TAXII server, for each collection.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.share.moment import moment, ms_of
from pipeline.share.stix_object import OBSERVABLES, Object, united

_COMMON = frozenset({"identity", "location", "vulnerability", "extension-definition"})
"""Of many campaigns: made anew only with a stricter marking, revoked by none."""
_WITHOUT_VERSIONS = OBSERVABLES | {"marking-definition"}
_TIMES = ("created", "modified")


def succession(before: Iterable[Object], now: Iterable[Object]) -> list[Object]:
    """One campaign's objects as they are to stand: `before` as they stood, `now` as they are made.

    In the order of a bundle. What stands as it stood is the very object of `before`.
    """
    old = {one["id"]: one for one in before}
    made = list(now)
    stands = [_after(old.get(one["id"]), one) for one in made]
    latest = max((ms_of(one["modified"]) for one in made if "modified" in one), default=0)
    there = {one["id"] for one in made}
    stands += [_ended(one, latest) for one in old.values() if one["id"] not in there]
    return united(stands)


def _after(old: Object | None, one: Object) -> Object:
    if old is None:
        return one
    if _said(old) == _said(one) or old.get("revoked"):
        return old
    if one["type"] in _WITHOUT_VERSIONS:
        return one
    if one["type"] in _COMMON:
        return one if one["modified"] > old["modified"] else old
    return _at(one | {"created": old["created"]}, old, ms_of(one["modified"]))


def _ended(old: Object, latest: int) -> Object:
    if old["type"] in _WITHOUT_VERSIONS | _COMMON or old.get("revoked"):
        return old
    return _at(old | {"revoked": True}, old, latest)


def _at(one: Object, old: Object, least: int) -> Object:
    return one | {"modified": moment(max(least, ms_of(old["modified"]) + 1))}


def _said(one: Object) -> Object:
    return {key: value for key, value in one.items() if key not in _TIMES}
