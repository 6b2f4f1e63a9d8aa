"""Receives hooks: turns a partner's webhook request into messages. The signature is verified over the raw bytes; the
acknowledgement follows the commit.

handshake → verify → read events → map → contract → match → (group commit) → the partner's own acknowledgement

If we die before the acknowledgement, the partner sends it again, and each event is recognised by the partner's own id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.core import json
from hub.core.config.events import Event, named
from hub.core.config.hook import HOOK, Hook, HookAnswer, events, shakes
from hub.core.config.parsed_request import ParsedRequest
from hub.core.config.scheme import Scheme
from hub.core.errors import Code, Refused
from hub.core.message import Incoming, Request
from hub.core.model.delivery import AcceptedMessage, DedupeKey, Origin
from hub.flow.accept import prepare_message
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.flow.intake.authentication import client_of
from hub.kit.proof import verify
from hub.kit.signature import UNPROVEN
from hub.logs import event

MAX_TYPE = 200  # maximum length of a stored content type, in characters


@dataclass(frozen=True, slots=True)
class ProvenRequest:
    """An authenticated hook request. `said`: the answer to a handshake, with nothing to store; otherwise `messages` has
    one entry per event, in order.
    """

    hook: Hook
    opened: ParsedRequest
    said: HookAnswer | None = None
    messages: tuple[AcceptedMessage | Refused, ...] = ()
    trace_id: str = ""  # of its messages and of the answer


def receive(hub: Hub, request: Request, system: str, name: str) -> ProvenRequest:
    """Runs all steps before the commit. Raises Refused if there is no such hook, it is not authentic, or its body is
    unreadable; then nothing is stored.
    """
    catalog = hub.catalogs.active()
    known_system = catalog.systems.get(system)
    hook = known_system.hooks.get(name) if known_system is not None else None
    if known_system is None or hook is None:
        raise Refused(Code.NOT_FOUND, "There is nothing here.")
    now, trace_id = hub.clock(), hub.new_id().replace("-", "")
    opened = ParsedRequest(request, hub.limits, hook.charset)
    try:
        _admit(hub, hook, request)
        if hook.scheme is None:
            return _by_adapter(hub, hook, opened, now, trace_id)
        said = shakes(hook, opened, now, signed=False)
        if said is None:
            _prove(hub, hook, hook.scheme, opened, now)
            said = shakes(hook, opened, now, signed=True)
    except Refused as refused:
        refused.sent = refusal_origins.hook(hook, request, is_proven=False)
        raise
    return (
        ProvenRequest(hook, opened, said, trace_id=trace_id)
        if said is not None
        else _read(hub, hook, opened, now, trace_id)
    )


def again(
    hub: Hub, hook: Hook, request: Request, arrival: str, *, is_proven: bool
) -> tuple[AcceptedMessage | Refused, ...]:
    """Reads a refused hook request again, with the hook's current configuration. An unauthenticated one is verified
    again, without a time limit: the hub's secret may have been corrected since.

    Raises Refused. A hook with an adapter verifies by itself, each time.
    """
    now, trace_id = hub.clock(), hub.new_id().replace("-", "")
    opened = ParsedRequest(request, hub.limits, hook.charset)
    if hook.scheme is None:
        return _by_adapter(hub, hook, opened, now, trace_id, arrival).messages
    if not is_proven:
        _admit(hub, hook, request)
        _prove(hub, hook, replace(hook.scheme, tolerance=None), opened, now)
    return _read(hub, hook, opened, now, trace_id, arrival).messages


def _admit(hub: Hub, hook: Hook, request: Request) -> None:
    if not hook.admits(client_of(hub, request)):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)


def _prove(hub: Hub, hook: Hook, scheme: Scheme, opened: ParsedRequest, now: datetime) -> None:
    settings = hub.values(hook.system)
    verify(
        scheme, opened, settings, now=now, url=_url(hub, opened.request), zone=settings.get("zone") or hub.settings.zone
    )


def _read(
    hub: Hub, hook: Hook, opened: ParsedRequest, now: datetime, trace_id: str, arrival: str = ""
) -> ProvenRequest:
    try:
        return _laid(hub, hook, opened, events(hook, opened, now, arrival or trace_id), now, trace_id)
    except Refused as refused:
        event(
            "hook.refused", refused.text, level="warning", hook=hook.caller, trace_id=trace_id, code=int(refused.code)
        )
        return ProvenRequest(hook, opened, messages=(refused,), trace_id=trace_id)


def _laid(
    hub: Hub, hook: Hook, opened: ParsedRequest, hook_events: list[Event], now: datetime, trace_id: str
) -> ProvenRequest:
    """Prepares each event independently: a bad one does not block the others. The partner is asked to send all of them
    again.
    """
    request = opened.request
    origin = Origin(
        hook.caller, request.method, request.query, (opened.header("content-type") or "")[:MAX_TYPE], opened.body
    )
    results: list[AcceptedMessage | Refused] = []
    for number, hook_event in enumerate(hook_events):
        try:
            if hook_event.fault is not None:
                raise hook_event.fault
            results.append(_one(hub, hook, hook_event, origin, trace_id, now))
        except Refused as refused:
            # Also logged: the partner gets only its own code for a retry, and nobody at the hub sees that.
            event(
                "hook.refused",
                refused.text,
                level="warning",
                hook=hook.caller,
                number=number,
                trace_id=trace_id,
                code=int(refused.code),
            )
            results.append(refused)
    if not hook_events:
        event("hook.skipped", "acknowledged, and not kept", level="info", hook=hook.caller, trace_id=trace_id)
    return ProvenRequest(hook, opened, messages=tuple(results), trace_id=trace_id)


def _one(hub: Hub, hook: Hook, hook_event: Event, origin: Origin, trace_id: str, now: datetime) -> AcceptedMessage:
    incoming = Incoming(
        hook_event.ref,
        hook_event.payload,
        json.encode(hook_event.payload),
        hook.caller,
        hook_event.id,
        trace_id,
        in_batch=True,
    )
    # Compared by content: a repeat under the same id may be formatted differently. Other content under that id is a
    # conflict and must not be lost.
    dedupe_key = DedupeKey(
        hook.caller,
        hook_event.ref.type,
        hook_event.id,
        hook_event.content,
        timedelta(days=hub.settings.keep_keys),
        by_content=True,
    )
    return replace(prepare_message(hub, incoming, source=HOOK, now=now, dedupe_keys=[dedupe_key]), origin=origin)


def _by_adapter(
    hub: Hub, hook: Hook, opened: ParsedRequest, now: datetime, trace_id: str, arrival: str = ""
) -> ProvenRequest:
    """Lets the adapter verify and read the request (encrypted bodies, keys by serial number). Its events are validated
    against the contract like all others.
    """
    request = opened.request
    if opened.body is not request.body:  # the adapter gets the body without its content coding
        request = replace(
            request,
            body=opened.body,
            headers=tuple(header for header in request.headers if header[0] != "content-encoding"),
        )
    read = list(hub.sources(hook.system, hook.name).read(request))
    return _laid(
        hub,
        hook,
        opened,
        named(
            [
                Event(incoming.ref, incoming.payload, incoming.idempotency_key or "", bool(incoming.idempotency_key))
                for incoming in read
            ],
            arrival or trace_id,
        ),
        now,
        trace_id,
    )


def _url(hub: Hub, request: Request) -> str:
    """The URL as the partner sees it, because some partners sign it. Behind a proxy it comes from `public_url`."""
    return hub.settings.public_url + request.path + (f"?{request.query}" if request.query else "")
