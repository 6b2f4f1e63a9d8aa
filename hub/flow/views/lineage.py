"""Lineage of a message: the source fields, tables and constants of each target field, with values. Recomputed from the
pinned revision.
"""

from __future__ import annotations

from hub.catalog import Catalog, mapping_document
from hub.core import json
from hub.core.analysis.lineage import Origin, forwards, lineage
from hub.core.documents.pointers import places
from hub.core.errors import GiveUp, Refused
from hub.core.json import LIMITS
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract
from hub.flow.answers import messages as answers
from hub.flow.context.revisions import Revisions
from hub.flow.render import found, source_part, upgraded
from hub.store import DeliveryRow, MessageRow, Store

MAX_SHOWN = 10  # maximum number of values per pointer


def of_mapping(catalog: Catalog, source: Ref, target: Ref) -> dict[str, Origin]:
    """The origin of each target field. Raises ValueError if there is no such mapping."""
    document = mapping_document(catalog, source, target)
    if document is None:
        raise ValueError(f"There is no mapping from {source} to {target}.")
    return lineage(document)


def of_message(
    store: Store, catalogs: Revisions, message_id: str, *, field: str | None = None, source: str | None = None
) -> answers.Lineage | None:
    """Per delivery and target field: the value, and the source fields, tables and constants that made it. None if there
    is no such message.

    `field`: only this target field and what is below it. `source`: only fields that this place of the source reaches.
    Personal values are masked.
    """
    row, raw = store.message(message_id), store.body(message_id)
    if row is None or raw is None:
        return None
    return {
        "messageId": row.id,
        "deliveries": [
            _delivery(store, catalogs, row, raw, line, field, source) for line in store.deliveries(message_id)
        ],
    }


def _delivery(
    store: Store,
    catalogs: Revisions,
    row: MessageRow,
    raw: bytes,
    line: DeliveryRow,
    field: str | None,
    source: str | None,
) -> dict[str, Json]:
    head: dict[str, Json] = {"deliveryId": line.id, "target": str(line.ref), "status": line.status.value}
    if line.undecided:
        return {
            **head,
            "fault": line.why.text if line.why is not None else "Its route is still to be decided.",
            "fields": [],
        }
    catalog = catalogs.pinned(line.made_with or row.revision)
    try:
        ref, _ = upgraded(catalog, row.ref, json.decode(raw), row.received_at)
        source_payload = source_part(
            catalog, raw, row.ref, route=line.route, part=line.part, at=row.received_at, limits=LIMITS
        )
        steps = catalog.way(ref, line.ref) or ()
        lookups = found(store.lookups(row.id), line.route, line.part)
        for step in steps[:-1]:
            ref, source_payload = step.target, step.apply(source_payload, now=row.received_at, lookups=lookups)
        target_payload = steps[-1].apply(source_payload, now=row.received_at, lookups=lookups) if steps else None
    except (GiveUp, Refused) as error:
        return {**head, "fault": str(error), "fields": []}
    origins = of_mapping(catalog, ref, line.ref) if steps else {}
    wanted = set(forwards(origins, source)) if source is not None else set(origins)
    fields: list[Json] = [
        {
            "field": name,
            "value": _shown(catalog.contract(line.ref), target_payload, name),
            "from": [
                {
                    "path": path,
                    "value": _shown(catalog.contract(ref), {**_named(lookups), **_object(source_payload)}, path),
                }
                for path in origin.paths
            ],
            "tables": list(origin.tables),
            "constants": list(origin.constants),
            "functions": list(origin.functions),
        }
        for name, origin in origins.items()
        if name in wanted and (field is None or name == field or name.startswith(f"{field}/"))
    ]
    return {**head, "from": str(ref), "fields": fields}


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _named(lookups: dict[str, Json]) -> dict[str, Json]:
    return {f"${name}": value for name, value in lookups.items()}


def _shown(contract: Contract | None, value: Json, pointer: str) -> Json:
    """The value at a pointer; of several, the first few. Personal values are masked."""
    names = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:] if name]
    matches = list(places(value, names))
    values: list[Json] = [
        value_ if contract is None else contract.masked(value_, place) for place, value_ in matches[:MAX_SHOWN]
    ]
    if not values:
        return None
    return values[0] if len(matches) == 1 else values
