"""What people and pages ask of a store: messages, what waits and why, what flowed. Each verb is one line; its module
says what it does.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, Unpack

from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.store.engine import sizes
from hub.store.engine.database import Database
from hub.store.engine.verbs import verb
from hub.store.messages import pauses
from hub.store.queries import (
    backlog,
    details,
    numbers,
    throughput,
    upcoming,
)
from hub.store.queries import (
    clusters as clusters_module,
)
from hub.store.queries import (
    followers as followers_module,
)
from hub.store.queries import (
    search as search_module,
)
from hub.store.queries import (
    unrouted as unrouted_module,
)
from hub.store.queries import (
    views as views_module,
)
from hub.store.queries.details import AttemptRow, DeliveryRow, MessageRow


class Search(TypedDict, total=False):
    """What messages can be searched by."""

    key: str | None
    name: str | None
    type_: str | None
    version: int | None
    status: Status | None
    disposition: Disposition | None
    since: datetime | None
    until: datetime | None
    limit: int
    before: str | None


class Queries:
    """The reading verbs of a Store, and the few that name what is read."""

    _database: Database

    def search(self, **given: Unpack[Search]) -> list[MessageRow]:
        return details.search(self._database, **given)

    find = verb(search_module.search)
    count_found = verb(search_module.count)

    def messages_of(self, number: str) -> dict[str, str]:
        return numbers.messages_of(self._database, [number])[number]

    messages_of_each = verb(numbers.messages_of)
    save_view = verb(views_module.save)
    views = verb(views_module.views)
    delete_view = verb(views_module.delete)
    message = verb(details.find_message)

    def messages(self, *ids: str) -> list[MessageRow]:
        return details.find_messages(self._database, list(ids))

    origin = verb(details.origin_of)
    body = verb(details.find_body)

    def bodies(self, *message_ids: str) -> dict[str, bytes]:
        return details.bodies(self._database, list(message_ids))

    waiting_by_way = verb(details.waiting_by_way)

    def deliveries(self, *message_ids: str) -> list[DeliveryRow]:
        return details.deliveries(self._database, list(message_ids))

    delivery = verb(details.find_delivery)

    def attempts(self, *delivery_ids: str) -> list[AttemptRow]:
        return details.attempts(self._database, list(delivery_ids))

    waiting = verb(details.waiting)
    name_clusters = verb(clusters_module.name)
    clusters = verb(clusters_module.count)
    cluster = verb(clusters_module.find)
    clusters_since = verb(clusters_module.since)
    cluster_members = verb(clusters_module.members)
    clusters_with = verb(clusters_module.with_words)
    name_unrouted = verb(unrouted_module.name)
    list_unrouted = verb(unrouted_module.list_missing)
    unrouted_causes = verb(unrouted_module.count)
    unrouted = verb(unrouted_module.rows)
    lanes = verb(backlog.lanes)
    parked = verb(backlog.parked)
    blocked = verb(backlog.blocked)
    open_breakers = verb(backlog.opened)
    waiting_arrivals = verb(backlog.arrivals)
    add_minutes = verb(throughput.add_minutes)
    prune_minutes = verb(throughput.prune_minutes)
    flowed = verb(throughput.flowed)
    delivered_around = verb(throughput.delivered_around)
    flow_series = verb(throughput.series)
    beats = verb(throughput.beats)
    queue_of_lane = verb(upcoming.of_lane)
    queue_of_route = verb(upcoming.of_route)
    held_by_pauses = verb(upcoming.held_by_pauses)
    story = verb(details.story)
    followers = verb(followers_module.followers)
    oldest_due = verb(details.oldest_due)
    waiting_behind = verb(pauses.waiting_behind)
    size = verb(sizes.size)
    oldest_message_at = verb(details.oldest_message_at)
