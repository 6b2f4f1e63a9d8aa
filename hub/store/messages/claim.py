"""Claims due deliveries of one lane for one worker, under a lease. The claim is stored before the first byte is sent
(promise P13).
"""

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

# A delivery is claimable if it is due, not paused, not expired, first on its key, no other on that key is leased, and
# no dead letter blocks the lane. Each condition is one index lookup. A reopened delivery may be earlier than a leased
# one, hence the second condition on keys.
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
# The claimable ones among a caller's oldest deliveries. Only LOOK of them are examined: most may be blocked on their
# keys.
_OF_CALLER = """
    SELECT d.id FROM (SELECT h.id FROM delivery h{caller_way} WHERE h.lane = :lane AND h.status = 'pending' AND h.rank = {rank}
        AND h.caller = {caller} AND h.due_at <= :now ORDER BY h.due_at, h.id LIMIT {look}) h
    {join} JOIN delivery d ON d.id = h.id WHERE d.status = 'pending' AND {may_go} LIMIT {limit} {lock}
"""
LOOK = 100
# One rank (priority) after the other, each along the index. Higher ranks leave a few slots to lower ones, so that no
# rank starves.
_LIMITS = (
    "CAST(:size AS integer) - :kept",
    ":size - :kept / 2 - (SELECT count(*) FROM due0)",
    ":size - (SELECT count(*) FROM due0) - (SELECT count(*) FROM due1)",
)
# Fairness: if several callers wait in one rank, half of its slots are shared evenly among them, so that a large backlog
# of one caller does not block the others. The other half goes to the oldest deliveries. Each caller costs one step
# along the index, whatever its backlog. If there are fewer slots than callers, the callers are chosen at random.
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
MOST_CALLERS = 256  # maximum number of callers per rank and claim; others follow when one of these has no backlog


def _may_go(kind: str) -> str:
    return _MAY_GO.format(key=along("ix_delivery_key", kind), block=along("ix_delivery_block", kind))


def _oldest(rank: str, limit: str, but: str, kind: str) -> str:
    lock = skip_locked(kind)
    return _OLDEST.format(
        due=along("ix_delivery_due", kind), rank=rank, limit=limit, but=but, may_go=_may_go(kind), lock=lock
    )


def _of_caller(rank: str, caller: str, limit: str, kind: str) -> str:
    join = {"sqlite": "CROSS", "postgresql": "", "mariadb": "STRAIGHT_"}[kind]
    lock = " FOR UPDATE OF d SKIP LOCKED" if kind == "postgresql" else skip_locked(kind)
    way = along("ix_delivery_caller", kind)
    statement = _OF_CALLER.format(
        caller_way=way, rank=rank, caller=caller, look=LOOK, join=join, may_go=_may_go(kind), limit=limit, lock=lock
    )
    return statement.replace("STRAIGHT_ JOIN", "STRAIGHT_JOIN")


def _dealt(rank: str, limit: str, name: str, kind: str) -> str:
    """The CTEs `fair` and `old` of one rank, each with the suffix `name`: the slots shared among callers, and the
    oldest of the rest.
    """
    callers = _CALLERS.format(rank=rank, limit=f"({limit})", most=MOST_CALLERS, name=name)
    of_caller = _of_caller(
        rank, "t.caller", f"(SELECT COALESCE((({limit}) + 1) / 2 / NULLIF(count(*), 0), 0) FROM turn{name})", kind
    )
    way = (
        f"turn{name} t CROSS JOIN LATERAL ({of_caller}) f"
        if kind == "postgresql"
        else f"turn{name} t CROSS JOIN delivery f ON f.id IN ({of_caller})"
    )
    rest = _oldest(
        rank, f"({limit}) - (SELECT count(*) FROM fair{name})", f" AND d.id NOT IN (SELECT id FROM fair{name})", kind
    )
    return f"{callers}, fair{name} AS MATERIALIZED (SELECT f.id FROM {way}), old{name} AS MATERIALIZED ({rest})"


def _due(kind: str, *, is_crowded: bool) -> str:
    """The CTEs `due0` to `due2` and their union `due`. MATERIALIZED: otherwise a part may be run twice, and claim more
    than :size (promise P19).

    Sharing among callers (`is_crowded`) is only needed if more is waiting than one claim takes. Without it, the shorter
    statement is planned in a tenth of the time.
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
DELIVERY = (
    "id",
    "route",
    "target",
    "part",
    "order_key",
    "seq",
    "attempts",
    "spent",
    "first_at",
    "due_at",
    "bundle",
    "rank",
    "fresh",
    "made_with",
    "undecided",
)
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
_SQLITE = sa.text(
    f"WITH RECURSIVE {_due('sqlite', is_crowded=False)} UPDATE delivery SET {_LEASE} WHERE id IN (SELECT id FROM due) RETURNING id"
)
# On SQLite the ranks of a crowded lane are queried one by one: SQLite plans a CTE again at each reference, and one
# statement for all three took a third of a second with the write lock held.
_SQLITE_RANK = sa.text(
    f"WITH RECURSIVE {_dealt(':rank', ':limit', '', 'sqlite')} SELECT id FROM fair UNION ALL SELECT id FROM old"
)
_SQLITE_LEASE = text(f"UPDATE delivery SET {_LEASE} WHERE id {any_of('ids', 'sqlite')}", "sqlite")


@lru_cache(maxsize=64)
def _messages(within: str) -> sa.TextClause:
    # The days of the messages are literals in the statement, so that a generic plan also prunes the partitions of other
    # days.
    bodies = within.replace("m.id", "b.message_id")
    return sa.text(
        f"SELECT {MESSAGE}, b.raw FROM message m JOIN body b ON b.message_id = m.id{bodies} WHERE m.id = ANY(CAST(:ids AS text[])){within}"
    )


def with_messages(connection: sa.Connection, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Joins delivery rows (`DELIVERY`, then the message id) with their messages to rows of `COLUMNS`, in claim order.
    For PostgreSQL.
    """
    ids = sorted({row[-1] for row in rows})
    messages = (
        {row[0]: row for row in connection.execute(_messages(days.within("m.id", ids)), {"ids": ids})} if ids else {}
    )
    return sorted(((*messages[row[-1]], *row) for row in rows if row[-1] in messages), key=_place)


def _place(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[28], row[26], row[17]  # rank, due_at, id


# CROSS JOIN fixes the join order: each table is read by id, never scanned.
_SQLITE_CLAIMED = sa.text(f"""
    SELECT {COLUMNS} FROM json_each(:ids) j CROSS JOIN delivery d ON d.id = j.value
    CROSS JOIN message m ON m.id = d.message_id CROSS JOIN body b ON b.message_id = m.id {_IN_ORDER}
""")
# MariaDB has no UPDATE … RETURNING, and no subquery in LIMIT. So deliveries are locked per rank and caller, then
# leased, then read, in one transaction: if we die before its end, nothing is leased.
_MARIADB_CALLERS = text(
    f"SELECT d.rank, d.caller FROM delivery d{along('ix_delivery_caller', 'mariadb')} WHERE d.lane = :lane AND d.status = 'pending' GROUP BY d.rank, d.caller",
    "mariadb",
)
_MARIADB_FAIR = text(_of_caller(":rank", ":caller", ":limit", "mariadb"), "mariadb")
_MARIADB_OLDEST = text(_oldest(":rank", ":limit", "", "mariadb"), "mariadb")
_MARIADB_LEASE = text(
    f"UPDATE delivery{along('PRIMARY', 'mariadb')} SET {_LEASE} WHERE status = 'pending' AND id IN :ids", "mariadb"
)
MARIADB_CLAIMED = text(
    f"SELECT {COLUMNS} FROM delivery d{along('PRIMARY', 'mariadb')} STRAIGHT_JOIN message m ON m.id = d.message_id "
    f"STRAIGHT_JOIN body b ON b.message_id = m.id WHERE d.id IN :ids {_IN_ORDER}",
    "mariadb",
)
_HELD_BY = sa.text("SELECT 1 FROM delivery WHERE status = 'leased' AND lease = :token LIMIT 1")
_RACES = 5
_NO_BUNDLES: Mapping[str, Bundle] = {}
KEPT_OF = 16  # one of so many slots of a claim is reserved for lower ranks


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
    """Leases up to `size` due deliveries of `lane` for `lease_s` seconds; [] if none is claimable. At most one per
    business key.

    Ordered by rank; half of the slots are shared among the waiting callers, the others go to the oldest. The database's
    clock decides. An attempt is counted here, not at the end, so that a worker that dies has used one. `is_crowded`:
    more than `size` may be waiting, so callers share.
    `holds`: a route may be paused, so its due deliveries are held first. `bundles`: the lane's bundles, by name; when
    the first delivery of one has waited long enough, others are claimed with it, up to its size. Raises StoreBusy; then
    nothing is claimed, or the lease lapses.
    """
    token = secrets.token_hex(12)

    def work(connection: sa.Connection) -> list[Claim]:
        now = database.clock(connection)
        until = database.stamp(database.instant(now) + timedelta(seconds=lease_s))
        parameters = {
            "lane": lane,
            "size": size,
            "kept": size // KEPT_OF,
            "now": now,
            "until": until,
            "token": token,
            "worker": worker,
        }
        if holds:
            pauses.hold(database, connection, lane, now)
        claims = _claims(database, _lease(database, connection, parameters, is_crowded), token, now, until)
        free = size - len(claims)
        if bundles and claims and free and bundling.fill(database, connection, claims, bundles, now):
            rows = _lease(database, connection, {**parameters, "size": free, "kept": free // KEPT_OF}, is_crowded)
            claims += _claims(database, rows, token, now, until)
        return claims

    def committed(connection: sa.Connection) -> bool:
        return connection.execute(_HELD_BY, {"token": token}).first() is not None

    for _ in range(_RACES):
        try:
            return database.write(work, committed=committed)
        except sa.exc.IntegrityError:
            # Another worker leased the same key between our read and our write, and the unique index refused ours. Try
            # again: its lease is visible now, and the rest of the lane can be claimed.
            continue
    return []


def _lease(
    database: Database, connection: sa.Connection, parameters: dict[str, Any], is_crowded: bool
) -> Sequence[Any]:
    if database.kind == "postgresql":
        return with_messages(connection, connection.execute(_POSTGRESQL[is_crowded], parameters).all())
    if database.kind == "mariadb":
        return _lease_mariadb(connection, parameters, is_crowded)
    ids = (
        _lease_crowded(database, connection, parameters)
        if is_crowded
        else [row[0] for row in connection.execute(_SQLITE, parameters)]
    )
    return connection.execute(_SQLITE_CLAIMED, {"ids": database.listing(ids)}).all() if ids else []


def _places(reserved: int) -> Iterable[tuple[int, int]]:
    """The ranks of `_LIMITS`, each with the number of slots that it reserves for lower ranks."""
    return enumerate((reserved, reserved // 2, 0))


def _lease_crowded(database: Database, connection: sa.Connection, parameters: dict[str, Any]) -> list[str]:
    """Leases deliveries of a crowded lane on SQLite; gives their ids."""
    ids: list[str] = []
    for rank, reserved in _places(parameters["kept"]):
        limit = parameters["size"] - reserved - len(ids)
        if limit > 0:
            ids += connection.execute(
                _SQLITE_RANK, {"lane": parameters["lane"], "now": parameters["now"], "rank": rank, "limit": limit}
            ).scalars()
    if ids:
        connection.execute(_SQLITE_LEASE, {**parameters, "ids": database.listing(ids)})
    return ids


def _lease_mariadb(connection: sa.Connection, parameters: dict[str, Any], is_crowded: bool) -> Sequence[Any]:
    callers: dict[int, list[str]] = {}
    for rank, caller in connection.execute(_MARIADB_CALLERS, {"lane": parameters["lane"]}) if is_crowded else ():
        callers.setdefault(rank, []).append(caller)
    ids: list[str] = []
    for rank, reserved in _places(parameters["kept"]):
        limit = parameters["size"] - reserved - len(ids)
        turns = callers.get(rank, [])
        if limit <= 0:
            continue
        names = {"lane": parameters["lane"], "now": parameters["now"], "rank": rank}
        fair: list[str] = []
        dealt = sample(turns, min(len(turns), (limit + 1) // 2)) if len(turns) > 1 else []
        for caller in dealt:
            fair += connection.execute(
                _MARIADB_FAIR, {**names, "caller": caller, "limit": (limit + 1) // 2 // len(dealt)}
            ).scalars()
        # The deliveries of `fair` are still pending and are found again, so the limit includes them.
        oldest = connection.execute(_MARIADB_OLDEST, {**names, "limit": limit}).scalars()
        ids += [*fair, *[id_ for id_ in oldest if id_ not in fair][: limit - len(fair)]]
    if not ids:
        return []
    connection.execute(_MARIADB_LEASE, {**parameters, "ids": ids})
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
    """The ids of outdated claims: newer content was already delivered on their key, route and target."""
    ids = [claim.id for claim in claims if claim.fresh is not None]
    statement = _STALE[database.kind]
    return (
        frozenset(
            database.read(
                lambda connection: connection.execute(statement, {"ids": database.listing(ids)}).scalars().all()
            )
        )
        if ids
        else frozenset()
    )


_RETURN = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET status = 'pending', lease = NULL, leased_at = NULL, lease_until = NULL, worker = NULL, attempts = attempts - 1, "
        "spent = spent - 1, changed_at = :now WHERE status = 'leased' AND lease = :token AND id " + any_of("ids", kind)
    )
)


def return_leases(database: Database, claims: Sequence[Claim]) -> int:
    """Returns leases of deliveries that were not sent: they are pending at once, and the attempt is not counted. Gives
    how many were still leased to us.

    Only for deliveries that were certainly not sent: the attempt number is used again, and no attempt is recorded.
    """
    ids_by_token: dict[str, list[str]] = {}
    for claim in claims:
        ids_by_token.setdefault(claim.token, []).append(claim.id)

    def work(connection: sa.Connection) -> int:
        now = database.clock(connection)
        statement = _RETURN[database.kind]
        return sum(
            connection.execute(statement, {"now": now, "token": token, "ids": database.listing(ids)}).rowcount
            for token, ids in ids_by_token.items()
        )

    return database.write(work) if claims else 0


# A loose index scan: one step per lane, then one lookup in each. It does not scan a million waiting rows.
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
    """Lanes with a delivery whose due time has come. The claim decides whether its key is free."""

    def work(connection: sa.Connection) -> list[str]:
        return [row[0] for row in connection.execute(_DUE_LANES, {"now": database.clock(connection)})]

    return database.read(work)
