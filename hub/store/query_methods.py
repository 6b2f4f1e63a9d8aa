"""What people and pages ask of a store: messages, what waits and why, what flowed. Each verb is one line; its module
says what it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from hub.core.message import Disposition, Json
from hub.core.model.cluster import Cluster
from hub.core.model.delivery import Status
from hub.store.engine import sizes
from hub.store.engine.database import Database
from hub.store.engine.sizes import Size
from hub.store.messages import pauses
from hub.store.queries import (
    backlog,
    clusters,
    details,
    followers,
    numbers,
    search,
    throughput,
    unrouted,
    upcoming,
    views,
)
from hub.store.queries.backlog import Arrivals, BlockedLane, Lane, OpenBreaker, ParkedKey
from hub.store.queries.clusters import BLOCK, ClusterBacklog
from hub.store.queries.details import AttemptRow, DeliveryRow, MessageRow, OriginRow
from hub.store.queries.followers import Follower
from hub.store.queries.search import MOST as MOST_COUNTED
from hub.store.queries.search import Filters, SearchCount, SearchPage
from hub.store.queries.search import Place as FoundAt
from hub.store.queries.throughput import MINUTE, MinuteCount, ThroughputRow
from hub.store.queries.unrouted import UnroutedLine, UnroutedRow
from hub.store.queries.views import View


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

    def find(
        self, filters: Filters, *, limit: int = 50, place: FoundAt | None = None, is_older: bool = True
    ) -> SearchPage:
        return search.search(self._database, filters, limit=limit, place=place, is_older=is_older)

    def count_found(self, filters: Filters, *, most: int = MOST_COUNTED) -> SearchCount:
        return search.count(self._database, filters, most=most)

    def messages_of(self, number: str) -> dict[str, str]:
        return numbers.messages_of(self._database, [number])[number]

    def messages_of_each(self, several: Sequence[str]) -> dict[str, dict[str, str]]:
        return numbers.messages_of(self._database, several)

    def save_view(self, view_id: str, *, name: str, owner: str, question: Mapping[str, Json], by: str) -> str:
        return views.save(self._database, view_id, name=name, owner=owner, question=question, by=by)

    def views(self, owner: str = "") -> list[View]:
        return views.views(self._database, owner)

    def delete_view(self, view_id: str, *, owner: str = "") -> bool:
        return views.delete(self._database, view_id, owner=owner)

    def message(self, id_: str) -> MessageRow | None:
        return details.find_message(self._database, id_)

    def messages(self, *ids: str) -> list[MessageRow]:
        return details.find_messages(self._database, list(ids))

    def origin(self, trace_id: str) -> OriginRow | None:
        return details.origin_of(self._database, trace_id)

    def body(self, message_id: str) -> bytes | None:
        return details.find_body(self._database, message_id)

    def bodies(self, *message_ids: str) -> dict[str, bytes]:
        return details.bodies(self._database, list(message_ids))

    def waiting_by_way(self) -> list[tuple[str, str, Status, int]]:
        return details.waiting_by_way(self._database)

    def deliveries(self, *message_ids: str) -> list[DeliveryRow]:
        return details.deliveries(self._database, list(message_ids))

    def delivery(self, id_: str) -> DeliveryRow | None:
        return details.find_delivery(self._database, id_)

    def attempts(self, *delivery_ids: str) -> list[AttemptRow]:
        return details.attempts(self._database, list(delivery_ids))

    def waiting(self, status: Status, *, limit: int = 50, before: str | None = None) -> list[DeliveryRow]:
        return details.waiting(self._database, status, limit=limit, before=before)

    def name_clusters(self, limit: int = clusters.BLOCK) -> int:
        return clusters.name(self._database, limit)

    def clusters(self) -> list[ClusterBacklog]:
        return clusters.count(self._database)

    def cluster(self, id_: str) -> Cluster | None:
        return clusters.find(self._database, id_)

    def clusters_since(self, lane: str, at: datetime, until: datetime) -> list[Cluster]:
        return clusters.since(self._database, lane, at, until)

    def cluster_members(
        self,
        id_: str,
        status: Status,
        *,
        limit: int = 50,
        before: tuple[datetime, str] | None = None,
        oldest: bool = False,
    ) -> list[DeliveryRow]:
        return clusters.members(self._database, id_, status, limit=limit, before=before, oldest=oldest)

    def clusters_with(self, words: Sequence[str], limit: int = 200) -> list[Cluster]:
        return clusters.with_words(self._database, words, limit)

    def name_unrouted(self, limit: int = BLOCK) -> int:
        return unrouted.name(self._database, limit)

    def list_unrouted(self, limit: int = BLOCK) -> int:
        return unrouted.list_missing(self._database, limit)

    def unrouted_causes(self) -> list[UnroutedLine]:
        return unrouted.count(self._database)

    def unrouted(
        self, *, cause: str | None = None, ids: Sequence[str] | None = None, limit: int = 50, before: str | None = None
    ) -> list[UnroutedRow]:
        return unrouted.rows(self._database, cause=cause, ids=ids, limit=limit, before=before)

    def lanes(self, names: Sequence[str]) -> list[Lane]:
        return backlog.lanes(self._database, names)

    def parked(self) -> tuple[list[ParkedKey], bool]:
        return backlog.parked(self._database)

    def blocked(self) -> list[BlockedLane]:
        return backlog.blocked(self._database)

    def open_breakers(self) -> list[OpenBreaker]:
        return backlog.opened(self._database)

    def waiting_arrivals(self) -> list[Arrivals]:
        return backlog.arrivals(self._database)

    def add_minutes(self, batch: Sequence[ThroughputRow]) -> None:
        throughput.add_minutes(self._database, batch)

    def prune_minutes(self, before: datetime) -> int:
        return throughput.prune_minutes(self._database, before)

    def flowed(self, since: datetime, until: datetime | None = None) -> list[ThroughputRow]:
        return throughput.flowed(self._database, since, until)

    def delivered_around(self, route: str, way: str, at: datetime) -> tuple[datetime | None, datetime | None]:
        return throughput.delivered_around(self._database, route, way, at)

    def flow_series(
        self,
        since: datetime,
        *,
        step: timedelta = MINUTE,
        route: str | None = None,
        way: str | None = None,
        lane: str | None = None,
        until: datetime | None = None,
    ) -> list[ThroughputRow]:
        return throughput.series(self._database, since, step=step, route=route, way=way, lane=lane, until=until)

    def beats(self, since: datetime) -> list[MinuteCount]:
        return throughput.beats(self._database, since)

    def queue_of_lane(self, lane: str, *, limit: int = 50) -> list[DeliveryRow]:
        return upcoming.of_lane(self._database, lane, limit=limit)

    def queue_of_route(self, route: str, lanes: Sequence[str], *, limit: int = 50) -> list[DeliveryRow]:
        return upcoming.of_route(self._database, route, lanes, limit=limit)

    def held_by_pauses(self) -> dict[str, int]:
        return upcoming.held_by_pauses(self._database)

    def story(self, value: str) -> list[MessageRow]:
        return details.story(self._database, value)

    def followers(self, type_: str) -> list[Follower]:
        return followers.followers(self._database, type_)

    def oldest_due(self) -> dict[str, datetime]:
        return details.oldest_due(self._database)

    def waiting_behind(self, kind: str, name: str) -> int:
        return pauses.waiting_behind(self._database, kind, name)

    def size(self) -> Size:
        return sizes.size(self._database)

    def oldest_message_at(self) -> datetime | None:
        return details.oldest_message_at(self._database)
