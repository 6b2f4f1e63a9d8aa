"""Compares what the current configuration would make of a message with what was made of it. Reads only; nothing is
sent.
"""

from __future__ import annotations

from typing import Any

from hub.catalog import Catalog
from hub.core.documents.difference import difference
from hub.core.errors import BadWorkspace
from hub.core.message import Ref
from hub.core.schemas.masking import Masker
from hub.flow.answers import messages as answers
from hub.flow.answers.fields import fill
from hub.flow.context.revisions import NoRevision, Revisions
from hub.flow.dry_run.whatif import Rendition, StoredMessage, make
from hub.store import Store


def afresh(
    store: Store, catalogs: Revisions, message_id: str, *, with_: Catalog | None = None, is_revealed: bool = False
) -> answers.Afresh | None:
    """What `with_` (default: the active configuration) would make of a message; None if there is no such message.

    made {revision, disposition, refused}, now {the same}, isSame, and `deliveries`: per route, target and part: `what`
    (same, changed, gained, lost, mended: it could not be made then, broken: it cannot be made now, still_broken),
    changes (see core.documents.difference), faultThen, faultNow, body (as it would be sent now; null if it would not).
    Look-ups are the recorded ones; one that only the new configuration asks is missing.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        return None
    stored = StoredMessage(row.id, row.ref, raw, row.received_at, tuple(store.lookups(row.id)))
    new = with_ or catalogs.active()
    after = make(new, stored)
    try:
        old: Catalog | None = catalogs.pinned(row.revision)
    except (NoRevision, BadWorkspace):
        old = None
    before = make(old, stored) if old is not None else Rendition("the configuration that accepted it cannot be read")
    veil = Masker(is_lifted=is_revealed)
    for catalog, rendition in ((old, before), (new, after)):
        for key, body in rendition.payloads.items():
            veil.learn(catalog.contract(Ref.parse(key[1])) if catalog is not None else None, body)
    keys = sorted({*before.payloads, *before.faults, *after.payloads, *after.faults}, key=str)
    deliveries = [_delivery(veil, old, new, before, after, key) for key in keys]
    is_same = (before.refused, before.disposition) == (after.refused, after.disposition) and all(
        delivery["what"] == "same" for delivery in deliveries
    )
    return {
        "messageId": row.id,
        "made": _side(row.revision, before),
        "now": _side(new.revision, after),
        "isSame": is_same,
        "deliveries": deliveries,
        "isMasked": veil.has_masked,
    }


def _side(revision: str, rendition: Rendition) -> answers.Side:
    return fill(answers.Side, rendition, revision=revision)


def _delivery(
    veil: Masker,
    old: Catalog | None,
    new: Catalog,
    before: Rendition,
    after: Rendition,
    key: tuple[str, str, int | None],
) -> answers.DeliveryAfresh:
    route, target, part = key
    ref = Ref.parse(target)
    was, is_ = (old.contract(ref) if old is not None else None), new.contract(ref)
    changes: list[Any] = []
    if key in before.payloads and key in after.payloads:
        old_body, new_body = before.payloads[key], after.payloads[key]
        changes = veil.over_changes(difference(old_body, new_body), (was, old_body), (is_, new_body))
        what = "changed" if changes else "same"
    else:
        what = _what(before, after, key)
    return {
        "route": route,
        "target": target,
        "part": part,
        "what": what,
        "changes": changes,
        "faultThen": before.faults.get(key),
        "faultNow": after.faults.get(key),
        "body": veil.over(is_, after.payloads[key]) if key in after.payloads else None,
    }


def _what(before: Rendition, after: Rendition, key: tuple[str, str, int | None]) -> str:
    was, is_ = key in before.payloads or key in before.faults, key in after.payloads or key in after.faults
    if not was or not is_:
        return "gained" if is_ else "lost"
    if key in before.faults and key in after.faults:
        return "still_broken"
    return "mended" if key in before.faults else "broken"
