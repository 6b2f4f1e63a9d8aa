"""The pages of messages that no route took: what needs a person, what it would become, routed and let go, in both
languages.
"""

import json

import pytest

from hub.core.message import Disposition
from hub.flow.accounts import people
from hub.flow.configuration.plan import apply
from tests.console.conftest import PASSWORD, Browser
from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

EVIL = "never' & '<script>alert(1)</script>"
SOUND = "from: shop/order.placed\n"
AIMED = f"{SOUND}    when: \"orderNo = '{EVIL}'\"\n"


@pytest.fixture
def workspace(tmp_path):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    text = (folder / "routes.yaml").read_text("utf-8")
    (folder / "routes.yaml").write_text(text.replace(SOUND, AIMED), "utf-8")
    return folder


@pytest.fixture
def hub(workspace, tmp_path):
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        for name, role in (("olga", "operator"), ("vera", "viewer")):
            people.add(made.store, name, PASSWORD, role, by="test")
        yield made


@pytest.fixture
def url(hub):
    from hub.console.attach import attach

    with served(hub, "wsgi", pages=attach) as running:
        caller = running.caller("shop")
        for number in range(3):
            body = json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "S", "quantity": 1}]}).encode()
            assert caller.post("/api/v1/shop/order.placed", body, f"m-{number}").status_code == 202
        hub.store.name_unrouted()
        yield running.url


@pytest.fixture
def olga(url):
    return Browser(url).sign_in("olga")


def mend(hub, workspace):
    text = (workspace / "routes.yaml").read_text("utf-8")
    (workspace / "routes.yaml").write_text(text.replace(AIMED, SOUND), "utf-8")
    apply(hub.store, workspace)
    hub.catalogs.refresh()


def path_of(hub):
    [line] = hub.store.unrouted_causes()
    return f"/console/unrouted/{line.id}"


def test_the_front_page_names_it_and_leads_to_its_cause(hub, olga):
    page = wait_until(
        lambda: text if path_of(hub) in (text := olga.get("/console/now").text) else None, what="the need"
    )
    assert "shop/order.placed@1 was accepted, and no route took it" in page
    assert "<script>alert" not in page
    for path in ("/console/unrouted", path_of(hub), f"{path_of(hub)}?preview=1"):
        page = olga.get(path)
        assert page.status_code == 200
        assert "shop/order.placed@1" in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>alert" not in page.text
    assert "would stay" in page.text


def test_it_speaks_chinese_too(hub, olga):
    olga.session.cookies.set("crossdock_language", "zh-CN")
    where = path_of(hub)
    assert "没有路由接收" in olga.get("/console/now").text
    answer = olga.post(f"{where}/route")
    assert "已处理：仍无路由: 3" in olga.get(answer.headers["location"].removeprefix(olga.url)).text
    [first, *_] = [row.message.id for row in hub.store.unrouted()]
    for path, text in (
        (where, "仍然：没有路由接收。"),
        (f"{where}?preview=1", "仍然：没有路由接收。"),
        (f"/console/messages/{first}", "没有路由接收。"),
    ):
        page = olga.get(path).text
        assert text in page
        assert "No route" not in page
    # A refusal says in Chinese why nothing was done
    assert olga.post(f"/console/messages/{first}/drop", {"why": "a test"}).status_code == 303
    assert "该消息无需处理：已过滤。" in olga.post(f"/console/messages/{first}/route").text
    assert "由 olga 放弃：a test" in olga.get(f"/console/messages/{first}").text


def test_an_operator_routes_a_cause_and_one_message_and_lets_one_go(hub, workspace, olga):
    mend(hub, workspace)
    where = path_of(hub)
    assert "3 would be routed" in olga.get(f"{where}?preview=1").text
    one, two, _ = [row.message.id for row in hub.store.unrouted()]
    # When one is routed on its own page, another let go, and the rest as a cause
    assert olga.post(f"/console/messages/{one}/route").status_code == 303
    assert olga.post(f"/console/messages/{one}/route").status_code == 409
    assert olga.post(f"/console/messages/{two}/drop").status_code == 400
    assert olga.post(f"/console/messages/{two}/drop", {"why": "a test"}).status_code == 303
    answer = olga.post(f"{where}/route", {"why": "mended"})
    assert answer.status_code == 303
    assert "Done: routed: 1" in olga.get(answer.headers["location"].removeprefix(olga.url)).text
    # Then the books are right, and nothing waits
    books = hub.store.conservation()
    assert (books.unaccounted, books.routed, books.filtered, books.unrouted) == (0, 2, 1, 0)
    assert {act.by for act in hub.store.acts(what="message.")} == {"olga"}
    assert olga.post(f"{where}/drop", {"why": "x"}).status_code == 404
    assert "has gone somewhere" in wait_until(
        lambda: text if "has gone somewhere" in (text := olga.get("/console/unrouted").text) else None, what="none"
    )


def test_a_viewer_looks_and_changes_nothing(hub, url):
    vera = Browser(url).sign_in("vera")
    assert "Let go" not in vera.get(path_of(hub)).text
    [id_, *_] = [row.message.id for row in hub.store.unrouted()]
    for path in (
        f"{path_of(hub)}/route",
        f"{path_of(hub)}/drop",
        f"/console/messages/{id_}/route",
        f"/console/messages/{id_}/drop",
    ):
        assert vera.post(path, {"why": "x"}).status_code == 403
    assert hub.store.message(id_).disposition is Disposition.UNROUTED
