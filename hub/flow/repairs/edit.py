"""Edits and replays: a person changes the body of a waiting message; a new message replaces the delivery and is linked
to the old one.

decode → contract → match, as for any post → (one transaction: the new message and its delivery, the old delivery
cancelled) → notify
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import timedelta

from hub.core import json
from hub.core.errors import Code, Refused
from hub.core.message import Incoming
from hub.core.model.delivery import DedupeKey, NewDelivery
from hub.flow.accept import prepare_message
from hub.flow.answers import repairs as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.intake.versions import record_acceptance
from hub.logs import event
from hub.store import DeliveryRow

SOURCE = "edit"


@dataclass(frozen=True, slots=True)
class EditResult:
    """The result of an edit. `is_known`: the same edit was made before."""

    delivery_id: str
    message_id: str
    replaced_by: str | None  # the new delivery; None where it was made before
    is_known: bool

    def as_json(self) -> answers.Edited:
        return fill(answers.Edited, self, newDeliveryId=self.replaced_by, duplicate=self.is_known)


def edit(hub: Hub, delivery_id: str, raw: bytes, *, by: str, why: str, force: bool = False) -> EditResult:
    """Replaces a dead, held or unknown delivery by a message with the body `raw`, for its route and target only, with
    the active configuration.

    Checked like a post of the same type and version. Raises Refused, with every fault; nothing is changed then.
    """
    line = hub.store.delivery(delivery_id)
    message = hub.store.message(line.message_id) if line is not None else None
    if line is None or message is None:
        raise Refused(Code.NOT_FOUND, "There is no such delivery.")
    incoming = Incoming(
        message.ref, json.decode(raw, hub.limits), raw, "hub", None, message.trace_id, message.id, message.hops
    )
    accepted_message = prepare_message(hub, incoming, source=SOURCE, now=hub.clock())
    planned = _same_way(accepted_message.deliveries, line)
    # Not known by its content's own names: those are the old message's, whose place it takes.
    name = DedupeKey(
        "hub", SOURCE, delivery_id, hashlib.sha256(raw).hexdigest(), timedelta(days=hub.settings.keep_keys)
    )
    accepted_message = changed(
        accepted_message,
        message=changed(accepted_message.message, planned=1),
        deliveries=(planned,),
        dedupe_keys=(name,),
    )
    receipt = hub.store.replace(delivery_id, accepted_message, by=by, why=why, force=force)
    if receipt.duplicate:
        return EditResult(delivery_id, receipt.message_id, None, is_known=True)
    hub.notifier.notify(receipt.lanes)  # after the commit; a lost notification costs one sweep
    record_acceptance(hub, accepted_message)
    hub.counts.add("cancelled", "person")
    event(
        "delivery.replaced",
        f"by message {receipt.message_id}",
        by=by,
        delivery=delivery_id,
        message_id=message.id,
        trace_id=message.trace_id,
    )
    return EditResult(delivery_id, receipt.message_id, planned.id, is_known=False)


def _same_way(deliveries: Sequence[NewDelivery], line: DeliveryRow) -> NewDelivery:
    """What the change is for: the delivery by the same route to the same message of the target, or to its version that
    is live now; of a split message, the same part. The other targets have the message as it was.
    """
    candidates = [
        delivery
        for delivery in deliveries
        if delivery.route == line.route and delivery.part == line.part and delivery.ref.type == line.ref.type
    ]
    chosen = next(
        (delivery for delivery in candidates if delivery.ref == line.ref), candidates[0] if candidates else None
    )
    if chosen is None:
        part = "" if line.part is None else f", part {line.part}"
        raise Refused(
            Code.CONFLICT,
            f"With this body the message does not go by route {line.route} to {line.ref.type}{part}. Post it as a new message, if it is one.",
        )
    return chosen
