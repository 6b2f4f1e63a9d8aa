"""What becomes of arrivals, whatever broker brought them: messages in their order, duplicates by id, refused ones kept and retried."""

import json

import pytest

from hub.core.errors import StoreBusy
from hub.core.message import Disposition
from hub.core.queue import Arrival
from hub.flow import refused
from hub.flow.plan import apply
from hub.flow.queues import take_in
from hub.flow.stages import stages
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
    assert {(row.source, row.caller, row.disposition) for row in story} == {("queue", "queue:stock/orders", Disposition.ROUTED)}
    lines = {line.message_id: line.seq for line in hub.store.deliveries(*(row.id for row in story))}
    assert [lines[row.id] for row in story] == list(range(1, 11))
    assert hub.store.body(story[0].id) == batch[0].body
    assert hub.store.conservation().unaccounted == 0


def test_without_an_id_what_says_the_same_is_the_same(hub):
    one = take_in(hub, queue(hub), [arrival(1, message_id=""), arrival(1, message_id=""), arrival(2, message_id="")])
    assert (one.new, one.duplicates) == (2, 1)


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
    system.write_text(SYSTEM.replace("BROKER", AMQP).replace("topic != 'order.ignored'", "topic = 'order.create'"), "utf-8")
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
    contract.write_text(contract.read_text("utf-8").replace('"action":', '"extra": {"type": "integer"}, "action":'), "utf-8")
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
