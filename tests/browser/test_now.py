"""The front page in a real browser: what needs a person, the landscape, and stopping a target to see what waits, each
click counted.
"""

import pytest

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.support.chain import Chain
from tests.support.chromium import Visitor

EVIL = "<img src=x onerror=window.hurt=1><script>window.hurt=1</script>"


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The reference workspace with an order that went all its way, one that the ERP refuses, and Olga and Vera."""
    made = Chain(tmp_path_factory.mktemp("now"))
    for name, role in PEOPLE.items():
        add_user(made.hub, name, role)
    made.ended(made.order("202606010001", waybill="SF6001"))
    made.answers["/outbound/create"] = (422, b'{"code": 42200, "message": "' + EVIL.encode() + b'"}')
    made.in_state(made.order("202606010002"), "dead")
    made.answers.clear()
    yield made
    made.stop()


@pytest.fixture
def console(chain):
    return chain


@pytest.fixture
def visitor(browser, chain, language):
    made = Visitor(browser, chain.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def until(page, selector):
    """Waits for what a poll brings: nobody reloads."""
    return page.wait_for_selector(selector, timeout=60_000)


def wait_for(page, held, count):
    """Until so many requests were held back; the page goes on meanwhile."""
    for _ in range(600):
        if len(held) == count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(held)} of {count} polls came within a minute")


def test_the_front_page_says_what_needs_a_person_and_draws_the_landscape(visitor):
    # Given that an order's outbound was refused by the WMS, with a text that is markup
    page = visitor.open("/console")
    until(page, ".need .badge")
    assert page.url.endswith("/console/now")
    # Then it is a line with its count and the link that helps, and the picture has it as a fault, by a sign too
    line = page.locator(".need", has_text="wms/outbound.create@1")
    assert line.locator(".need-count").inner_text() == "1"
    assert line.locator(".need-since time").get_attribute("datetime")
    assert page.locator(".flow.is-fault", has_text="wms/outbound.create@1").locator(".sign").text_content() == "✕"
    assert page.locator("a.box.is-takes.is-fault[href$=wms]").get_attribute("href").endswith("/console/flow/target/wms")
    assert page.evaluate("window.hurt") is None
    # And graphs are drawn, which a poll leaves where they are
    until(page, ".plot canvas")
    before = page.locator("#targets").bounding_box()["y"]
    with page.expect_response(
        lambda answer: "/console/now" in answer.url and answer.request.headers.get("hx-request") == "true",
        timeout=60_000,
    ):
        pass
    assert abs(page.locator("#targets").bounding_box()["y"] - before) < 2
    visitor.look("now")
    page.locator(".need a.button").first.click()
    page.wait_for_url("**/console/dead/causes/**")


def test_a_target_is_paused_and_what_waits_is_seen(visitor, chain):
    page = visitor.open("/console")
    clicks = 0

    def click(target):
        nonlocal clicks
        clicks += 1
        page.locator(target).first.click()

    # When an operator opens the target from the picture, and pauses it
    click("a.box.is-takes[href$='/target/oms']")
    click("details.act summary")
    visitor.look("flow-question")
    page.fill("details.act[open] input[name=why]", EVIL)
    click("details.act[open] form button")
    page.wait_for_load_state()
    # Then they see that it is paused, by whom and why; and what comes in waits, without a reload
    assert page.locator(".note.is-warn").is_visible()
    number = f"2026070100{'01' if visitor.language == 'en' else '02'}"
    paid = chain.post("payment/payment.succeeded.v1/order", orderNo=f"OMS{number}", paymentNo=f"PAY{number}")
    until(page, "#waits + .table tbody tr")
    assert clicks <= 3
    assert f"OMS{number}" in page.locator("#waits + .table").inner_text()
    assert page.evaluate("window.hurt") is None
    visitor.look("flow-paused")
    # The front page says it too
    page = visitor.open("/console")
    until(page, ".need .act")
    assert page.locator("a.box.is-takes.is-paused text").first.text_content() == "‖ oms"
    visitor.look("now-paused")
    # A poll that is answered while its question is open leaves it open, and is not counted as seen
    held = []
    page.route(
        "**/console/now*",
        lambda route: held.append(route) if route.request.headers.get("hx-request") == "true" else route.continue_(),
    )
    wait_for(page, held, 1)
    page.locator(".need .act summary").click()
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        held[0].continue_()
    page.wait_for_timeout(300)
    assert page.locator(".need .act form button").is_visible()
    page.keyboard.press("Escape")
    wait_for(page, held, 2)
    assert held[1].request.headers.get("if-none-match") == held[0].request.headers.get("if-none-match")
    held[1].continue_()
    page.unroute_all()
    # When it is let go on from there, what waited goes
    page.locator(".need .act summary").click()
    page.locator(".need .act form button").click()
    page.wait_for_url("**/console/flow/target/oms")
    assert page.locator(".note.is-warn").count() == 0
    assert {line["status"] for line in chain.ended(paid)} == {"delivered"}


def test_a_route_has_its_flow(visitor):
    page = visitor.open("/console")
    page.locator("a.box.is-route[href$='/route/outbound']").click()
    until(page, ".plot canvas")
    assert page.locator("h1").inner_text().endswith("outbound")
    page.locator(".choice a").nth(1).click()
    page.wait_for_load_state()
    assert page.locator(".choice a[aria-current]").count() == 1
    until(page, ".plot canvas")
    visitor.look("flow-route")


def test_the_picture_is_reached_by_keyboard(visitor):
    page = visitor.open("/console")
    page.locator("a.box.is-takes[href$='/target/wms']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/flow/target/wms")


def test_a_viewer_sees_all_of_it_and_has_no_button(browser, chain):
    made = Visitor(browser, chain.url, "en", role="viewer").sign_in("vera", PASSWORD)
    for path in ("/console/now", "/console/flow/target/oms"):
        page = made.open(path)
        assert page.locator("h1").is_visible()
        assert page.locator("details.act").count() == 0
    made.look("flow-viewer")
    made.close()
