"""One case of the crash matrix: a hub with one wound, thirty messages through it, healing, the drain, and all
checkers.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hub.core.model.tracing import attempt_span
from hub.store import open_store
from hub.store.columns import to_micros
from tests.faults.ground import LEASE_S
from tests.faults.laying.terms import TERM_S
from tests.faults.load import MESSAGES, Load, Watch
from tests.faults.roles import Roles
from tests.faults.target import Target
from tests.support import checkers
from tests.support.hubs import free_port
from tests.support.waiting import wait_until

LATE_S = 10  # what is overdue for so long after the healing is stuck; a machine under load may be slow
DRAIN_S = 90
OWNERS = {
    "web": ("add.", "ring.before", "ring.sent", "ring.partly", "answer.", "store.add", "bell."),
    "scheduler": ("expire.", "lead.", "store.expire"),
    "command": ("apply.checked", "act.", "prune.", "reopen."),
}


@dataclass(frozen=True)
class Case:
    """What is wounded, how, and on which store and bell."""

    point: str
    action: str
    store: str
    bell: str = "embedded"

    def __str__(self):
        return "-".join((self.point, self.action, self.store, *([self.bell] if self.bell != "embedded" else [])))

    @property
    def owner(self):
        """The kind of process that is wounded: web, worker, scheduler, or a command."""
        return next((role for role, starts in OWNERS.items() if self.point.startswith(starts)), "worker")

    @property
    def wound(self):
        # Of posts the second group: some are accepted already, others wait.
        return f"{self.point}={self.action}" + ("@2" if self.owner == "web" else "")


class Scene:
    """The processes of one case, its target, its load and its store."""

    def __init__(self, ground, case, folder, *, workspace="plain", hub=None, late_s=LATE_S, **environment):
        self.case = case
        self._late_s = late_s
        self.url, *key = ground.store(case.store, workspace)
        self.target = Target()
        port = free_port()
        given = {
            **ground.environment(workspace, self.url),
            "HUB_PORT": str(port),
            "HUB_WAREHOUSE_URL": self.target.url,
            "HUB_BILLING_URL": f"{self.target.url}/billing",
            **({"HUB_BROKER": ground.server(case.bell).url} if case.bell != "embedded" else {}),
            **{name.upper(): str(value) for name, value in environment.items()},
        }
        self.roles = Roles(given, folder, hub)
        self.load = Load(f"http://127.0.0.1:{port}", key)
        self.engine = sa.create_engine(self.url)
        self.healed_at = None
        self.watch = Watch(self.engine)

    @property
    def is_one(self):
        """Whether the hub is one process here."""
        return self.case.store == "sqlite"

    def name(self, kind):
        """The process that does what `kind` does."""
        return "up" if self.is_one else "worker-1" if kind == "worker" else kind

    def start(self, wounds="", owner="", but=()):
        """All roles, the owner's with the wounds."""
        for role in ["up"] if self.is_one else ["web", "worker-1", "scheduler"]:
            if role not in but:
                self.roles.start(role, wounds if role == self.name(owner) else "")

    def wait_fired(self):
        point, action = self.case.point, self.case.action
        wait_until(lambda: (point, action) in self.roles.fired(), seconds=60, what=f"{point} reached")

    def heal(self, name, *, seconds=2 * LEASE_S):
        """What a supervisor does: one that died is started again; one that was stopped goes on after so long, while
        another of its kind works.
        """
        if self.case.action == "kill":
            assert self.roles.ended(name) == -9
            self.roles.start(name)
        elif self.case.action == "stop":
            if name in ("worker-1", "scheduler"):
                self.roles.start(name.partition("-")[0] + "-2")
            self.roles.sleep_stopped(name, seconds)
        self.healed_at = time.monotonic()

    def drain(self, seconds=DRAIN_S):
        """Waits until nothing is on its way, and all was posted."""
        if self.load.ident is not None:
            self.load.join(seconds)
        assert not self.load.is_alive(), f"{len(self.load.accepted)} of {MESSAGES} accepted"

        def is_quiet():
            with self.engine.connect() as connection:
                return not connection.execute(
                    sa.text("SELECT count(*) FROM delivery WHERE status IN ('pending', 'leased')")
                ).scalar_one()

        wait_until(is_quiet, seconds=seconds, what="the drain")

    def command(self, *words, **environment):
        """A command that is not wounded, to its end; its exit code."""
        self.roles.begin(list(words), "command", **environment)
        return self.roles.ended("command")

    def wounded_command(self, *words, **environment):
        """A command that is: it dies, fails, or sleeps and goes on to its end."""
        self.roles.begin(list(words), "command", self.case.wound, **environment)
        self.wait_fired()
        if self.case.action == "stop":
            self.roles.sleep_stopped("command", 2 * LEASE_S)
        code = self.roles.ended("command")
        assert (code == 0) == (self.case.action == "stop"), f"it ended with {code}"
        self.healed_at = time.monotonic()

    def rows(self, statement):
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(statement)).mappings()]

    def all_good(self, planned=2 * MESSAGES):
        """Once all is healed: drained, what was posted known under its name, and nothing for any checker to report."""
        self.drain()
        self.load.again()
        assert self.findings(planned) == {}

    def findings(self, planned=2 * MESSAGES):
        """What the checkers say, by name; only those that found something."""
        self.watch.end()
        deliveries = self.rows("SELECT id, message_id AS message, lane, order_key, seq, status FROM delivery")
        names = [(row["key"], row["message_id"]) for row in self.rows("SELECT key, message_id FROM idempotency")]
        attempts = self.rows("SELECT delivery_id AS delivery, number, outcome, http_status AS status FROM attempt")
        attempts = [{**one, "span": attempt_span(one["delivery"], one["number"])} for one in attempts]
        effects, history = self.target.effects, self.load.history
        queue = checkers.total_queue(history, effects, deliveries, names)
        limit_s = self._late_s + (TERM_S if self.case.owner == "scheduler" else 0)
        found = {
            **{kind: found for kind, found in queue.items() if kind != "recovered"},
            "renamed": checkers.renamed(history),
            "doubled": checkers.repeated(effects),
            "two keys": checkers.two_keys(self.target.requests),
            "disordered": checkers.disordered(effects, deliveries),
            "unaccounted": self.findings_of_books(),
            "untrue": checkers.attempt_truth(self.target.requests, attempts),
            "late": checkers.late(
                [sample for sample in self.watch.samples if self.healed_at and sample[0] > self.healed_at], limit_s
            ),
            "invented": [f"{len(deliveries)} deliveries, {planned} planned"] if len(deliveries) != planned else [],
            "unrecorded": self.findings_of_acts(),
            "undelivered": checkers.undelivered(deliveries),
        }
        return {name: what[:5] for name, what in found.items() if what}

    def findings_of_books(self):
        store = open_store(self.url)
        books = store.conservation()
        store.close()
        return checkers.conserved(
            books, len({line["message"] for line in self.load.history if line["outcome"] == "ok"})
        )

    def records(self, what):
        """How many records there are of such acts."""
        return len(self.rows(f"SELECT sequence FROM act WHERE what = '{what}'"))

    def findings_of_acts(self):
        store = open_store(self.url)
        verdict, recorded = store.verify_acts(), store.acts(limit=1_000)
        store.close()
        done = [("configuration.activated", row["hash"]) for row in self.rows("SELECT hash FROM activation")]
        done += [("key.made", row["id"]) for row in self.rows("SELECT id FROM caller_key")]
        return checkers.audited(
            verdict,
            [(one.what, one.object) for one in recorded if one.what in ("configuration.activated", "key.made")],
            done,
        )

    def make_old(self, days):
        """As if all of it had happened so many days ago."""
        at = datetime.now(UTC) - timedelta(days=days)
        with self.engine.begin() as connection:
            for table, columns in (("message", ("received_at",)), ("delivery", ("changed_at", "first_at", "due_at"))):
                given = {"at": at if self.engine.dialect.name == "postgresql" else to_micros(at)}
                connection.execute(
                    sa.text(f"UPDATE {table} SET {', '.join(f'{name} = :at' for name in columns)}"), given
                )

    def end_leads(self):
        """The term of whoever led is over: a minute, which no test waits for."""
        with self.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM leader"))

    def close(self):
        self.watch.end()
        self.roles.end()
        self.target.close()
        self.engine.dispose()


@contextmanager
def scene(ground, case, folder, **given):
    made = Scene(ground, case, folder, **given)
    try:
        yield made
    finally:
        made.close()
        ground.drop(made.url)
