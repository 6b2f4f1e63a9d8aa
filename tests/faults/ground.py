"""What the cases of a crash matrix share: one PostgreSQL, one RabbitMQ, one Redis; and of each kind of store one to
copy, with a configuration and a key.
"""

import os
import shutil

import sqlalchemy as sa

from hub.flow.accounts.keys import make_key
from hub.flow.configuration.plan import apply
from hub.main import open_serving, open_vault
from hub.settings import read
from tests.support import brokers
from tests.support.hubs import MASTER, ROOT, small_workspace
from tests.support.postgres import Postgres
from tests.support.queues import queue_workspace

LEASE_S = 2
RETRY = "{attempts: 60, first: 100ms, factor: 1.5, max: 500ms, jitter: full, give_up_after: 1h}"
PROBE = '    probe: {call: "GET /orders?key={key}", applied: status = 200, absent: status = 404}\n'


def plain(folder):
    """The scaffold's shop, whose orders go to two targets: so a commit has two lanes to ring."""
    small_workspace(folder, "http://127.0.0.1:9001", RETRY)
    shop = folder / "adapters/shop/system.yaml"
    shop.write_text(shop.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    warehouse, billing = folder / "adapters/warehouse", folder / "adapters/billing"
    shutil.copytree(warehouse, billing)
    system = billing / "system.yaml"
    system.write_text(system.read_text("utf-8").replace("name: warehouse", "name: billing"), "utf-8")
    mapping = folder / "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
    copy = mapping.with_name(mapping.name.replace("warehouse", "billing"))
    copy.write_text(mapping.read_text("utf-8").replace("to: warehouse/", "to: billing/"), "utf-8")
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8").replace(
        "[warehouse/order.create@1]", "[warehouse/order.create@1, billing/order.create@1]"
    )
    routes.write_text(text.replace("timeout: 5s", "timeout: 800ms"), "utf-8")
    return folder


def probed(folder):
    """The same, with targets that can be asked."""
    plain(folder)
    for name in ("warehouse", "billing"):
        system = folder / "adapters" / name / "system.yaml"
        system.write_text(
            system.read_text("utf-8").replace("    call: POST /orders\n", "    call: POST /orders\n" + PROBE), "utf-8"
        )
    routes = folder / "routes.yaml"
    policies = "targets:\n  warehouse: {in_doubt: probe}\n  billing: {in_doubt: probe}\n"
    routes.write_text(routes.read_text("utf-8").replace("routes:\n", policies + "routes:\n", 1), "utf-8")
    return folder


def queued(folder):
    """A stock system that tells by a queue what changed with an order; the warehouse is told."""
    queue_workspace(folder, "amqp://127.0.0.1:5672//")
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8").replace("timeout: 5s", "timeout: 800ms")
    start = text.index("  retry:")
    routes.write_text(text[:start] + f"  retry: {RETRY}" + text[text.index("\n", start) :], "utf-8")
    return folder


WORKSPACES = {"plain": plain, "probed": probed, "queued": queued}


class Ground:
    """Servers are started when they are first wanted, and stopped with it."""

    def __init__(self, folder):
        self.folder = folder
        self._servers = {}
        self._made = {}  # (workspace, kind of store): the key of its caller
        self._count = 0

    def server(self, name):
        if name not in self._servers:
            made = {
                "postgresql": Postgres,
                "rabbitmq": brokers.RabbitMQ,
                "redis": lambda: brokers.Redis(appends=False),
            }[name]()
            self._servers[name] = made.start()
        return self._servers[name]

    def close(self):
        for one in self._servers.values():
            one.stop()

    def workspace(self, name):
        folder = self.folder / name
        return folder if folder.exists() else WORKSPACES[name](folder)

    def store(self, kind, workspace):
        """(address, key, secret) of a store of the case's own: a copy of one in which the workspace is active
        already.
        """
        key = self._template(kind, workspace)
        self._count += 1
        if kind == "sqlite":
            file = self.folder / f"case-{self._count}.sqlite3"
            shutil.copy(self.folder / f"{workspace}.sqlite3", file)
            return (f"sqlite:///{file}", *key)
        name = f"case_{self._count}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {workspace}")
        return (self.server("postgresql").url(name), *key)

    def drop(self, url):
        if url.startswith("postgresql"):
            self._sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def environment(self, workspace, store_url):
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
            "PYTHONPATH": str(ROOT),
            "HUB_WORKSPACE": str(self.workspace(workspace)),
            "HUB_STORE": store_url,
            "HUB_MASTER_KEY": MASTER,
            "HUB_ALLOW_CIDRS": "127.0.0.0/8",
            "HUB_LEASE": str(LEASE_S),
            "HUB_SWEEP": "0.2",
            "HUB_CLAIM_SIZE": "16",  # several rounds, so that a wound has neighbours that are well
            "HUB_LOG_LEVEL": "warning",
        }

    def _template(self, kind, workspace):
        if (kind, workspace) not in self._made:
            if kind == "sqlite":
                url = f"sqlite:///{self.folder}/{workspace}.sqlite3"
            else:
                self.server("postgresql").create(workspace)
                url = self.server("postgresql").url(workspace)
            settings = read(self.environment(workspace, url))
            with open_serving(settings, writer=False) as store:
                apply(store, settings.workspace)
                _, *key = make_key(store, open_vault(settings), name="load", systems=("shop",), form="default")
            self._made[kind, workspace] = key
        return self._made[kind, workspace]

    def _sql(self, statement):
        engine = sa.create_engine(self.server("postgresql").url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()
