"""The interface page in a real browser: what a partner sees who opens it, what leaves the browser, and what the policy stops."""

import json

import pytest

from hub.cli.keys import make_key
from hub.main import open_vault
from tests.support import browser
from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(browser.binary() is None, reason="no chromium is installed; the script alone is run by node in tests/http")

PROXY = {"X_Forwarded_For": "203.0.113.7"}  # what a partner's question carries, that came through a proxy


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3", HUB_OPS_TOKEN="t") as made, served(made, "granian") as running:
        yield running


@pytest.fixture
def page(tmp_path):
    opened = browser.Page(tmp_path / "profile")
    yield opened
    opened.close()


def caller(hub, form="default"):
    _, key, secret = make_key(hub.hub.store, open_vault(hub.hub.settings), name="test", systems=["shop"], form=form)
    return key, secret


def put_in(page, key, secret, form="default"):
    for name, value in (("key", key), ("secret", secret), ("form", form)):
        page.run(f"document.getElementById({json.dumps(name)}).value = {json.dumps(value)}")
    page.run("document.getElementById('who').requestSubmit()")


def violations(page):
    return [event["entry"]["text"] for event in page.events("Log.entryAdded") if event["entry"]["source"] == "security"]


@pytest.mark.parametrize("form", ["default", "legacy"])
def test_a_partner_opens_the_page_signs_and_tries_a_post(hub, page, form):
    key, secret = caller(hub, form)
    # Given the page as everybody gets it: a form for the key, and nothing else
    page.open(f"{hub.url}/docs", **PROXY)
    assert page.run("document.getElementById('shown').textContent") == ""
    assert page.run("getComputedStyle(document.getElementById('who')).display") != "none"
    # When key and secret are put in, then what the key may use is there, and nothing of other systems
    put_in(page, key, secret, form)
    page.wait("document.querySelector('#shown form.try') !== null")
    assert "POST /api/v{N}/shop/order.placed" in page.run("document.getElementById('shown').textContent")
    assert "warehouse" not in page.run("document.documentElement.outerHTML")
    # And a message that is refused shows where, what, what is wanted and what to write, as text
    bad = {"orderNo": "SO-1", "items": [{"sku": "<img src=x onerror=alert(1)>", "quantity": "2"}], "<b>": 1}
    page.run(f"document.querySelector('#shown textarea').value = {json.dumps(json.dumps(bad))}")
    page.run("document.querySelector('#shown form.try').requestSubmit()")
    page.wait("document.querySelector('.answer tbody tr') !== null")
    rows = page.run("Array.from(document.querySelectorAll('.answer tbody tr'), (row) => Array.from(row.cells, (cell) => cell.textContent))")
    assert ["/items/0/quantity", "string, 1 character", "integer, at least 1, at most 1000000", "send 2, without quotes"] in rows
    assert ["/<b>", "a field that the contract does not have", "only fields of the contract", "leave it out"] in rows
    assert page.run("document.querySelector('.answer img, .answer b')") is None
    # And a good one is stored
    page.run(f"document.querySelector('#shown textarea').value = {json.dumps(json.dumps({'orderNo': form, 'items': [{'sku': 'A', 'quantity': 1}]}))}")
    page.run("document.querySelector('#shown form.try').requestSubmit()")
    page.wait("document.querySelector('.answer').textContent.includes('messageId')")
    # Then the secret has left nothing behind and gone nowhere, and the policy had nothing to stop
    assert page.run("location.href") == f"{hub.url}/docs"
    assert page.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    assert secret not in page.run("document.documentElement.outerHTML")
    sent = json.dumps(page.events("Network.requestWillBeSent") + page.events("Network.requestWillBeSentExtraInfo"))
    assert "/docs/mine" in sent
    assert secret not in sent
    assert violations(page) == []


def test_a_wrong_secret_is_told_and_shows_nothing(hub, page):
    key, _ = caller(hub)
    page.open(f"{hub.url}/docs", **PROXY)
    put_in(page, key, "whsec_AAAA")
    page.wait("document.getElementById('said').textContent.includes('40100')")
    assert page.run("document.getElementById('shown').textContent") == ""
    put_in(page, key, "whsec_%")
    page.wait("document.getElementById('said').textContent.includes('not base64')")


def test_documents_are_saved_with_a_signature(hub, page, tmp_path):
    key, secret = caller(hub)
    page.say("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.open(f"{hub.url}/docs", **PROXY)
    put_in(page, key, secret)
    page.wait("document.querySelector('#shown a.file') !== null")
    page.run("document.querySelector('#shown a.file').click()")
    saved = wait_until(lambda: next(iter(tmp_path.glob("openapi.json")), None), what="the file")
    assert "/api/v1/shop/order.placed" in json.loads(saved.read_text("utf-8"))["paths"]
    assert violations(page) == []


def test_an_operator_sees_all_at_once_and_the_policy_holds(hub, page):
    page.open(f"{hub.url}/docs")
    assert "warehouse" in page.run("document.getElementById('shown').textContent")
    assert page.run("getComputedStyle(document.querySelector('form.try')).display") != "none"
    assert page.run("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"  # the style that is named by its hash
    # Nothing that is no fragment of the hub's becomes markup, not even by the page's own script
    assert page.run("(() => { try { document.body.innerHTML = '<p>x</p>'; return 'taken'; } catch (error) { return error.name; } })()") == "TypeError"
    assert page.run("(() => { try { trustedTypes.createPolicy('other', {}); return 'taken'; } catch (error) { return error.name; } })()") == "TypeError"
    # What the policy stops is told in the log: that it stood empty elsewhere means something
    wait_until(lambda: violations(page), what="a line about what was stopped")
