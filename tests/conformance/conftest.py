"""Each pairing of store and bell, with real servers: one suite for all of them."""

import shutil

import pytest

from tests.conftest import missing
from tests.support import brokers
from tests.support.hubs import HubProcess, Sink, small_workspace

BELLS = ("embedded", "rabbitmq", "redis")


@pytest.fixture(scope="session")
def servers():
    """Brokers of this run's own, each started when it is first wanted."""
    made = {}

    def get(name):
        if name not in made:
            if name == "rabbitmq" and brokers.SERVER is None:
                missing("RabbitMQ", "no rabbitmq-server in /usr/lib/rabbitmq")
            if name == "redis" and shutil.which("redis-server") is None:
                missing("Redis", "no redis-server")
            made[name] = (brokers.RabbitMQ() if name == "rabbitmq" else brokers.Redis(appends=False)).start()
        return made[name]

    yield get
    for one in made.values():
        one.stop()


@pytest.fixture(params=BELLS)
def broker(request, servers):
    """The broker of the bell; None where it is embedded."""
    return None if request.param == "embedded" else servers(request.param)


class Hubs:
    """The hub in the roles that its store allows: one process on SQLite, several on the others. `slow`: nobody looks
    for work by himself, only rings do.
    """

    def __init__(self, folder, sink, store_url, broker):
        self.sink, self.broker, self._store = sink, broker, store_url
        self.roles = ["up"] if store_url.startswith("sqlite") else ["web", "worker"]
        self.workspace = small_workspace(folder / "workspace", sink.url)
        self.hub = None

    def start(self, **environment):
        given = {"hub_broker": self.broker.url} if self.broker is not None else {}
        self.hub = HubProcess(self.workspace, self._store, **given, **environment)
        if self.roles != ["up"]:
            assert self.hub.run("apply")[0] == 0
        for role in self.roles:
            self.hub.start(role)
        return self.hub

    def stop(self):
        if self.hub is not None:
            self.hub.stop()


@pytest.fixture
def hubs(tmp_path, store_url, broker):
    sink = Sink()
    made = Hubs(tmp_path, sink, store_url, broker)
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()
