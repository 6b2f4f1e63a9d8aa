"""Mappings in a real browser: the picture by mouse, by keyboard, on a phone and without scripts; and a trial of which
nothing is sent.
"""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.support.chain import Chain
from tests.support.chromium import SIZES, Visitor
from tests.support.waiting import wait_until

NAME = "oms.order.created.v1--payment.payment.request.v1"
SHIPPED = "wms.outbound.confirmed.v1--tms.shipment.create.v1"
EVIL = "<img src=x onerror=window.hurt=1>"


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    made = Chain(tmp_path_factory.mktemp("mappings"))
    for name, role in PEOPLE.items():
        add_user(made.hub, name, role)
    made.first = made.post("oms/order.created.v1/one-line", orderNo="OMS202606010001")
    made.post("oms/order.created.v1/two-lines", orderNo="OMS202606010002")
    made.post("wms/outbound.confirmed.v1/with-cargo")
    wait_until(lambda: made.hub.ops(f"/mappings/{NAME}")["coverage"]["messages"] == 2, seconds=60, what="the counts")
    yield made
    made.stop()


@pytest.fixture
def visitor(browser, chain, language):
    made = Visitor(browser, chain.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def test_a_mapping_is_drawn_and_its_lines_stand_out(visitor):
    page = visitor.open("/console/mappings")
    visitor.look("mappings")
    page.locator(f"a[href$='/console/mappings/{NAME}']").first.click()
    # What came and nobody takes is said, with its number
    assert "/warehouseCode" in page.locator("ul.left").inner_text()
    amount = page.locator("svg.mapping a.node", has_text="amount").last
    assert amount.get_attribute("aria-label").startswith("/amount")
    # The mouse, then a click that keeps them, then Escape
    amount.hover()
    assert page.locator("svg.mapping .line.is-lit").count() == 1
    assert page.locator("svg.mapping .node.is-lit").count() == 2
    amount.click()
    page.mouse.move(0, 0)
    assert page.locator("svg.mapping .line.is-lit").count() == 1
    visitor.look("mapping")
    page.keyboard.press("Escape")
    assert page.locator("svg.mapping .is-lit").count() == 0
    # The keyboard: to a field, along its line to the other side, and up
    page.locator("svg.mapping a.node[id^=s]").first.focus()
    assert page.locator("svg.mapping .line.is-lit").count() > 0
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id")[0] == "t"
    before = page.evaluate("document.activeElement.id")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") != before
    visitor.open(f"/console/mappings/{SHIPPED}")
    visitor.look("mapping-conditions")


def test_on_a_phone_and_without_scripts_it_is_a_list(browser, visitor, chain):
    page = visitor.open(f"/console/mappings/{NAME}")
    page.set_viewport_size(SIZES["phone"])
    assert not page.locator("svg.mapping").is_visible()
    assert "/amount" in page.locator("ul.made").inner_text()
    state = visitor.context.storage_state()
    context = browser.new_context(
        base_url=chain.url, java_script_enabled=False, storage_state=state, locale=visitor.language
    )
    plain = context.new_page()
    plain.goto(f"/console/mappings/{NAME}")
    plain.locator("svg.mapping a.node", has_text="amount").last.click()
    assert "#list-t" in plain.url
    assert "/amount" in plain.locator("ul.made li:target").inner_text()
    context.close()


def test_it_is_tried_on_a_sample_on_what_is_pasted_and_on_a_stored_message(visitor, chain):
    page = visitor.open(f"/console/mappings/{NAME}")
    page.select_option("select[name=case]", "one-line")
    page.locator("form:has(select[name=case]) button").click()
    assert "OMS202511220001" in page.locator("#tried .document").last.inner_text()
    assert page.locator("#tried .note.is-ok").count() == 1
    visitor.look("mapping-tried")
    # What is pasted is the person's own: nothing of it is hidden, faults stand with their place, and markup is text
    page.locator("details.own summary").click()
    page.fill(
        "textarea[name=pasted]",
        json.dumps({"orderNo": EVIL, "totalAmount": "much", "consignee": {"name": "Zhang San"}}),
    )
    page.locator("details.own button").click()
    expect(page.locator("#tried .document")).to_have_count(2)
    assert "/totalAmount" in page.locator("#tried .error").first.inner_text()
    assert EVIL in page.locator("#tried .document").first.inner_text()
    assert "Zhang San" in page.locator("#tried .document").first.inner_text()
    assert page.evaluate("window.hurt") is None
    visitor.look("mapping-tried-faults")
    page.fill("textarea[name=pasted]", '{"orderNo": ')
    page.locator("details.own button").click()
    expect(page.locator(".error")).to_have_count(1)
    # A stored message is masked, unless somebody says why, which is on record
    page.fill("textarea[name=pasted]", "")
    page.fill("input[name=message]", chain.first)
    page.locator("details.own button").click()
    expect(page.locator("#tried .masked").first).to_be_visible()
    assert "13800138000" not in page.content()
    visitor.look("mapping-tried-stored")
    page.fill("input[name=why]", f"to see it in {visitor.language}")
    page.locator("details.own button").click()
    expect(page.locator("#tried")).to_contain_text("13800138000")
    page = visitor.open(f"/console/record?what=message.revealed&object={chain.first}")
    assert f"to see it in {visitor.language}" in page.content()
    assert not any(b"onerror" in body for _, _, body, _ in chain.sink.requests)


def test_a_viewer_tries_samples_alone(browser, chain):
    made = Visitor(browser, chain.url, "en", role="viewer").sign_in("vera", PASSWORD)
    page = made.open(f"/console/mappings/{NAME}?case=one-line")
    assert page.locator("#tried .document").count() == 2
    assert page.locator("textarea").count() == 0
    answer = page.request.post(f"{chain.url}/console/mappings/{NAME}/try", form={"message": chain.first})
    assert answer.status == 403
    assert page.goto(f"/console/mappings/{NAME}?case=nothing").status == 404
    assert page.goto("/console/mappings/no-such").status == 404
    made.close()
