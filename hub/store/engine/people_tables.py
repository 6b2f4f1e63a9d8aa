"""The tables of people: who may sign in, who is signed in, and the record of what they did. Few rows, all written by
people's acts.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.store.columns import Document, Instant, Key, Name, Text, Word, metadata, one_of

ROLES = ("viewer", "operator")

user_account = sa.Table(
    "user_account",
    metadata,
    sa.Column("name", Name, primary_key=True),
    sa.Column("password_hash", Text, nullable=False),  # argon2id, with its own salt and cost
    sa.Column("role", Word, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
    sa.CheckConstraint(one_of("role", *ROLES), name="role"),
)

# A stolen copy of the store signs nobody in: of the token that the browser holds, only a hash is here.
user_session = sa.Table(
    "user_session",
    metadata,
    sa.Column("token_hash", Word, primary_key=True),
    sa.Column("name", Name, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),  # the latest, however busy it is
)
sa.Index("ix_user_session_name", user_session.c.name)

# How often signing in was tried of late without success: by the place that it is tried from (a known browser, or an
# address) and the name, by name, and by address. Counted here, so that many web processes count together.
sign_in_try = sa.Table(
    "sign_in_try",
    metadata,
    sa.Column("scope", Key, primary_key=True),
    sa.Column("window_at", Instant, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("succeeded_at", Instant),  # of a place and a name: when it last went well
)

# What people did, one row each, never changed or pruned. Each names the one before it by its hash.
act = sa.Table(
    "act",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("what", Word, nullable=False),
    sa.Column("object", Key, nullable=False),
    sa.Column("details", Document, nullable=False),
    sa.Column("before", Word, nullable=False),
    sa.Column("hash", Word, nullable=False),
)
sa.Index("ix_act_object", act.c.object, act.c.sequence)

# The last of them, and the lock under which the next one is written: a record that was cut off at its end shows here.
act_head = sa.Table(
    "act_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", Word, nullable=False),
    sa.CheckConstraint("id = 1", name="one"),
)

# What people have stopped for a while. Read by each claim; an ended pause stays until the last that it held is free.
pause = sa.Table(
    "pause",
    metadata,
    sa.Column("kind", Word, primary_key=True),
    sa.Column("name", Name, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("why", Text, nullable=False),
    sa.Column("ended_at", Instant),
    sa.CheckConstraint(one_of("kind", "route", "target"), name="kind"),
)

# Who runs: every process signs, a web process too. Apart from worker_sign, whose rows decide which leases have ended.
process_sign = sa.Table(
    "process_sign",
    metadata,
    sa.Column("process", Name, primary_key=True),
    sa.Column("role", Word, nullable=False),
    sa.Column("version", Word, nullable=False),
    sa.Column("revision", Word, nullable=False),  # of the configuration that it goes by
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)
