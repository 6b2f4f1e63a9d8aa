"""Addresses with holes, to the wire: deliveries, look-ups, synchronous questions, probes, previews. What would be
another path is never sent.
"""

import json

import pytest

from hub.core.message import Request
from hub.kit.matching import matched
from tests.support.answering import Target
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until


@pytest.fixture
def target():
    made = Target()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def start(tmp_path, target, store_url):
    """A hub whose warehouse is called by `call`; `edits` change its files."""
    hubs = []

    def started(call, edits=(), more=""):
        folder = small_workspace(
            tmp_path / "workspace",
            target.url,
            retry="{attempts: 3, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1h}",
        )
        system = folder / "adapters" / "warehouse" / "system.yaml"
        system.write_text(
            system.read_text("utf-8").replace("    call: POST /orders\n", f"    call: {call}\n{more}"), "utf-8"
        )
        for contract in folder.glob("adapters/*/contracts/order.*.json"):  # whatever a number may be
            contract.write_text(
                contract.read_text("utf-8").replace('"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", ', ""), "utf-8"
            )
        for file, old, new in edits:
            path = folder / file
            assert old in path.read_text("utf-8"), (file, old)
            path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
        hubs.append(HubProcess(folder, store_url).start())
        return hubs[-1]

    yield started
    for hub in hubs:
        hub.stop()


def post(caller, number):
    body = json.dumps({"orderNo": number, "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()
    return caller.post("/api/v1/shop/order.placed", body, number.encode().hex() or "none").json()["data"]["messageId"]


def ended(hub, message_id):
    def look():
        [line] = hub.ops(f"/messages/{message_id}")["deliveries"]
        return line if line["status"] not in ("pending", "leased") else None

    return wait_until(look, seconds=20, what="the end of the delivery")


def test_each_order_goes_to_its_own_address_or_nowhere(start, target):
    hub = start("PUT /orders/{orderNo}?lines={$count(items)}")
    caller = hub.caller("shop")
    for number, path in {"SO-1": "/orders/SO-1?lines=1", "A/B?c 单": "/orders/A%2FB%3Fc%20%E5%8D%95?lines=1"}.items():
        line = ended(hub, post(caller, number))
        assert line["status"] == "delivered", line
        assert target.seen[-1][:2] == ("PUT", path)
        assert line["attempts"][0]["url"] == target.url + path
        assert json.loads(target.seen[-1][2])["orderNo"] == number
    # What would lead elsewhere is dead with its field, and nothing was sent
    for number in ("..", "%2e%2e", "../admin", "a/../../b", "."):
        before = len(target.seen)
        message_id = post(caller, number)
        line = ended(hub, message_id)
        assert (line["status"], line["why"]["reason"], line["why"]["field"], len(target.seen)) == (
            "dead",
            "transform_error",
            "/orderNo",
            before,
        ), line
        [stages] = hub.ops(f"/messages/{message_id}/stages")["deliveries"]
        assert (stages["call"], stages["fault"]["field"]) == ("", "/orderNo")
    # People see the filled address
    [stages] = hub.ops(f"/messages/{post(caller, 'SO-1')}/stages")["deliveries"]  # the same order is the same message
    assert stages["call"] == "PUT /orders/SO-1?lines=1"
    assert "/orders/SO-1?lines=1" in stages["sent"]["curl"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_get_asks_by_its_address_alone(start, target):
    hub = start('"GET /orders?no={orderNo}&key={key}"')
    line = ended(hub, post(hub.caller("shop"), "SO-1"))
    method, path, body, headers = target.seen[0]
    assert (line["status"], method, path, body) == ("delivered", "GET", f"/orders?no=SO-1&key={line['id']}", b"")
    assert "content-type" not in headers
    assert headers["idempotency-key"] == line["id"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_look_up_asks_by_its_address(start, target):
    enrich = "    enrich:\n      known: {call: warehouse/order.create@1, with: {orderNo: orderNo, items: items}, on_fail: retry}\n"
    hub = start(
        "PUT /orders/{orderNo}",
        [("routes.yaml", "    from: shop/order.placed\n", f"    from: shop/order.placed\n{enrich}")],
    )
    caller = hub.caller("shop")
    assert ended(hub, post(caller, "SO-1"))["status"] == "delivered"
    assert [one[1] for one in target.seen] == ["/orders/SO-1", "/orders/SO-1"]
    line = ended(hub, post(caller, ".."))
    assert (line["status"], line["why"]["reason"], len(target.seen)) == ("dead", "lookup_failed", 2)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_caller_that_waits_asks_by_an_address(start, target):
    sync = "    mode: sync\n    deadline: 2s\n    from: shop/order.placed\n"
    hub = start("GET /orders/{orderNo}", [("routes.yaml", "    from: shop/order.placed\n", sync)])
    caller = hub.caller("shop")
    target.answer = lambda _n, _body: (
        200,
        {"content-type": "application/json;charset=GBK"},
        '{"state":"已发货","id":18446744073709551615}'.encode("gbk"),
        0,
    )
    body = b'{"orderNo":"SO-1","items":[{"sku":"SKU-1","quantity":1}]}'
    answer = caller.post("/api/v1/shop/order.placed", body, "k-1")
    assert (answer.status_code, answer.json()["data"]) == (200, {"state": "已发货", "id": 18446744073709551615})
    assert target.seen[0][:3] == ("GET", "/orders/SO-1", b"")
    # A repeat has the same answer, and one that cannot be asked is told so, unsent
    assert caller.post("/api/v1/shop/order.placed", body, "k-1").json()["data"] == answer.json()["data"]
    answer = caller.post("/api/v1/shop/order.placed", body.replace(b"SO-1", b".."), "k-2")
    assert (answer.status_code, len(target.seen)) == (502, 1)
    assert "dot segment" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "query", "found"),
    [
        ("PUT", "/orders/SO-1", "", ("PUT /orders/{orderNo}", {"orderNo": "SO-1"})),
        ("PUT", "/orders/a%2Fb", "", ("PUT /orders/{orderNo}", {"orderNo": "a/b"})),
        ("PUT", "/orders/cancel", "", ("PUT /orders/cancel", {})),
        ("GET", "/stock", "sku=A%26b&other=1", ("GET /stock?sku={sku}&depot={depot.code}", {"sku": "A&b"})),
        ("PUT", "/orders/a/b", "", None),
        ("POST", "/orders/a", "", None),
    ],
)
def test_a_sandbox_understands_the_same_addresses(method, path, query, found):
    calls = ["PUT /orders/{orderNo}", "PUT /orders/cancel", "GET /stock?sku={sku}&depot={depot.code}"]
    assert matched(calls, Request(method, path, query, (), b"", "")) == found
