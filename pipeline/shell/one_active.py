"""One member of a consumer group has all partitions; the others stand by.

What one process must see whole cannot be dealt out. Faust's assignor deals partitions; this one
gives all of them to one member, who keeps them while it lives. Overridden, and read in
faust-streaming 0.15.3: `PartitionAssignor._perform_assignment`.
"""

from __future__ import annotations

from typing import Any

from faust.assignor import partition_assignor as faust
from faust.assignor.client_assignment import ClientAssignment


class OneActive(faust.PartitionAssignor):  # type: ignore[misc]
    """An assignor for `app.conf.PartitionAssignor`."""

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        clients = {
            member: self._get_client_metadata(metadata)
            for member, metadata in member_metadata.items()
        }
        # Who had them, or the first by name; the others are known from nothing.
        active = min(clients, key=lambda member: (not clients[member].assignment.actives, member))
        given = super()._perform_assignment(cluster, {active: member_metadata[active]})
        self._update_member_urls(clients)
        nothing = {
            member: ClientAssignment(actives={}, standbys={})
            for member in clients
            if member != active
        }
        return given | self._protocol_assignments(nothing, {}, {}, {})
