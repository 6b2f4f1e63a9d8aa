"""Spans to an OpenTelemetry collector, by OTLP over HTTP: the extra `crossdock[otel]`. Only what is sampled is made;
nobody waits for it.

The caller's own choice counts (`traceparent`); without one HUB_TRACES of all traces are recorded, chosen by their id,
so that the process that accepts and the one that delivers choose alike. A caller's choice is remembered in the process
that took its post.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hub import __version__
from hub.core.message import Message, Request
from hub.core.model.delivery import Delivered, Settlement
from hub.core.model.tracing import accept_span, attempt_span, is_sampled, parent_of, tracestate_of
from hub.logs import event
from hub.settings import BadSetting, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

REMEMBERED = 20_000  # traces whose caller has chosen
QUEUE = 4_096  # spans that wait; what comes beyond them is left out
SECONDS = 5.0  # for one call to the collector, and for the last ones of an ending process


def open_spans(settings: Settings, role: str, process: str) -> Telemetry | None:
    """None where the settings want none. Raises BadSetting where the extra is not installed."""
    if settings.traces <= 0:
        return None
    try:
        return Telemetry(settings.traces, settings.traces_to, role, process)
    except ImportError as error:
        raise BadSetting(
            f"HUB_TRACES={settings.traces:g} needs an extra package: pip install 'crossdock[otel]' ({error})."
        ) from error


class Telemetry:
    """The Spans of a process. Its verbs put into a queue; a thread of the library sends."""

    def __init__(self, ratio: float, endpoint: str, role: str, process: str) -> None:
        # Imported here: whoever traces nothing has not got it, and pays nothing for it.
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415

        self._api = trace
        self._ratio = ratio
        self._chosen: OrderedDict[str, bool] = OrderedDict()
        self._commits: OrderedDict[str, tuple[float, float, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._ids = _Ids()
        about = {
            "service.name": "crossdock",
            "service.version": __version__,
            "service.instance.id": process,
            "crossdock.role": role,
        }
        by_shape: Any = self._ids  # its base class is of an extra that may be missing
        self._provider: TracerProvider = TracerProvider(
            sampler=ALWAYS_ON,  # what is not sampled does not come so far
            resource=Resource(about),
            shutdown_on_exit=False,
            id_generator=by_shape,
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=SECONDS)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUE, schedule_delay_millis=1_000)
        )
        self._tracer = self._provider.get_tracer("crossdock", __version__)
        _into_our_log()

    def close(self, seconds: float = SECONDS) -> None:
        """Sends what waits, at most so long: a collector that is away holds up no stop."""
        closing = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        closing.start()
        closing.join(seconds)

    def accepted(self, request: Request, message: Message, ended_at: float) -> None:
        parent = parent_of(next((value for name, value in request.headers if name == "traceparent"), None))
        is_theirs = parent is not None and parent.trace_id == message.trace_id
        chosen = parent.is_sampled if parent is not None and is_theirs else is_sampled(message.trace_id, self._ratio)
        with self._lock:
            commit = self._commits.pop(message.id, None)
            if is_theirs:
                self._chosen[message.trace_id] = chosen
                while len(self._chosen) > REMEMBERED:
                    self._chosen.popitem(last=False)
        if not chosen:
            return
        state = tracestate_of([value for name, value in request.headers if name == "tracestate"])
        attributes = {
            "crossdock.message.id": message.id,
            "crossdock.message.type": message.ref.type,
            "crossdock.message.version": message.ref.version,
            "crossdock.disposition": message.disposition.value,
            "crossdock.deliveries": message.planned,
            "crossdock.revision": message.revision[:12],
            "http.request.method": request.method,
        }
        self._record(
            f"accept {message.ref.type}",
            message,
            accept_span(message.id),
            parent.span_id if parent is not None and is_theirs else "",
            message.received_at.astimezone(UTC).timestamp(),
            ended_at,
            attributes,
            kind=self._api.SpanKind.SERVER,
            state=state,
        )
        if commit is not None:
            started_at, ms, size = commit
            given = {"crossdock.message.id": message.id, "crossdock.group": size}
            self._record("commit", message, "", accept_span(message.id), started_at, started_at + ms / 1000, given)

    def committed(self, message: Message, started_at: float, ms: float, size: int) -> None:
        # Kept until it is answered: only then is it known whether its caller wants it recorded.
        with self._lock:
            self._commits[message.id] = (started_at, ms, size)
            while len(self._commits) > REMEMBERED:
                self._commits.popitem(last=False)

    def attempted(self, settled: Settlement, ended_at: float, settle_ms: float) -> None:
        claim, exchange = settled.claim, settled.exchange
        if not self._wants(claim.message.trace_id):
            return
        attributes: dict[str, str | int] = {
            "crossdock.message.id": claim.message.id,
            "crossdock.delivery.id": claim.id,
            "crossdock.lane": claim.lane,
            "crossdock.route": claim.route,
            "crossdock.attempt": claim.attempt,
            "crossdock.outcome": type(settled.outcome).__name__.lower(),
        }
        if exchange.url:
            # The host alone: a path may hold a customer's number.
            attributes |= {
                "server.address": urlsplit(exchange.url).hostname or "",
                "http.request.method": exchange.method,
            }
        if exchange.status is not None:
            attributes["http.response.status_code"] = exchange.status
        why = getattr(settled.outcome, "why", None)
        wrong = why.reason.value if why is not None and not isinstance(settled.outcome, Delivered) else ""
        span, settled_from = attempt_span(claim.id, claim.attempt), ended_at - settle_ms / 1000
        message, parent, began = claim.message, accept_span(claim.message.id), settled_from - exchange.ms / 1000
        self._record(
            f"send {claim.ref}",
            message,
            span,
            parent,
            began,
            settled_from,
            attributes,
            kind=self._api.SpanKind.CLIENT,
            wrong=wrong,
        )
        self._record("settle", message, "", span, settled_from, ended_at, {"crossdock.delivery.id": claim.id})

    def _wants(self, trace_id: str) -> bool:
        with self._lock:
            chosen = self._chosen.get(trace_id)
        return chosen if chosen is not None else is_sampled(trace_id, self._ratio)

    def _record(
        self,
        name: str,
        message: Message,
        span_id: str,
        parent: str,
        began: float,
        ended: float,
        attributes: dict[str, Any],
        *,
        kind: Any = None,
        state: str = "",
        wrong: str = "",
    ) -> None:
        """A span that is over already; `span_id` and `parent` may be empty."""
        api = self._api
        trace_id = int(message.trace_id, 16)
        context = None
        if parent:
            told = api.TraceState.from_header([state]) if state else None
            above = api.SpanContext(
                trace_id, int(parent, 16), is_remote=True, trace_flags=api.TraceFlags(1), trace_state=told
            )
            context = api.set_span_in_context(api.NonRecordingSpan(above))
        with self._ids.giving(trace_id, int(span_id, 16) if span_id else None):
            start, end = int(began * 1e9), int(max(ended, began) * 1e9)
            span: Span = self._tracer.start_span(
                name, context, kind or api.SpanKind.INTERNAL, attributes, start_time=start
            )
        if wrong:
            span.set_status(api.Status(api.StatusCode.ERROR, wrong))
        span.end(end)


class _Ids:
    """Ids that are given, not drawn: for the length of a `with`, in one thread."""

    def __init__(self) -> None:
        self._given = threading.local()

    def giving(self, trace_id: int, span_id: int | None) -> _Ids:
        self._given.trace_id, self._given.span_id = trace_id, span_id
        return self

    def __enter__(self) -> None:
        """Set by `giving`."""

    def __exit__(self, *_: object) -> None:
        self._given.trace_id = self._given.span_id = None

    def generate_trace_id(self) -> int:
        made: int = self._given.trace_id
        return made

    def generate_span_id(self) -> int:
        made: int | None = self._given.span_id
        return made if made is not None else secrets.randbits(64) or 1

    def is_trace_id_random(self) -> bool:
        return False


class _Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        event("spans.unsent", record.getMessage()[:200], level="warning", source=record.name)


def _into_our_log() -> None:
    """What the library has to say is a line like any other, not text between lines."""
    theirs = logging.getLogger("opentelemetry")
    if not any(isinstance(one, _Log) for one in theirs.handlers):
        theirs.addHandler(_Log())
        theirs.propagate = False
