"""What went out, in the audit log: of which campaign, to whom, by which way."""

from __future__ import annotations

import re
from ipaddress import ip_address

from pipeline.share.audit import Fact
from pipeline.shell.audit_log import AuditLog, actor, audit_path
from pipeline.shell.settings import Settings

_OURS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII).fullmatch


class Receipts:
    """To one recipient."""

    def __init__(self, settings: Settings, to: str) -> None:
        self._log = AuditLog(audit_path(settings))
        self._to = to

    def write(self, action: str, campaign: str, way: str, **facts: Fact) -> None:
        """A campaign's id that is none of ours may be anything: it is told by its digest."""
        about = campaign if _OURS(campaign) else self._log.digest("campaign", campaign)
        self._log.append(actor(), action, about, to=self._to, way=way, **facts)

    def host(self, name: str) -> str:
        """A server by its name; the log takes no addresses."""
        try:
            ip_address(name)
        except ValueError:
            return name
        return self._log.digest("ip", name)
