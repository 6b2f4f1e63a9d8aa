"""Render: a stored message as one of its targets gets it. Pure, so that a delivery, a trace and a what-if show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hub.catalog import Catalog
from hub.core.config.call_address import address_of
from hub.core.config.routing import parts
from hub.core.config.target_answers import read
from hub.core.documents import json
from hub.core.documents.json import Limits
from hub.core.errors import GiveUp, Reason, Refused, Why
from hub.core.message import Json, Ref
from hub.core.schemas.integers import declared
from hub.store import Lookup

_NONE: Mapping[str, Json] = {}


def render(
    catalog: Catalog,
    raw: bytes,
    source: Ref,
    target: Ref,
    *,
    route: str,
    part: int | None,
    at: datetime,
    limits: Limits,
    lookups: Mapping[str, Json] = _NONE,
) -> Json:
    """Decode, take the part, map, check against the target's contract. `at`: when the message was received; expressions know no other time.
    `lookups` are the recorded ones of the route, by name.

    Raises GiveUp (transform_error, transform_timeout, codelist_miss), with the target's field where one is to blame.
    """
    return rendered(catalog, _decoded(raw, limits), source, target, route=route, part=part, at=at, lookups=lookups)


def rendered(
    catalog: Catalog, payload: Json, source: Ref, target: Ref, *, route: str, part: int | None, at: datetime, lookups: Mapping[str, Json] = _NONE
) -> Json:
    """As `render`, of what is decoded already."""
    ref, payload = upgraded(catalog, source, payload, at)
    steps = catalog.way(ref, target)
    if steps is None:
        raise GiveUp(Why(Reason.TRANSFORM_ERROR, f"There is no mapping from {ref} to {target}.", fix="Add the mapping, then replay."))
    made = _part(catalog, payload, route, part, at)
    for step in steps:
        made = _checked(catalog, step.target, step.apply(made, now=at, lookups=lookups))
    return made


def address(catalog: Catalog, ref: Ref, payload: Json, key: str, at: datetime) -> str:
    """How the target is called with `payload`, for people: `PUT /orders/SO-1`; "" where it is not called by an address of ours.

    Raises GiveUp where a hole of the address cannot be filled: it would not be sent.
    """
    system = catalog.systems.get(ref.system)
    accept = system.accept(ref) if system is not None else None
    if accept is None or accept.publish is not None:
        return ""
    shown = address_of(accept.path or "/").shown(payload, key=key, now=at, contract=accept.contracts.get(ref.version))
    return f"{accept.method} {shown}"


def upgraded(catalog: Catalog, source: Ref, payload: Json, at: datetime) -> tuple[Ref, Json]:
    """The message as its newest live version, which routes and mappings are over; as it is where nothing leads there. Raises GiveUp."""
    payload = declared(catalog.contract(source), payload)
    for step in catalog.upgrade(source):
        source, payload = step.target, _checked(catalog, step.target, step.apply(payload, now=at))
    return source, payload


def _checked(catalog: Catalog, ref: Ref, made: Json) -> Json:
    contract = catalog.contract(ref)
    faults = contract.check(made) if contract is not None else []
    if faults:
        first = faults[0]
        text = f"What the mapping made does not fit {ref}: {first.pointer or '/'} is {first.got}, wanted {first.want}."
        raise GiveUp(Why(Reason.TRANSFORM_ERROR, text, first.pointer, "Mend the mapping or the source's data, then replay."))
    return declared(contract, made)


def source_part(catalog: Catalog, raw: bytes, source: Ref, *, route: str, part: int | None, at: datetime, limits: Limits) -> Json:
    """What the mapping and the look-ups of a route are over: the message, upgraded, or its part where the route splits it. Raises GiveUp."""
    return _part(catalog, upgraded(catalog, source, _decoded(raw, limits), at)[1], route, part, at)


def found(lookups: Sequence[Lookup], route: str, part: int | None) -> dict[str, Json]:
    """What a route's mapping sees of recorded look-ups. One that was skipped is not there."""
    mine = [one for one in lookups if one.route == route and one.part == part and one.found is not None]
    return {one.name: read(one.found).value for one in mine if one.found is not None}


def _decoded(raw: bytes, limits: Limits) -> Json:
    try:
        return json.decode(raw, limits)
    except Refused as error:
        raise GiveUp(Why(Reason.TRANSFORM_ERROR, f"The stored body cannot be read: {error.text}")) from error


def _part(catalog: Catalog, payload: Json, name: str, part: int | None, at: datetime) -> Json:
    route = next((route for route in catalog.routes if route.name == name), None)
    if part is None or route is None or route.split is None:
        return payload
    return parts(payload, route.split, at)[part]
