"""The workbench over a socket: what an operator's forms do, once; what a viewer, a strange form and a hostile text
cannot.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.console.attach import attach
from hub.core.config.queue import Arrival
from hub.core.documents.json_positions import line_of
from hub.core.errors import Cause, Code, Fault, Reason, Refused
from hub.core.model.delivery import Dead
from hub.flow.accounts import people
from hub.store import ArrivalFilter, Refusal
from hub.store.queries.throughput import ThroughputRow
from tests.console.conftest import PASSWORD, Browser
from tests.support.hubs import small_workspace
from tests.support.making import claim, laid, new_id, settled
from tests.support.servers import Served, served, small_hub

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
ORDER = b'{"orderNo":"SO-1","items":[{"sku":"SKU-1","quantity":2}]}'


class Person(Browser):
    """Somebody signed in, whose forms carry what the page gave."""

    def send(self, path, *, csrf=True, origin=None, **form):
        return self.post(path, form, csrf=csrf, **({"origin": origin} if origin else {}))


@pytest.fixture
def hub(tmp_path):
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    for contract in workspace.glob("adapters/*/contracts/order.*.v1.json"):
        contract.write_text(contract.read_text("utf-8").replace('"sku": {', '"sku": {"x-pii": true, '), "utf-8")
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        for name, role in (("olga", "operator"), ("vera", "viewer")):
            people.add(made.store, name, PASSWORD, role, by="test")
        yield made


@pytest.fixture
def url(hub):
    with served(hub, "wsgi", pages=attach) as running:
        yield running.url


@pytest.fixture
def olga(url):
    return Person(url).sign_in("olga")


@pytest.fixture
def vera(url):
    return Person(url).sign_in("vera")


def dead(hub, number=3, text=EVIL):
    """So many dead letters of one cause; the ids of their deliveries."""
    batch = [
        laid(order_key=f"{text}{place}", keys=(("orderNo", f"{text}{place}"),), raw=ORDER) for place in range(number)
    ]
    hub.store.add([replace(one, message=replace(one.message, revision=hub.store.active())) for one in batch])
    hub.store.settle(
        [settled(one, Dead(Cause(Reason.REFUSED, text, f"/{text}", fix=text))) for one in claim(hub.store)]
    )
    while hub.store.name_clusters():
        pass
    return [one.deliveries[0].id for one in batch]


def refused(hub):
    id_ = new_id()
    why = Refused(Code.CONTRACT_VIOLATION, EVIL, [Fault(f"/{EVIL}", EVIL, EVIL, EVIL)])
    arrival = Arrival(EVIL.encode(), EVIL, {EVIL: EVIL}, EVIL, EVIL)
    hub.store.refuse([Refusal(id_, "queue:stock/orders", arrival, why, hub.store.active(), datetime.now(UTC))])
    return id_


def cause(hub):
    return next(one.cluster.id for one in hub.store.clusters() if one.cluster is not None)


def order(hub, **more):
    given = {
        "cluster": cause(hub),
        "status": "dead",
        "with": "pinned",
        "canary": "1",
        "go_on": "",
        "rate": "50",
        "why": "mended",
        "act": "replay",
    }
    return {**given, "key": "one-press", **more}


def test_one_press_of_the_button_is_one_repair_however_often_it_is_sent(hub, olga):
    dead(hub)
    answers = [olga.send("/console/repairs", **order(hub)) for _ in range(3)]
    assert [one.status_code for one in answers] == [303, 303, 303]
    assert len({one.headers["location"] for one in answers}) == 1
    [row] = hub.store.repairs()
    assert (row.number, row.created_by, row.selection["cluster"]) == (3, "olga", cause(hub))
    where = answers[0].headers["location"]
    # Starting and stopping twice changes nothing either, and all of it is on record under her name
    for step in ("start", "start", "stop", "stop"):
        assert olga.send(f"{where}/{step}").status_code == 303
    assert [(act.what, act.by) for act in hub.store.acts(object_=row.id)] == [
        ("repair.stopped", "olga"),
        ("repair.started", "olga"),
        ("repair.created", "olga"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"why": ""},
        {"rate": "0"},
        {"rate": "x"},
        {"canary": "-1"},
        {"go_on": "101"},
        {"status": "delivered"},
        {"cluster": ""},
        {"ids": "x"},
        {"with": "candidate:none"},
    ],
)
def test_a_form_that_was_made_by_hand_is_refused_and_changes_nothing(hub, olga, wrong):
    dead(hub)
    answer = olga.send("/console/repairs", **order(hub, **wrong))
    assert answer.status_code in (400, 404), answer.text
    assert hub.store.repairs() == []


def test_a_viewer_and_a_strange_form_change_nothing_by_any_address(hub, olga, vera):
    [id_, *_] = dead(hub)
    arrival = refused(hub)
    where = olga.send("/console/repairs", **order(hub)).headers["location"]
    calls = [
        ("/console/repairs", order(hub, key="other")),
        *((f"{where}/{step}", {}) for step in ("start", "continue", "stop")),
    ]
    calls += [(f"/console/dead/deliveries/{id_}/{step}", {"why": "x", "body": "{}"}) for step in ("open", "edit")]
    calls += [
        ("/console/refused/retry", {"ids": arrival}),
        ("/console/refused/drop", {"ids": arrival}),
        (f"/console/refused/{arrival}/show", {"why": "x"}),
    ]
    before = [act.sequence for act in hub.store.acts(limit=1)]
    for path, form in calls:
        assert vera.send(path, **form).status_code == 403, path
        assert olga.send(path, csrf="strange", **form).status_code == 403, path
        assert olga.send(path, origin="http://elsewhere.example", **form).status_code == 403, path
    assert vera.get(f"/console/dead/deliveries/{id_}/edit").status_code == 403
    assert [act.sequence for act in hub.store.acts(limit=1)] == before
    assert [row.state for row in hub.store.repairs()] == ["ready"]


def test_what_others_wrote_is_text_everywhere(hub, olga):
    [id_, *_] = dead(hub)
    arrival = refused(hub)
    where = olga.send("/console/repairs", **order(hub, why=EVIL)).headers["location"]
    pages = [
        "/console/dead",
        "/console/dead?words=" + EVIL,
        f"/console/dead/causes/{cause(hub)}",
        f"/console/dead/deliveries/{id_}",
        "/console/dead/parked",
    ]
    pages += [
        where,
        f"{where}?preview=10",
        f"{where}?result=waiting",
        "/console/repairs",
        "/console/refused",
        f"/console/refused/{arrival}",
    ]
    texts = [(path, olga.get(path)) for path in pages]
    texts += [
        ("show", olga.send(f"/console/refused/{arrival}/show", why=EVIL)),
        ("edit", olga.send(f"/console/dead/deliveries/{id_}/edit", why=EVIL, body=EVIL)),
    ]
    for path, answer in texts:
        assert answer.status_code in (200, 400, 422), (path, answer.text)
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
    assert "&lt;script&gt;alert" in texts[0][1].text


def test_a_body_with_personal_values_is_shown_for_a_reason_that_is_on_record(hub, olga):
    [id_, *_] = dead(hub)
    closed = olga.get(f"/console/dead/deliveries/{id_}/edit").text
    assert "SKU-1" not in closed
    assert olga.send(f"/console/dead/deliveries/{id_}/open", why=" ").status_code == 400
    shown = olga.send(f"/console/dead/deliveries/{id_}/open", why="the customer calls")
    assert "SKU-1" in shown.text
    [act, *_] = hub.store.acts()
    assert (act.by, act.what, act.details["why"]) == ("olga", "message.revealed", "the customer calls")


def test_an_edited_body_is_checked_with_faults_at_their_lines_and_goes_once(hub, olga):
    [id_, *_] = dead(hub)
    path = f"/console/dead/deliveries/{id_}/edit"
    wrong = olga.send(path, why="x", body='{"orderNo": "SO-1",\r\n "items": [\r\n  {"sku": "S"}]}')
    assert wrong.status_code == 422
    assert "/items/0/quantity" in wrong.text
    assert "line 3" in wrong.text
    assert hub.store.delivery(id_).status == "dead"
    good = [
        olga.send(path, why="x", body='{"orderNo": "SO-1", "items": [{"sku": "S", "quantity": 1}]}') for _ in range(2)
    ]
    assert [one.status_code for one in good] == [303, 303]
    assert "known=1" not in good[0].headers["location"]
    assert "known=1" in good[1].headers["location"]
    assert hub.store.delivery(id_).status == "cancelled"
    assert olga.get(good[1].headers["location"]).status_code == 200


def test_a_cause_that_came_up_where_all_went_well_before_says_what_changed_then(hub, olga):
    # Given a way that delivered until now, and a target that begins to say no in two ways
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    hub.store.add_minutes(
        [
            ThroughputRow(now - timedelta(minutes=ago), "orders", "warehouse/order.create@1", {"delivered": 1})
            for ago in (3, 2)
        ]
    )
    dead(hub, text="no")
    dead(hub, text="never")
    for one in hub.store.clusters():
        page = olga.get(f"/console/dead/causes/{one.cluster.id}")
        # Then its page names the other answer, and when the way stopped
        assert page.status_code == 200
        assert "The target began to answer otherwise too" in page.text
        assert "The way delivered until then" in page.text


def test_ticked_ones_alone_are_chosen(hub, olga):
    ids = dead(hub)
    olga.send("/console/repairs", **order(hub, ids=ids[1:], act="discard"))
    [row] = hub.store.repairs()
    assert (row.act, row.number, sorted(row.selection["ids"])) == ("discard", 2, sorted(ids[1:]))


def test_a_refused_arrival_is_dropped_once_and_read_again_only_by_a_queue_that_is_there(hub, olga):
    id_ = refused(hub)
    assert olga.send("/console/refused/retry", ids=id_).status_code == 303
    assert hub.store.refused_ones(id_)[0].state == "waiting"
    for _ in range(2):
        assert olga.send("/console/refused/drop", ids=id_).status_code == 303
    assert hub.store.refused_ones(id_)[0].state == "dropped"
    assert [act.what for act in hub.store.acts(object_=id_)] == ["refused.dropped"]


def test_an_unchanged_page_costs_a_poll_nothing(hub, olga):
    dead(hub)
    first = olga.get("/console/dead/parked", HX_Request="true")
    assert olga.get("/console/dead/parked", HX_Request="true", If_None_Match=first.headers["etag"]).status_code == 304


NOBODY = "01a1fe41-5da2-7007-92ae-2321dd1ed9e4"


@pytest.mark.parametrize(
    "path",
    [
        "/console/dead/causes/0123456789abcdef",
        "/console/dead/causes/x",
        f"/console/dead/deliveries/{NOBODY}",
        f"/console/repairs/{NOBODY}",
        f"/console/refused/{NOBODY}",
    ],
)
def test_what_is_not_there_says_so(olga, path):
    assert olga.get(path).status_code == 404


@pytest.mark.parametrize(
    ("pointer", "line"), [("", 1), ("/a", 2), ("/a/0", 2), ("/a/1/b~1c", 4), ("/d", 6), ("/none", 1)]
)
def test_a_pointer_has_a_line(pointer, line):
    assert line_of('{\n "a": [1,\n  {"x": "}",\n   "b/c": {}}\n ],\n "d": null\n}', pointer) == line


@pytest.mark.parametrize("text", ["", "{", "}", '{"a"', "[,", '"', "nonsense {]"])
def test_a_text_that_is_no_json_has_no_such_lines(text):
    line_of(text, "/a/0")


def test_a_batchs_trace_finds_what_was_accepted_and_what_was_refused(hub, url, olga):
    one = b'{"orderNo":"SO-%d","items":[{"sku":"SKU-1","quantity":2}]%b}'
    raw = b"[%b,%b]" % (one % (21, b""), one % (22, b',"gift":"x"'))
    told = (
        Served(hub, int(url.rpartition(":")[2]))
        .caller("shop")
        .post("/api/v1/shop/order.placed/batch", raw, "b-1")
        .json()
    )
    assert hub.refusals.drain(10)
    [row] = hub.store.refused(wanted=ArrivalFilter(trace_id=told["traceId"]))
    page = olga.get(f"/console/find?q={told['traceId']}").text
    assert (row.id in page, told["data"]["items"][0]["messageId"] in page) == (True, True)


def test_a_refused_post_is_found_by_its_trace_shown_for_a_reason_and_retried(hub, url, olga):
    caller = Served(hub, int(url.rpartition(":")[2])).caller("shop")
    raw = b'{"orderNo":"SO-9","items":[{"sku":"SKU-1","quantity":2}],"gift":"<b>x</b>"}'
    trace_id = caller.post("/api/v1/shop/order.placed", raw, "m-1").json()["traceId"]
    assert hub.refusals.drain(10)
    [row] = hub.store.refused()
    assert row.id in olga.get(f"/console/find?q={trace_id}").text
    for question in (
        "source=post:shop/order.placed",
        "code=42200",
        f"trace={trace_id}",
        "q=does not fit",
        f"caller={row.caller}",
    ):
        assert row.id in olga.get(f"/console/refused?{question}").text
    assert row.id not in olga.get("/console/refused?source=hook:shop/push").text
    for language in ("en", "zh"):
        page = olga.get(f"/console/now?lang={language}").text
        assert row.id in page
        assert "need-kind" not in page
    where = f"/console/refused/{row.id}"
    assert "gift&#34;:" not in olga.get(where).text
    assert "&lt;b&gt;x" in olga.send(f"{where}/show", why="a case").text
    assert olga.send("/console/refused/retry", ids=row.id).status_code == 303
    assert [act.what for act in hub.store.acts(object_=row.id)] == ["refused.again", "value.revealed"]
    assert olga.send("/console/refused/drop", ids=row.id, why="their test").status_code == 303
    assert "their test" in olga.get(where).text
