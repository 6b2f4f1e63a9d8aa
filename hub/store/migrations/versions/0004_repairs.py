"""Repairs: deliveries that a person chose to send again or to end, a few first. And by which revision a replayed one is made from now on.

The version before reads and writes none of it. What it delivers of a repair with another revision, it makes by the message's own: end or
stop repairs before an older version runs beside this one.
"""

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Instant, Key, Text, Word

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A migration that died on MariaDB is run again from its beginning; the others know no such words, and undo it whole.
    is_there = True if op.get_context().dialect.name == "mariadb" else None
    for table in ("delivery", "attempt"):
        op.add_column(table, sa.Column("made_with", Word, nullable=True), if_not_exists=is_there)
    op.create_table(
        "repair",
        sa.Column("id", Word, nullable=False),
        sa.Column("request_key", Key, nullable=True),
        sa.Column("fingerprint", Word, nullable=False),
        sa.Column("act", Word, nullable=False),
        sa.Column("made_with", Word, nullable=False),
        sa.Column("revision", Word, nullable=True),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("canary", sa.Integer(), nullable=False),
        sa.Column("go_on_at", sa.Integer(), nullable=True),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("selection", Text, nullable=False),
        sa.Column("why", Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", Text, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stepped_at", Instant, nullable=True),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("changed_by", Text, nullable=False),
        sa.CheckConstraint("act = 'replay' OR act = 'discard'", name=op.f("ck_repair_act")),
        sa.CheckConstraint("made_with = 'pinned' OR made_with = 'current' OR made_with = 'candidate'", name=op.f("ck_repair_made_with")),
        sa.CheckConstraint(
            "state = 'ready' OR state = 'canary' OR state = 'waiting' OR state = 'running' OR state = 'stopped' OR state = 'done'",
            name=op.f("ck_repair_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair")),
    )
    op.create_index("uq_repair_request", "repair", ["request_key"], unique=True)
    op.create_index("ix_repair_state", "repair", ["state", "id"], unique=False)
    op.create_table(
        "repair_row",
        sa.Column("repair_id", Word, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", Word, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("result", Word, nullable=False),
        sa.Column("why", Text, nullable=True),
        sa.Column("note", Text, nullable=True),
        sa.Column("changed_at", Instant, nullable=False),
        sa.CheckConstraint(
            "result = 'waiting' OR result = 'going' OR result = 'parked' OR result = 'delivered' OR result = 'failed' OR result = 'ended' "
            "OR result = 'skipped' OR result = 'discarded'",
            name=op.f("ck_repair_row_result"),
        ),
        sa.PrimaryKeyConstraint("repair_id", "place", name=op.f("pk_repair_row")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_repair_row_result", "repair_row", ["repair_id", "result", "place"], unique=False)
    op.create_index("ix_repair_row_delivery", "repair_row", ["delivery_id"], unique=False)


def downgrade() -> None:
    op.drop_table("repair_row")
    op.drop_table("repair")
    for table in ("attempt", "delivery"):
        op.drop_column(table, "made_with")
