"""What was refused at any door is kept, not of queues alone: by which door, whose, under which trace ids, and why a person let it go.

Nullable: the version before writes rows of queues without them, and reads no others than it did; it shows what other doors refused among them,
and cannot retry it.
"""

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Document, Name, Text, Word

revision = "0008"
down_revision = "0007"

COLUMNS = (("door", Word), ("caller", Name), ("trace_ids", Text), ("size", sa.Integer()), ("proof", Document), ("request", Document), ("note", Text))
CALLER = ["caller", "state", "id", "size"]
CAUSE = ["state", "source", "caller", "door", "code", "received_at", "last_at", "times", "id"]


def upgrade() -> None:
    # A migration that died on MariaDB is run again from its beginning; the others know no such words, and undo it whole.
    is_there = True if op.get_context().dialect.name == "mariadb" else None
    for name, kind in COLUMNS:
        op.add_column("refused", sa.Column(name, kind, nullable=True), if_not_exists=is_there)
    op.create_index("ix_refused_caller", "refused", CALLER, unique=False, if_not_exists=is_there)
    op.create_index("ix_refused_cause", "refused", CAUSE, unique=False, if_not_exists=is_there)


def downgrade() -> None:
    op.drop_index("ix_refused_cause", table_name="refused")
    op.drop_index("ix_refused_caller", table_name="refused")
    for name, _ in reversed(COLUMNS):
        op.drop_column("refused", name)
