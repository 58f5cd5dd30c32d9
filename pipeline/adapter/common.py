"""Rows that many formats share: the two ends of a connection, and what goes between them."""

from __future__ import annotations

from pipeline.adapter import value
from pipeline.adapter.table import Row


def ends(source: str, source_port: str, destination: str, destination_port: str) -> tuple[Row, ...]:
    """Of these four fields, who called whom. A source that is no address rejects the record."""
    return (
        Row(source, "src_endpoint.ip", value.ip, needed=True),
        Row(source_port, "src_endpoint.port", value.port),
        Row(destination, "dst_endpoint.ip", value.ip),
        Row(destination_port, "dst_endpoint.port", value.port),
    )


def login(user: str, password: str) -> tuple[Row, ...]:
    """A name and a password that were tried: the password leaves only in a digest with the name."""
    return (
        Row(user, "user.name", value.user_name),
        Row((user, password), "user.credential_uid", value.credential, secret=True),
    )


def typed(session: str, command: str) -> tuple[Row, ...]:
    """A command line in a session of a honeypot's shell: its text leaves only as its shape."""
    return (
        Row(session, "actor.session.uid", value.text),
        Row(session, "process.uid", value.text),
        Row(command, "process.cmd_line", value.command, secret=True),
    )
