"""People who sign in: their accounts, their sessions, and how often signing in failed. Passwords come here hashed,
tokens too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hub.core.message import Json
from hub.store.accounts import acts
from hub.store.engine.database import Database
from hub.store.engine.dialects import texts, upsert
from hub.store.engine.people_tables import sign_in_try, user_account, user_session

SEEN_STEP = timedelta(seconds=60)  # how exactly a session's last use is kept: not each request writes


@dataclass(frozen=True, slots=True)
class User:
    """A person as the store knows them. `role`: viewer, who changes nothing, or operator."""

    name: str
    role: str
    created_at: datetime
    changed_at: datetime
    disabled_at: datetime | None = None
    password_hash: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `role` is read anew each time: what is taken away is gone at once."""

    name: str
    role: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


_USER = [user_account.c[name] for name in ("name", "role", "created_at", "changed_at", "disabled_at", "password_hash")]


def add_user(database: Database, name: str, password_hash: str, role: str, *, by: str) -> None:
    """Raises ValueError where the name is taken."""

    def work(connection: sa.Connection) -> None:
        now = database.instant(database.clock(connection))
        row = {"name": name, "password_hash": password_hash, "role": role, "created_at": now, "changed_at": now}
        connection.execute(sa.insert(user_account).values(row))
        acts.record(database, connection, by, "user.added", name, {"role": role})

    try:
        database.write(work)
    except sa.exc.IntegrityError as error:
        raise ValueError(f"There is a user {name} already. List the users: hub user list") from error


def users(database: Database) -> list[User]:
    rows = database.read(lambda connection: connection.execute(sa.select(*_USER).order_by(user_account.c.name)).all())
    return [User(*row) for row in rows]


def find_user(database: Database, name: str) -> User | None:
    row = database.read(
        lambda connection: connection.execute(sa.select(*_USER).where(user_account.c.name == name)).first()
    )
    return None if row is None else User(*row)


def change_user(
    database: Database,
    name: str,
    *,
    by: str,
    password_hash: str | None = None,
    role: str | None = None,
    is_disabled: bool | None = None,
) -> bool:
    """Changes an account, and ends all its sessions: who is signed in under the old right or password is signed in no
    more. False: no such user.
    """
    acted = [
        ("user.password_changed", {}) if password_hash is not None else None,
        ("user.role_changed", {"role": role}) if role is not None else None,
        ("user.disabled" if is_disabled else "user.enabled", {}) if is_disabled is not None else None,
    ]

    def work(connection: sa.Connection) -> bool:
        now = database.instant(database.clock(connection))
        values: dict[str, Any] = {"changed_at": now}
        if password_hash is not None:
            values["password_hash"] = password_hash
        if role is not None:
            values["role"] = role
        if is_disabled is not None:
            values["disabled_at"] = now if is_disabled else None
        if not connection.execute(sa.update(user_account).where(user_account.c.name == name).values(values)).rowcount:
            return False
        connection.execute(sa.delete(user_session).where(user_session.c.name == name))
        if password_hash is not None:
            # Whoever was shut out by strangers' tries has a way in again, and browsers that knew the old password are
            # as good as any.
            connection.execute(sa.delete(sign_in_try).where(sign_in_try.c.scope.endswith(f" {name}", autoescape=True)))
        for one in acted:
            if one is not None:
                details: dict[str, Json] = dict(one[1])
                acts.record(database, connection, by, one[0], name, details)
        return True

    return database.write(work)


def renew_hash(database: Database, name: str, before: str, after: str) -> None:
    """The same password under a hash of today's cost. Nobody's act, and no session ends."""
    change = (
        sa.update(user_account)
        .where(user_account.c.name == name, user_account.c.password_hash == before)
        .values(password_hash=after)
    )
    database.write(lambda connection: connection.execute(change))


def open_session(database: Database, name: str, token_hash: str, lasts: timedelta, *, address: str) -> bool:
    """Signs somebody in, and forgets sessions that are over. False where the account is gone or disabled by now."""

    def work(connection: sa.Connection) -> bool:
        row = connection.execute(
            sa.select(user_account.c.disabled_at).where(user_account.c.name == name).with_for_update()
        ).first()
        if row is None or row.disabled_at is not None:
            return False
        now = database.instant(database.clock(connection))
        connection.execute(sa.delete(user_session).where(user_session.c.expires_at <= now))
        row_ = {"token_hash": token_hash, "name": name, "created_at": now, "seen_at": now, "expires_at": now + lasts}
        connection.execute(sa.insert(user_session).values(row_))
        acts.record(database, connection, name, "user.signed_in", name, {"address": address})
        return True

    return database.write(work)


def session(database: Database, token_hash: str, idle: timedelta) -> Session | None:
    """Who this token signs in: None for one that is unknown, over, unused for longer than `idle`, or of an account that
    is disabled.
    """
    columns = [
        user_session.c.name,
        user_account.c.role,
        user_session.c.created_at,
        user_session.c.seen_at,
        user_session.c.expires_at,
    ]
    joined = user_session.join(user_account, user_account.c.name == user_session.c.name)
    query = (
        sa.select(*columns)
        .select_from(joined)
        .where(user_session.c.token_hash == token_hash, user_account.c.disabled_at.is_(None))
    )

    def look(connection: sa.Connection) -> tuple[Session | None, datetime]:
        row = connection.execute(query).first()
        return (None if row is None else Session(*row)), database.instant(database.clock(connection))

    found, now = database.read(look)
    if found is None or found.expires_at <= now or found.seen_at + idle <= now:
        return None
    if found.seen_at + SEEN_STEP <= now:
        seen = sa.update(user_session).where(user_session.c.token_hash == token_hash).values(seen_at=now)
        database.write(lambda connection: connection.execute(seen))
    return found


def close_session(database: Database, token_hash: str) -> bool:
    """Signs out. False where nobody was signed in by it."""

    def work(connection: sa.Connection) -> bool:
        name = connection.execute(
            sa.select(user_session.c.name).where(user_session.c.token_hash == token_hash)
        ).scalar()
        if (
            name is None
            or not connection.execute(sa.delete(user_session).where(user_session.c.token_hash == token_hash)).rowcount
        ):
            return False
        acts.record(database, connection, name, "user.signed_out", name, {})
        return True

    return database.write(work)


_COUNTED = texts(
    lambda kind: upsert(
        "INSERT INTO sign_in_try (scope, window_at, failed, succeeded_at) VALUES (:scope, :now, 1, NULL) ON CONFLICT (scope) DO UPDATE SET "
        "failed = CASE WHEN sign_in_try.window_at <= :since THEN 1 ELSE sign_in_try.failed + 1 END, "
        "window_at = CASE WHEN sign_in_try.window_at <= :since THEN excluded.window_at ELSE sign_in_try.window_at END",
        kind,
    )
)
_WENT_WELL = texts(
    lambda kind: upsert(
        "INSERT INTO sign_in_try (scope, window_at, failed, succeeded_at) VALUES (:scope, :now, 0, :now) ON CONFLICT (scope) DO UPDATE SET "
        "failed = 0, window_at = excluded.window_at, succeeded_at = excluded.succeeded_at",
        kind,
    )
)
_FORGET = sa.text(
    "DELETE FROM sign_in_try WHERE window_at <= :since AND (succeeded_at IS NULL OR succeeded_at <= :long)"
)


@dataclass(frozen=True, slots=True)
class Tries:
    """What is known of a scope: failures within the window, and when it last went well."""

    failed: int = 0
    succeeded_at: datetime | None = None


def tries(database: Database, scopes: list[str], window: timedelta) -> dict[str, Tries]:
    """Of each of `scopes`."""
    columns = sign_in_try.c

    def work(connection: sa.Connection) -> dict[str, Tries]:
        since = database.instant(database.clock(connection)) - window
        rows = connection.execute(
            sa.select(columns.scope, columns.window_at, columns.failed, columns.succeeded_at).where(
                columns.scope.in_(scopes)
            )
        )
        return {row.scope: Tries(row.failed if row.window_at > since else 0, row.succeeded_at) for row in rows}

    found = database.read(work)
    return {scope: found.get(scope, Tries()) for scope in scopes}


class _Spent(Exception):
    """One of the scopes has had all its tries; what was counted under the others is undone."""


def take_try(database: Database, scopes: Mapping[str, int | None], window: timedelta) -> dict[str, int] | None:
    """Counts a try under each of `scopes` before it is made, and gives how many that makes in the window. None: one of
    them has had as many as its limit says, and nothing is counted. Whoever asks at the same moment, in whichever
    process, is counted before or after.
    """

    def work(connection: sa.Connection) -> dict[str, int]:
        now = database.instant(database.clock(connection))
        given = {
            "now": database.stamp(now),
            "since": database.stamp(now - window),
            "long": database.stamp(now - timedelta(days=30)),
        }
        connection.execute(_FORGET, {"since": given["since"], "long": given["long"]})
        # In one order everywhere, so that two that count the same go one after the other.
        for scope in sorted(scopes):
            connection.execute(_COUNTED[database.kind], {"scope": scope, "now": given["now"], "since": given["since"]})
        columns = sign_in_try.c
        counts = {
            row.scope: row.failed
            for row in connection.execute(sa.select(columns.scope, columns.failed).where(columns.scope.in_(scopes)))
        }
        if any(limit is not None and counts[scope] > limit for scope, limit in scopes.items()):
            raise _Spent
        return counts

    try:
        return database.write(work)
    except _Spent:
        return None


def give_back(database: Database, scopes: Iterable[str]) -> None:
    """A try that was counted went well: it is none of those that are limited."""
    columns = sign_in_try.c
    change = (
        sa.update(sign_in_try)
        .where(columns.scope.in_(list(scopes)), columns.failed > 0)
        .values(failed=columns.failed - 1)
    )
    database.write(lambda connection: connection.execute(change))


def note_failure(database: Database, name: str, address: str) -> None:
    """A failed try on record; nobody's act, for who it was is what nobody knows. `name`: that was tried, where somebody
    bears it.
    """
    database.write(
        lambda connection: acts.record(database, connection, "", "user.sign_in_failed", name, {"address": address})
    )


def note_success(database: Database, scope: str) -> None:
    """A name has signed in from this place: later failures of strangers elsewhere do not shut it out there."""

    def work(connection: sa.Connection) -> None:
        connection.execute(_WENT_WELL[database.kind], {"scope": scope, "now": database.clock(connection)})

    database.write(work)
