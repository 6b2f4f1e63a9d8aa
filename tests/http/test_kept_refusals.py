"""What was refused at any door is kept, found by its trace id, and read again once its cause is mended; who is told
what to change alarms nobody.
"""

import contextlib
import gzip
import hmac
import http.client
import json
import time
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from click.testing import CliRunner

from hub import settings as settings_table
from hub.cli.commands import main
from hub.core.config.queue import Arrival
from hub.core.errors import Code, Refused
from hub.flow.configuration.plan import apply
from hub.flow.overview import now
from hub.flow.repairs import refused as acts
from hub.main import running
from hub.store import ArrivalFilter, Bounds, Refusal
from hub.store.repairs.arrival_limits import Room
from tests.support.hubs import operator, small_workspace
from tests.support.servers import served, small_hub

SECRET = "abc123"
HOOKS = """\
hooks:
  push:
    verify: {alg: hmac-sha256, encode: hex, over: "{timestamp}.{body}", at: {signature: header:X-Sign, timestamp: header:X-Time}, tolerance: 5m}
    read: {emit: shop/order.placed@1, id: orderNo}
    ack: {body: success, otherwise: {status: 500, body: fail}}
settings:
  secret: {help: What they sign with, secret: true}
"""


@pytest.fixture
def hub(tmp_path):
    with a_hub(tmp_path, f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        yield made


@pytest.fixture
def hub_anywhere(tmp_path, store_url):
    with a_hub(tmp_path, store_url) as made:
        yield made


@contextlib.contextmanager
def a_hub(tmp_path, store_url):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    system = folder / "adapters" / "shop" / "system.yaml"
    system.write_text(system.read_text("utf-8") + HOOKS, "utf-8")
    with small_hub(folder, store_url, HUB_SHOP_SECRET=SECRET) as accepting, served(accepting, "granian") as made:
        yield made


@pytest.fixture
def caller(hub):
    return hub.caller("shop")


@contextlib.contextmanager
def secret_now(hub, secret):
    """The same hub after its operator set another secret."""
    settings = settings_table.read({**hub.hub.settings.environment, "HUB_SHOP_SECRET": secret})
    with running(settings, hub.hub.store) as other:
        yield other.hub


def mended(hub):
    """A revision in which the contract takes the field that it did not know."""
    folder = hub.hub.settings.workspace
    path = folder / "adapters" / "shop" / "contracts" / "order.placed.v1.json"
    contract = json.loads(path.read_text("utf-8"))
    contract["properties"]["gift"] = {"type": "boolean"}
    path.write_text(json.dumps(contract), "utf-8")
    (folder / "adapters" / "shop" / "contracts" / "versions.lock").unlink(missing_ok=True)
    apply(hub.hub.store, folder)
    hub.hub.catalogs.refresh()


def order(**more):
    return {"orderNo": f"SO-{uuid.uuid4()}", "items": [{"sku": "S", "quantity": 1}], **more}


def call(hub, path, body, method="POST", **headers):
    wire = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        wire.request(method, path, body, {"content-type": "application/json", **given})
        answer = wire.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        wire.close()


def post(hub, caller, payload, path="/api/v1/shop/order.placed", id_="", **headers):
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = caller.headers(raw, id_ or str(uuid.uuid4()))
    status, _, body = call(hub, path, raw, **{**signed, **headers})
    return status, json.loads(body)


def push(hub, payload, secret=SECRET, at=0, **headers):
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    stamp = str(int(time.time()) + at)
    sign = hmac.digest(secret.encode(), f"{stamp}.".encode() + raw, "sha256").hex()
    return call(hub, "/in/shop/push", raw, x_sign=sign, x_time=stamp, **headers)


def kept(hub, **wanted):
    assert hub.hub.refusals.drain(10)
    return hub.hub.store.refused(wanted=ArrivalFilter(**wanted))


def of(hub, trace_id):
    assert hub.hub.refusals.drain(10)
    [row] = acts.of_trace(hub.hub.store, trace_id)
    return row


def retried(hub, row):
    return acts.retry(hub.hub, [row.id], by="ann")[row.id]


def message(hub, number):
    return hub.hub.store.story(number)


def test_a_post_that_broke_its_contract_is_found_by_its_trace_and_taken_in_after_the_mend(hub, caller):
    given = order(gift=True)
    status, told = post(hub, caller, given, id_="m-1")
    assert (status, told["code"]) == (422, 42200)
    row = of(hub, told["traceId"])
    assert (row.source, row.door, row.code, row.times, row.state) == (
        "post:shop/order.placed",
        "post",
        42200,
        1,
        "waiting",
    )
    assert retried(hub, row).startswith("Refused again: The post does not fit")
    mended(hub)
    assert retried(hub, row) == "accepted"
    assert [json.loads(hub.hub.store.body(one.id)) for one in message(hub, given["orderNo"])] == [given]
    # The sender's own later resend is the same message.
    status, again = post(hub, caller, given, id_="m-1")
    assert (status, again["data"]["duplicate"]) == (202, True)
    assert retried(hub, row) == "It is accepted already."


def test_an_idempotency_key_is_kept_too(hub, caller):
    given = order(gift=True)
    told = post(hub, caller, given, id_="m-1", idempotency_key="K-1")[1]
    mended(hub)
    assert retried(hub, of(hub, told["traceId"])) == "accepted"
    assert post(hub, caller, given, id_="m-2", idempotency_key="K-1")[1]["data"]["duplicate"]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"orderNo":', 40002), ('{"orderNo":"单"}'.encode("gbk"), 40005), (b"", 40001), (b"[1]", 42200)],
)
def test_what_cannot_be_read_is_kept_as_it_came(hub, caller, body, code):
    _, told = post(hub, caller, body)
    assert told["code"] == code
    row = of(hub, told["traceId"])
    [whole] = hub.hub.store.refused_ones(row.id)
    assert whole.arrival.body == body
    assert "Refused again" in retried(hub, row)


def test_an_item_of_a_batch_is_kept_and_taken_in_under_its_own_name(hub, caller):
    bad, good = order(gift=True), order()
    raw = json.dumps([good, bad]).encode()
    status, told = post(hub, caller, raw, "/api/v1/shop/order.placed/batch", id_="b-1")
    assert (status, told["data"]["refused"]) == (202, 1)
    row = of(hub, told["traceId"])
    assert json.loads(hub.hub.store.refused_ones(row.id)[0].arrival.body) == bad
    mended(hub)
    assert retried(hub, row) == "accepted"
    again = post(hub, caller, raw, "/api/v1/shop/order.placed/batch", id_="b-1")[1]
    assert [item["duplicate"] for item in again["data"]["items"]] == [True, True]


def test_a_batchs_trace_leads_to_what_was_accepted_and_to_what_was_refused(hub, caller):
    good, bad = order(), order(gift=True)
    trace_id = post(hub, caller, [good, bad], "/api/v1/shop/order.placed/batch")[1]["traceId"]
    row = of(hub, trace_id)
    out = run(hub, "trace", trace_id)[1]
    assert (good["orderNo"] in out, row.id in out) == (True, True)
    told = json.loads(run(hub, "trace", trace_id, "--json")[1])
    assert (len(told["messages"]), [one["id"] for one in told["refused"]]) == (1, [row.id])
    # And after the mend to all of it, as the trace of a post that was accepted does
    mended(hub)
    assert retried(hub, row) == "accepted"
    out = run(hub, "trace", trace_id)[1]
    assert (good["orderNo"] in out, bad["orderNo"] in out, row.id in out) == (True, True, True)
    trace_id = post(hub, caller, order())[1]["traceId"]
    assert len(json.loads(run(hub, "trace", trace_id, "--json")[1])["messages"]) == 1


def test_a_line_of_ndjson_that_is_cut_is_kept(hub, caller):
    raw = json.dumps(order()).encode() + b'\n{"orderNo":\n'
    told = post(hub, caller, raw, "/api/v1/shop/order.placed/batch", content_type="application/x-ndjson")[1]
    row = of(hub, told["traceId"])
    assert hub.hub.store.refused_ones(row.id)[0].arrival.body == b'{"orderNo":'
    told = post(hub, caller, b"{}", "/api/v1/shop/order.placed/batch")[1]
    assert of(hub, told["traceId"]).door == "batch"


def test_a_batch_that_was_refused_whole_is_read_whole(hub, caller):
    told = post(hub, caller, [order(gift=True), order()], "/api/v9/shop/order.placed/batch")[1]
    rows = [row for row in kept(hub) if row.trace_ids == (told["traceId"],)]
    assert len(rows) == 2  # no version 9: each of its items
    assert all("9" in row.text for row in rows)


def test_a_cloud_event_is_kept_and_taken_in(hub, caller):
    given = order(gift=True)
    event = {"specversion": "1.0", "id": "e-1", "source": "/shops/7", "type": "shop/order.placed", "data": given}
    raw, kind = gzip.compress(json.dumps(event).encode()), "application/cloudevents+json"
    status, told = post(hub, caller, raw, "/in/cloudevents", content_type=kind, content_encoding="gzip")
    assert status == 422
    row = of(hub, told["traceId"])
    assert (row.door, row.source) == ("event", "event:shop/order.placed")
    mended(hub)
    assert retried(hub, row) == "accepted"
    assert post(hub, caller, raw, "/in/cloudevents", content_type=kind, content_encoding="gzip")[1]["data"]["duplicate"]
    without = json.dumps({**event, "id": "e-2", "data": None}).encode()
    assert of(hub, post(hub, caller, without, "/in/cloudevents", content_type=kind)[1]["traceId"]).door == "event"


def test_a_hook_that_broke_its_contract_needs_a_person_and_is_taken_in_long_after_its_time(hub):
    given = order(gift=True)
    status, headers, body = push(hub, given)
    assert (status, body) == (500, b"fail")
    row = of(hub, headers["x-crossdock-trace"])
    assert (row.source, row.door) == ("hook:shop/push", "hook")
    [need] = [one for one in now.now(hub.hub)["needs"] if one["kind"] == "arrivals"]
    assert (need["count"], need["subject"]["source"]) == (1, "hook:shop/push")
    assert hub.hub.store.count_refused() == {"hook:shop/push": 1}
    mended(hub)
    # Proven at its arrival: neither its time nor its secret is asked for again.
    with secret_now(hub, "another") as other:
        assert acts.retry(other, [row.id], by="ann") == {row.id: "accepted"}
    assert push(hub, given)[2] == b"success"
    assert len(message(hub, given["orderNo"])) == 1


def test_a_hook_with_a_wrong_secret_is_proven_anew_whenever_that_is(hub):
    given = order()
    status, _, body = push(hub, given, secret="rotated", at=-200)
    assert status == 401
    trace_id = json.loads(body)["traceId"]
    row = of(hub, trace_id)
    assert (row.door, row.source) == ("unproven", "hook:shop/push")
    assert "not valid" in retried(hub, row)
    assert not [one for one in now.now(hub.hub)["needs"] if one["kind"] == "arrivals"]
    stale = of(hub, json.loads(push(hub, order(), secret="rotated", at=-2_000)[2])["traceId"])
    with secret_now(hub, "rotated") as other:
        # What came too late is proven, too: the window is against strangers who copy, and a person has looked.
        assert acts.retry(other, [row.id, stale.id], by="ann") == {row.id: "accepted", stale.id: "accepted"}
    assert len(message(hub, given["orderNo"])) == 1


def test_a_hooks_compressed_body_is_shown_as_it_was(hub):
    _, headers, _ = push(hub, gzip.compress(json.dumps(order(gift=True)).encode()), content_encoding="gzip")
    row = of(hub, headers["x-crossdock-trace"])
    [whole] = hub.hub.store.refused_ones(row.id)
    assert "body" not in acts.as_json(whole)
    assert "gift" in acts.revealed(hub.hub.store, whole, by="ann", why="a case")["body"]
    assert [act.object for act in hub.hub.store.acts() if act.what == "value.revealed"] == [row.id]
    with pytest.raises(Refused):
        acts.revealed(hub.hub.store, whole, by="ann", why="")
    mended(hub)
    assert retried(hub, row) == "accepted"


def test_a_stranger_leaves_a_line_without_a_body_and_cannot_fill_the_store(hub, caller):
    body = json.dumps(order()).encode()
    status, _, answer = call(hub, "/api/v1/shop/order.placed", body)
    row = of(hub, json.loads(answer)["traceId"])
    assert (status, row.door, row.size) == (401, "unproven", 0)
    assert "Nothing of it is kept" in retried(hub, row)
    for number in range(120):
        call(hub, f"/api/v1/shop/order.placed/{number}", body)
        call(hub, "/in/shop/push", b"x" * (1_000 + number), x_sign="0", x_time="0")
    assert len(kept(hub, caller="unproven")) <= 50
    assert len(kept(hub, caller="unproven hook:shop/push")) <= 50
    assert sum(row.size for row in kept(hub)) < 2 << 20


def test_a_question_for_a_message_that_is_not_there_is_its_callers(hub, caller):
    for number in range(3):
        told = caller.get(f"/api/messages/{uuid.uuid4()}")
        assert told.status_code == 404, number
    [row] = kept(hub, trace_id=told.json()["traceId"])
    assert (row.source, row.caller.startswith("k_"), row.times) == ("question:messages", True, 3)


def test_no_credential_is_kept(hub, caller):
    told = post(hub, caller, order(gift=True))[1]
    row = of(hub, told["traceId"])
    [whole] = hub.hub.store.refused_ones(row.id)
    text = json.dumps([dict(whole.arrival.headers), whole.proof, whole.request])
    assert "authorization" not in text.lower()
    assert caller.key not in text


def test_a_flood_of_one_content_is_one_row_that_counts(hub_anywhere):
    hub, caller = hub_anywhere, hub_anywhere.caller("shop")
    given = order(gift=True)
    traces = [post(hub, caller, given)[1]["traceId"] for _ in range(30)]
    [row] = kept(hub)
    assert row.times == 30
    assert list(row.trace_ids) == traces[:-21:-1]
    assert of(hub, traces[-1]).id == row.id
    # Told what to change: seen by its cause, and nobody is called.
    told = now.now(hub.hub)
    assert not [one for one in told["needs"] if one["kind"] == "arrivals"]
    [line] = told["refusals"]
    assert (line["source"], line["code"], line["number"], line["times"]) == ("post:shop/order.placed", 42200, 1, 30)


def test_each_caller_has_room_for_so_much_and_the_oldest_make_it(hub_anywhere):
    hub, caller = hub_anywhere, hub_anywhere.caller("shop")
    hub.hub.refusals._bounds = Bounds(caller=Room(5, 1 << 20), all=Room(7, 1 << 20))
    other = hub.caller("shop")
    for number in range(8):
        post(hub, caller, order(gift=number))
        assert hub.hub.refusals.drain(10)
    for number in range(3):
        post(hub, other, order(gift=number))
    assert sorted(Counter(row.caller for row in kept(hub)).values()) == [3, 5]
    hub.hub.store.bound_refused(Room(7, 1 << 20))
    assert len(kept(hub)) == 7
    hub.hub.store.bound_refused(Room(100, 200))
    assert sum(row.size for row in kept(hub)) <= 200


def test_a_store_that_is_away_changes_no_answer(hub, caller, monkeypatch):
    def away(*_):
        raise RuntimeError("gone")

    monkeypatch.setattr(type(hub.hub.store), "refuse", away)
    assert post(hub, caller, order(gift=True))[0] == 422
    assert hub.hub.refusals.drain(10)
    monkeypatch.undo()
    assert of(hub, post(hub, caller, order(gift=True))[1]["traceId"])


def test_old_ones_go_and_a_dropped_one_keeps_its_reason(hub_anywhere):
    hub, caller = hub_anywhere, hub_anywhere.caller("shop")
    row = of(hub, post(hub, caller, order(gift=True))[1]["traceId"])
    push(hub, order(gift=True))
    assert acts.drop(hub.hub.store, [row.id], by="ann", why="a test of theirs") == {row.id: "dropped"}
    [ended] = kept(hub, state="dropped")
    assert (ended.note, ended.changed_by) == ("a test of theirs", "ann")
    hub.hub.store.refuse(
        [
            Refusal(
                hub.hub.new_id(),
                "queue:a/b",
                Arrival(b"{"),
                Refused(Code.MALFORMED_JSON, "no"),
                "r" * 64,
                hub.hub.clock(),
            )
        ]
    )
    assert hub.hub.store.forget_refused(hub.hub.clock() - timedelta(days=1)) == 0
    assert hub.hub.store.forget_refused(hub.hub.clock() + timedelta(days=1)) == 2
    # What a queue brought waits for a person, however long.
    assert [row.source for row in kept(hub, state=None)] == ["queue:a/b"]


def test_rows_are_found_by_source_code_words_and_time(hub_anywhere):
    hub, caller = hub_anywhere, hub_anywhere.caller("shop")
    told = post(hub, caller, order(gift=True))[1]
    post(hub, caller, b"{")
    push(hub, b"{")
    assert len(kept(hub)) == 3
    assert [row.code for row in kept(hub, source="post:shop/order.placed", code=42200)] == [42200]
    assert {row.source for row in kept(hub, text="ends too early")} == {"post:shop/order.placed", "hook:shop/push"}
    assert kept(hub, since=hub.hub.clock()) == []
    assert kept(hub, until=hub.hub.clock()) == kept(hub)
    assert kept(hub, trace_id=told["traceId"])[0].code == 42200
    base = f"{hub.url}/ops/v1/refused"

    def items(query):
        return operator.get(f"{base}?{query}", timeout=10).json()["data"]["items"]

    assert len(items("q=ends")) == 2
    assert items(f"trace={told['traceId']}")[0]["traceIds"] == [told["traceId"]]
    assert items("code=40002&source=hook:shop/push")[0]["door"] == "hook"
    row = items(f"trace={told['traceId']}")[0]
    assert "body" not in operator.get(f"{base}/{row['id']}", timeout=10).json()["data"]
    shown = operator.post(f"{base}/{row['id']}/reveal", json={"by": "ann", "why": "a case"}, timeout=10).json()["data"]
    assert "gift" in shown["body"]


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        ("/api/v1/shop/order.placed", b"{}", "POST"),
        ("/api/v1/shop/order.placed", b"", "PUT"),
        ("/api/nothing", b"", "GET"),
        ("/api/messages/x", b"", "GET"),
        ("/in/shop/push", b"{}", "POST"),
        ("/in/shop/nothing", b"{}", "POST"),
        ("/in/shop/push", b"", "DELETE"),
        ("/in/cloudevents", b"{}", "POST"),
        ("/nothing", b"", "GET"),
    ],
)
def test_every_refusal_names_itself(hub, path, body, method):
    status, _, answer = call(hub, path, body, method)
    assert status >= 400
    assert len(json.loads(answer)["traceId"]) == 32


def test_another_body_under_a_name_that_is_taken_is_seen_and_stays_refused(hub, caller):
    post(hub, caller, order(), id_="m-7")
    status, told = post(hub, caller, order(), id_="m-7")
    assert (status, told["code"]) == (422, int(Code.IDEMPOTENCY_MISMATCH))
    row = of(hub, told["traceId"])
    assert "Its name stands for another message" in retried(hub, row)


def run(hub, *words):
    settings = hub.hub.settings
    given = {name: value for name, value in settings.environment.items() if name.startswith("HUB_")}
    done = CliRunner(env=given).invoke(
        main, ["--store", settings.store, "--workspace", str(settings.workspace), *words]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def test_the_command_line_finds_shows_and_retries_them(hub, caller, tmp_path):
    trace_id = post(hub, caller, order(gift=True))[1]["traceId"]
    push(hub, order(gift=True))
    assert len(kept(hub)) == 2
    [row] = json.loads(run(hub, "refused", "list", "--trace", trace_id, "--json")[1])
    assert (row["source"], row["door"], row["code"]) == ("post:shop/order.placed", "post", 42200)
    assert [
        one["door"]
        for one in json.loads(run(hub, "refused", "list", "--source", "hook:shop/push", "--code", "42200", "--json")[1])
    ] == ["hook"]
    assert json.loads(run(hub, "refused", "list", "--text", "no such word", "--json")[1]) == []
    code, out = run(hub, "trace", trace_id)
    assert (code, row["id"] in out) == (0, True)
    assert "body" not in json.loads(run(hub, "refused", "show", row["id"], "--json")[1])
    assert "gift" in run(hub, "refused", "show", row["id"], "--why", "a case", "--by", "ann")[1]
    assert [act.by for act in hub.hub.store.acts(what="value.revealed")] == ["ann"]
    out = run(hub, "now")[1]
    assert "hook:shop/push" in out or "webhook" in out
    assert "post:shop/order.placed" in out.replace("\n", "")
    # What `hub send` brought is kept like the rest, and is the same message when it is sent again.
    file = tmp_path / "order.json"
    file.write_text(json.dumps(order(gift=True)), "utf-8")
    assert run(hub, "send", "shop/order.placed@1", str(file))[0] == 1
    assert "command:shop/order.placed" in {one.source for one in kept(hub)}
    mended(hub)
    code, out = run(hub, "refused", "retry", "--all", "--json")
    assert (code, set(json.loads(out).values())) == (0, {"accepted"})
    assert kept(hub) == []
    assert json.loads(run(hub, "send", "shop/order.placed@1", str(file), "--json")[1])["duplicate"]
