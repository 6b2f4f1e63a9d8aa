"""What becomes of arrivals, whatever broker brought them: messages in their order, duplicates by id, refused ones kept
and retried.
"""

import json
from dataclasses import replace

import pytest

from hub.core.config.queue import Arrival
from hub.core.errors import StoreBusy
from hub.core.message import Disposition
from hub.flow.configuration.plan import apply
from hub.flow.doors.queues import take_in
from hub.flow.repairs import refused
from hub.flow.views.stages import stages
from tests.support.queues import SYSTEM, queue_workspace
from tests.support.servers import small_hub

AMQP = "amqp://127.0.0.1:5672//"


@pytest.fixture
def workspace(tmp_path):
    return queue_workspace(tmp_path / "workspace", AMQP)


@pytest.fixture
def hub(workspace, store_url):
    with small_hub(workspace, store_url) as made:
        yield made


def queue(hub, name="orders"):
    return hub.catalogs.active().systems["stock"].queues[name]


def arrival(number, step=0, message_id=None, topic="order.create", **more):
    body = json.dumps({"orderNo": f"SO-{number}", "step": step, **more}).encode()
    return Arrival(body, topic, {}, f"m-{number}-{step}" if message_id is None else message_id, "application/json")


def waiting(hub):
    return sorted((row.message_id, row.code, row.times) for row in hub.store.refused())


def test_a_batch_becomes_messages_in_its_order_and_a_repeat_changes_nothing(hub):
    batch = [arrival(number % 3, number) for number in range(30)]
    assert (done := take_in(hub, queue(hub), batch)).new == 30
    assert done.refused == (None,) * 30
    again = take_in(hub, queue(hub), batch)
    assert (again.new, again.duplicates) == (0, 30)
    assert again.message_ids == done.message_ids
    story = hub.store.story("SO-0")
    assert [json.loads(hub.store.body(row.id))["step"] for row in story] == list(range(0, 30, 3))
    assert {(row.source, row.caller, row.disposition) for row in story} == {
        ("queue", "queue:stock/orders", Disposition.ROUTED)
    }
    lines = {line.message_id: line.seq for line in hub.store.deliveries(*(row.id for row in story))}
    assert [lines[row.id] for row in story] == list(range(1, 11))
    assert hub.store.body(story[0].id) == batch[0].body
    assert hub.store.conservation().unaccounted == 0


def level(step, *, is_again=False, tag=""):
    return Arrival(
        json.dumps({"orderNo": "SO-1", "step": step}).encode(),
        "order.create",
        {},
        "",
        "application/json",
        is_again=is_again,
        tag=tag,
    )


def steps(hub):
    return [
        json.loads(hub.store.body(row.id))["step"]
        for row in sorted(hub.store.story("SO-1"), key=lambda row: row.received_at)
    ]


def test_without_an_id_what_says_the_same_is_another_thing(hub):
    # Given a stock of 5, of 6, and of 5 again: in batches of their own, and in one
    for step in (5, 6, 5):
        done = take_in(hub, queue(hub), [level(step)])
        hub.store.forget_deliveries(queue(hub).source, done.tags)
        assert (done.new, done.duplicates) == (1, 0)
    assert take_in(hub, queue(hub), [level(5), level(6), level(5)]).new == 3
    assert sorted(steps(hub)) == [5, 5, 5, 5, 6, 6]


@pytest.mark.parametrize("declared", ["serial", "headers.`x-id`", "(serial ? serial : '')"])
def test_an_event_without_the_id_that_is_declared_is_another_thing(workspace, hub, declared):
    read(workspace, hub, "emit: stock/order.changed@1}", f'emit: stock/order.changed@1, id: "{declared}"}}')
    for step in (5, 6, 5):
        done = take_in(hub, queue(hub), [level(step)])
        # What the broker brings again is a repeat all the same, until it is acknowledged.
        assert (done.new, take_in(hub, queue(hub), [level(step, is_again=True)]).duplicates) == (1, 1)
        hub.store.forget_deliveries(queue(hub).source, done.tags)
    assert sorted(steps(hub)) == [5, 5, 6]


def test_what_comes_again_before_it_was_acknowledged_is_known_each_once(hub):
    first = take_in(hub, queue(hub), [level(5), level(6), level(5)])
    # When the broker brings them again, and one more that was in hand and not accepted yet
    again = take_in(hub, queue(hub), [level(step, is_again=True) for step in (5, 6, 5, 5)])
    assert (again.new, again.duplicates) == (1, 3)
    assert set(again.message_ids[:3]) == set(first.message_ids)
    # And once more, as often as it likes
    assert take_in(hub, queue(hub), [level(step, is_again=True) for step in (5, 6, 5, 5)]).duplicates == 4


def test_what_was_acknowledged_knows_no_repeat(hub):
    done = take_in(hub, queue(hub), [level(5), level(6)])
    hub.store.forget_deliveries(queue(hub).source, done.tags)
    assert take_in(hub, queue(hub), [level(5, is_again=True)]).new == 1
    # Also where nobody came to forget it: what comes for the first time says that all before is over
    take_in(hub, queue(hub), [level(7)])
    take_in(hub, queue(hub), [level(8)])
    assert take_in(hub, queue(hub), [level(7, is_again=True)]).new == 1


def test_a_tag_of_the_broker_is_enough(hub):
    batch = [level(5, tag="1"), level(6, tag="2"), level(5, tag="3")]
    assert take_in(hub, queue(hub), batch).new == 3
    assert take_in(hub, queue(hub), batch).duplicates == 3
    assert take_in(hub, queue(hub), [level(5, tag="4")]).new == 1


def test_by_content_only_where_it_is_declared(workspace, hub):
    read(workspace, hub, "emit: stock/order.changed@1}", "emit: stock/order.changed@1, repeats: content}")
    done = take_in(hub, queue(hub), [level(5), level(6), level(5)])
    assert (done.new, done.duplicates) == (2, 1)


def test_refused_ones_without_an_id_are_each_kept_and_retried_each_once(workspace, hub):
    bad = [Arrival(b'{"orderNo":"SO-1","step":%d,"extra":1}' % step, "order.create", {}, "") for step in (5, 6, 5)]
    done = take_in(hub, queue(hub), bad)
    assert len(hub.store.refused()) == 3
    take_in(hub, queue(hub), [replace(one, is_again=True) for one in bad])
    assert sorted(row.times for row in hub.store.refused()) == [2, 2, 2]
    hub.store.forget_deliveries(queue(hub).source, done.tags)
    contract = workspace / "adapters" / "stock" / "contracts" / "order.changed.v1.json"
    contract.write_text(
        contract.read_text("utf-8").replace('"action":', '"extra": {"type": "integer"}, "action":'), "utf-8"
    )
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    ids = [row.id for row in hub.store.refused()]
    assert set(refused.retry(hub, ids, by="ann").values()) == {"accepted"}
    assert sorted(steps(hub)) == [5, 5, 6]


def test_of_an_arrival_that_was_accepted_in_part_the_rest_alone_is_new(workspace, hub):
    lines = "map: told--order-changed, id: \"body.no & '/' & step\"}"
    read(workspace, hub, lines, "map: told--order-changed}")
    told = Arrival(b'{"no":"SO-1","lines":[{"step":1},{"step":1},{"step":-1}]}', "lines", {}, "")
    assert take_in(hub, queue(hub, "lines"), [told]).new == 2
    [row] = hub.store.refused()
    for name in ("stock/contracts/order.changed.v1.json", "warehouse/contracts/order.note.v1.json"):
        contract = workspace / "adapters" / name
        contract.write_text(contract.read_text("utf-8").replace('"minimum": 0', '"minimum": -9'), "utf-8")
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    assert refused.retry(hub, [row.id], by="ann") == {row.id: "accepted"}
    assert len(hub.store.story("SO-1")) == 3


def read(workspace, hub, before, after):
    system = workspace / "adapters" / "stock" / "system.yaml"
    text = system.read_text("utf-8")
    assert before in text
    system.write_text(text.replace(before, after), "utf-8")
    apply(hub.store, workspace)
    hub.catalogs.refresh()


def test_a_declared_id_with_other_content_is_refused_in_sight_and_a_rewording_is_not(workspace, hub):
    read(workspace, hub, "emit: stock/order.changed@1}", "emit: stock/order.changed@1, id: orderNo}")
    source = queue(hub)
    done = take_in(
        hub, source, [level(5), Arrival(b'{"step": 5.0,\n"orderNo":"SO-1"}', "order.create", {}, "m2"), level(6)]
    )
    assert (done.new, done.duplicates) == (1, 1)
    assert done.refused[2].code == 42202
    assert done.message_ids[0][0] in done.refused[2].text
    assert [row.code for row in hub.store.refused()] == [42202]
    assert steps(hub) == [5]


def test_an_id_with_a_missing_part_is_a_fault_of_its_event_alone(hub):
    told = Arrival(b'{"no":"SO-1","lines":[{"step":1},{"sku":"X"}]}', "lines", {}, "l1")
    done = take_in(hub, queue(hub, "lines"), [told])
    assert done.new == 1
    other = Arrival(b'{"lines":[{"step":1}]}', "lines", {}, "l2")
    assert take_in(hub, queue(hub, "lines"), [other]).new == 0
    assert len(hub.store.refused()) == 2


def test_the_brokers_id_with_another_body_is_refused_and_not_swallowed(hub):
    done = take_in(hub, queue(hub), [arrival(1, 1, "same"), arrival(1, 2, "same")])
    assert (done.new, done.duplicates) == (1, 0)
    assert waiting(hub) == [("same", 42202, 1)]


def test_poison_and_what_breaks_its_contract_are_kept_and_keep_no_other_out(hub):
    poison = [
        Arrival(b"\xff\xfe", "order.create", {}, "p1"),
        Arrival(b"", "order.create", {}, "p2"),
        Arrival(b'{"a":1,"a":2}', "order.create", {}, "p3"),
        Arrival(b"[" * 100_000, "order.create", {}, "p4"),
        arrival(1, -5, "p5"),
        arrival(1, 1, "p6", extra=1),
        Arrival(b"{}", "order.create", {}, "p7", flaw="Its headers cannot be read."),
        Arrival(b"[]", "order.create", {}, "p8"),
        Arrival(b"null", "order.create", {}, "p9"),
    ]
    batch = [one for number, bad in enumerate(poison) for one in (arrival(7, number), bad)]
    done = take_in(hub, queue(hub), batch)
    assert (done.new, sum(why is not None for why in done.refused)) == (9, 9)
    assert [row[0] for row in waiting(hub)] == [f"p{number}" for number in range(1, 10)]
    kept = {row.message_id: row for row in hub.store.refused_ones(*(row.id for row in hub.store.refused()))}
    assert [kept[one.message_id].arrival.body for one in poison] == [one.body for one in poison]
    # Delivered again, they are the same rows
    take_in(hub, queue(hub), batch)
    assert {row[2] for row in waiting(hub)} == {2}


def test_what_is_skipped_is_neither_kept_nor_refused_and_what_fits_nothing_is_refused(workspace, hub):
    assert take_in(hub, queue(hub), [arrival(1, topic="order.ignored")]).refused == (None,)
    assert hub.store.conservation().messages == 0
    system = workspace / "adapters" / "stock" / "system.yaml"
    system.write_text(
        SYSTEM.replace("BROKER", AMQP).replace("topic != 'order.ignored'", "topic = 'order.create'"), "utf-8"
    )
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    done = take_in(hub, queue(hub), [arrival(2, topic="order.ignored"), arrival(3, topic="order.else")])
    assert (done.new, done.refused[0]) == (0, None)
    assert "Nothing in read: of queue:stock/orders fits it." in done.refused[1].text


def test_a_list_becomes_events_with_ids_of_their_own_and_the_original_stays(hub):
    told = Arrival(b'{"no":"SO-9","lines":[{"step":1},{"step":2},{"step":-1}]}', "lines", {}, "l1", "application/json")
    done = take_in(hub, queue(hub, "lines"), [told])
    assert done.new == 2
    assert "/step" in {fault.pointer for fault in done.refused[0].faults}
    assert take_in(hub, queue(hub, "lines"), [told]).duplicates == 2
    row = hub.store.story("SO-9")[0]
    origin = hub.store.origin(row.trace_id)
    assert (origin.raw, origin.source, origin.query) == (told.body, "queue:stock/lines", "lines")
    assert stages(hub.store, hub.catalogs, row.id)["received"] is not None


def test_a_traceparent_goes_on(hub):
    headers = {"traceparent": "00-" + "b" * 32 + "-" + "c" * 16 + "-01"}
    take_in(hub, queue(hub), [Arrival(arrival(4).body, "order.create", headers, "m")])
    assert hub.store.story("SO-4")[0].trace_id == "b" * 32


def test_a_store_that_is_busy_takes_nothing_of_it(hub, monkeypatch):
    monkeypatch.setattr(type(hub.store), "refuse", lambda *_: (_ for _ in ()).throw(StoreBusy("busy")))
    batch = [arrival(1), Arrival(b"x", "order.create", {}, "p")]
    with pytest.raises(StoreBusy):
        take_in(hub, queue(hub), batch)
    monkeypatch.undo()
    done = take_in(hub, queue(hub), batch)
    assert (done.new, done.duplicates, waiting(hub)) == (0, 1, [("p", 40002, 1)])


def test_a_refused_one_is_retried_by_the_configuration_of_now_and_accepted_once(workspace, hub):
    take_in(hub, queue(hub), [arrival(5, 1, "late", extra=1), arrival(5, 2, "worse", more=1)])
    ids = {row.message_id: row.id for row in hub.store.refused()}
    assert refused.retry(hub, [ids["late"]], by="ann")[ids["late"]].startswith("Refused again: The post does not fit")
    contract = workspace / "adapters" / "stock" / "contracts" / "order.changed.v1.json"
    contract.write_text(
        contract.read_text("utf-8").replace('"action":', '"extra": {"type": "integer"}, "action":'), "utf-8"
    )
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    done = refused.retry(hub, [*ids.values(), "01a00000-0000-7000-8000-000000000000"], by="ann")
    assert done[ids["late"]] == "accepted"
    assert done[ids["worse"]].startswith("Refused again")
    assert done["01a00000-0000-7000-8000-000000000000"].startswith("There is no")
    assert refused.retry(hub, [ids["late"]], by="ann") == {ids["late"]: "It is accepted already."}
    assert len(hub.store.story("SO-5")) == 1
    # The broker's redelivery of it is a duplicate
    assert take_in(hub, queue(hub), [arrival(5, 1, "late", extra=1)]).duplicates == 1
    assert refused.drop(hub.store, [ids["worse"]], by="ann") == {ids["worse"]: "dropped"}
    assert hub.store.refused() == []


def test_what_came_by_a_queue_that_is_gone_waits(workspace, hub):
    take_in(hub, queue(hub), [Arrival(b"x", "order.create", {}, "p")])
    [row] = hub.store.refused()
    system = workspace / "adapters" / "stock" / "system.yaml"
    text = SYSTEM.replace("BROKER", AMQP)
    system.write_text(text[: text.index("  orders:\n")] + text[text.index("  lines:\n") :], "utf-8")
    apply(hub.store, workspace)
    hub.catalogs.refresh()
    assert "There is no queue:stock/orders" in refused.retry(hub, [row.id], by="ann")[row.id]
    assert len(hub.store.refused()) == 1
