"""What no route took, by every door: it needs a person, is previewed, routed once by the mended configuration, or let
go (docs/design/laws.md#states).
"""

import base64
import hmac
import json
import threading
import time
from dataclasses import replace

import pytest
import requests

from hub.core.config.queue import Arrival
from hub.core.config.routing import MAX_HOPS
from hub.core.message import Disposition, Incoming, Ref
from hub.flow.accept import prepare_message
from hub.flow.configuration.plan import apply
from hub.flow.doors.queues import take_in
from hub.flow.maintenance.recover import rescue
from hub.flow.overview import now as present
from hub.flow.overview import unrouted_preview
from hub.flow.repairs import unrouted
from hub.flow.views.explain import explain_message
from hub.flow.views.stages import stages
from tests.support.foreign import foreign_workspace
from tests.support.hubs import HubProcess, operator, small_workspace
from tests.support.queues import queue_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

AIMED = "from: shop/order.placed\n    when: \"orderNo = 'never'\"\n"
SOUND = "from: shop/order.placed\n"


@pytest.fixture
def workspace(tmp_path, sink):
    return small_workspace(tmp_path / "workspace", sink.url)


def change(folder, before, after, name="routes.yaml"):
    text = (folder / name).read_text("utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1), "utf-8")


def order(number, quantity=1):
    return {"orderNo": f"SO-{number}", "items": [{"sku": "S", "quantity": quantity}]}


@pytest.fixture
def hub(workspace, store_url):
    """A hub whose one route takes nothing, with three orders that it accepted."""
    change(workspace, SOUND, AIMED)
    with small_hub(workspace, store_url) as made, served(made, "wsgi") as web:
        caller = web.caller("shop")
        for number in range(3):
            answer = caller.post("/api/v1/shop/order.placed", json.dumps(order(number)).encode(), f"m-{number}")
            assert answer.status_code == 202
        yield made


def mend(hub, folder):
    change(folder, AIMED, SOUND)
    apply(hub.store, folder)
    wait_until(
        lambda: hub.catalogs.refresh() or hub.catalogs.active().revision == hub.store.active(),
        what="the mended configuration",
    )


def cause(hub):
    rescue(hub)
    [line] = hub.store.unrouted_causes()
    return line.id


def fresh_now(hub):
    hub.shelf.__init__()
    return present.now(hub)


def test_it_is_a_thing_that_needs_a_person_counted_by_its_cause(hub):
    rescue(hub)
    [need] = [one for one in fresh_now(hub)["needs"] if one["kind"] == "unrouted"]
    assert (need["count"], need["severity"], need["trend"]) == (3, "fault", "new")
    assert need["text"] == "No route took it. orders: orderNo = 'never'"
    assert need["subject"]["message"] == "shop/order.placed@1"
    assert need["action"] == {"verb": "route", "command": f"hub unrouted preview --cause {need['subject']['id']}"}


def test_the_preview_says_what_would_become_of_it_and_changes_nothing(hub, workspace):
    # Given routes that are not mended: nothing would be gained
    id_ = cause(hub)
    seen = unrouted_preview.preview(hub, cause=id_)
    assert (seen["counts"], seen["ways"]) == ({"routed": 0, "filtered": 0, "stays": 3}, [])
    assert seen["items"][0]["note"] == "Still: No route took it. orders: orderNo = 'never'"
    # When they are mended, then each would get its delivery
    mend(hub, workspace)
    seen = unrouted_preview.preview(hub, cause=id_)
    assert (seen["number"], seen["looked"], seen["counts"]["routed"]) == (3, 3, 3)
    assert seen["ways"] == [
        {"route": "orders", "target": "warehouse/order.create@1", "number": 3, "faults": 0, "fault": None}
    ]
    [one] = unrouted_preview.preview(hub, ids=[seen["items"][0]["messageId"]])["items"]
    assert one["becomes"] == "routed"
    assert one["deliveries"] == [
        {
            "route": "orders",
            "target": "warehouse/order.create@1",
            "part": None,
            "orderKey": one["keys"]["orderNo"],
            "fault": None,
        }
    ]
    assert hub.store.conservation().unrouted == 3


def test_routed_again_it_is_made_by_the_revision_that_routed_it_and_a_second_post_is_still_a_duplicate(hub, workspace):
    mend(hub, workspace)
    [row, *_] = hub.store.unrouted()
    # When one is routed, twice
    assert unrouted.route(hub, [row.message.id], by="ann") == {row.message.id: "routed"}
    assert unrouted.route(hub, [row.message.id], by="ann") == {row.message.id: "It does not wait: it is routed."}
    # Then it has one delivery, made with the mended revision; the message is pinned to the one that accepted it
    [line] = hub.store.deliveries(row.message.id)
    message = hub.store.message(row.message.id)
    assert (line.made_with, message.revision, message.disposition) == (
        hub.catalogs.active().revision,
        row.message.revision,
        Disposition.ROUTED,
    )
    assert message.revision != line.made_with
    assert message.why["again"]["by"] == "ann"
    # And whoever asks why it went there is told by the configuration that decided it
    found = explain_message(
        hub.catalogs.pinned(message.routed_with),
        message.ref,
        hub.store.body(message.id),
        message.received_at,
        hops=message.routed_hops,
    )
    assert (message.routed_with, found["disposition"]) == (line.made_with, "routed")
    assert hub.store.conservation().unaccounted == 0
    assert hub.counts.total("unrouted_ended", ["routed"]) == 1
    # And its sender is told so whenever it posts it again, under whatever name
    incoming = Incoming(message.ref, None, hub.store.body(row.message.id), message.caller, "another")
    seen = prepare_message(hub, replace(incoming, payload=json.loads(incoming.raw)), source="http", now=hub.clock())
    [again] = hub.store.add([seen])
    assert (again.message_id, again.duplicate) == (row.message.id, True)


def test_a_whole_cause_goes_in_blocks_a_few_at_once_and_the_rest_behind(hub, workspace, monkeypatch):
    mend(hub, workspace)
    id_ = cause(hub)
    monkeypatch.setattr(unrouted, "BLOCK", 1)
    monkeypatch.setattr(unrouted, "AT_ONCE", 1)
    done = unrouted.route_cause(hub, id_, by="ann", why="mended")
    assert done.as_json() == {"cause": id_, "number": 3, "results": {"routed": 1}, "left": 2}
    # When sweeps of several processes move it on at once
    threads = [threading.Thread(target=unrouted.advance, args=(hub,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unrouted.advance(hub)
    # Then each was routed once, and nothing is wanted any more
    assert hub.store.wished_unrouted() == []
    books = hub.store.conservation()
    assert (books.unaccounted, books.routed, books.planned, books.unrouted) == (0, 3, 3, 0)
    acts = hub.store.acts(what="message.routed")
    assert {act.details["why"] for act in acts} == {"mended"}
    assert sum(act.details["number"] for act in acts) == 3
    assert fresh_now(hub)["needs"] == []


def test_what_another_process_did_of_the_same_wish_is_no_message_that_stays(hub, workspace):
    # Given a sweep that routes the messages in the moment between the wish and its first block
    mend(hub, workspace)
    id_ = cause(hub)

    class Store:
        def __getattr__(self, name):
            return getattr(hub.store, name)

        def next_unrouted(self, *given):
            found = hub.store.next_unrouted(*given)
            unrouted.advance(hub)
            return found

    done = unrouted.route_cause(replace(hub, store=Store()), id_, by="ann")
    assert (done.results, done.left) == ({"routed": 3}, 0)
    assert hub.store.conservation().planned == 3


def test_what_still_no_route_takes_stays_with_the_reason_and_does_not_go_round_for_ever(hub):
    id_ = cause(hub)
    done = unrouted.route_cause(hub, id_, by="ann")
    assert (done.results, done.left) == ({"stays": 3}, 0)
    assert hub.store.wished_unrouted() == []
    assert {row.note for row in hub.store.unrouted()} == {"Still: No route took it. orders: orderNo = 'never'"}
    # What cannot be decided is told too
    assert (
        unrouted.route(hub, ["01a22d32-281f-784b-8746-e3503e6dbb7a"], by="ann").popitem()[1]
        == "There is no such message."
    )


def test_a_route_that_leaves_it_out_on_purpose_ends_the_wait_with_its_reason(hub, workspace):
    change(workspace, AIMED, SOUND + '    drop: {when: "true", why: Nobody wants these.}\n')
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    [row, *_] = hub.store.unrouted()
    assert unrouted_preview.preview(hub, ids=[row.message.id])["counts"]["filtered"] == 1
    assert unrouted.route(hub, [row.message.id], by="ann") == {row.message.id: "filtered"}
    assert hub.store.message(row.message.id).why["considered"][0]["why"] == "Nobody wants these."
    assert hub.store.conservation().unaccounted == 0


def test_a_cause_is_let_go_with_a_reason(hub):
    done = unrouted.drop_cause(hub, cause(hub), by="ann", why="test orders")
    assert (done.results, done.left) == ({"filtered": 3}, 0)
    [row] = hub.store.search(disposition=Disposition.FILTERED, limit=1)
    assert row.why["dropped"]["why"] == "test orders"
    assert row.why["considered"][0]["condition"] == "orderNo = 'never'"
    assert hub.store.conservation().unaccounted == 0
    assert hub.counts.total("unrouted_ended", ["dropped"]) == 3


def test_what_the_mapping_cannot_make_shows_before_it_is_routed(hub, workspace):
    change(workspace, AIMED, SOUND)
    mapping = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
    change(workspace, "quantity: quantity}", 'quantity: "quantity - 1"}', mapping)
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    [way] = unrouted_preview.preview(hub, cause=cause(hub))["ways"]
    assert (way["number"], way["faults"]) == (3, 3)
    assert "/items/0/quantity" in way["fault"]


def test_what_a_queue_brought_and_no_route_took_is_routed_again_too(tmp_path, store_url):
    folder = queue_workspace(tmp_path / "workspace", "amqp://127.0.0.1:5672//")
    change(folder, "from: stock/order.changed\n", "from: stock/order.changed\n    when: \"orderNo = 'never'\"\n")
    with small_hub(folder, store_url) as hub:
        queue = hub.catalogs.active().systems["stock"].queues["orders"]
        arrivals = [
            Arrival(
                json.dumps({"orderNo": "SO-1", "step": step}).encode(),
                "order.create",
                {},
                f"m-{step}",
                "application/json",
            )
            for step in range(5)
        ]
        take_in(hub, queue, arrivals)
        change(folder, "    when: \"orderNo = 'never'\"\n", "")
        apply(hub.store, folder)
        hub.catalogs.refresh()
        assert unrouted.route_cause(hub, cause(hub), by="ann").results == {"routed": 5}
        # In the order in which they came, on their key
        rows = hub.store.story("SO-1")
        lines = {line.message_id: line.seq for line in hub.store.deliveries(*(row.id for row in rows))}
        assert [lines[row.id] for row in rows] == [1, 2, 3, 4, 5]
        assert {json.loads(hub.store.body(row.id))["step"] for row in rows} == set(range(5))


def test_a_webhook_that_no_route_took_is_routed_again_too(tmp_path, store_url):
    folder = foreign_workspace(tmp_path / "workspace")
    change(folder, "from: carrier/track.event\n", "from: carrier/track.event\n    when: \"waybillNo = 'never'\"\n")
    with (
        small_hub(folder, store_url, HUB_CARRIER_SECRET="sk", HUB_CARRIER_TOKEN="AAAAA") as hub,
        served(hub, "wsgi") as web,
    ):
        body = json.dumps(
            {"id": "n-1", "waybillNo": "SF1000", "status": "SIGNED", "time": "2025-11-22T10:00:00Z"},
            separators=(",", ":"),
        )
        body = body.replace('"id":"n-1",', "").encode()
        sign = base64.b64encode(hmac.digest(b"sk", body, "sha256")).decode()
        headers = {"X-Hook-Hmac": sign, "X-Topic": "tracks/update", "X-Id": "n-1", "content-type": "application/json"}
        assert requests.post(f"{web.url}/in/carrier/topics", data=body, headers=headers, timeout=10).status_code < 300
        [row] = hub.store.unrouted()
        assert row.message.source == "hook"
        change(folder, "    when: \"waybillNo = 'never'\"\n", "")
        apply(hub.store, folder)
        hub.catalogs.refresh()
        assert unrouted.route(hub, [row.message.id], by="ann") == {row.message.id: "routed"}
        assert stages(hub.store, hub.catalogs, row.message.id)["deliveries"][0]["stages"][-1]["stage"] == "mapped"


@pytest.mark.parametrize("source", ["reply", "cli", "edit"])
def test_what_was_caused_or_sent_by_hand_is_routed_again_too(hub, workspace, source):
    # Given a message of the hub's own, as one that an answer became, or that somebody sent or edited
    raw = json.dumps(order(f"{source}-1")).encode()
    incoming = Incoming(Ref("shop", "order.placed", 1), json.loads(raw), raw, "hub", f"{source}-1", "a" * 32, hops=1)
    [receipt] = hub.store.add([prepare_message(hub, incoming, source=source, now=hub.clock())])
    assert receipt.message_id in {row.message.id for row in hub.store.unrouted()}
    mend(hub, workspace)
    assert unrouted.route(hub, [receipt.message_id], by="ann") == {receipt.message_id: "routed"}
    assert hub.store.conservation().unaccounted == 0


def test_a_loop_that_was_cut_needs_a_person_who_lets_it_go_on_a_step(hub, workspace):
    mend(hub, workspace)
    raw = json.dumps(order("loop")).encode()
    incoming = Incoming(
        Ref("shop", "order.placed", 1), json.loads(raw), raw, "hub", "loop", "a" * 32, hops=MAX_HOPS + 1
    )
    [receipt] = hub.store.add([prepare_message(hub, incoming, source="reply", now=hub.clock())])
    hub.store.name_unrouted()
    texts = {line.cause.text for line in hub.store.unrouted_causes()}
    message = hub.store.message(receipt.message_id)
    cut = explain_message(hub.catalogs.active(), message.ref, raw, message.received_at, hops=message.routed_hops)
    assert (cut["disposition"], message.routed_with) == ("unrouted", message.revision)
    assert "No route took it. *: more than 32 messages caused one another; a loop of routes is cut there" in texts
    assert unrouted.route(hub, [receipt.message_id], by="ann") == {receipt.message_id: "routed"}


def test_what_has_expired_meanwhile_goes_all_the_same_and_keeps_no_hour_that_is_over(hub, workspace):
    change(workspace, AIMED, SOUND + "    expires: 1s\n")
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    time.sleep(1.1)
    [row, *_] = hub.store.unrouted()
    unrouted.route(hub, [row.message.id], by="ann")
    [line] = hub.store.deliveries(row.message.id)
    assert (line.expires_at, line.release_at, line.status.value) == (None, None, "pending")


def test_a_running_hub_delivers_what_is_routed_again_by_the_command_line_and_by_http(workspace, sink, store_url):
    # Given a running hub whose route takes nothing, and two orders
    change(workspace, SOUND, AIMED)
    hub = HubProcess(workspace, store_url, hub_sweep=0.1)
    hub.json("apply")
    hub.start()
    try:
        caller = hub.caller("shop")
        ids = [
            caller.post("/api/v1/shop/order.placed", json.dumps(order(number)).encode(), f"p-{number}").json()["data"][
                "messageId"
            ]
            for number in range(3)
        ]
        [line] = wait_until(
            lambda: [one for one in hub.ops("/unrouted/causes")["items"] if one["id"] and one["number"] == 3],
            what="the cause of all three",
        )
        assert {one["messageId"] for one in hub.ops("/unrouted")["items"]} == set(ids)
        code, out, _ = hub.run("unrouted", "list")
        assert (code, ids[0] in out) == (0, True)
        assert hub.run("now")[0] == 1
        # When the route is mended
        change(workspace, AIMED, SOUND)
        hub.apply()
        assert hub.ops(f"/unrouted/preview?id={ids[0]}")["counts"] == {"routed": 1, "filtered": 0, "stays": 0}
        assert hub.json("unrouted", "preview", "--cause", line["id"])["counts"]["routed"] == 3
        # Then one is routed on the command line, one by HTTP, and the rest as a cause
        assert hub.json("unrouted", "route", ids[0]) == {ids[0]: "routed"}
        answer = operator.post(
            f"{hub.url}/ops/v1/unrouted/route", json={"ids": [ids[1]], "by": "ann"}, timeout=10
        ).json()
        assert answer["data"] == {ids[1]: "routed"}
        done = operator.post(
            f"{hub.url}/ops/v1/unrouted/causes/{line['id']}/route", json={"by": "ann"}, timeout=10
        ).json()["data"]
        assert (done["number"], done["results"]) == (1, {"routed": 1})
        wait_until(lambda: len(sink.requests) == 3, what="the three orders at the target")
        assert sorted(json.loads(body)["orderNo"] for _, _, body, _ in sink.requests) == ["SO-0", "SO-1", "SO-2"]
        time.sleep(0.5)
        assert len(sink.requests) == 3
        wait_until(lambda: hub.ops("/conservation")["unaccounted"] == 0, what="books that are right")
        assert hub.run("unrouted", "route", ids[0])[0] == 1
        assert hub.json("unrouted", "list") == []
    finally:
        hub.stop()
