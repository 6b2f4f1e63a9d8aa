"""Interface documents over HTTP: of what the caller may use, and nothing for a stranger."""

import pytest
import requests

from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interface")
    with (
        small_hub(small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3", HUB_OPS_TOKEN="t") as made,
        served(made, "granian") as running,
    ):
        yield running


def test_a_caller_gets_what_it_may_post(hub):
    document = hub.caller("shop").get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {"/api/v1/shop/order.placed", "/api/v1/shop/order.placed/batch", "/api/messages/{id}"}
    assert hub.caller("shop").get("/asyncapi.json", "two").json()["asyncapi"] == "3.0.0"


def test_the_page_can_be_read_without_scripts_and_shows_every_field(hub):
    page = hub.caller("shop").get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    for word in ("Web shop", "order.placed", "items[].quantity", "up to 64 characters"):
        assert word in page.text


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json", "/docs"])
def test_a_stranger_gets_nothing(hub, path):
    assert requests.get(hub.url + path, headers={"x-forwarded-for": "203.0.113.7"}, timeout=10).status_code == 401
    assert requests.get(
        hub.url + path, headers={"authorization": "ApiKey ak_none", "webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x"}, timeout=10
    ).status_code in (400, 401)
    assert requests.get(hub.url + path, timeout=10).status_code == 200  # this machine's own operator
