"""What a synchronous route never sent is told so: to its caller, on record, and when it asks again; of what was sent
nobody says that it was not.
"""

import json
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from hub.core.errors import Cause, Code, Reason, Refused, TryLater
from hub.core.message import Incoming, Ref
from hub.flow.accept import prepare_message
from hub.flow.intake.synchronous import ask
from hub.flow.repairs import pauses
from tests.flow.test_ask import ROUTE, asked, order
from tests.support.hubs import free_port, small_workspace
from tests.support.servers import served, small_hub

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"


class Faulty:
    """The declared target, with a fault of its own at one step."""

    def __init__(self, target, step, error):
        self._target, self._step, self._error = target, step, error

    def __getattr__(self, name):
        if name == self._step:

            def fails(*_, **__):
                raise self._error

            return fails
        return getattr(self._target, name)


@pytest.fixture
def started(tmp_path, sink, store_url):
    """Makes a hub whose one route is synchronous, behind a server; gives it, its store's hub and a caller."""
    with ExitStack() as stack:

        def start(url=sink.url, *, targets="", mapping=None, step="", error=None):
            folder = small_workspace(tmp_path / "workspace", url)
            routes = folder / "routes.yaml"
            text = routes.read_text("utf-8")
            routes.write_text(text[: text.index("routes:\n")] + targets + "routes:\n" + ROUTE, "utf-8")
            system = folder / "adapters" / "shop" / "system.yaml"
            system.write_text(system.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
            if mapping is not None:
                path = folder / MAPPING
                path.write_text(path.read_text("utf-8").replace("quantity: quantity}", mapping), "utf-8")
            hub = stack.enter_context(small_hub(folder, store_url, HUB_ALLOW_CIDRS="127.0.0.0/8"))
            if step:
                of = hub.targets
                hub = replace(hub, targets=lambda lane: Faulty(of(lane), step, error))
            web = stack.enter_context(served(hub, "wsgi"))
            return hub, web.caller("shop")

        yield start


def told(hub, answer):
    """The delivery behind an answer, with its one attempt."""
    [line] = hub.store.deliveries(answer.headers["x-crossdock-message"])
    [attempt] = hub.store.attempts(line.id)
    return line, attempt


def unsent(hub, caller, sink, reason, *codes):
    """Asked, it is refused with one of these codes; answer, record and repeat say that nothing was sent."""
    answer = asked(caller)
    assert answer.json()["code"] in codes, answer.text
    assert answer.json()["message"].startswith("Nothing was sent: ")
    line, attempt = told(hub, answer)
    assert (line.status.value, line.why.reason, attempt.sent, attempt.outcome) == ("cancelled", reason, False, "ended")
    assert line.why.text == attempt.why.text == answer.json()["message"]
    assert sink.requests == []
    again = asked(caller)
    assert (again.json()["code"], again.json()["message"]) == (answer.json()["code"], line.why.text)
    assert hub.store.expire(100) == []  # no lease is left, of which its end would say that it may have been sent
    assert hub.store.conservation().unaccounted == 0


def test_a_target_that_takes_no_connection(started, sink):
    hub, caller = started(f"http://127.0.0.1:{free_port()}")
    unsent(hub, caller, sink, Reason.UNREACHABLE, 50300)


@pytest.mark.parametrize(("kind", "name"), [("route", "stock-query"), ("target", "warehouse")])
def test_a_route_or_a_target_that_is_paused(started, sink, kind, name):
    hub, caller = started()
    pauses.pause(hub.store, hub.catalogs.active(), kind, name, by="ann", why="x")
    hub.pace.look()
    unsent(hub, caller, sink, Reason.PAUSED, 50300)


def test_a_target_whose_breaker_is_open(started, sink):
    hub, caller = started(
        f"http://127.0.0.1:{free_port()}", targets="targets:\n  warehouse: {breaker: {ratio: 50%, of: 2, open: 1h}}\n"
    )
    for number in range(2):
        asked(caller, f"first-{number}")
    unsent(hub, caller, sink, Reason.CIRCUIT_OPEN, 50300)


def test_what_the_mapping_cannot_make(started, sink):
    hub, caller = started(mapping='quantity: "quantity - 1"}')
    unsent(hub, caller, sink, Reason.TRANSFORM_ERROR, 50200)


def test_what_there_is_nothing_to_sign_with(started, sink):
    error = TryLater(Cause(Reason.LOOKUP_FAILED, "The token is not to be had."))
    hub, caller = started(step="call", error=error)
    unsent(hub, caller, sink, Reason.LOOKUP_FAILED, 50200)


def test_an_adapter_s_own_fault_before_anything_left(started, sink):
    hub, caller = started(step="call", error=KeyError("x"))
    unsent(hub, caller, sink, Reason.UNEXPECTED, 50200)


def test_a_deadline_that_passed_before_it_was_sent_is_no_outcome_that_nobody_saw(started, sink):
    # Given a question whose caller has waited for its whole deadline already
    hub, _ = started()
    incoming = Incoming(Ref("shop", "order.placed", 1), json.loads(order()), order(), "k_test")
    laid = prepare_message(hub, incoming, source="http", now=hub.clock())
    with pytest.raises(Refused) as refused:
        ask(hub, laid, time.monotonic() - 100)
    assert (refused.value.code, refused.value.text) == (
        Code.UNAVAILABLE,
        "Nothing was sent: The deadline passed before it was sent.",
    )
    [line] = hub.store.deliveries(laid.message.id)
    assert (line.status.value, line.why.text, hub.store.attempts(line.id)[0].sent) == (
        "cancelled",
        refused.value.text,
        False,
    )
    assert sink.requests == []


def test_a_fault_while_the_answer_is_judged_was_sent_and_nobody_says_otherwise(started, sink):
    hub, caller = started(step="verdict", error=KeyError("x"), targets="targets:\n  warehouse: {in_doubt: park}\n")
    answer = asked(caller)
    assert not answer.json()["message"].startswith("Nothing was sent")
    line, attempt = told(hub, answer)
    assert (line.status.value, line.why.reason, attempt.sent) == ("unknown", Reason.UNEXPECTED, True)
    assert len(sink.requests) == 1


def test_an_answer_that_cannot_be_handed_on_was_sent_and_is_recorded_as_it_came(started, sink):
    sink.script = lambda number, key: (200, {"content-type": "application/json"}, b"<html>")
    hub, caller = started()
    line, attempt = told(hub, asked(caller))
    assert (line.why.reason, attempt.sent, attempt.http_status, attempt.reply) == (
        Reason.BAD_ANSWER,
        True,
        200,
        b"<html>",
    )


def test_what_was_stored_after_its_caller_had_gone_ends_unsent(started, sink, monkeypatch):
    # Given a commit that takes longer than a caller waits
    hub, caller = started()
    monkeypatch.setattr("hub.flow.intake.synchronous.COMMIT_S", 0.0)
    assert asked(caller).json()["code"] == 50300
    hub.commit.drain(5)
    assert hub.noting.drain(5)
    # Then it does not end as one that may have been sent
    [row] = hub.store.search(limit=1)
    [line] = hub.store.deliveries(row.id)
    assert (line.status.value, line.why.reason) == ("cancelled", Reason.DEADLINE)
    assert line.why.text.startswith("Nothing was sent: ")
    assert json.dumps(line.why.as_json())
    assert sink.requests == []
