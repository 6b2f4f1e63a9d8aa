"""People: who may sign in, their sessions, the record of their acts, what they paused, and which processes run. New tables only: the hub before reads and writes none of them."""

import sqlalchemy as sa
from alembic import op

from hub.store.columns import Instant, Key, Name, Text, Word

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "user_account",
        sa.Column("name", Name, nullable=False),
        sa.Column("password_hash", Text, nullable=False),
        sa.Column("role", Word, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("disabled_at", Instant, nullable=True),
        sa.CheckConstraint("role = 'viewer' OR role = 'operator'", name=op.f("ck_user_account_role")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user_account")),
    )
    op.create_table(
        "user_session",
        sa.Column("token_hash", Word, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_session")),
    )
    op.create_index("ix_user_session_name", "user_session", ["name"])
    op.create_table(
        "sign_in_try",
        sa.Column("scope", Key, nullable=False),
        sa.Column("window_at", Instant, nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("succeeded_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_sign_in_try")),
    )
    op.create_table(
        "act",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("by", Text, nullable=False),
        sa.Column("what", Word, nullable=False),
        sa.Column("object", Key, nullable=False),
        sa.Column("details", Text, nullable=False),
        sa.Column("before", Word, nullable=False),
        sa.Column("hash", Word, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_act")),
    )
    op.create_index("ix_act_object", "act", ["object", "sequence"])
    op.create_table(
        "act_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", Word, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_act_head_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act_head")),
    )
    op.execute("INSERT INTO act_head (id, sequence, hash) VALUES (1, 0, '')")
    op.create_table(
        "pause",
        sa.Column("kind", Word, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("by", Text, nullable=False),
        sa.Column("why", Text, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.CheckConstraint("kind = 'route' OR kind = 'target'", name=op.f("ck_pause_kind")),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_pause")),
    )
    op.create_table(
        "process_sign",
        sa.Column("process", Name, nullable=False),
        sa.Column("role", Word, nullable=False),
        sa.Column("version", Word, nullable=False),
        sa.Column("revision", Word, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_process_sign")),
    )


def downgrade() -> None:
    for name in ("process_sign", "pause", "act_head", "act", "sign_in_try", "user_session", "user_account"):
        op.drop_table(name)
