"""The tables of the flow. Migrations make them; a test proves on all databases that what the migrations make is what
stands here.

There are no foreign keys between message, body, delivery and attempt: they are written whole in one transaction by one
module each, a check per row would cost more than the row (PostgreSQL), and parts of tables that are cut by day cannot
be dropped under them. That no row is lost is shown by `conservation`, which counts against the number written on the
message.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.core.message import Disposition
from hub.core.model.delivery import Status
from hub.store.columns import BYTES, Blob, Document, Instant, Key, Name, Text, Word, metadata, one_of

message = sa.Table(
    "message",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("type", Name, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("caller", Name, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("trace_id", Key, nullable=False),
    sa.Column("revision", Word, nullable=False),
    sa.Column("disposition", Word, nullable=False),
    sa.Column("planned", sa.Integer, nullable=False),
    sa.Column("keys", Document, nullable=False),
    sa.Column("order_key", Key),
    sa.Column("idempotency_key", Key),
    sa.Column("cause_id", Word),
    sa.Column("hops", sa.Integer, nullable=False),
    sa.Column("why", Document, nullable=False),
    sa.CheckConstraint(one_of("disposition", *Disposition), name="disposition"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (id)",
)
sa.Index("ix_message_received", message.c.received_at, message.c.id)
sa.Index("ix_message_type", message.c.type, message.c.received_at, message.c.id)
_caused = message.c.cause_id.is_not(None)
sa.Index("ix_message_cause", message.c.cause_id, sqlite_where=_caused, postgresql_where=_caused)

# Whether anything still needs what a foreign system sent.
_hooked = sa.text("source = 'hook'")
sa.Index("ix_message_origin", message.c.trace_id, sqlite_where=_hooked, postgresql_where=_hooked)

_PARTIAL = ("sqlite", "postgresql")  # those that have partial indexes
# A trace that we began is a UUIDv7: its messages are found by its time. Only those that a caller brought have a place
# in this index.
BROUGHT_TRACE = "(substr(trace_id, 1, 2) <> '01' OR substr(trace_id, 13, 1) <> '7')"
_brought = sa.text(BROUGHT_TRACE)
_trace_index = sa.Index("ix_message_trace", message.c.trace_id, sqlite_where=_brought, postgresql_where=_brought)
_trace_index.ddl_if(dialect=_PARTIAL)  # type: ignore[arg-type]  # MariaDB has all of them in ix_message_origin
_apart = sa.text("disposition <> 'routed'")
_apart_index = sa.Index(
    "ix_message_apart", message.c.received_at, message.c.id, sqlite_where=_apart, postgresql_where=_apart
)
_apart_index.ddl_if(dialect=_PARTIAL)  # type: ignore[arg-type]

# Apart from the message: lists and counts do not read past the payloads.
body = sa.Table(
    "body",
    metadata,
    sa.Column("message_id", Word, primary_key=True),
    sa.Column("raw", Blob, nullable=False),
    postgresql_partition_by="RANGE (message_id)",
)

# What a foreign system sent, as it came: the messages that were made of it have its trace id. Only where a message is
# not its own original.
origin = sa.Table(
    "origin",
    metadata,
    sa.Column("trace_id", Key, primary_key=True),
    sa.Column("source", Text, nullable=False),  # hook:<system>/<hook>
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("method", Text, nullable=False),
    sa.Column("query", Text, nullable=False),
    sa.Column("content_type", Text, nullable=False),
    sa.Column("raw", Blob, nullable=False),
    sqlite_with_rowid=False,
)

# What came and could not be accepted, as it came, whichever way: to be found, and read again once its cause is mended.
# One row per content.
refused = sa.Table(
    "refused",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("source", Name, nullable=False),  # queue:<system>/<queue>
    sa.Column("fingerprint", Word, nullable=False),
    sa.Column("state", Word, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("message_id", Text, nullable=False),
    sa.Column("topic", Text, nullable=False),
    sa.Column("content_type", Text, nullable=False),
    sa.Column("headers", Document, nullable=False),
    sa.Column("raw", Blob, nullable=False),
    sa.Column("flaw", Text, nullable=False),
    sa.Column("code", sa.Integer, nullable=False),
    sa.Column("text", Text, nullable=False),
    sa.Column("faults", Document, nullable=False),
    sa.Column("revision", Word, nullable=False),  # of the configuration that refused it
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("changed_by", Text),
    # core.config.identified_request has them; null: a queue, written by a hub that knew no other
    sa.Column("door", Word),
    sa.Column("caller", Name),  # whose room it fills
    sa.Column("trace_ids", Text),  # of the last twenty refusals of this content, the newest first
    sa.Column("size", sa.Integer),  # bytes of the body
    sa.Column("proof", Document),  # the caller as it was proven; null: it was not
    sa.Column("request", Document),  # how it is read again
    sa.Column("note", Text),  # why a person let it go
    sa.CheckConstraint(one_of("state", "waiting", "accepted", "dropped"), name="state"),
)
sa.Index("uq_refused_content", refused.c.source, refused.c.fingerprint, unique=True)
sa.Index("ix_refused_state", refused.c.state, refused.c.id)
sa.Index("ix_refused_caller", refused.c.caller, refused.c.state, refused.c.id, refused.c.size)
# All that the list of causes is made of: it is asked for each second, and must not read past the bodies.
sa.Index(
    "ix_refused_cause",
    *(
        refused.c[name]
        for name in ("state", "source", "caller", "door", "code", "received_at", "last_at", "times", "id")
    ),
)

# The messages that no route took, until a person has them routed again or lets them go; what they are stands in
# `message`. A table of its own: they are few, and counted often. Written with the message; whoever leads names the
# cause behind it, as it does with what waits of deliveries.
unrouted = sa.Table(
    "unrouted",
    metadata,
    sa.Column("message_id", Word, primary_key=True),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("cause", Word),  # NULL until somebody has looked
    sa.Column("tried", Word),  # the wish of a person under which it was tried last, and stayed
    sa.Column("note", Text),  # why it stayed
    sqlite_with_rowid=False,
)
sa.Index("ix_unrouted_cause", unrouted.c.cause, unrouted.c.received_at, unrouted.c.message_id)

# A small table of its own: what decides whether a post is new must stay in memory however many messages there are.
idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("caller", Name, primary_key=True),
    sa.Column("type", Name, primary_key=True),
    sa.Column("key", Key, primary_key=True),
    sa.Column("message_id", Word, nullable=False),
    sa.Column("fingerprint", Word, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("message_id", Word, nullable=False),
    sa.Column("route", Name, nullable=False),
    sa.Column("lane", Name, nullable=False),
    sa.Column("target", Key, nullable=False),
    sa.Column("part", sa.Integer),
    sa.Column("order_key", Key),
    sa.Column("seq", sa.BigInteger),
    sa.Column("when_dead", Word, nullable=False),
    sa.Column("in_doubt", Word, nullable=False),
    sa.Column("status", Word, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("spent", sa.Integer, nullable=False),
    sa.Column("lost_leases", sa.Integer, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("lease", Word),
    sa.Column("leased_at", Instant),
    sa.Column("lease_until", Instant),
    sa.Column("worker", Name),
    sa.Column("why", Document),
    sa.Column("changed_by", Text),
    sa.Column("rank", sa.Integer, nullable=False),  # of its priority: 0 goes first
    sa.Column("expires_at", Instant),
    sa.Column("release_at", Instant),  # held until then; without it, until a person says so
    sa.Column("bundle", Key),  # what may travel together in one call
    sa.Column("fresh", Text),  # how new its content is: sorts as it is meant
    sa.Column("caller", Name, nullable=False),  # its message's: who waits with much does not keep the others waiting
    # of what waits for a person: which cause it shares with others; NULL until somebody has looked
    sa.Column("cluster", Word),
    sa.Column("made_with", Word),  # the revision that makes its content since a repair said so; NULL: the message's
    # its route could not say whether it takes the message: the claim decides it again; NULL: decided
    sa.Column("undecided", sa.Boolean),
    sa.CheckConstraint(one_of("status", *Status), name="status"),
    sa.CheckConstraint("(status = 'leased') = (lease IS NOT NULL)", name="lease"),
    sa.CheckConstraint("(order_key IS NULL) = (seq IS NULL)", name="seq"),
    sqlite_with_rowid=False,
    # Rows change place in their indexes three times in a short life: room on the page, and vacuum early.
    postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02},
)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> None:
    """An index with a condition, which MariaDB has otherwise (MARIADB_DELIVERY)."""
    condition = sa.text(where)
    index = sa.Index(
        name,
        *(delivery.c[column] for column in columns),
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
    index.ddl_if(dialect=("sqlite", "postgresql"))  # type: ignore[arg-type]  # its documentation has several


WAITS_FOR_A_PERSON = f"({one_of('status', 'dead', 'held', 'unknown')}) AND release_at IS NULL"

# Work is found by state, never by a cursor over ids (promise P2). Literals, not parameters: planners take a partial
# index only where they can read its condition in the statement.
_partial("ix_delivery_due", "lane", "rank", "due_at", "id", where="status = 'pending'")
_partial("ix_delivery_caller", "lane", "rank", "caller", "due_at", "id", where="status = 'pending'")
_partial("ix_delivery_bundle", "lane", "bundle", "due_at", where="status = 'pending' AND bundle IS NOT NULL")
_partial(
    "ix_delivery_expires", "expires_at", where="expires_at IS NOT NULL AND (status = 'pending' OR status = 'held')"
)
_partial("ix_delivery_lease", "lease_until", where="status = 'leased'")
_partial("ix_delivery_block", "lane", where="status = 'dead' AND when_dead = 'block'")
# Only what waits for a person has a place in it, so that a delivery that goes well never meets it.
_partial("ix_delivery_cluster", "status", "cluster", "changed_at", "id", where=WAITS_FOR_A_PERSON)
# The arbiter of order: whatever two workers believe, one key of a lane has one lease (promise P6).
_partial("uq_delivery_key", "lane", "order_key", where="status = 'leased' AND order_key IS NOT NULL", unique=True)
_released = sa.text("status = 'held' AND release_at IS NOT NULL")
sa.Index("ix_delivery_release", delivery.c.release_at, sqlite_where=_released, postgresql_where=_released)
_waiting = sa.text(one_of("status", "dead", "held", "unknown"))
sa.Index("ix_delivery_waiting", delivery.c.status, delivery.c.id, sqlite_where=_waiting, postgresql_where=_waiting)
_ordered = sa.text("order_key IS NOT NULL")
sa.Index(
    "ix_delivery_key",
    delivery.c.lane,
    delivery.c.order_key,
    delivery.c.status,
    delivery.c.seq,
    sqlite_where=_ordered,
    postgresql_where=_ordered,
)
sa.Index("ix_delivery_message", delivery.c.message_id)
# MariaDB has no partial indexes: the state stands first in those that would otherwise hold what is over for ever, and
# one lease per key is kept by a column that is NULL, and so equal to nothing, unless the delivery is leased and has a
# key. IF NOT EXISTS: see hub.store.migrate.
MARIADB_DELIVERY = sa.DDL(  # type: ignore[no-untyped-call]
    f"ALTER TABLE delivery ADD COLUMN IF NOT EXISTS leased_key VARCHAR(255) COLLATE {BYTES} "
    "GENERATED ALWAYS AS (CASE WHEN status = 'leased' THEN order_key END) STORED, "
    "ADD UNIQUE INDEX IF NOT EXISTS uq_delivery_key (lane, leased_key), "
    "ADD INDEX IF NOT EXISTS ix_delivery_due (status, lane, rank, due_at, id), "
    "ADD INDEX IF NOT EXISTS ix_delivery_caller (status, lane, rank, caller, due_at, id), "
    "ADD INDEX IF NOT EXISTS ix_delivery_bundle (status, lane, bundle, due_at), "
    "ADD INDEX IF NOT EXISTS ix_delivery_expires (status, expires_at), "
    "ADD INDEX IF NOT EXISTS ix_delivery_lease (status, lease_until, id), "
    "ADD INDEX IF NOT EXISTS ix_delivery_block (status, when_dead, lane)"
)
sa.event.listen(delivery, "after_create", MARIADB_DELIVERY.execute_if(dialect="mariadb"))

# One row per try, never edited. Where the worker died before writing it, the lapsed lease left one (promise I9).
attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("delivery_id", Word, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("ended_at", Instant, nullable=False),
    sa.Column("outcome", Word, nullable=False),
    sa.Column("why", Document),
    sa.Column("url", Text, nullable=False),
    sa.Column("method", Text, nullable=False),
    sa.Column("http_status", sa.Integer),
    sa.Column("sent", sa.Boolean, nullable=False),
    sa.Column("request_bytes", sa.BigInteger, nullable=False),
    sa.Column("reply", Blob, nullable=False),
    sa.Column("ms", sa.BigInteger, nullable=False),
    sa.Column("timings", Document, nullable=False),
    sa.Column("revision", Word, nullable=False),
    sa.Column("worker", Name, nullable=False),
    sa.Column("lease", Word, nullable=False),
    sa.Column("made_with", Word),  # the revision that made its content; NULL: the message's
    sa.CheckConstraint(
        one_of("outcome", "delivered", "retry", "dead", "in_doubt", "hold", "ended", "superseded", "outcome_not_seen"),
        name="outcome",
    ),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (delivery_id)",
)

business_key = sa.Table(
    "business_key",
    metadata,
    sa.Column("value", Key, primary_key=True),
    sa.Column("name", Name, primary_key=True),
    sa.Column("message_id", Word, primary_key=True),
    sqlite_with_rowid=False,
)
sa.Index("ix_business_key_message", business_key.c.message_id)

# Locked by each acceptance on the key, until it commits: numbers are given in the order of the commits (promise P6).
order_key = sa.Table(
    "order_key",
    metadata,
    sa.Column("lane", Name, primary_key=True),
    sa.Column("key", Key, primary_key=True),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What a route looked up for a message, as it was found: once written never changed, so that a step can be computed
# again.
lookup = sa.Table(
    "lookup",
    metadata,
    sa.Column("message_id", Word, primary_key=True),
    sa.Column("route", Name, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),  # -1: the whole message
    sa.Column("name", Name, primary_key=True),
    sa.Column("found", Blob),  # the answer's body; NULL: there was none, and the route goes on without
    sa.Column("taken_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# The large tables, which PostgreSQL cuts by day: which column's day it is. Ids begin with their time, so a day is a
# range of ids, the primary key stays what it is, and a look-up by id goes to one part. What has no part of its own goes
# to the default one, and is reported. `delivery` is whole: one key of a lane has one lease, and no index over parts
# could say so.
BY_DAY = {"message": "id", "body": "message_id", "attempt": "delivery_id"}
for _name in BY_DAY:
    _default = sa.DDL(f"CREATE TABLE {_name}_default PARTITION OF {_name} DEFAULT")  # type: ignore[no-untyped-call]
    sa.event.listen(metadata.tables[_name], "after_create", _default.execute_if(dialect="postgresql"))
