"""Several versions of one contract alive at once, between a real hub and a real target: negotiated, upgraded, counted,
retired (RFC 9745, RFC 8594).
"""

import json
import threading
from collections import Counter

import pytest

from hub.catalog import check
from tests.support.hubs import HubProcess
from tests.support.versioned import new_order, old_order, versioned
from tests.support.waiting import wait_until

PATH = "/api/shop/order.placed"


@pytest.fixture
def start(tmp_path, sink, store_url):
    hubs = []

    def make(**given):
        hubs.append(HubProcess(versioned(tmp_path / "workspace", sink.url, **given), store_url).start())
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.stop()


def one_sqlite(function):
    return pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)(function)


def test_an_old_message_is_upgraded_before_it_is_routed_and_both_arrive_alike(start, sink):
    hub = start()
    caller = hub.caller("shop")
    for body, version, message_id in ((old_order(1), 1, "m1"), (new_order(2), 2, "m2")):
        answer = caller.post(f"/api/v{version}/shop/order.placed", body, message_id)
        assert hub.delivered(answer.json()["data"]["messageId"])[0]["status"] == "delivered"
    assert [json.loads(body)["orderNo"] for _, _, body, _ in sorted(sink.requests, key=lambda one: one[2])] == [
        "NEW-2",
        "OLD-1",
    ]
    # The business key is the same for both, whatever the version calls it
    assert [row["version"] for row in hub.ops("/messages?key=OLD-1")["items"]] == [1]


@one_sqlite
def test_the_version_is_said_by_path_header_or_accept_else_pinned_else_the_newest(start):
    hub = start()
    caller = hub.caller("shop")
    made = hub.json("key", "create", "old", "--system", "shop", "--pin", "shop/order.placed=1")
    pinned = type(caller)(hub.url, made["key"], made["secret"])

    def version(who, body, message_id, path=PATH, **headers):
        answer = who.post(path, body, message_id, **headers)
        assert answer.status_code == 202, answer.text
        [row] = hub.ops(f"/messages?id={answer.json()['data']['messageId']}")["items"]
        return row["version"]

    assert version(caller, old_order(1), "m1", "/api/v1/shop/order.placed") == 1
    assert version(caller, old_order(2), "m2", api_version="1") == 1
    assert version(caller, old_order(3), "m3", accept="application/vnd.crossdock.v1+json") == 1
    assert version(caller, new_order(4), "m4") == 2
    assert version(pinned, old_order(5), "m5") == 1
    assert version(pinned, new_order(6), "m6", "/api/v2/shop/order.placed") == 2
    assert version(caller, old_order(8), "m8", accept="application/VND.crossdock.V1+json") == 1
    # What is meant as a version and cannot be read is not taken for silence
    for number, accept in enumerate(
        ("application/vnd.crossdock.v0+json", "application/vnd.crossdock.v99999+json", "application/vnd.crossdock+json")
    ):
        assert caller.post(PATH, new_order(20 + number), f"a{number}", accept=accept).status_code == 400
    # What contradicts itself is refused, with what to write
    answer = caller.post("/api/v2/shop/order.placed", new_order(7), "m7", api_version="1")
    assert (answer.status_code, answer.json()["code"]) == (400, 40000)
    assert "1, 2" in answer.json()["details"][0]["got"]


@one_sqlite
def test_a_deprecated_version_says_when_it_ends_and_what_comes_after(start):
    answer = start().caller("shop").post("/api/v1/shop/order.placed", old_order(1), "m1")
    assert answer.headers["deprecation"] == "@1780272000"
    assert answer.headers["sunset"] == "Tue, 01 Dec 2099 00:00:00 GMT"
    assert answer.headers["link"] == '</api/v2/shop/order.placed>; rel="successor-version"'


ENDS = {
    "deprecation": "@1780272000",
    "sunset": "Tue, 01 Dec 2099 00:00:00 GMT",
    "link": '</api/v2/shop/order.placed>; rel="successor-version"',
}


@one_sqlite
def test_a_refused_post_under_a_deprecated_version_is_told_too(start):
    hub = start()
    caller = hub.caller("shop")
    made = hub.json("key", "create", "old", "--system", "shop", "--pin", "shop/order.placed=1")
    pinned = type(caller)(hub.url, made["key"], made["secret"])
    bad, twice = b'{"orderNo": 1}', b'{"orderNo":"S","items":[{"sku":"A","quantity":1},{"sku":"A","quantity":1}]}'
    assert caller.post("/api/v1/shop/order.placed", old_order(1), "once").status_code == 202

    def ends(answer):
        return answer.status_code, {name: answer.headers[name] for name in ENDS if name in answer.headers}

    # By the contract, by its rules, by the decoder, by a key that was used; single and whole batches, and those in part
    assert ends(caller.post("/api/v1/shop/order.placed", bad, "m1")) == (422, ENDS)
    assert ends(caller.post("/api/v1/shop/order.placed", twice, "m2")) == (422, ENDS)
    assert ends(caller.post("/api/v1/shop/order.placed", b"{", "m3")) == (400, ENDS)
    assert ends(caller.post("/api/v1/shop/order.placed", old_order(2), "once")) == (422, ENDS)
    assert ends(pinned.post(PATH, bad, "m4", accept="application/problem+json")) == (422, ENDS)
    assert ends(caller.post("/api/v1/shop/order.placed/batch", b"[%b]" % bad, "m5")) == (422, ENDS)
    assert ends(caller.post("/api/v1/shop/order.placed/batch", b"[]", "m6")) == (422, ENDS)
    assert ends(caller.post("/api/v1/shop/order.placed/batch", b"[%b,%b]" % (bad, old_order(3)), "m7")) == (202, ENDS)
    # Not of the current version, and nothing to whoever is not known
    assert ends(caller.post("/api/v2/shop/order.placed", bad, "m8")) == (422, {})
    assert ends(type(caller)(hub.url, caller.key, "wrong").post("/api/v1/shop/order.placed", bad, "m9")) == (401, {})


@one_sqlite
@pytest.mark.parametrize(
    ("state", "status", "code", "word"),
    [("retired", 410, 41000, "version 2"), ("draft", 404, 40400, "is a draft"), ("shadow", 404, 40400, "is a shadow")],
)
def test_a_version_that_is_not_live_is_not_taken_and_says_why(start, state, status, code, word):
    answer = (
        start(states=f"{{1: {{state: {state}}}, 2: {{state: current}}}}")
        .caller("shop")
        .post("/api/v1/shop/order.placed", old_order(1), "m1")
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert word in answer.json()["message"]
    assert (state == "retired") == ("successor-version" in answer.headers.get("link", ""))


def shadow_counts(hub):
    return [
        (count["seen"], count["refused"])
        for count in hub.json("contracts", "usage")["shadows"].get("shop/order.placed@2", {}).values()
    ]


@one_sqlite
def test_a_version_in_shadow_refuses_nothing_and_says_what_it_would(start, tmp_path):
    # Given a version 2 in shadow, which takes at most 1000000 of one article, and gets them by the upgrade
    hub = start(states="{1: {state: current}, 2: {state: shadow}}")
    caller = hub.caller("shop")
    long = json.dumps({"orderNo": "OLD-2", "items": [{"sku": "S" * 64, "quantity": 1}]}).encode()
    for number, body in enumerate((old_order(1), long)):
        assert caller.post("/api/v1/shop/order.placed", body, f"m{number}").status_code == 202
    wait_until(lambda: shadow_counts(hub) == [(2, 0)], what="the counts of both")


@one_sqlite
def test_what_a_shadow_would_refuse_is_counted_by_place(start, tmp_path, sink):
    folder = versioned(tmp_path / "strict", sink.url, states="{1: {state: current}, 2: {state: shadow}}")
    contract = folder / "adapters" / "shop" / "contracts" / "order.placed.v2.json"
    contract.write_text(
        contract.read_text("utf-8").replace(
            '"maxLength": 64},\n          "quantity"', '"maxLength": 5},\n          "quantity"'
        ),
        "utf-8",
    )
    mapping = folder / "mappings" / "shop.order.placed.v1--shop.order.placed.v2.yaml"
    meant = "quantity: quantity}}  # check: ignore E520 what the shadow is to show"
    mapping.write_text(mapping.read_text("utf-8").replace("quantity: quantity}}", meant), "utf-8")
    hub = start(states="{1: {state: current}, 2: {state: shadow}}")
    hub.environment["HUB_WORKSPACE"] = str(folder)
    hub.apply()
    caller = hub.caller("shop")
    items = [{"sku": "SKU-1", "quantity": 1}, {"sku": "SKU-123456", "quantity": 1}]

    def refused():
        # Another order each time: the first may still meet the configuration before.
        posted.append(f"OLD-{len(posted)}")
        caller.post(
            "/api/v1/shop/order.placed", json.dumps({"orderNo": posted[-1], "items": items}).encode(), posted[-1]
        )
        found = hub.json("contracts", "usage")["shadows"].get("shop/order.placed@2", {})
        return next((seen for seen in found.values() if seen["refused"]), None)

    posted = []
    seen = wait_until(refused, what="a refusal in shadow")
    assert seen["places"] == {"/lines/*/sku": seen["refused"]}


def test_a_version_without_a_way_is_a_finding(tmp_path, sink):
    folder = versioned(tmp_path, sink.url)
    assert check(folder) == []
    (folder / "mappings" / "shop.order.placed.v1--shop.order.placed.v2.yaml").unlink()
    breaks, found = check(folder)
    assert (found.code, found.file) == ("E601", "routes.yaml")
    assert "shop/order.placed@1" in found.text
    assert (breaks.code, breaks.fix) == ("W806", "draft it: hub new mapping shop/order.placed@1 shop/order.placed@2")


def test_a_published_version_never_changes(tmp_path, sink):
    folder = versioned(tmp_path, sink.url)
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3")
    assert sorted(hub.json("contracts", "lock")["locked"]) == [
        "order.create.v1.json",
        "order.placed.v1.json",
        "order.placed.v2.json",
    ]
    assert hub.json("contracts", "lock") == {"locked": []}
    assert check(folder) == []
    contract = folder / "adapters" / "shop" / "contracts" / "order.placed.v1.json"
    contract.write_text(contract.read_text("utf-8").replace("1000000", "2000000"), "utf-8")
    [found] = [one for one in check(folder) if one.code != "E527"]  # the upgrade does not fit it either
    assert (found.code, found.file) == ("E404", "adapters/shop/contracts/order.placed.v1.json")


def test_ten_thousand_messages_of_both_versions_at_once(start, sink):
    # Given two callers of the old version and one of the new, when ten thousand orders are posted at once
    hub = start()
    callers = {name: hub.caller("shop") for name in ("old-a", "old-b", "new")}
    plan = {
        "old-a": (1, old_order, range(3_000)),
        "old-b": (1, old_order, range(3_000, 5_000)),
        "new": (2, new_order, range(5_000)),
    }
    told = Counter()

    def post(name):
        version, order, numbers = plan[name]
        for start_ in range(numbers.start, numbers.stop, 500):
            body = b"[" + b",".join(order(number) for number in range(start_, start_ + 500)) + b"]"
            answer = callers[name].post(f"/api/v{version}/shop/order.placed/batch", body, f"{name}-{start_}")
            told[name] += answer.json()["data"]["accepted"]

    threads = [threading.Thread(target=post, args=(name,)) for name in plan]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {"old-a": 3_000, "old-b": 2_000, "new": 5_000}
    # Then all are delivered, each once, whatever its version
    wait_until(
        lambda: hub.ops("/conservation")["deliveries"]["delivered"] == 10_000,
        seconds=120,
        what="ten thousand deliveries",
    )
    assert len(set(sink.keys)) == 10_000
    assert Counter(json.loads(body)["orderNo"].split("-")[0] for _, _, body, _ in sink.requests) == {
        "OLD": 5_000,
        "NEW": 5_000,
    }
    assert hub.ops("/conservation")["unaccounted"] == 0
    # And the books of usage are right, per caller, version and field
    wait_until(
        lambda: sum(one["number"] for one in hub.json("contracts", "usage")["used"]) == 10_000, what="the counts"
    )
    used = {
        (one["version"], one["field"]): one["number"]
        for one in hub.json("contracts", "usage", "--by", "field")["used"]
        if one["version"].endswith("@2")
    }
    assert used == {
        ("shop/order.placed@2", field): number
        for field, number in {
            "": 5_000,
            "/orderNumber": 5_000,
            "/lines": 5_000,
            "/lines/*/sku": 5_000,
            "/lines/*/quantity": 5_000,
            "/lines/*/gift": 2_500,
        }.items()
    }
    old = [one["number"] for one in hub.json("contracts", "usage", "shop/order.placed@1")["used"]]
    assert old == [3_000, 2_000]
    # And the old one may not go while it is used, and may once it was quiet for long enough
    code, out, _ = hub.run("contracts", "can-retire", "shop/order.placed@1", "--json")
    found = json.loads(out)
    assert (code, found["canRetire"], len(found["reasons"])) == (1, False, 2)
    assert {one["number"] for one in found["used"]} == {3_000, 2_000}
    wait_until(
        lambda: hub.run("contracts", "can-retire", "shop/order.placed@1", "--quiet", "1s", "--json")[0] == 0,
        what="a quiet second",
    )
    assert hub.run("contracts", "can-retire", "shop/order.placed@2", "--quiet", "1s", "--json")[0] == 0
