"""One route's fault is that route's: the message is taken, the other routes go on, and a replay after the mend decides
it again.
"""

import json

import pytest

from hub.catalog import check
from tests.support.hubs import HubProcess, operator, small_workspace
from tests.support.waiting import wait_until

OTHER = """\
  second:
    about: Cannot always be decided.
    owner: fulfilment
    from: shop/order.placed
{route}
    to: [warehouse/order.create@1{more}]
"""
FIELDS = '"gifts": {"type": ["array", "object", "null"], "items": {"type": "object"}}, "level": {"type": ["number", "null"]}, "until": {"type": "string"},'


@pytest.fixture
def start(tmp_path, sink, store_url):
    hubs = []

    def make(route, more=""):
        folder = small_workspace(tmp_path / "workspace", sink.url)
        contract = folder / "adapters" / "shop" / "contracts" / "order.placed.v1.json"
        contract.write_text(
            contract.read_text("utf-8").replace('"properties": {', f'"properties": {{{FIELDS}', 1), "utf-8"
        )
        system = folder / "adapters" / "shop" / "system.yaml"
        system.write_text(system.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
        write(folder, route, more)
        assert [finding for finding in check(folder) if finding.level == "error"] == []
        hubs.append((HubProcess(folder, store_url).start(), folder))
        return hubs[-1]

    yield make
    for hub, _ in hubs:
        hub.stop()


def write(folder, route, more=""):
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8").partition("  second:\n")[0]
    routes.write_text(text.rstrip("\n") + "\n" + OTHER.format(route=route, more=more), "utf-8")


def order(number, **more):
    return json.dumps({"orderNo": number, "items": [{"sku": "A", "quantity": 1}], **more}).encode()


def posted(hub, body, message_id="m1"):
    answer = hub.caller("shop").post("/api/v1/shop/order.placed", body, message_id)
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]["messageId"]


def by_route(hub, message_id):
    hub.delivered(message_id)
    lines = hub.ops(f"/messages/{message_id}")["deliveries"]
    routes = sorted({line["route"] for line in lines})
    return {route: [(line["status"], line["part"]) for line in lines if line["route"] == route] for route in routes}


@pytest.mark.parametrize("gifts", [{}, {"gifts": None}, {"gifts": []}])
def test_a_list_that_is_absent_splits_into_nothing(start, gifts):
    hub, _ = start("    split: {list: gifts}")
    assert set(by_route(hub, posted(hub, order("SO-1", **gifts)))) == {"orders"}


@pytest.mark.parametrize(
    ("route", "more", "payload"),
    [
        ("    when: level > 3", "", {"level": None}),
        ("    drop: {when: level > 3, why: too high}", "", {"level": None}),
        ("    split: {list: gifts}", "", {"gifts": {"sku": "A"}}),
        ("    split: {list: gifts, by: sku + 1}", "", {"gifts": [{"sku": "A"}]}),
        ("    hold: {until: until}", "", {"until": "tomorrow"}),
    ],
)
def test_what_cannot_be_decided_is_dead_with_its_reason_and_the_other_route_goes_on(start, sink, route, more, payload):
    hub, _ = start(route, more)
    message_id = posted(hub, order("SO-1", **payload))
    assert by_route(hub, message_id) == {"orders": [("delivered", None)], "second": [("dead", None)]}
    line = next(line for line in hub.ops(f"/messages/{message_id}")["deliveries"] if line["route"] == "second")
    assert line["isUndecided"] is True
    assert line["why"]["text"].startswith("Route second cannot decide whether it takes this")
    assert len(sink.requests) == 1
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_a_replay_after_the_mend_decides_it_again_into_all_its_parts(start, sink):
    # Given a message that its second route cannot split, and a later one on the same key
    hub, folder = start("    split: {list: gifts, by: sku + 1}")
    first = posted(hub, order("SO-1", gifts=[{"sku": "A"}, {"sku": "B"}, {"sku": "A"}]))
    assert by_route(hub, first)["second"] == [("dead", None)]
    later = posted(hub, json.dumps({"orderNo": "SO-1", "items": [{"sku": "B", "quantity": 2}]}).encode(), "m2")
    # When the route is mended, and it is replayed
    write(folder, "    split: {list: gifts, by: sku}")
    hub.apply()
    [line] = [line for line in hub.ops(f"/messages/{first}")["deliveries"] if line["route"] == "second"]
    assert hub.run("dead", "replay", line["id"])[0] == 0
    # Then it is what the route makes of it today: two parts, each with a call of its own
    lines = wait_until(lambda: ended(hub, first, 3), what="three deliveries")
    assert sorted((one["status"], one["part"], one["isUndecided"]) for one in lines if one["route"] == "second") == [
        ("delivered", 0, False),
        ("delivered", 1, False),
    ]
    hub.delivered(later)
    assert len({key for key, *_ in sink.requests}) == 4
    assert [json.loads(body)["items"][0]["sku"] for _, _, body, _ in sink.requests][-1] == "B"  # it waited behind both
    assert sorted(one["seq"] for one in lines if one["route"] == "second") == [line["seq"], line["seq"] + 1]
    assert hub.ops("/conservation")["unaccounted"] == 0
    assert hub.ops(f"/messages/{first}/stages")["fault"] is None


def test_a_replay_ends_where_the_mended_route_does_not_take_it(start, sink):
    hub, folder = start("    when: level > 3")
    first = posted(hub, order("SO-1", level=None))
    assert by_route(hub, first)["second"] == [("dead", None)]
    # A replay without a mend changes nothing
    [line] = [line for line in hub.ops(f"/messages/{first}")["deliveries"] if line["route"] == "second"]
    hub.run("dead", "replay", line["id"])
    wait_until(lambda: delivery(hub, first, line["id"])["attempts"][1:], what="a second attempt")
    assert delivery(hub, first, line["id"])["status"] == "dead"
    write(folder, "    when: $exists(level) and level != null and level > 3")
    hub.apply()
    hub.run("dead", "replay", line["id"])
    wait_until(lambda: delivery(hub, first, line["id"])["status"] == "cancelled", what="its end")
    assert delivery(hub, first, line["id"])["why"]["reason"] == "declined"
    assert len(sink.requests) == 1


def test_a_later_one_on_the_key_waits_for_what_is_undecided(start):
    hub, _ = start("    when: level > 3")
    first = posted(hub, order("SO-1", level=None))
    assert by_route(hub, first)["second"] == [("dead", None)]
    [line] = [line for line in hub.ops(f"/messages/{first}")["deliveries"] if line["route"] == "second"]
    later = posted(
        hub, json.dumps({"orderNo": "SO-1", "items": [{"sku": "B", "quantity": 2}], "level": 1}).encode(), "m2"
    )
    assert [one["status"] for one in hub.ops(f"/messages/{later}")["deliveries"]] == ["pending"]
    answer = operator.post(
        f"{hub.url}/ops/v1/deliveries/cancel", json={"ids": [line["id"]], "by": "test", "why": "not wanted"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    assert delivery(hub, first, line["id"])["status"] == "cancelled"
    assert [one["status"] for one in hub.delivered(later)] == ["delivered"]
    assert hub.ops("/conservation")["unaccounted"] == 0


def delivery(hub, message_id, delivery_id):
    return next(line for line in hub.ops(f"/messages/{message_id}")["deliveries"] if line["id"] == delivery_id)


def ended(hub, message_id, number):
    lines = hub.ops(f"/messages/{message_id}")["deliveries"]
    return lines if len(lines) == number and all(line["status"] == "delivered" for line in lines) else None
