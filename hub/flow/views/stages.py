"""Stages: one message as it was at each step of its way, with what each step changed. Computed again from the pinned revision; nothing is kept for it.

What contracts mark as personal is masked, also where it turns up in texts that no contract describes, unless the veil is lifted; that is a
person's act, and on record (`/ops/v1/messages/{id}/reveal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.catalog import Catalog
from hub.core.apidocs.curl import curl
from hub.core.config.hook import HOOK
from hub.core.config.queue import QUEUE
from hub.core.config.target_answers import read
from hub.core.documents import json
from hub.core.documents.difference import difference
from hub.core.documents.json import LIMITS
from hub.core.errors import BadWorkspace, GiveUp, Reason, Refused, Why
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract
from hub.core.schemas.integers import declared
from hub.core.schemas.masking import Veil
from hub.flow.context.revisions import NoRevision, Revisions
from hub.flow.outbound import way_of
from hub.flow.render import address, found, source_part
from hub.store import AttemptRow, DeliveryRow, Lookup, MessageRow, Store

MAX_TEXT = 256 * 1024  # characters of one body that are shown; the download has all of it
REVEALED = "message.revealed"  # in the record of acts
_UNDECIDED = Why(Reason.TRANSFORM_ERROR, "Its route could not be decided when it came; its next claim decides it again.")
PHASES = ("dns", "connect", "tls", "first_byte")


@dataclass(slots=True)
class _Stage:
    """A document on its way, and the contract that describes it."""

    name: str
    ref: Ref | None
    body: Json
    contract: Contract | None

    def as_json(self, veil: Veil, before: _Stage | None) -> dict[str, Json]:
        told: dict[str, Json] = {"stage": self.name, "message": str(self.ref) if self.ref is not None else None, "body": veil.over(self.contract, self.body)}
        if before is None:
            return {**told, "changes": None}
        changes = difference(before.body, self.body)
        return {**told, "changes": veil.over_changes(changes, (before.contract, before.body), (self.contract, self.body))}


def stages(store: Store, catalogs: Revisions, message_id: str, *, is_revealed: bool = False) -> dict[str, Json] | None:
    """All stages of one message; None where there is none.

    `received`: the foreign request, if it is not its own original; `raw`: {bytes, text, isCut, curl}. `stages`: decoded, then one per upgrade.
    `deliveries`: each with its `stages` (part, mapped, one per mapping), `lookups` by name, `fault` (why it could not be made), `call` (method and
    address, its holes filled), `sent`, and `attempts`. A stage: stage, message (system/name@version), body, changes against the stage before (null: it is the first; see
    core.documents.difference). An attempt: request, reply {status, text, body}, phases [{name, ms}], and `next`: {at, afterMs, why} or null.
    `isMasked`: something personal is hidden.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        return None
    veil = Veil(is_lifted=is_revealed)
    catalog, problem = _pinned(catalogs, row)
    shared, fault = _shared(catalog, row, raw) if catalog is not None else ([], None)
    lines = store.deliveries(message_id)
    lookups = store.lookups(message_id)
    made = {line.id: _made(catalog, row, raw, line, lookups, shared) for line in lines if line.made_with is None} if catalog is not None else {}
    for line in lines:
        if line.made_with is not None:  # a repair chose another revision for it: its own upgrades too
            made[line.id] = _remade(catalogs, line.made_with, row, raw, line, lookups)
    for stage in (*shared, *(stage for chain, _ in made.values() for stage in chain)):
        veil.learn(stage.contract, stage.body)
    attempts = store.attempts(*(line.id for line in lines))
    deliveries: list[Json] = []
    for line in lines:
        chain, trouble = made.get(line.id, ([], problem or fault))
        mine = [one for one in attempts if one.delivery_id == line.id]
        active = catalogs.active()
        way = way_of(active, line)
        call, unfilled = _call(active, line, row, chain) if trouble is None else ("", None)
        is_array = way is not None and way.batch is not None
        deliveries.append(_delivery(veil, line, shared, chain, trouble or unfilled, lookups, mine, call=call, is_array=is_array))
    told: dict[str, Json] = {
        "messageId": row.id,
        "received": _received(store, row, veil),
        "raw": _raw(veil, shared[0] if shared else None, row, raw),
        "stages": _told(veil, shared, None),
        "fault": fault or problem,
        "deliveries": deliveries,
    }
    return {**told, "isMasked": veil.has_masked}


def reveal(store: Store, catalogs: Revisions, message_id: str, *, by: str, why: str) -> dict[str, Json] | None:
    """The same with all that is personal. Who asked, and why, is on record first: if we die after that, nothing was shown."""
    if store.message(message_id) is None:
        return None
    store.note_act(by=by, what=REVEALED, object_=message_id, details={"why": why})
    return stages(store, catalogs, message_id, is_revealed=True)


def download(store: Store, message_id: str, *, by: str, why: str) -> bytes | None:
    """The bytes as they were signed and stored, with all that is personal; on record as `reveal` is."""
    raw = store.body(message_id)
    if raw is not None:
        store.note_act(by=by, what=REVEALED, object_=message_id, details={"why": why, "download": True})
    return raw


def _pinned(catalogs: Revisions, row: MessageRow) -> tuple[Catalog | None, str | None]:
    try:
        return catalogs.pinned(row.revision), None
    except (NoRevision, BadWorkspace) as error:
        return None, f"The configuration that accepted it cannot be read: {error}"


def _remade(
    catalogs: Revisions, revision: str, row: MessageRow, raw: bytes, line: DeliveryRow, lookups: list[Lookup]
) -> tuple[list[_Stage], dict[str, Json] | str | None]:
    """The stages of a delivery that another revision makes than its message's: from the decoded message on, which is the same."""
    try:
        catalog = catalogs.pinned(revision)
    except (NoRevision, BadWorkspace) as error:
        return [], f"The configuration that makes it cannot be read: {error}"
    shared, fault = _shared(catalog, row, raw)
    if fault is not None:
        return shared[1:], fault
    chain, trouble = _made(catalog, row, raw, line, lookups, shared)
    return [*shared[1:], *chain], trouble


def _shared(catalog: Catalog, row: MessageRow, raw: bytes) -> tuple[list[_Stage], str | None]:
    """What all deliveries share: the message decoded, and as each newer version up to the newest live one."""
    try:
        chain = [_Stage("decoded", row.ref, json.decode(raw), catalog.contract(row.ref))]
    except Refused:
        return [], "The stored body cannot be read."
    try:
        for step in catalog.upgrade(row.ref):
            contract = catalog.contract(step.target)
            body = step.apply(declared(chain[-1].contract, chain[-1].body), now=row.received_at)
            chain.append(_Stage("upgraded", step.target, declared(contract, body), contract))
    except GiveUp as error:
        return chain, f"{error.why.field} {error.why.text}".strip()
    return chain, None


def _made(
    catalog: Catalog, row: MessageRow, raw: bytes, line: DeliveryRow, lookups: list[Lookup], shared: list[_Stage]
) -> tuple[list[_Stage], dict[str, Json] | str | None]:
    """The stages of one delivery, and why they end early."""
    chain: list[_Stage] = []
    newest = shared[-1].ref if shared else None
    if newest is None:
        return chain, "The stored body cannot be read."
    if line.undecided:  # what it would be is not known: perhaps nothing, perhaps several parts
        return chain, dict[str, Json]((line.why or _UNDECIDED).as_json())
    try:
        if line.part is not None:
            part = source_part(catalog, raw, row.ref, route=line.route, part=line.part, at=row.received_at, limits=LIMITS)
            chain.append(_Stage("part", newest, part, catalog.contract(newest)))
        steps = catalog.way(newest, line.ref)
        if steps is None:
            return chain, f"There is no mapping from {newest} to {line.ref}."
        seen = found(lookups, line.route, line.part)
        body = declared(shared[-1].contract, chain[-1].body if chain else shared[-1].body)
        for step in steps:
            contract = catalog.contract(step.target)
            body = declared(contract, step.apply(body, now=row.received_at, lookups=seen))
            chain.append(_Stage("mapped", step.target, body, contract))
            faults = contract.check(body) if contract is not None else []
            if faults:
                return chain, dict[str, Json](faults[0].as_json())
    except GiveUp as error:
        return chain, dict[str, Json](error.why.as_json())
    return chain, None


def _call(active: Catalog, line: DeliveryRow, row: MessageRow, chain: list[_Stage]) -> tuple[str, dict[str, Json] | None]:
    """How the target is called with what was made, by the configuration of today, as a delivery goes; or why it cannot be."""
    if not chain or chain[-1].name != "mapped":
        return "", None
    try:
        return address(active, line.ref, chain[-1].body, line.id, row.received_at), None
    except GiveUp as error:
        return "", dict[str, Json](error.why.as_json())


def _told(veil: Veil, chain: list[_Stage], before: _Stage | None) -> list[Json]:
    told: list[Json] = []
    for stage in chain:
        told.append(stage.as_json(veil, before))
        before = stage
    return told


def _raw(veil: Veil, decoded: _Stage | None, row: MessageRow, raw: bytes) -> Json:
    """The bytes as text; what is masked is written anew from the masked document, so that no part of it is left in between."""
    text = raw.decode("utf-8", "replace")
    if decoded is None and not veil.is_lifted:
        text = veil.whole()
    elif decoded is not None and not veil.is_lifted:
        masked = veil.over(decoded.contract, decoded.body)
        text = text if masked == decoded.body else json.encode(masked).decode()
    headers = [("Content-Type", "application/json"), ("Idempotency-Key", "a new one")]
    again = curl("POST", f"https://HUB/api/v{row.version}/{row.type}", headers, text)
    return {"bytes": len(raw), "text": text[:MAX_TEXT], "isCut": len(text) > MAX_TEXT, "curl": again if len(text) <= MAX_TEXT else None}


def _received(store: Store, row: MessageRow, veil: Veil) -> Json:
    """The foreign request that the message was made of, if it is not its own original."""
    origin = store.origin(row.trace_id) if row.source in (HOOK, QUEUE) else None
    if origin is None:
        return None
    text = origin.raw.decode("utf-8", "replace")
    return {
        "source": origin.source,
        "receivedAt": origin.received_at.isoformat(),
        "method": origin.method,
        "query": veil.over_text(origin.query),
        "contentType": origin.content_type,
        "bytes": len(origin.raw),
        "text": veil.over_text(text)[:MAX_TEXT],
    }


def _delivery(
    veil: Veil,
    line: DeliveryRow,
    shared: list[_Stage],
    chain: list[_Stage],
    fault: Json,
    lookups: list[Lookup],
    attempts: list[AttemptRow],
    *,
    call: str,
    is_array: bool,
) -> Json:
    seen = found(lookups, line.route, line.part)
    tried = [one for one in attempts if one.url]
    mapped = chain[-1] if chain and chain[-1].name == "mapped" else None
    sent: Json = None
    if tried and mapped is not None:
        payload = veil.over(mapped.contract, mapped.body)
        body = json.encode([payload] if is_array else payload).decode()
        headers = [("Content-Type", "application/json"), ("Idempotency-Key", line.id)]
        sent = {
            "method": tried[-1].method,
            "url": tried[-1].url,
            "bytes": tried[-1].request_bytes,
            "curl": curl(tried[-1].method, tried[-1].url, headers, body if tried[-1].request_bytes else ""),
        }
    return {
        "deliveryId": line.id,
        "route": line.route,
        "target": str(line.ref),
        "part": line.part,
        "status": line.status.value,
        "stages": _told(veil, chain, shared[-1] if shared else None),
        "lookups": {name: veil.over(None, value) for name, value in seen.items()},
        "fault": fault,
        "call": call,
        "sent": sent,
        "attempts": [_attempt(veil, one, attempts[place + 1] if place + 1 < len(attempts) else None, line) for place, one in enumerate(attempts)],
    }


def _attempt(veil: Veil, one: AttemptRow, following: AttemptRow | None, line: DeliveryRow) -> Json:
    text = one.reply.decode("utf-8", "replace")
    body: Json = veil.over(None, read(one.reply).value)
    why: Json = _why(veil, one)
    after: Json = None
    if following is not None:
        after = {"at": following.started_at.isoformat(), "afterMs": int((following.started_at - one.ended_at).total_seconds() * 1000), "why": why}
    elif line.status.value in ("pending", "unknown") and one.outcome in ("retry", "in_doubt", "outcome_not_seen"):
        after = {"at": line.due_at.isoformat(), "afterMs": int((line.due_at - one.ended_at).total_seconds() * 1000), "why": why}
    return {
        "number": one.number,
        "startedAt": one.started_at.isoformat(),
        "endedAt": one.ended_at.isoformat(),
        "outcome": one.outcome,
        "request": {"method": one.method, "url": one.url, "bytes": one.request_bytes, "sent": one.sent},
        "reply": {"status": one.http_status, "bytes": len(one.reply), "text": veil.over_text(text), "body": body},
        "ms": one.ms,
        "phases": phases(one),
        "why": why,
        "next": after,
        "revision": one.revision,
        "worker": one.worker,
    }


def _why(veil: Veil, one: AttemptRow) -> Json:
    if one.why is None:
        return None
    return {**one.why.as_json(), "text": veil.over_text(one.why.text)}


def phases(one: AttemptRow) -> list[Json]:
    """How long each part of a call took, in its order: name look-up, connection, TLS, waiting for the first byte, reading the rest.

    What is recorded are the milliseconds from the start at which each part was over; one that was not needed (a kept connection) took none.
    """
    told: list[Any] = []
    before = 0
    for name in PHASES:
        over = one.timings.get(name, 0)
        if over > before:
            told.append({"name": name, "ms": over - before})
            before = over
    if one.ms > before and one.timings:
        told.append({"name": "rest", "ms": one.ms - before})
    return told
