"""The tables beside the flow: what the hub goes by, whom it knows, and what it counts. Few rows each; those of the flow
stand in `tables`.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.core.model.breaker import Circuit
from hub.core.model.latency import BOUNDS_MS
from hub.core.model.repair import Act, Result, State, With
from hub.store.columns import Blob, Document, Instant, Key, Name, Text, Word, metadata, one_of

# How many went which way, and how many took how long: from the acceptance to the target, and for the sending alone. Not
# added up.
OUTCOMES = ("accepted", "apart", "delivered", "retried", "dead", "unknown", "held", "ended")
JOURNEY = tuple(f"journey_{bound}" for bound in (*BOUNDS_MS, "over"))
SENDING = tuple(f"sending_{bound}" for bound in (*BOUNDS_MS, "over"))

# What a capacity has given away: a row per route, value and window; and one at EPOCH per route and value, which is the
# lock on them.
capacity = sa.Table(
    "capacity",
    metadata,
    sa.Column("route", Name, primary_key=True),
    sa.Column("key", Key, primary_key=True),
    sa.Column("window_at", Instant, primary_key=True),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),  # from then on nobody looks at it, and it is pruned
    sqlite_with_rowid=False,
)
sa.Index("ix_capacity_ends", capacity.c.ends_at)

# Which place a held delivery has been given: what ends it before its hour gives the place back, by taking this row
# away.
place = sa.Table(
    "place",
    metadata,
    sa.Column("delivery_id", Word, primary_key=True),
    sa.Column("route", Name, nullable=False),
    sa.Column("key", Key, nullable=False),
    sa.Column("window_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

revision = sa.Table(
    "revision",
    metadata,
    sa.Column("hash", Word, primary_key=True),
    sa.Column("files", Blob, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("activated_at", Instant),
)

active_revision = sa.Table(
    "active_revision",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", Word, sa.ForeignKey("revision.hash"), nullable=False),
    sa.CheckConstraint("id = 1", name="one"),
)

activation = sa.Table(
    "activation",
    metadata,
    sa.Column("at", Instant, primary_key=True),
    sa.Column("hash", Word, primary_key=True),
    sa.Column("by", Text, nullable=False),
    sa.Column("before", Word),
    sa.Column("despite", Document, nullable=False),
)

caller_key = sa.Table(
    "caller_key",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("systems", Document, nullable=False),
    # message type -> the version that a post of this caller is in, if it does not say
    sa.Column("pins", Document, nullable=False),
    sa.Column("form", Word, nullable=False),
    sa.Column("key_hash", Text, nullable=False),
    sa.Column("secret_sealed", Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
    sa.CheckConstraint(one_of("form", "default", "legacy", "hmac", "api-key"), name="form"),
)

breaker = sa.Table(
    "breaker",
    metadata,
    sa.Column("lane", Name, primary_key=True),
    sa.Column("state", Word, nullable=False),
    sa.Column("until", Instant),
    sa.Column("trips", sa.Integer, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.CheckConstraint(one_of("state", *Circuit), name="state"),
)

# Which process fills how many of a target's places; the row of nobody ('') is the lane's lock.
share = sa.Table(
    "share",
    metadata,
    sa.Column("lane", Name, primary_key=True),
    sa.Column("worker", Name, primary_key=True),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# Who used which version and field of a contract, by day. Counted in memory and added in batches: the last seconds
# before a kill are lost.
contract_usage = sa.Table(
    "contract_usage",
    metadata,
    sa.Column("type", Name, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", Word, primary_key=True),  # in UTC, 2026-06-01
    sa.Column("caller", Name, primary_key=True),
    sa.Column("field", Key, primary_key=True),  # /items/*/sku; empty: the message itself
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# The version of a caller's posts that say none, since the first of them was accepted.
version_pin = sa.Table(
    "version_pin",
    metadata,
    sa.Column("caller", Name, primary_key=True),
    sa.Column("type", Name, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

worker_sign = sa.Table(
    "worker_sign",
    metadata,
    sa.Column("worker", Name, primary_key=True),
    sa.Column("seen_at", Instant, nullable=False),
)

# Who does what must be done once. The token rises with each take-over: an act under an older one is refused (promise
# P5, fault F8).
leader = sa.Table(
    "leader",
    metadata,
    sa.Column("name", Name, primary_key=True),
    sa.Column("holder", Name, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

# What was pruned, by the day of its acceptance: the books go on knowing how many there were.
pruned = sa.Table(
    "pruned",
    metadata,
    sa.Column("day", Word, primary_key=True),  # in UTC, 2026-06-01
    sa.Column("word", Word, primary_key=True),  # a message's disposition, a delivery's state, or `planned`
    sa.Column("number", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Messages that came back out of an archive, and until when they are not pruned again.
restored = sa.Table(
    "restored",
    metadata,
    sa.Column("message_id", Word, primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# What a person decided to do with a choice of deliveries that wait, and how far it has come.
repair = sa.Table(
    "repair",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("request_key", Key),  # the Idempotency-Key of the call that made it
    sa.Column("fingerprint", Word, nullable=False),  # of what that call said
    sa.Column("act", Word, nullable=False),
    sa.Column("made_with", Word, nullable=False),
    sa.Column("revision", Word),  # None: each message's own
    sa.Column("forced", sa.Boolean, nullable=False),
    sa.Column("canary", sa.Integer, nullable=False),
    sa.Column("go_on_at", sa.Integer),
    sa.Column("rate", sa.Integer, nullable=False),
    sa.Column("selection", Document, nullable=False),
    sa.Column("why", Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("state", Word, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),  # its canary: the rest may go
    sa.Column("number", sa.Integer, nullable=False),  # of its deliveries
    sa.Column("stepped_at", Instant),  # up to when its rate is used up
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("changed_by", Text, nullable=False),
    sa.CheckConstraint(one_of("act", *Act), name="act"),
    sa.CheckConstraint(one_of("made_with", *With), name="made_with"),
    sa.CheckConstraint(one_of("state", *State), name="state"),
)
sa.Index("uq_repair_request", repair.c.request_key, unique=True)
sa.Index("ix_repair_state", repair.c.state, repair.c.id)

# Each delivery of a repair, in the order in which they go, and what became of it.
repair_row = sa.Table(
    "repair_row",
    metadata,
    sa.Column("repair_id", Word, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("delivery_id", Word, nullable=False),
    # as many as it had when it was chosen: whoever finds more leaves it alone
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("result", Word, nullable=False),
    sa.Column("why", Document),  # of the delivery, where it waits for a person again
    sa.Column("note", Text),
    sa.Column("changed_at", Instant, nullable=False),
    sa.CheckConstraint(one_of("result", *Result), name="result"),
    sqlite_with_rowid=False,
)
sa.Index("ix_repair_row_result", repair_row.c.repair_id, repair_row.c.result, repair_row.c.place)
sa.Index("ix_repair_row_delivery", repair_row.c.delivery_id)


# Why deliveries wait for a person: a row per cause. Which deliveries share it stands on them (delivery.cluster), so
# that their number is always right.
cluster = sa.Table(
    "cluster",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("coarse", Word, nullable=False),  # the cause without its text
    sa.Column("route", Name, nullable=False),
    sa.Column("lane", Name, nullable=False),
    sa.Column("target", Key, nullable=False),
    sa.Column("type", Name, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("reason", Word, nullable=False),
    sa.Column("code", sa.Integer),
    sa.Column("field", Text, nullable=False),
    sa.Column("shape", Text, nullable=False),
    sa.Column("sample", Text, nullable=False),
    sa.Column("fix", Text, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("ix_cluster_coarse", cluster.c.coarse)

# Why no route took messages, and what a person wants of all of a cause that had come by then. A wish is over when its
# columns are empty again.
unrouted_cause = sa.Table(
    "unrouted_cause",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("type", Name, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("misses", Document, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("wish", Word),  # route or drop; NULL: none
    sa.Column("wish_id", Word),
    sa.Column("wish_at", Instant),  # what came later is not meant
    sa.Column("wish_by", Text),
    sa.Column("wish_why", Text),
    sa.Column("wish_revision", Word),  # by which they are routed
    sa.Column("wish_forced", sa.Boolean),
    sa.CheckConstraint(one_of("wish", "route", "drop"), name="wish"),
    sqlite_with_rowid=False,
)

# What flowed, by minute and way. Counted in memory and added in batches: the last seconds before a kill are lost. An
# empty route: accepted.
flow_minute = sa.Table(
    "flow_minute",
    metadata,
    sa.Column("minute", Instant, primary_key=True),
    sa.Column("route", Name, primary_key=True),
    # the target, such as wms/outbound.create@1; without a route what was accepted
    sa.Column("way", Key, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in (*OUTCOMES, *JOURNEY, *SENDING)),
    sqlite_with_rowid=False,
)

# A question that somebody keeps: their own, or everybody's where it has no owner.
saved_view = sa.Table(
    "saved_view",
    metadata,
    sa.Column("id", Word, primary_key=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("owner", Name, nullable=False),  # empty: everybody's
    sa.Column("question", Document, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("changed_by", Name, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("uq_saved_view_name", saved_view.c.owner, saved_view.c.name, unique=True)
