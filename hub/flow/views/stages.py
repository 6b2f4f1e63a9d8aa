"""Stages: the content of one message at each step (decoded, upgraded, mapped), with the changes of each step.
Recomputed from the pinned revision.

Values that contracts mark as personal are masked, also in texts that no contract describes. Revealing them is an act of
a person, and is recorded (`/ops/v1/messages/{id}/reveal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.catalog import Catalog
from hub.core import json
from hub.core.apidocs.curl import curl
from hub.core.config.hook import HOOK
from hub.core.config.queue import QUEUE
from hub.core.config.target_answers import read
from hub.core.documents.difference import difference
from hub.core.errors import BadWorkspace, Cause, GiveUp, Reason, Refused
from hub.core.json import LIMITS
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract
from hub.core.schemas.integers import declared
from hub.core.schemas.masking import Masker
from hub.flow.answers import messages as answers
from hub.flow.answers.fields import fill
from hub.flow.context.revisions import NoRevision, Revisions
from hub.flow.outbound import destination_for
from hub.flow.render import address, found, source_part
from hub.store import AttemptRow, DeliveryRow, Lookup, MessageRow, Store

MAX_TEXT = 256 * 1024  # maximum number of characters shown of a body; the download has all
REVEALED = "message.revealed"  # name of the act in the audit record
_UNDECIDED = Cause(
    Reason.TRANSFORM_ERROR, "Its route could not be decided when it came; its next claim decides it again."
)
PHASES = ("dns", "connect", "tls", "first_byte")


@dataclass(slots=True)
class _Stage:
    """A document at one step, and its contract."""

    name: str
    ref: Ref | None
    body: Json
    contract: Contract | None

    def as_json(self, veil: Masker, before: _Stage | None) -> answers.Stage:
        body, changes = veil.over(self.contract, self.body), None
        if before is not None:
            found = difference(before.body, self.body)
            changes = veil.over_changes(found, (before.contract, before.body), (self.contract, self.body))
        return fill(answers.Stage, self, stage=self.name, message=self.ref, body=body, changes=changes)


def stages(store: Store, catalogs: Revisions, message_id: str, *, is_revealed: bool = False) -> answers.Stages | None:
    """All stages of one message; None if there is no such message.

    `received`: the original request, if the message itself is not the original. `raw`: {bytes, text, isCut, curl}.
    `stages`: decoded, then one per upgrade. `deliveries`: each with its `stages` (part, mapped, one per mapping),
    `lookups` by name, `fault` (why it could not be mapped), `call` (method and address with filled placeholders),
    `sent`, and `attempts`. A stage: stage, message (system/name@version), body, and changes from the stage before (null
    for the first; see core.documents.difference). An attempt: request, reply {status, text, body}, phases [{name, ms}],
    and
    `next`: {at, afterMs, why} or null. `isMasked`: personal values are hidden.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        return None
    veil = Masker(is_lifted=is_revealed)
    catalog, problem = _pinned(catalogs, row)
    shared, fault = _shared(catalog, row, raw) if catalog is not None else ([], None)
    lines = store.deliveries(message_id)
    lookups = store.lookups(message_id)
    chains = (
        {line.id: _made(catalog, row, raw, line, lookups, shared) for line in lines if line.made_with is None}
        if catalog is not None
        else {}
    )
    for line in lines:
        if line.made_with is not None:  # a repair chose another revision for it: its own upgrades too
            chains[line.id] = _remade(catalogs, line.made_with, row, raw, line, lookups)
    for stage in (*shared, *(stage for chain, _ in chains.values() for stage in chain)):
        veil.learn(stage.contract, stage.body)
    attempts = store.attempts(*(line.id for line in lines))
    deliveries: list[answers.StagesOfDelivery] = []
    for line in lines:
        chain, trouble = chains.get(line.id, ([], problem or fault))
        attempts_of_line = [attempt for attempt in attempts if attempt.delivery_id == line.id]
        active = catalogs.active()
        way = destination_for(active, line)
        call, unfilled = _call(active, line, row, chain) if trouble is None else ("", None)
        is_array = way is not None and way.batch is not None
        deliveries.append(
            _delivery(
                veil, line, shared, chain, trouble or unfilled, lookups, attempts_of_line, call=call, is_array=is_array
            )
        )
    return {
        "messageId": row.id,
        "received": _received(store, row, veil),
        "raw": _raw(veil, shared[0] if shared else None, row, raw),
        "stages": _told(veil, shared, None),
        "fault": fault or problem,
        "deliveries": deliveries,
        "isMasked": veil.has_masked,  # last: by then all is masked
    }


def reveal(store: Store, catalogs: Revisions, message_id: str, *, by: str, why: str) -> answers.Stages | None:
    """The stages with personal values. The person and the reason are recorded first: if we die after that, nothing was
    shown.
    """
    if store.message(message_id) is None:
        return None
    store.note_act(by=by, what=REVEALED, object_=message_id, details={"why": why})
    return stages(store, catalogs, message_id, is_revealed=True)


def download(store: Store, message_id: str, *, by: str, why: str) -> bytes | None:
    """The stored bytes with personal values; recorded like `reveal`."""
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
    """The stages of a delivery with its own revision, after a repair. The decoded message is the same, so it is left
    out.
    """
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
    """The stages that all deliveries share: the decoded message, and its upgrades up to the newest live version."""
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
    """The stages of one delivery, and the fault if they end early."""
    chain: list[_Stage] = []
    newest = shared[-1].ref if shared else None
    if newest is None:
        return chain, "The stored body cannot be read."
    if line.undecided:  # what it would be is not known: perhaps nothing, perhaps several parts
        return chain, dict[str, Json]((line.why or _UNDECIDED).as_json())
    try:
        if line.part is not None:
            part = source_part(
                catalog, raw, row.ref, route=line.route, part=line.part, at=row.received_at, limits=LIMITS
            )
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


def _call(
    active: Catalog, line: DeliveryRow, row: MessageRow, chain: list[_Stage]
) -> tuple[str, dict[str, Json] | None]:
    """The method and address of the call in the active configuration, or the fault why it cannot be built."""
    if not chain or chain[-1].name != "mapped":
        return "", None
    try:
        return address(active, line.ref, chain[-1].body, line.id, row.received_at), None
    except GiveUp as error:
        return "", dict[str, Json](error.why.as_json())


def _told(veil: Masker, chain: list[_Stage], before: _Stage | None) -> list[answers.Stage]:
    rows: list[answers.Stage] = []
    for stage in chain:
        rows.append(stage.as_json(veil, before))
        before = stage
    return rows


def _raw(veil: Masker, decoded: _Stage | None, row: MessageRow, raw: bytes) -> answers.Raw:
    """The bytes as text. A masked text is encoded from the masked document, so that no personal part remains."""
    text = raw.decode("utf-8", "replace")
    if decoded is None and not veil.is_lifted:
        text = veil.whole()
    elif decoded is not None and not veil.is_lifted:
        masked = veil.over(decoded.contract, decoded.body)
        text = text if masked == decoded.body else json.encode(masked).decode()
    headers = [("Content-Type", "application/json"), ("Idempotency-Key", "a new one")]
    again = curl("POST", f"https://HUB/api/v{row.version}/{row.type}", headers, text)
    return {
        "bytes": len(raw),
        "text": text[:MAX_TEXT],
        "isCut": len(text) > MAX_TEXT,
        "curl": again if len(text) <= MAX_TEXT else None,
    }


def _received(store: Store, row: MessageRow, veil: Masker) -> answers.Received | None:
    """The original request of a hook or queue, if the message itself is not the original."""
    origin = store.origin(row.trace_id) if row.source in (HOOK, QUEUE) else None
    if origin is None:
        return None
    text = origin.raw.decode("utf-8", "replace")
    query, text = veil.over_text(origin.query), veil.over_text(text)[:MAX_TEXT]
    return fill(answers.Received, origin, query=query, bytes=len(origin.raw), text=text)


def _delivery(
    veil: Masker,
    line: DeliveryRow,
    shared: list[_Stage],
    chain: list[_Stage],
    fault: Json,
    lookups: list[Lookup],
    attempts: list[AttemptRow],
    *,
    call: str,
    is_array: bool,
) -> answers.StagesOfDelivery:
    seen = found(lookups, line.route, line.part)
    tried = [attempt for attempt in attempts if attempt.url]
    mapped = chain[-1] if chain and chain[-1].name == "mapped" else None
    sent: answers.Sent | None = None
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
        "attempts": [
            _attempt(veil, attempt, attempts[place + 1] if place + 1 < len(attempts) else None, line)
            for place, attempt in enumerate(attempts)
        ],
    }


def _attempt(
    veil: Masker, attempt: AttemptRow, following: AttemptRow | None, line: DeliveryRow
) -> answers.AttemptInFull:
    text = attempt.reply.decode("utf-8", "replace")
    body: Json = veil.over(None, read(attempt.reply).value)
    why, next_at = _why(veil, attempt), None
    if following is not None:
        next_at = following.started_at
    elif line.status.value in ("pending", "unknown") and attempt.outcome in ("retry", "in_doubt", "outcome_not_seen"):
        next_at = line.due_at
    reply: answers.Reply = {
        "status": attempt.http_status,
        "bytes": len(attempt.reply),
        "text": veil.over_text(text),
        "body": body,
    }
    return fill(
        answers.AttemptInFull,
        attempt,
        request=fill(answers.Request, attempt, bytes=attempt.request_bytes),
        reply=reply,
        phases=phases(attempt),
        why=why,
        next=_next(next_at, attempt.ended_at, why) if next_at is not None else None,
    )


def _next(at: datetime, ended_at: datetime, why: answers.Why | None) -> answers.Next:
    return {"at": at.isoformat(), "afterMs": int((at - ended_at).total_seconds() * 1000), "why": why}


def _why(veil: Masker, attempt: AttemptRow) -> answers.Why | None:
    if attempt.why is None:
        return None
    return fill(answers.Why, attempt.why, text=veil.over_text(attempt.why.text))


def phases(attempt: AttemptRow) -> list[answers.Phase]:
    """The duration of each phase of a call, in order: DNS, connection, TLS, wait for the first byte, reading the rest.

    The attempt records when each phase ended, in ms from the start. A phase that was not needed (a reused connection)
    took no time.
    """
    rows: list[answers.Phase] = []
    before = 0
    for name in PHASES:
        over = attempt.timings.get(name, 0)
        if over > before:
            rows.append({"name": name, "ms": over - before})
            before = over
    if attempt.ms > before and attempt.timings:
        rows.append({"name": "rest", "ms": attempt.ms - before})
    return rows
