"""Metrics: what a process counts, what the store knows, and who may ask; in the web process, and on a worker's own
port.
"""

import re
import threading
import time

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from hub.core.errors import StoreBusy
from hub.flow.context.counts import MAX_SERIES, OTHER, Counts
from hub.http.monitoring.metric_definitions import FAMILIES
from hub.http.monitoring.metrics import Exposition
from hub.http.monitoring.side_servers import Listener
from tests.support.hubs import OPS_TOKEN, HubProcess, Sink, free_port, operator, small_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until


def order(number):
    return b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % number.encode()


def samples(text):
    """(name, labels) → value."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def total(text, name, **labels):
    wanted = set(labels.items())
    return sum(value for (given, of), value in samples(text).items() if given == name and wanted <= set(of))


@pytest.fixture
def hub(tmp_path):
    with small_hub(
        small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{tmp_path}/hub.sqlite3"
    ) as made:
        yield made


def test_a_note_goes_into_the_bucket_of_its_bound():
    counts = Counts()
    for ms in (0.5, 1, 1.5, 4_000_000):
        counts.time("send", ms, "wms")
    row = counts.histograms()["send", ("wms",)].cumulative()
    assert (row[0], row[1], row[-2], row[-1]) == (2, 3, 3, 4)
    assert counts.histograms()["send", ("wms",)].total == pytest.approx(4_000_003)


def test_a_name_has_so_many_series_and_no_sum_is_lost():
    counts = Counts()
    for number in range(MAX_SERIES + 100):
        counts.add("accepted", str(number), "x")
    series = counts.counts()
    assert len(series) == MAX_SERIES + 1
    assert series["accepted", (OTHER, OTHER)] == 100
    assert counts.total("accepted") == MAX_SERIES + 100


def test_several_threads_lose_no_count():
    counts = Counts()
    threads = [
        threading.Thread(target=lambda: [(counts.add("a", "x"), counts.time("t", 3)) for _ in range(5_000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.total("a") == 20_000
    assert counts.histograms()["t", ()].cumulative()[-1] == 20_000


def test_every_family_is_exported_and_says_whose_fact_it_is(hub):
    text = Exposition(hub).text().decode()
    told = {family.name: family for family in text_string_to_metric_families(text) if family.name.startswith("hub_")}
    assert set(told) == {family.name for family in FAMILIES}
    for family in FAMILIES:
        assert told[family.name].documentation.endswith(f"[{family.whose}]")
        assert told[family.name].type == family.kind


def test_no_caller_can_make_a_label(hub):
    with served(hub, "granian") as serving:
        caller = serving.caller("shop")
        caller.post("/api/v1/shop/order.placed", order("A-0"), "a-0")
        requests.post(serving.url + "/api/v1/shop/order.placed", data=b"{}", timeout=10)
        before = {
            key
            for key in samples(Exposition(hub).text().decode())
            if key[0].startswith("hub_") and "bucket" not in key[0]
        }
        # When strangers and known callers ask for what there is not, under every name they can think of
        for number in range(30):
            for path in (
                f"/api/v1/shop{number}/order.placed",
                f"/api/v1/shop/order{number}",
                f"/api/v{number + 2}/shop/order.placed",
                f"/in/shop/hook{number}",
            ):
                requests.post(
                    serving.url + path,
                    data=b"{}",
                    headers={"x-custom": str(number), "user-agent": f"agent-{number}"},
                    timeout=10,
                )
                caller.post(path, order(f"A-{number}"), f"b-{number}-{path}")
            requests.request(f"METHOD{number}", serving.url + f"/nothing/{number}?n={number}", timeout=10)
            caller.post(
                "/api/v1/shop/order.placed",
                order(f"A-{number}"),
                f"a-{number}",
                traceparent=f"00-{number:032x}-{number:016x}-01",
            )
        after = {
            key
            for key in samples(Exposition(hub).text().decode())
            if key[0].startswith("hub_") and "bucket" not in key[0]
        }
    # Then each new series differs in a word of ours alone: a status, a code, whether it was new
    ours = {
        "hub_posts_total": {"status"},
        "hub_refused_total": {"code"},
        "hub_accepted_total": {"kind"},
        "hub_unkept_total": {"door"},
    }
    for name, labels in after - before:
        fixed = {label: value for label, value in labels if label not in ours.get(name, set())}
        assert not fixed or any(name == old and fixed.items() <= dict(of).items() for old, of in before), (name, labels)
    assert len(after) < len(before) + 20


def test_a_store_that_is_away_leaves_its_facts_out_and_nothing_else(hub):
    exposition = Exposition(hub)
    assert total(exposition.text().decode(), "hub_store_up") == 1

    def away():
        raise StoreBusy("gone")

    hub.counts.add("accepted", "shop", "order.placed", "1", "new")
    facts = next(one for one in exposition._registry._collector_to_names if hasattr(one, "_books"))
    for kept in (facts._books, facts._now):
        kept._ask, kept._asked_at, kept._cost = away, 0.0, 0.0
    text = exposition.text().decode()
    assert total(text, "hub_store_up") == 0
    assert total(text, "hub_accepted_total") == 1
    assert "hub_unaccounted" not in text


def test_what_is_expensive_to_count_is_not_counted_each_time(hub, monkeypatch):
    exposition = Exposition(hub)
    facts = next(one for one in exposition._registry._collector_to_names if hasattr(one, "_books"))
    asked = []

    def slow():
        asked.append(time.monotonic())
        time.sleep(0.1)
        return hub.store.conservation()

    facts._books._ask = slow
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        exposition.text()
    assert len(asked) == 1


def test_a_process_has_a_port_of_its_own_for_metrics_and_health(hub):
    listener = Listener(hub, "127.0.0.1", 0, time.monotonic)
    listener.start()
    url = f"http://127.0.0.1:{listener.port}"
    try:
        assert requests.get(url + "/health/live", timeout=5).json()["data"] == {"status": "ok"}
        assert requests.get(url + "/health/ready", timeout=5).json()["data"] == {"status": "ok"}
        answer = operator.get(url + "/metrics", timeout=5)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert total(answer.text, "hub_store_up") == 1
        assert operator.request("HEAD", url + "/metrics", timeout=5).content == b""
        # The rule of the web process: the token is asked of everybody
        proxied = {"x-forwarded-for": "203.0.113.7"}
        for headers in ({}, proxied, {"authorization": f"Bearer {OPS_TOKEN}x"}):
            assert requests.get(url + "/metrics", headers=headers, timeout=5).status_code == 401
        assert operator.get(url + "/metrics", headers=proxied, timeout=5).status_code == 200
        assert requests.get(url + "/health/ready", headers=proxied, timeout=5).status_code == 200
        # And nothing else is there
        assert requests.get(url + "/ops/v1/conservation", timeout=5).status_code == 404
        assert requests.get(url + "/api/messages/x", timeout=5).status_code == 404
        refused = requests.post(url + "/metrics", data=b"x", timeout=5)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    finally:
        listener.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url + "/health/live", timeout=5)


def test_a_loop_that_stands_still_is_not_ready(hub):
    listener = Listener(hub, "127.0.0.1", 0, lambda: -1e9)
    listener.start()
    try:
        answer = requests.get(f"http://127.0.0.1:{listener.port}/health/ready", timeout=5)
        assert (answer.status_code, answer.json()["code"]) == (503, 50300)
        assert requests.get(f"http://127.0.0.1:{listener.port}/health/live", timeout=5).status_code == 200
    finally:
        listener.stop()


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_the_sums_over_processes_are_what_the_books_say(tmp_path, store_url):
    """A web process and two workers on one PostgreSQL: what they counted together is what the store has."""
    sink = Sink(lambda number, key: (503, {"retry-after": "0"}, b"{}") if number % 7 == 3 else (200, {}, b"{}"))
    workspace = small_workspace(
        tmp_path / "workspace",
        sink.url,
        retry="{attempts: 30, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1h}",
    )
    web = HubProcess(workspace, store_url, hub_metrics_port=free_port())
    workers = [HubProcess(workspace, store_url, hub_metrics_port=free_port()) for _ in range(2)]
    assert web.run("migrate")[0] == 0
    assert web.run("apply")[0] == 0
    try:
        web.start("web")
        for worker in workers:
            worker.start("worker")
        caller = web.caller("shop")
        # Given 120 orders, ten of them posted twice, and five that are refused
        for number in range(120):
            assert caller.post("/api/v1/shop/order.placed", order(f"N-{number}"), f"n-{number}").status_code == 202
        for number in range(10):
            assert caller.post("/api/v1/shop/order.placed", order(f"N-{number}"), f"n-{number}").json()["data"][
                "duplicate"
            ]
        for number in range(5):
            assert caller.post("/api/v1/shop/order.placed", b"{}", f"x-{number}").status_code == 422

        def ended():
            books = web.ops("/conservation")
            return books if books["deliveries"]["delivered"] == sum(books["deliveries"].values()) else None

        books = wait_until(ended, seconds=60, what="the end of all deliveries")
        ports = [process.environment["HUB_METRICS_PORT"] for process in (web, *workers)]
        texts = [operator.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text for port in ports]
        # Then the sums over the processes are the store's
        assert sum(total(text, "hub_accepted_total", kind="new", system="shop") for text in texts) == 120
        assert sum(total(text, "hub_accepted_total", kind="duplicate") for text in texts) == 10
        assert sum(total(text, "hub_refused_total", code="42200") for text in texts) == 5
        assert (
            sum(total(text, "hub_attempts_total", outcome="delivered") for text in texts)
            == books["deliveries"]["delivered"]
        )
        assert sum(total(text, "hub_delivery_seconds_count") for text in texts) == books["deliveries"]["delivered"]
        attempts = sum(
            total(text, "hub_attempts_total", outcome=outcome) for text in texts for outcome in ("delivered", "retry")
        )
        assert attempts == len(sink.requests)
        assert sum(total(text, "hub_send_seconds_count", lane="warehouse") for text in texts) == len(sink.requests)
        assert sum(total(text, "hub_commit_group_size_sum") for text in texts) == 130
        # And what the store knows is the same from each of them: the largest, not the sum
        for text in texts:
            assert total(text, "hub_deliveries", status="delivered") == books["deliveries"]["delivered"]
            assert total(text, "hub_messages", disposition="routed") == books["routed"]
            assert total(text, "hub_unaccounted") == 0
            assert total(text, "hub_workers") == 2
        assert [re.search(r'role="(\w+)"', text)[1] for text in texts] == ["web", "worker", "worker"]
        assert total(texts[0], "hub_lane_state") == 0
        assert all(total(text, "hub_lane_state", lane="warehouse") == 1 for text in texts[1:])
        for port in ports:
            assert requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=10).status_code == 200
    finally:
        for process in (web, *workers):
            process.stop()


def test_a_port_that_is_taken_is_said_and_nothing_starts(tmp_path):
    sink = Sink()
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    hub = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", hub_metrics_port=sink.server_port)
    code, out, err = hub.run("up")
    assert (code, out) == (3, "")
    assert f"127.0.0.1:{sink.server_port}: the hub cannot listen" in err
    assert "HUB_METRICS_PORT" in err
