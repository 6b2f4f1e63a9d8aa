"""What the console reads: why deliveries wait, what flowed by minute, and saved questions.

The version before writes neither: `cluster` may be NULL and stays so in what it settles, which is then named by whoever looks next.
"""

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Instant, Key, Name, Text, Word

revision = "0003"
down_revision = "0002"

_WAITS = sa.text("(status = 'dead' OR status = 'held' OR status = 'unknown') AND release_at IS NULL")
_BROUGHT = sa.text("(substr(trace_id, 1, 2) <> '01' OR substr(trace_id, 13, 1) <> '7')")
_APART = sa.text("disposition <> 'routed'")
_BOUNDS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 300_000, "over")
_NUMBERS = (
    *("accepted", "apart", "delivered", "retried", "dead", "unknown", "held", "ended"),
    *(f"{what}_{bound}" for what in ("journey", "sending") for bound in _BOUNDS),
)


def upgrade() -> None:
    op.execute('ALTER TABLE delivery ADD COLUMN IF NOT EXISTS cluster TEXT COLLATE "C"' if _kind() == "postgresql" else _ADD[_kind()])
    if _kind() != "mariadb":
        op.create_index("ix_delivery_cluster", "delivery", ["status", "cluster", "changed_at", "id"], sqlite_where=_WAITS, postgresql_where=_WAITS)
        op.create_index("ix_message_trace", "message", ["trace_id"], sqlite_where=_BROUGHT, postgresql_where=_BROUGHT)
        op.create_index("ix_message_apart", "message", ["received_at", "id"], sqlite_where=_APART, postgresql_where=_APART)
    op.create_table(
        "cluster",
        sa.Column("id", Word, nullable=False),
        sa.Column("coarse", Word, nullable=False),
        sa.Column("route", Name, nullable=False),
        sa.Column("lane", Name, nullable=False),
        sa.Column("target", Key, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reason", Word, nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("field", Text, nullable=False),
        sa.Column("shape", Text, nullable=False),
        sa.Column("sample", Text, nullable=False),
        sa.Column("fix", Text, nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cluster_coarse", "cluster", ["coarse"])
    op.create_table(
        "flow_minute",
        sa.Column("minute", Instant, nullable=False),
        sa.Column("route", Name, nullable=False),
        sa.Column("way", Key, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS),
        sa.PrimaryKeyConstraint("minute", "route", "way", name=op.f("pk_flow_minute")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "saved_view",
        sa.Column("id", Word, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("owner", Name, nullable=False),
        sa.Column("question", Text, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("changed_by", Name, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_saved_view_name", "saved_view", ["owner", "name"], unique=True)


_ADD = {
    "sqlite": "ALTER TABLE delivery ADD COLUMN cluster TEXT",
    "mariadb": "ALTER TABLE delivery ADD COLUMN IF NOT EXISTS cluster VARCHAR(64) COLLATE utf8mb4_nopad_bin",
}


def downgrade() -> None:
    if _kind() != "mariadb":
        op.drop_index("ix_message_apart", table_name="message")
        op.drop_index("ix_message_trace", table_name="message")
        op.drop_index("ix_delivery_cluster", table_name="delivery")
    op.execute(f"ALTER TABLE delivery DROP COLUMN {'IF EXISTS ' if _kind() == 'mariadb' else ''}cluster")
    op.drop_table("saved_view")
    op.drop_table("flow_minute")
    op.drop_table("cluster")


def _kind() -> str:
    return op.get_context().dialect.name
