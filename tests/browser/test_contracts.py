"""Contracts in a real browser: from the front page to who still uses an old version, each click counted; and one
contract field by field.
"""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.support.chromium import Visitor
from tests.support.hubs import Caller, HubProcess, Sink
from tests.support.versioned import new_order, old_order, versioned
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Version 1 ends in twenty days, and the old till still sends it; the new one sends version 2."""
    folder = tmp_path_factory.mktemp("contracts")
    sink = Sink()
    sunset = (datetime.now(UTC) + timedelta(days=20)).date()
    states = f"{{1: {{state: deprecated, since: 2026-06-01, sunset: {sunset}}}, 2: {{state: current}}}}"
    made = HubProcess(
        versioned(folder / "workspace", sink.url, states=states), f"sqlite:///{folder}/hub.sqlite3"
    ).start()
    for name, role in PEOPLE.items():
        add_user(made, name, role)
    for name, version, order in (("old till", 1, old_order), ("new till", 2, new_order)):
        key = made.json("key", "create", name, "--system", "shop")
        caller = Caller(made.url, key["key"], key["secret"])
        for number in range(3):
            assert (
                caller.post(f"/api/v{version}/shop/order.placed", order(number), f"{version}-{number}").status_code
                == 202
            )
    wait_until(lambda: len(made.ops("/contracts")["old"]) == 1, seconds=60, what="the counts")
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


@pytest.fixture
def visitor(browser, hub, language):
    made = Visitor(browser, hub.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def test_which_caller_still_uses_the_old_version(visitor):
    page = visitor.open("/console")
    clicks = 0
    line = page.locator(".need", has_text="shop/order.placed@1")
    expect(line).to_have_count(1, timeout=60_000)
    line.locator("a.button").click()
    clicks += 1
    page.wait_for_url("**/console/contracts/shop/order.placed?version=1*")
    used = page.locator("#used + .stacked tbody tr")
    assert used.count() == 1
    assert "old till" in used.inner_text()
    assert "3" in used.locator(".is-number").inner_text()
    assert used.locator("time").last.get_attribute("datetime")
    assert clicks <= 3
    # And which of its fields, and whether it may go
    field = page.locator(".fields tr", has_text="/items/*/sku")
    assert "old till" in field.locator(".sent-by").inner_text()
    assert "old till" in page.locator("#retire").inner_text()
    visitor.look("contract-old")
    # By the navigation, from anywhere: one click more shows the same
    page = visitor.open("/console")
    page.locator("nav a[href='/console/contracts']").click()
    assert "old till" in page.locator("#old ~ .stacked").first.inner_text()
    visitor.look("contracts")


def test_a_contract_says_what_changes_between_its_versions_and_what_relies_on_it(visitor):
    page = visitor.open("/console/contracts/shop/order.placed?version=2")
    step = page.locator("#steps ~ details").first
    assert step.locator("summary .badge").count() == 1
    assert step.locator("tbody tr").count() > 1
    fields = page.locator(".fields tbody tr")
    assert "new till" in fields.filter(has_text="/orderNumber").inner_text()
    assert "new till" in fields.filter(has_text="/lines/*/gift").inner_text()
    assert page.locator("#relies ~ .pair a").count() == 3
    visitor.look("contract")
    # A target's contract says by which route it is sent
    page = visitor.open("/console/contracts/warehouse/order.create")
    visitor.look("contract-target")
    # A sample is a document; what is not there is said to be nowhere
    page = visitor.open("/console/contracts/shop/order.placed?version=1")
    page.locator(".chips a", has_text="one-line").first.click()
    assert "SO-1" in page.locator(".document").inner_text()
    visitor.look("sample")
    page = visitor.open("/console/contracts?words=nobody-sends-this")
    assert page.locator(".empty").count() == 1


def test_a_viewer_sees_all_of_it(browser, hub):
    made = Visitor(browser, hub.url, "en", role="viewer").sign_in("vera", PASSWORD)
    for path in ("/console/contracts", "/console/contracts/shop/order.placed", "/console/mappings"):
        assert made.open(path).locator("h1").is_visible()
    assert made.page.goto("/console/contracts/shop/nothing").status == 404
    assert made.page.goto("/console/contracts/shop/order.placed/samples/1/..%2f..%2fsystem").status == 404
    made.close()
