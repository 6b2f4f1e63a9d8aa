"""Adds messages: message, body, dedupe keys, business keys and deliveries in one transaction (law 2)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa

from hub.core.errors import Cause, Code, Reason, Refused
from hub.core.message import Disposition, Message, Receipt
from hub.core.model.delivery import AcceptedMessage, NewDelivery, Origin, WhenDead
from hub.store import tables
from hub.store.engine.database import Database, Insert, Stamp
from hub.store.engine.dialects import along, json_columns, texts
from hub.store.engine.engine import PACKET
from hub.store.engine.json_columns import dump_text, dump_why, message_row
from hub.store.messages import bundles, capacity
from hub.store.messages.dedupe_names import Answer, answer_repeats

OrderKey: TypeAlias = tuple[str, str]  # lane, business key

_INSERT_MESSAGES = Insert(tables.message)
_INSERT_BODIES = Insert(tables.body)
INSERT_DELIVERIES = Insert(tables.delivery)
_INSERT_UNROUTED = Insert(tables.unrouted)
_INSERT_ORIGINS = Insert(tables.origin, "ON CONFLICT DO NOTHING")  # stored once for all messages of a request
INSERT_BUSINESS_KEYS = Insert(tables.business_key, "ON CONFLICT DO NOTHING")
_TAKE_NUMBERS = Insert(
    tables.order_key, "ON CONFLICT (lane, key) DO UPDATE SET last_seq = order_key.last_seq + excluded.last_seq"
)
UNSTORABLE = (
    sa.exc.DataError,
    sa.exc.IntegrityError,
    sa.exc.InterfaceError,
    sa.exc.ProgrammingError,
    OverflowError,
    ValueError,
    TypeError,
)


def add(database: Database, batch: Sequence[AcceptedMessage]) -> list[Answer]:
    """Stores `batch` in one transaction; gives one answer per message, in order. A message that cannot be stored is
    refused without the others.

    Raises StoreBusy: then no sender may get a 2xx.
    """
    if not batch:
        return []
    written: list[str] = []

    def work(connection: sa.Connection) -> list[Answer]:
        answers = insert_messages(database, connection, batch)
        written[:] = [answer.message_id for answer in answers if isinstance(answer, Receipt) and not answer.duplicate]
        return answers

    def committed(connection: sa.Connection) -> bool:
        stored = connection.execute(sa.select(sa.func.count()).where(tables.message.c.id.in_(written[:1]))).scalar_one()
        return not written or stored == 1  # one message stands for all: they are one transaction

    try:
        return database.write(work, committed=committed)
    except UNSTORABLE as error:
        if len(batch) == 1:
            # If the message id is stored already, an earlier commit succeeded without an acknowledgement (promise P12):
            # it counts as accepted.
            if isinstance(error, sa.exc.IntegrityError) and database.read(
                lambda connection: _is_stored(connection, batch[0])
            ):
                return [Receipt(batch[0].message.id, duplicate=True)]
            return [
                Refused(
                    Code.INTERNAL,
                    f"Message {batch[0].message.id} cannot be stored: {type(error).__name__}. It was not accepted.",
                )
            ]
        # One bad row must not refuse the others (promise P21): the batch is halved until the bad row is alone.
        middle = len(batch) // 2
        return add(database, batch[:middle]) + add(database, batch[middle:])


def _is_stored(connection: sa.Connection, accepted: AcceptedMessage) -> bool:
    return (
        connection.execute(sa.select(tables.message.c.id).where(tables.message.c.id == accepted.message.id)).first()
        is not None
    )


def insert_messages(database: Database, connection: sa.Connection, batch: Sequence[AcceptedMessage]) -> list[Answer]:
    """Does the same inside an open transaction. The transaction that settles a delivery adds its reply message."""
    now = database.clock(connection)
    answers: list[Answer | None] = [
        refuse_unstorable(accepted) or _refuse_long(connection, accepted) for accepted in batch
    ]
    answer_repeats(database, connection, batch, answers, now)
    fresh = [accepted for accepted, answer in zip(batch, answers, strict=True) if answer is None]
    _insert(database, connection, fresh, now)
    return [
        answer if answer is not None else _receipt(accepted) for accepted, answer in zip(batch, answers, strict=True)
    ]


def _receipt(accepted: AcceptedMessage) -> Receipt:
    return Receipt(
        accepted.message.id,
        duplicate=False,
        lanes=tuple(dict.fromkeys(planned.lane for planned in accepted.deliveries)),
    )


def refuse_unstorable(accepted: AcceptedMessage) -> Refused | None:
    """Refuses NUL and lone surrogates in keys: PostgreSQL cannot store them, and SQLite truncates the value. All stores
    refuse them alike.
    """
    message = accepted.message
    texts = [
        message.order_key or "",
        message.idempotency_key or "",
        message.caller,
        message.trace_id,
        *(text for key in message.keys for text in key),
    ]
    texts += [
        planned.order_key
        for planned in accepted.deliveries
        if planned.order_key is not None and planned.order_key != message.order_key
    ]
    text = "\n".join(texts)
    if text.isascii() and "\0" not in text:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return Refused(
            Code.INVALID_UNICODE, "A key holds half a surrogate pair, and cannot be stored. Send whole characters."
        )
    if "\0" in text:
        return Refused(Code.INVALID_UNICODE, "A key holds the character NUL, and cannot be stored. Send it without.")
    return None


_ESCAPED = (b"\0", b"\n", b"\r", b"\x1a", b'"', b"'", b"\\")  # each takes two bytes in a statement of MariaDB


def _refuse_long(connection: sa.Connection, accepted: AcceptedMessage) -> Refused | None:
    """Refuses a body above the server's packet limit. The server would close the connection, and the whole batch would
    fail at each retry.
    """
    limit = connection.info.get(PACKET)
    if limit is None:
        return None
    for raw in (accepted.message.raw, accepted.origin.raw if accepted.origin is not None else b""):
        if 2 * len(raw) + 10_000 > limit and len(raw) + sum(map(raw.count, _ESCAPED)) + 10_000 > limit:
            return Refused(
                Code.TOO_LARGE,
                f"A body of {len(raw)} bytes is more than the store of this hub takes. It was not accepted.",
            )
    return None


def _insert(database: Database, connection: sa.Connection, batch: Sequence[AcceptedMessage], now: Stamp) -> None:
    if not batch:
        return
    stamp = database.stamp
    _INSERT_MESSAGES.run(
        connection,
        [
            message_row(accepted.message, len(accepted.deliveries), stamp(accepted.message.received_at))
            for accepted in batch
        ],
    )
    _INSERT_BODIES.run(connection, [(accepted.message.id, accepted.message.raw) for accepted in batch])
    origins = {
        accepted.message.trace_id: (accepted.origin, accepted.message.received_at)
        for accepted in batch
        if accepted.origin is not None
    }
    if origins:
        _INSERT_ORIGINS.run(
            connection,
            [
                _origin_row(trace_id, origin, stamp(at))
                for trace_id, (origin, at) in sorted(origins.items(), key=lambda row: row[0])
            ],
        )
    keys = {(value, name, accepted.message.id) for accepted in batch for name, value in accepted.message.keys}
    INSERT_BUSINESS_KEYS.run(connection, sorted(keys))
    apart = [
        (accepted.message.id, stamp(accepted.message.received_at), None, None, None)
        for accepted in batch
        if accepted.message.disposition is Disposition.UNROUTED
    ]
    _INSERT_UNROUTED.run(connection, apart)
    insert_deliveries(database, connection, batch, take_numbers(database, connection, ordered(batch)), now)


def insert_deliveries(
    database: Database,
    connection: sa.Connection,
    batch: Sequence[AcceptedMessage],
    numbers: dict[OrderKey, int],
    now: Stamp,
    *,
    is_newest: bool = True,
) -> None:
    """Inserts the deliveries of `batch` behind all others on their keys. `numbers`: from `take_numbers`; used in the
    batch's order.

    `is_newest`: the deliveries are newer than all others on their keys, and supersede older ones with
    `when_dead: latest`.
    """
    starts = capacity.place(
        database, connection, [planned for accepted in batch for planned in accepted.deliveries], now
    )
    INSERT_DELIVERIES.run(
        connection, [row for accepted in batch for row in _delivery_rows(database, accepted, numbers, starts, now)]
    )
    bundles.send_full(
        database,
        connection,
        {
            planned.bundle: planned.lane
            for accepted in batch
            for planned in accepted.deliveries
            if planned.bundle is not None
        },
        now,
    )
    if is_newest:
        keys = {
            (planned.lane, planned.order_key or "")
            for accepted in batch
            for planned in accepted.deliveries
            if is_latest(planned)
        }
        supersede_older(database, connection, keys, now)


def _origin_row(trace_id: str, origin: Origin, received_at: Stamp) -> tuple[Any, ...]:
    return (
        trace_id,
        origin.source,
        received_at,
        origin.method,
        dump_text(origin.query),
        dump_text(origin.content_type),
        origin.raw,
    )


def ordered(batch: Iterable[AcceptedMessage]) -> Counter[OrderKey]:
    """The number of sequence numbers that each order key needs."""
    return Counter(
        (planned.ref.system, planned.order_key)
        for accepted in batch
        for planned in accepted.deliveries
        if planned.order_key is not None
    )


def is_latest(planned: NewDelivery) -> bool:
    return planned.when_dead is WhenDead.LATEST and planned.order_key is not None and planned.undecided is None


def take_numbers(database: Database, connection: sa.Connection, needed: Counter[OrderKey]) -> dict[OrderKey, int]:
    """Reserves sequence numbers; gives the last number used before, per order key. The rows stay locked until the
    commit, so numbers rise in commit order.
    """
    if not needed:
        return {}
    # Sorted: two batches with the same keys take the locks in the same order, so they cannot deadlock.
    keys = sorted(needed)
    _TAKE_NUMBERS.run(connection, [(lane, key, needed[lane, key]) for lane, key in keys])
    if database.kind == "postgresql":
        rows = connection.execute(
            _NUMBERS_POSTGRESQL, {"lanes": [lane for lane, _ in keys], "keys": [key for _, key in keys]}
        )
    else:
        rows = connection.execute(_NUMBERS[database.kind], {"pairs": json.dumps(keys, ensure_ascii=False)})
    return {(lane, key): last - needed[lane, key] for lane, key, last in rows}


_NUMBERS_POSTGRESQL = sa.text(
    "SELECT k.lane, k.key, k.last_seq FROM unnest(CAST(:lanes AS text[]), CAST(:keys AS text[])) AS j (lane, key) "
    "JOIN order_key k ON k.lane = j.lane AND k.key = j.key",
)
_NUMBERS = {
    "sqlite": sa.text(
        "SELECT k.lane, k.key, k.last_seq FROM json_each(:pairs) j JOIN order_key k ON k.lane = j.value ->> 0 AND k.key = j.value ->> 1",
    ),
    "mariadb": sa.text(
        f"SELECT k.lane, k.key, k.last_seq FROM JSON_TABLE(:pairs, '$[*]' COLUMNS ({json_columns(tables.order_key, 'lane', 'key')})) j "
        "STRAIGHT_JOIN order_key k ON k.lane = j.lane AND k.key = j.key",
    ),
}


def _delivery_rows(
    database: Database, accepted: AcceptedMessage, numbers: dict[OrderKey, int], starts: dict[str, datetime], now: Stamp
) -> Iterable[tuple[Any, ...]]:
    for planned in accepted.deliveries:
        seq = None
        if planned.order_key is not None:
            key = (planned.ref.system, planned.order_key)
            seq = numbers[key] = numbers[key] + 1
        yield delivery_row(database, accepted.message, planned, seq, starts.get(planned.id), now, planned.made_with)


def delivery_row(
    database: Database,
    message: Message,
    planned: NewDelivery,
    seq: int | None,
    start: datetime | None,
    now: Stamp,
    made_with: str | None = None,
) -> tuple[Any, ...]:
    """The row of table `delivery`. `start`: the start of its capacity window, if it has to wait for one."""
    held, why = held_until(planned, start)
    lease = planned.lease
    return (
        planned.id,
        message.id,
        planned.route,
        planned.ref.system,
        str(planned.ref),
        planned.part,
        planned.order_key,
        seq,
        planned.when_dead.value,
        planned.in_doubt.value,
        "leased" if lease is not None else "pending" if held is None else "held",
        now if planned.bundle is None else database.stamp(database.instant(now) + planned.bundle.within),
        0 if lease is None else 1,  # attempts
        0 if lease is None else 1,  # spent
        0,  # lost leases
        now,
        now,
        lease.token if lease is not None else None,
        now if lease is not None else None,
        database.stamp(database.instant(now) + timedelta(seconds=lease.seconds)) if lease is not None else None,
        lease.worker if lease is not None else None,
        why,
        None,
        planned.priority.rank,
        database.stamp(planned.expires_at) if planned.expires_at is not None else None,
        database.stamp(held) if held is not None else None,
        planned.bundle.name if planned.bundle is not None else None,
        planned.fresh,
        message.caller,
        None,  # cluster
        made_with,
        True if planned.undecided is not None else None,
    )


def held_until(planned: NewDelivery, start: datetime | None) -> tuple[datetime | None, str | None]:
    """Until when a new delivery is held, and the cause: its message asks for a time, or a capacity window is full."""
    if start is not None and (planned.hold_until is None or start > planned.hold_until):
        return start, dump_why(
            Cause(Reason.OVER_CAPACITY, f"The capacity of {planned.route} was full; it goes from {start.isoformat()}.")
        )
    if planned.hold_until is not None:
        return planned.hold_until, dump_why(
            Cause(Reason.SCHEDULED, f"Its message asks for {planned.hold_until.isoformat()}.")
        )
    return None, None


OVERTAKEN = dump_why(
    Cause(Reason.OVERTAKEN, "A newer message on the same key made this one pointless (when_dead: latest).")
)


# Parts of one message do not supersede each other. The states are listed so that each is one index lookup; otherwise
# the whole history of a key would be scanned. A cancelled delivery is not newer content, and an undecided one may have
# none.
def newer(kind: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM delivery newer{along('ix_delivery_key', kind)} WHERE newer.lane = delivery.lane AND newer.order_key = delivery.order_key "
        "AND newer.status IN ('pending', 'leased', 'delivered', 'dead', 'unknown', 'held', 'superseded') AND newer.seq > delivery.seq "
        "AND newer.route = delivery.route AND newer.message_id <> delivery.message_id AND newer.undecided IS NULL)"
    )


_SUPERSEDE = texts(
    lambda kind: (
        f"UPDATE delivery{along('ix_delivery_key', kind)} SET status = 'superseded', why = :why, changed_at = :now WHERE lane = :lane AND order_key = :key "
        f"AND status IN ('pending', 'dead') AND when_dead = 'latest' AND {newer(kind)}"
    )
)


def supersede_older(database: Database, connection: sa.Connection, keys: Iterable[OrderKey], now: Stamp) -> None:
    """On keys with `when_dead: latest`: ends each delivery that has a newer one on its key."""
    rows = [{"lane": lane, "key": key, "why": OVERTAKEN, "now": now} for lane, key in sorted(keys)]
    if rows:
        connection.execute(_SUPERSEDE[database.kind], rows)
