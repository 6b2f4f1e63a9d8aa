"""A hub and a target on IPv6: addresses are printed and read in brackets; times carry their zone."""

import re
import socket
import threading

import pytest
import requests

from hub.settings import read
from tests.support.hubs import ORDER, Caller, HubProcess, Sink, _Handler, small_workspace


class SinkOfSix(Sink):
    address_family = socket.AF_INET6

    def __init__(self):
        self.requests, self._lock = [], threading.Lock()
        self.script = lambda number, key: (200, {}, b"{}")
        super(Sink, self).__init__(("::1", 0), _Handler)
        self.url = f"http://[::1]:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_a_hub_that_listens_on_ipv6_delivers_to_ipv6(tmp_path, host):
    sink = SinkOfSix()
    hub = HubProcess(
        small_workspace(tmp_path / "workspace", sink.url),
        f"sqlite:///{tmp_path}/hub.sqlite3",
        hub_host=host,
        hub_allow_cidrs="::1/128",
    )
    hub.url, hub.said = f"http://[::1]:{hub.port}", []
    hub.environment["HUB_ZONE"] = "Asia/Shanghai"
    try:
        hub.start()
        made = hub.json("key", "create", "test", "--system", "shop")
        posted = Caller(hub.url, made["key"], made["secret"]).post("/api/v1/shop/order.placed", ORDER, "six-1")
        assert posted.status_code == 202, posted.text
        assert requests.get(hub.url + "/health/ready", timeout=10).status_code == 200
        for _ in range(50):
            code, out, err = hub.run("trace", "SO-1")
            if "delivered" in out:
                break
        assert "delivered" in out, (code, out, err)
        # Times are of one zone, which is named by its offset
        assert re.search(r"began \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+08:00", out)
        for words in (("find", "SO-1"), ("key", "list"), ("revisions",), ("audit",)):
            _, out, _ = hub.run(*words)
            stamps = re.findall(r"\d\d:\d\d:\d\d", out)
            assert (
                len(re.findall(r"\d\d:\d\d:\d\d(?:\.\d+)?\s+\+08:00", re.sub(r"\s+", " ", out))) == len(stamps) > 0
            ), out
        taken = HubProcess(
            small_workspace(tmp_path / "other", sink.url), f"sqlite:///{tmp_path}/other.sqlite3", hub_host=host
        )
        taken.environment["HUB_PORT"] = str(hub.port)
        assert f"[::1]:{hub.port}: the hub cannot listen" in taken.run("up")[2]
    finally:
        hub.stop()
        sink.shutdown()
        sink.server_close()


def test_settings_of_ipv6():
    for host in ("::1", "[::1]", "2001:db8::7"):
        settings = read({"HUB_HOST": host, "HUB_PORT": "8080"})
        assert settings.host == host.strip("[]")
        assert settings.public_url == f"http://[{settings.host}]:8080"
