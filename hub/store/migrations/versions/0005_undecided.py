"""Deliveries whose route could not be decided when their message came: their claim decides them again.

The version before neither writes nor reads it: what it claims of these it sends as one whole message, if its mapping can make one. Let them
be decided, or cancel them, before an older version runs beside this one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # A migration that died on MariaDB is run again from its beginning; the others know no such words, and undo it whole.
    is_there = True if op.get_context().dialect.name == "mariadb" else None
    op.add_column("delivery", sa.Column("undecided", sa.Boolean(), nullable=True), if_not_exists=is_there)


def downgrade() -> None:
    op.drop_column("delivery", "undecided")
