"""The front page and the pages of one flow over a socket: what they tell, who may stop and let go on, and that what
others wrote stays text.
"""

from dataclasses import replace

import pytest

from hub.console.attach import attach
from hub.core.errors import Cause, Reason
from hub.core.message import Ref
from hub.core.model.delivery import Dead, Retry
from hub.flow.accounts import people
from hub.store.queries.throughput import ThroughputRow
from tests.console.conftest import PASSWORD, Browser
from tests.support.hubs import small_workspace
from tests.support.making import claim, laid, settled
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
TARGET = Ref("warehouse", "order.create", 1)


@pytest.fixture
def hub(tmp_path):
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        for name, role in (("olga", "operator"), ("vera", "viewer")):
            people.add(made.store, name, PASSWORD, role, by="test")
        yield made


@pytest.fixture
def url(hub):
    with served(hub, "wsgi", pages=attach) as running:
        yield running.url


@pytest.fixture
def olga(url):
    return Browser(url).sign_in("olga")


@pytest.fixture
def vera(url):
    return Browser(url).sign_in("vera")


def route_of(hub):
    return hub.catalogs.active().routes[0].name


def waiting(hub, number=3, text="SO"):
    """So many deliveries that wait for the warehouse."""
    batch = [
        laid(order_key=f"{text}-{place}", keys=(("orderNo", f"{text}-{place}"),), targets=(TARGET,))
        for place in range(number)
    ]
    made = [
        replace(
            one,
            message=replace(one.message, revision=hub.store.active()),
            deliveries=tuple(replace(line, route=route_of(hub)) for line in one.deliveries),
        )
        for one in batch
    ]
    hub.store.add(made)
    return [one.deliveries[0].id for one in made]


def until(browser, path, text):
    """The page, once it says so: what is counted is kept for a second for all who look."""
    return wait_until(lambda: page if text in (page := browser.get(path).text) else None, what=f"{text} on {path}")


def test_a_quiet_hub_says_so_and_shows_its_landscape(hub, olga):
    page = olga.get("/console/now")
    assert page.status_code == 200
    assert "Nothing needs a person." in page.text
    assert olga.get("/console").headers["location"] == "/console/now"
    # The picture links each route and each target to its own page
    for path in ("/console/flow/target/warehouse", f"/console/flow/route/{route_of(hub)}", "/console/find?system=shop"):
        assert f'href="{path}"' in page.text


def test_what_needs_a_person_has_its_age_its_count_and_the_link_that_helps(hub, olga):
    # Given three of one cause, whose texts somebody hostile wrote, and a key that waits behind one of them
    waiting(hub, 3, EVIL)
    hub.store.settle(
        [settled(one, Dead(Cause(Reason.REFUSED, EVIL, f"/{EVIL}", fix=EVIL))) for one in claim(hub.store)]
    )
    while hub.store.name_clusters():
        pass
    waiting(hub, 1, EVIL)
    hub.store.add_minutes(
        [
            ThroughputRow(
                hub.store.now().replace(second=0, microsecond=0),
                route_of(hub),
                str(TARGET),
                {"dead": 3, "delivered": 5},
            )
        ]
    )
    page = olga.get("/console/now").text
    [cause] = {one.cluster.id for one in hub.store.clusters()}
    assert f'href="/console/dead/causes/{cause}?status=dead"' in page
    assert 'href="/console/dead/parked"' in page
    # Then it is all text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    # And the target that refused is drawn as a fault, in words and by a sign as well
    assert "is-fault" in page
    assert "✕" in page


def test_what_waits_is_listed_and_what_senders_wrote_in_it_is_text(hub, olga):
    waiting(hub, 2, EVIL)
    hub.store.settle(
        [settled(one, Retry(Cause(Reason.UNREACHABLE, EVIL), 3_600.0)) for one in claim(hub.store, size=1)]
    )
    for path in ("/console/flow/target/warehouse", f"/console/flow/route/{route_of(hub)}"):
        page = olga.get(path).text
        assert page.count("&lt;script&gt;alert(1)") >= 3  # two keys, one answer
        assert "<script>alert" not in page
        assert "<img src=x" not in page


@pytest.mark.parametrize("kind", ["target", "route"])
def test_an_operator_stops_it_sees_what_waits_and_lets_it_go_on(hub, olga, kind):
    name = "warehouse" if kind == "target" else route_of(hub)
    path = f"/console/flow/{kind}/{name}"
    waiting(hub, 3)
    # When it is paused with a reason, then the page says so at once, with how many wait
    done = olga.post(f"{path}/pause", {"why": EVIL})
    assert (done.status_code, done.headers["location"]) == (303, path)
    page = olga.get(path).text
    assert "3 wait." in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert [(one.kind, one.name, one.by, one.why) for one in hub.store.pauses()] == [(kind, name, "olga", EVIL)]
    # And so does the front page, which lets it go on
    page = until(olga, "/console/now", f'action="{path}/resume"')
    assert "is-paused" in page
    # When it is resumed, twice, then it goes on, once
    for _ in range(2):
        assert olga.post(f"{path}/resume").status_code == 303
    assert hub.store.pauses() == []
    assert [act.what for act in hub.store.acts(limit=2)] == [f"{kind}.resumed", f"{kind}.paused"]
    assert len(claim(hub.store)) == 3


def test_a_viewer_looks_and_changes_nothing(hub, vera):
    waiting(hub, 1)
    for path in ("/console/flow/target/warehouse", f"/console/flow/route/{route_of(hub)}"):
        page = vera.get(path)
        assert page.status_code == 200
        assert "/pause" not in page.text
        for verb in ("pause", "resume"):
            assert vera.post(f"{path}/{verb}").status_code == 403
    assert hub.store.pauses() == []


def test_a_forged_form_changes_nothing(hub, olga):
    path = "/console/flow/target/warehouse/pause"
    assert olga.post(path, csrf=False).status_code == 403
    assert olga.post(path, csrf="0" * 64).status_code == 403
    assert olga.post(path, origin="https://evil.example").status_code == 403
    assert hub.store.pauses() == []


def test_a_name_that_nothing_bears_is_not_there_and_one_that_is_gone_can_be_let_go_on(hub, olga):
    for path in ("/console/flow/target/nobody", "/console/flow/route/nobody", "/console/flow/lane/warehouse"):
        assert olga.get(path).status_code == 404
        assert olga.post(f"{path}/pause").status_code in (404, 405)
    # Given a pause of a route that the configuration does not have any more
    hub.store.pause("route", "gone", by="ann", why="")
    assert "/console/flow/route/gone/resume" in olga.get("/console/flow/route/gone").text
    assert olga.post("/console/flow/route/gone/resume").status_code == 303
    assert hub.store.pauses() == []


def test_a_poll_of_what_did_not_change_is_answered_without_a_body(hub, olga):
    for path in ("/console/now", "/console/flow/target/warehouse"):
        olga.get(path)
        part = olga.get(path, HX_Request="true")
        assert "<html" not in part.text
        again = olga.get(path, HX_Request="true", If_None_Match=part.headers["etag"])
        assert again.status_code in (200, 304)  # a minute may have begun between the two
        assert again.status_code == 200 or not again.content
    for span in ("360", "1440", "no such"):
        assert olga.get("/console/now", HX_Request="true").status_code == 200
        assert olga.get(f"/console/now?span={span}").status_code == 200
