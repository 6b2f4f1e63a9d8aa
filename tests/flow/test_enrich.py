"""Look-ups before the mapping, between a real hub and real targets: asked once, recorded, cached, and honest when there
is no answer.
"""

import json

import pytest

from hub.catalog import check
from tests.support.hubs import HubProcess, Sink, small_workspace

STOCK = """\
name: stock
title: Stock
owner: stock-team
accepts:
  stock.query:
    about: How much there is of one article.
    versions: {1: {state: current}}
    call: POST /query
settings:
  url: {help: Root of the stock's API, default: "URL"}
"""
CONTRACT = '{"type": "object", "additionalProperties": false, "required": ["sku"], "properties": {"sku": {"type": "string", "maxLength": 20}}}'
MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"


class Counter:
    """Answers stock queries, and takes orders; `fail` says how often a query fails first."""

    def __init__(self):
        self.fail = 0
        self.status = 503

    def __call__(self, number, key):
        if self.sink.requests[number - 1][1] != "/query":
            return 200, {}, b"{}"
        if self.fail:
            self.fail -= 1
            return self.status, {}, b"{}"
        return 200, {}, b'{"available": 9007199254740993, "place": "A-01"}'


@pytest.fixture
def sink():
    counter = Counter()
    made = Sink(counter)
    counter.sink = made
    yield made
    made.shutdown()
    made.server_close()


def queries(sink):
    return [json.loads(body) for _, path, body, _ in sink.requests if path == "/query"]


def orders(sink):
    return [json.loads(body) for _, path, body, _ in sink.requests if path == "/orders"]


def workspace(tmp_path, sink, more=""):
    folder = small_workspace(tmp_path / "workspace", sink.url)
    stock = folder / "adapters" / "stock"
    (stock / "contracts").mkdir(parents=True)
    (stock / "system.yaml").write_text(STOCK.replace("URL", sink.url), "utf-8")
    (stock / "contracts" / "stock.query.v1.json").write_text(CONTRACT, "utf-8")
    routes = folder / "routes.yaml"
    enrich = f"    enrich:\n      stock: {{call: stock/stock.query, with: {{sku: 'items[0].sku'}}{more}}}\n"
    routes.write_text(routes.read_text("utf-8").replace("    to: [", enrich + "    to: ["), "utf-8")
    target = folder / "adapters" / "warehouse" / "contracts" / "order.create.v1.json"
    extra = '"properties": {"place": {"type": "string"}, "available": {"type": "integer"},'
    target.write_text(target.read_text("utf-8").replace('"properties": {', extra, 1), "utf-8")
    mapping = folder / MAPPING
    text = mapping.read_text("utf-8").replace(
        "  orderNo: orderNo\n", "  orderNo: orderNo\n  place: $stock.place\n  available: $stock.available\n", 1
    )
    text = text.replace(
        "    expect: {orderNo: SO-1}",
        "    lookups: {stock: {place: B-02, available: 1}}\n    expect: {orderNo: SO-1, place: B-02}",
    )
    mapping.write_text(text, "utf-8")
    return folder


@pytest.fixture
def start(tmp_path, sink, store_url):
    hubs = []

    def make(more="", change=lambda folder: folder):
        hubs.append(HubProcess(change(workspace(tmp_path, sink, more)), store_url).start())
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.stop()


def order(number, sku="SKU-1"):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": sku, "quantity": 1}]}).encode()


def post(hub, *bodies):
    caller = hub.caller("shop")
    return [
        caller.post("/api/v1/shop/order.placed", body, f"m{number}").json()["data"]["messageId"]
        for number, body in enumerate(bodies)
    ]


def test_what_was_looked_up_stands_in_the_order_with_all_its_digits(start, sink):
    hub = start()
    [message_id] = post(hub, order(1))
    [line] = hub.delivered(message_id)
    assert line["status"] == "delivered"
    assert queries(sink) == [{"sku": "SKU-1"}]
    assert orders(sink) == [
        {"orderNo": "SO-1", "place": "A-01", "available": 9007199254740993, "items": [{"sku": "SKU-1", "quantity": 1}]}
    ]
    # And what was seen can be seen again: it is recorded
    stages = hub.ops(f"/messages/{message_id}/stages")
    assert stages["deliveries"][0]["stages"][-1]["body"]["place"] == "A-01"


def test_a_failed_look_up_is_tried_again_by_the_routes_retry_and_the_order_was_not_sent(start, sink):
    sink.script.fail = 1
    hub = start()
    [message_id] = post(hub, order(1))
    [line] = hub.delivered(message_id)
    assert (line["status"], [one["outcome"] for one in line["attempts"]]) == ("delivered", ["retry", "delivered"])
    assert line["attempts"][0]["why"]["reason"] == "lookup_failed"
    assert len(orders(sink)) == 1


def test_the_same_question_is_asked_once_while_the_cache_holds(start, sink):
    hub = start(", cache: 60s")
    ids = post(hub, *(order(number) for number in range(8)), order(9, "SKU-2"))
    assert {line["status"] for message_id in ids for line in hub.delivered(message_id)} == {"delivered"}
    assert sorted(one["sku"] for one in queries(sink)) == ["SKU-1", "SKU-2"]


@pytest.mark.parametrize(("longest", "status"), [(9, "delivered"), (2, "held")])
def test_an_answer_that_is_not_the_message_it_should_be_goes_by_on_fail(start, sink, tmp_path, longest, status):
    stock = tmp_path / "workspace" / "adapters" / "stock"
    told = {
        "type": "object",
        "required": ["place"],
        "properties": {"available": {"type": "integer"}, "place": {"type": "string", "maxLength": longest}},
    }

    def with_reply(folder):
        (stock / "contracts" / "stock.told.v1.json").write_text(json.dumps(told), "utf-8")
        emits = "emits:\n  stock.told:\n    about: How much there is.\n    versions: {1: {state: current}}\naccepts:"
        (stock / "system.yaml").write_text(
            (stock / "system.yaml").read_text("utf-8").replace("accepts:", emits), "utf-8"
        )
        return folder

    hub = start(", reply: stock/stock.told@1, on_fail: hold", with_reply)
    [message_id] = post(hub, order(1))
    [line] = hub.delivered(message_id)
    assert (line["status"], len(orders(sink))) == (status, int(status == "delivered"))
    if status == "held":
        assert "does not fit stock/stock.told@1: /place" in line["why"]["text"]


@pytest.mark.parametrize(
    ("on_fail", "status", "sent"), [("hold", "held", 0), ("dead", "dead", 0), ("skip", "delivered", 1)]
)
def test_on_fail_says_what_becomes_of_the_order(start, sink, on_fail, status, sent):
    sink.script.fail = 1
    hub = start(f", on_fail: {on_fail}")
    [message_id] = post(hub, order(1))
    [line] = hub.delivered(message_id)
    assert (line["status"], len(orders(sink))) == (status, sent)
    if on_fail == "skip":
        assert orders(sink) == [{"orderNo": "SO-1", "items": [{"sku": "SKU-1", "quantity": 1}]}]
    else:
        # A person sends it on: it is asked again, and goes
        assert hub.json("dead", "replay", line["id"]) == {line["id"]: "reopened"}
        [line] = hub.delivered(message_id)
        assert line["status"] == "delivered"


def test_a_question_that_does_not_fit_its_contract_is_never_asked(start, sink):
    hub = start()
    [message_id] = post(hub, order(1, "S" * 40))
    [line] = hub.delivered(message_id)
    assert (line["status"], line["why"]["field"]) == ("dead", "/sku")
    assert sink.requests == []


@pytest.mark.parametrize(
    ("sound", "broken", "word"),
    [
        ("call: stock/stock.query", "call: stock/stock.qery", "did you mean stock.query"),
        ("call: stock/stock.query", "call: stok/stock.query", "did you mean stock"),
        ("items[0].sku", "items[0].sku +", "expression"),
        ("      stock: {", "      source: {", "a name such as stock"),
        ("call:", "cal:", "did you mean call"),
    ],
)
def test_a_wrong_look_up_is_a_finding_at_its_place(tmp_path, sink, sound, broken, word):
    folder = workspace(tmp_path, sink)
    routes = folder / "routes.yaml"
    assert check(folder) == []
    routes.write_text(routes.read_text("utf-8").replace(sound, broken), "utf-8")
    [found] = [one for one in check(folder) if one.level == "error"]
    assert word in f"{found.text} {found.fix}"
    assert found.file == "routes.yaml"
    assert found.line > 10
