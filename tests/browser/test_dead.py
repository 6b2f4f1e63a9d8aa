"""The workbench in a real browser: a cause of 500 dead letters is mended and repaired, one is edited, one discarded;
what hostile senders wrote stays text.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.core.config.queue import Arrival
from hub.core.errors import Code, Fault, Refused
from hub.store import Refusal, open_store
from tests.browser.conftest import PEOPLE, add_user
from tests.support.hubs import HubProcess, Sink, small_workspace
from tests.support.making import laid, new_id
from tests.support.waiting import wait_until

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
SOUND, BROKEN = "quantity: quantity}", 'quantity: "quantity - 1"}'
# What senders and targets may write where people read it.
HOSTILE = (
    "<script>window.hurt=1</script>",
    '"><img src=x onerror=window.hurt=1>',
    "'><svg/onload=window.hurt=1>",
    "{{ 7*7 }} ${7*7} {% raw %}",
    "javascript:window.hurt=1",
    "</textarea></pre><iframe srcdoc='<script>parent.hurt=1</script>'>",
    "\u202eevil\u202c &lt;b&gt;",
)


class Answers:
    """What the target says: yes, or no with a text."""

    no: str | None = None

    def __call__(self, number, key):
        return (
            (200, {}, b"{}")
            if self.no is None
            else (422, {"content-type": "application/json"}, json.dumps({"message": self.no}).encode())
        )


@pytest.fixture(scope="module")
def answers():
    return Answers()


@pytest.fixture(scope="module")
def console(tmp_path_factory, answers):
    """`hub up` on a mapping that is broken for a quantity of one, with olga and vera."""
    folder = tmp_path_factory.mktemp("dead")
    sink = Sink(answers)
    made = HubProcess(
        small_workspace(folder / "workspace", sink.url), f"sqlite:///{folder}/hub.sqlite3", hub_log_level="error"
    ).start()
    made.folder, made.sink = folder / "workspace", sink
    for name, role in PEOPLE.items():
        add_user(made, name, role)
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


def change(hub, sound, other):
    """Another mapping, active."""
    path = hub.folder / MAPPING
    text = path.read_text("utf-8")
    if sound in text:
        path.write_text(text.replace(sound, other), "utf-8")
        hub.apply()


def books(hub):
    return {status: count for status, count in hub.ops("/conservation")["deliveries"].items() if count}


def dead_orders(hub, number, prefix):
    """So many orders that the broken mapping cannot make, of one cause; and that the mapping is mended after that."""
    change(hub, SOUND, BROKEN)
    before = books(hub).get("dead", 0)
    orders = [{"orderNo": f"{prefix}-{place}", "items": [{"sku": "S", "quantity": 1}]} for place in range(number)]
    answer = hub.caller("shop").post("/api/v1/shop/order.placed/batch", json.dumps(orders).encode(), new_id())
    assert answer.status_code == 202, answer.text
    wait_until(lambda: books(hub).get("dead", 0) == before + number, seconds=120, what="the dead ones")
    wait_until(
        lambda: all(one["id"] for one in hub.ops("/clusters")["items"]), seconds=30, what="the names of their causes"
    )
    change(hub, BROKEN, SOUND)


class Clicks:
    """A person's clicks, counted; typing is none."""

    def __init__(self, page):
        self.page, self.number = page, 0

    def __call__(self, selector):
        self.page.click(selector)
        self.number += 1


def repair_of(page):
    return page.url.split("/repairs/")[1][:36]


def settled_(hub, id_, state):
    return wait_until(
        lambda: next((one for one in [hub.ops(f"/repairs/{id_}")] if one["state"] == state), None),
        seconds=120,
        what=state,
    )


def test_500_dead_letters_of_one_cause_are_repaired_after_a_mend_with_preview_and_canary_in_eight_clicks(
    operator, console, language
):
    # Given 500 dead letters of one cause, whose mapping is mended since
    dead_orders(console, 500, f"T-{language}")
    sent = len(console.sink.keys)
    page = operator.open("/console")
    click = Clicks(page)
    # When their cause is opened from the front page, and what would be sent is asked for
    click("nav a[href='/console/dead']")
    click("td.cause a")
    operator.look("cause")
    page.fill("#repair input[name=why]", "mapping mended")
    click("#repair button[value=replay]")
    # Then the preview tells that the present configuration makes them, and nothing was sent
    page.wait_for_selector("#preview .badge.is-ok")
    operator.look("repair-ready")
    id_ = repair_of(page)
    assert console.ops(f"/repairs/{id_}")["number"] == 500
    assert len(console.sink.keys) == sent
    # When the first five go
    click(".standing details.act > summary")
    click(".standing details.act form button")
    # Then the page follows until a person is waited for
    page.wait_for_selector("form[action$='/continue']", state="attached", timeout=60_000)
    assert len(set(console.sink.keys[sent:])) == 5
    operator.look("repair-waiting")
    # When the rest is let go
    click(".standing details.act > summary")
    click(".standing details.act form button")
    done = settled_(console, id_, "done")
    # Then each is delivered once, and the page says so by itself
    page.wait_for_selector(".standing .badge.is-ok", timeout=60_000)
    operator.look("repair-done")
    assert done["results"]["delivered"] == 500
    assert sorted(console.sink.keys[sent:]) == sorted(set(console.sink.keys[sent:]))
    assert click.number <= 8
    assert {act["by"] for act in console.ops(f"/audit?object={id_}")["items"]} == {"olga"}


def test_one_is_edited_and_replayed_with_faults_at_their_places(operator, console, language):
    # Given a dead letter
    dead_orders(console, 1, f"E-{language}")
    page = operator.open("/console/dead")
    page.click("td.cause a")
    page.click("td .id a")
    operator.look("delivery")
    where = page.url
    # When its body is changed to what the contract does not take
    page.click(".head .actions a")
    operator.look("edit")
    page.fill("textarea", '{\n  "orderNo": "E-1",\n  "items": [\n    {"sku": "S"}\n  ]\n}')
    page.fill("form.edit input[name=why]", "quantity was left out")
    with page.expect_response(lambda response: response.request.method == "POST") as refused:
        page.click("form.edit button")
    # Then each fault stands beside its place, what was typed is there, and nothing was sent
    assert refused.value.status == 422
    assert "/items/0/quantity" in page.inner_text("#faults")
    assert "4" in page.inner_text("#faults small")
    operator.seen.wrong = [text for text in operator.seen.wrong if "422" not in text]
    operator.look("edit-faults")
    operator.seen.wrong = []
    # When it is right
    page.fill("textarea", json.dumps({"orderNo": f"E-{language}-0", "items": [{"sku": "S", "quantity": 3}]}))
    page.click("form.edit button")
    page.wait_for_selector(".note.is-ok")
    operator.look("delivery-edited")
    # Then the old one is cancelled, and a message that names it as its cause went in its place
    message = page.inner_text(".note.is-ok")
    old = console.ops(f"/messages?id={where_message(console, where)}")["items"][0]
    assert old["deliveries"][0]["status"] == "cancelled"
    assert old["id"] not in message


def where_message(hub, url):
    """The message of a delivery page."""
    id_ = url.rsplit("/", 1)[1]
    store = open_store(hub.environment["HUB_STORE"])
    try:
        return store.delivery(id_).message_id
    finally:
        store.close()


def test_those_that_are_ticked_are_discarded_and_a_repair_is_stopped(operator, console, language):
    dead_orders(console, 4, f"D-{language}")
    page = operator.open("/console/dead")
    page.click("td.cause a")
    # When one is ticked and discarded
    page.check("td.is-tick input >> nth=0")
    page.fill("#repair input[name=why]", "sent by phone")
    page.click("#repair button[value=discard]")
    operator.look("repair-discard")
    page.click(".standing details.act > summary")
    page.click(".standing details.act form button")
    assert settled_(console, repair_of(page), "done")["results"]["discarded"] == 1
    # When the others go after a canary of one, and a person stops it
    page.goto("/console/dead")
    page.click("td.cause a")
    page.fill("#repair input[name=canary]", "1")
    page.fill("#repair input[name=why]", "the rest")
    page.click("#repair button[value=replay]")
    page.click(".standing details.act > summary")
    page.click(".standing details.act form button")
    page.wait_for_selector("form[action$='/continue']", state="attached", timeout=60_000)
    page.click("form[action$='/stop'] button")
    stopped = console.ops(f"/repairs/{repair_of(page)}")
    # Then nothing more went, and it goes on where it was
    assert (stopped["state"], stopped["results"]["delivered"]) == ("stopped", 1)
    operator.look("repair-stopped")
    page.click(".standing details.act > summary")
    page.click(".standing details.act form button")
    page.wait_for_selector("form[action$='/continue']", state="attached", timeout=60_000)
    page.click(".standing details.act > summary")
    page.click(".standing details.act form button")
    assert settled_(console, repair_of(page), "done")["results"]["delivered"] == stopped["number"]
    page.goto("/console/repairs")
    operator.look("repairs")


@pytest.fixture(scope="module")
def hostile(console, answers):
    """Dead letters, parked keys and refused arrivals whose every foreign text is an attack."""
    store = open_store(console.environment["HUB_STORE"])
    revision = store.active()
    before = books(console).get("dead", 0)
    for text in HOSTILE:
        answers.no = text
        batch = []
        for place in range(2):
            one = laid(
                order_key=text,
                keys=(("orderNo", text),),
                raw=json.dumps({"orderNo": f"H-{place}", "items": [{"sku": "S", "quantity": 2}]}).encode(),
            )
            batch.append(replace(one, message=replace(one.message, revision=revision)))
        store.add(batch)
        before += 1
        wait_until(
            lambda wanted=before: books(console).get("dead", 0) == wanted, seconds=60, what="a refusal by the target"
        )
        why = Refused(Code.CONTRACT_VIOLATION, text, [Fault(f"/{text}", text, text, text)])
        arrival = Arrival(text.encode(), text, {text: text}, text, "text/html")
        store.refuse([Refusal(new_id(), "queue:stock/orders", arrival, why, revision, datetime.now(UTC))])
    store.close()
    answers.no = None
    wait_until(
        lambda: all(one["id"] for one in console.ops("/clusters")["items"]),
        seconds=30,
        what="the names of their causes",
    )
    return console


@pytest.mark.parametrize(
    "place",
    [
        "dead",
        "dead?status=held",
        "dead?status=unknown",
        "dead?words=%3Cscript",
        "dead/parked",
        "repairs",
        "refused",
        "refused?state=dropped",
    ],
)
def test_a_list_stands_whatever_senders_wrote(operator, hostile, place):
    page = operator.open(f"/console/{place}")
    operator.look(place.replace("/", "-").replace("?", "-").replace("%3C", ""))
    assert page.evaluate("window.hurt") is None


def test_a_cause_a_delivery_and_a_refused_arrival_stand_whatever_senders_wrote(operator, hostile):
    page = operator.open("/console/dead/parked")
    links = page.eval_on_selector_all("td .id a", "(links) => links.map((link) => link.getAttribute('href'))")
    assert len(links) == len(HOSTILE)
    causes = [f"/console/dead/causes/{one['id']}" for one in hostile.ops("/clusters?status=dead")["items"]]
    for path in (*links, *causes):
        page.goto(path)
        assert page.evaluate("window.hurt") is None, path
    # A page that is left while it polls ends its request; that is no fault of the page's.
    operator.seen.wrong = [text for text in operator.seen.wrong if "ERR_ABORTED" not in text]
    operator.look("cause-hostile")
    # And the bodies of refused arrivals, which are shown for a reason alone
    page.goto("/console/refused")
    for path in page.eval_on_selector_all("td.cause a", "(links) => links.map((link) => link.getAttribute('href'))"):
        page.goto(path)
        page.fill("form.ask input[name=why]", HOSTILE[0])
        page.click("form.ask button")
        page.wait_for_selector("main pre")
        assert page.evaluate("window.hurt") is None, path
    operator.look("refused-one")
    assert operator.seen.wrong == []


def test_a_refused_arrival_is_dropped_and_a_viewer_can_neither(operator, viewer, hostile, language):
    page = operator.open("/console/refused")
    page.click("td.cause a >> nth=0")
    path = page.url
    page.click("details.act.is-bad > summary")
    page.fill("details.act.is-bad input[name=why]", f"a test message, {language}")
    page.click("details.act.is-bad form button")
    page.wait_for_selector(".badge.is-idle")
    [act] = hostile.ops("/audit?what=refused.dropped&limit=1")["items"]
    assert act["details"]["why"] == f"a test message, {language}"
    # A viewer sees it, and no button
    seen = viewer.open(path)
    assert seen.locator("details.act, form.ask").count() == 0
    viewer.look("refused-viewer")
