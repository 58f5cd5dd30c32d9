"""Who else is told: subscribers, and by what ways anything leaves. No I/O here.

The text of a delivery file (TOML) in, a `Delivery` or what is wrong with it out. Hosts to which
anything is sent stand in this file and nowhere else: what comes from a directory, or from others,
is held against it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from pipeline.problem import Problem, quoted
from pipeline.share.directory import OPERATOR
from pipeline.share.filter import Condition, Fault, chosen

MOST_SUBSCRIBERS: Final = 1_000
EVERYTHING: Final = "*"
"""A subscriber of the place where this runs: it is shown everything."""
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_HTTPS: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]{1,253})(?::(?P<port>\d{1,5}))?(?:[/?][!-~]*)?"
)
"""No user, no password, no fragment, no address of IPv6: what every client reads alike."""
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
Port = Annotated[int, Meta(ge=1, le=65_535)]


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    """The server that takes our mail. `tls`: `starttls`, `tls` from the first byte, or `none`,
    which is taken on loopback only.
    """

    host: str
    sender: str
    port: Port = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    username: str = ""
    password_file: str = ""


class Webhooks(Struct, frozen=True, forbid_unknown_fields=True):
    """`hosts`: `name` or `name:port`, all that a webhook may be sent to."""

    hosts: tuple[str, ...] = ()
    ca_file: str = ""


class Syslog(Struct, frozen=True, forbid_unknown_fields=True):
    """A collector; by UDP nothing is known of what arrives."""

    host: str
    port: Port = 6514
    by: Literal["tls", "tcp", "udp"] = "tls"
    ca_file: str = ""


class Subscriber(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who hears of what its filter lets through, on one or several ways.

    `sees`: `*`, or the id of the organisation whose view it has. `digest`: mails are gathered for
    so long; `10m`, `1h`; empty for at once.
    """

    id: str
    sees: str
    hears: tuple[Literal["campaigns", "alerts"], ...] = ("campaigns",)
    where: str = ""
    countries: tuple[str, ...] = ()
    min_severity: str = ""
    types: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    topic: bool = False
    webhook: str = ""
    webhook_secret_file: str = ""
    email: str = ""
    pgp: str = ""
    pgp_key: str = ""
    digest: str = ""
    syslog: Syslog | None = None

    @property
    def condition(self) -> Condition | Fault:
        return chosen(
            self.where,
            countries=self.countries,
            min_severity=self.min_severity,
            types=self.types,
            rules=self.rules,
        )

    @property
    def digest_ms(self) -> int:
        found = _DURATION.fullmatch(self.digest)
        return int(found[1]) * _UNIT_MS[found[2]] if found else 0


class Delivery(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"subscribers": "subscriber"}
):
    """The whole file. `operator_email`: who hears of what a person is asked."""

    mail: Mail | None = None
    webhooks: Webhooks = Webhooks()
    subscribers: tuple[Subscriber, ...] = msgspec.field(default=(), name="subscriber")


def read(text: str, where: str) -> tuple[Delivery | None, list[Problem]]:
    """A delivery file's text."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
        found = msgspec.convert(document, Delivery)
    except tomllib.TOMLDecodeError as error:
        return None, [Problem(where, None, f"not TOML: {error}")]
    except msgspec.ValidationError as error:
        return None, [Problem(where, None, str(error))]
    problems = [Problem(where, None, each) for each in _problems(found)]
    return (None, problems) if problems else (found, [])


def _problems(found: Delivery) -> Iterable[str]:
    if len(found.subscribers) > MOST_SUBSCRIBERS:
        yield f"{len(found.subscribers)} subscribers, {MOST_SUBSCRIBERS} at most"
    mail = found.mail
    if mail and mail.tls == "none" and mail.host not in {"127.0.0.1", "::1", "localhost"}:
        yield "mail: without TLS only to loopback"
    if mail and mail.username and mail.tls == "none":
        yield "mail: a password does not go without TLS"
    if mail and bool(mail.username) != bool(mail.password_file):
        yield "mail: username and password_file belong together"
    taken: set[str] = set()
    for one in found.subscribers:
        label = f"subscriber {quoted(one.id)}: "
        if not _ID.fullmatch(one.id) or one.id == OPERATOR:
            yield f"{label}an id may hold a-z, 0-9 and '-', and is not {OPERATOR!r}"
        if one.id in taken:
            yield f"{label}it is there twice"
        taken.add(one.id)
        if one.sees != EVERYTHING and "alerts" in one.hears:
            yield f"{label}alerts cannot be cut to a view: hears must be campaigns, or sees '*'"
        if isinstance(fault := one.condition, Fault):
            yield f"{label}its filter, {fault}"
        if one.digest and not one.digest_ms:
            yield f"{label}digest {quoted(one.digest)} is no duration such as 10m or 1h"
        if one.webhook and not one.webhook_secret_file:
            yield f"{label}webhook is set: then webhook_secret_file must be, too"
        if one.webhook and not allowed(one.webhook, found.webhooks.hosts):
            yield f"{label}webhook is not to one of webhooks.hosts, by https"
        if one.email and mail is None:
            yield f"{label}email is set: then [mail] must say by which server"
        if not (one.topic or one.webhook or one.email or one.syslog):
            yield f"{label}no way leads to it: topic, webhook, email or syslog"


def allowed(url: str, hosts: Iterable[str]) -> bool:
    """Whether a webhook may go there: by https, to a host that is named, with its port."""
    found = _HTTPS.fullmatch(url)
    if found is None:
        return False
    host, port = found["host"].lower(), int(found["port"] or 443)
    named = {f"{host}:{port}", host} if port == 443 else {f"{host}:{port}"}
    return not named.isdisjoint(one.lower() for one in hosts)
