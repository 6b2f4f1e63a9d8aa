"""Reading: what people and pages ask for. Each answer is one snapshot and a page: keyset, never an offset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Cause
from hub.core.message import Disposition, Json, Ref
from hub.core.model.delivery import Status
from hub.core.model.fate import delivery_stands, reason_of
from hub.store.engine import days
from hub.store.engine.database import Database
from hub.store.engine.json_columns import load_keys, load_why, parse_ref
from hub.store.tables import attempt, body, business_key, delivery, message, origin

MAX_PAGE = 500
MAX_STORY = 1_000  # messages of one story: a key that ties more together is no order's


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message without its body."""

    id: str
    type: str
    version: int
    received_at: datetime
    caller: str
    source: str
    trace_id: str
    revision: str
    disposition: Disposition
    planned: int
    keys: tuple[tuple[str, str], ...]
    order_key: str | None
    cause_id: str | None
    hops: int
    why: dict[str, Json]

    @property
    def ref(self) -> Ref:
        system, name = self.type.split("/", 1)
        return Ref(system, name, self.version)

    @property
    def system(self) -> str:
        return self.type.split("/", 1)[0]

    @property
    def routed_with(self) -> str:
        """The revision that decided where it goes: the one that accepted it, unless a person had it routed again."""
        again = self.why.get("again")
        return str(again["revision"]) if isinstance(again, dict) else self.revision

    @property
    def routed_hops(self) -> int:
        """How many messages had caused one another before it, as its routing counted them: a person begins anew."""
        return 0 if "again" in self.why else self.hops


@dataclass(frozen=True, slots=True)
class OriginRow:
    """What a foreign system sent, as it came; the messages made of it have its trace id."""

    trace_id: str
    source: str
    received_at: datetime
    method: str
    query: str
    content_type: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as it stands."""

    id: str
    message_id: str
    route: str
    lane: str
    ref: Ref
    part: int | None
    order_key: str | None
    seq: int | None
    when_dead: str
    in_doubt: str
    status: Status
    due_at: datetime
    attempts: int
    first_at: datetime
    changed_at: datetime
    why: Cause | None  # for which it is in this state; an earlier try's stands with its attempt
    changed_by: str | None
    rank: int
    expires_at: datetime | None
    release_at: datetime | None
    made_with: str | None  # the revision that a repair chose for its content; None: the message's own
    undecided: bool  # whether its route takes the message is still to be decided

    @property
    def stands(self) -> str:
        """How it stands, as one sentence."""
        return delivery_stands(
            self.status, self.why, attempts=self.attempts, due_at=self.due_at, release_at=self.release_at
        )

    @property
    def settled_at(self) -> datetime | None:
        return (
            self.changed_at
            if self.status in (Status.DELIVERED, Status.CANCELLED, Status.SUPERSEDED, Status.DEAD)
            else None
        )


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try; never edited."""

    delivery_id: str
    number: int
    started_at: datetime
    ended_at: datetime
    outcome: str
    why: Cause | None
    url: str
    method: str
    http_status: int | None
    sent: bool
    request_bytes: int
    reply: bytes
    ms: int
    timings: dict[str, int]
    revision: str
    worker: str
    made_with: str | None  # the revision that made its content; None: the message's own


MESSAGE = [
    message.c[name]
    for name in (
        "id",
        "type",
        "version",
        "received_at",
        "caller",
        "source",
        "trace_id",
        "revision",
        "disposition",
        "planned",
        "keys",
        "order_key",
        "cause_id",
        "hops",
        "why",
    )
]
DELIVERY = [
    delivery.c[name]
    for name in (
        "id",
        "message_id",
        "route",
        "lane",
        "target",
        "part",
        "order_key",
        "seq",
        "when_dead",
        "in_doubt",
        "status",
        "due_at",
        "attempts",
        "first_at",
        "changed_at",
        "why",
        "changed_by",
        "rank",
        "expires_at",
        "release_at",
        "made_with",
        "undecided",
    )
]
_ATTEMPT = [
    attempt.c[name]
    for name in (
        "delivery_id",
        "number",
        "started_at",
        "ended_at",
        "outcome",
        "why",
        "url",
        "method",
        "http_status",
        "sent",
        "request_bytes",
        "reply",
        "ms",
        "timings",
        "revision",
        "worker",
        "made_with",
    )
]


def message_of(row: Any) -> MessageRow:
    return message_from(dict(row._mapping))  # noqa: SLF001  the library's public name


def message_from(given: dict[str, Any]) -> MessageRow:
    """The message of a row's columns by name: those of MESSAGE."""
    return MessageRow(
        **{
            **given,
            "disposition": Disposition(given["disposition"]),
            "keys": load_keys(given["keys"]),
            "why": json.loads(given["why"]),
        }
    )


def delivery_of(row: Any) -> DeliveryRow:
    given = dict(row._mapping)  # noqa: SLF001
    target, status = given.pop("target"), Status(given["status"])
    why = reason_of(status, load_why(given["why"]))
    return DeliveryRow(
        **{**given, "ref": parse_ref(target), "status": status, "why": why, "undecided": bool(given["undecided"])}
    )


def _attempt(row: Any) -> AttemptRow:
    given = dict(row._mapping)  # noqa: SLF001
    return AttemptRow(
        **{
            **given,
            "why": load_why(given["why"]),
            "reply": bytes(given["reply"]),
            "timings": json.loads(given["timings"]),
        }
    )


def search(
    database: Database,
    *,
    key: str | None = None,
    name: str | None = None,
    type_: str | None = None,
    version: int | None = None,
    status: Status | None = None,
    disposition: Disposition | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    before: str | None = None,
) -> list[MessageRow]:
    """Messages, newest first. `key`: a business key's value (of `name`, if given). `before`: the id of the last one on
    the page before.
    """
    query = sa.select(*MESSAGE)
    if key is not None:
        keyed = sa.select(business_key.c.message_id).where(business_key.c.value == key)
        query = query.where(message.c.id.in_(keyed if name is None else keyed.where(business_key.c.name == name)))
    if type_ is not None:
        query = query.where(message.c.type == type_)
    if version is not None:
        query = query.where(message.c.version == version)
    if disposition is not None:
        query = query.where(message.c.disposition == disposition.value)
    if status is not None:
        query = query.where(sa.exists().where(delivery.c.message_id == message.c.id, delivery.c.status == status.value))
    if since is not None:
        # An id is made when its message is received: earlier days need not be looked at. One is left for clocks that
        # differ.
        query = query.where(message.c.received_at >= since, message.c.id >= days.floor(days.of(since) - days.ONE))
    if until is not None:
        query = query.where(message.c.received_at < until)
    if before is not None:
        last = sa.select(message.c.received_at, message.c.id).where(message.c.id == before).subquery()
        query = query.join(
            last, sa.tuple_(message.c.received_at, message.c.id) < sa.tuple_(last.c.received_at, last.c.id)
        )
    query = query.order_by(message.c.received_at.desc(), message.c.id.desc()).limit(max(1, min(limit, MAX_PAGE)))
    return [message_of(row) for row in database.read(lambda connection: connection.execute(query).all())]


def find_message(database: Database, id_: str) -> MessageRow | None:
    query = sa.select(*MESSAGE).where(message.c.id == id_)
    row = database.read(lambda connection: connection.execute(query).first())
    return None if row is None else message_of(row)


def find_messages(database: Database, ids: list[str]) -> list[MessageRow]:
    """Those of these ids that are there, oldest first."""
    query = sa.select(*MESSAGE).where(message.c.id.in_(ids)).order_by(message.c.received_at, message.c.id)
    return [message_of(row) for row in database.read(lambda connection: connection.execute(query).all())] if ids else []


def find_body(database: Database, message_id: str) -> bytes | None:
    """The bytes as they were signed and stored."""
    raw = database.read(
        lambda connection: connection.execute(sa.select(body.c.raw).where(body.c.message_id == message_id)).scalar()
    )
    return None if raw is None else bytes(raw)


def bodies(database: Database, message_ids: list[str]) -> dict[str, bytes]:
    """The bodies of many messages, by id."""
    query = sa.select(body.c.message_id, body.c.raw).where(body.c.message_id.in_(message_ids))
    rows = database.read(lambda connection: connection.execute(query).all()) if message_ids else []
    return {row[0]: bytes(row[1]) for row in rows}


def oldest_message_at(database: Database) -> datetime | None:
    """When the oldest message that is still kept was received: one look into the index."""
    query = sa.select(message.c.received_at).order_by(message.c.received_at, message.c.id).limit(1)
    return database.read(lambda connection: connection.execute(query).scalar())


def waiting_by_way(database: Database) -> list[tuple[str, str, Status, int]]:
    """How many deliveries wait or are on their way, by route and target."""
    query = sa.text(
        "SELECT route, target, status, count(*) FROM delivery WHERE status = 'pending' OR status = 'leased' OR status = 'dead' OR status = 'held' "
        "OR status = 'unknown' GROUP BY route, target, status ORDER BY route, target, status"
    )
    return [
        (row[0], row[1], Status(row[2]), int(row[3]))
        for row in database.read(lambda connection: connection.execute(query).all())
    ]


def deliveries(database: Database, message_ids: list[str]) -> list[DeliveryRow]:
    """Deliveries of messages, in the order in which they were stored."""
    query = (
        sa.select(*DELIVERY).where(delivery.c.message_id.in_(message_ids)).order_by(delivery.c.first_at, delivery.c.id)
    )
    return (
        [delivery_of(row) for row in database.read(lambda connection: connection.execute(query).all())]
        if message_ids
        else []
    )


def find_delivery(database: Database, id_: str) -> DeliveryRow | None:
    query = sa.select(*DELIVERY).where(delivery.c.id == id_)
    row = database.read(lambda connection: connection.execute(query).first())
    return None if row is None else delivery_of(row)


def attempts(database: Database, delivery_ids: list[str]) -> list[AttemptRow]:
    """Attempts of deliveries, by delivery and number."""
    query = (
        sa.select(*_ATTEMPT)
        .where(attempt.c.delivery_id.in_(delivery_ids))
        .order_by(attempt.c.delivery_id, attempt.c.number)
    )
    return (
        [_attempt(row) for row in database.read(lambda connection: connection.execute(query).all())]
        if delivery_ids
        else []
    )


def waiting(database: Database, status: Status, *, limit: int = 50, before: str | None = None) -> list[DeliveryRow]:
    """Dead, held or unknown deliveries, newest id first. `before`: the last id of the page before."""
    # A literal, not a parameter: so both planners see that the partial index fits.
    query = sa.select(*DELIVERY).where(sa.text(f"status = '{Status(status).value}'"))
    if before is not None:
        query = query.where(delivery.c.id < before)
    query = query.order_by(delivery.c.id.desc()).limit(max(1, min(limit, 10_000)))
    return [delivery_of(row) for row in database.read(lambda connection: connection.execute(query).all())]


def story(database: Database, value: str) -> list[MessageRow]:
    """All messages of one story, oldest first: those that bear the key `value`, or whose id it is; and, step by step,
    those that share a key with them, or caused them, or were caused by them. So an order leads to its outbound number,
    its waybill, its payment.
    """

    def work(connection: sa.Connection) -> list[Any]:
        found: set[str] = set(
            connection.execute(
                sa.select(business_key.c.message_id).where(business_key.c.value == value).limit(MAX_STORY)
            ).scalars()
        )
        found |= set(connection.execute(sa.select(message.c.id).where(message.c.id == value)).scalars())
        edge = set(found)
        while edge and len(found) < MAX_STORY:
            ids = sorted(edge)[:400]
            mine = business_key.alias()
            keyed = (
                sa.select(business_key.c.message_id)
                .join(mine, sa.and_(mine.c.value == business_key.c.value, mine.c.name == business_key.c.name))
                .where(mine.c.message_id.in_(ids))
            )
            caused = sa.select(message.c.id).where(
                message.c.cause_id.is_not(None), message.c.cause_id.in_(ids), *_since(ids)
            )
            causes = sa.select(message.c.cause_id).where(message.c.id.in_(ids), message.c.cause_id.is_not(None))
            near = {
                id_ for query in (keyed, caused, causes) for id_ in connection.execute(query.limit(MAX_STORY)).scalars()
            }
            edge = near - found
            found |= edge
        query = (
            sa.select(*MESSAGE)
            .where(message.c.id.in_(sorted(found)[:MAX_STORY]))
            .order_by(message.c.received_at, message.c.id)
        )
        return list(connection.execute(query).all())

    return [message_of(row) for row in database.read(work)]


def _since(causes: list[str]) -> list[sa.ColumnElement[bool]]:
    """What a message caused is no older than itself: earlier days need not be looked at. A day is left for clocks that
    differ.
    """
    found = days.span(causes)
    return [] if found is None else [message.c.id >= days.floor(found[0] - days.ONE)]


def oldest_due(database: Database) -> dict[str, datetime]:
    """Per lane with waiting work, when its oldest delivery was due."""
    query = (
        sa.select(delivery.c.lane, sa.func.min(delivery.c.due_at).label("due"))
        .where(sa.text("status = 'pending'"))
        .group_by(delivery.c.lane)
    )
    column = delivery.c.due_at.type
    rows = database.read(
        lambda connection: connection.execute(
            query.with_only_columns(delivery.c.lane, sa.type_coerce(sa.func.min(delivery.c.due_at), column))
        ).all()
    )
    return {str(row[0]): row[1] for row in rows}


def origin_of(database: Database, trace_id: str) -> OriginRow | None:
    """What the messages of this trace were made of; None where they are their own originals."""
    row = database.read(
        lambda connection: connection.execute(sa.select(origin).where(origin.c.trace_id == trace_id)).first()
    )
    return None if row is None else OriginRow(row[0], row[1], row[2], row[3], row[4], row[5], bytes(row[6]))
