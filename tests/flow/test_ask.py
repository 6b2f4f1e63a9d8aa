"""Synchronous routes, between a real hub and a real target: the caller waits, and the exchange is recorded all the
same.
"""

import contextlib
import json
import threading
import time

import pytest
import requests

from hub.catalog import check
from tests.support.hubs import HubProcess, Sink, small_workspace

ROUTE = """\
  stock-query:
    about: The shop asks the warehouse, and waits.
    owner: fulfilment
    mode: sync
    from: shop/order.placed
    deadline: 1s
    to: [warehouse/order.create@1]
"""


class Answers:
    """What the target says, and how long it takes."""

    def __init__(self):
        self.status, self.body, self.seconds = 200, b'{"available": 12345678901234567890.10}', 0.0

    def __call__(self, number, key):
        time.sleep(self.seconds)
        return self.status, {"content-type": "application/json"}, self.body


@pytest.fixture
def sink():
    made = Sink(Answers())
    yield made
    made.shutdown()
    made.server_close()


def workspace(tmp_path, sink, *, route=ROUTE, targets=""):
    folder = small_workspace(tmp_path / "workspace", sink.url)
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(text[: text.index("routes:\n")] + targets + "routes:\n" + route, "utf-8")
    system = folder / "adapters" / "shop" / "system.yaml"
    # a question may be asked again
    system.write_text(system.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    return folder


@pytest.fixture
def start(tmp_path, sink, store_url):
    hubs = []

    def make(**given):
        hubs.append(HubProcess(workspace(tmp_path, sink, **given), store_url).start())
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.stop()


def order(number=1):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()


def asked(caller, message_id="m1", number=1):
    return caller.post("/api/v1/shop/order.placed", order(number), message_id)


def line(hub, answer):
    message_id = answer.headers["x-crossdock-message"]
    [found] = hub.ops(f"/messages/{message_id}")["deliveries"]
    return found


def test_the_caller_gets_the_targets_answer_with_all_its_digits_and_it_is_recorded(start, sink):
    hub = start()
    answer = asked(hub.caller("shop"))
    assert answer.status_code == 200
    assert b'"available":12345678901234567890.10' in answer.content.replace(b" ", b"")
    found = line(hub, answer)
    assert (found["status"], len(found["attempts"]), sink.keys) == ("delivered", 1, [found["id"]])
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_what_one_caller_asked_is_not_told_to_another(start, sink, tmp_path):
    hub = start()
    system = tmp_path / "workspace" / "adapters" / "shop" / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace(
            "emits:\n  order.placed:\n", "emits:\n  order.placed:\n    dedupe_by: [orderNo]\n"
        ),
        "utf-8",
    )
    assert "dedupe_by" in system.read_text("utf-8")
    hub.apply()
    first, second = hub.caller("shop"), hub.caller("shop")
    told = asked(first, "m1")
    assert told.status_code == asked(first, "m2").status_code == 200
    answer = asked(second, "m1")
    # Either it is asked anew, for this caller, or it is refused: nothing of the first exchange is in it
    assert told.headers["x-crossdock-message"] not in answer.text + str(answer.headers)
    assert answer.status_code in (200, 409), answer.text


def test_what_the_caller_s_trace_carries_goes_on_to_the_target(start, sink):
    caller, body, trace = start().caller("shop"), order(), "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace}-00f067aa0ba902b7-01"
    for number, (given, told) in enumerate([("rojo=1,congo=t61", "rojo=1,congo=t61"), ("Not=ok", None), (None, None)]):
        assert (
            caller.post(
                "/api/v1/shop/order.placed", body, f"m{number}", traceparent=parent, tracestate=given
            ).status_code
            == 200
        )
        headers = sink.requests[-1][3]
        assert (headers["traceparent"].split("-")[1], headers.get("tracestate")) == (trace, told)
    # Without a trace of its own that is well-formed it is nobody's state
    caller.post("/api/v1/shop/order.placed", body, "m9", traceparent="00-x", tracestate="rojo=1")
    assert "tracestate" not in sink.requests[-1][3]


def test_a_synchronous_route_that_cannot_be_decided_tells_its_caller_and_the_others_go_on(start, sink):
    hub = start(
        route=ROUTE
        + "    when: items[0].quantity > items[0].sku\n"
        + ROUTE.replace("stock-query", "also").replace("    mode: sync\n", "").replace("    deadline: 1s\n", "")
    )
    answer = asked(hub.caller("shop"))
    assert (answer.status_code, "stock-query cannot decide" in answer.json()["message"]) == (502, True)
    lines = hub.delivered(answer.headers["x-crossdock-message"])
    assert {one["route"]: one["status"] for one in lines} == {"stock-query": "cancelled", "also": "delivered"}
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_the_same_question_under_the_same_key_has_the_same_answer_and_is_asked_once(start, sink):
    hub = start()
    caller = hub.caller("shop")
    first, again = asked(caller), asked(caller)
    assert (again.status_code, again.json()["data"]) == (200, first.json()["data"])
    assert len(sink.requests) == 1


def test_a_repeat_while_the_first_is_under_way_is_a_conflict_that_says_when(start, sink):
    sink.script.seconds = 0.7
    hub = start()
    caller, other = hub.caller("shop"), []
    thread = threading.Thread(target=lambda: other.append(asked(caller)))
    thread.start()
    time.sleep(0.3)
    answer = asked(caller)
    thread.join()
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (409, 40900, "1")
    assert other[0].status_code == 200


@pytest.mark.parametrize(
    ("status", "body", "seconds", "told", "reason"),
    [
        (503, b"{}", 0, 50200, "server_error"),
        (429, b"{}", 0, 50300, "throttled"),
        (422, b'{"message": "no such sku"}', 0, 50200, "refused"),
        (409, b'{"msg": "no such sku"}', 0, 50200, "refused"),
        (200, b"<html>", 0, 50200, "bad_answer"),
        (200, b"{}", 2, 50400, "no_answer"),
    ],
)
def test_what_goes_wrong_is_told_recorded_and_not_tried_again(start, sink, status, body, seconds, told, reason):
    sink.script.status, sink.script.body, sink.script.seconds = status, body, seconds
    hub = start()
    caller = hub.caller("shop")
    began = time.monotonic()
    answer = asked(caller)
    assert answer.json()["code"] == told
    assert "no such sku" not in answer.text  # a target's own words are for our people, beside the attempt
    assert time.monotonic() - began < 1.8
    found = line(hub, answer)
    assert (found["status"], found["why"]["reason"]) == ("cancelled", reason)
    time.sleep(1)
    assert len(sink.requests) == 1
    # And the same question gets the same no
    assert asked(caller).json()["code"] == told
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_an_earlier_answer_serves_where_the_target_gives_none_and_says_that_it_does(start, sink):
    hub = start(route=ROUTE + "    fallback: {cached: 60s}\n")
    caller = hub.caller("shop")
    first = asked(caller, "m1")
    sink.script.status = 503
    answer = asked(caller, "m2")
    assert (answer.status_code, answer.json()["data"]) == (200, first.json()["data"])
    assert answer.headers["x-crossdock-fallback"] == "cached"
    assert int(answer.headers["age"]) < 60
    # Another question has no earlier answer
    assert asked(caller, "m3", number=2).status_code == 502
    # A no is a no: what the target understood and refused is not glossed over
    sink.script.status = 422
    assert asked(caller, "m4").status_code == 502


def test_a_target_that_is_left_alone_costs_the_caller_no_time(start, sink):
    sink.script.status = 503
    hub = start(targets="targets:\n  warehouse: {breaker: {ratio: 50%, of: 3, open: 1h}}\n")
    caller = hub.caller("shop")
    codes = [asked(caller, f"m{number}").json()["code"] for number in range(6)]
    assert codes == [50200, 50200, 50200, 50300, 50300, 50300]
    assert len(sink.requests) == 3


def test_a_question_that_was_cut_by_a_kill_is_seen_as_unseen(start, sink):
    sink.script.seconds = 0.9
    hub = start()
    caller = hub.caller("shop")

    def ask():
        with contextlib.suppress(requests.ConnectionError):
            asked(caller)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.4)
    hub.kill()
    thread.join()
    hub.start()
    [row] = hub.ops("/messages")["items"]
    assert [one["status"] for one in row["deliveries"]] == ["leased"]
    assert hub.ops("/conservation")["unaccounted"] == 0


@pytest.mark.parametrize(
    ("sound", "broken", "word"),
    [
        ("    deadline: 1s\n", "", "no deadline"),
        ("    mode: sync\n", "", "mode: sync"),
        ("    deadline: 1s\n", "    deadline: 1s\n    split: {list: items}\n", "split has no meaning"),
        ("[warehouse/order.create@1]", "[warehouse/order.create@1, warehouse/order.create@1]", "one target"),
        ("[warehouse/order.create@1]", "[warehouse/order.create@1: {retry: {attempts: 3}}]", "retry has no meaning"),
        ("    deadline: 1s\n", "    deadline: 1s\n    answer: warehouse/order.create@1\n", "add reply"),
    ],
)
def test_a_wrong_sync_route_is_a_finding(tmp_path, sink, sound, broken, word):
    folder = workspace(tmp_path, sink)
    assert check(folder) == []
    routes = folder / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace(sound, broken), "utf-8")
    [found] = check(folder)
    assert word in f"{found.text} {found.fix}"


QUESTION = """\
{"type": "object", "additionalProperties": false, "required": ["sku"],
 "properties": {"sku": {"type": "string", "maxLength": 40}, "limit": {"type": "integer", "maximum": 100}}}
"""
ASKED = """\
  stock.query:
    about: How much of it is there?
    versions: {1: {state: current}}
    get: true
"""
ANSWERED = """\
  stock.look:
    about: How much of it is there?
    versions: {1: {state: current}}
    call: GET /stock
"""
READ = """\
  stock-read:
    about: The shop asks the warehouse by GET.
    owner: fulfilment
    mode: sync
    from: shop/stock.query
    deadline: 1s
    to: [warehouse/stock.look@1]
"""


def test_a_question_may_be_asked_by_get(tmp_path, sink, store_url):
    folder = workspace(tmp_path, sink, route=ROUTE + READ)
    for name, old, message, text in (
        ("shop", "auth:\n", "stock.query", ASKED),
        ("warehouse", "auth:\n", "stock.look", ANSWERED.replace("GET", "POST")),
    ):
        system = folder / "adapters" / name / "system.yaml"
        system.write_text(system.read_text("utf-8").replace(old, text + old, 1), "utf-8")
        (folder / "adapters" / name / "contracts" / f"{message}.v1.json").write_text(QUESTION, "utf-8")
    mapping = "from: shop/stock.query@1\nto: warehouse/stock.look@1\nfields: {sku: sku, limit: limit}\n"
    (folder / "mappings" / "shop.stock.query.v1--warehouse.stock.look.v1.yaml").write_text(mapping, "utf-8")
    assert [finding.text for finding in check(folder) if finding.level == "error"] == []
    hub = HubProcess(folder, store_url).start()
    try:
        caller = hub.caller("shop")
        answer = caller.get("/api/v1/shop/stock.query?sku=S%2F1&limit=5", "q1")
        assert (answer.status_code, sorted(answer.json()["data"])) == (200, ["available"])
        assert json.loads(sink.requests[-1][2]) == {"sku": "S/1", "limit": 5}
        assert line(hub, answer)["status"] == "delivered"
        again = caller.get("/api/v1/shop/stock.query?sku=S%2F1&limit=5", "q1")
        assert (again.status_code, len(sink.requests)) == (200, 1)
        wrong = [
            # a copied signature with another question
            (caller.get("/api/v1/shop/stock.query?sku=S%2F2", "q1"), 422, 42202),
            (caller.get("/api/v1/shop/stock.query?limit=many&sku=S", "q2"), 422, 42200),
            (caller.get("/api/v1/shop/stock.query?limit=5", "q3"), 422, 42200),
            (caller.get("/api/v1/shop/stock.query?sku=S&sku=T", "q4"), 400, 40008),
            (caller.get("/api/v1/shop/order.placed?orderNo=1", "q5"), 405, 40500),
            (caller.get("/api/v1/shop/stock.nothing", "q6"), 405, 40500),
            (requests.get(hub.url + "/api/v1/shop/stock.query?sku=S", timeout=10), 401, 40100),
        ]
        assert [(one.status_code, one.json()["code"]) for one, *_ in wrong] == [tuple(rest) for _, *rest in wrong]
        assert wrong[1][0].json()["details"][0]["pointer"] == "/limit"
        assert len(sink.requests) == 1
    finally:
        hub.stop()
