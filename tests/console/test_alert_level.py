"""`alert:` at a route tells nobody yet, and says so wherever it is seen: in the check, the console in both languages,
`explain` and `route show`.
"""

import json

import pytest
from click.testing import CliRunner

from hub.catalog import check
from hub.cli import main
from hub.console.attach import attach
from hub.flow.accounts import people
from hub.flow.overview.routes import route
from tests.console.conftest import PASSWORD, Browser
from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub


@pytest.fixture
def workspace(tmp_path):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    routes = folder / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace(
            "    from: shop/order.placed\n", "    from: shop/order.placed\n    alert: P1\n"
        ),
        "utf-8",
    )
    return folder


def test_the_check_says_that_nobody_is_told(workspace):
    text = (workspace / "routes.yaml").read_text("utf-8")
    [found] = [one for one in check(workspace) if one.code == "W808"]
    assert (found.file, found.line, found.level) == (
        "routes.yaml",
        text[: text.index("    alert:")].count("\n") + 1,
        "warning",
    )
    assert "P1" in found.text


def test_people_see_it_too(workspace, tmp_path):
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3") as hub:
        assert route(hub, "orders")["treatment"]["alertIsTold"] is False
        people.add(hub.store, "vera", PASSWORD, people.VIEWER, by="test")
        with served(hub, "wsgi", pages=attach) as running:
            page = Browser(running.url).sign_in("vera")
            assert (
                "P1: kept, but nobody is told in this version"
                in page.get("/console/flow/route/orders", accept_language="en").text
            )
            assert "本版本不会通知任何人" in page.get("/console/flow/route/orders", accept_language="zh-CN").text


def test_the_command_line_says_it(workspace, tmp_path):
    order = tmp_path / "order.json"
    order.write_text('{"orderNo":"SO-1","items":[{"sku":"SKU-1","quantity":2}]}')
    environment = {
        "HUB_WORKSPACE": str(workspace),
        "HUB_STORE": f"sqlite:///{tmp_path}/hub.sqlite3",
        "HUB_ALLOW_CIDRS": "127.0.0.0/8",
    }
    told = CliRunner().invoke(main, ["explain", "shop/order.placed@1", str(order)], env=environment)
    assert "orders: alert P1 is kept, and nobody is told by it" in told.output
    told = CliRunner().invoke(main, ["explain", "shop/order.placed@1", str(order), "--json"], env=environment)
    assert len(json.loads(told.stdout)["notes"]) == 1
    for words in (["migrate"], ["apply"]):
        assert CliRunner().invoke(main, words, env=environment).exit_code == 0
    told = CliRunner().invoke(main, ["route", "show", "orders"], env=environment)
    assert "nobody is told by it" in " ".join(told.output.split())
