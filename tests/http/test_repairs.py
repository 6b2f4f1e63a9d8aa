"""What `/ops/v1/repairs` takes and answers: each answer is what its document says, bad questions are refused with their
place, nothing is done twice.
"""

import itertools
import json

import pytest

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead
from hub.flow.answers import messages, repairs
from hub.flow.repairs.repair import advance
from tests.support.declared import faults
from tests.support.hubs import operator, small_workspace
from tests.support.making import settled
from tests.support.servers import served, small_hub

WHY = Cause(Reason.REFUSED, "no such sku", "/items/0/sku", "Mend it.")
NUMBERS = itertools.count(1)
UNKNOWN = "01a00000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repairs")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    contract = workspace / "adapters" / "warehouse" / "contracts" / "order.create.v1.json"
    contract.write_text(
        contract.read_text("utf-8").replace('"sku": {"type"', '"sku": {"x-pii": true, "type"', 1), "utf-8"
    )
    with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as made, served(made, "granian") as answering:
        yield answering


@pytest.fixture
def dead(hub):
    """Three dead deliveries of the test's own."""
    caller = hub.caller("shop")
    ids = []
    for _ in range(3):
        number = f"H-{next(NUMBERS)}"
        body = b'{"orderNo":"%s","items":[{"sku":"SECRET","quantity":1}]}' % number.encode()
        message = caller.post("/api/v1/shop/order.placed", body, number).json()["data"]["messageId"]
        ids += [line.id for line in hub.hub.store.deliveries(message)]
    for claim in hub.hub.store.claim("warehouse", size=100, lease_s=30, worker="w"):
        hub.hub.store.settle([settled(claim, Dead(WHY))])
    return ids


def get(hub, path, schema):
    return fits(schema, operator.get(f"{hub.url}/ops/v1{path}", timeout=10))


def post(hub, path, document, **headers):
    given = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return operator.post(f"{hub.url}/ops/v1{path}", data=json.dumps(document).encode(), headers=given, timeout=10)


def fits(schema, answer):
    assert answer.status_code == 200, answer.text
    assert not faults(schema, answer.json())
    return answer.json()["data"]


def new(ids, **given):
    return {"selection": {"ids": ids}, "by": "ann", "why": "mended", **given}


def test_a_repair_is_made_looked_at_started_and_ends(hub, dead):
    # Given a repair with a canary of one
    made = fits(repairs.Repair, post(hub, "/repairs", new(dead, canary=1, rate=1000)))
    path = f"/repairs/{made['id']}"
    assert (made["state"], made["number"], made["results"]["waiting"]) == ("ready", 3, 3)
    # When it is looked at, then what would be sent is told, without what is personal
    seen = get(hub, f"{path}/preview?limit=2", repairs.Preview)
    assert (seen["counts"]["made"], seen["counts"]["same"], seen["next"]) == (2, 2, 2)
    assert seen["items"][0]["payload"]["items"] == [{"sku": "***", "quantity": 1}]
    assert get(hub, f"{path}/preview?after=2", repairs.Preview)["counts"]["made"] == 1
    # When it is started, then its first goes, and the rest once a person says so
    assert fits(repairs.Repair, post(hub, f"{path}/start", {"by": "ann"}))["state"] == "canary"
    advance(hub.hub)
    assert get(hub, path, repairs.Repair)["results"]["going"] == 1
    assert fits(repairs.Repair, post(hub, f"{path}/continue", {"by": "ben"}))["state"] == "running"
    advance(hub.hub)
    assert fits(repairs.Repair, post(hub, f"{path}/stop", {"by": "ben"}))["state"] == "stopped"
    assert fits(repairs.Repair, post(hub, f"{path}/start", {"by": "ben"}))["state"] == "running"
    # And its rows say where each is, page by page
    first = get(hub, f"{path}/rows?limit=2", repairs.RowPage)
    rest = get(hub, f"{path}/rows?limit=2&after={first['next']}", repairs.RowPage)
    assert [row["deliveryId"] for row in [*first["items"], *rest["items"]]] == dead
    assert rest["next"] is None
    assert get(hub, f"{path}/rows?result=delivered", repairs.RowPage)["items"] == []
    # When they die again and are discarded, then each has its result
    for claim in hub.hub.store.claim("warehouse", size=100, lease_s=30, worker="w"):
        hub.hub.store.settle([settled(claim, Dead(WHY))])
    advance(hub.hub)
    rows = get(hub, f"{path}/rows", repairs.RowPage)["items"]
    assert {row["why"]["reason"] for row in rows if row["result"] == "failed"} == {"refused"}
    over = fits(repairs.Repair, post(hub, "/repairs", new(dead, act="discard", canary=2)))
    assert over["canary"] == 0
    assert get(hub, f"/repairs/{over['id']}/preview", repairs.Preview)["counts"]["ends"] == 3
    post(hub, f"/repairs/{over['id']}/start", {"by": "ann"})
    advance(hub.hub)
    assert get(hub, f"/repairs/{over['id']}", repairs.Repair)["results"]["discarded"] == 3
    assert [one["id"] for one in get(hub, f"/repairs?delivery={dead[0]}", repairs.Repairs)["items"]] == [
        over["id"],
        made["id"],
    ]
    assert over["id"] in [one["id"] for one in get(hub, "/repairs?state=done&limit=500", repairs.Repairs)["items"]]


def test_under_one_idempotency_key_a_repair_is_made_once(hub, dead):
    first, again = (fits(repairs.Repair, post(hub, "/repairs", new(dead), idempotency_key="press")) for _ in range(2))
    assert first["id"] == again["id"]
    other = post(hub, "/repairs", new(dead, force=True), idempotency_key="press")
    assert (other.status_code, other.json()["code"]) == (422, 42202)
    assert post(hub, "/repairs", new(dead), idempotency_key="not visible ASCII é".encode("latin-1")).status_code == 400


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rate": 0}, "/rate"),
        ({"rate": "50"}, "/rate"),
        ({"rate": 1.5}, "/rate"),
        ({"canary": True}, "/canary"),
        ({"goOnAt": 101}, "/goOnAt"),
        ({"with": "candidate"}, "/revision"),
        ({"with": "current", "revision": "a" * 64}, "/revision"),
        ({"with": "yesterday"}, "/with"),
        ({"force": 1}, "/force"),
        ({"by": ""}, "/by"),
        ({"why": None}, "/why"),
        ({"selection": {"ids": []}}, "/selection/ids"),
        ({"selection": {"ids": ["x"]}}, "/selection/ids/0"),
        ({"selection": {"ids": [UNKNOWN], "route": "orders"}}, "/selection/ids"),
        ({"selection": {"status": "delivered"}}, "/selection/status"),
        ({"selection": {"reason": "bad luck"}}, "/selection/reason"),
        ({"selection": {"since": "yesterday"}}, "/selection/since"),
        ({"selection": {"most": 10_001}}, "/selection/most"),
        ({"selection": {"colour": "red"}}, "/selection/colour"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_at_its_place(hub, change, place):
    answer = post(hub, "/repairs", new([UNKNOWN]) | change)
    assert answer.status_code == 400, answer.text
    assert place in [detail["pointer"] for detail in answer.json()["details"]]


def test_what_is_not_there_or_not_begun_is_refused(hub, dead):
    for path in (f"/repairs/{UNKNOWN}", f"/repairs/{UNKNOWN}/rows", f"/repairs/{UNKNOWN}/preview"):
        assert operator.get(f"{hub.url}/ops/v1{path}", timeout=10).json()["code"] == 40400
    for act in ("start", "continue", "stop"):
        assert post(hub, f"/repairs/{UNKNOWN}/{act}", {"by": "ann"}).json()["code"] == 40400
        assert post(hub, f"/repairs/{UNKNOWN}/{act}", {}).status_code == 400
    assert post(hub, "/repairs", new([UNKNOWN])).json()["code"] == 40400
    assert post(hub, "/repairs", new(dead, **{"with": "candidate"}, revision="a" * 64)).json()["code"] == 40400
    made = fits(repairs.Repair, post(hub, "/repairs", new(dead, canary=1)))
    assert post(hub, f"/repairs/{made['id']}/continue", {"by": "ann"}).json()["code"] == 40900
    assert get(hub, "/repairs/candidates", repairs.Candidates)["items"] == []


def test_an_edit_is_answered_with_both_and_known_again(hub, dead):
    path, given = f"/deliveries/{dead[0]}/edit", {"by": "ann", "why": "typing error"}
    body = '{"orderNo":"H-EDIT","items":[{"sku":"S","quantity":2}]}'
    wrong = post(hub, path, given | {"body": '{"orderNo":"H-EDIT"}'})
    assert (wrong.status_code, wrong.json()["details"][0]["pointer"]) == (422, "/items")
    first = fits(repairs.Edited, post(hub, path, given | {"body": body}))
    again = fits(repairs.Edited, post(hub, path, given | {"body": body}))
    assert (first["duplicate"], again["duplicate"], again["messageId"]) == (False, True, first["messageId"])
    assert post(hub, f"/deliveries/{UNKNOWN}/edit", given | {"body": body}).json()["code"] == 40400
    assert post(hub, path, given).status_code == 400
    assert get(hub, f"/messages/{first['messageId']}", messages.Message)["keys"] == {"orderNo": "H-EDIT"}
