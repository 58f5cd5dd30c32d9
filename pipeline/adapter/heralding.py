"""Heralding's session log: an event for each login that was tried, or one for the session."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pipeline.adapter import value
from pipeline.adapter.common import ends, login
from pipeline.adapter.format import Format, has, json_reader
from pipeline.adapter.instant import iso
from pipeline.adapter.table import Fields, Row, Shape, Table

_ENDS = ends("source_ip", "source_port", "destination_ip", "destination_port")
_ATTEMPT = Table(
    "login",
    3002,
    1,
    (
        Row("auth_attempts[].timestamp", "time", iso),
        Row("timestamp", "time", iso),
        Row("session_id", "metadata.uid", value.own_id),
        *_ENDS,
        Row("protocol", "service.name", value.text),
        *login("auth_attempts[].username", "auth_attempts[].password"),
    ),
)
_SESSION = Table(
    "session",
    4001,
    6,
    (
        Row("timestamp", "time", iso),
        Row("session_id", "metadata.uid", value.own_id),
        *_ENDS,
        Row("protocol", "app_name", value.text),
    ),
)
_SHAPE = Shape((_ATTEMPT, _SESSION), ("auth_attempts",))


def _each(session: Fields) -> Sequence[Fields]:
    attempts = session.auth_attempts if type(session.auth_attempts) is list else []
    return [
        replace(
            session,
            auth_attempts___timestamp=attempt.get("timestamp"),
            auth_attempts___username=attempt.get("username"),
            auth_attempts___password=attempt.get("password"),
        )
        for attempt in attempts[: value.MAX_LIST]
        if type(attempt) is dict
    ] or [session]


def _choose(record: Fields) -> Table | None:
    if record.source_ip is None and record.session_id is None:
        return None
    # VNC asks for no name, and may be answered with a challenge that tells no password.
    tried = (record.auth_attempts___username, record.auth_attempts___password)
    return _SESSION if tried == (None, None) else _ATTEMPT


HERALDING = Format(
    name="heralding",
    title="Heralding",
    product={"name": "Heralding", "vendor_name": "Johnny Vestergaard"},
    reference="https://github.com/johnnykv/heralding",
    tables=(_ATTEMPT, _SESSION),
    shape=_SHAPE,
    reader=json_reader(_SHAPE, _choose, _each, sort="Heralding"),
    notes=("Times have no zone: Heralding writes UTC, which is what `--timezone` is by default.",),
    json=True,
    of_keys=has("session_id", "auth_attempts", "source_ip"),
)
