"""Settles a batch of attempts: attempt rows, new states and replies in one transaction, fenced by the lease's token
(law 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from hub.core.errors import Cause, HubError, Reason, Refused
from hub.core.model.delivery import (
    Claim,
    Dead,
    Delivered,
    Ended,
    Exchange,
    Hold,
    InDoubt,
    InDoubtPolicy,
    Outcome,
    Retry,
    Settlement,
    Status,
    Superseded,
)
from hub.store import tables
from hub.store.engine.database import Database, Insert, Stamp, Update
from hub.store.engine.dialects import along, any_of, for_update, texts
from hub.store.engine.json_columns import dump, dump_why
from hub.store.messages.add import INSERT_BUSINESS_KEYS, OVERTAKEN, UNSTORABLE, insert_messages, newer

MAX_REPLY = 64 * 1024
LONGEST_WAIT_S = 10 * 365 * 86_400.0  # a longer wait would exceed the range of dates
INSERT_ATTEMPTS = Insert(tables.attempt, "ON CONFLICT DO NOTHING")
UPDATE_DELIVERIES = Update(
    tables.delivery,
    ("status", "due_at", "why", "lost_leases", "changed_at"),
    by=("id", "lease"),
    # The lease ends here, and the old cluster with the old outcome. `worker` stays, as the last one that had it.
    fixed="lease = NULL, leased_at = NULL, lease_until = NULL, cluster = NULL",
    only="status = 'leased'",
)
# Sorted by id: two transactions with the same rows take the locks in the same order, so they cannot deadlock.
_FENCE = texts(
    lambda kind: (
        f"SELECT id, lease, worker, when_dead = 'latest' AS latest FROM delivery{along('PRIMARY', kind)} WHERE status = 'leased' AND id "
        f"{any_of('ids', kind)} ORDER BY id{for_update(kind)}"
    )
)


class _Unstorable(HubError):
    """A reply cannot be stored; its batch is halved until it is alone."""


def settle(database: Database, batch: Sequence[Settlement]) -> list[str]:
    """Writes the outcomes of `batch`; gives the ids of the deliveries that were settled.

    A worker whose lease ended, or belongs to another worker now, changes nothing: its ids are not in the result. A
    second call changes nothing either. Raises StoreBusy; then the leases lapse, and the outcomes count as not seen.
    """
    if not batch:
        return []

    def committed(connection: sa.Connection) -> bool:
        # Attempt rows and states are one transaction, so the first attempt that passed the fence stands for all.
        columns = tables.attempt.c
        claims = [settled.claim for settled in batch if settled.claim.id in passed[:1]]
        return not claims or _has_attempt(connection, columns, claims[0])

    passed: list[str] = []

    def work(connection: sa.Connection) -> list[str]:
        passed[:] = _settle(database, connection, batch)
        return list(passed)

    try:
        return database.write(work, committed=committed)
    except (*UNSTORABLE, _Unstorable) as error:
        if len(batch) == 1:
            return _settle_unstorable(database, batch[0], error)
        # One bad row must not fail the others (promise P21).
        middle = len(batch) // 2
        return settle(database, batch[:middle]) + settle(database, batch[middle:])


def _has_attempt(connection: sa.Connection, columns: Any, claim: Claim) -> bool:
    query = sa.select(sa.literal(1)).where(
        columns.delivery_id == claim.id, columns.number == claim.attempt, columns.lease == claim.token
    )
    return connection.execute(query).first() is not None


def _settle_unstorable(database: Database, settled: Settlement, error: Exception) -> list[str]:
    """Settles an attempt whose result cannot be stored as dead, so that a person sees it. If it stayed leased, it would
    be sent again and again.
    """
    if isinstance(settled.outcome, Dead) and settled.exchange == Exchange():
        raise error
    text = f"It was tried, and ended as {_word(settled.outcome)}; what came back cannot be stored ({error if isinstance(error, _Unstorable) else type(error).__name__})."
    why = Cause(Reason.UNEXPECTED, text, fix="Look at the target, whether it has it. Then replay it, or cancel it.")
    return settle(
        database,
        [
            replace(
                settled,
                outcome=Dead(why),
                exchange=Exchange(sent=settled.exchange.sent, ms=settled.exchange.ms),
                reply=None,
            )
        ],
    )


def _settle(database: Database, connection: sa.Connection, batch: Sequence[Settlement]) -> list[str]:
    now = database.clock(connection)
    rows = connection.execute(_FENCE[database.kind], {"ids": database.listing([settled.claim.id for settled in batch])})
    fence = {row.id: row for row in rows}
    ours: dict[str, Settlement] = {}
    for settled in batch:
        if settled.claim.id in fence and fence[settled.claim.id].lease == settled.claim.token:
            # one attempt has one outcome: a second settlement of it is ignored
            ours.setdefault(settled.claim.id, settled)
    overtaken = find_overtaken(database, connection, [id_ for id_ in ours if fence[id_].latest])
    UPDATE_DELIVERIES.run(connection, [_state_row(database, settled, overtaken, now) for settled in ours.values()])
    INSERT_ATTEMPTS.run(
        connection, [_attempt_row(database, settled, fence[id_].worker, now) for id_, settled in ours.items()]
    )
    alone = [id_ for id_, settled in ours.items() if isinstance(settled.outcome, Retry) and settled.outcome.alone]
    if alone:
        connection.execute(_ALONE[database.kind], {"ids": database.listing(alone)})
    _lay_replies(database, connection, ours.values())
    return list(ours)


_ALONE = texts(
    lambda kind: f"UPDATE delivery{along('PRIMARY', kind)} SET bundle = NULL WHERE id " + any_of("ids", kind)
)


_FIND_OVERTAKEN = texts(
    lambda kind: (
        f"SELECT id FROM delivery{along('PRIMARY', kind)} WHERE order_key IS NOT NULL AND {newer(kind)} AND id "
        + any_of("ids", kind)
    )
)


def find_overtaken(database: Database, connection: sa.Connection, ids: Sequence[str]) -> frozenset[str]:
    """Those of `ids` that a newer delivery on their key supersedes."""
    if not ids:
        return frozenset()
    return frozenset(connection.execute(_FIND_OVERTAKEN[database.kind], {"ids": database.listing(ids)}).scalars())


def next_status(outcome: Outcome) -> Status:
    """The status after an outcome; the only place that decides it for the database."""
    match outcome:
        case Delivered():
            return Status.DELIVERED
        case Retry():
            return Status.PENDING
        case Dead():
            return Status.DEAD
        case InDoubt():
            return Status.PENDING if outcome.policy is InDoubtPolicy.RESEND else Status.UNKNOWN
        case Hold():
            return Status.HELD
        case Ended():
            return Status.CANCELLED
        case Superseded():
            return Status.SUPERSEDED
        case _:
            assert_never(outcome)


def _word(outcome: Outcome) -> str:
    match outcome:
        case Delivered():
            return "delivered"
        case Retry():
            return "retry"
        case Dead():
            return "dead"
        case InDoubt():
            return "in_doubt"
        case Hold():
            return "hold"
        case Ended():
            return "ended"
        case Superseded():
            return "superseded"
        case _:
            assert_never(outcome)


def _state_row(database: Database, settled: Settlement, overtaken: frozenset[str], now: Stamp) -> tuple[Any, ...]:
    outcome = settled.outcome
    status = next_status(outcome)
    why = None if isinstance(outcome, Delivered) else dump_why(outcome.why)
    if settled.claim.id in overtaken and status in (Status.PENDING, Status.DEAD):
        status, why = Status.SUPERSEDED, OVERTAKEN
    due = now
    if isinstance(outcome, Retry | InDoubt):
        due = database.stamp(database.instant(now) + timedelta(seconds=min(max(outcome.after_s, 0.0), LONGEST_WAIT_S)))
    return (settled.claim.id, settled.claim.token, status.value, due, why, 0, now)


def _attempt_row(database: Database, settled: Settlement, worker: str, now: Stamp) -> tuple[Any, ...]:
    claim, exchange, outcome = settled.claim, settled.exchange, settled.outcome
    return (
        claim.id,
        claim.attempt,
        database.stamp(claim.claimed_at),
        now,
        _word(outcome),
        None if isinstance(outcome, Delivered) else dump_why(outcome.why),
        exchange.url,
        exchange.method,
        exchange.status,
        exchange.sent,
        exchange.request_bytes,
        exchange.reply[:MAX_REPLY],
        exchange.ms,
        dump(dict(exchange.timings)),
        settled.revision,
        worker,
        claim.token,
        claim.made_with,
    )


def _lay_replies(database: Database, connection: sa.Connection, settled: Iterable[Settlement]) -> None:
    """Adds the business keys of replies, and replies that are messages, in the transaction that writes the states."""
    delivered = [
        (settlement, settlement.outcome) for settlement in settled if isinstance(settlement.outcome, Delivered)
    ]
    keys = {
        (value, name, settlement.claim.message.id) for settlement, outcome in delivered for name, value in outcome.keys
    }
    INSERT_BUSINESS_KEYS.run(connection, sorted(keys))
    replies = [settlement.reply for settlement, _ in delivered if settlement.reply is not None]
    if not replies:
        return
    for answer in insert_messages(database, connection, replies):
        # The same reply is a duplicate. Other content under a known natural key is a message that is not stored, and it
        # must not be lost.
        if isinstance(answer, Refused):
            raise _Unstorable(answer.text)
