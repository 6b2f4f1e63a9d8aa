"""Callers' keys: who may post for which systems. Secrets come here sealed, keys as hashes; nothing here can open
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.core.message import Json
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.register_tables import caller_key


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A caller's key. `systems`: for which it may post. `form`: how it signs (default, legacy, hmac), or that it shows
    itself (api-key). `secret_sealed` is opened by the vault.
    """

    id: str
    name: str
    systems: tuple[str, ...]
    form: str
    key_hash: str
    secret_sealed: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    pins: Mapping[str, int] = field(default_factory=dict)  # message type -> version of a post that does not say


def _row(row: Any) -> KeyRow:
    return KeyRow(**{**row._mapping, "systems": tuple(json.loads(row.systems)), "pins": json.loads(row.pins)})  # noqa: SLF001  # the library's public name


def add_key(database: Database, key: KeyRow, *, by: str = "") -> None:
    """Raises ValueError where the id is taken."""
    values = {name: getattr(key, name) for name in KeyRow.__slots__} | {
        "systems": json.dumps(key.systems),
        "pins": json.dumps(dict(key.pins)),
    }

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(caller_key).values(values))
        details: dict[str, Json] = {
            "name": key.name,
            "systems": list(key.systems),
            "form": key.form,
            "pins": dict(key.pins),
        }
        acts.record(database, connection, by, "key.made", key.id, details)

    try:
        database.write(work)
    except sa.exc.IntegrityError as error:
        raise ValueError(
            f"Key {key.id} exists, or its form {key.form!r} is none of default, legacy, hmac, api-key."
        ) from error


def find_key(database: Database, id_: str) -> KeyRow | None:
    """The key, revoked or expired ones too: the caller judges them, and says which it is."""
    row = database.read(
        lambda connection: connection.execute(sa.select(caller_key).where(caller_key.c.id == id_)).first()
    )
    return None if row is None else _row(row)


def all_keys(database: Database) -> list[KeyRow]:
    """All keys, oldest first, revoked and expired ones too."""
    query = sa.select(caller_key).order_by(caller_key.c.created_at, caller_key.c.id)
    return [_row(row) for row in database.read(lambda connection: connection.execute(query).all())]


def revoke_key(database: Database, id_: str, at: datetime, *, by: str = "") -> bool:
    """Ends a key at `at`, which may lie ahead so that two overlap. False where there is no such key. The earlier of two
    ends stands.
    """
    change = sa.update(caller_key).where(caller_key.c.id == id_).values(revoked_at=at)

    def work(connection: sa.Connection) -> bool:
        before = connection.execute(
            sa.select(caller_key.c.revoked_at).where(caller_key.c.id == id_).with_for_update()
        ).first()
        if before is None:
            return False
        if before.revoked_at is None or before.revoked_at > at:
            connection.execute(change)
            acts.record(database, connection, by, "key.revoked", id_, {"at": at.isoformat()})
        return True

    return database.write(work)
