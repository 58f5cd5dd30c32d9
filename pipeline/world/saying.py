"""What a sensor says of one thing that happened: bodies of OCSF 1.5.0 events.

A body is the event without `time`, `metadata` and `device`, as JSON; `spoken` puts these before it.
Attributes and numbers are OCSF's (schema.ocsf.io, 1.5.0).
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.command import reduced
from pipeline.world.dice import Dice

_encode = msgspec.json.Encoder().encode
_INFORMATIONAL = 1
_INBOUND, _OUTBOUND = 1, 2
_PROTOCOLS = {"tcp": 6, "udp": 17}
_HTTP_GET, _HTTP_POST = 3, 6
_FAILURE = 2
_HEAD = (
    '{"time":%d,"metadata":{"version":"1.5.0","profiles":["host"],"product":{"name":"Synthetic '
    'sensor","vendor_name":"Sightline"},"uid":"%s"},"device":{"uid":"%s","type_id":1},'
)


def spoken(time_ms: int, uid: str, sensor: str, body: bytes) -> bytes:
    """The whole event, one line without its end."""
    return (_HEAD % (time_ms, uid, sensor)).encode() + body[1:]


def _class(number: int, activity: int) -> dict[str, Any]:
    return {
        "class_uid": number,
        "category_uid": number // 1000,
        "activity_id": activity,
        "type_uid": number * 100 + activity,
        "severity_id": _INFORMATIONAL,
    }


def _source(dice: Dice, ip: str) -> dict[str, Any]:
    return {"ip": ip, "port": dice.between(1_024, 65_535)}


def _inside(dice: Dice) -> str:
    """A machine of one's own network. It is no indicator, and sensors do report such addresses."""
    return f"10.{dice.below(8)}.{dice.below(256)}.{dice.between(1, 254)}"


def connection(dice: Dice, ip: str, port: int, protocol: str = "tcp") -> bytes:
    """Network Activity: packets from an address to a port."""
    return _encode(
        _class(4001, 6)
        | {
            "src_endpoint": _source(dice, ip),
            "dst_endpoint": {"name": "sensor", "port": port},
            "connection_info": {
                "protocol_name": protocol,
                "protocol_num": _PROTOCOLS[protocol],
                "direction_id": _INBOUND,
            },
        }
    )


def ssh(dice: Dice, ip: str, hassh: str) -> bytes:
    """SSH Activity: a client introduces itself."""
    return _encode(
        _class(4007, 1)
        | {
            "src_endpoint": _source(dice, ip),
            "dst_endpoint": {"name": "sensor", "port": 22},
            "client_hassh": {
                "algorithm": "curve25519-sha256;aes128-ctr;hmac-sha2-256;none",
                "fingerprint": {"algorithm_id": 1, "value": hassh},
            },
        }
    )


def logon(
    dice: Dice, ip: str, user: str, credential: str, web: tuple[str, str] | None = None
) -> bytes:
    """Authentication: a logon that failed, by SSH or on a web page (`web`: user agent, host)."""
    body = _class(3002, 1) | {
        "status_id": _FAILURE,
        "src_endpoint": _source(dice, ip),
        "dst_endpoint": {"name": "sensor", "port": 443 if web else 22},
        "user": {"name": user, "credential_uid": credential},
    }
    if web:
        body["http_request"] = _request(*web, "/login", post=True)
    return _encode(body)


def http(dice: Dice, ip: str, agent: str, host: str, path: str, *, post: bool = False) -> bytes:
    """HTTP Activity: a request to a host of one's own."""
    return _encode(
        _class(4002, _HTTP_POST if post else _HTTP_GET)
        | {
            "src_endpoint": _source(dice, ip),
            "dst_endpoint": {"name": "sensor", "port": 80},
            "http_request": _request(agent, host, path, post=post),
        }
    )


def tls(dice: Dice, ip: str | None, sni: str, ja3: str, ja4: str) -> bytes:
    """Network Activity with a TLS greeting: from outside, or (`ip` None) by one's own machine."""
    return _encode(
        _class(4001, 6)
        | {
            "src_endpoint": _source(dice, ip or _inside(dice)),
            "dst_endpoint": {"name": "sensor" if ip else sni, "port": 443},
            "connection_info": {
                "protocol_name": "tcp",
                "protocol_num": 6,
                "direction_id": _INBOUND if ip else _OUTBOUND,
            },
            "tls": {"version": "1.3", "sni": sni, "ja3_hash": {"algorithm_id": 1, "value": ja3}},
            "ja4_fingerprint_list": [{"type_id": 1, "value": ja4}],
        }
    )


def dns(dice: Dice, ip: str | None, hostname: str, record: str = "A") -> bytes:
    """DNS Activity: a query from outside, or (`ip` None) by one's own machine."""
    return _encode(
        _class(4003, 1)
        | {
            "src_endpoint": _source(dice, ip or _inside(dice)),
            "dst_endpoint": {"name": "resolver", "port": 53},
            "query": {"hostname": hostname, "type": record, "class": "IN"},
        }
    )


def fetched(dice: Dice, ip: str | None, url: str | None, sha256: str, name: str) -> bytes:
    """File Activity: a file came, from a URL where one is known; `ip` told it to come."""
    file: dict[str, Any] = {
        "name": name,
        "type_id": 1,
        "hashes": [{"algorithm_id": 3, "value": sha256}],
    }
    if url is not None:
        file["url"] = {"url_string": url}
    body = _class(1001, 1) | {
        "actor": {"process": {"name": "sh", "pid": dice.between(300, 32_000)}},
        "file": file,
    }
    return _encode(body | _observed(ip))


def typed(dice: Dice, ip: str, command: str) -> bytes:
    """Process Activity: somebody (`ip`) typed this into a shell."""
    shell = {"pid": dice.between(300, 32_000), "cmd_line": reduced(command)}
    body = _class(1007, 1) | {"actor": {"app_name": "shell"}, "process": shell}
    return _encode(body | _observed(ip))


def weakness(dice: Dice, cve: str, ip: str | None) -> bytes:
    """Vulnerability Finding: somebody (`ip`) tried this weakness."""
    return _encode(
        _class(2002, 1)
        | {
            "finding_info": {"uid": dice.hexadecimal(16), "title": "An attempt at a weakness"},
            "vulnerabilities": [{"cve": {"uid": cve}}],
        }
        | _observed(ip)
    )


def package(dice: Dice, purl: str, cwe: str = "CWE-1395") -> bytes:
    """Vulnerability Finding: a package is in use that is not to be trusted."""
    name, _, version = purl.rpartition("/")[2].partition("@")
    found = {"name": name, "version": version, "purl": purl}
    return _encode(
        _class(2002, 1)
        | {
            "finding_info": {"uid": dice.hexadecimal(16), "title": "A package in use"},
            "vulnerabilities": [{"cwe": {"uid": cwe}, "affected_packages": [found]}],
        }
    )


def _request(agent: str, host: str, path: str, *, post: bool) -> dict[str, Any]:
    return {
        "http_method": "POST" if post else "GET",
        "user_agent": agent,
        "url": {"hostname": host, "url_string": f"http://{host}{path}"},
    }


def _observed(ip: str | None) -> dict[str, Any]:
    if ip is None:
        return {}
    return {"observables": [{"name": "src_endpoint.ip", "type_id": 2, "value": ip}]}
