"""Retries refused posts: with the current configuration, as the caller authenticated at the time, and under the same
dedupe keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hub.core import json
from hub.core.config.identified_request import BATCH, COMMAND
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Incoming, Json, Ref, Request
from hub.core.model.delivery import AcceptedMessage, DedupeKey
from hub.flow import accept
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import versions
from hub.flow.intake.refusal_origins import caller_of
from hub.store import RefusedRow


def prepared(hub: Hub, row: RefusedRow) -> list[AcceptedMessage | Refused]:
    """Prepares a refused post again; of a batch that was refused as a whole, each item. Raises Refused.

    Nobody waits for an answer any more, so a synchronous route is delivered like any other.
    """
    read, arrival = row.request, row.arrival
    assert arrival is not None
    message = str(read.get("message") or "")
    if arrival.flaw or not message:
        raise Refused(
            Code.BAD_REQUEST, arrival.flaw or "What it is cannot be read of it. Its sender must send it again."
        )
    system, _, name = message.partition("/")
    if row.door == COMMAND:
        return [_command(hub, Ref.parse(f"{message}@{read.get('version')}"), arrival.body, arrival.message_id)]
    if row.proof is None:
        fault = Fault(
            "",
            "another content under a name that is taken",
            "a name of its own",
            "its sender sends it under another id",
        )
        raise Refused(
            Code.IDEMPOTENCY_MISMATCH,
            "Its name stands for another message already; read again it still would.",
            [fault],
        )
    caller = caller_of(row.proof)
    if system not in caller.systems:
        raise Refused(Code.FORBIDDEN, f"{caller.name} may not speak for {system}.")
    version = read.get("version")
    ref = versions.choose_version(hub, caller, system, name, version if isinstance(version, int) else None)
    request = _request(read, arrival.body, arrival.headers)
    if row.door == BATCH:
        return accept.prepare_batch(hub, caller, request, ref)
    return [_one(hub, caller, request, ref, read, next(iter(row.trace_ids), "") or hub.new_id().replace("-", ""))]


def _one(
    hub: Hub, caller: Caller, request: Request, ref: Ref, read: Mapping[str, Json], trace_id: str
) -> AcceptedMessage:
    """Prepares one post. `trace_id`: the one that its sender got with the refusal, so that it finds the message."""
    key = read.get("key")
    item = accept.Item(ref, json.decode(request.body, hub.limits), request.body, str(key) if key is not None else None)
    return accept.prepare_item(
        hub, caller, request, item, str(read.get("suffix") or ""), trace_id=trace_id, in_batch=True
    )


def _command(hub: Hub, ref: Ref, raw: bytes, key: str) -> AcceptedMessage:
    now = hub.clock()
    incoming = Incoming(ref, json.decode(raw, hub.limits), raw, "command line", key, hub.new_id().replace("-", ""))
    dedupe_key = DedupeKey("command line", ref.type, key, hashlib.sha256(raw).hexdigest())
    return accept.prepare_message(hub, incoming, source="cli", now=now, dedupe_keys=[dedupe_key])


def _request(read: Mapping[str, Json], body: bytes, headers: Mapping[str, Json]) -> Request:
    kept_headers = tuple(
        (name, str(value)) for name, value in headers.items() if name not in ("content-encoding", "traceparent")
    )
    return Request(
        str(read.get("method") or ""), str(read.get("path") or ""), "", kept_headers, body, str(read.get("peer") or "")
    )
