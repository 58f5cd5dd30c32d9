"""A letter as one message of syslog, RFC 5424. No I/O here.

Structured data is under the private enterprise number 32473, which RFC 5612 sets aside for
documentation: the project has none of its own. A collector finds everything by the names in it.
"""

from __future__ import annotations

from typing import Final

from pipeline.share.letter import Asked, Body, Letter, Raised, Told, reference, subject
from pipeline.share.moment import moment

FACILITY: Final = 16  # local0
SD_ID: Final = "sightline@32473"
_SEVERITY: Final = {0: 6, 1: 6, 2: 5, 3: 4, 4: 3, 5: 2, 6: 1}  # OCSF's to syslog's
MOST_VALUES: Final = 20


def line(one: Letter, host: str, process: str = "-") -> bytes:
    """The message, without framing; `host` as the machine calls itself."""
    kind = type(one.body).__name__.lower()
    header = (
        f"<{FACILITY * 8 + _severity(one.body)}>1 {moment(one.at)} {_name(host, 255)} sightline"
    )
    facts = {"id": one.id, "about": reference(one), "tlp": str(one.tlp), **_facts(one.body)}
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in facts.items() if value)
    return f"{header} {_name(process, 128)} {kind} [{SD_ID} {data}] \ufeff{subject(one)}".encode()


def framed(message: bytes) -> bytes:
    """On a stream: by octet counting, RFC 6587 and RFC 5425."""
    return b"%d %s" % (len(message), message)


def _severity(body: Body) -> int:
    if isinstance(body, Told):
        return _SEVERITY.get(body.campaign.severity, 4)
    return _SEVERITY.get(body.alert.severity_id, 4) if isinstance(body, Raised) else 5


def _facts(body: Body) -> dict[str, str]:
    match body:
        case Told():
            of = body.campaign
            return {
                "revision": str(body.revision),
                "status": of.status,
                "countries": ",".join(of.countries),
                "indicators": _listed([f"{one.type}:{one.value}" for one in of.indicators]),
            }
        case Raised():
            one, said = body.alert.observables[0], body.alert.unmapped
            return {
                "rule": body.alert.finding_info.analytic.uid,
                "countries": ",".join(said.countries),
                "indicators": f"{one.name}:{one.value}",
            }
        case Asked():
            return {"thread": body.thread, "text": body.text}
        case _:
            return {"thread": body.thread, "text": body.text}


def _listed(values: list[str]) -> str:
    return ",".join(values[:MOST_VALUES]) + (",…" if len(values) > MOST_VALUES else "")


def _escaped(value: str) -> str:
    """A PARAM-VALUE: no line breaks, and what would end it behind a backslash."""
    flat = "".join(c if c.isprintable() else " " for c in value)
    return flat.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _name(text: str, most: int) -> str:
    """PRINTUSASCII without spaces."""
    kept = "".join(c for c in text if "!" <= c <= "~")[:most]
    return kept or "-"
