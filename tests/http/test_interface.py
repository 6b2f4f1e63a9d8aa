"""Interface documents over HTTP: of what the caller may use, and nothing for a stranger."""

import json
import shutil
import subprocess

import pytest
import requests

from tests.conftest import missing
from tests.support.hubs import ORDER, ROOT, small_workspace
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
    assert set(document["paths"]) == {
        "/api/v1/shop/order.placed",
        "/api/v1/shop/order.placed/batch",
        "/api/shop/order.placed",
        "/api/shop/order.placed/batch",
        "/api/messages/{id}",
    }
    assert hub.caller("shop").get("/asyncapi.json", "two").json()["asyncapi"] == "3.0.0"


def test_the_page_can_be_read_without_scripts_and_shows_every_field(hub):
    page = hub.caller("shop").get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.text.count("<script") == 1  # the page's own, which tries a post; reading needs none
    for word in ("Web shop", "order.placed", "items[].quantity", "up to 64 characters"):
        assert word in page.text


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json", "/docs"])
def test_a_stranger_gets_nothing(hub, path):
    assert requests.get(hub.url + path, headers={"x-forwarded-for": "203.0.113.7"}, timeout=10).status_code == 401
    assert requests.get(
        hub.url + path, headers={"authorization": "ApiKey ak_none", "webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x"}, timeout=10
    ).status_code in (400, 401)
    assert requests.get(hub.url + path, timeout=10).status_code == 200  # this machine's own operator


def test_the_pages_own_script_signs_and_posts(hub):
    if shutil.which("node") is None:
        missing("node", "the page's script is run by it")
    # Given the script that the page loads, when it posts as the button does
    caller = hub.caller("shop")
    served_ = requests.get(hub.url + "/docs/try.js", timeout=10)
    assert served_.headers["content-type"].startswith("text/javascript")
    program = f"""
        const {{post}} = require({json.dumps(str(ROOT / "hub" / "http" / "try.js"))});
        post({json.dumps(hub.url + "/api/v1/shop/order.placed")}, {json.dumps(caller.key)}, {json.dumps(caller.secret)}, {json.dumps(ORDER.decode())})
          .then((answer) => console.log(JSON.stringify(answer)));
    """
    done = subprocess.run(["node", "-e", program], check=True, capture_output=True, text=True, timeout=60)
    answer = json.loads(done.stdout)
    assert (answer["status"], json.loads(answer["text"])["data"]["duplicate"]) == (202, False)
