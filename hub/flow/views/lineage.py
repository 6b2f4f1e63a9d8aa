"""Lineage of a message: for each field that a target got, where it came from, with the values. Recomputed from the pinned revision; nothing is kept for it."""

from __future__ import annotations

from hub.catalog import Catalog, mapping_document
from hub.core.analysis.lineage import Origin, forwards, lineage
from hub.core.documents import json
from hub.core.documents.json import LIMITS
from hub.core.documents.pointers import places
from hub.core.errors import GiveUp, Refused
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract
from hub.flow.context.revisions import Revisions
from hub.flow.render import found, source_part, upgraded
from hub.store import DeliveryRow, MessageRow, Store

MAX_SHOWN = 10  # values of one place


def of_mapping(catalog: Catalog, source: Ref, target: Ref) -> dict[str, Origin]:
    """Per target field what makes it. Raises ValueError where there is no such mapping."""
    document = mapping_document(catalog, source, target)
    if document is None:
        raise ValueError(f"There is no mapping from {source} to {target}.")
    return lineage(document)


def of_message(store: Store, catalogs: Revisions, message_id: str, *, field: str | None = None, source: str | None = None) -> Json:
    """Per delivery and target field its value, and the places, tables and constants that made it. None where there is no such message.

    `field`: only this target field and what is below it. `source`: only fields that this place of the source reaches. Personal values are masked.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        return None
    return {"messageId": row.id, "deliveries": [_delivery(store, catalogs, row, raw, line, field, source) for line in store.deliveries(message_id)]}


def _delivery(store: Store, catalogs: Revisions, row: MessageRow, raw: bytes, line: DeliveryRow, field: str | None, source: str | None) -> Json:
    told: dict[str, Json] = {"deliveryId": line.id, "target": str(line.ref), "status": line.status.value}
    if line.undecided:
        return {**told, "fault": line.why.text if line.why is not None else "Its route is still to be decided.", "fields": []}
    catalog = catalogs.pinned(line.made_with or row.revision)
    try:
        ref, _ = upgraded(catalog, row.ref, json.decode(raw), row.received_at)
        given = source_part(catalog, raw, row.ref, route=line.route, part=line.part, at=row.received_at, limits=LIMITS)
        steps = catalog.way(ref, line.ref) or ()
        lookups = found(store.lookups(row.id), line.route, line.part)
        for step in steps[:-1]:
            ref, given = step.target, step.apply(given, now=row.received_at, lookups=lookups)
        made = steps[-1].apply(given, now=row.received_at, lookups=lookups) if steps else None
    except (GiveUp, Refused) as error:
        return {**told, "fault": str(error), "fields": []}
    origins = of_mapping(catalog, ref, line.ref) if steps else {}
    wanted = set(forwards(origins, source)) if source is not None else set(origins)
    fields: list[Json] = [
        {
            "field": name,
            "value": _shown(catalog.contract(line.ref), made, name),
            "from": [{"path": path, "value": _shown(catalog.contract(ref), {**_named(lookups), **_object(given)}, path)} for path in origin.paths],
            "tables": list(origin.tables),
            "constants": list(origin.constants),
            "functions": list(origin.functions),
        }
        for name, origin in origins.items()
        if name in wanted and (field is None or name == field or name.startswith(f"{field}/"))
    ]
    return {**told, "from": str(ref), "fields": fields}


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _named(lookups: dict[str, Json]) -> dict[str, Json]:
    return {f"${name}": value for name, value in lookups.items()}


def _shown(contract: Contract | None, value: Json, pointer: str) -> Json:
    """What stands at a place; of many, the first few. Masked where the contract says that it is personal."""
    names = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:] if name]
    found_ = list(places(value, names))
    seen: list[Json] = [one if contract is None else contract.masked(one, place) for place, one in found_[:MAX_SHOWN]]
    if not seen:
        return None
    return seen[0] if len(found_) == 1 else seen
