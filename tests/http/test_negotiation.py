"""Which version a post is in, and until when: sunsets, another company's media types, callers that say none, and
shadows of what was upgraded.
"""

import json
from datetime import UTC, datetime

import pytest
import requests

from hub.catalog import check, load
from hub.catalog.checks.sunsets import judge as judge_sunsets
from hub.catalog.yaml.findings import Findings
from hub.flow.accounts.keys import make_key
from hub.flow.configuration.plan import apply
from hub.flow.configuration.plan import plan as make_plan
from hub.main import open_vault
from tests.support.hubs import Caller
from tests.support.servers import served, small_hub
from tests.support.versioned import V2, new_order, old_order, versioned
from tests.support.waiting import wait_until

SINK = "http://127.0.0.1:9009"
PATH = "/api/shop/order.placed"
PAST = "{1: {state: deprecated, since: 2025-06-01, sunset: 2026-01-01}, 2: {state: current}}"
BOTH = "{1: {state: deprecated, since: 2026-06-01, sunset: 2099-12-01}, 2: {state: current}}"
ONE = "{1: {state: current}, 2: {state: draft}}"


@pytest.fixture
def start(tmp_path, request):
    workspace = tmp_path / "workspace"

    def make(states, store=f"sqlite:///{tmp_path}/hub.sqlite3"):
        versioned(workspace, SINK, states=states)
        hubs = small_hub(workspace, store)
        hub = hubs.__enter__()
        request.addfinalizer(lambda: hubs.__exit__(None, None, None))
        server = served(hub, "granian")
        running = server.__enter__()
        request.addfinalizer(lambda: server.__exit__(None, None, None))
        return running

    make.workspace = workspace
    return make


def become(hub, workspace, states):
    """The same hub by another configuration."""
    for file in sorted(workspace.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    versioned(workspace, SINK, states=states)
    apply(hub.hub.store, workspace)
    hub.hub.catalogs.refresh()


def version_of(hub, answer):
    assert answer.status_code == 202, answer.text
    return hub.hub.store.message(answer.json()["data"]["messageId"]).version


def test_a_version_past_its_sunset_is_refused_as_a_retired_one_is(start):
    hub = start(PAST)
    caller = hub.caller("shop")
    _, key, secret = make_key(
        hub.hub.store,
        open_vault(hub.hub.settings),
        name="pinned",
        systems=("shop",),
        form="default",
        pins={"shop/order.placed": 1},
    )
    pinned = Caller(hub.url, key, secret)
    ways = [
        (caller, "/api/v1/shop/order.placed", old_order(1), {}),
        (caller, PATH, old_order(2), {"API_Version": "1"}),
        (caller, PATH, old_order(3), {"accept": "application/vnd.crossdock.v1+json"}),
        (pinned, PATH, old_order(4), {}),
    ]
    for number, (who, path, body, headers) in enumerate(ways):
        answer = who.post(path, body, f"p{number}", **headers)
        assert (answer.status_code, answer.json()["code"]) == (410, 41000), answer.text
        assert "2026-01-01" in answer.json()["message"]
        assert "Move to version 2" in answer.json()["message"]
        assert answer.headers["link"] == '</api/v2/shop/order.placed>; rel="successor-version"'
    names = {"specversion": "1.0", "id": "e1", "source": "/s", "type": "shop/order.placed@1"}
    event = json.dumps({**names, "data": json.loads(old_order(7))}).encode()
    told = requests.post(
        f"{hub.url}/in/cloudevents",
        event,
        headers={**caller.headers(event, "e1"), "content-type": "application/cloudevents+json"},
        timeout=10,
    )
    assert (told.status_code, told.headers["sunset"], "link" in told.headers) == (
        410,
        "Thu, 01 Jan 2026 00:00:00 GMT",
        True,
    )
    batch = caller.post("/api/v1/shop/order.placed/batch", b"[%b]" % old_order(5), "b1").json()["data"]["items"]
    assert [item["code"] for item in batch] == [41000]
    assert version_of(hub, caller.post(PATH, new_order(6), "p9")) == 2
    assert hub.hub.store.conservation().messages == 1


def test_a_last_version_past_its_sunset_has_no_successor_to_name(start):
    hub = start("{1: {state: current, sunset: 2026-01-01}, 2: {state: draft}}")
    caller = hub.caller("shop")
    answer = caller.post("/api/v1/shop/order.placed", old_order(1), "m1")
    assert (answer.status_code, "without a successor" in answer.json()["message"]) == (410, True)
    assert caller.post(PATH, old_order(2), "m2").status_code == 404


def test_a_version_before_its_sunset_is_taken_and_told_of(start):
    hub = start(BOTH)
    answer = hub.caller("shop").post("/api/v1/shop/order.placed", old_order(1), "m1")
    assert (answer.status_code, answer.headers["sunset"]) == (202, "Tue, 01 Dec 2099 00:00:00 GMT")


def test_the_check_warns_before_and_after(tmp_path):
    workspace = versioned(tmp_path / "workspace", SINK, states=PAST)
    assert [
        (one.code, "is past its sunset on 2026-01-01" in one.text) for one in check(workspace) if one.code == "W809"
    ] == [("W809", True)]
    catalog = load(workspace)
    for day, number in (
        (datetime(2025, 11, 1, tzinfo=UTC), 0),
        (datetime(2025, 12, 15, tzinfo=UTC), 1),
        (datetime(2026, 1, 1, tzinfo=UTC), 1),
    ):
        findings = Findings()
        judge_sunsets(catalog, findings, day)
        assert len(findings.found) == number


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/vnd.other.v1+json", 400),
        ("application/vnd.other.v7+json; charset=utf-8", 400),
        ("application/vnd.other.orders-v2+json", 400),
        ("application/vnd.other.v1.2+json", 400),
        ("application/x-other.v2+json", 400),
        ("application/vnd.other.v2+json, application/json;q=0", 400),
        ("application/vnd.other.v1.raw+json", 400),
        ("application/vnd.other+json; v=1", 400),
        ('application/vnd.other+json; profile="x"; version="1.0"', 400),
        ("application/json; version=1", 400),
        ("application/json;q=0.9;api-version=1", 400),
        # Of what it takes besides, our answers are one
        ("application/vnd.other.v2+json, application/json;q=0.5", 202),
        ("application/vnd.other.v2+json, */*", 202),
        ("application/json; version=1, application/json", 202),
        ("application/signed-exchange;v=b3;q=0.7, */*;q=0.8", 202),
        # No version of anybody
        ("application/vnd.api+json", 202),
        ("text/html", 202),
        ("application/json; charset=utf-8", 202),
        ("application/vnd.crossdock.v2+json; version=2", 202),
        # Ours stands beside it, and counts
        ("application/vnd.other.v1+json, application/vnd.crossdock.v2+json", 202),
        ("application/vnd.crossdock.v1+json;q=0, application/vnd.crossdock.v2+json", 202),
        ("application/vnd.crossdock.v1+json, application/vnd.crossdock.v2+json", 400),
    ],
)
def test_another_companys_version_is_none_of_ours_and_not_passed_over(negotiating, accept, status):
    caller = negotiating.caller("shop")
    answer = caller.post(PATH, new_order(1), "m1", accept=accept)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert "application/vnd.crossdock.v1+json" in answer.json()["details"][0]["fix"]
    # Where the version is said otherwise, it is no matter of ours what else is wanted
    if "crossdock" not in accept:
        assert caller.post("/api/v2/shop/order.placed", new_order(2), "m2", accept=accept).status_code == 202


@pytest.fixture(scope="module")
def negotiating(tmp_path_factory):
    folder = tmp_path_factory.mktemp("negotiating")
    with (
        small_hub(versioned(folder / "workspace", SINK), f"sqlite:///{folder}/hub.sqlite3") as made,
        served(made, "granian") as running,
    ):
        yield running


def test_who_says_no_version_stays_where_it_was_when_a_new_one_becomes_the_default(start):
    # Given a caller that posts without a version, and one whose only such post was refused
    hub = start(ONE)
    caller, other = hub.caller("shop"), hub.caller("shop")
    assert version_of(hub, caller.post(PATH, old_order(1), "m1")) == 1
    assert other.post(PATH, new_order(1), "m1").status_code == 422
    hub.hub.pins.flush(hub.hub.store)
    # When version 2 is to be the default, then the plan says for whom it is not
    target = start.workspace.parent / "next"
    versioned(target, SINK, states=BOTH)
    told = make_plan(hub.hub.store, target)
    [default] = told.as_json()["defaults"]
    assert (default["message"], default["before"], default["after"]) == ("shop/order.placed", 1, 2)
    [stays] = default["stay"]
    assert (stays["name"], stays["version"], stays["isTaken"]) == ("test", 1, True)
    assert stays["caller"] in told.defaults[0].text or "test on version 1" in told.defaults[0].text
    # And it stays, also by what another process knows; whoever comes new is in version 2
    become(hub, start.workspace, BOTH)
    assert version_of(hub, caller.post(PATH, old_order(2), "m2")) == 1
    hub.hub.pins.__init__()
    assert version_of(hub, caller.post(PATH, old_order(3), "m3")) == 1
    assert caller.post(PATH, new_order(4), "m4").status_code == 422
    assert version_of(hub, other.post(PATH, new_order(2), "m5")) == 2
    # And what says a version is in it, and moves nothing
    assert version_of(hub, caller.post("/api/v2/shop/order.placed", new_order(5), "m6")) == 2
    assert version_of(hub, caller.post(PATH, old_order(6), "m7")) == 1


def test_the_plan_names_callers_whose_version_is_taken_away(start):
    hub = start(ONE)
    assert version_of(hub, hub.caller("shop").post(PATH, old_order(1), "m1")) == 1
    hub.hub.pins.flush(hub.hub.store)
    target = start.workspace.parent / "next"
    versioned(target, SINK, states=PAST)
    [default] = make_plan(hub.hub.store, target).as_json()["defaults"]
    assert [one["isTaken"] for one in default["stay"]] == [False]


def test_a_change_of_something_else_says_nothing_of_defaults(start):
    hub = start(ONE)
    target = start.workspace.parent / "next"
    versioned(target, SINK, states=ONE)
    routes = target / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("owner: ", "owner: another ", 1), "utf-8")
    assert make_plan(hub.hub.store, target).as_json()["defaults"] == []


def test_pins_are_written_once_and_the_first_one_holds(start):
    hub = start(ONE)
    store = hub.hub.store
    caller = hub.caller("shop")
    assert version_of(hub, caller.post(PATH, old_order(1), "m1")) == 1
    hub.hub.pins.flush(store)
    [pin] = store.version_pins(["shop/order.placed"])
    store.add_version_pins([type(pin)(pin.caller, pin.type, 2, pin.at)])
    assert store.version_pins(["shop/order.placed"]) == [pin]
    assert store.version_pin(pin.caller, pin.type) == 1
    assert store.version_pin(pin.caller, "shop/other") is None


def test_a_shadow_judges_old_versions_by_their_upgrade(start):
    # Given version 3 in shadow, that takes what version 2 takes, and no mapping to it; version 1 is upgraded to version
    # 2
    workspace = start.workspace
    states = "{1: {state: deprecated, since: 2026-06-01, sunset: 2099-12-01}, 2: {state: current}, 3: {state: shadow}}"
    versioned(workspace, SINK, states=BOTH)
    system = workspace / "adapters" / "shop" / "system.yaml"
    system.write_text(system.read_text("utf-8").replace(BOTH, states), "utf-8")
    (workspace / "adapters" / "shop" / "contracts" / "order.placed.v3.json").write_text(
        V2.replace('"maximum": 1000000', '"maximum": 100'), "utf-8"
    )
    with small_hub(workspace, f"sqlite:///{workspace.parent}/shadow.sqlite3") as made, served(made, "granian") as hub:
        caller = hub.caller("shop")
        assert caller.post("/api/v1/shop/order.placed", old_order(1), "m1").status_code == 202
        assert caller.post("/api/v2/shop/order.placed", new_order(2), "m2").status_code == 202
        big = json.dumps({"orderNo": "OLD-9", "items": [{"sku": "S", "quantity": 500}]}).encode()
        assert caller.post("/api/v1/shop/order.placed", big, "m3").status_code == 202
        rows = wait_until(
            lambda: _shadows(made) if sum(_shadows(made).values()) >= 3 else None, what="the shadow's counts"
        )
        assert rows == {"passed": 2, "refused": 1}


def _shadows(hub):
    hub.usage.flush(hub.store)
    found = {}
    for row in hub.store.usage(type_="shop/order.placed", version=3, fields=True):
        found[row.field] = found.get(row.field, 0) + row.number
    total, refused = found.get("", 0), found.get("refused", 0)
    return {"passed": total - refused, "refused": refused} if total else {}
