"""Hooks: from a foreign system's request to committed messages. Proven over the bytes as they came, opened once, acknowledged after the commit.

handshake → prove → read events → map → contract → match → (group commit) → the partner's own acknowledgement

If we die before the acknowledgement, the partner sends it again, and each event is known by the partner's own id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.core.config.events import Event, named
from hub.core.config.hook import HOOK, Hook, Said, events, shakes
from hub.core.config.parsed_request import Opened
from hub.core.config.scheme import Scheme
from hub.core.documents import json
from hub.core.errors import Code, Refused
from hub.core.message import Incoming, Request
from hub.core.model.delivery import Laid, Origin, Seen
from hub.flow.accept import lay
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.flow.intake.authentication import client_of
from hub.kit.signing.proof import verify
from hub.kit.signing.signature import UNPROVEN
from hub.logs import event

MAX_TYPE = 200  # characters of a content type that are kept


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that was proven. `said`: the answer to a handshake, and nothing is to be stored; else an entry per event, in their order."""

    hook: Hook
    opened: Opened
    said: Said | None = None
    laid: tuple[Laid | Refused, ...] = ()
    trace_id: str = ""  # of its messages, and of what it is answered


def receive(hub: Hub, request: Request, system: str, name: str) -> Taken:
    """Everything before the commit. Raises Refused: no such hook, not proven, or a body that cannot be opened; then nothing is stored."""
    catalog = hub.catalogs.active()
    found = catalog.systems.get(system)
    hook = found.hooks.get(name) if found is not None else None
    if found is None or hook is None:
        raise Refused(Code.NOT_FOUND, "There is nothing here.")
    now, trace_id = hub.clock(), hub.new_id().replace("-", "")
    opened = Opened(request, hub.limits, hook.charset)
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
    return Taken(hook, opened, said, trace_id=trace_id) if said is not None else _read(hub, hook, opened, now, trace_id)


def again(hub: Hub, hook: Hook, request: Request, arrival: str, *, is_proven: bool) -> tuple[Laid | Refused, ...]:
    """What was refused as `arrival`, read again by the hook as it is now. What was not proven is proven first, whenever that was: its secret may be the right one now.

    Raises Refused. An adapter proves by itself, each time.
    """
    now, trace_id = hub.clock(), hub.new_id().replace("-", "")
    opened = Opened(request, hub.limits, hook.charset)
    if hook.scheme is None:
        return _by_adapter(hub, hook, opened, now, trace_id, arrival).laid
    if not is_proven:
        _admit(hub, hook, request)
        _prove(hub, hook, replace(hook.scheme, tolerance=None), opened, now)
    return _read(hub, hook, opened, now, trace_id, arrival).laid


def _admit(hub: Hub, hook: Hook, request: Request) -> None:
    if not hook.admits(client_of(hub, request)):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)


def _prove(hub: Hub, hook: Hook, scheme: Scheme, opened: Opened, now: datetime) -> None:
    settings = hub.values(hook.system)
    verify(scheme, opened, settings, now=now, url=_url(hub, opened.request), zone=settings.get("zone") or hub.settings.zone)


def _read(hub: Hub, hook: Hook, opened: Opened, now: datetime, trace_id: str, arrival: str = "") -> Taken:
    try:
        return _laid(hub, hook, opened, events(hook, opened, now, arrival or trace_id), now, trace_id)
    except Refused as refused:
        event("hook.refused", refused.text, level="warning", hook=hook.caller, trace_id=trace_id, code=int(refused.code))
        return Taken(hook, opened, laid=(refused,), trace_id=trace_id)


def _laid(hub: Hub, hook: Hook, opened: Opened, told: list[Event], now: datetime, trace_id: str) -> Taken:
    """Each event by itself: a bad one keeps no good one out, and the partner is asked to send all of it again."""
    request = opened.request
    origin = Origin(hook.caller, request.method, request.query, (opened.header("content-type") or "")[:MAX_TYPE], opened.body)
    laid: list[Laid | Refused] = []
    for number, one in enumerate(told):
        try:
            if one.fault is not None:
                raise one.fault
            laid.append(_one(hub, hook, one, origin, trace_id, now))
        except Refused as refused:
            # Said in the log as well: the partner hears its own words for "again", and nobody reads its side.
            event("hook.refused", refused.text, level="warning", hook=hook.caller, number=number, trace_id=trace_id, code=int(refused.code))
            laid.append(refused)
    if not told:
        event("hook.skipped", "acknowledged, and not kept", level="info", hook=hook.caller, trace_id=trace_id)
    return Taken(hook, opened, laid=tuple(laid), trace_id=trace_id)


def _one(hub: Hub, hook: Hook, one: Event, origin: Origin, trace_id: str, now: datetime) -> Laid:
    incoming = Incoming(one.ref, one.payload, json.encode(one.payload), hook.caller, one.id, trace_id, in_batch=True)
    # What a partner sends again under its id is the same, however it words it this time; what says something else is not, and must not be swallowed.
    seen = Seen(hook.caller, one.ref.type, one.id, one.content, timedelta(days=hub.settings.keep_keys), by_content=True)
    return replace(lay(hub, incoming, source=HOOK, now=now, seen=[seen]), origin=origin)


def _by_adapter(hub: Hub, hook: Hook, opened: Opened, now: datetime, trace_id: str, arrival: str = "") -> Taken:
    """The adapter proves and reads by itself: encrypted bodies, keys by serial number. What it gives is held to the contract like anything else."""
    request = opened.request
    if opened.body is not request.body:  # it is given what its partner wrote, however that travelled
        request = replace(request, body=opened.body, headers=tuple(header for header in request.headers if header[0] != "content-encoding"))
    read = list(hub.sources(hook.system, hook.name).read(request))
    return _laid(
        hub,
        hook,
        opened,
        named([Event(one.ref, one.payload, one.idempotency_key or "", bool(one.idempotency_key)) for one in read], arrival or trace_id),
        now,
        trace_id,
    )


def _url(hub: Hub, request: Request) -> str:
    """The address as the partner knows it: some sign it. Behind a proxy only `public_url` knows."""
    return hub.settings.public_url + request.path + (f"?{request.query}" if request.query else "")
