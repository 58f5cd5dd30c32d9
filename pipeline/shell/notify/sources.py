"""What notifying is made from: the directory, the delivery file, keys and secrets beside them."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.share import directory, signature, subscriber
from pipeline.share.directory import OPERATOR, Directory
from pipeline.share.subscriber import Delivery, Syslog
from pipeline.shell.files import read_text, refuse
from pipeline.shell.notify.mail import Mailbox, mailbox
from pipeline.shell.settings import Settings, WrongUseError

MAX_PASSWORD = 4096


class Hook(Struct, frozen=True):
    """A webhook, and what it is signed with."""

    url: str
    secret: bytes


class Ways(Struct, frozen=True):
    """By which ways one recipient is reached. `topic` has no prefix yet."""

    topic: str
    hook: Hook | None = None
    mailbox: Mailbox | None = None
    digest_ms: int = 0
    syslog: Syslog | None = None


class Sources(Struct, frozen=True):
    """All of it. `ways` by recipient."""

    directory: Directory = Directory()
    delivery: Delivery = Delivery()
    ways: dict[str, Ways] = {}
    mail_password: str = ""


def notify_topic(recipient: str) -> str:
    return f"notify.{recipient}"


def feed_topic(subscriber_id: str) -> str:
    return f"feed.{subscriber_id}"


def replies_topic(recipient: str) -> str:
    return f"replies.{recipient}"


def are_set(settings: Settings) -> bool:
    """Is there anybody to notify?"""
    return bool(settings.directory or settings.delivery)


def directory_of(settings: Settings) -> Directory:
    """The directory; a `WrongUseError` names what is wrong with it."""
    if not settings.directory:
        return Directory()
    found, problems = directory.read(read_text(Path(settings.directory)), settings.directory)
    refuse(problems)
    made = found or Directory()
    return _kept_inside(made) if settings.exercise else made


def delivery_of(settings: Settings) -> Delivery:
    """The delivery file; a `WrongUseError` names what is wrong with it."""
    if not settings.delivery:
        return Delivery()
    found, problems = subscriber.read(read_text(Path(settings.delivery)), settings.delivery)
    refuse(problems)
    made = found or Delivery()
    return _by_topic_only(made) if settings.exercise else made


def _kept_inside(csirts: Directory) -> Directory:
    """Nothing of an exercise leaves by a way that others are on: topics are the lane's own."""
    inside = (replace(one, email="", pgp_key="", webhook="") for one in csirts.csirts)
    return replace(csirts, csirts=tuple(inside))


def _by_topic_only(delivery: Delivery) -> Delivery:
    inside = (
        replace(one, email="", webhook="", syslog=None, topic=True) for one in delivery.subscribers
    )
    return replace(delivery, mail=None, subscribers=tuple(inside))


def sources_of(settings: Settings) -> Sources:
    """Everything, with keys and secrets read: what cannot be read is said before anything runs."""
    csirts, delivery = directory_of(settings), delivery_of(settings)
    beside, by = Path(settings.directory).parent, Path(settings.delivery).parent
    ways: dict[str, Ways] = {}
    for csirt in csirts.csirts:
        hook = None
        if csirt.webhook:
            if not subscriber.allowed(csirt.webhook, delivery.webhooks.hosts):
                raise WrongUseError(
                    f"{settings.directory}: csirt {csirt.id!r}: its webhook is not https to one of "
                    "webhooks.hosts in the delivery file"
                )
            hook = Hook(csirt.webhook, secret_in(beside / csirt.webhook_secret_file))
        key = beside / csirt.pgp_key if csirt.pgp_key else None
        box = mailbox(csirt.email, csirt.pgp, key) if csirt.email else None
        ways[csirt.id] = Ways(notify_topic(csirt.id), hook, box)
    for one in delivery.subscribers:
        if one.id in ways:
            raise WrongUseError(f"{settings.delivery}: subscriber {one.id!r} is a CSIRT's id, too")
        hook = Hook(one.webhook, secret_in(by / one.webhook_secret_file)) if one.webhook else None
        key = by / one.pgp_key if one.pgp_key else None
        box = mailbox(one.email, one.pgp, key) if one.email else None
        ways[one.id] = Ways(feed_topic(one.id), hook, box, one.digest_ms, one.syslog)
    return Sources(csirts, _beside(delivery, by), ways, _password(delivery, by))


def _beside(delivery: Delivery, folder: Path) -> Delivery:
    """With the files that it names counted from where it lies."""
    mail, hooks = delivery.mail, delivery.webhooks
    if mail is not None and mail.ca_file:
        mail = replace(mail, ca_file=str(folder / mail.ca_file))
    if hooks.ca_file:
        hooks = replace(hooks, ca_file=str(folder / hooks.ca_file))
    subscribers = tuple(
        replace(one, syslog=replace(one.syslog, ca_file=str(folder / one.syslog.ca_file)))
        if one.syslog and one.syslog.ca_file
        else one
        for one in delivery.subscribers
    )
    return replace(delivery, mail=mail, webhooks=hooks, subscribers=subscribers)


def _password(delivery: Delivery, folder: Path) -> str:
    if delivery.mail is None or not delivery.mail.password_file:
        return ""
    path = folder / delivery.mail.password_file
    try:
        return path.read_text("utf-8")[:MAX_PASSWORD].rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUseError(f"mail.password_file {path}: {error}") from None


def topics_of(settings: Settings) -> tuple[list[str], list[str]]:
    """Names, without prefix, of topics that are written to recipients, and that they write to."""
    csirts, delivery = directory_of(settings), delivery_of(settings)
    out = [notify_topic(one.id) for one in csirts.csirts]
    out += [feed_topic(one.id) for one in delivery.subscribers if one.topic]
    return out, [replies_topic(name) for name in (*(one.id for one in csirts.csirts), OPERATOR)]


def secret_in(path: Path) -> bytes:
    """The secret that a file holds; a `WrongUseError` if it is none, or others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise WrongUseError(f"{path}: others may read it: chmod 600, or make a new one")
        text = path.read_bytes()[:4096].decode("ascii").strip()
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    secret = signature.secret_of(text)
    if secret is None:
        raise WrongUseError(f"{path}: no secret such as whsec_ and base64 of 24 to 64 bytes")
    return secret
