"""How a delivery and a message stand is derived once: every face says the same of every state, and no earlier try's
reason lingers.
"""

import json
import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from hub.cli.commands import main
from hub.console.attach import attach
from hub.core.errors import Cause, Reason
from hub.core.message import Disposition, Ref
from hub.core.model.delivery import Dead, Delivered, Ended, Hold, InDoubt, InDoubtPolicy, Retry, Superseded
from hub.flow.accept import MessageStatus
from hub.flow.accounts import people
from tests.console.conftest import PASSWORD, Browser
from tests.support.hubs import operator, small_workspace
from tests.support.making import claim, laid, settled
from tests.support.servers import served, small_hub

TARGET = Ref("warehouse", "order.create", 1)
EARLIER = Cause(Reason.SERVER_ERROR, "The target answered 503 (earlier-words).", fix="Wait.")
SAID = Cause(Reason.REFUSED, "The target refused it with 422 (last-words).", fix="Mend it.")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fate")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as made:
        people.add(made.store, "olga", PASSWORD, "operator", by="test")
        yield made


@pytest.fixture(scope="module")
def web(hub):
    with served(hub, "wsgi", pages=attach) as running:
        yield running


class Made:
    """A message with one delivery, brought into a state by the store's own verbs."""

    def __init__(self, hub, name, **planned):
        self.hub, self.name = hub, name
        route = hub.catalogs.active().routes[0].name
        one = laid(
            keys=(("orderNo", name),),
            targets=(TARGET,),
            raw=json.dumps({"orderNo": name, "items": [{"sku": "S", "quantity": 1}]}).encode(),
        )
        line = replace(one.deliveries[0], route=route, **planned)
        message = replace(one.message, revision=hub.store.active(), received_at=hub.clock())
        hub.store.add([replace(one, message=message, deliveries=(line,))])
        self.message_id, self.id = message.id, line.id

    def take(self):
        claims = {one.id: one for one in claim(self.hub.store)}
        return claims[self.id]

    def end(self, *outcomes):
        for outcome in outcomes:
            self.hub.store.settle([settled(self.take(), outcome)])
        return self


def states(hub):
    """Per name: the delivery, its state, and the reason that every face gives; None: none."""
    store, ended = hub.store, {}

    def has(name, made, status, why):
        ended[name] = (made, status, why)

    has("first", Made(hub, "first").end(Delivered()), "delivered", None)
    has("retried", Made(hub, "retried").end(Retry(EARLIER, 0.0), Delivered()), "delivered", None)
    has("released", Made(hub, "released", hold_until=hub.clock() + timedelta(seconds=0.2)), "delivered", None)
    time.sleep(0.3)
    store.release()
    ended["released"][0].end(Retry(EARLIER, 0.0), Delivered())
    has("dead", Made(hub, "dead").end(Retry(EARLIER, 0.0), Dead(SAID)), "dead", SAID)
    has(
        "unknown",
        Made(hub, "unknown", in_doubt=InDoubtPolicy.PARK).end(InDoubt(SAID, InDoubtPolicy.PARK)),
        "unknown",
        SAID,
    )
    has("orphaned", Made(hub, "orphaned").end(Retry(EARLIER, 0.0), Hold(SAID)), "held", SAID)
    has("told-no", Made(hub, "told-no").end(Ended(SAID)), "cancelled", SAID)
    has("overtaken", Made(hub, "overtaken").end(Retry(EARLIER, 0.0), Superseded(SAID)), "superseded", SAID)
    has("scheduled", Made(hub, "scheduled", hold_until=hub.clock() + timedelta(hours=1)), "held", "asks for")
    cancelled = Made(hub, "cancelled").end(Retry(EARLIER, 0.0), Dead(EARLIER))
    store.cancel([cancelled.id], by="olga", why="nobody wants it")
    has("cancelled", cancelled, "cancelled", "nobody wants it")
    expired = Made(hub, "expired", expires_at=hub.clock() + timedelta(seconds=0.2)).end(Retry(EARLIER, 3_600.0))
    time.sleep(0.3)
    store.lapse()
    has("expired", expired, "cancelled", "before it expired")
    has("again", Made(hub, "again").end(Retry(SAID, 3_600.0)), "pending", SAID)
    replayed = Made(hub, "replayed").end(Dead(EARLIER))
    leased = Made(hub, "leased").end(Retry(EARLIER, 0.0))
    leased.take()
    has("leased", leased, "leased", None)
    # Last, because nobody claims from here on
    store.reopen([replayed.id], by="olga")
    has("replayed", replayed, "pending", None)
    has("fresh", Made(hub, "fresh"), "pending", None)
    return ended


@pytest.fixture(scope="module")
def ended(hub, web):
    return states(hub)


def run(hub, *words):
    done = CliRunner().invoke(main, ["--store", hub.settings.store, "--workspace", str(hub.settings.workspace), *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout


def text_of(why):
    return why.text if isinstance(why, Cause) else why


NAMES = (
    *(
        "first",
        "retried",
        "released",
        "dead",
        "unknown",
        "orphaned",
        "told-no",
        "overtaken",
        "scheduled",
        "cancelled",
        "expired",
    ),
    *("leased", "replayed", "again", "fresh"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_face_says_the_same(hub, web, ended, name):
    made, status, why = ended[name]

    def call(path):
        return operator.get(f"{web.url}/ops/v1{path}", timeout=30).json()["data"]

    # Given what each call and command says of the one delivery
    told = {
        "message": call(f"/messages/{made.message_id}")["deliveries"],
        "list": call(f"/messages?id={made.message_id}")["items"][0]["deliveries"],
        "trace": call(f"/trace/{made.name}")["messages"][0]["deliveries"],
        "find": call(f"/find?q={made.name}")["items"][0]["deliveries"],
        "object": [step for step in call(f"/objects/{made.name}")["steps"] if step["kind"] == "delivery"],
        "hub trace": json.loads(run(hub, "trace", made.name, "--json"))["messages"][0]["deliveries"],
        "hub find": json.loads(run(hub, "find", made.name, "--json"))["items"][0]["deliveries"],
        "hub object": [
            step for step in json.loads(run(hub, "object", made.name, "--json"))["steps"] if step["kind"] == "delivery"
        ],
        "hub dead show": [json.loads(run(hub, "dead", "show", made.id, "--json"))],
    }
    if status in ("dead", "held", "unknown"):
        told["waiting"] = [one for one in call(f"/deliveries/{status}")["items"] if one["id"] == made.id]
        told["hub dead list"] = [
            one for one in json.loads(run(hub, "dead", "list", "--status", status, "--json")) if one["id"] == made.id
        ]
    # Then all say the same state, reason and sentence
    facts = {face: [(one["status"], one["why"], one["stands"]) for one in lines] for face, lines in told.items()}
    [(word, reason, stands)] = facts["message"]
    assert all(lines == [(word, reason, stands)] for lines in facts.values()), facts
    assert word == status
    assert (reason is None) == (why is None)
    assert (text_of(why) or "") in (reason["text"] if reason else "")
    assert "earlier-words" not in stands
    if reason:
        assert reason["text"] in stands
    # And its caller, for whom only the state is
    row = hub.store.deliveries(made.message_id)[0]
    assert (
        MessageStatus(
            "", "", 1, row.changed_at, "routed", ((str(row.ref), row.status.value, 1, row.settled_at),)
        ).as_json()["deliveries"][0]["status"]
        == word
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_page_and_table_says_the_same(hub, web, ended, name):
    made, _, why = ended[name]
    olga = Browser(web.url).sign_in("olga")
    # without its tries
    delivery = re.sub(r"<table.*?</table>", "", olga.get(f"/console/dead/deliveries/{made.id}").text, flags=re.DOTALL)
    message = re.sub(
        r"<details class=\"attempt\".*?</details>",
        "",
        olga.get(f"/console/messages/{made.message_id}").text,
        flags=re.DOTALL,
    )
    pages = {
        "delivery": delivery,
        "message": message,
        "find": olga.get(f"/console/find?q={made.name}").text,
        "object": olga.get(f"/console/objects/{made.name}").text,
    }
    words = {
        "trace": " ".join(run(hub, "trace", made.name).split()),
        "show": " ".join(run(hub, "dead", "show", made.id).split("attempt")[0].split()),
    }
    for face, page in {**pages, **words}.items():
        shown = page.replace("&#34;", '"').replace("&#39;", "'")
        if why is not None:
            assert (text_of(why) if isinstance(why, Cause) else why) in shown, face
        if face != "trace":
            assert "earlier-words" not in shown, face
        if why is None:
            assert "last-words" not in shown, face


def test_a_message_without_a_delivery_says_why_on_every_face(hub, web):
    considered = [{"route": "orders", "result": "missed", "condition": "channel = 'tmall'"}]
    dropped = [{"route": "orders", "result": "dropped", "why": "Test orders stay here.", "condition": "true"}]
    olga = Browser(web.url).sign_in("olga")
    cases = (
        ("nowhere", Disposition.UNROUTED, {"considered": considered}, "No route took it. orders: channel = 'tmall'"),
        ("left-out", Disposition.FILTERED, {"considered": dropped}, "orders: Test orders stay here."),
        (
            "let-go",
            Disposition.FILTERED,
            {"considered": considered, "dropped": {"by": "olga", "why": "a test"}},
            "Let go by olga: a test",
        ),
    )
    for name, disposition, why, text in cases:
        one = laid(keys=(("orderNo", name),), targets=())
        message = replace(
            one.message, disposition=disposition, why=why, revision=hub.store.active(), received_at=hub.clock()
        )
        hub.store.add([replace(one, message=message)])
        told = operator.get(f"{web.url}/ops/v1/messages/{message.id}", timeout=30).json()["data"]
        assert (told["disposition"], told["stands"]) == (disposition.value, text)
        assert text in " ".join(run(hub, "trace", name).split())
        assert text in olga.get(f"/console/messages/{message.id}").text.replace("&#39;", "'")
        assert json.loads(run(hub, "find", name, "--json"))["items"][0]["stands"] == text
