"""Clusters: which cause each delivery shares that waits for a person. Named after the settling, so that nothing on the
way pays for it.

What became dead, held or unknown has no cluster at first, and counts as unnamed. Whoever looks (the leader, each sweep)
names it, in blocks: if we die in the midst the rest is named by the next. An outcome takes the name away again, so that
what fails anew is named anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.model.cluster import MAX_SHAPES, Cluster, ClusterKey, cause_of
from hub.core.model.delivery import Status
from hub.store.engine.database import Database, Insert
from hub.store.engine.dialects import along, any_of, skip_locked, texts
from hub.store.engine.json_columns import parse_ref, ref_of
from hub.store.engine.register_tables import cluster
from hub.store.queries.details import DELIVERY, DeliveryRow, delivery_of
from hub.store.tables import delivery

BLOCK = 500  # named in one transaction
WAITING = (Status.DEAD, Status.HELD, Status.UNKNOWN)
SPAN = timedelta(hours=1)  # over which a trend is told

_INSERT = Insert(cluster, "ON CONFLICT (id) DO NOTHING")
# One state at a time: each is one look into the partial index, whose order is asked for: nearly no delivery has a
# cluster, so that a planner expects to find one without it anywhere, and would walk past all that are named. MariaDB
# has no such index, and does walk.
_UNNAMED = texts(
    lambda kind: (
        (
            f"SELECT id FROM delivery{along('ix_delivery_waiting', kind)} WHERE status = :status AND release_at IS NULL AND cluster IS NULL "
            if kind == "mariadb"
            else "SELECT id FROM delivery WHERE status = '{status}' AND release_at IS NULL AND cluster IS NULL ORDER BY cluster, changed_at, id "
        )
        + f"LIMIT :limit{skip_locked(kind)}"
    )
)
_FAILED = texts(
    lambda kind: (
        "SELECT d.id, d.route, d.target, d.why, d.changed_at, m.type, m.version, a.http_status FROM delivery d JOIN message m ON m.id = d.message_id "
        "LEFT JOIN attempt a ON a.delivery_id = d.id AND a.number = d.attempts WHERE d.id " + any_of("ids", kind)
    )
)
_NAME = texts(
    lambda kind: (
        f"UPDATE delivery{along('PRIMARY', kind)} SET cluster = :cluster WHERE cluster IS NULL AND id {any_of('ids', kind)}"
    ),
)


@dataclass(frozen=True, slots=True)
class ClusterBacklog:
    """How many of a cluster wait in one state, since when, and how many came in the last hour and in the one before
    it.
    """

    cluster: Cluster | None  # None: not named yet
    status: Status
    number: int
    oldest_at: datetime
    newest_at: datetime
    last_hour: int
    hour_before: int


def name(database: Database, limit: int = BLOCK) -> int:
    """Names up to `limit` deliveries that wait for a person and have no cluster yet; gives how many. Safe in many
    processes at once.
    """
    return database.write(lambda connection: sum(_name(database, connection, status, limit) for status in WAITING))


def _name(database: Database, connection: sa.Connection, status: Status, limit: int) -> int:
    found = sa.text(_UNNAMED[database.kind].text.replace("{status}", status.value))
    ids = (
        connection.execute(found, {"limit": limit, **({"status": status.value} if database.kind == "mariadb" else {})})
        .scalars()
        .all()
    )
    if not ids:
        return 0
    rows = connection.execute(_FAILED[database.kind], {"ids": database.listing(ids)}).all()
    causes = {row.id: _cause(row) for row in rows}
    named = _known(database, connection, {row.id: (causes[row.id], row) for row in rows})
    for id_ in sorted(set(named.values())):
        members = sorted(one for one, cluster_id in named.items() if cluster_id == id_)
        connection.execute(_NAME[database.kind], {"cluster": id_, "ids": database.listing(members)})
    latest = {id_: max(row.changed_at for row in rows if named[row.id] == id_) for id_ in set(named.values())}
    for id_, at in sorted(latest.items()):
        connection.execute(_SEEN, {"id": id_, "at": at})
    return len(named)


_SEEN = sa.text("UPDATE cluster SET last_at = :at WHERE id = :id AND last_at < :at")


def _cause(row: Any) -> ClusterKey:
    why = _why(row)
    return cause_of(row.route, parse_ref(row.target), ref_of(row.type, row.version), why, row.http_status)


def _why(row: Any) -> Cause:
    return (
        Cause.from_json(json.loads(row.why))
        if row.why is not None
        else Cause(Reason.UNEXPECTED, "Nobody said why it waits.")
    )


def _known(
    database: Database, connection: sa.Connection, given: Mapping[str, tuple[ClusterKey, Any]]
) -> dict[str, str]:
    """Per delivery the id of its cluster; those that are new are written. Where one class has too many texts, the text
    does not count any more.
    """
    wanted = {cause.id: (cause, row) for cause, row in given.values()}
    known = set(connection.execute(sa.select(cluster.c.id).where(cluster.c.id.in_(sorted(wanted)))).scalars())
    new = {id_: pair for id_, pair in wanted.items() if id_ not in known}
    shapes: Counter[str] = Counter()
    if new:
        coarse = sorted({cause.coarse for cause, _ in new.values()})
        counted = (
            sa.select(cluster.c.coarse, sa.func.count()).where(cluster.c.coarse.in_(coarse)).group_by(cluster.c.coarse)
        )
        shapes.update({str(row[0]): int(row[1]) for row in connection.execute(counted)})
    lines: dict[str, tuple[Any, ...]] = {}
    renamed: dict[str, str] = {}
    for id_, (cause, row) in sorted(new.items()):
        shapes[cause.coarse] += 1
        kept = (
            cause
            if shapes[cause.coarse] <= MAX_SHAPES
            else ClusterKey(cause.route, cause.target, cause.source, cause.reason, cause.code, cause.field, "")
        )
        renamed[id_] = kept.id
        lines[kept.id] = _row(kept, _why(row), row.changed_at)
    _INSERT.run(connection, [lines[id_] for id_ in sorted(lines)])
    return {delivery_id: renamed.get(cause.id, cause.id) for delivery_id, (cause, _) in given.items()}


def _row(cause: ClusterKey, why: Cause, at: Any) -> tuple[Any, ...]:
    head = (
        cause.id,
        cause.coarse,
        cause.route,
        cause.target.system,
        str(cause.target),
        cause.source.type,
        cause.source.version,
    )
    return (*head, cause.reason.value, cause.code, cause.field, cause.shape, why.text, why.fix, at, at)


_COUNT = texts(
    lambda _: " UNION ALL ".join(
        f"SELECT '{status}' AS status, cluster, count(*) AS number, min(changed_at) AS oldest, max(changed_at) AS newest, "
        "sum(CASE WHEN changed_at >= :hour THEN 1 ELSE 0 END) AS last_hour, sum(CASE WHEN changed_at >= :two AND changed_at < :hour THEN 1 ELSE 0 END) AS before "
        f"FROM delivery WHERE status = '{status}' AND release_at IS NULL GROUP BY cluster"
        for status in WAITING
    ).replace("AS before", 'AS "before"')
)


def count(database: Database) -> list[ClusterBacklog]:
    """All that waits for a person, by cluster and state, the largest first. Answered by the index of what waits
    alone.
    """

    def work(connection: sa.Connection) -> tuple[list[Any], list[Any]]:
        now = database.instant(database.clock(connection))
        given = {"hour": database.stamp(now - SPAN), "two": database.stamp(now - 2 * SPAN)}
        rows = list(connection.execute(_COUNT[database.kind], given).all())
        ids = sorted({row.cluster for row in rows if row.cluster is not None})
        return rows, list(connection.execute(sa.select(cluster).where(cluster.c.id.in_(ids))).all())

    rows, known = database.read(work)
    clusters = {row.id: _cluster(row) for row in known}
    instant = database.instant
    found = [
        ClusterBacklog(
            clusters.get(row.cluster),
            Status(row.status),
            int(row.number),
            instant(row.oldest),
            instant(row.newest),
            int(row.last_hour),
            int(row.before),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (-one.number, one.status, one.cluster.id if one.cluster is not None else ""))


def _cluster(row: Any) -> Cluster:
    cause = ClusterKey(
        row.route,
        parse_ref(row.target),
        ref_of(row.type, row.version),
        Reason(row.reason),
        row.code,
        row.field,
        row.shape,
    )
    return Cluster(row.id, cause, row.sample, row.fix, row.first_at, row.last_at)


def find(database: Database, id_: str) -> Cluster | None:
    row = database.read(lambda connection: connection.execute(sa.select(cluster).where(cluster.c.id == id_)).first())
    return None if row is None else _cluster(row)


def since(database: Database, lane: str, at: datetime, until: datetime) -> list[Cluster]:
    """Causes of one lane that came up for the first time in this time."""
    columns = cluster.c
    query = (
        sa.select(cluster)
        .where(columns.lane == lane, columns.first_at >= at, columns.first_at < until)
        .order_by(columns.first_at, columns.id)
    )
    return [_cluster(row) for row in database.read(lambda connection: connection.execute(query).all())]


def members(
    database: Database,
    id_: str,
    status: Status,
    *,
    limit: int = 50,
    before: tuple[datetime, str] | None = None,
    oldest: bool = False,
) -> list[DeliveryRow]:
    """Deliveries of a cluster in one state, newest change first, or `oldest` first. `before`: (changed_at, id) of the
    last one of the page before.
    """
    columns = delivery.c
    query = sa.select(*DELIVERY).where(
        sa.text(f"status = '{Status(status).value}' AND release_at IS NULL"), columns.cluster == id_
    )
    if before is not None:
        at, last = before
        query = query.where(
            sa.or_(columns.changed_at > at, sa.and_(columns.changed_at == at, columns.id > last))
            if oldest
            else sa.or_(columns.changed_at < at, sa.and_(columns.changed_at == at, columns.id < last))
        )
    order = (columns.changed_at, columns.id) if oldest else (columns.changed_at.desc(), columns.id.desc())
    query = query.order_by(*order).limit(max(1, min(limit, 10_000)))
    return [delivery_of(row) for row in database.read(lambda connection: connection.execute(query).all())]


def with_words(database: Database, words: Sequence[str], limit: int = 200) -> list[Cluster]:
    """Causes whose text has all of these words, latest first. Letters of one case count as those of the other in ASCII
    alone.
    """
    columns = cluster.c
    query = sa.select(cluster)
    for word in words:
        pattern = "%" + word.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        texts_ = (columns.shape, columns.sample, columns.reason, columns.field, columns.route, columns.target)
        query = query.where(sa.or_(*(sa.func.lower(one).like(pattern, escape="\\") for one in texts_)))
    query = query.order_by(columns.last_at.desc(), columns.id).limit(limit)
    return [_cluster(row) for row in database.read(lambda connection: connection.execute(query).all())]
