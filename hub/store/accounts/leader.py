"""Leading: of several processes one does what must be done once. A lease by the database's clock, under a token that
rises with each take-over.

Believing that one leads is no proof: whoever was stopped beyond its term believes it still. So each act of a leader
takes its token, and is refused inside its own transaction once the term is over or another leads (promise P5, fault
F8). The local clock only tells when to stop
trying: monotonic, and counted from the start of the renewal, so that it ends before the database's term does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from hub.core.errors import HubError
from hub.store.engine import register_tables
from hub.store.engine.database import Database
from hub.store.engine.dialects import for_share, skip_locked, texts, upsert

ONE_WRITER = "the one that writes"  # who leads on SQLite, where one process at a time may write


class NotLeading(HubError):
    """The term is over, or another process leads; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Lead:
    """That this process leads, as it knows. `until` is its own monotonic clock's: from then on it does nothing as a
    leader.
    """

    name: str
    holder: str
    token: int
    until: float

    def is_held(self) -> bool:
        """Whether it is worth trying. The store decides."""
        return time.monotonic() < self.until


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """Who leads, or led last, as the store has it."""

    name: str
    holder: str
    token: int
    until: datetime


# Skipping what is locked: its leader renews it, or acts under it, this moment, and so leads.
_LOCK = texts(lambda kind: f"SELECT holder, token, until FROM leader WHERE name = :name{skip_locked(kind)}")
_IS_THERE = sa.text("SELECT holder FROM leader WHERE name = :name")
_FIRST = texts(
    lambda kind: upsert(
        "INSERT INTO leader (name, holder, token, until) VALUES (:name, :holder, :token, :until) ON CONFLICT (name) DO NOTHING",
        kind,
    )
)
_TAKE = sa.text("UPDATE leader SET holder = :holder, token = :token, until = :until WHERE name = :name")
_RESIGN = sa.text(
    "UPDATE leader SET until = :now WHERE name = :name AND holder = :holder AND token = :token AND until > :now"
)
# Shared, and held until the commit: nobody takes over in the midst of an act, however slowly it goes.
_LEADS = texts(
    lambda kind: f"SELECT 1 FROM leader WHERE name = :name AND token = :token AND until > :now{for_share(kind)}"
)


def lead(database: Database, name: str, holder: str, *, term_s: float) -> Lead | None:
    """Takes the lead in `name`, or renews it, for `term_s` seconds from now; None while another has it. `holder` names
    one process.

    The token rises whenever a term had ended, also where the same holder takes it again. Raises StoreBusy.
    """
    # before the question is sent: our term ends no later than the one that the database counts
    began = time.monotonic()

    def work(connection: sa.Connection) -> int | None:
        row = connection.execute(_LOCK[database.kind], {"name": name}).first()
        now = database.clock(connection)
        given = {
            "name": name,
            "holder": holder,
            "until": database.stamp(database.instant(now) + timedelta(seconds=term_s)),
        }
        if row is None:
            # Locked by its leader, or not there. A look that waits for nobody tells which; then of two that are first,
            # the row says whose it is.
            if connection.execute(_IS_THERE, {"name": name}).first() is not None:
                return None
            connection.execute(_FIRST[database.kind], {**given, "token": 1})
            return 1 if connection.execute(_IS_THERE, {"name": name}).scalar() == holder else None
        is_over = row.until <= now
        if not is_over and row.holder != holder:
            return None
        token: int = row.token + is_over
        connection.execute(_TAKE, {**given, "token": token})
        return token

    token = database.write(work)
    return None if token is None else Lead(name, holder, token, began + term_s)


def resign(database: Database, held: Lead) -> bool:
    """Gives the lead up, so that the next one need not wait for the end of the term. Whether it was still ours."""
    given = {"name": held.name, "holder": held.holder, "token": held.token}
    return (
        database.write(
            lambda connection: connection.execute(_RESIGN, {**given, "now": database.clock(connection)}).rowcount
        )
        == 1
    )


def assert_leads(database: Database, connection: sa.Connection, held: Lead) -> None:
    """First in each transaction of a leader. Raises NotLeading, which undoes it."""
    if held.is_held():
        given = {"name": held.name, "token": held.token, "now": database.clock(connection)}
        if connection.execute(_LEADS[database.kind], given).first() is not None:
            return
    raise NotLeading(f"{held.holder} does not lead in {held.name} any more (token {held.token}); nothing was changed.")


def leader(database: Database, name: str) -> LeaderRow | None:
    """Who leads in `name`, or led last; None where nobody ever did."""
    row = database.read(
        lambda connection: connection.execute(
            sa.select(register_tables.leader).where(register_tables.leader.c.name == name)
        ).first()
    )
    return None if row is None else LeaderRow(row[0], row[1], row[2], row[3])
