"""The whole at one look: what needs a person, what flows, the landscape, and what waits by its cause. Each answer is
what its document says.
"""

import itertools
from datetime import timedelta

import pytest

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead, Exchange, InDoubt, InDoubtPolicy, Retry, Settlement
from hub.flow.answers import overview
from hub.flow.settling import settle
from tests.support.declared import faults
from tests.support.hubs import operator, small_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

NUMBERS = itertools.count(1)
NO = Cause(Reason.REFUSED, "The target refused it with 400: no such product SKU-1.", "/items/0/sku", "Mend it.")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overview")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    system = workspace / "adapters" / "shop" / "system.yaml"
    # one order may be said more than once
    system.write_text(system.read_text("utf-8").replace("    dedupe_by: [orderNo]\n", ""), "utf-8")
    with (
        small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as made,
        served(made, "granian") as answering,
    ):
        yield answering


@pytest.fixture(scope="module")
def caller(hub):
    return hub.caller("shop")


def get(hub, schema, path, **headers):
    """The answer's data, once it is known to be what the schema says."""
    answer = operator.get(
        f"{hub.url}/ops/v1{path}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    assert not faults(schema, answer.json())
    return answer.json()["data"]


def post(caller, key=None):
    number = f"OV-{next(NUMBERS)}"
    body = b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % (key or number).encode()
    return caller.post("/api/v1/shop/order.placed", body, number).json()["data"]["messageId"]


def attempt(hub, outcome, ms=30):
    """Settles what is due so; gives the claims."""
    claims = hub.hub.store.claim("warehouse", size=64, lease_s=30, worker="test")
    settle(
        hub.hub,
        [Settlement(one, outcome, Exchange(status=400, sent=True, ms=ms), one.message.revision) for one in claims],
    )
    hub.hub.minutes.flush(hub.hub.store)
    return claims


def until(look, what):
    """An overview is asked for once a second for all who look."""
    return wait_until(look, seconds=20, what=what)


def test_a_quiet_hub_needs_nobody(hub):
    now = get(hub, overview.Now, "/now")
    assert now["needs"] == []
    assert now["rates"]["total"]["success"] is None
    assert [lane["system"] for lane in now["lanes"]] == ["warehouse"]
    until(lambda: get(hub, overview.Now, "/now")["books"]["unaccounted"] == 0, "the books")


def test_what_is_polled_is_sent_once(hub):
    for path in ("/now", "/rates", "/rates/series?minutes=5", "/landscape", "/clusters", "/parked"):
        first = operator.get(f"{hub.url}/ops/v1{path}", timeout=20)
        tag = first.headers["etag"]
        assert first.status_code == 200
        assert tag.startswith('W/"')

        def same(path=path):
            tag = operator.get(f"{hub.url}/ops/v1{path}", timeout=20).headers["etag"]
            again = operator.get(f"{hub.url}/ops/v1{path}", headers={"if-none-match": tag}, timeout=20)
            return again if again.status_code == 304 else None

        assert until(same, f"nothing new at {path}").content == b""


def test_what_died_of_one_cause_is_one_line_with_examples_and_what_changed(hub, caller):
    # Given three orders that a target refused, a fourth in doubt, and two more behind a dead one
    ids = {post(caller, "SO-A"), post(caller, "SO-B"), post(caller, "SO-C")}
    attempt(hub, Dead(NO))
    post(caller)
    attempt(hub, InDoubt(Cause(Reason.NO_ANSWER, "It was sent."), InDoubtPolicy.PARK))
    hub.hub.store.name_clusters()
    # Then the list has a line per cause; it may be a second old
    [dead, unknown] = until(lambda: get(hub, overview.Clusters, "/clusters")["items"], "the causes")
    assert (dead["count"], dead["reason"], dead["field"], dead["mend"]["verb"], dead["trend"]) == (
        3,
        "refused",
        "/items/*/sku",
        "apply",
        "new",
    )
    assert unknown["mend"]["verb"] == "choose"
    assert [line["status"] for line in get(hub, overview.Clusters, "/clusters?status=unknown")["items"]] == ["unknown"]
    # And a cause has its examples, with the keys they are known by, and the configuration that was made active just
    # before
    one = get(hub, overview.Cluster, f"/clusters/{dead['id']}")
    assert {example["messageId"] for example in one["examples"]} == ids
    assert {example["keys"]["orderNo"] for example in one["examples"]} == {"SO-A", "SO-B", "SO-C"}
    assert "revision" in {sign["kind"] for sign in one["changed"]}
    page = get(hub, overview.Members, f"/clusters/{dead['id']}/deliveries?limit=2")
    rest = get(
        hub,
        overview.Members,
        f"/clusters/{dead['id']}/deliveries?limit=2&before={page['next'].replace('+', '%2B')}",
    )
    assert len({line["id"] for line in (*page["items"], *rest["items"])}) == 3
    # And it is what needs a person, with the act that helps
    needs = until(lambda: get(hub, overview.Now, "/now")["needs"], "what needs a person")
    assert {need["kind"] for need in needs} >= {"cluster", "doubt"}
    assert needs[0]["kind"] == "doubt"
    for path in (f"/clusters/{'0' * 16}", "/clusters/x", f"/clusters/{dead['id']}/deliveries?before=x"):
        assert operator.get(f"{hub.url}/ops/v1{path}", timeout=20).status_code in (400, 404)


def test_keys_behind_a_dead_one_are_told(hub, caller):
    for _ in range(3):
        post(caller, "SO-PARK")
    claims = hub.hub.store.claim("warehouse", size=64, lease_s=30, worker="test")
    settle(hub.hub, [Settlement(one, Dead(NO), Exchange(), one.message.revision) for one in claims])
    [parked] = until(
        lambda: [one for one in get(hub, overview.ParkedKeys, "/parked")["items"] if one["orderKey"] == "SO-PARK"],
        "the key",
    )
    assert (parked["system"], parked["waiting"]) == ("warehouse", 2)
    needs = until(
        lambda: [need for need in get(hub, overview.Now, "/now")["needs"] if need["kind"] == "parked"],
        "the parked key",
    )
    assert needs[0]["subject"]["deliveries"] == 2


def test_a_breaker_that_opened_is_told(hub):
    hub.hub.store.trip_breaker("warehouse", timedelta(minutes=5))
    [need] = until(
        lambda: [need for need in get(hub, overview.Now, "/now")["needs"] if need["kind"] == "breaker"],
        "the breaker",
    )
    assert need["subject"]["system"] == "warehouse"
    hub.hub.store.close_breaker("warehouse")


def test_what_flows_is_told_per_way_with_its_latency_and_as_a_curve(hub, caller):
    for _ in range(5):
        post(caller)
    attempt(hub, Retry(NO, 0.0), ms=70)
    [way] = until(
        lambda: [way for way in get(hub, overview.Rates, "/rates")["ways"] if way["retried"] >= 5], "the rates"
    )
    assert way["target"] == "warehouse/order.create@1"
    assert 0 < way["sendP50Ms"] <= 100
    rates = get(hub, overview.Rates, "/rates")
    assert rates["accepted"][0]["message"] == "shop/order.placed@1"
    # The curve has a point per minute, and the same sums
    series = get(hub, overview.Series, f"/rates/series?minutes=10&route={way['route']}&target={way['target']}")
    assert len(series["points"]) == 10
    assert sum(point["retried"] for point in series["points"]) == way["retried"]
    taken = get(hub, overview.Series, "/rates/series?minutes=10&message=shop/order.placed@1")
    assert sum(point["accepted"] for point in taken["points"]) >= 5
    for query in ("minutes=0", "minutes=2881", "minutes=2880&step=1", "step=0", "x=1"):
        assert operator.get(f"{hub.url}/ops/v1/rates/series?{query}", timeout=20).status_code == 400, query


def test_the_landscape_can_be_drawn(hub):
    picture = get(hub, overview.Landscape, "/landscape")
    nodes = {node["id"]: node for node in picture["nodes"]}
    assert {"system:shop", "system:warehouse"} <= set(nodes)
    assert {edge["kind"] for edge in picture["edges"]} >= {"in", "out"}
    for edge in picture["edges"]:
        assert edge["points"][0] == [nodes[edge["from"]]["x"], nodes[edge["from"]]["y"]]
        assert edge["points"][-1] == [nodes[edge["to"]]["x"], nodes[edge["to"]]["y"]]
    assert nodes["system:shop"]["x"] < nodes["system:warehouse"]["x"]
    faulty = until(
        lambda: [edge for edge in get(hub, overview.Landscape, "/landscape")["edges"] if edge["isFaulty"]],
        "the fault",
    )
    assert {edge["to"] for edge in faulty} == {"system:warehouse"}


def test_what_waits_at_a_target_and_on_a_route_is_told_with_its_pause(hub, caller):
    # Given deliveries that wait, and their target paused by somebody
    ids = {post(caller) for _ in range(2)}
    route = hub.hub.catalogs.active().routes[0].name
    hub.hub.store.pause("target", "warehouse", by="ann", why="stocktaking")
    told = until(
        lambda: found if (found := get(hub, overview.Behind, "/waiting?target=warehouse"))["paused"] else None,
        "the pause",
    )
    assert (told["paused"]["by"], told["paused"]["why"]) == ("ann", "stocktaking")
    assert ids <= {line["messageId"] for line in told["items"]}
    assert told["count"] >= 2
    of_route = get(hub, overview.Behind, f"/waiting?route={route}&limit=1")
    assert (len(of_route["items"]), of_route["paused"]) == (1, None)
    # Then it is what needs a person, and does not lag besides
    need = until(
        lambda: next((one for one in get(hub, overview.Now, "/now")["needs"] if one["kind"] == "paused"), None),
        "the pause among the needs",
    )
    assert (need["subject"]["name"], need["action"]) == (
        "warehouse",
        {"verb": "resume", "command": "hub target resume warehouse"},
    )
    hub.hub.store.resume("target", "warehouse", by="ann")
    until(lambda: all(one["kind"] != "paused" for one in get(hub, overview.Now, "/now")["needs"]), "the end of it")
    for path in ("/waiting", f"/waiting?target=warehouse&route={route}", "/waiting?target=warehouse&limit=0"):
        assert operator.get(f"{hub.url}/ops/v1{path}", timeout=20).status_code == 400
    assert get(hub, overview.Behind, "/waiting?target=nobody")["items"] == []


def test_an_hour_of_each_way_is_told_at_once(hub, caller):
    post(caller)
    attempt(hub, Retry(NO, 3_600.0))

    def there():
        told = get(hub, overview.Lines, "/rates/lines")
        return told if any(sum(line["failed"]) for line in told["ways"]) and sum(told["total"]["accepted"]) else None

    told = until(there, "the failure")
    assert {len(told["total"][name]) for name in ("accepted", "delivered", "failed")} == {60}
    assert [line["system"] for line in told["targets"]] == ["warehouse"]
    assert sum(told["routes"][0]["failed"]) == sum(told["ways"][0]["failed"])
    # And a target system has its curve
    points = get(hub, overview.Series, "/rates/series?minutes=5&system=warehouse")["points"]
    assert sum(point["retried"] for point in points) > 0
    assert (
        sum(point["attempts"] for point in get(hub, overview.Series, "/rates/series?minutes=5&system=shop")["points"])
        == 0
    )
