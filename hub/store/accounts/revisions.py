"""Configuration revisions: a workspace's files by their content hash, and which of them is active
(docs/design/laws.md#revisions).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.core.errors import HubError
from hub.core.message import Json
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.dialects import texts, upsert
from hub.store.engine.register_tables import activation, revision

ACTIVATED = "configuration.activated"  # in the record of acts

_SAVE = texts(
    lambda kind: upsert(
        "INSERT INTO revision (hash, files, created_at) VALUES (:hash, :files, :now) ON CONFLICT (hash) DO NOTHING",
        kind,
    )
)
_ACTIVATE = texts(
    lambda kind: upsert(
        "INSERT INTO active_revision (id, hash) VALUES (1, :hash) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash",
        kind,
    )
)
# Two that apply at once go one after the other; SQLite's writer is alone anyhow. On MariaDB a lock on a table would end
# the transaction: the one row that is always there stands for it.
_ONE_AFTER_ANOTHER = {
    "postgresql": sa.text("LOCK TABLE active_revision IN EXCLUSIVE MODE"),
    "mariadb": sa.text("SELECT version_num FROM alembic_version FOR UPDATE"),
}
_DATE = sa.text("UPDATE revision SET activated_at = :now WHERE hash = :hash")
_ACTIVE = sa.text("SELECT hash FROM active_revision WHERE id = 1")


def save_revision(database: Database, hash_: str, files: Mapping[str, str]) -> None:
    """Keeps a revision's files for ever; saving the same hash again changes nothing."""
    packed = zlib.compress(json.dumps(files, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass"))
    database.write(
        lambda connection: connection.execute(
            _SAVE[database.kind], {"hash": hash_, "files": packed, "now": database.clock(connection)}
        )
    )


def load_revision(database: Database, hash_: str) -> dict[str, str] | None:
    """The files of a revision, path to text; None where the hash is not known."""
    packed = database.read(
        lambda connection: connection.execute(sa.select(revision.c.files).where(revision.c.hash == hash_)).scalar()
    )
    if packed is None:
        return None
    files = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    return {str(path): str(text) for path, text in files.items()}


@dataclass(frozen=True, slots=True)
class Activation:
    """That a configuration was made the active one: by whom, in place of which, and in spite of what."""

    hash: str
    at: datetime
    by: str
    before: str | None
    despite: tuple[str, ...] = ()


class RevisionConflict(HubError):
    """The active configuration is no longer the one that the change was planned against."""


def activate(
    database: Database, hash_: str, *, by: str = "", why: str = "", despite: Sequence[str] = (), onto: str | None = None
) -> None:
    """Makes a saved revision the active one, in one transaction, and writes down who did it, and why if they say.
    Making the active one active again changes nothing.

    Raises KeyError where it was never saved, RevisionConflict where `onto` is given and another one is active; the old
    one stays then.
    """

    def work(connection: sa.Connection) -> None:
        if database.kind in _ONE_AFTER_ANOTHER:
            connection.execute(_ONE_AFTER_ANOTHER[database.kind])
        now = database.clock(connection)
        before = connection.execute(_ACTIVE).scalar()
        if onto is not None and before != onto:
            raise RevisionConflict(
                f"Another configuration, {(before or 'none')[:12]}, became active after {onto[:12]}. Plan again."
            )
        if not connection.execute(_DATE, {"hash": hash_, "now": now}).rowcount:
            raise KeyError(hash_)
        if before != hash_:
            connection.execute(_ACTIVATE[database.kind], {"hash": hash_})
            row = {
                "at": database.instant(now),
                "hash": hash_,
                "by": by,
                "before": before,
                "despite": json.dumps(list(despite)),
            }
            connection.execute(sa.insert(activation).values(row))
            details: dict[str, Json] = {"before": before, "despite": list(despite), **({"why": why} if why else {})}
            acts.record(database, connection, by, ACTIVATED, hash_, details)

    database.write(work)


def activations(database: Database, limit: int = 50) -> list[Activation]:
    """Who made what active, newest first."""
    columns = activation.c
    query = (
        sa.select(columns.hash, columns.at, columns.by, columns.before, columns.despite)
        .order_by(columns.at.desc())
        .limit(limit)
    )
    rows = database.read(lambda connection: connection.execute(query).all())
    return [Activation(row[0], row[1], row[2], row[3], tuple(json.loads(row[4]))) for row in rows]


def candidates(database: Database, limit: int = 50) -> list[tuple[str, datetime]]:
    """Configurations that are kept and were never active, newest first: hash, and since when."""
    query = (
        sa.select(revision.c.hash, revision.c.created_at)
        .where(revision.c.activated_at.is_(None))
        .order_by(revision.c.created_at.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in database.read(lambda connection: connection.execute(query).all())]


def active(database: Database) -> str | None:
    """The hash of the active revision; None before the first `hub apply`. Cheap: every process asks each second."""
    return database.read(lambda connection: connection.execute(_ACTIVE).scalar())
