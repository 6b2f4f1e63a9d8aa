"""The interface page in a real browser: what a partner sees who opens it, what leaves the browser, and what the policy
stops.
"""

import json

import pytest
from playwright.sync_api import expect

from hub.flow.accounts.keys import make_key
from hub.main import open_vault
from tests.support.hubs import OPS_TOKEN, small_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

PROXY = {"X-Forwarded-For": "203.0.113.7"}  # what a partner's question carries, that came through a proxy


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as made, served(made, "granian") as running:
        yield running


@pytest.fixture
def page(browser):
    """A browser that nobody used before. `said`: what its log tells; `asked`: what it asked for, with all that went
    along.
    """
    context = browser.new_context(extra_http_headers=PROXY)
    made = context.new_page()
    made.said, made.asked = [], []
    made.on("console", lambda message: made.said.append(message.text))
    made.on("request", lambda request: made.asked.append(request))  # noqa: PLW0108  the driver takes no built-in
    yield made
    context.close()


def caller(hub, form="default"):
    _, key, secret = make_key(hub.hub.store, open_vault(hub.hub.settings), name="test", systems=["shop"], form=form)
    return key, secret


def put_in(page, key, secret, form="default"):
    page.fill("#key", key)
    page.fill("#secret", secret)
    page.select_option("#form", form)
    page.evaluate("document.getElementById('who').requestSubmit()")


def violations(page):
    return [text for text in page.said if "Content Security Policy" in text or "Trusted" in text]


@pytest.mark.parametrize("form", ["default", "legacy"])
def test_a_partner_opens_the_page_signs_and_tries_a_post(hub, page, form):
    key, secret = caller(hub, form)
    # Given the page as everybody gets it: a form for the key, and nothing else
    page.goto(f"{hub.url}/docs")
    expect(page.locator("#shown")).to_have_text("")
    expect(page.locator("#who")).to_be_visible()
    # When key and secret are put in, then what the key may use is there, and nothing of other systems
    put_in(page, key, secret, form)
    page.wait_for_selector("#shown form.try", state="attached")
    assert "POST /api/v{N}/shop/order.placed" in page.text_content("#shown")
    assert "warehouse" not in page.content()
    # And a message that is refused shows where, what, what is wanted and what to write, as text
    bad = {"orderNo": "SO-1", "items": [{"sku": "<img src=x onerror=alert(1)>", "quantity": "2"}], "<b>": 1}
    post(page, bad)
    page.wait_for_selector(".answer tbody tr", state="attached")
    rows = page.eval_on_selector_all(
        ".answer tbody tr", "(rows) => rows.map((row) => Array.from(row.cells, (cell) => cell.textContent))"
    )
    assert [
        "/items/0/quantity",
        "string, 1 character",
        "integer, at least 1, at most 1000000",
        "send 2, without quotes",
    ] in rows
    assert ["/<b>", "a field that the contract does not have", "only fields of the contract", "leave it out"] in rows
    assert page.locator(".answer img, .answer b").count() == 0
    # And a good one is stored
    post(page, {"orderNo": form, "items": [{"sku": "A", "quantity": 1}]})
    expect(page.locator(".answer").first).to_contain_text("messageId")
    # Then the secret has left nothing behind and gone nowhere, and the policy had nothing to stop
    assert page.url == f"{hub.url}/docs"
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    assert secret not in page.content()
    sent = json.dumps([[one.url, one.all_headers(), one.post_data] for one in page.asked])
    assert "/docs/mine" in sent
    assert secret not in sent
    assert violations(page) == []


def post(page, body):
    page.locator("#shown textarea").first.evaluate("(field, text) => { field.value = text; }", json.dumps(body))
    page.locator("#shown form.try").first.evaluate("(form) => form.requestSubmit()")


def test_a_wrong_secret_is_told_and_shows_nothing(hub, page):
    key, _ = caller(hub)
    page.goto(f"{hub.url}/docs")
    put_in(page, key, "whsec_AAAA")
    expect(page.locator("#said")).to_contain_text("40100")
    expect(page.locator("#shown")).to_have_text("")
    put_in(page, key, "whsec_%")
    expect(page.locator("#said")).to_contain_text("not base64")


def test_documents_are_saved_with_a_signature(hub, page):
    key, secret = caller(hub)
    page.goto(f"{hub.url}/docs")
    put_in(page, key, secret)
    page.wait_for_selector("#shown a.file", state="attached")
    with page.expect_download() as given:
        page.locator("#shown a.file").first.evaluate("(link) => link.click()")
    assert given.value.suggested_filename == "openapi.json"
    assert "/api/v1/shop/order.placed" in json.loads(given.value.path().read_text("utf-8"))["paths"]
    assert violations(page) == []


def test_an_operator_sees_all_at_once_and_the_policy_holds(hub, page):
    page.context.set_extra_http_headers({"Authorization": f"Bearer {OPS_TOKEN}"})
    page.goto(f"{hub.url}/docs")
    assert "warehouse" in page.text_content("#shown")
    assert page.locator("form.try").first.evaluate("(form) => getComputedStyle(form).display") != "none"
    # the style that is named by its hash
    assert page.locator("table").first.evaluate("(table) => getComputedStyle(table).borderCollapse") == "collapse"
    # Nothing that is no fragment of the hub's becomes markup, not even by the page's own script
    assert (
        page.evaluate(
            "(() => { try { document.body.innerHTML = '<p>x</p>'; return 'taken'; } catch (error) { return error.name; } })()"
        )
        == "TypeError"
    )
    assert (
        page.evaluate(
            "(() => { try { trustedTypes.createPolicy('other', {}); return 'taken'; } catch (error) { return error.name; } })()"
        )
        == "TypeError"
    )
    # What the policy stops is told in the log: that it stood empty elsewhere means something
    wait_until(lambda: page.evaluate("1") and violations(page), what="a line about what was stopped")
