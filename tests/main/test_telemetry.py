"""Traces: what a collector gets over its socket, from real processes; and that nothing of it is there where nothing is
traced.
"""

import gzip
import http.server
import importlib
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import replace

import pytest

from hub import settings as settings_table
from hub.core.model.tracing import accept_span, is_sampled
from hub.main.telemetry import open_spans
from hub.settings import BadSetting
from tests.conftest import missing
from tests.support.hubs import ROOT, HubProcess, Sink, free_port, small_workspace
from tests.support.waiting import wait_until

RETRY = "{attempts: 9, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1h}"


def order(number):
    return b'{"orderNo":"T-%d","items":[{"sku":"S","quantity":1}]}' % number


@pytest.fixture
def extra():
    try:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        importlib.import_module("opentelemetry.sdk.trace")
    except ImportError as error:
        missing("crossdock[otel]", str(error))
    return trace_service_pb2


class Collector(http.server.ThreadingHTTPServer):
    """Takes OTLP over HTTP, and keeps the spans."""

    daemon_threads = True

    def __init__(self, schema, answer=200):
        self.schema, self.answer = schema, answer
        self.spans, self.resources = [], []
        super().__init__(("127.0.0.1", 0), _Collect)
        self.url = f"http://127.0.0.1:{self.server_port}/v1/traces"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def took(self, raw):
        request = self.schema.ExportTraceServiceRequest.FromString(raw)
        for one in request.resource_spans:
            self.resources.append({each.key: each.value.string_value for each in one.resource.attributes})
            self.spans += [span for scope in one.scope_spans for span in scope.spans]

    def of(self, trace_id):
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace_id}

    def wait_for(self, number):
        wait_until(lambda: len(self.spans) >= number, seconds=20, what=f"{number} spans")


class _Collect(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        self.server.took(gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw)
        self.send_response_only(self.server.answer)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_message_s_way_is_told_under_its_trace_and_its_caller_s_span(tmp_path, extra):
    collector = Collector(extra)
    sink = Sink(lambda number, key: (503, {}, b"") if number == 1 else (200, {}, b"{}"))
    hub = HubProcess(
        small_workspace(tmp_path / "workspace", sink.url, retry=RETRY),
        f"sqlite:///{tmp_path}/hub.sqlite3",
        hub_traces="1e-9",
        hub_traces_to=collector.url,
    ).start()
    try:
        # Given a caller that records its traces, and one that does not
        caller = hub.caller("shop")
        theirs, span, quiet = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "a" * 32
        answer = caller.post(
            "/api/v1/shop/order.placed", order(1), "t-1", traceparent=f"00-{theirs}-{span}-01", tracestate="rojo=1"
        ).json()
        assert answer["traceId"] == theirs
        message_id = answer["data"]["messageId"]
        other = caller.post("/api/v1/shop/order.placed", order(2), "t-2", traceparent=f"00-{quiet}-{span}-00").json()[
            "data"
        ]["messageId"]
        hub.delivered(message_id)
        hub.delivered(other)
        collector.wait_for(6)
    finally:
        hub.stop()
    # Then the first one's way is there, one attempt that failed and one that did not, and the other's is not
    assert {one.trace_id.hex() for one in collector.spans} == {theirs}
    by_name = defaultdict(list)
    for one in collector.spans:
        by_name[one.name.split(" ")[0]].append(one)
    assert {name: len(spans) for name, spans in by_name.items()} == {"accept": 1, "commit": 1, "send": 2, "settle": 2}
    [accept], [commit] = by_name["accept"], by_name["commit"]
    assert (accept.parent_span_id.hex(), accept.span_id.hex()) == (span, accept_span(message_id))
    assert accept.trace_state == "rojo=1"
    assert commit.parent_span_id == accept.span_id
    sends = sorted(by_name["send"], key=lambda one: attributes(one)["crossdock.attempt"])
    assert all(one.parent_span_id == accept.span_id for one in sends)
    assert [
        (attributes(one)["http.response.status_code"], one.status.code, attributes(one)["crossdock.outcome"])
        for one in sends
    ] == [
        (503, 2, "retry"),
        (200, 0, "delivered"),
    ]
    # What the target was told to go on from is the span of that attempt
    told = [
        headers["traceparent"].split("-")[1:3]
        for _, _, _, headers in sink.requests
        if headers["traceparent"].split("-")[1] == theirs
    ]
    assert told == [[theirs, one.span_id.hex()] for one in sends]
    assert {one.parent_span_id for one in by_name["settle"]} == {one.span_id for one in sends}
    assert all(accept.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano for one in sends)
    # And whose they are; nothing of a person or a path
    assert collector.resources[0]["service.name"] == "crossdock"
    assert collector.resources[0]["crossdock.role"] == "up"
    assert "T-1" not in str(collector.spans)
    assert "/orders" not in str(collector.spans)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_processes_that_know_nothing_of_each_other_record_the_same_traces(tmp_path, store_url, extra):
    collector, sink = Collector(extra), Sink()
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    given = {"hub_traces": "0.3", "hub_traces_to": collector.url}
    web, worker = HubProcess(workspace, store_url, **given), HubProcess(workspace, store_url, **given)
    assert web.run("migrate")[0] == web.run("apply")[0] == 0
    try:
        web.start("web")
        worker.start("worker")
        caller = web.caller("shop")
        traces = {
            caller.post("/api/v1/shop/order.placed", order(number), f"n-{number}").json()["traceId"]
            for number in range(60)
        }
        chosen = {one for one in traces if is_sampled(one, 0.3)}
        assert chosen
        wait_until(lambda: len(sink.requests) >= 60, what="all deliveries")
        collector.wait_for(4 * len(chosen))
    finally:
        for process in (web, worker):
            process.stop()
    assert {one.trace_id.hex() for one in collector.spans} == chosen
    assert all(
        {name.split(" ")[0] for name in collector.of(one)} == {"accept", "commit", "send", "settle"} for one in chosen
    )
    assert {one["crossdock.role"] for one in collector.resources} == {"web", "worker"}


def test_a_collector_that_is_away_holds_up_nothing(tmp_path, extra):
    sink = Sink()
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    hub = HubProcess(
        workspace,
        f"sqlite:///{tmp_path}/hub.sqlite3",
        hub_traces="1",
        hub_traces_to=f"http://127.0.0.1:{free_port()}/v1/traces",
    )
    with (tmp_path / "log").open("w") as hub.stderr:
        hub.start()
        caller = hub.caller("shop")
        made = [caller.post("/api/v1/shop/order.placed", order(number), f"n-{number}") for number in range(20)]
        assert all(answer.status_code == 202 for answer in made)
        hub.delivered(made[-1].json()["data"]["messageId"])
        began = time.monotonic()
        hub.stop()
        assert time.monotonic() - began < 20
    lines = (tmp_path / "log").read_text("utf-8").splitlines()
    assert all(line.startswith("{") for line in lines), lines
    assert any('"spans.unsent"' in line for line in lines)


def test_where_nothing_is_traced_nothing_of_it_is_loaded():
    # redis looks for the API by itself
    program = "import sys, hub.main.serving; assert not [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=60)
    assert open_spans(settings_table.read({}), "web", "p") is None


def test_without_the_extra_the_setting_is_refused_in_words(monkeypatch):
    for name in ("opentelemetry", "opentelemetry.trace", "opentelemetry.sdk.trace"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadSetting, match=r"crossdock\[otel\]"):
        open_spans(replace(settings_table.read({}), traces=0.1), "web", "p")


@pytest.mark.parametrize(
    "wrong",
    [{"HUB_TRACES": "2"}, {"HUB_TRACES": "yes"}, {"HUB_TRACES_TO": "collector:4318"}, {"HUB_TRACES_TO": "http://a b/"}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(BadSetting, match=next(iter(wrong))):
        settings_table.read(wrong)
