"""What of the Helm chart follows from the code: topics, and what each role may do."""

from __future__ import annotations

from typing import Any, Final

from pipeline.registry import Registry
from pipeline.shell.access.grants import Grant, Principal, Role, grants
from pipeline.shell.settings import Settings
from pipeline.shell.topics import STAMPED, wanted

ROLES: Final = tuple(
    role for role in Role if role in {"intake", "correlate", "campaign", "canary", "dashboard"}
)
"""Those that the chart runs something as."""
OWN: Final = "@user"
"""In place of a consumer group that is named like the user."""
_SOMEBODY: Final = "somebody"


def topics() -> dict[str, Any]:
    """The topics that are there whoever takes part, without a prefix; how those of events are."""
    return {
        "topics": [
            {"name": topic.name, "partitions": topic.partitions, "config": dict(topic.config)}
            for topic in wanted(Registry(()), Settings())
        ],
        "events": dict(STAMPED),
    }


def users() -> dict[str, Any]:
    """By role, Strimzi's access rules, without a prefix."""
    return {"roles": {role.value: _rules(role) for role in ROLES}}


def _rules(role: Role) -> list[dict[str, Any]]:
    principal = Principal(role, _SOMEBODY)
    operations: dict[tuple[str, str, str], list[str]] = {}
    for grant in sorted(grants(principal, Settings())):
        of = grant.kind, _name(grant, principal), "prefix" if grant.prefixed else "literal"
        operations.setdefault(of, []).append(_operation(grant))
    return [
        {"type": kind, "name": name, "patternType": pattern, "operations": may}
        for (kind, name, pattern), may in operations.items()
    ]


def _name(grant: Grant, principal: Principal) -> str:
    return OWN if grant.name == principal.user("") else grant.name


def _operation(grant: Grant) -> str:
    """As Strimzi writes it: `DescribeConfigs`."""
    return grant.operation.title().replace("_", "")
