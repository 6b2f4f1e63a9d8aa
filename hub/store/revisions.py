"""Configuration revisions: a workspace's files by their content hash, and which of them is active (DESIGN section 6)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

import sqlalchemy as sa

from hub.store.database import Database
from hub.store.tables import revision

_SAVE = sa.text("INSERT INTO revision (hash, files, created_at) VALUES (:hash, :files, :now) ON CONFLICT (hash) DO NOTHING")
_ACTIVATE = sa.text("INSERT INTO active_revision (id, hash) VALUES (1, :hash) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash")
_DATE = sa.text("UPDATE revision SET activated_at = :now WHERE hash = :hash")
_ACTIVE = sa.text("SELECT hash FROM active_revision WHERE id = 1")


def save_revision(database: Database, hash_: str, files: Mapping[str, str]) -> None:
    """Keeps a revision's files for ever; saving the same hash again changes nothing."""
    packed = zlib.compress(json.dumps(files, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass"))
    database.write(lambda connection: connection.execute(_SAVE, {"hash": hash_, "files": packed, "now": database.clock(connection)}))


def load_revision(database: Database, hash_: str) -> dict[str, str] | None:
    """The files of a revision, path to text; None where the hash is not known."""
    packed = database.read(lambda connection: connection.execute(sa.select(revision.c.files).where(revision.c.hash == hash_)).scalar())
    if packed is None:
        return None
    files = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    return {str(path): str(text) for path, text in files.items()}


def activate(database: Database, hash_: str) -> None:
    """Makes a saved revision the active one, in one transaction. Raises KeyError where it was never saved; the old one stays then."""

    def work(connection: sa.Connection) -> None:
        dated = connection.execute(_DATE, {"hash": hash_, "now": database.clock(connection)}).rowcount
        if dated:
            connection.execute(_ACTIVATE, {"hash": hash_})
        else:
            raise KeyError(hash_)

    database.write(work)


def active(database: Database) -> str | None:
    """The hash of the active revision; None before the first `hub apply`. Cheap: every process asks each second."""
    return database.read(lambda connection: connection.execute(_ACTIVE).scalar())
