"""What nobody took and what nobody could take, in a real browser and both languages: unrouted messages by cause,
refused posts and hooks, a target's own words.
"""

import json

import pytest

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.support.chromium import Visitor
from tests.support.hubs import HubProcess, Sink, small_workspace
from tests.support.waiting import wait_until

SOUND = "    from: shop/order.placed\n"
CONDITION = (
    "items[0].quantity > 1 and $contains(orderNo, 'an order whose number is long enough to fill a line of the page')"
)
AIMED = f"{SOUND}    alert: P1\n    when: \"orderNo = 'SO.7' or {CONDITION}\"\n"
EMPTY = """  parcels:
    from: shop/order.placed
    when: "orderNo = 'never'"
    to: [warehouse/order.create@1]
"""
HOOKED = "hooks:\n  push:\n    verify: {alg: none}\n    peers: [127.0.0.0/8]\n    read: {emit: shop/order.placed@1}\n"
WORDS = "Depot closed for stock-taking; orders are taken again on Monday"
ENGLISH = (
    "No route",
    "Still:",
    "would stay",
    "trial does",
    "Let go",
    "Route again",
    "Refused, and told",
    "a post",
    "webhook",
    "nobody is told",
    "does not fit",
)


def order(number):
    return json.dumps({"orderNo": number, "items": [{"sku": "S", "quantity": 1}]}).encode()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Three orders that no route takes, one that the warehouse refuses in its own words, a post and a hook that are
    refused.
    """
    folder = tmp_path_factory.mktemp("unrouted")
    sink = Sink(lambda number, key: (422, {"content-type": "application/json"}, json.dumps({"errmsg": WORDS}).encode()))
    workspace = small_workspace(folder / "workspace", sink.url)
    routes = workspace / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace(SOUND, AIMED) + EMPTY, "utf-8")
    shop, warehouse = (workspace / "adapters" / name / "system.yaml" for name in ("shop", "warehouse"))
    shop.write_text(shop.read_text("utf-8") + HOOKED, "utf-8")
    text = warehouse.read_text("utf-8").replace(
        "POST /orders\n", "POST /orders/{orderNo}?lines={$count(items)}\n    refused: {message: body.errmsg}\n"
    )
    warehouse.write_text(text, "utf-8")
    made = HubProcess(workspace, f"sqlite:///{folder}/hub.sqlite3").start()
    for name, role in PEOPLE.items():
        add_user(made, name, role)
    caller = made.caller("shop")
    for number in range(3):
        assert caller.post("/api/v1/shop/order.placed", order(f"SO-{number}"), f"m-{number}").status_code == 202
    answer = caller.post("/api/v1/shop/order.placed", order("SO.7"), "m-7").json()
    made.refused = answer["data"]["messageId"]
    [line] = made.delivered(made.refused)
    assert line["status"] == "dead"
    assert caller.post("/api/v1/shop/order.placed", b'{"orderNo": "SO-8"}', "m-8").status_code in (400, 422)
    assert caller.post("/in/shop/push", b'{"orderNo": "SO-9"}', "m-9").status_code >= 400
    wait_until(
        lambda: [line for line in made.ops("/unrouted/causes")["items"] if line["id"]] or None,
        what="the cause to be named",
    )
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


@pytest.fixture
def visitor(browser, hub, language):
    made = Visitor(browser, hub.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def looked_at(visitor, path, name, *wanted):
    """The page stands, has these texts, and in Chinese no sentence of English that the console wrote."""
    page = visitor.open(path)
    for text in wanted:
        page.get_by_text(text).first.wait_for()
    visitor.look(name)
    shown = page.locator("main").inner_text()
    assert visitor.language == "en" or [text for text in ENGLISH if text in shown] == []
    return page


def in_words(visitor, english, chinese):
    return {"en": english, "zh-CN": chinese}[visitor.language]


def test_what_no_route_took_is_read_by_cause(visitor, hub):
    looked_at(visitor, "/console/now", "now-unrouted", in_words(visitor, "no route took it", "没有路由接收"))
    page = looked_at(visitor, "/console/unrouted", "unrouted", "shop/order.placed@1")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/console/unrouted/*")
    where = page.url
    looked_at(visitor, where, "unrouted-cause", "parcels")
    looked_at(visitor, f"{where}?preview=1", "unrouted-preview", in_words(visitor, "3 would stay", "3 条仍无路由"))
    # When all are routed again and nothing was mended, then each says why it stays
    page = visitor.open(where)
    page.locator("details.act summary").first.click()
    page.locator("details.act form button").first.click()
    page.wait_for_url("**done=*")
    looked_at(
        visitor, page.url, "unrouted-tried", in_words(visitor, "Still: No route took it.", "仍然：没有路由接收。")
    )
    message = page.locator("tbody a").first.get_attribute("href")
    looked_at(visitor, message, "message-unrouted", in_words(visitor, "No route took it.", "没有路由接收。"))
    looked_at(visitor, f"{message}?tab=routing", "message-unrouted-routing", CONDITION[:20])


def test_a_filled_address_a_target_s_own_words_and_a_level_that_nobody_hears_are_there(visitor, hub):
    looked_at(visitor, f"/console/messages/{hub.refused}", "message-words", WORDS, "/orders/SO.7?lines=1")
    looked_at(visitor, f"/console/messages/{hub.refused}?tab=content", "message-address")
    page = looked_at(visitor, "/console/dead", "dead-words", WORDS)
    page.get_by_text(WORDS).first.click()
    page.wait_for_url("**/console/dead/causes/*")
    looked_at(visitor, page.url, "cause-words")
    looked_at(
        visitor,
        "/console/flow/route/orders",
        "route-alert",
        in_words(visitor, "but nobody is told in this version", "本版本不会通知任何人"),
    )


def test_what_was_refused_at_each_door_is_read(visitor, hub):
    page = looked_at(visitor, "/console/refused", "refused-doors", "hook:shop/push", "post:shop/order.placed")
    links = [one.get_attribute("href") for one in page.locator("tbody td.cause a").all()]
    assert len(links) == 2
    for number, link in enumerate(links):
        looked_at(visitor, link, f"refused-door-{number}")
