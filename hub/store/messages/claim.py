"""Claiming: leasing due deliveries of one lane to one worker. The claim is the record made before the first byte leaves (promise P13)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from random import sample
from typing import Any

import sqlalchemy as sa

from hub.core.model.delivery import Bundle, Claim
from hub.store.engine import days
from hub.store.engine.database import Database, Stamp
from hub.store.engine.dialects import along, any_of, skip_locked, text, texts
from hub.store.engine.json_columns import MESSAGE, message_of, parse_ref
from hub.store.messages import bundles as bundling
from hub.store.messages import pauses
from hub.store.messages.pauses import NOT_PAUSED

# Who may go: due, of nothing that is paused, not too old, nothing unfinished before it on its key, nobody else of its key on the way, and no
# dead one that blocks the lane. Each condition is one look into an index; a reopened delivery may be earlier than one that is leased, hence the second on keys.
_MAY_GO = f"""
    {NOT_PAUSED} AND (d.expires_at IS NULL OR d.expires_at > :now)
    AND (d.order_key IS NULL OR (
        NOT EXISTS (SELECT 1 FROM delivery e{{key}} WHERE e.lane = d.lane AND e.order_key = d.order_key
            AND e.status IN ('pending', 'leased', 'held', 'unknown') AND e.seq < d.seq)
        AND NOT EXISTS (SELECT 1 FROM delivery e{{key}} WHERE e.lane = d.lane AND e.order_key = d.order_key AND e.status = 'leased')
        AND NOT EXISTS (SELECT 1 FROM delivery e{{key}} WHERE e.lane = d.lane AND e.order_key = d.order_key
            AND e.status = 'dead' AND e.seq < d.seq AND e.when_dead IN ('park', 'block'))))
    AND NOT EXISTS (SELECT 1 FROM delivery b{{block}} WHERE b.lane = :lane AND b.status = 'dead' AND b.when_dead = 'block')
"""
_OLDEST = """
    SELECT d.id FROM delivery d{due} WHERE d.lane = :lane AND d.status = 'pending' AND d.rank = {rank} AND d.due_at <= :now
    AND {may_go}{but} ORDER BY d.due_at, d.id LIMIT {limit} {lock}
"""
# One caller's oldest, and of these who may go. Not all it has is looked at: most of that may wait behind keys.
_OF_CALLER = """
    SELECT d.id FROM (SELECT h.id FROM delivery h{caller_way} WHERE h.lane = :lane AND h.status = 'pending' AND h.rank = {rank}
        AND h.caller = {caller} AND h.due_at <= :now ORDER BY h.due_at, h.id LIMIT {look}) h
    {join} JOIN delivery d ON d.id = h.id WHERE d.status = 'pending' AND {may_go} LIMIT {limit} {lock}
"""
LOOK = 100
# Rank by rank, each along the index. The first leaves a few places to the others, so that nothing waits for ever behind urgent work.
_LIMITS = (
    "CAST(:size AS integer) - :kept",
    ":size - :kept / 2 - (SELECT count(*) FROM due0)",
    ":size - (SELECT count(*) FROM due0) - (SELECT count(*) FROM due1)",
)
# Where several callers wait in one rank, half of its places are dealt out evenly among them: half a million of one do not stand before the one
# of another. The rest goes to what is oldest. One step along the index for each caller, whatever waits; where there are fewer places than
# callers, chance says whose turn it is.
_CALLERS = """
    who{name} (caller, nth) AS (
        SELECT (SELECT min(d.caller) FROM delivery d WHERE d.lane = :lane AND d.status = 'pending' AND d.rank = {rank}), 1
        UNION ALL
        SELECT (SELECT min(d.caller) FROM delivery d WHERE d.lane = :lane AND d.status = 'pending' AND d.rank = {rank} AND d.caller > w.caller), w.nth + 1
        FROM who{name} w WHERE w.caller IS NOT NULL AND w.nth < {most}
    ),
    turn{name} AS MATERIALIZED (
        SELECT w.caller FROM who{name} w WHERE w.caller IS NOT NULL AND (SELECT count(*) FROM who{name} o WHERE o.caller IS NOT NULL) > 1
        AND (SELECT min(d.due_at) FROM delivery d WHERE d.lane = :lane AND d.status = 'pending' AND d.rank = {rank} AND d.caller = w.caller) <= :now
        ORDER BY random() LIMIT ({limit} + 1) / 2
    )
"""
MOST_CALLERS = 256  # of one rank in one claim; those beyond have their turn when one of these has nothing waiting


def _may_go(kind: str) -> str:
    return _MAY_GO.format(key=along("ix_delivery_key", kind), block=along("ix_delivery_block", kind))


def _oldest(rank: str, limit: str, but: str, kind: str) -> str:
    lock = skip_locked(kind)
    return _OLDEST.format(due=along("ix_delivery_due", kind), rank=rank, limit=limit, but=but, may_go=_may_go(kind), lock=lock)


def _of_caller(rank: str, caller: str, limit: str, kind: str) -> str:
    join = {"sqlite": "CROSS", "postgresql": "", "mariadb": "STRAIGHT_"}[kind]
    lock = " FOR UPDATE OF d SKIP LOCKED" if kind == "postgresql" else skip_locked(kind)
    way = along("ix_delivery_caller", kind)
    made = _OF_CALLER.format(caller_way=way, rank=rank, caller=caller, look=LOOK, join=join, may_go=_may_go(kind), limit=limit, lock=lock)
    return made.replace("STRAIGHT_ JOIN", "STRAIGHT_JOIN")


def _dealt(rank: str, limit: str, name: str, kind: str) -> str:
    """The CTEs `fair` and `old` of one rank, with `name` behind each: what is dealt out among the callers, and the oldest of the rest."""
    callers = _CALLERS.format(rank=rank, limit=f"({limit})", most=MOST_CALLERS, name=name)
    found = _of_caller(rank, "t.caller", f"(SELECT COALESCE((({limit}) + 1) / 2 / NULLIF(count(*), 0), 0) FROM turn{name})", kind)
    way = f"turn{name} t CROSS JOIN LATERAL ({found}) f" if kind == "postgresql" else f"turn{name} t CROSS JOIN delivery f ON f.id IN ({found})"
    rest = _oldest(rank, f"({limit}) - (SELECT count(*) FROM fair{name})", f" AND d.id NOT IN (SELECT id FROM fair{name})", kind)
    return f"{callers}, fair{name} AS MATERIALIZED (SELECT f.id FROM {way}), old{name} AS MATERIALIZED ({rest})"


def _due(kind: str, *, is_crowded: bool) -> str:
    """The CTEs `due0` to `due2` and their union `due`. MATERIALIZED: otherwise a part may be run twice, and claim more than :size (promise P19).

    Dealing out among callers is for a lane in which more waits than a claim takes: elsewhere everybody is taken anyhow, and the short statement
    is planned in a tenth of the time.
    """
    parts: list[str] = []
    for rank, limit in enumerate(_LIMITS):
        if not is_crowded:
            parts.append(f"due{rank} AS MATERIALIZED ({_oldest(str(rank), limit, '', kind)})")
            continue
        parts.append(_dealt(str(rank), limit, str(rank), kind))
        parts.append(f"due{rank} AS MATERIALIZED (SELECT id FROM fair{rank} UNION ALL SELECT id FROM old{rank})")
    union = " UNION ALL ".join(f"SELECT id FROM due{rank}" for rank in range(len(_LIMITS)))
    return ", ".join([*parts, f"due AS MATERIALIZED ({union})"])


_LEASE = """
    status = 'leased', lease = :token, leased_at = :now, lease_until = :until, worker = :worker,
    attempts = attempts + 1, spent = spent + 1, changed_at = :now
"""
DELIVERY = ("id", "route", "target", "part", "order_key", "seq", "attempts", "spent", "first_at", "due_at", "bundle", "rank", "fresh", "made_with", "undecided")
COLUMNS = f"{MESSAGE}, b.raw, {', '.join(f'd.{name}' for name in DELIVERY)}"
RETURNED = ", ".join(f"delivery.{name}" for name in (*DELIVERY, "message_id"))
_IN_ORDER = "ORDER BY d.rank, d.due_at, d.id"
_POSTGRESQL = {
    is_crowded: sa.text(
        f"WITH RECURSIVE {_due('postgresql', is_crowded=is_crowded)} UPDATE delivery SET {_LEASE} "
        f"FROM due WHERE delivery.id = due.id AND delivery.status = 'pending' RETURNING {RETURNED}"
    )
    for is_crowded in (False, True)
}
_SQLITE = sa.text(f"WITH RECURSIVE {_due('sqlite', is_crowded=False)} UPDATE delivery SET {_LEASE} WHERE id IN (SELECT id FROM due) RETURNING id")
# A crowded lane's ranks are looked at one after the other: SQLite plans a part of a statement anew wherever another one names it, and took a third
# of a second, with the write lock held, for all three in one.
_SQLITE_RANK = sa.text(f"WITH RECURSIVE {_dealt(':rank', ':limit', '', 'sqlite')} SELECT id FROM fair UNION ALL SELECT id FROM old")
_SQLITE_LEASE = text(f"UPDATE delivery SET {_LEASE} WHERE id {any_of('ids', 'sqlite')}", "sqlite")


@lru_cache(maxsize=64)
def _messages(within: str) -> sa.TextClause:
    # The days of the messages stand in the statement: parts of other days are not even opened, also under a plan that was made for all values.
    bodies = within.replace("m.id", "b.message_id")
    return sa.text(f"SELECT {MESSAGE}, b.raw FROM message m JOIN body b ON b.message_id = m.id{bodies} WHERE m.id = ANY(CAST(:ids AS text[])){within}")


def with_messages(connection: sa.Connection, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of `COLUMNS` out of rows of deliveries (`DELIVERY`, then the message's id), in the order of a claim. On PostgreSQL."""
    ids = sorted({row[-1] for row in rows})
    messages = {row[0]: row for row in connection.execute(_messages(days.within("m.id", ids)), {"ids": ids})} if ids else {}
    return sorted(((*messages[row[-1]], *row) for row in rows if row[-1] in messages), key=_place)


def _place(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[28], row[26], row[17]  # rank, due_at, id


# CROSS JOIN keeps the order of the loops: by id into each table, never through a whole one.
_SQLITE_CLAIMED = sa.text(f"""
    SELECT {COLUMNS} FROM json_each(:ids) j CROSS JOIN delivery d ON d.id = j.value
    CROSS JOIN message m ON m.id = d.message_id CROSS JOIN body b ON b.message_id = m.id {_IN_ORDER}
""")
# MariaDB gives back nothing of an UPDATE, and takes no subquery as a LIMIT: rank by rank and caller by caller what is found is locked, then
# leased, then read. All in one transaction: if we die before its end, nothing was leased.
_MARIADB_CALLERS = text(
    f"SELECT d.rank, d.caller FROM delivery d{along('ix_delivery_caller', 'mariadb')} WHERE d.lane = :lane AND d.status = 'pending' GROUP BY d.rank, d.caller",
    "mariadb",
)
_MARIADB_FAIR = text(_of_caller(":rank", ":caller", ":limit", "mariadb"), "mariadb")
_MARIADB_OLDEST = text(_oldest(":rank", ":limit", "", "mariadb"), "mariadb")
_MARIADB_LEASE = text(f"UPDATE delivery{along('PRIMARY', 'mariadb')} SET {_LEASE} WHERE status = 'pending' AND id IN :ids", "mariadb")
MARIADB_CLAIMED = text(
    f"SELECT {COLUMNS} FROM delivery d{along('PRIMARY', 'mariadb')} STRAIGHT_JOIN message m ON m.id = d.message_id "
    f"STRAIGHT_JOIN body b ON b.message_id = m.id WHERE d.id IN :ids {_IN_ORDER}",
    "mariadb",
)
_HELD_BY = sa.text("SELECT 1 FROM delivery WHERE status = 'leased' AND lease = :token LIMIT 1")
_RACES = 5
_NO_BUNDLES: Mapping[str, Bundle] = {}
KEPT_OF = 16  # of so many places in a claim, one is kept for what is not urgent


def claim(
    database: Database,
    lane: str,
    *,
    size: int,
    lease_s: float,
    worker: str,
    bundles: Mapping[str, Bundle] = _NO_BUNDLES,
    holds: bool = False,
    is_crowded: bool = True,
) -> list[Claim]:
    """Leases up to `size` due deliveries of `lane` for `lease_s` seconds; [] when nothing may go. At most one per business key.

    By rank; half of them dealt out among the callers that wait, the others oldest first. The database's clock decides. Attempts are counted
    here, not at the end: a worker that dies has spent one. `is_crowded`: more may be waiting than `size`; otherwise nothing needs to be dealt
    out. `holds`: a route may be paused, so what is due of it is set aside first. `bundles`: those of the lane, by name; once the first of one has
    waited its time, others that wait go along, as far as there is room. Raises StoreBusy; nothing is claimed then, or the lease lapses.
    """
    token = secrets.token_hex(12)

    def work(connection: sa.Connection) -> list[Claim]:
        now = database.clock(connection)
        until = database.stamp(database.instant(now) + timedelta(seconds=lease_s))
        given = {"lane": lane, "size": size, "kept": size // KEPT_OF, "now": now, "until": until, "token": token, "worker": worker}
        if holds:
            pauses.hold(database, connection, lane, now)
        claims = _claims(database, _lease(database, connection, given, is_crowded), token, now, until)
        free = size - len(claims)
        if bundles and claims and free and bundling.fill(database, connection, claims, bundles, now):
            rows = _lease(database, connection, {**given, "size": free, "kept": free // KEPT_OF}, is_crowded)
            claims += _claims(database, rows, token, now, until)
        return claims

    def committed(connection: sa.Connection) -> bool:
        return connection.execute(_HELD_BY, {"token": token}).first() is not None

    for _ in range(_RACES):
        try:
            return database.write(work, committed=committed)
        except sa.exc.IntegrityError:
            # Another worker leased the same key between our look and our write; the index decided. Look again: its lease is to be seen
            # now, and the rest of the lane is still ours to take.
            continue
    return []


def _lease(database: Database, connection: sa.Connection, given: dict[str, Any], is_crowded: bool) -> Sequence[Any]:
    if database.kind == "postgresql":
        return with_messages(connection, connection.execute(_POSTGRESQL[is_crowded], given).all())
    if database.kind == "mariadb":
        return _lease_mariadb(connection, given, is_crowded)
    ids = _lease_crowded(database, connection, given) if is_crowded else [row[0] for row in connection.execute(_SQLITE, given)]
    return connection.execute(_SQLITE_CLAIMED, {"ids": database.listing(ids)}).all() if ids else []


def _places(kept: int) -> Iterable[tuple[int, int]]:
    """The ranks of `_LIMITS`, each with the places that it leaves: the first to the others, the first two to the last, the last none."""
    return enumerate((kept, kept // 2, 0))


def _lease_crowded(database: Database, connection: sa.Connection, given: dict[str, Any]) -> list[str]:
    """On SQLite."""
    ids: list[str] = []
    for rank, kept in _places(given["kept"]):
        limit = given["size"] - kept - len(ids)
        if limit > 0:
            ids += connection.execute(_SQLITE_RANK, {"lane": given["lane"], "now": given["now"], "rank": rank, "limit": limit}).scalars()
    if ids:
        connection.execute(_SQLITE_LEASE, {**given, "ids": database.listing(ids)})
    return ids


def _lease_mariadb(connection: sa.Connection, given: dict[str, Any], is_crowded: bool) -> Sequence[Any]:
    callers: dict[int, list[str]] = {}
    for rank, caller in connection.execute(_MARIADB_CALLERS, {"lane": given["lane"]}) if is_crowded else ():
        callers.setdefault(rank, []).append(caller)
    ids: list[str] = []
    for rank, kept in _places(given["kept"]):
        limit = given["size"] - kept - len(ids)
        turns = callers.get(rank, [])
        if limit <= 0:
            continue
        names = {"lane": given["lane"], "now": given["now"], "rank": rank}
        fair: list[str] = []
        dealt = sample(turns, min(len(turns), (limit + 1) // 2)) if len(turns) > 1 else []
        for caller in dealt:
            fair += connection.execute(_MARIADB_FAIR, {**names, "caller": caller, "limit": (limit + 1) // 2 // len(dealt)}).scalars()
        # What was dealt out is found again, being pending still: so many more are asked for.
        oldest = connection.execute(_MARIADB_OLDEST, {**names, "limit": limit}).scalars()
        ids += [*fair, *[one for one in oldest if one not in fair][: limit - len(fair)]]
    if not ids:
        return []
    connection.execute(_MARIADB_LEASE, {**given, "ids": ids})
    return connection.execute(MARIADB_CLAIMED, {"ids": ids}).all()


def _claims(database: Database, rows: Sequence[Any], token: str, now: Stamp, until: Stamp) -> list[Claim]:
    return [claim_of(database, row, token, now, until) for row in rows]


def claim_of(database: Database, row: Any, token: str, now: Stamp, until: Stamp) -> Claim:
    """The claim of a row of `COLUMNS`."""
    return Claim(
        id=row[17],
        message=message_of(database, row, bytes(row[16])),
        route=row[18],
        ref=parse_ref(row[19]),
        part=row[20],
        order_key=row[21],
        seq=row[22],
        attempt=row[23],
        spent=row[24],
        first_at=database.instant(row[25]),
        claimed_at=database.instant(now),
        token=token,
        until=database.instant(until),
        bundle=row[27],
        fresh=row[29],
        made_with=row[30],
        undecided=bool(row[31]),
    )


_STALE = texts(
    lambda kind: (
        "SELECT d.id FROM delivery d WHERE d.fresh IS NOT NULL AND d.order_key IS NOT NULL AND EXISTS "
        f"(SELECT 1 FROM delivery n{along('ix_delivery_key', kind)} WHERE n.lane = d.lane "
        "AND n.order_key = d.order_key AND n.status = 'delivered' AND n.route = d.route AND n.target = d.target AND n.fresh > d.fresh) AND d.id "
        + any_of("ids", kind)
    )
)


def stale(database: Database, claims: Sequence[Claim]) -> frozenset[str]:
    """Those of the claims that something newer was already delivered for, on their key, route and target."""
    ids = [held.id for held in claims if held.fresh is not None]
    statement = _STALE[database.kind]
    return frozenset(database.read(lambda connection: connection.execute(statement, {"ids": database.listing(ids)}).scalars().all())) if ids else frozenset()


_RETURN = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'pending', lease = NULL, leased_at = NULL, lease_until = NULL, worker = NULL, attempts = attempts - 1, "
        "spent = spent - 1, changed_at = :now WHERE status = 'leased' AND lease = :token AND id " + any_of("ids", kind)
    )
)


def return_leases(database: Database, claims: Sequence[Claim]) -> int:
    """Gives back what was claimed and never sent: pending again, at once, its attempt uncounted. How many were still ours.

    Only for what surely did not leave the house: its number is used again, and no attempt row tells of it.
    """
    ids_by_token: dict[str, list[str]] = {}
    for held in claims:
        ids_by_token.setdefault(held.token, []).append(held.id)

    def work(connection: sa.Connection) -> int:
        now = database.clock(connection)
        statement = _RETURN[database.kind]
        return sum(connection.execute(statement, {"now": now, "token": token, "ids": database.listing(ids)}).rowcount for token, ids in ids_by_token.items())

    return database.write(work) if claims else 0


# Lanes one by one along the index, then a look at each: not a walk over a million waiting rows.
_DUE_LANES = sa.text("""
    WITH RECURSIVE lanes (lane) AS (
        SELECT min(lane) FROM delivery WHERE status = 'pending'
        UNION ALL
        SELECT (SELECT min(d.lane) FROM delivery d WHERE d.status = 'pending' AND d.lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL
    )
    SELECT lane FROM lanes WHERE lane IS NOT NULL
    AND EXISTS (SELECT 1 FROM delivery d WHERE d.status = 'pending' AND d.lane = lanes.lane AND d.due_at <= :now)
""")


def due_lanes(database: Database) -> list[str]:
    """Lanes in which something is due by its time; whether its key lets it go is the claim's to say."""

    def work(connection: sa.Connection) -> list[str]:
        return [row[0] for row in connection.execute(_DUE_LANES, {"now": database.clock(connection)})]

    return database.read(work)
