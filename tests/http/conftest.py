from collections.abc import Iterator

import pytest

from tests.support.hubs import Caller, HubProcess, Sink, small_workspace


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[HubProcess]:
    """One hub for a module's bad input: nothing that is refused may harm the next."""
    sink = Sink()
    folder = tmp_path_factory.mktemp("http")
    made = HubProcess(
        small_workspace(folder / "workspace", sink.url), f"sqlite:///{folder}/hub.sqlite3", hub_body_seconds=2
    ).start()
    made.sink = sink
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


@pytest.fixture(scope="module")
def caller(hub) -> Caller:
    return hub.caller("shop")
