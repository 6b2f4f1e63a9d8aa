"""Natural keys (`dedupe_by`): the same again is a duplicate, other content under the key is refused; whose keys they
are, and what is told of whose message.
"""

import json
from dataclasses import replace

import pytest

from hub.core.errors import Code
from hub.core.message import Ref, Request
from hub.core.model.delivery import DedupeKey
from tests.support.making import laid
from tests.support.servers import served, small_hub
from tests.support.versioned import versioned

V1 = Ref("shop", "order.placed", 1)


def order(number, quantity=1):
    return {"orderNo": number, "items": [{"sku": "S", "quantity": quantity}]}


def scoped(folder, scope):
    versioned(
        folder,
        "http://127.0.0.1:9009",
        states="{1: {state: deprecated, since: 2026-06-01, sunset: 2099-12-01}, 2: {state: current}}",
    )
    system = folder / "adapters" / "shop" / "system.yaml"
    text = system.read_text("utf-8").replace(
        "dedupe_by: [orderNumber]", f"dedupe_by: [orderNumber]\n    dedupe_scope: {scope}"
    )
    system.write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module", params=["caller", "system"])
def scope(request):
    return request.param


@pytest.fixture(scope="module")
def hub(tmp_path_factory, scope):
    folder = tmp_path_factory.mktemp("natural")
    with (
        small_hub(scoped(folder / "workspace", scope), f"sqlite:///{folder}/hub.sqlite3") as made,
        served(made, "granian") as running,
    ):
        yield running


def post(caller, body, key, *, version=1, path=""):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = caller.post(f"/api/v{version}/shop/order.placed{path}", raw, key)
    return answer.status_code, answer.json()


def test_the_same_content_is_a_duplicate_in_another_spelling_and_in_another_version(hub):
    caller = hub.caller("shop")
    status, first = post(caller, order("A-1"), "a1")
    assert (status, first["data"]["duplicate"]) == (202, False)
    for number, (body, version) in enumerate(
        [
            (b'{ "items": [ {"quantity": 1.0, "sku": "S"} ],\n "orderNo": "A-1" }', 1),
            ({"lines": [{"quantity": 1, "sku": "S"}], "orderNumber": "A-1"}, 2),
        ]
    ):
        status, again = post(caller, body, f"again-{number}", version=version)
        assert (status, again["data"]) == (202, {"messageId": first["data"]["messageId"], "duplicate": True})


@pytest.mark.parametrize("version", [1, 2])
def test_other_content_under_a_known_natural_key_is_refused_with_the_first_ones_id(hub, version):
    caller, number = hub.caller("shop"), f"B-{version}"
    first = post(caller, order(number), "b1")[1]["data"]["messageId"]
    other = order(number, 6) if version == 1 else {"orderNumber": number, "lines": [{"sku": "S", "quantity": 6}]}
    status, told = post(caller, other, "b2", version=version)
    assert (status, told["code"]) == (422, int(Code.IDEMPOTENCY_MISMATCH))
    assert first in told["message"]
    [detail] = told["details"]
    assert first in detail["got"]
    assert detail["pointer"] == ("/orderNumber" if version == 2 else "")
    # And the key that it was sent under is free: the mended post goes under it
    assert post(caller, order(f"{number}-mended", 6), "b2")[0] == 202
    # And what was refused is not known: the first one still is the only one
    assert post(caller, order(number), "b3")[1]["data"] == {"messageId": first, "duplicate": True}


def test_a_batch_is_told_per_item(hub):
    caller = hub.caller("shop")
    status, told = post(caller, [order("C-1"), order("C-1"), order("C-1", 2), order("C-2")], "c", path="/batch")
    items = told["data"]["items"]
    assert (status, [one["code"] for one in items]) == (202, [0, 0, int(Code.IDEMPOTENCY_MISMATCH), 0])
    assert items[1]["duplicate"]
    assert items[0]["messageId"] in items[2]["message"]


def test_another_callers_message_is_its_own(hub, scope):
    one, other = hub.caller("shop"), hub.caller("shop")
    first = post(one, order("D-1"), "d1")[1]["data"]["messageId"]
    # When another caller brings the same
    status, told = post(other, order("D-1"), "d1")
    assert (status, told["data"]["duplicate"]) == (202, scope == "system")
    own = told["data"]["messageId"]
    assert first not in json.dumps(told)
    # Then it hears the same each time it sends that again, under the same key or another
    for key in ("d1", "d2"):
        assert post(other, order("D-1"), key)[1]["data"] == {"messageId": own, "duplicate": True}
    # And other content is refused; nothing is told of the first message
    status, told = post(other, order("D-1", 9), "d3")
    assert (status, told["code"]) == (422, int(Code.IDEMPOTENCY_MISMATCH))
    assert first not in json.dumps(told)
    # And one that comes with other content alone
    third = hub.caller("shop")
    status, told = post(third, order("D-1", 9), "d4")
    assert status == (422 if scope == "system" else 202)
    assert first not in json.dumps(told)
    # And the first caller's still is known to it
    assert post(one, order("D-1"), "d9")[1]["data"] == {"messageId": first, "duplicate": True}
    stored = hub.hub.store.search(key="D-1")
    assert len(stored) == (1 if scope == "system" else 3)


def test_what_the_id_of_a_receipt_alone_leads_to(hub, scope):
    one, other = hub.caller("shop"), hub.caller("shop")
    post(one, order("E-1"), "e1")
    told = post(other, order("E-1"), "e1")[1]["data"]
    answer = other.get(f"/api/messages/{told['messageId']}")
    assert answer.status_code == (404 if scope == "system" else 200)
    # Nobody is sent to look where there is nothing
    for body, key in ((order("E-1", 9), "e2"), (order("E-2"), "e1")):
        [fault] = post(other, body, key)[1]["details"]
        assert ("GET /api/messages/" in fault["fix"]) == (scope != "system")


def old_name(hub, caller, body, number):
    """A message as the hub before wrote it down: known by its natural key under no caller's name."""
    raw = json.dumps(body).encode()
    one = laid(
        raw=raw,
        keys=(("orderNo", number),),
        targets=(),
        dedupe_keys=[DedupeKey("", "shop/order.placed", f"{len(number)}:{number}")],
    )
    revision, caller_id = (
        hub.hub.catalogs.active().revision,
        hub.hub.callers.authenticate(signed(caller), now=hub.hub.clock()).id,
    )
    message = replace(one.message, ref=V1, caller=caller_id, revision=revision)
    hub.hub.store.add([replace(one, message=message)])
    return message.id


def signed(caller):
    return Request(
        "GET", "/", "", tuple((name.lower(), value) for name, value in caller.headers(b"", "x").items()), b""
    )


def test_what_the_hub_before_accepted_is_known_to_its_caller(hub, scope):
    one, other = hub.caller("shop"), hub.caller("shop")
    first = old_name(hub, one, order("F-1"), "F-1")
    assert post(one, order("F-1"), "f1")[1]["data"] == {"messageId": first, "duplicate": True}
    status, told = post(one, order("F-1", 2), "f2")
    assert (status, first in told["message"]) == (422, True)
    # And another caller is told nothing of it
    for body, quantity in ((order("F-1"), 1), (order("F-1", 2), 2)):
        status, told = post(other, body, f"f3-{quantity}")
        assert first not in json.dumps(told)
        assert status == (202 if quantity == 1 else 422)
        assert quantity == 2 or told["data"]["duplicate"] == (scope == "system")


def test_an_id_that_was_sent_and_a_natural_key_never_meet(hub):
    caller = hub.caller("shop")
    raw = json.dumps(order("G-1")).encode()
    assert caller.post("/api/v1/shop/order.placed", raw, "g1").status_code == 202
    raw = json.dumps(order("G-2")).encode()
    assert caller.post("/api/v1/shop/order.placed", raw, "g2", Idempotency_Key="3:G-1").status_code == 202
