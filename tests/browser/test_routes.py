"""Routes in a real browser: all of them, one step by step with its tests and its text, paused and let go on; on a
workspace of the test's own.
"""

import pytest

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.browser.test_now import EVIL, until
from tests.support.chain import Chain
from tests.support.chromium import Visitor
from tests.support.workspaces import copied

TESTS = """    tests:
      - about: What must leave a warehouse is one instruction there.
        given: adapters/oms/samples/outbound.requested.v1/one-line.json
        expect: {wms/outbound.create@1: {orderNo: OMS202511220001}}
"""
SPLIT = """  parcels:
    about: Each line of a shipped order is told to the channel by itself, once the hour has come.
    owner: channel-integration
    from: oms/order.shipped
    drop: {when: 'waybillNo = "TEST"', why: Tests stay here.}
    when: $exists(orderNo)
    capacity: {limit: 5000/day, zone: Asia/Shanghai}
    to:
      - channel/order.status@1: {expires: 2d, priority: bulk, retry: {attempts: 3, schedule: [5s, 30s]}}
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """An order that went all its way, one that the warehouse refused, and Olga and Vera."""
    folder = tmp_path_factory.mktemp("routes")
    workspace = copied(folder / "workspace")
    text = (workspace / "routes.yaml").read_text("utf-8")
    text = text.replace(
        "      - wms/outbound.create@1: {retry: {attempts: 24}}\n",
        "      - wms/outbound.create@1: {retry: {attempts: 24}}\n" + TESTS,
    )
    (workspace / "routes.yaml").write_text(text + SPLIT, "utf-8")
    made = Chain(folder, workspace)
    for name, role in PEOPLE.items():
        add_user(made.hub, name, role)
    made.ended(made.order("202606010001", waybill="SF6001"))
    made.answers["/outbound/create"] = (422, b'{"code": 42200, "message": "' + EVIL.encode() + b'"}')
    made.in_state(made.order("202606010002"), "dead")
    made.answers.clear()
    yield made
    made.stop()


@pytest.fixture
def visitor(browser, chain, language):
    made = Visitor(browser, chain.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def test_all_routes_are_listed_with_how_they_stand_and_one_is_stopped_there(visitor, chain):
    page = visitor.open("/console/routes")
    until(page, "tbody tr .badge.is-bad")
    assert page.locator(".side nav a[aria-current]").get_attribute("href") == "/console/routes"
    assert page.locator("tbody tr").count() >= 17
    visitor.look("routes")
    # When one is paused from the list, with a reason
    row = page.locator("tbody tr", has=page.locator("a[href$='/route/paid']"))
    row.locator("details.act summary").click()
    row.locator("input[name=why]").fill(EVIL)
    row.locator("details.act form button").click()
    page.wait_for_url("**/console/flow/route/paid")
    assert page.locator(".note.is-warn").is_visible()
    page = visitor.open("/console/routes")
    row = page.locator("tbody tr", has=page.locator("a[href$='/route/paid']"))
    row.locator(".badge.is-warn").wait_for()
    # Then it goes on from there too
    row.locator("details.act summary").click()
    row.locator("details.act form button").click()
    page.wait_for_url("**/console/flow/route/paid")
    assert page.locator(".note.is-warn").count() == 0


def test_a_route_is_drawn_step_by_step_with_what_decides(visitor):
    page = visitor.open("/console/flow/route/shipped")
    assert page.locator(".side nav a[aria-current]").get_attribute("href") == "/console/routes"
    until(page, ".is-wide-only .is-target")
    assert page.locator(".is-wide-only .is-target").count() == 2
    [condition] = page.locator(".is-wide-only .is-when").all()
    assert "$exists(shipperAddress)" in condition.locator("title").text_content()
    assert (
        page.locator(".is-wide-only .is-source title")
        .text_content()
        .startswith({"en": "takes wms/outbound.confirmed", "zh-CN": "取自 wms/outbound.confirmed"}[visitor.language])
    )
    visitor.look("route-shipped")
    # A target leads to its own page
    page.locator(".is-wide-only a.is-target[href$='/target/tms']").click()
    page.wait_for_url("**/console/flow/target/tms")


def test_a_route_has_its_tests_its_treatment_and_its_text(visitor):
    page = visitor.open("/console/flow/route/outbound")
    until(page, ".is-wide-only .is-target.is-fault")
    verdicts = page.locator("#tests + .table tbody tr")
    assert [("is-ok" in row.locator(".badge").get_attribute("class")) for row in verdicts.all()] == [True]
    assert page.locator("pre.written").inner_text().startswith("outbound:")
    assert "24" in page.locator("#treated ~ .facts").first.inner_text()
    assert page.evaluate("window.hurt") is None
    visitor.look("route-outbound")
    page = visitor.open("/console/flow/route/parcels")
    until(page, ".is-wide-only .is-capacity")
    visitor.look("route-parcels")


def test_a_viewer_sees_them_and_has_no_button(browser, chain):
    made = Visitor(browser, chain.url, "en", role="viewer").sign_in("vera", PASSWORD)
    page = made.open("/console/routes")
    assert page.locator("tbody tr").count() >= 17
    assert page.locator("details.act").count() == 0
    made.close()
