"""Changes in a real browser: what the files on the hub's machine would change, applied with a reason; and the way
back.
"""

import pytest

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.browser.test_now import EVIL
from tests.support.chain import Chain
from tests.support.chromium import Visitor
from tests.support.waiting import wait_until
from tests.support.workspaces import copied


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The reference workspace, copied, with two orders, and Olga and Vera."""
    folder = tmp_path_factory.mktemp("changes")
    made = Chain(folder, copied(folder / "workspace"))
    made.workspace = folder / "workspace"
    for name, role in PEOPLE.items():
        add_user(made.hub, name, role)
    made.ended(made.order("202606010001"))
    yield made
    made.stop()


@pytest.fixture
def visitor(browser, chain, language):
    made = Visitor(browser, chain.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def edit(chain, attempts):
    """Another number of tries, and another priority of what is standard."""
    routes = chain.workspace / "routes.yaml"
    text = routes.read_text("utf-8")
    start = text.index("wms/outbound.create@1: {retry: {attempts: ") + len("wms/outbound.create@1: {retry: {attempts: ")
    routes.write_text(text[:start] + str(attempts) + text[text.index("}", start) :], "utf-8")


def click(page, selector):
    page.locator(selector).first.click()
    page.wait_for_load_state()


def planned(page):
    """Waits until the plan is there: what takes long is made while one watches."""
    page.wait_for_selector("#meaning", timeout=60_000)
    page.wait_for_load_state()


def test_a_change_is_planned_applied_with_a_reason_and_taken_back(visitor, chain):
    before = chain.hub.ops("/revision")["active"]
    edit(chain, 12 if visitor.language == "en" else 13)
    mapping = chain.workspace / "mappings/oms.outbound.requested.v1--wms.outbound.create.v1.yaml"
    text = mapping.read_text("utf-8")
    mapping.write_text(
        text.replace("STANDARD: NORMAL}", "STANDARD: HIGH}").replace("priority: NORMAL, time", "priority: HIGH, time"),
        "utf-8",
    )
    # When an operator looks at what the files would change
    page = visitor.open("/console/changes")
    click(page, "a.button.is-strong")
    planned(page)
    assert page.locator("#meaning ~ .meaning").count() == 2
    # Then the one outbound instruction would have another value, which is told with its message
    assert page.locator("#what-if ~ .table tbody tr", has_text="/priority").locator("ins").first.inner_text() == "HIGH"
    visitor.look("plan")
    # And it is made active only with a reason
    page.locator("details.act summary").click()
    page.fill("details.act[open] input[name=why]", EVIL)
    visitor.look("plan-question")
    click(page, "details.act form button")
    page.wait_for_url("**/console/changes?done=changed")
    assert page.locator("tr.is-marked td").nth(3).inner_text() == "olga"
    assert "window.hurt" in page.locator("tr.is-marked small").inner_text()
    assert page.evaluate("window.hurt") is None
    wait_until(lambda: chain.hub.ops("/revision")["revision"] != before, what="the new configuration")
    page = visitor.open("/console/changes")
    visitor.look("changes")
    # One configuration shows what it changed, in meaning and file by file
    click(page, "tr.is-marked td a")
    assert page.locator(".patch .is-new").count() == 3
    visitor.look("change")
    # When the one before is wanted back, then the same look comes first
    page = visitor.open(f"/console/changes/{before}")
    click(page, ".actions a.button")
    planned(page)
    page.locator("details.act summary").click()
    page.fill("details.act[open] input[name=why]", "no better")
    click(page, "details.act form button")
    page.wait_for_url("**/console/changes?done=changed")
    assert chain.hub.ops("/revision")["active"] == before
    mapping.write_text(text, "utf-8")


def test_who_planned_on_what_is_no_longer_active_is_told_to_look_again(visitor, chain):
    edit(chain, 30 if visitor.language == "en" else 31)
    page = visitor.open("/console/changes/plan")
    planned(page)
    page.locator("details.act summary").click()
    page.fill("details.act[open] input[name=why]", "first")
    # Given that somebody else was quicker, with other files
    edit(chain, 40 if visitor.language == "en" else 41)
    chain.hub.apply()
    edit(chain, 30 if visitor.language == "en" else 31)
    active = chain.hub.ops("/revision")["active"]
    click(page, "details.act form button")
    assert page.locator(".error").is_visible()
    assert active[:12] in page.locator(".error").inner_text()
    assert chain.hub.ops("/revision")["active"] == active


def test_a_plan_with_faults_shows_them_and_has_no_button(visitor, chain):
    routes = chain.workspace / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(text.replace("tms/return.pickup@1", "tms/return.nowhere@1"), "utf-8")
    page = visitor.open("/console/changes/plan")
    planned(page)
    assert page.locator("#findings + .table tbody tr").count() >= 1
    assert page.locator("details.act").count() == 0
    visitor.look("plan-faults")
    routes.write_text(text, "utf-8")


def test_a_viewer_sees_the_history_and_no_plan(browser, chain):
    made = Visitor(browser, chain.url, "en", role="viewer").sign_in("vera", PASSWORD)
    page = made.open("/console/changes")
    assert page.locator("tbody tr").count() >= 1
    assert page.locator("a.button").count() == 0
    assert made.page.goto("/console/changes/plan").status == 403
    made.close()
