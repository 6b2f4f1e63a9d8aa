"""`hub route`, `hub system`, `hub revisions` and the way back: the same as the pages show, for a person and as JSON."""

import json

import pytest

from tests.cli.test_look import add, run
from tests.support.hubs import small_workspace
from tests.support.servers import small_hub


@pytest.fixture
def hub(tmp_path):
    with small_hub(
        small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{tmp_path}/hub.sqlite3"
    ) as made:
        yield made


def test_routes_are_listed_and_one_is_shown_step_by_step(hub):
    add(hub, "SO-1")
    assert "warehouse/order.create@1" in run(hub, "route", "list")[1]
    code, out = run(hub, "route", "show", "orders", "--json")
    told = json.loads(out)
    assert (code, told["graph"]["branches"][0]["out"], told["written"]["file"]) == (0, 1, "routes.yaml")
    assert "shop.order.placed.v1--warehouse.order.create.v1" in run(hub, "route", "show", "orders")[1]
    assert run(hub, "route", "show", "nowhere")[0] == 1


def test_systems_are_listed_shown_and_checked(hub):
    assert "warehouse" in run(hub, "system", "list")[1]
    assert "HUB_WAREHOUSE_URL" in run(hub, "system", "show", "warehouse")[1]
    # Its address is this machine's own, which nobody allowed
    code, out = run(hub, "system", "check", "warehouse", "--by", "ann", "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (1, False)
    [act] = hub.store.acts(what="system.checked")
    assert (act.by, act.object) == ("ann", "warehouse")
    assert "failed" in run(hub, "system", "check", "warehouse")[1]


def test_a_change_is_made_for_a_reason_shown_and_taken_back(hub):
    routes = hub.settings.workspace / "routes.yaml"
    before = hub.store.active()
    routes.write_text(routes.read_text("utf-8").replace("timeout: 5s", "timeout: 6s"), "utf-8")
    assert run(hub, "apply", "--why", "they are slow", "--by", "ann")[0] == 0
    active = hub.store.active()
    code, out = run(hub, "revisions", active[:12])
    assert code == 0
    assert "timeout: 5 s → 6 s" in out
    assert json.loads(run(hub, "revisions", active, "--json")[1])["before"] == before
    assert f"hub rollback {before[:12]}" in run(hub, "plan", "--to", before[:12])[1]
    assert run(hub, "rollback", before[:12], "--why", "no better", "--by", "ann")[0] == 0
    assert [act.details["why"] for act in hub.store.acts(what="configuration.activated", by="ann")] == [
        "no better",
        "they are slow",
    ]
