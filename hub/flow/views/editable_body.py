"""What an editor is given: the body of a message whose delivery waits. Where it holds personal values, a person says why, and that is on record."""

from __future__ import annotations

from dataclasses import dataclass

from hub.core.documents import json
from hub.core.errors import BadWorkspace, Code, Refused
from hub.flow.context.revisions import NoRevision
from hub.flow.hub import Hub
from hub.flow.views.stages import REVEALED
from hub.store import DeliveryRow, MessageRow


@dataclass(frozen=True, slots=True)
class Opened:
    """`text`: the body as a person edits it. None: it is hidden (`is_personal`), or it is no text."""

    line: DeliveryRow
    message: MessageRow
    text: str | None
    is_personal: bool
    size: int


def opened(hub: Hub, delivery_id: str, *, by: str, why: str = "") -> Opened:
    """The body; without a reason only where nothing in it is personal. Raises Refused where there is no such delivery."""
    line = hub.store.delivery(delivery_id)
    message = hub.store.message(line.message_id) if line is not None else None
    raw = hub.store.body(message.id) if message is not None else None
    if line is None or message is None or raw is None:
        raise Refused(Code.NOT_FOUND, "There is no such delivery.")
    is_personal = _is_personal(hub, message, raw)
    if is_personal and not why:
        return Opened(line, message, None, is_personal, len(raw))
    if is_personal:
        # Before the body leaves: a look that is not on record did not happen.
        hub.store.note_act(by=by, what=REVEALED, object_=message.id, details={"why": why, "delivery": line.id})
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Opened(line, message, None, is_personal, len(raw))
    return Opened(line, message, text if "\n" in text else json.readable(json.decode(raw, hub.limits)), is_personal, len(raw))


def _is_personal(hub: Hub, message: MessageRow, raw: bytes) -> bool:
    """Whether the contract marks something in it. Where no contract can say so, it counts as personal."""
    try:
        contract = hub.catalogs.pinned(message.revision).contract(message.ref)
        payload = json.decode(raw, hub.limits)
    except (NoRevision, BadWorkspace, Refused):
        return True
    return contract is None or contract.masked(payload, ()) != payload
