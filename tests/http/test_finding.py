"""What operators look for: by numbers, words and filters, counted first, kept as views; and one order's life with its
gaps.
"""

import itertools
import json

import pytest

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead, Delivered, Exchange, Settlement
from hub.flow.answers import messages
from tests.support.declared import faults
from tests.support.hubs import operator, small_workspace
from tests.support.servers import served, small_hub

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finding")
    with (
        small_hub(
            small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3"
        ) as made,
        served(made, "granian") as answering,
    ):
        yield answering


@pytest.fixture(scope="module")
def caller(hub):
    return hub.caller("shop")


def get(hub, schema, path):
    answer = operator.get(f"{hub.url}/ops/v1{path}", timeout=20)
    assert answer.status_code == 200, answer.text
    assert not faults(schema, answer.json())
    return answer.json()["data"]


def find(hub, query):
    return get(hub, messages.FoundMessages, f"/find?{query}")


def post(caller, number):
    body = b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % number.encode()
    return caller.post("/api/v1/shop/order.placed", body, f"idem-{number}").json()["data"]["messageId"]


def settle(hub, outcome):
    claims = hub.hub.store.claim("warehouse", size=64, lease_s=30, worker="test")
    hub.hub.store.settle([Settlement(one, outcome, Exchange(status=200), one.message.revision) for one in claims])


def test_a_number_leads_to_its_message_whatever_number_it_is(hub, caller):
    ids = {number: post(caller, number) for number in ("FN-1", "FN-2", "FN-3")}
    one = find(hub, "q=FN-1")
    [item] = one["items"]
    assert (item["id"], one["by"], one["words"], one["next"], one["scannedUntil"]) == (
        ids["FN-1"],
        "number",
        {"FN-1": "key"},
        None,
        None,
    )
    kinds = {
        "message": item["id"],
        "delivery": item["deliveries"][0]["id"],
        "trace": item["traceId"],
        "idempotency": "idem-FN-1",
    }
    for kind, number in kinds.items():
        found = find(hub, f"q={number}")
        assert [line["id"] for line in found["items"]] == [ids["FN-1"]], kind
        assert found["words"] == {number: kind}
    # Several numbers are a list, and each says whether it was found
    several = find(hub, "q=FN-1%20FN-2%20FN-9")
    assert {line["id"] for line in several["items"]} == {ids["FN-1"], ids["FN-2"]}
    assert several["words"] == {"FN-1": "key", "FN-2": "key", "FN-9": None}
    assert get(hub, messages.Count, "/find/count?q=FN-1%20FN-2") == {
        "number": 2,
        "isExact": True,
        "scannedUntil": None,
        "by": "number",
    }
    assert find(hub, "q=FN-1&status=delivered")["items"] == []


def test_words_of_an_error_lead_to_what_waits_for_it(hub, caller):
    settle(hub, Delivered())
    message_id = post(caller, "FN-ERR")
    settle(hub, Dead(Cause(Reason.REFUSED, "The target refused it with 400: warehouse CLOSED for stocktaking.")))
    hub.hub.store.name_clusters()
    found = find(hub, "q=stocktaking%20closed")
    assert ([line["id"] for line in found["items"]], found["by"], len(found["clusters"])) == ([message_id], "words", 1)
    assert find(hub, "q=stocktaking&reason=refused&target=warehouse&attempts=1&minBytes=10")["items"]
    assert find(hub, f"cluster={found['clusters'][0]}")["items"]
    assert find(hub, "q=nonsense%20words")["items"] == []
    assert find(hub, "q=%22FN-ERR")["by"] == "words"  # a quote that nobody closed is no fault


def test_pages_go_both_ways(hub, caller):
    for number in range(7):
        post(caller, f"FP-{number}")
    first = find(hub, "type=shop/order.placed&limit=3")
    second = find(hub, f"type=shop/order.placed&limit=3&place={first['next']}")
    back = find(hub, f"type=shop/order.placed&limit=3&place={second['previous']}")
    assert first["previous"] is None
    assert back["items"] == first["items"]
    assert not {line["id"] for line in first["items"]} & {line["id"] for line in second["items"]}


@pytest.mark.parametrize(
    "query",
    [
        "place=x",
        "place=bm9uZQ",
        "q=",
        "status=lost",
        "reason=x",
        "cluster=x",
        "attempts=-1",
        "minBytes=a",
        "since=yesterday",
        "limit=0",
        "nonsense=1",
    ],
)
def test_what_does_not_fit_is_refused(hub, query):
    assert operator.get(f"{hub.url}/ops/v1/find?{query}", timeout=20).status_code == 400


def test_a_question_can_be_kept(hub):
    given = {
        "name": "dead of the warehouse",
        "owner": "ann",
        "question": {"target": "warehouse", "status": "dead"},
        "by": "ann",
    }
    answer = operator.post(f"{hub.url}/ops/v1/views", json=given, timeout=20)
    assert answer.status_code == 200, answer.text
    view = answer.json()["data"]
    assert view["id"] in [one["id"] for one in get(hub, messages.ViewsAnswer, "/views?owner=ann")["items"]]
    assert get(hub, messages.ViewsAnswer, "/views")["items"] == []
    assert (
        operator.post(f"{hub.url}/ops/v1/views", json={**given, "question": {"status": "lost"}}, timeout=20).status_code
        == 400
    )
    for code in (200, 404):
        assert (
            operator.post(f"{hub.url}/ops/v1/views/{view['id']}/delete", json={"owner": "ann"}, timeout=20).status_code
            == code
        )


def test_an_orders_life_is_one_line_with_what_stands_still(hub, caller):
    settle(hub, Delivered())
    message_id = post(caller, "LIFE-1")
    life = get(hub, messages.Object, "/objects/LIFE-1")
    assert [lane["system"] for lane in life["lanes"]] == ["shop", "warehouse"]
    assert [(step["kind"], step.get("status")) for step in life["steps"]] == [
        ("message", None),
        ("delivery", "pending"),
    ]
    assert (life["isOver"], life["gaps"]) == (False, [])
    # When its delivery dies, then the line says where it stands still
    settle(hub, Dead(Cause(Reason.REFUSED, "no")))
    [gap] = get(hub, messages.Object, "/objects/LIFE-1")["gaps"]
    assert (gap["kind"], gap["system"], gap["afterMessageId"], gap["text"]) == ("stuck", "warehouse", message_id, "no")
    # When a person replays it and it arrives, then its life is over
    [line] = hub.hub.store.deliveries(message_id)
    hub.hub.store.reopen([line.id], by="ann")
    settle(hub, Delivered())
    life = get(hub, messages.Object, f"/objects/{message_id}")
    assert life["isOver"]
    assert json.dumps(life["keys"]) == '[{"name": "orderNo", "value": "LIFE-1", "messages": 1}]'
    assert operator.get(f"{hub.url}/ops/v1/objects/no-such", timeout=20).status_code == 404
