"""Routes, systems and changes over a socket, as JSON and by URL: what they tell, who may act, and that two who change
at once do not undo each other.
"""

import socket

import pytest

from hub.console.attach import attach
from hub.flow.accounts import people
from hub.flow.answers import building as schemas
from hub.flow.configuration.changes import summary
from tests.console.conftest import PASSWORD, Browser
from tests.support.declared import faults
from tests.support.hubs import operator, small_workspace
from tests.support.servers import served, small_hub

SECRET = "swordfish-4711"


@pytest.fixture(scope="module")
def listening():
    """Something that takes connections, and is never asked anything."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made.getsockname()[1]


@pytest.fixture(scope="module")
def hub(tmp_path_factory, listening):
    folder = tmp_path_factory.mktemp("building")
    workspace = small_workspace(folder / "workspace", f"http://olga:{SECRET}@127.0.0.1:{listening}")
    system = workspace / "adapters/warehouse/system.yaml"
    text = system.read_text("utf-8").replace(
        "outbound: {scheme: none}", "outbound: {scheme: api-key, key: env:THE_KEY}"
    )
    system.write_text(
        text.replace(f"olga:{SECRET}@", "")
        + '  token: {help: Unused, secret: true, default: "env:NO_SUCH"}\n  pass: {help: Used, secret: true}\n',
        "utf-8",
    )
    routes = workspace / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace(
            "    to: [", "    drop: {when: orderNo = 'SO-TEST', why: Tests stay here.}\n    to: ["
        ),
        "utf-8",
    )
    environment = {
        "THE_KEY": SECRET,
        "HUB_WAREHOUSE_PASS": SECRET,
        "HUB_ALLOW_CIDRS": "127.0.0.0/8",
        "HUB_WAREHOUSE_TOKEN": "env:THE_KEY",
    }
    with (
        small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3", **environment) as made,
        served(made, "wsgi", pages=attach) as running,
    ):
        for name, role in (("olga", people.OPERATOR), ("vera", people.VIEWER)):
            people.add(made.store, name, PASSWORD, role, by="test")
        yield running


def get(hub, schema, path):
    """The answer's data, once it is known to be what the schema says."""
    answer = operator.get(f"{hub.url}/ops/v1{path}", timeout=20)
    assert answer.status_code == 200, answer.text
    assert not faults(schema, answer.json())
    return answer.json()["data"]


def post(hub, path, **body):
    return operator.post(f"{hub.url}/ops/v1{path}", json={"by": "ann", **body}, timeout=30)


def change(hub, old, new):
    """Edits routes.yaml on the hub's disk; gives what stood there."""
    path = hub.hub.settings.workspace / "routes.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return text


def test_a_route_tells_where_the_last_messages_would_leave_it(hub):
    # Given three orders, of which one is dropped as a test
    caller = hub.caller("shop")
    for number in ("SO-1", "SO-2", "SO-TEST"):
        assert (
            caller.post(
                "/api/v1/shop/order.placed",
                b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % number.encode(),
                number,
            ).status_code
            < 300
        )
    [line] = get(hub, schemas.RouteList, "/routes")["items"]
    assert (line["name"], line["steps"], line["state"], line["backlog"]) == ("orders", ["drop"], "live", 2)
    told = get(hub, schemas.OneRoute, "/routes/orders")
    assert [(step["kind"], step["out"]) for step in told["graph"]["steps"]] == [("source", 3), ("drop", 2)]
    [branch] = told["graph"]["branches"]
    assert (branch["out"], branch["backlog"], branch["mappings"][0]["name"]) == (
        2,
        2,
        "shop.order.placed.v1--warehouse.order.create.v1",
    )
    assert told["treatment"]["targets"][0]["retry"]["attempts"] == 3
    assert told["written"]["text"].startswith("orders:\n  about: What the shop sells")
    assert operator.get(f"{hub.url}/ops/v1/routes/nowhere", timeout=10).status_code == 404


def test_what_a_plan_says_is_what_is_applied_once_and_a_second_one_is_told_to_plan_again(hub):
    old = hub.hub.store.active()
    kept = change(hub, "timeout: 5s", "timeout: 6s")
    # When two people plan, the second one with other files
    first = get(hub, schemas.PlanReport, "/plan?messages=50")
    assert first["onto"] == old
    assert any("timeout" in one["place"] for one in first["changes"])
    assert first["whatIf"]["messages"] == 3
    stale = {"revision": first["revision"], "onto": old, "why": "they answer slowly"}
    change(hub, "timeout: 6s", "timeout: 7s")
    # Then what was planned is not what lies there any more
    assert post(hub, "/apply", **stale).status_code == 409
    second = get(hub, schemas.PlanReport, "/plan")
    wanted = {"revision": second["revision"], "onto": second["onto"], "why": "they answer slowly"}
    assert post(hub, "/apply", **wanted).json()["data"] == {"revision": second["revision"], "changed": True}
    # And the same again changes nothing, while who planned against the one before is told what to do
    assert post(hub, "/apply", **wanted).json()["data"]["changed"] is False
    change(hub, "timeout: 7s", "timeout: 8s")
    third = get(hub, schemas.PlanReport, "/plan")
    late = post(hub, "/apply", revision=third["revision"], onto=old, why="I was first")
    assert (late.status_code, late.json()["code"]) == (409, 40900)
    assert "Plan again" in late.json()["message"]
    assert hub.hub.store.active() == second["revision"]
    [act] = hub.hub.store.acts(what="configuration.activated", limit=1)
    assert (act.by, act.details["why"], act.details["before"]) == ("ann", "they answer slowly", old)
    (hub.hub.settings.workspace / "routes.yaml").write_text(kept, "utf-8")


def test_a_plan_with_errors_is_told_and_refused(hub):
    kept = change(hub, "warehouse/order.create@1", "warehouse/order.unknown@1")
    made = get(hub, schemas.PlanReport, "/plan")
    assert "error" in {finding["level"] for finding in made["findings"]}
    answer = post(hub, "/apply", revision=made["revision"], onto=made["onto"], why="it does not matter")
    assert answer.status_code == 422
    assert "routes.yaml:" in answer.json()["message"]
    (hub.hub.settings.workspace / "routes.yaml").write_text(kept, "utf-8")
    for body in (
        {},
        {"revision": "x", "onto": made["onto"], "why": "y"},
        {"revision": made["revision"], "onto": made["onto"], "why": ""},
    ):
        assert post(hub, "/apply", **body).status_code == 400


def test_the_history_says_who_changed_what_and_leads_back(hub):
    told = get(hub, schemas.RevisionHistory, "/revisions")
    newest, oldest = told["items"][0], told["items"][-1]
    assert (newest["isActive"], newest["by"], newest["why"]) == (True, "ann", "they answer slowly")
    assert newest["summary"] == [{"what": "changed", "kind": "defaults", "name": ""}]
    one = get(hub, schemas.OneRevision, f"/revisions/{newest['revision'][:12]}")
    assert one["before"] == oldest["revision"]
    assert any("7 s" in (line["after"] or "") for line in one["changes"])
    [file] = one["files"]
    assert (file["file"], file["added"], file["removed"]) == ("routes.yaml", 1, 1)
    # When somebody goes back, with the same look before
    look = get(hub, schemas.PlanReport, f"/revisions/{oldest['revision']}/plan")
    assert (look["revision"], look["onto"], look["findings"]) == (oldest["revision"], newest["revision"], [])
    assert post(hub, f"/revisions/{oldest['revision']}/rollback", onto=oldest["revision"], why="no").status_code == 409
    for changed in (True, False):
        answer = post(
            hub, f"/revisions/{oldest['revision']}/rollback", onto=newest["revision"], why="slower than before"
        )
        assert answer.json()["data"] == {"revision": oldest["revision"], "changed": changed}
    assert hub.hub.store.active() == oldest["revision"]
    assert len([act for act in hub.hub.store.acts(what="configuration.activated") if act.by == "ann"]) == 2
    assert operator.get(f"{hub.url}/ops/v1/revisions/{'f' * 64}", timeout=10).status_code == 404


def test_a_system_shows_its_settings_and_no_secret(hub):
    lines = {one["name"]: one for one in get(hub, schemas.SystemList, "/systems")["items"]}
    assert (lines["shop"]["health"], lines["warehouse"]["cap"], lines["warehouse"]["backlog"]) == ("none", 32, 2)
    told = get(hub, schemas.OneSystem, "/systems/warehouse")
    settings = {one["name"]: one for one in told["settings"]}
    assert [
        (settings[name]["isSecret"], settings[name]["isSet"], settings[name]["value"]) for name in ("token", "pass")
    ] == [(True, True, None)] * 2
    assert settings["token"]["reference"] == "env:THE_KEY"
    assert told["secrets"] == [{"name": "key", "reference": "env:THE_KEY", "isSet": True}]
    assert "test" in {one["name"] for one in get(hub, schemas.OneSystem, "/systems/shop")["callers"]}
    vera = Browser(hub.url).sign_in("vera")
    for path in ("/console/systems", "/console/systems/warehouse", "/ops/v1/systems/warehouse"):
        assert SECRET not in vera.get(path).text


def test_a_check_tries_the_declared_address_and_is_on_record(hub, listening):
    answer = post(hub, "/systems/warehouse/check")
    assert not faults(schemas.CheckedNow, answer.json())
    told = answer.json()["data"]
    [address] = told["addresses"]
    assert (told["ok"], [step["step"] for step in address["steps"]]) == (True, ["dns", "tcp"])
    assert address["url"] == f"http://127.0.0.1:{listening}"
    [act] = hub.hub.store.acts(what="system.checked", limit=1)
    assert (act.by, act.object, act.details["ok"]) == ("ann", "warehouse", True)
    assert get(hub, schemas.OneSystem, "/systems/warehouse")["lastCheck"]["by"] == "ann"
    assert post(hub, "/systems/shop/check").status_code == 400
    assert post(hub, "/systems/nowhere/check").status_code == 404
    assert post(hub, "/systems/warehouse/check", url="http://127.0.0.1:1").status_code == 400


def test_a_viewer_looks_and_cannot_act_by_url(hub):
    vera, active = Browser(hub.url).sign_in("vera"), hub.hub.store.active()
    for path in (
        "/console/routes",
        "/console/flow/route/orders",
        "/console/systems",
        "/console/systems/warehouse",
        "/console/changes",
        f"/console/changes/{active}",
    ):
        page = vera.get(path)
        assert page.status_code == 200, path
        assert '<details class="act' not in page.text
    # What a route's boxes lead to is there
    page = vera.get("/console/flow/route/orders").text
    for path in (
        "/console/mappings/shop.order.placed.v1--warehouse.order.create.v1",
        "/console/contracts/shop/order.placed",
    ):
        assert f'href="{path}"' in page
        assert vera.get(path).status_code == 200
    for path in (
        "/console/changes/plan",
        f"/console/changes/{active}/back",
        "/ops/v1/plan",
        f"/ops/v1/revisions/{active}/plan",
    ):
        assert vera.get(path).status_code == 403, path
    fields = {"revision": active, "onto": active, "why": "x"}
    for path in ("/console/changes/apply", f"/console/changes/{active}/back", "/console/systems/warehouse/check"):
        assert vera.post(path, fields).status_code == 403, path
    headers = {"x-csrf-token": vera.csrf()}
    for path in ("/apply", f"/revisions/{active}/rollback", "/systems/warehouse/check"):
        assert (
            vera.session.post(
                f"{hub.url}/ops/v1{path}", json={"onto": active, "why": "x"}, headers=headers, timeout=10
            ).status_code
            == 403
        ), path
    olga = Browser(hub.url).sign_in("olga")
    assert olga.post("/console/changes/apply", fields, csrf=False).status_code == 403
    assert olga.post("/console/changes/apply", {**fields, "revision": "f" * 64}).status_code == 409
    assert olga.post("/console/changes/apply", {**fields, "why": ""}).status_code == 400
    assert hub.hub.store.active() == active


def test_what_changed_between_two_sets_of_files_is_told_by_names():
    old = {
        "routes.yaml": "routes:\n  a: {from: x/y}\n  b: {from: x/y}\n",
        "mappings/m.yaml": "a: 1",
        "adapters/wms/contracts/o.create.v1.json": "{}",
    }
    new = {
        "routes.yaml": "routes:\n  a: {from: x/z}\n  c: {from: x/y}\n",
        "mappings/tables/t.yaml": "a: 1",
        "adapters/wms/contracts/o.create.v1.json": "{} ",
    }
    assert {(one["what"], one["kind"], one["name"]) for one in summary(old, new)} == {
        ("changed", "route", "a"), ("removed", "route", "b"), ("added", "route", "c"), ("removed", "mapping", "m"), ("added", "table", "t"),
        ("changed", "contract", "wms/o.create@1"),
    }  # fmt: skip
    assert list(summary(old, {**old, "routes.yaml": "# said otherwise\n" + old["routes.yaml"]})) == [
        {"what": "changed", "kind": "wording", "name": "routes.yaml"}
    ]
