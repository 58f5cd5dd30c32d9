"""Mail: by a server of ours, over TLS; encrypted to a recipient's key where one is known.

The line that everybody on the way can read tells nothing but the label and a reference. To whoever
has no key goes a letter of TLP:AMBER at most; of a stricter one only that there is one.
"""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import pysequoia
from msgspec import Struct

from pipeline.share import letter as letters
from pipeline.share.directory import fingerprint
from pipeline.share.ledger import Failure
from pipeline.share.letter import Letter
from pipeline.share.subscriber import Mail
from pipeline.share.tlp import Tlp, strictest_tlp
from pipeline.shell.settings import WrongUseError

WITHIN_S: Final = 20.0
_IN_CLEAR: Final = Tlp.AMBER
_POLICY: Final = SMTP.clone(max_line_length=998)


class Mailbox(Struct, frozen=True):
    """Where mail for a recipient goes; `cert` is None where it has no key, and `unusable` says that
    it should have one.
    """

    address: str
    cert: pysequoia.Cert | None = None
    unusable: bool = False


class Post:
    """Our mail server."""

    def __init__(self, settings: Mail, password: str = "") -> None:
        self._settings = settings
        self._password = password
        try:
            self._context = ssl.create_default_context(cafile=settings.ca_file or None)
        except (OSError, ssl.SSLError):
            raise WrongUseError(f"mail.ca_file {settings.ca_file}: no PEM") from None

    async def send(self, to: Mailbox, some: Sequence[Letter]) -> Failure | None:
        """One mail with these letters; None if the server has taken it."""
        if to.unusable:
            return Failure.NOT_ALLOWED  # what was to be encrypted does not go in clear
        return await asyncio.to_thread(self._send, composed(self._settings.sender, to, some))

    def _send(self, mail: EmailMessage | MIMEMultipart) -> Failure | None:
        settings = self._settings
        try:
            with self._connected() as server:
                if settings.tls == "starttls":
                    server.starttls(context=self._context)
                if settings.username:
                    server.login(settings.username, self._password)
                server.send_message(mail)
        except smtplib.SMTPNotSupportedError:
            return Failure.TLS
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return Failure.REFUSED if all(code >= 500 for code in codes) else Failure.BUSY
        except smtplib.SMTPAuthenticationError:
            return Failure.BUSY  # the fault is ours to mend: it is tried again
        except smtplib.SMTPResponseException as error:
            return Failure.REFUSED if error.smtp_code >= 500 else Failure.BUSY
        except ssl.SSLError:
            return Failure.TLS
        except (smtplib.SMTPException, OSError):
            return Failure.UNREACHABLE
        return None

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.tls == "tls":
            return smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=WITHIN_S, context=self._context
            )
        return smtplib.SMTP(settings.host, settings.port, timeout=WITHIN_S)


def composed(sender: str, to: Mailbox, some: Sequence[Letter]) -> EmailMessage | MIMEMultipart:
    """The mail; the same letters make a mail of the same id."""
    tlp = strictest_tlp(one.tlp for one in some)
    named = hashlib.sha256("\0".join(sorted(one.id for one in some)).encode()).hexdigest()[:32]
    mail: EmailMessage | MIMEMultipart
    if to.cert is not None:
        mail = _encrypted(to.cert, _content(some).as_bytes(policy=_POLICY))
    elif tlp.strictness <= _IN_CLEAR.strictness:
        mail = _content(some)
    else:
        mail = pointer = EmailMessage(policy=_POLICY)
        pointer.set_content(
            f"TLP:{tlp}\n\nThere is a message for you which must not travel in clear: "
            "it waits on your topic.\nTo have it by mail, give us your OpenPGP key.\n"
        )
    first = letters.subject(some[0])
    more = f" and {len(some) - 1} more" if len(some) > 1 else ""
    mail["Subject"] = first.replace(f"TLP:{some[0].tlp}", f"TLP:{tlp}") + more
    mail["From"] = sender
    mail["To"] = to.address
    mail["Date"] = format_datetime(datetime.fromtimestamp(max(o.at for o in some) // 1000, UTC))
    mail["Message-ID"] = f"<{named}@{sender.rpartition('@')[2].rstrip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"
    return mail


def _content(some: Sequence[Letter]) -> EmailMessage:
    """All of them to read, and each as JSON for a machine."""
    mail = EmailMessage(policy=_POLICY)
    mail.set_content(("\n" + "-" * 72 + "\n\n").join(letters.text(one) for one in some))
    for one in some:
        mail.add_attachment(
            letters.encode(one), maintype="application", subtype="json", filename=f"{one.id}.json"
        )
    return mail


def _encrypted(cert: pysequoia.Cert, content: bytes) -> MIMEMultipart:
    """PGP/MIME, RFC 3156, section 4."""
    mail = MIMEMultipart("encrypted", protocol="application/pgp-encrypted", policy=_POLICY)
    version = MIMEApplication("Version: 1\n", "pgp-encrypted", _encoder=_as_is)
    armored = pysequoia.encrypt(content, recipients=[cert])
    body = MIMEApplication(armored.decode("ascii"), "octet-stream", _encoder=_as_is)
    body.add_header("Content-Disposition", "inline", filename="encrypted.asc")
    mail.attach(version)
    mail.attach(body)
    return mail


def _as_is(_: MIMEApplication) -> None:
    """It is ASCII: no transfer encoding."""


def mailbox(address: str, wanted: str, key: Path | None) -> Mailbox:
    """Where mail goes. A key that is not there, of another fingerprint, revoked or expired is not
    used, and nothing goes in clear in its stead.
    """
    if not wanted:
        return Mailbox(address)
    try:
        cert = pysequoia.Cert.from_bytes(key.read_bytes()) if key is not None else None
    except (OSError, ValueError, RuntimeError):
        cert = None
    if cert is None or fingerprint(cert.fingerprint) != fingerprint(wanted):
        return Mailbox(address, unusable=True)
    ended = cert.expiration is not None and cert.expiration < datetime.now(UTC)
    if ended or cert.is_revoked:
        return Mailbox(address, unusable=True)
    return Mailbox(address, cert)
