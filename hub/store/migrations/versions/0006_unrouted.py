"""Messages that no route took wait for a person: a row for each, and one for each cause, with what a person wants of all of it.

The version before reads and writes none of it. What it accepts meanwhile and routes nowhere gets its row within the hour, by whoever keeps the
store; what it prunes by age of those is gone, and its row is taken away with the next look.
"""

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Document, Instant, Name, Text, Word

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "unrouted",
        sa.Column("message_id", Word, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("cause", Word, nullable=True),
        sa.Column("tried", Word, nullable=True),
        sa.Column("note", Text, nullable=True),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_unrouted")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_unrouted_cause", "unrouted", ["cause", "received_at", "message_id"], unique=False)
    op.create_table(
        "unrouted_cause",
        sa.Column("id", Word, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("misses", Document, nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("wish", Word, nullable=True),
        sa.Column("wish_id", Word, nullable=True),
        sa.Column("wish_at", Instant, nullable=True),
        sa.Column("wish_by", Text, nullable=True),
        sa.Column("wish_why", Text, nullable=True),
        sa.Column("wish_revision", Word, nullable=True),
        sa.Column("wish_forced", sa.Boolean(), nullable=True),
        sa.CheckConstraint("wish = 'route' OR wish = 'drop'", name=op.f("ck_unrouted_cause_wish")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unrouted_cause")),
        sqlite_with_rowid=False,
    )
    # Spelt so that the index of what is apart is used where there is one.
    op.execute("INSERT INTO unrouted (message_id, received_at) SELECT id, received_at FROM message WHERE disposition <> 'routed' AND disposition = 'unrouted'")


def downgrade() -> None:
    op.drop_table("unrouted_cause")
    op.drop_table("unrouted")
