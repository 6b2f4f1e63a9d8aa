"""The version of a caller's posts that say none. A new table only: the version before neither knows nor misses it."""

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Instant, Name

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    is_there = True if op.get_context().dialect.name == "mariadb" else None
    op.create_table(
        "version_pin",
        sa.Column("caller", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("caller", "type", name="pk_version_pin"),
        sqlite_with_rowid=False,
        if_not_exists=is_there,
    )


def downgrade() -> None:
    op.drop_table("version_pin")
