"""The tables of the first release: messages, deliveries, attempts, keys and revisions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Blob, Instant, Key, Name, Text, Word
from hub.store.tables import MARIADB_DELIVERY

revision = "0001"
down_revision = None


def _partial(*given: Any, **named: Any) -> None:
    """An index with a condition that MariaDB has otherwise (MARIADB_DELIVERY)."""
    if op.get_context().dialect.name != "mariadb":
        op.create_index(*given, **named)


def upgrade() -> None:
    op.create_table(
        "activation",
        sa.Column("at", Instant, nullable=False),
        sa.Column("hash", Word, nullable=False),
        sa.Column("by", Text, nullable=False),
        sa.Column("before", Word, nullable=True),
        sa.Column("despite", Text, nullable=False),
        sa.PrimaryKeyConstraint("at", "hash", name=op.f("pk_activation")),
    )
    op.create_table(
        "attempt",
        sa.Column("delivery_id", Word, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=False),
        sa.Column("outcome", Word, nullable=False),
        sa.Column("why", Text, nullable=True),
        sa.Column("url", Text, nullable=False),
        sa.Column("method", Text, nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reply", Blob, nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("timings", Text, nullable=False),
        sa.Column("revision", Word, nullable=False),
        sa.Column("worker", Name, nullable=False),
        sa.Column("lease", Word, nullable=False),
        sa.CheckConstraint(
            "outcome = 'delivered' OR outcome = 'retry' OR outcome = 'dead' OR outcome = 'in_doubt' OR outcome = 'hold' OR outcome = 'ended' OR outcome = 'superseded' OR outcome = 'outcome_not_seen'",
            name=op.f("ck_attempt_outcome"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_attempt")),
        postgresql_partition_by="RANGE (delivery_id)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "body",
        sa.Column("message_id", Word, nullable=False),
        sa.Column("raw", Blob, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_body")),
        postgresql_partition_by="RANGE (message_id)",
    )
    op.create_table(
        "breaker",
        sa.Column("lane", Name, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("until", Instant, nullable=True),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.CheckConstraint("state = 'closed' OR state = 'open' OR state = 'half_open'", name=op.f("ck_breaker_state")),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_breaker")),
    )
    op.create_table(
        "business_key",
        sa.Column("value", Key, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("message_id", Word, nullable=False),
        sa.PrimaryKeyConstraint("value", "name", "message_id", name=op.f("pk_business_key")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_business_key_message", "business_key", ["message_id"], unique=False)
    op.create_table(
        "capacity",
        sa.Column("route", Name, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("window_at", Instant, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("route", "key", "window_at", name=op.f("pk_capacity")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_capacity_ends", "capacity", ["ends_at"], unique=False)
    op.create_table(
        "caller_key",
        sa.Column("id", Word, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("systems", Text, nullable=False),
        sa.Column("pins", Text, nullable=False),
        sa.Column("form", Word, nullable=False),
        sa.Column("key_hash", Text, nullable=False),
        sa.Column("secret_sealed", Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=True),
        sa.Column("revoked_at", Instant, nullable=True),
        sa.CheckConstraint("form = 'default' OR form = 'legacy' OR form = 'hmac' OR form = 'api-key'", name=op.f("ck_caller_key_form")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caller_key")),
    )
    op.create_table(
        "contract_usage",
        sa.Column("type", Name, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", Word, nullable=False),
        sa.Column("caller", Name, nullable=False),
        sa.Column("field", Key, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("type", "version", "day", "caller", "field", name=op.f("pk_contract_usage")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("id", Word, nullable=False),
        sa.Column("message_id", Word, nullable=False),
        sa.Column("route", Name, nullable=False),
        sa.Column("lane", Name, nullable=False),
        sa.Column("target", Key, nullable=False),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("order_key", Key, nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("when_dead", Word, nullable=False),
        sa.Column("in_doubt", Word, nullable=False),
        sa.Column("status", Word, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("spent", sa.Integer(), nullable=False),
        sa.Column("lost_leases", sa.Integer(), nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("lease", Word, nullable=True),
        sa.Column("leased_at", Instant, nullable=True),
        sa.Column("lease_until", Instant, nullable=True),
        sa.Column("worker", Name, nullable=True),
        sa.Column("why", Text, nullable=True),
        sa.Column("changed_by", Text, nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("expires_at", Instant, nullable=True),
        sa.Column("release_at", Instant, nullable=True),
        sa.Column("bundle", Key, nullable=True),
        sa.Column("fresh", Text, nullable=True),
        sa.Column("caller", Name, nullable=False),
        sa.CheckConstraint("(status = 'leased') = (lease IS NOT NULL)", name=op.f("ck_delivery_lease")),
        sa.CheckConstraint(
            "status = 'pending' OR status = 'leased' OR status = 'delivered' OR status = 'dead' OR status = 'unknown' OR status = 'held' OR status = 'cancelled' OR status = 'superseded'",
            name=op.f("ck_delivery_status"),
        ),
        sa.CheckConstraint("(order_key IS NULL) = (seq IS NULL)", name=op.f("ck_delivery_seq")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02},
        sqlite_with_rowid=False,
    )
    _partial(
        "ix_delivery_block",
        "delivery",
        ["lane"],
        unique=False,
        sqlite_where=sa.text("status = 'dead' AND when_dead = 'block'"),
        postgresql_where=sa.text("status = 'dead' AND when_dead = 'block'"),
    )
    _partial(
        "ix_delivery_bundle",
        "delivery",
        ["lane", "bundle", "due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending' AND bundle IS NOT NULL"),
        postgresql_where=sa.text("status = 'pending' AND bundle IS NOT NULL"),
    )
    _partial(
        "ix_delivery_due",
        "delivery",
        ["lane", "rank", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    _partial(
        "ix_delivery_caller",
        "delivery",
        ["lane", "rank", "caller", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    _partial(
        "ix_delivery_expires",
        "delivery",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("expires_at IS NOT NULL AND (status = 'pending' OR status = 'held')"),
        postgresql_where=sa.text("expires_at IS NOT NULL AND (status = 'pending' OR status = 'held')"),
    )
    op.create_index(
        "ix_delivery_key",
        "delivery",
        ["lane", "order_key", "status", "seq"],
        unique=False,
        sqlite_where=sa.text("order_key IS NOT NULL"),
        postgresql_where=sa.text("order_key IS NOT NULL"),
    )
    _partial(
        "ix_delivery_lease", "delivery", ["lease_until"], unique=False, sqlite_where=sa.text("status = 'leased'"), postgresql_where=sa.text("status = 'leased'")
    )
    op.create_index("ix_delivery_message", "delivery", ["message_id"], unique=False)
    op.create_index(
        "ix_delivery_release",
        "delivery",
        ["release_at"],
        unique=False,
        sqlite_where=sa.text("status = 'held' AND release_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'held' AND release_at IS NOT NULL"),
    )
    op.create_index(
        "ix_delivery_waiting",
        "delivery",
        ["status", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'dead' OR status = 'held' OR status = 'unknown'"),
        postgresql_where=sa.text("status = 'dead' OR status = 'held' OR status = 'unknown'"),
    )
    _partial(
        "uq_delivery_key",
        "delivery",
        ["lane", "order_key"],
        unique=True,
        sqlite_where=sa.text("status = 'leased' AND order_key IS NOT NULL"),
        postgresql_where=sa.text("status = 'leased' AND order_key IS NOT NULL"),
    )
    if op.get_context().dialect.name == "mariadb":
        op.execute(MARIADB_DELIVERY)
    op.create_table(
        "origin",
        sa.Column("trace_id", Key, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("method", Text, nullable=False),
        sa.Column("query", Text, nullable=False),
        sa.Column("content_type", Text, nullable=False),
        sa.Column("raw", Blob, nullable=False),
        sa.PrimaryKeyConstraint("trace_id", name=op.f("pk_origin")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency",
        sa.Column("caller", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("message_id", Word, nullable=False),
        sa.Column("fingerprint", Word, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("caller", "type", "key", name=op.f("pk_idempotency")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leader",
        sa.Column("name", Name, nullable=False),
        sa.Column("holder", Name, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leader")),
    )
    op.create_table(
        "lookup",
        sa.Column("message_id", Word, nullable=False),
        sa.Column("route", Name, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("found", Blob, nullable=True),
        sa.Column("taken_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("message_id", "route", "part", "name", name=op.f("pk_lookup")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message",
        sa.Column("id", Word, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("caller", Name, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("trace_id", Key, nullable=False),
        sa.Column("revision", Word, nullable=False),
        sa.Column("disposition", Word, nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("keys", Text, nullable=False),
        sa.Column("order_key", Key, nullable=True),
        sa.Column("idempotency_key", Key, nullable=True),
        sa.Column("cause_id", Word, nullable=True),
        sa.Column("hops", sa.Integer(), nullable=False),
        sa.Column("why", Text, nullable=False),
        sa.CheckConstraint("disposition = 'routed' OR disposition = 'unrouted' OR disposition = 'filtered'", name=op.f("ck_message_disposition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        postgresql_partition_by="RANGE (id)",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_message_cause",
        "message",
        ["cause_id"],
        unique=False,
        sqlite_where=sa.text("cause_id IS NOT NULL"),
        postgresql_where=sa.text("cause_id IS NOT NULL"),
    )
    op.create_index(
        "ix_message_origin", "message", ["trace_id"], unique=False, sqlite_where=sa.text("source = 'hook'"), postgresql_where=sa.text("source = 'hook'")
    )
    op.create_index("ix_message_received", "message", ["received_at", "id"], unique=False)
    op.create_index("ix_message_type", "message", ["type", "received_at", "id"], unique=False)
    op.create_table(
        "order_key",
        sa.Column("lane", Name, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "key", name=op.f("pk_order_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "place",
        sa.Column("delivery_id", Word, nullable=False),
        sa.Column("route", Name, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("window_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_place")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pruned",
        sa.Column("day", Word, nullable=False),
        sa.Column("word", Word, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "word", name=op.f("pk_pruned")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "restored",
        sa.Column("message_id", Word, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_restored")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refused",
        sa.Column("id", Word, nullable=False),
        sa.Column("source", Name, nullable=False),
        sa.Column("fingerprint", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("message_id", Text, nullable=False),
        sa.Column("topic", Text, nullable=False),
        sa.Column("content_type", Text, nullable=False),
        sa.Column("headers", Text, nullable=False),
        sa.Column("raw", Blob, nullable=False),
        sa.Column("flaw", Text, nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("text", Text, nullable=False),
        sa.Column("faults", Text, nullable=False),
        sa.Column("revision", Word, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("changed_by", Text, nullable=True),
        sa.CheckConstraint("state = 'waiting' OR state = 'accepted' OR state = 'dropped'", name=op.f("ck_refused_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused")),
    )
    op.create_index("ix_refused_state", "refused", ["state", "id"], unique=False)
    op.create_index("uq_refused_content", "refused", ["source", "fingerprint"], unique=True)
    op.create_table(
        "revision",
        sa.Column("hash", Word, nullable=False),
        sa.Column("files", Blob, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("activated_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_revision")),
    )
    op.create_table(
        "share",
        sa.Column("lane", Name, nullable=False),
        sa.Column("worker", Name, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("lane", "worker", name=op.f("pk_share")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "worker_sign",
        sa.Column("worker", Name, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_worker_sign")),
    )
    op.create_table(
        "active_revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", Word, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_active_revision_one")),
        sa.ForeignKeyConstraint(["hash"], ["revision.hash"], name=op.f("fk_active_revision_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_active_revision")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Whatever day an id tells, there is a place for it.
        for name in ("message", "body", "attempt"):
            op.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")


def downgrade() -> None:
    op.drop_table("active_revision")
    op.drop_table("worker_sign")
    op.drop_table("share")
    op.drop_table("revision")
    op.drop_table("restored")
    op.drop_table("pruned")
    op.drop_table("refused")
    op.drop_table("origin")
    op.drop_table("place")
    op.drop_table("order_key")
    op.drop_table("message")
    op.drop_table("lookup")
    op.drop_table("leader")
    op.drop_table("idempotency")
    op.drop_table("delivery")
    op.drop_table("capacity")
    op.drop_table("contract_usage")
    op.drop_table("caller_key")
    op.drop_table("business_key")
    op.drop_table("breaker")
    op.drop_table("body")
    op.drop_table("attempt")
    op.drop_table("activation")
