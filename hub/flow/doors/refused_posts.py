"""Posts that were refused, read again: by the configuration of now, as the caller that was proven then, under the names that they had."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hub.core.config.identified_request import BATCH, COMMAND
from hub.core.documents import json
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Incoming, Json, Ref, Request
from hub.core.model.delivery import Laid, Seen
from hub.flow import accept
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import versions
from hub.flow.intake.refusal_origins import caller_of
from hub.store import RefusedRow


def laid(hub: Hub, row: RefusedRow) -> list[Laid | Refused]:
    """What a post tells now; a batch that was refused whole, each of its items. Raises Refused.

    Nobody waits for an answer any more: also what goes by a synchronous route is delivered in its own time.
    """
    read, arrival = row.request, row.arrival
    assert arrival is not None
    message = str(read.get("message") or "")
    if arrival.flaw or not message:
        raise Refused(Code.BAD_REQUEST, arrival.flaw or "What it is cannot be read of it. Its sender must send it again.")
    system, _, name = message.partition("/")
    if row.door == COMMAND:
        return [_command(hub, Ref.parse(f"{message}@{read.get('version')}"), arrival.body, arrival.message_id)]
    if row.proof is None:
        fault = Fault("", "another content under a name that is taken", "a name of its own", "its sender sends it under another id")
        raise Refused(Code.IDEMPOTENCY_MISMATCH, "Its name stands for another message already; read again it still would.", [fault])
    caller = caller_of(row.proof)
    if system not in caller.systems:
        raise Refused(Code.FORBIDDEN, f"{caller.name} may not speak for {system}.")
    version = read.get("version")
    ref = versions.chosen(hub, caller, system, name, version if isinstance(version, int) else None)
    request = _request(read, arrival.body, arrival.headers)
    if row.door == BATCH:
        return accept.prepare_batch(hub, caller, request, ref)
    return [_one(hub, caller, request, ref, read, next(iter(row.trace_ids), "") or hub.new_id().replace("-", ""))]


def _one(hub: Hub, caller: Caller, request: Request, ref: Ref, read: Mapping[str, Json], trace_id: str) -> Laid:
    """`trace_id`: what its sender was told with the refusal, so that it leads to the message too."""
    key = read.get("key")
    item = accept.Item(ref, json.decode(request.body, hub.limits), request.body, str(key) if key is not None else None)
    return accept.lay_item(hub, caller, request, item, str(read.get("suffix") or ""), trace_id=trace_id, in_batch=True)


def _command(hub: Hub, ref: Ref, raw: bytes, key: str) -> Laid:
    now = hub.clock()
    incoming = Incoming(ref, json.decode(raw, hub.limits), raw, "command line", key, hub.new_id().replace("-", ""))
    seen = Seen("command line", ref.type, key, hashlib.sha256(raw).hexdigest())
    return accept.lay(hub, incoming, source="cli", now=now, seen=[seen])


def _request(read: Mapping[str, Json], body: bytes, headers: Mapping[str, Json]) -> Request:
    given = tuple((name, str(value)) for name, value in headers.items() if name not in ("content-encoding", "traceparent"))
    return Request(str(read.get("method") or ""), str(read.get("path") or ""), "", given, body, str(read.get("peer") or ""))
