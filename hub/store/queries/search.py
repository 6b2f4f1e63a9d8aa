"""Search: messages by what they are and what became of them, newest first, in pages that go both ways.

Three ways to the rows, by what is asked: the few that a number found; the deliveries that wait for a person, by their
own index; and else the messages in the order of their acceptance, read in blocks until the page is full or the work is
enough. Then the answer says how far it came, and goes on from there when it is asked again: a rare filter over ten
million messages never holds the store for seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.errors import Reason
from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.store.engine import days
from hub.store.engine.database import Database
from hub.store.engine.register_tables import cluster
from hub.store.queries.details import MESSAGE, MessageRow, message_of
from hub.store.tables import body, delivery, message

MAX_PAGE = 500
MOST = 10_000  # messages that are counted; beyond it there are "more"
BLOCK = 2_000  # rows that are read at once where a filter may let none of them through
LOOKS = 500  # the same of what waits, of which each is looked for in a second table
WORK = 60_000  # rows of one question
WORK_S = 0.12  # and its time, to which its last block comes
_NAMES = [column.name for column in MESSAGE]
WAITING = (Status.DEAD, Status.HELD, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Filters:
    """All that is given must hold. What is about a delivery must hold of one and the same delivery of the message."""

    ids: frozenset[str] | None = None  # found by a number: only these
    system: str | None = None
    type: str | None = None
    version: int | None = None
    disposition: Disposition | None = None
    caller: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    route: str | None = None
    lane: str | None = None
    target: str | None = None
    status: Status | None = None
    reason: Reason | None = None  # of what waits for a person
    clusters: tuple[str, ...] | None = None  # of what waits for a person
    min_attempts: int | None = None

    @property
    def is_about_waiting(self) -> bool:
        return self.status in WAITING or self.reason is not None or self.clusters is not None

    @property
    def is_about_deliveries(self) -> bool:
        return any(
            one is not None
            for one in (self.route, self.lane, self.target, self.status, self.reason, self.clusters, self.min_attempts)
        )

    @property
    def is_in_order(self) -> bool:
        """Whether the order of acceptance alone answers it, without looking at each row."""
        others = (self.ids, self.system, self.version, self.caller, self.min_bytes, self.max_bytes)
        return (
            not self.is_about_deliveries
            and all(one is None for one in others)
            and (self.type is None or self.disposition is None)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins or ends: a message, or for what waits the delivery by which it was found."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page, newest first. `first` and `last`: its ends, for the pages beside it. `scanned_until`: how far was looked,
    where the work ended the search before the page was full; then `last` is that place, and what is older may hold
    more.
    """

    rows: tuple[MessageRow, ...]
    first: Place | None
    last: Place | None
    has_more: bool
    scanned_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchCount:
    """How many there are. `is_exact` False: at least so many. `scanned_until`: how far was counted, where the work
    ended it.
    """

    number: int
    is_exact: bool
    scanned_until: datetime | None = None


def search(
    database: Database, filters: Filters, *, limit: int = 50, place: Place | None = None, is_older: bool = True
) -> SearchPage:
    """The page behind `place`, or in front of it; without one the newest."""
    limit = max(1, min(limit, MAX_PAGE))
    if filters.ids is None and filters.is_about_waiting:
        return database.read(lambda connection: _waiting(connection, filters, limit, place, is_older))
    if filters.ids is not None or filters.is_in_order:
        rows = (
            database.read(
                lambda connection: connection.execute(_ordered(_all(filters), place, is_older).limit(limit + 1)).all()
            )
            if filters.ids != frozenset()
            else []
        )
        return _page([(Place(row.received_at, row.id), message_of(row)) for row in rows], limit, is_older=is_older)
    return database.read(lambda connection: _scan(connection, filters, limit, place, is_older))


def count(database: Database, filters: Filters, *, most: int = MOST) -> SearchCount:
    """How many messages fit, exactly up to `most`."""

    def work(connection: sa.Connection) -> SearchCount:
        if filters.ids is not None or filters.is_in_order:
            if filters.ids == frozenset():
                return SearchCount(0, is_exact=True)
            inner = _all(filters).with_only_columns(message.c.id).limit(most + 1).subquery()
            number = int(connection.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one())
            return SearchCount(min(number, most), number <= most)
        if filters.is_about_waiting:
            ids: set[str] = set()
            last: Place | None = None
            for block in _waiting_blocks(connection, filters, None, BLOCK, is_older=True):
                ids |= {row.message_id for row in block.rows}
                last = block.end
                if len(ids) > most:
                    return SearchCount(most, is_exact=False)
            return SearchCount(len(ids), last is None, last.at if last is not None else None)
        number = 0
        end: Place | None = None
        for block in _blocks(connection, filters, None, ["id"], is_older=True):
            number, end = number + len(block.rows), block.end
            if number > most:
                return SearchCount(most, is_exact=False)
        return SearchCount(number, end is None, end.at if end is not None else None)

    return database.read(work)


def _page(rows: list[tuple[Place, MessageRow]], limit: int, *, is_older: bool) -> SearchPage:
    has_more = len(rows) > limit
    rows = rows[:limit] if is_older else rows[:limit][::-1]
    return SearchPage(
        tuple(row for _, row in rows), rows[0][0] if rows else None, rows[-1][0] if rows else None, has_more
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """What fits of one block of rows. `end`: its last row, None where there is no further block. `is_last`: the work
    was enough, end or not.
    """

    rows: list[Any]
    end: Place | None
    is_last: bool


def _scan(connection: sa.Connection, filters: Filters, limit: int, place: Place | None, is_older: bool) -> SearchPage:
    rows: list[tuple[Place, MessageRow]] = []
    end: Place | None = None
    for block in _blocks(connection, filters, place, _NAMES, is_older=is_older):
        rows += [(Place(row.received_at, row.id), message_of(row)) for row in block.rows]
        if len(rows) > limit:
            return _page(rows, limit, is_older=is_older)
        end = block.end
    return _ended(_page(rows, limit, is_older=is_older), end, is_older=is_older)


def _ended(page: SearchPage, end: Place | None, *, is_older: bool) -> SearchPage:
    """A page that is not full: for the work was enough where there is an `end`, else because there is no more."""
    if end is None:
        return page
    first, last = (page.first, end) if is_older else (end, page.last)
    return SearchPage(page.rows, first, last, has_more=True, scanned_until=end.at)


def _blocks(
    connection: sa.Connection, filters: Filters, place: Place | None, columns: Sequence[str], *, is_older: bool
) -> Iterator[_Block]:
    began, done, is_last = time.monotonic(), 0, False
    while not is_last:
        block = _ordered(_base(filters), place, is_older).limit(BLOCK)
        edge = connection.execute(
            block.with_only_columns(message.c.received_at, message.c.id).offset(BLOCK - 1).limit(1)
        ).first()
        # The filters over the block, in one pass: joined to the table again, each row would be looked for in each day's
        # part.
        of = block.subquery("m").c
        query = sa.select(*(of[name] for name in columns)).where(*_of_message(filters, of), *_of_delivery(filters, of))
        query = (
            query.order_by(of.received_at.desc(), of.id.desc()) if is_older else query.order_by(of.received_at, of.id)
        )
        rows = list(connection.execute(query).all())
        place = Place(edge[0], edge[1]) if edge is not None else None
        done += BLOCK
        is_last = place is None or done >= WORK or time.monotonic() - began >= WORK_S
        yield _Block(rows, place, is_last)


def _ordered(query: sa.Select[Any], place: Place | None, is_older: bool) -> sa.Select[Any]:
    at, id_ = message.c.received_at, message.c.id
    if place is not None:
        # Not as a comparison of two pairs: MariaDB finds no range in that.
        beyond = (
            sa.and_(at <= place.at, sa.or_(at < place.at, id_ < place.id))
            if is_older
            else sa.and_(at >= place.at, sa.or_(at > place.at, id_ > place.id))
        )
        query = query.where(beyond)
        # Days that cannot hold it need not be looked at; one is left for clocks that differ.
        query = query.where(
            id_ < days.floor(days.of(place.at) + 2 * days.ONE)
            if is_older
            else id_ >= days.floor(days.of(place.at) - days.ONE)
        )
    return query.order_by(at.desc(), id_.desc()) if is_older else query.order_by(at, id_)


def _base(filters: Filters) -> sa.Select[Any]:
    """What an index answers in the order of acceptance."""
    query = sa.select(*MESSAGE)
    if filters.type is not None:
        query = query.where(message.c.type == filters.type)
    elif filters.disposition is not None and filters.disposition is not Disposition.ROUTED:
        query = query.where(sa.text("disposition <> 'routed'"), message.c.disposition == filters.disposition.value)
    if filters.since is not None:
        # An id is made when its message is received: earlier days need not be looked at. One is left for clocks that
        # differ.
        query = query.where(
            message.c.received_at >= filters.since, message.c.id >= days.floor(days.of(filters.since) - days.ONE)
        )
    if filters.until is not None:
        query = query.where(
            message.c.received_at < filters.until, message.c.id < days.floor(days.of(filters.until) + 2 * days.ONE)
        )
    return query


def _all(filters: Filters) -> sa.Select[Any]:
    query = _base(filters).where(*_of_message(filters, message.c), *_of_delivery(filters, message.c))
    return query if filters.ids is None else query.where(message.c.id.in_(sorted(filters.ids)))


def _of_message(filters: Filters, columns: Any) -> list[sa.ColumnElement[bool]]:
    """Conditions on a row with the columns of `message`."""
    found: list[sa.ColumnElement[bool]] = []
    if filters.system is not None:
        found.append(
            columns.type.like(
                filters.system.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "/%", escape="\\"
            )
        )
    if filters.type is not None:
        found.append(columns.type == filters.type)
    if filters.version is not None:
        found.append(columns.version == filters.version)
    if filters.disposition is not None:
        found.append(columns.disposition == filters.disposition.value)
    if filters.caller is not None:
        found.append(columns.caller == filters.caller)
    if filters.min_bytes is not None or filters.max_bytes is not None:
        # In bytes on all three, and none reads the body for it. One look per row, whatever the planner thinks of the
        # whole table.
        size = sa.select(sa.func.length(body.c.raw)).where(body.c.message_id == columns.id).scalar_subquery()
        found += [size >= filters.min_bytes] if filters.min_bytes is not None else []
        found += [size <= filters.max_bytes] if filters.max_bytes is not None else []
    return found


def _of_delivery(filters: Filters, columns: Any) -> list[sa.ColumnElement[bool]]:
    if not filters.is_about_deliveries:
        return []
    line = delivery.alias("line")
    wanted = _line(filters, line)
    if filters.reason is not None:
        wanted.append(line.c.cluster.in_(sa.select(cluster.c.id).where(cluster.c.reason == filters.reason.value)))
    if filters.clusters is not None:
        wanted.append(line.c.cluster.in_(filters.clusters))
    if filters.status is not None:
        wanted.append(line.c.status == filters.status.value)
    elif filters.is_about_waiting:
        wanted.append(line.c.status.in_([one.value for one in WAITING]))
    return [sa.exists().where(line.c.message_id == columns.id, *wanted)]


def _of_way(filters: Filters, line: Any) -> list[sa.ColumnElement[bool]]:
    pairs = ((line.c.route, filters.route), (line.c.lane, filters.lane), (line.c.target, filters.target))
    return [column == value for column, value in pairs if value is not None]


def _line(filters: Filters, line: Any) -> list[sa.ColumnElement[bool]]:
    found = _of_way(filters, line)
    if filters.min_attempts is not None:
        found.append(line.c.attempts >= filters.min_attempts)
    return found


def _known(connection: sa.Connection, filters: Filters) -> list[str] | None:
    """The causes that are asked for, of the way that is asked for; None where any is good, and what has none yet."""
    if filters.reason is None and filters.clusters is None:
        return None
    query = sa.select(cluster.c.id).where(*_of_way(filters, cluster))
    if filters.reason is not None:
        query = query.where(cluster.c.reason == filters.reason.value)
    known = list(connection.execute(query).scalars())
    return known if filters.clusters is None else [one for one in filters.clusters if one in set(known)]


def _that_wait(filters: Filters, known: list[str] | None) -> sa.Select[Any]:
    """Deliveries that wait in one of the states, of one of the causes: what an index of what waits alone answers."""
    states = [filters.status] if filters.status is not None else list(WAITING)
    # Literals, not parameters: so the planners see that the partial index fits.
    query = sa.select(delivery).where(
        sa.text("(" + " OR ".join(f"delivery.status = '{state.value}'" for state in states) + ")")
    )
    if known is not None:
        query = query.where(sa.text("delivery.release_at IS NULL"), delivery.c.cluster.in_(sorted(known)))
    # A delivery is made with its message, and so are their ids: days that cannot hold it need not be looked at. One is
    # left for clocks that differ.
    if filters.since is not None:
        query = query.where(delivery.c.id >= days.floor(days.of(filters.since) - days.ONE))
    if filters.until is not None:
        query = query.where(delivery.c.id < days.floor(days.of(filters.until) + 2 * days.ONE))
    return query


def _waiting_blocks(
    connection: sa.Connection, filters: Filters, last: str | None, size: int, *, is_older: bool
) -> Iterator[_Block]:
    """Rows (id, message_id) of what waits, in the order of the deliveries' ids, behind `last`; in blocks of `size`, or
    of LOOKS where a filter may let none through.
    """
    known = _known(connection, filters)
    if known == [] or (filters.status is not None and filters.status not in WAITING):
        return
    inner = _of_message(filters, message.c)
    if filters.since is not None:
        inner.append(message.c.received_at >= filters.since)
    if filters.until is not None:
        inner.append(message.c.received_at < filters.until)
    # A cause is of one way, so that what is of it is, too.
    lines = _line(filters, delivery) if known is None or filters.min_attempts is not None else []
    is_whole = not inner and not lines
    size = size if is_whole else LOOKS
    began, done, is_last = time.monotonic(), 0, False
    rows: list[Any]
    edge: Any
    while not is_last:
        head = _that_wait(filters, known)
        if last is not None:
            head = head.where(delivery.c.id < last if is_older else delivery.c.id > last)
        head = _first(head, known, size, is_older=is_older)
        if is_whole:
            rows = list(
                connection.execute(
                    head.with_only_columns(delivery.c.id, delivery.c.message_id, delivery.c.first_at)
                ).all()
            )
            edge = rows[-1] if len(rows) == size else None
        else:
            edge = connection.execute(
                head.with_only_columns(delivery.c.id, delivery.c.first_at).offset(size - 1).limit(1)
            ).first()
            of = head.with_only_columns(
                *(delivery.c[name] for name in ("id", "message_id", "route", "lane", "target", "attempts"))
            ).subquery("d")
            query = sa.select(of.c.id, of.c.message_id).where(*(_line(filters, of) if lines else ()))
            # one look per row, not a join: a planner that expects few such messages would look for all of them first
            if inner:
                query = query.where(
                    sa.select(message.c.id)
                    .where(message.c.id == of.c.message_id, *inner)
                    .scalar_subquery()
                    .is_not(None)
                )
            rows = list(connection.execute(query.order_by(of.c.id.desc() if is_older else of.c.id)).all())
        last = edge.id if edge is not None else None
        done += size
        # Where each row counts, the caller has enough in a few blocks.
        is_last = last is None or done >= WORK or (not is_whole and time.monotonic() - began >= WORK_S)
        yield _Block(rows, Place(edge.first_at, edge.id) if edge is not None else None, is_last)


def _first(query: sa.Select[Any], known: list[str] | None, size: int, *, is_older: bool) -> sa.Select[Any]:
    """The first `size` of them, in the order of their ids.

    Of a few causes they are sorted out of the index of causes, which has all that it takes. Left to itself a planner
    would rather walk through all that waits in the order of the ids, which is quick where the cause is frequent, and
    reads every row of the table where it is rare.
    """
    order = delivery.c.id.desc() if is_older else delivery.c.id
    if known is None:
        return query.order_by(order).limit(size)
    by = sa.func.coalesce(delivery.c.id, "")  # an expression, which no index is in the order of
    picked = (
        query.with_only_columns(delivery.c.id).order_by(by.desc() if is_older else by).limit(size).subquery("picked")
    )
    return sa.select(delivery).join(picked, picked.c.id == delivery.c.id).order_by(order).limit(size)


def _waiting(
    connection: sa.Connection, filters: Filters, limit: int, place: Place | None, is_older: bool
) -> SearchPage:
    """Each message once, by the last of its deliveries that fits, in the order of the deliveries' ids."""
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    if place is not None:  # of a message whose deliveries stand on both sides of the page's end
        fits = sa.select(delivery.c.message_id).where(delivery.c.id == place.id, *_line(filters, delivery))
        seen |= set(connection.execute(fits).scalars())
    end: Place | None = None
    for block in _waiting_blocks(
        connection, filters, place.id if place is not None else None, limit + 1, is_older=is_older
    ):
        for row in block.rows:
            if row.message_id not in seen:
                seen.add(row.message_id)
                found.append((row.id, row.message_id))
        end = block.end
        if len(found) > limit:
            break
    ids = sorted(message_id for _, message_id in found[: limit + 1])
    rows_by_id = {
        row.id: message_of(row) for row in connection.execute(sa.select(*MESSAGE).where(message.c.id.in_(ids))).all()
    }
    page = _page(
        [
            (Place(rows_by_id[one].received_at, id_), rows_by_id[one])
            for id_, one in found[: limit + 1]
            if one in rows_by_id
        ],
        limit,
        is_older=is_older,
    )
    return page if len(found) > limit else _ended(page, end, is_older=is_older)
