"""Choosing what a repair is over: deliveries by their ids or by their cause, written down once, in the order in which
they will go.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.core.model.delivery import Status
from hub.core.model.repair import Order, Result, State
from hub.store.accounts import acts
from hub.store.columns import Instant, Word
from hub.store.engine.database import Database
from hub.store.engine.json_columns import dump
from hub.store.engine.register_tables import repair, repair_row
from hub.store.tables import delivery


def create(
    database: Database, id_: str, order: Order, *, request_key: str | None = None, fingerprint: str = ""
) -> tuple[str, bool]:
    """Chooses the deliveries and writes them down with what is to be done, in one transaction; nothing is done to them.

    Gives the id, and whether it was made before: under `request_key` the same order is one repair. Raises Refused where
    that key was used for another order, and where nothing is chosen.
    """

    def work(connection: sa.Connection) -> tuple[str, bool]:
        if request_key is not None:
            known = connection.execute(
                sa.select(repair.c.id, repair.c.fingerprint).where(repair.c.request_key == request_key)
            ).first()
            if known is not None:
                if known.fingerprint != fingerprint:
                    raise Refused(
                        Code.IDEMPOTENCY_MISMATCH, f"This Idempotency-Key was used for another repair, {known.id}."
                    )
                return known.id, True
        now = database.instant(database.clock(connection))
        number = _choose(connection, id_, order, now)
        if not number:
            raise Refused(Code.NOT_FOUND, "No delivery that waits is of that kind.")
        connection.execute(sa.insert(repair).values(_repair(id_, order, number, request_key, fingerprint, now)))
        # Which deliveries they are stands in the repair's rows, and in the acts that do something to them.
        acts.record(
            database,
            connection,
            order.by,
            "repair.created",
            id_,
            {**order.as_json(), "selection": _brief(order), "number": number},
        )
        return id_, False

    try:
        return database.write(work)
    except sa.exc.IntegrityError:
        return database.write(work)  # somebody else made it in between: now it is seen


def _brief(order: Order) -> dict[str, Json]:
    told = order.selection.as_json()
    return {**told, "ids": acts.named(order.selection.ids)} if order.selection.ids else told


def _repair(
    id_: str, order: Order, number: int, request_key: str | None, fingerprint: str, now: datetime
) -> dict[str, Any]:
    return {
        "id": id_,
        "request_key": request_key,
        "fingerprint": fingerprint,
        "act": order.act.value,
        "made_with": order.with_.value,
        "revision": order.revision,
        "forced": order.force,
        "canary": order.canary,
        "go_on_at": order.go_on_at,
        "rate": order.rate,
        "selection": dump(order.selection.as_json()),
        "why": order.why,
        "created_at": now,
        "created_by": order.by,
        "state": State.READY.value,
        "passed": order.canary == 0,
        "number": number,
        "stepped_at": None,
        "changed_at": now,
        "changed_by": order.by,
    }


def _choose(connection: sa.Connection, id_: str, order: Order, now: datetime) -> int:
    """Heads of keys first, then what comes behind them, and so on: the first few hold back nothing, and within a key
    the oldest goes first.
    """
    columns, chosen = delivery.c, order.selection
    picked = sa.select(columns.id, columns.attempts, columns.lane, columns.order_key, columns.seq)
    # A literal, not a parameter: so that planners see that the partial index fits.
    waits = sa.text(f"status = '{Status(chosen.status).value}'")
    picked = picked.where(columns.id.in_(chosen.ids)) if chosen.ids else picked.where(waits, *_cause(order))
    picks = picked.order_by(columns.id).limit(chosen.most).subquery("picked")
    behind = sa.func.row_number().over(
        partition_by=(picks.c.lane, picks.c.order_key), order_by=(picks.c.seq, picks.c.id)
    )
    depth = sa.case((picks.c.order_key.is_(None), 1), else_=behind).label("depth")
    ranked = sa.select(picks.c.id, picks.c.attempts, depth).subquery("ranked")
    place = sa.func.row_number().over(order_by=(ranked.c.depth, ranked.c.id))
    names = ["repair_id", "place", "delivery_id", "attempts", "result", "changed_at"]
    rows = sa.select(
        sa.literal(id_, Word),
        place,
        ranked.c.id,
        ranked.c.attempts,
        sa.literal(Result.WAITING.value, Word),
        sa.literal(now, Instant()),
    )
    connection.execute(sa.insert(repair_row).from_select(names, rows))
    there = set(connection.execute(sa.select(repair_row.c.delivery_id).where(repair_row.c.repair_id == id_)).scalars())
    missing = [one for one in dict.fromkeys(chosen.ids) if one not in there]
    if missing:
        given = {
            "repair_id": id_,
            "attempts": 0,
            "result": Result.SKIPPED.value,
            "note": "There is no such delivery.",
            "changed_at": now,
        }
        connection.execute(
            sa.insert(repair_row),
            [{**given, "place": len(there) + number, "delivery_id": one} for number, one in enumerate(missing, 1)],
        )
    return len(there) and len(there) + len(missing)


def _cause(order: Order) -> list[sa.ColumnElement[bool]]:
    columns, chosen = delivery.c, order.selection
    conditions: list[sa.ColumnElement[bool]] = []
    for column, wanted in (
        (columns.cluster, chosen.cluster),
        (columns.route, chosen.route),
        (columns.lane, chosen.lane),
        (columns.target, chosen.target),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    # `why` is a document of ours, its members always in one order. Its texts are quoted, so that no text looks like a
    # member.
    if chosen.reason is not None:
        conditions.append(columns.why.startswith(f'{{"reason":"{chosen.reason.value}",', autoescape=True))
    if chosen.field is not None:
        conditions.append(columns.why.contains(f'"field":{json.dumps(chosen.field)},"fix":', autoescape=True))
    if chosen.text is not None:
        conditions.append(columns.why.contains(json.dumps(chosen.text)[1:-1], autoescape=True))
    if chosen.since is not None:
        conditions.append(columns.changed_at >= chosen.since)
    if chosen.until is not None:
        conditions.append(columns.changed_at < chosen.until)
    return conditions
