"""The message body for editing. If it has personal values, the person must give a reason, which is recorded."""

from __future__ import annotations

from dataclasses import dataclass

from hub.core import json
from hub.core.errors import BadWorkspace, Code, Refused
from hub.flow.context.revisions import NoRevision
from hub.flow.hub import Hub
from hub.flow.views.stages import REVEALED
from hub.store import DeliveryRow, MessageRow


@dataclass(frozen=True, slots=True)
class EditableBody:
    """`text`: the body as a person edits it. None: it is hidden (`is_personal`), or it is no text."""

    line: DeliveryRow
    message: MessageRow
    text: str | None
    is_personal: bool
    size: int


def opened(hub: Hub, delivery_id: str, *, by: str, why: str = "") -> EditableBody:
    """The body; without a reason only where nothing in it is personal. Raises Refused where there is no such
    delivery.
    """
    line = hub.store.delivery(delivery_id)
    message = hub.store.message(line.message_id) if line is not None else None
    raw = hub.store.body(message.id) if message is not None else None
    if line is None or message is None or raw is None:
        raise Refused(Code.NOT_FOUND, "There is no such delivery.")
    is_personal = _is_personal(hub, message, raw)
    if is_personal and not why:
        return EditableBody(line, message, None, is_personal, len(raw))
    if is_personal:
        # Recorded before the body is shown, so that no look is without a record.
        hub.store.note_act(by=by, what=REVEALED, object_=message.id, details={"why": why, "delivery": line.id})
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return EditableBody(line, message, None, is_personal, len(raw))
    return EditableBody(
        line, message, text if "\n" in text else json.readable(json.decode(raw, hub.limits)), is_personal, len(raw)
    )


def _is_personal(hub: Hub, message: MessageRow, raw: bytes) -> bool:
    """Whether the body has values that the contract marks as personal. Without a contract it counts as personal."""
    try:
        contract = hub.catalogs.pinned(message.revision).contract(message.ref)
        payload = json.decode(raw, hub.limits)
    except (NoRevision, BadWorkspace, Refused):
        return True
    return contract is None or contract.masked(payload, ()) != payload
