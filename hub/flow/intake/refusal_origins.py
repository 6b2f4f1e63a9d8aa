"""What is kept of what was refused, by its door: the bytes, who was proven, and how it is read again. No credentials are kept, and no proof."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from hub.core.config import identified_request
from hub.core.config.hook import Hook
from hub.core.config.identified_request import MAX_KEPT, Sent
from hub.core.config.queue import Arrival
from hub.core.message import Json, Ref, Request
from hub.core.model.delivery import Laid
from hub.flow.context.callers import Caller

MAX_TYPE = 200  # characters of a content type that are kept
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "client-cert", "x-ssl-client-cert"})
MAX_UNPROVEN = 65_536  # bytes of a hook's body that nobody has proven


def post(
    caller: Caller,
    request: Request,
    message: str,
    *,
    door: str = identified_request.POST,
    version: int | None = None,
    body: bytes | None = None,
    key: str | None = None,
    suffix: str = "",
    is_named: bool = False,
) -> Sent:
    """A post of a caller that was proven, or one item of it. `message`: system/name; "" where that could not be read.

    `key` and `suffix` are the names that it would have been stored under: read again it has them still. `is_named`: its sender chose the key.
    """
    source = f"{door if door != identified_request.BATCH else identified_request.POST}:{message}" if message else door
    read: dict[str, Json] = {"method": request.method, "path": request.path, "message": message, "version": version, "suffix": suffix, "isNamed": is_named}
    read |= {"key": key, "peer": request.peer}
    arrival = _kept(request, request.body if body is None else body, MAX_KEPT, name=key or caller.request_key + suffix)
    return Sent(door, source, caller.id, arrival, _proof(caller), read)


def question(caller: Caller, request: Request, message: str) -> Sent:
    """A question by GET: nobody waits for its answer any more, so it is seen and not read again."""
    read: dict[str, Json] = {"method": request.method, "path": request.path, "query": request.query, "message": message}
    return Sent(identified_request.QUESTION, f"{identified_request.QUESTION}:{message}", caller.id, _kept(request, b"", 0), _proof(caller), read)


def laid(one: Laid) -> Sent:
    """What was laid and then refused by the store: another content under a name that is known."""
    message = one.message
    arrival = Arrival(message.raw, message_id=message.idempotency_key or "", content_type="application/json")
    return Sent(
        identified_request.POST,
        f"{identified_request.POST}:{message.ref.type}",
        message.caller,
        arrival,
        None,
        {"message": message.ref.type, "version": message.ref.version},
    )


def hook(given: Hook, request: Request, *, is_proven: bool) -> Sent:
    """A foreign request. One that was not proven is kept as well, in little room: its partner cannot be asked, and our secret may be the wrong one."""
    read: dict[str, Json] = {"method": request.method, "path": request.path, "query": request.query, "peer": request.peer}
    if is_proven:
        return Sent(identified_request.HOOK, given.caller, given.caller, _kept(request, request.body, MAX_KEPT), None, read)
    return Sent(
        identified_request.UNPROVEN, given.caller, f"{identified_request.UNPROVEN} {given.caller}", _kept(request, request.body, MAX_UNPROVEN), None, read
    )


def command(ref: Ref, raw: bytes, key: str) -> Sent:
    """What `hub send` was given."""
    arrival = Arrival(raw, message_id=key) if len(raw) <= MAX_KEPT else Arrival(b"", message_id=key, flaw=_too_long(raw))
    return Sent(
        identified_request.COMMAND, f"{identified_request.COMMAND}:{ref.type}", "command line", arrival, None, {"message": ref.type, "version": ref.version}
    )


def stranger(request: Request, code: int) -> Sent:
    """Whoever it was: no body, no header, and little room for all of them together."""
    arrival = Arrival(b"", topic=f"{code} {request.method} {request.path[:200]} {request.peer}")
    return Sent(
        identified_request.UNPROVEN,
        f"{identified_request.UNPROVEN}:{request.path[:80]}",
        identified_request.UNPROVEN,
        arrival,
        None,
        {"method": request.method, "path": request.path[:200]},
    )


def caller_of(proof: Mapping[str, Json]) -> Caller:
    """The caller as it was proven then."""
    keep = proof.get("keepS")
    pins, systems = proof.get("pins"), proof.get("systems")
    return Caller(
        str(proof["id"]),
        str(proof["name"]),
        frozenset(map(str, systems if isinstance(systems, list) else [])),
        str(proof["form"]),
        str(proof["requestKey"]),
        {name: int(str(number)) for name, number in (pins if isinstance(pins, dict) else {}).items()},
        timedelta(seconds=float(str(keep))) if keep is not None else None,
    )


def _proof(caller: Caller) -> dict[str, Json]:
    pins: dict[str, Json] = dict(caller.pins)
    systems: list[Json] = [*sorted(caller.systems)]
    keep = caller.keep.total_seconds() if caller.keep is not None else None
    return {
        "id": caller.id,
        "name": caller.name,
        "systems": systems,
        "form": caller.form,
        "requestKey": caller.request_key,
        "pins": pins,
        "keepS": None if keep is None else str(keep),
    }


def _kept(request: Request, body: bytes, limit: int, *, name: str = "") -> Arrival:
    headers: dict[str, Json] = {key: value for key, value in request.headers if key not in CREDENTIALS}
    kind = str(headers.get("content-type", ""))[:MAX_TYPE]
    if len(body) <= limit:
        return Arrival(body, "", headers, name, kind)
    return Arrival(b"", "", headers, name, kind, _too_long(body) if limit else "")


def _too_long(body: bytes) -> str:
    return f"Its body of {len(body)} bytes is too long to be kept."
