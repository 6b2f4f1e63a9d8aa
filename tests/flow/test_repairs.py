"""Repairs in running hubs: preview, candidate and current revision, canary, rate, stop, processes that are killed, and
editing (promise P11, fault F79).
"""

import json
import os
import re
import threading
import time
from dataclasses import replace

import pytest

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead
from hub.store import open_store
from tests.support.hubs import HubProcess, operator, small_workspace
from tests.support.making import claim, laid, settled
from tests.support.waiting import wait_until

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
SOUND, BROKEN = "quantity: quantity}", 'quantity: "quantity - 1"}'
WHY = Cause(Reason.REFUSED, "no", fix="Mend it.")
MANY = int(os.environ.get("HUB_HERD", "2000"))  # make herd: 10 000


@pytest.fixture
def hub(tmp_path, sink, store_url):
    made = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url, hub_sweep=0.1, hub_lease=12)
    made.folder = tmp_path / "workspace"
    yield made
    made.stop()


def change(hub, sound, other):
    path = hub.folder / MAPPING
    text = path.read_text("utf-8")
    assert sound in text
    path.write_text(text.replace(sound, other), "utf-8")


def post(hub, path, document=None, **headers):
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return operator.post(
        f"{hub.url}/ops/v1{path}", json=document if document is not None else {"by": "ann"}, headers=given, timeout=30
    )


def dead_orders(hub, number, quantity=1):
    """So many orders that the mapping could not make; it is broken for a quantity of one."""
    orders = [{"orderNo": f"R-{place}", "items": [{"sku": "S", "quantity": quantity}]} for place in range(number)]
    answer = hub.caller("shop").post("/api/v1/shop/order.placed/batch", json.dumps(orders).encode(), "batch")
    assert answer.status_code == 202, answer.text
    wait_until(lambda: books(hub).get("dead") == number, seconds=90, what="the dead ones")


def books(hub):
    return {status: count for status, count in hub.ops("/conservation")["deliveries"].items() if count}


def repaired(hub, id_, *states, seconds=90):
    return wait_until(
        lambda: next((one for one in [hub.ops(f"/repairs/{id_}")] if one["state"] in states), None),
        seconds=seconds,
        what=f"{states}",
    )


def store_dead(store_url, revision, number):
    """So many dead deliveries, written without a hub; each under a key of its own."""
    store = open_store(store_url)
    for start in range(0, number, 1_000):
        batch = []
        for place in range(start, min(start + 1_000, number)):
            raw = b'{"orderNo":"F-%d","items":[{"sku":"S","quantity":1}]}' % place
            one = laid(order_key=f"F-{place}", keys=(("orderNo", f"F-{place}"),), raw=raw)
            batch.append(replace(one, message=replace(one.message, revision=revision)))
        store.add(batch)
        while claims := claim(store, size=1_000):
            store.settle([settled(one, Dead(WHY)) for one in claims])
    store.close()


def test_500_dead_after_a_mapping_fault_are_previewed_tried_on_a_few_and_repaired_with_a_candidate_over_a_kill(
    hub, sink
):
    # Given 500 orders that a broken mapping could not make
    change(hub, SOUND, BROKEN)
    hub.start()
    broken = hub.ops("/revision")["active"]
    dead_orders(hub, 500)
    # When the mapping is mended and kept, without being active
    change(hub, BROKEN, SOUND)
    candidate = hub.json("repair", "candidate")["revision"]
    assert hub.ops("/revision")["active"] == broken
    assert [one["revision"] for one in hub.ops("/repairs/candidates")["items"]] == [candidate]
    cause = {"route": "orders", "reason": "transform_error", "field": "/items/0/quantity"}
    as_it_was = post(hub, "/repairs", {"selection": cause, "by": "ann", "why": "test"}).json()["data"]
    made = post(
        hub,
        "/repairs",
        {
            "selection": cause,
            "by": "ann",
            "why": "mended",
            "with": "candidate",
            "revision": candidate,
            "canary": 5,
            "rate": 200,
        },
    ).json()["data"]
    assert (made["state"], made["number"], made["results"]["waiting"]) == ("ready", 500, 500)
    # Then a preview tells that as it was all would be dead again, and with the candidate all would be made
    before = hub.ops(f"/repairs/{as_it_was['id']}/preview?limit=1000")
    assert before["counts"]["fault"] == 500
    assert [(one["reason"], one["field"], one["number"]) for one in before["faults"]] == [
        ("transform_error", "/items/0/quantity", 500)
    ]
    after = hub.ops(f"/repairs/{made['id']}/preview?limit=1000")
    assert (after["counts"]["made"], after["counts"]["fault"], after["next"]) == (500, 0, None)
    assert after["items"][0]["payload"]["items"] == [{"sku": "S", "quantity": 1}]
    assert after["items"][0]["before"]["field"] == "/items/0/quantity"
    assert books(hub) == {"dead": 500}
    # When it is started, then five go and a person is waited for
    post(hub, f"/repairs/{made['id']}/start")
    waiting = repaired(hub, made["id"], "waiting", "failed")
    assert (waiting["results"]["delivered"], waiting["results"]["waiting"]) == (5, 495)
    assert len(set(sink.keys)) == 5
    # When the rest goes, and the process is killed in the midst of it
    post(hub, f"/repairs/{made['id']}/continue")
    wait_until(lambda: len(sink.keys) > 100, seconds=60, what="the midst")
    hub.kill()
    assert len(set(sink.keys)) < 500
    hub.start()
    # Then the next one goes on, and each has its result; what makes it stands on it and on its attempt
    done = repaired(hub, made["id"], "done", seconds=150)
    assert done["results"] | {"delivered": 500} == done["results"]
    assert len(set(sink.keys)) == 500
    assert books(hub) == {"delivered": 500}
    assert hub.ops("/conservation")["unaccounted"] == 0
    row = hub.ops(f"/repairs/{made['id']}/rows?limit=1")["items"][0]
    [line] = hub.ops(f"/messages/{row['messageId']}")["deliveries"]
    assert (line["madeWith"], line["attempts"][0]["madeWith"], line["attempts"][-1]["madeWith"]) == (
        candidate,
        None,
        candidate,
    )
    [told] = hub.ops(f"/messages/{row['messageId']}/stages")["deliveries"]
    assert (told["stages"][-1]["body"]["items"][0]["quantity"], told["fault"]) == (1, None)
    # And the repair that was made as it was finds nothing more to do
    post(hub, f"/repairs/{as_it_was['id']}/start")
    assert repaired(hub, as_it_was["id"], "done")["results"]["skipped"] == 500


def test_with_the_current_revision_what_was_sent_differs_where_the_mapping_does(hub, sink):
    # Given orders that the target refused
    sink.script = lambda number, key: (422, {}, b"{}")
    hub.start()
    dead_orders(hub, 3, quantity=5)
    # When another mapping is active, and a repair goes by it
    change(hub, SOUND, BROKEN)
    active = hub.apply()
    sink.script = lambda number, key: (200, {}, b"{}")
    made = hub.json(
        "repair",
        "new",
        "--reason",
        "refused",
        "--with",
        "current",
        "--why",
        "mended",
        "--canary",
        "1",
        "--go-on-at",
        "100",
    )
    assert made["revision"] == active
    code, out, _ = hub.run("repair", "preview", made["id"], "--json")
    seen = json.loads(out)
    assert (code, seen["counts"]["made"], seen["counts"]["same"]) == (0, 3, 0)
    assert [
        (one["pointer"], one["number"], one["example"]["old"], one["example"]["new"]) for one in seen["changes"]
    ] == [("/items/*/quantity", 3, 5, 4)]
    # Then its canary is good, and the rest follows by itself
    assert hub.run("repair", "start", made["id"])[0] == 0
    code, out, _ = hub.run("repair", "watch", made["id"], "--json")
    assert (code, json.loads(out)["results"]["delivered"]) == (0, 3)
    assert {json.loads(body)["items"][0]["quantity"] for *_, body, _ in sink.requests[-3:]} == {4}
    assert hub.json("repair", "show", made["id"])["rows"][0]["result"] == "delivered"
    assert [one["state"] for one in hub.json("repair", "list")] == ["done"]


@pytest.mark.timeout(600)
# F79
def test_many_dead_replayed_twice_to_a_slow_target_go_once_each_at_the_rate_and_can_be_stopped(hub, sink, store_url):
    # Given thousands of dead ones, and a target that takes its time
    store_dead(store_url, hub.json("apply")["revision"], MANY)
    sink.script = lambda number, key: time.sleep(0.002) or (200, {}, b"{}")
    hub.start()
    assert books(hub) == {"dead": MANY}

    # When two people replay all of them at once, each pressing twice
    def press(by):
        document = {"selection": {"route": "orders"}, "by": by, "why": "all of them", "rate": MANY // 10}
        for _ in range(2):
            made = post(hub, "/repairs", document, idempotency_key=f"press-{by}")
            assert made.status_code == 200, made.text
            ids.add((by, made.json()["data"]["id"]))
            post(hub, f"/repairs/{made.json()['data']['id']}/start", {"by": by})

    ids = set()
    people = [threading.Thread(target=press, args=(by,)) for by in ("ann", "ben")]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert len(ids) == 2
    # Then it can be stopped: nothing more goes than what was on the way
    wait_until(lambda: len(sink.keys) > MANY // 20, seconds=120, what="the first ones")
    for _, id_ in ids:
        post(hub, f"/repairs/{id_}/stop")
    wait_until(
        lambda: not {"pending", "leased"} & books(hub).keys(), seconds=120, what="the end of what was on the way"
    )
    at_rest = len(sink.keys)
    assert at_rest < MANY
    assert books(hub) == {"delivered": at_rest, "dead": MANY - at_rest}
    # And goes on, until each was sent once, by one of the two
    for by, id_ in ids:
        post(hub, f"/repairs/{id_}/start", {"by": by})
    done = [repaired(hub, id_, "done", seconds=300) for _, id_ in ids]
    assert books(hub) == {"delivered": MANY}
    assert len(sink.keys) == len(set(sink.keys)) == MANY
    assert sum(one["results"]["delivered"] for one in done) == MANY
    assert sum(one["results"]["skipped"] for one in done) == MANY
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_an_edited_message_goes_in_the_place_of_the_dead_one_and_is_checked_like_any_post(hub, sink):
    # Given a dead order, and a later one that waits behind it
    sink.script = lambda number, key: (422, {}, b"{}")
    system = hub.folder / "adapters" / "shop" / "system.yaml"
    system.write_text(system.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    hub.start()
    caller = hub.caller("shop")
    body = '{"orderNo":"E-1","items":[{"sku":"%s","quantity":1}]}'
    old, later = (
        caller.post("/api/v1/shop/order.placed", (body % sku).encode(), sku).json()["data"]["messageId"]
        for sku in ("WRONG", "LATER")
    )
    line = wait_until(
        lambda: next((one for one in hub.ops(f"/messages/{old}")["deliveries"] if one["status"] == "dead"), None),
        what="the dead one",
    )
    path = f"/deliveries/{line['id']}/edit"
    sink.script = lambda number, key: (200, {}, b"{}")
    # When what does not fit its contract is sent in its place, then every fault is told, and nothing has changed
    for bad, status in (('{"orderNo":"E-1","items":[]}', 422), ("no json", 400)):
        assert post(hub, path, {"body": bad, "by": "ann", "why": "typing error"}).status_code == status
    assert hub.ops(f"/messages/{old}")["deliveries"][0]["status"] == "dead"
    # When what fits is, then it is a new message that names the old one, in its place of the order
    answer = post(hub, path, {"body": body % "S", "by": "ann", "why": "typing error"})
    made = answer.json()["data"]
    assert (answer.status_code, made["duplicate"], made["deliveryId"]) == (200, False, line["id"])
    wait_until(lambda: hub.ops(f"/messages/{later}")["deliveries"][0]["status"] == "delivered", what="the later one")
    assert [json.loads(sent)["items"][0]["sku"] for *_, sent, _ in sink.requests] == ["WRONG", "S", "LATER"]
    new = hub.ops(f"/messages/{made['messageId']}")
    assert (new["causeId"], new["source"], new["orderKey"]) == (old, "edit", "E-1")
    assert new["deliveries"][0]["seq"] == line["seq"]
    # And the old delivery ends with its name and the reason
    [ended] = hub.ops(f"/messages/{old}")["deliveries"]
    assert ended["status"] == "cancelled"
    assert re.search(f"{made['messageId']}.*ann.*typing error", ended["why"]["text"])
    # And the same call again changes nothing; another one is refused
    again = post(hub, path, {"body": body % "S", "by": "ann", "why": "typing error"}).json()["data"]
    assert (again["duplicate"], again["messageId"]) == (True, made["messageId"])
    assert post(hub, path, {"body": body % "T", "by": "ann", "why": "once more"}).status_code == 422
    assert hub.ops("/conservation")["unaccounted"] == 0
    story = hub.ops("/trace/E-1")
    assert {one["id"] for one in story["messages"]} == {old, later, made["messageId"]}
