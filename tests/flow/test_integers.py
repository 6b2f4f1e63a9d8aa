"""Integers in another spelling, from a post to the wire: copied, mapped, upgraded, split, in keys, in addresses, in
look-ups and in batches.
"""

import json

import pytest

from tests.support.answering import Target
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until

SPELLINGS = (b"100", b"100.0", b"1E+2", b"1e2", b"100.00", b"1000e-1")


@pytest.fixture
def target():
    made = Target()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def start(tmp_path, target):
    hubs = []

    def started(*edits):
        folder = small_workspace(tmp_path / "workspace", target.url)
        for file, old, new in edits:
            for path in folder.glob(file):
                text = path.read_text("utf-8")
                assert old in text, (file, old)
                path.write_text(text.replace(old, new, 1), "utf-8")
        hubs.append(HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3").start())
        return hubs[-1]

    yield started
    for hub in hubs:
        hub.stop()


MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
ORDER_NO = '"orderNo": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", "maxLength": 64}'
NUMBER = '"orderNo": {"type": "integer"}'
NUMBERED = [
    ("adapters/*/contracts/order.*.json", ORDER_NO, NUMBER),
    ("adapters/shop/samples/*/*.json", '"SO-1"', "1"),
    (MAPPING, "expect: {orderNo: SO-1}", "expect: {orderNo: 1}"),
]


def posted(hub, target, bodies, number):
    caller = hub.caller("shop")
    answers = [caller.post("/api/v1/shop/order.placed", body, f"k{place}").json() for place, body in enumerate(bodies)]
    wait_until(lambda: len(target.seen) >= number, seconds=20, what="the calls")
    return [answer["data"] for answer in answers]


@pytest.mark.parametrize(
    "mapped",
    ["quantity", "quantity + 0", "$number(quantity)", "{when: quantity > 0, value: quantity, otherwise: quantity}"],
)
def test_each_spelling_reaches_the_target_as_an_integer(start, target, mapped):
    hub = start((MAPPING, "quantity: quantity", f"quantity: {mapped}"))
    posted(
        hub,
        target,
        [b'{"orderNo":"SO-%d","items":[{"sku":"A","quantity":%s}]}' % (n, one) for n, one in enumerate(SPELLINGS)],
        len(SPELLINGS),
    )
    assert sorted({one[2].partition(b'"quantity":')[2] for one in target.seen}) == [b"100}]}"]


def test_keys_orders_and_addresses_know_one_number(start, target):
    hub = start(*NUMBERED, ("adapters/warehouse/system.yaml", "call: POST /orders", "call: PUT /orders/{orderNo}"))
    answers = posted(hub, target, [b'{"orderNo":%s,"items":[{"sku":"A","quantity":1}]}' % one for one in SPELLINGS], 1)
    # They are one order: the same key, the same content
    assert [answer["duplicate"] for answer in answers] == [False, *[True] * (len(SPELLINGS) - 1)]
    message = hub.ops(f"/messages/{answers[0]['messageId']}")
    assert message["keys"] == {"orderNo": "100"}
    assert [one[:2] for one in target.seen] == [("PUT", "/orders/100")]
    assert json.loads(target.seen[0][2])["orderNo"] == 100
    # One by its number is found, however it was written first
    [answer] = posted(hub, target, [b'{"orderNo":2.5E+1,"items":[{"sku":"A","quantity":1}]}'], 2)
    assert not answer["duplicate"]
    assert target.seen[1][:2] == ("PUT", "/orders/25")


def test_a_split_makes_one_part_of_equal_numbers(start, target):
    split = "    from: shop/order.placed\n    split: {list: items, by: quantity}\n"
    hub = start(("routes.yaml", "    from: shop/order.placed\n", split))
    items = b",".join(b'{"sku":"S%d","quantity":%s}' % (n, one) for n, one in enumerate((*SPELLINGS, b"2")))
    posted(hub, target, [b'{"orderNo":"SO-1","items":[%s]}' % items], 2)
    assert sorted(len(json.loads(one[2])["items"]) for one in target.seen) == [1, len(SPELLINGS)]


def test_a_look_up_asks_with_integers(start, target):
    enrich = "    from: shop/order.placed\n    enrich:\n      known: {call: warehouse/order.create@1, with: {orderNo: orderNo, items: items}, on_fail: retry}\n"
    hub = start(("routes.yaml", "    from: shop/order.placed\n", enrich))
    posted(hub, target, [b'{"orderNo":"SO-1","items":[{"sku":"A","quantity":1E+2}]}'], 2)
    assert [b'"quantity":100}' in one[2] for one in target.seen] == [True, True]


def test_a_batch_carries_integers(start, target):
    batch = "    to:\n      - warehouse/order.create@1: {batch: {size: 2, within: 1s}}\n"
    hub = start(("routes.yaml", "    to: [warehouse/order.create@1]\n", batch))
    posted(
        hub,
        target,
        [
            b'{"orderNo":"SO-%d","items":[{"sku":"A","quantity":%s}]}' % (n, one)
            for n, one in enumerate((b"1e2", b"100.0"))
        ],
        1,
    )
    assert target.seen[0][2].count(b'"quantity":100}') == 2
