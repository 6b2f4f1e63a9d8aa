"""Find, one message and one business object in a real browser: what an operator does from the front page, each click
counted.
"""

import json
import re
from urllib.parse import quote

import pytest

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.support.chain import Chain
from tests.support.chromium import Visitor
from tests.support.hubs import HubProcess, Sink, small_workspace

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}${7*7}",
    "javascript:alert(1)",
    "</textarea><svg/onload=alert(1)>",
    "\u202egnp.exe",
]


def counted(page):
    """Until the count, which a page asks for by itself, is there."""
    from playwright.sync_api import expect

    expect(page.locator(".summary [hx-get] a")).to_have_count(0, timeout=30_000)


class Clicks:
    """Counts what a hand does with the mouse. Typing counts nothing, Enter one."""

    def __init__(self, page):
        self.page, self.number = page, 0

    def click(self, target):
        self.number += 1
        (self.page.locator(target) if isinstance(target, str) else target).first.click()
        self.page.wait_for_load_state()

    def search(self, text):
        """`/`, what is looked for, and Enter."""
        self.page.keyboard.press("/")
        self.page.keyboard.type(text)
        self.number += 1
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        counted(self.page)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    made = Chain(tmp_path_factory.mktemp("chain"))
    for name, role in PEOPLE.items():
        add_user(made.hub, name, role)
    # An order that was shipped, one that its warehouse refused, and one that somebody hostile made
    made.shipped = made.order("202606010001", waybill="SF6001")
    made.answers["/outbound/create"] = (
        422,
        ('{"code": 42201, "message": "no such warehouse: ' + HOSTILE[0].replace('"', "'") + '"}').encode(),
    )
    made.dead = made.order("202606010002")
    made.in_state(made.dead, "dead")
    made.answers.clear()
    made.ended(made.shipped)
    yield made
    made.stop()


@pytest.fixture
def visitor(browser, chain, language):
    made = Visitor(browser, chain.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


@pytest.fixture
def front(visitor):
    """The front page, and a count of clicks from there."""
    page = visitor.open("/console")
    return Clicks(page)


def test_an_order_is_found_by_its_waybill_and_it_says_where_it_is(front, visitor):
    front.search("SF6001")
    visitor.look("find-number")
    front.click("a.hit")
    where = front.page.locator("#where")
    assert where.is_visible()
    assert front.number <= 3
    visitor.look("object")
    # Its numbers lead to one another, in the order in which they came
    numbers = front.page.locator(".chip code").all_inner_texts()
    assert [text[:3] for text in numbers] == ["OMS", "APP", "PAY", "WMS", "SF6"]


def test_why_a_message_did_not_go_to_a_target(front, visitor, chain):
    front.search(chain.shipped)
    # An id leads to its message at once
    assert chain.shipped in front.page.url
    front.click(".tabs a[href*='tab=routing']")
    nearest = front.page.locator(".condition", has_text="tms/shipment.create@1")
    assert "shipperAddress" in nearest.inner_text()
    assert nearest.locator(".is-no").count() > 0
    assert front.number <= 3
    visitor.look("message-routing")
    # And of a target that no route leads to, it says that
    front.page.goto(f"/console/messages/{chain.shipped}?tab=routing&target=erp/cost.post@1")
    assert "erp/cost.post@1" in front.page.locator(".note.is-warn").inner_text()
    visitor.look("message-routing-elsewhere")


def test_what_happened_to_an_order_from_its_number(front, visitor):
    front.search("OMS202606010002")
    front.click("a.hit")
    assert front.number <= 2
    where = front.page.locator("#where").inner_text()
    assert "Warehouse management" in where
    steps = front.page.locator(".steps")
    assert "wms/outbound.create@1" in steps.inner_text()
    assert steps.locator(".badge.is-bad").count() == 1
    # The words of a foreign system are text
    assert "<script>alert(1)</script>" in where
    assert front.page.locator(".steps script").count() == 0
    visitor.look("object-stuck")


@pytest.mark.parametrize("tab", ["way", "content", "today"])
def test_a_message_shows_its_way_its_content_and_what_today_makes_of_it(visitor, chain, tab):
    page = visitor.open(f"/console/messages/{chain.dead}?tab={tab}")
    if tab == "way":
        assert page.locator(".attempt[open]").count() == 1
        assert "422" in page.locator(".attempt summary").inner_text()
        assert page.locator(".attempt .timing").count() == 1
    if tab == "content":
        assert page.locator(".masked").count() > 0
        assert "13800138000" not in page.content()
    visitor.look(f"message-{tab}")


def test_a_field_says_where_it_came_from_and_where_it_went(visitor, chain):
    page = visitor.open(f"/console/messages/{chain.shipped}?tab=content")
    page.locator(".document a", has_text="waybillNo").first.click()
    page.locator(".lineage li").first.wait_for()
    visitor.look("message-lineage")
    page.locator(".stage", has_text="oms/outbound.callback@1").locator(
        ".document a", has_text="waybillNo"
    ).first.click()
    assert "/waybillNo" in page.locator(".lineage").inner_text()
    assert page.locator(".document tr.is-here").count() > 0


def test_what_is_personal_is_shown_to_who_says_why_and_that_is_on_record(visitor, chain):
    page = visitor.open(f"/console/messages/{chain.dead}?tab=content")
    page.locator("details.act summary").first.click()
    page.fill("details.act[open] input[name=why]", "customer called")
    page.click("details.act[open] button")
    page.wait_for_load_state()
    assert "13800138000" in page.content()
    assert page.locator(".masked").count() == 0
    visitor.look("message-revealed")
    # Once: the next look hides it again, and the record knows
    page = visitor.open(f"/console/messages/{chain.dead}?tab=content")
    assert "13800138000" not in page.content()
    page = visitor.open(f"/console/record?what=message.revealed&object={chain.dead}")
    assert "customer called" in page.content()
    assert "olga" in page.locator("tbody").inner_text()


def test_the_raw_bytes_are_downloaded_with_a_reason(visitor, chain):
    page = visitor.open(f"/console/messages/{chain.dead}?tab=content")
    page.locator("details.act summary").nth(1).click()
    page.fill("details.act[open] input[name=why]", "to compare")
    with page.expect_download() as given:
        page.click("details.act[open] button")
    text = given.value.path().read_bytes()
    assert b"13800138000" in text
    assert given.value.suggested_filename == f"{chain.dead}.json"


def test_filters_count_and_pages(visitor, chain):
    page = visitor.open("/console/find")
    visitor.look("find")
    page.select_option("select[name=status]", "dead")
    page.select_option("select[name=route]", "outbound")
    page.click("form.filters button")
    counted(page)
    assert page.locator(".found tbody tr").count() == 1
    assert re.search(r"\b1\b", page.locator(".summary strong").inner_text())
    visitor.look("find-filtered")
    page = visitor.open("/console/find?version=x&since=yesterday")
    assert page.locator(".error").count() == 2
    visitor.look("find-wrong")
    page = visitor.open("/console/find?q=nobody-has-this-number")
    assert page.locator(".empty").count() == 1
    visitor.look("find-none")


def test_words_of_an_error_are_found_in_what_waits(visitor, chain):
    page = visitor.open("/console/find?q=warehouse")
    counted(page)
    assert chain.dead in page.content()


def test_a_view_is_kept_and_deleted(visitor, chain):
    name = f"<b>shipped</b> {visitor.language}"
    page = visitor.open("/console/find?type=wms/outbound.confirmed")
    counted(page)
    page.locator(".summary details.act summary").first.click()
    page.fill("details.act[open] input[name=name]", name)
    page.click("details.act[open] button")
    page.locator(".chips", has_text=name).wait_for()
    counted(page)
    visitor.look("find-views")
    page.locator(".summary details.act summary").nth(1).click()
    page.click("details.act[open] button")
    page.wait_for_url(re.compile(r"/console/find$"))
    assert page.locator(".chips").count() == 0


def test_a_viewer_sees_what_is_hidden_hidden(browser, chain):
    made = Visitor(browser, chain.url, "en", role="viewer").sign_in("vera", PASSWORD)
    page = made.open(f"/console/messages/{chain.dead}?tab=content")
    assert page.locator("details.act").count() == 0
    assert "13800138000" not in page.content()
    # By URL neither
    for act in ("reveal", "raw"):
        answer = page.request.post(f"{chain.url}/console/messages/{chain.dead}/{act}", form={"why": "curious"})
        assert answer.status == 403
        assert b"13800138000" not in answer.body()
    made.close()


@pytest.fixture
def open_hub(tmp_path):
    """A hub whose contracts let any text through as an order's number and an article's."""
    sink = Sink(lambda number, key: (422, {"content-type": "text/html"}, "".join(HOSTILE).encode()))
    folder = small_workspace(tmp_path / "workspace", sink.url)
    for path in folder.glob("adapters/*/contracts/*.json"):
        path.write_text(re.sub(r'"pattern": "[^"]*", ', "", path.read_text("utf-8")), "utf-8")
    made = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3")
    (folder / "adapters/shop/contracts/versions.lock").unlink(missing_ok=True)
    (folder / "adapters/warehouse/contracts/versions.lock").unlink(missing_ok=True)
    made.start()
    add_user(made, "olga", "operator")
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


def test_what_is_hostile_stays_text(browser, open_hub):
    """Numbers, keys and answers from outside: on each page they are what they are, and do nothing."""
    caller = open_hub.caller("shop")
    made = Visitor(browser, open_hub.url, "en").sign_in("olga", PASSWORD)
    dialogs = []
    made.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for number, text in enumerate(HOSTILE):
        body = json.dumps({"orderNo": text, "items": [{"sku": text, "quantity": 1}]}).encode()
        given = caller.post("/api/v1/shop/order.placed", body, f"hostile-{number}")
        assert given.status_code in (200, 202), given.text
        message_id = given.json()["data"]["messageId"]
        open_hub.delivered(message_id, seconds=60)
        pages = [f"/console/messages/{message_id}?tab={tab}" for tab in ("way", "content", "routing", "today")]
        pages += [
            f"/console/find?q={quote(text)}",
            f"/console/objects?number={quote(text)}",
            f"/console/find?type={quote(text)}",
            f"/console/messages/{message_id}?tab=routing&target={quote(text)}",
        ]
        pages += [f"/console/messages/{message_id}?tab=content&side=source&field={quote(text)}"]
        for path in pages:
            page = made.open(path)
            counted(page)
            assert (
                page.evaluate(
                    "document.querySelectorAll('main script, main img, main [onload], main [onerror], main a[href^=javascript]').length"
                )
                == 0
            ), path
        page = made.open(pages[1])
        assert text in page.locator(".document").first.inner_text()
    assert dialogs == []
    assert [text for text in made.seen.wrong if "404" not in text] == []
    made.close()
