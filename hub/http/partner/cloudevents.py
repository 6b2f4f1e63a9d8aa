"""CloudEvents 1.0 on `/in/cloudevents`: binary, structured and batched (HTTP binding 1.0.2, JSON format 1.0.2). Proven
like any post.

An event's `type` is the message that it is, `oms/order.created` or `oms/order.created@2`; `source` and `id` together
are its name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any
from urllib.parse import unquote

from hub.core import json
from hub.core.config.identified_request import EVENT, IdentifiedRequest
from hub.core.documents.content_coding import coding_of
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Json, Ref, Request
from hub.core.model.delivery import AcceptedMessage
from hub.flow import accept
from hub.flow.accept import Item
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import authentication, refusal_origins, versions
from hub.flow.intake.message_keys import MAX_KEY
from hub.http.common import bodies
from hub.http.partner.ingress import Post, PreparedPost, with_lifetime

PATH = "/in/cloudevents"
ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"
_TYPE = re.compile(r"([a-z][a-z0-9-]{0,39})/([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*)(?:@([1-9][0-9]{0,3}))?", re.ASCII)
_JSON = re.compile(r"application/(?:[A-Za-z0-9.+-]+\+)?json\b", re.ASCII | re.IGNORECASE)
_REQUIRED = ("specversion", "id", "source", "type")


def is_event(request: Request) -> bool:
    return request.path == PATH


def prepare(hub: Hub, request: Request) -> tuple[Post, PreparedPost]:
    """Everything before the commit, and the post that it amounts to. Raises Refused for what concerns the whole
    request.
    """
    if request.method != "POST":
        raise Refused(Code.METHOD_NOT_ALLOWED, "Events are posted.", headers=[("allow", "POST")])
    # Inflated before anybody is proven: which system it speaks for stands in the body. The bytes as they came are what
    # is signed.
    plain = bodies.inflate(request, coding_of(request), hub.limits.max_bytes)
    kind = _content_type(request).partition(";")[0].strip().lower()
    if kind == MANY:
        whole = json.decode(plain.body, hub.limits)
        if not isinstance(whole, list) or not whole:
            fault = Fault("", "no list of events", "a JSON array", "put the events in [ ]")
            raise Refused(
                Code.EMPTY_BATCH if whole == [] else Code.CONTRACT_VIOLATION,
                "A batch of events is a JSON array with at least one.",
                [fault],
            )
        if len(whole) > hub.settings.max_batch:
            raise Refused(
                Code.TOO_LARGE,
                f"The batch has {len(whole)} events; at most {hub.settings.max_batch} go at once. Send it in parts.",
            )
        return _many(hub, request, [_attributes(one, f"/{index}") for index, one in enumerate(whole)])
    event = _attributes(json.decode(plain.body, hub.limits), "") if kind == ONE else _binary(plain)
    if isinstance(event, Refused):
        raise event
    system, name, version = _meant(event)
    caller = accept.admit(hub, request, system)
    hub.allowance.spend(caller.id, 1)
    ref = None
    try:
        ref = versions.choose_version(hub, caller, system, name, version)
        item = _item(hub, ref, event)
    except Refused as refused:
        refused.sent = _sent(hub, request, caller, event, "")
        raise with_lifetime(hub, ref, refused)  # noqa: B904  the same one, with more headers
    accepted = accept.prepare_items(hub, caller, request, [item], in_batch=False, door=EVENT)
    return Post(system, name, version, is_batch=False), PreparedPost(ref, _only(hub, ref, accepted))


def _only(hub: Hub, ref: Ref, accepted: list[AcceptedMessage | Refused]) -> list[AcceptedMessage | Refused]:
    [one] = accepted
    if isinstance(one, Refused):
        raise with_lifetime(hub, ref, one)
    return accepted


def _many(hub: Hub, request: Request, events: list[dict[str, Any] | Refused]) -> tuple[Post, PreparedPost]:
    """A batch may hold messages of several systems; its caller must be proven for each. Nobody is told anything before
    that.
    """
    callers: dict[str, Caller] = {}
    items: list[Item | Refused] = []
    for number, event in enumerate(events):
        if isinstance(event, Refused):
            items.append(event)
            continue
        try:
            system, name, version = _meant(event)
        except Refused as refused:
            items.append(refused)
            continue
        if system not in callers:
            callers[system] = authentication.authorise(hub, request, system)
        try:
            items.append(_item(hub, versions.choose_version(hub, callers[system], system, name, version), event))
        except Refused as refused:
            refused.sent = _sent(hub, request, callers[system], event, f"#{number}")
            items.append(refused)
    caller = next(iter(callers.values()), None) or authentication.authenticate_any(hub, request)
    hub.allowance.ask(caller.id)
    hub.allowance.spend(caller.id, len(items))
    return Post("", "", None, is_batch=True), PreparedPost(
        None, accept.prepare_items(hub, caller, request, items, door=EVENT)
    )


def _content_type(request: Request) -> str:
    try:
        return request.header("content-type") or ""
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error


def _binary(request: Request) -> dict[str, Any] | Refused:
    """Attributes in `ce-` headers, percent-encoded where they are not ASCII; the body is the data."""
    event: dict[str, Any] = {
        name.removeprefix("ce-"): unquote(value) for name, value in request.headers if name.startswith("ce-")
    }
    if not event:
        text = f"Send Content-Type: {ONE} or {MANY}, or the attributes in ce- headers."
        raise Refused(
            Code.UNSUPPORTED_MEDIA_TYPE, f"This is no CloudEvent. {text}", [Fault("", "no ce- headers", ONE, text)]
        )
    if any(count > 1 for count in (sum(name == f"ce-{key}" for name, _ in request.headers) for key in event)):
        raise Refused(Code.BAD_REQUEST, "A ce- header was sent twice. Send it once.")
    return _attributes({**event, "datacontenttype": _content_type(request), "raw": request.body}, "")


def _attributes(event: Any, at: str) -> dict[str, Any] | Refused:
    """The event, if it has what every event has."""
    if not isinstance(event, dict):
        return Refused(
            Code.CONTRACT_VIOLATION,
            "An event is a JSON object.",
            [Fault(at, type(event).__name__, "an object", "send a CloudEvent")],
        )
    wrong = [name for name in _REQUIRED if not isinstance(event.get(name), str) or not event[name]]
    if wrong:
        faults = [Fault(f"{at}/{name}", "nothing", "a text", f"add {name}") for name in wrong]
        return Refused(Code.CONTRACT_VIOLATION, "The event lacks attributes that every CloudEvent has.", faults)
    if event["specversion"] != "1.0":
        fault = Fault(f"{at}/specversion", event["specversion"][:64], "1.0", "send CloudEvents 1.0")
        return Refused(Code.CONTRACT_VIOLATION, "Only CloudEvents 1.0 are taken.", [fault])
    kind = event.get("datacontenttype") or "application/json"
    if not isinstance(kind, str) or not _JSON.match(kind):
        fault = Fault(f"{at}/datacontenttype", str(kind)[:64], "application/json", "send the data as JSON")
        return Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The event's data is no JSON.", [fault])
    return event


def _meant(event: dict[str, Any]) -> tuple[str, str, int | None]:
    found = _TYPE.fullmatch(event["type"])
    if not found:
        fault = Fault(
            "/type",
            event["type"][:64],
            "system/message, such as oms/order.created or oms/order.created@2",
            "write the message's type",
        )
        raise Refused(Code.NOT_FOUND, "The event's type is no message of this hub.", [fault])
    return found[1], found[2], int(found[3]) if found[3] else None


def _item(hub: Hub, ref: Ref, event: dict[str, Any]) -> Item:
    """Raises Refused where the data cannot be read."""
    payload, raw = _data(hub, event)
    name = f"{event['source']} {event['id']}"
    is_plain = len(name) <= MAX_KEY and name.isascii() and name.isprintable()
    return Item(
        ref, payload, raw, name if is_plain else "sha256:" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    )


def _sent(hub: Hub, request: Request, caller: Caller, event: dict[str, Any], suffix: str) -> IdentifiedRequest:
    """What is kept of an event that is refused before it is a message: read again it is one, if its version is there by
    then, or its data are.
    """
    system, name, version = _meant(event)
    try:
        item = _item(hub, Ref(system, name, version or 1), event)
    except Refused:
        raw = event["raw"] if "raw" in event else json.encode(event)
        return refusal_origins.post(caller, request, "", door=EVENT, body=raw, suffix=suffix)
    return refusal_origins.post(
        caller, request, f"{system}/{name}", door=EVENT, version=version, body=item.raw, key=item.key, suffix=suffix
    )


def _data(hub: Hub, event: dict[str, Any]) -> tuple[Json, bytes]:
    if "raw" in event and isinstance(event["raw"], bytes):
        return json.decode(event["raw"], hub.limits), event["raw"]
    if "data_base64" in event:
        try:
            raw = base64.b64decode(str(event["data_base64"]), validate=True)
        except binascii.Error as error:
            raise Refused(
                Code.BAD_ENCODING,
                "data_base64 is no base64.",
                [Fault("/data_base64", "no base64", "base64", "send data instead")],
            ) from error
        return json.decode(raw, hub.limits), raw
    if "data" not in event:
        raise Refused(Code.EMPTY_BODY, "The event has no data.", [Fault("/data", "nothing", "the message", "add data")])
    return event["data"], json.encode(event["data"])
