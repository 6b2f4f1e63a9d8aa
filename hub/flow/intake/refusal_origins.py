"""Records the origin of a refused request: its bytes, its authenticated caller, and how to read it again. Credentials
and signatures are not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from hub.core.config import identified_request
from hub.core.config.hook import Hook
from hub.core.config.identified_request import MAX_KEPT, IdentifiedRequest
from hub.core.config.queue import Arrival
from hub.core.message import Json, Ref, Request
from hub.core.model.delivery import AcceptedMessage
from hub.flow.context.callers import Caller

MAX_TYPE = 200  # maximum length of a recorded content type, in characters
CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "client-cert", "x-ssl-client-cert"}
)
MAX_UNPROVEN = 65_536  # maximum size of an unauthenticated hook's body, in bytes


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
) -> IdentifiedRequest:
    """The origin of a post of an authenticated caller, or of one item of it. `message`: system/name; "" if that could
    not be read.

    `key` and `suffix` make its dedupe keys; a retry uses the same ones. `is_named`: the sender chose the key.
    """
    source = f"{door if door != identified_request.BATCH else identified_request.POST}:{message}" if message else door
    read: dict[str, Json] = {
        "method": request.method,
        "path": request.path,
        "message": message,
        "version": version,
        "suffix": suffix,
        "isNamed": is_named,
    }
    read |= {"key": key, "peer": request.peer}
    arrival = _kept(request, request.body if body is None else body, MAX_KEPT, name=key or caller.request_key + suffix)
    return IdentifiedRequest(door, source, caller.id, arrival, _proof(caller), read)


def question(caller: Caller, request: Request, message: str) -> IdentifiedRequest:
    """The origin of a GET request. Nobody waits for its answer any more, so it is shown but not retried."""
    read: dict[str, Json] = {"method": request.method, "path": request.path, "query": request.query, "message": message}
    return IdentifiedRequest(
        identified_request.QUESTION,
        f"{identified_request.QUESTION}:{message}",
        caller.id,
        _kept(request, b"", 0),
        _proof(caller),
        read,
    )


def of_message(accepted: AcceptedMessage) -> IdentifiedRequest:
    """The origin of a message that the store refused: its dedupe key is known with other content."""
    message = accepted.message
    arrival = Arrival(message.raw, message_id=message.idempotency_key or "", content_type="application/json")
    return IdentifiedRequest(
        identified_request.POST,
        f"{identified_request.POST}:{message.ref.type}",
        message.caller,
        arrival,
        None,
        {"message": message.ref.type, "version": message.ref.version},
    )


def hook(config: Hook, request: Request, *, is_proven: bool) -> IdentifiedRequest:
    """The origin of a hook request. Unauthenticated ones are recorded too, with a small size limit: the hub's own
    secret may be the wrong one.
    """
    read: dict[str, Json] = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "peer": request.peer,
    }
    if is_proven:
        return IdentifiedRequest(
            identified_request.HOOK, config.caller, config.caller, _kept(request, request.body, MAX_KEPT), None, read
        )
    return IdentifiedRequest(
        identified_request.UNPROVEN,
        config.caller,
        f"{identified_request.UNPROVEN} {config.caller}",
        _kept(request, request.body, MAX_UNPROVEN),
        None,
        read,
    )


def command(ref: Ref, raw: bytes, key: str) -> IdentifiedRequest:
    """The origin of a message of `hub send`."""
    arrival = (
        Arrival(raw, message_id=key) if len(raw) <= MAX_KEPT else Arrival(b"", message_id=key, flaw=_too_long(raw))
    )
    return IdentifiedRequest(
        identified_request.COMMAND,
        f"{identified_request.COMMAND}:{ref.type}",
        "command line",
        arrival,
        None,
        {"message": ref.type, "version": ref.version},
    )


def stranger(request: Request, code: int) -> IdentifiedRequest:
    """The origin of an unauthenticated request: no body, no headers. All of these together share a small size limit."""
    arrival = Arrival(b"", topic=f"{code} {request.method} {request.path[:200]} {request.peer}")
    return IdentifiedRequest(
        identified_request.UNPROVEN,
        f"{identified_request.UNPROVEN}:{request.path[:80]}",
        identified_request.UNPROVEN,
        arrival,
        None,
        {"method": request.method, "path": request.path[:200]},
    )


def caller_of(proof: Mapping[str, Json]) -> Caller:
    """The caller as it was authenticated at the time of the request."""
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
