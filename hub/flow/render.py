"""Renders a stored message as the payload for one target: upgrade, split, mapping, contract check.

Pure, so that a delivery, a trace and a what-if give the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hub.catalog import Catalog
from hub.core import json
from hub.core.config.call_address import address_of
from hub.core.config.routing import parts
from hub.core.config.target_answers import read
from hub.core.errors import Cause, GiveUp, Reason, Refused
from hub.core.json import Limits
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
    """Decodes the message, takes its part, maps it, and checks the result against the target's contract.

    `at` is when the message was received; expressions see no other time. `lookups` are the recorded look-ups of the
    route, by name. Raises GiveUp (transform_error, transform_timeout, codelist_miss), with the target's field if one
    field is the cause.
    """
    return rendered(catalog, _decoded(raw, limits), source, target, route=route, part=part, at=at, lookups=lookups)


def rendered(
    catalog: Catalog,
    payload: Json,
    source: Ref,
    target: Ref,
    *,
    route: str,
    part: int | None,
    at: datetime,
    lookups: Mapping[str, Json] = _NONE,
) -> Json:
    """Does the same as `render` with a payload that is already decoded."""
    ref, payload = upgraded(catalog, source, payload, at)
    steps = catalog.way(ref, target)
    if steps is None:
        raise GiveUp(
            Cause(
                Reason.TRANSFORM_ERROR,
                f"There is no mapping from {ref} to {target}.",
                fix="Add the mapping, then replay.",
            )
        )
    mapped = _part(catalog, payload, route, part, at)
    for step in steps:
        mapped = _checked(catalog, step.target, step.apply(mapped, now=at, lookups=lookups))
    return mapped


def address(catalog: Catalog, ref: Ref, payload: Json, key: str, at: datetime) -> str:
    """The method and path with which the target is called, for display: `PUT /orders/SO-1`; "" if the target has no
    HTTP address.

    Raises GiveUp if a placeholder of the address cannot be filled: then the delivery would not be sent either.
    """
    system = catalog.systems.get(ref.system)
    accept = system.accept(ref) if system is not None else None
    if accept is None or accept.publish is not None:
        return ""
    shown = address_of(accept.path or "/").shown(payload, key=key, now=at, contract=accept.contracts.get(ref.version))
    return f"{accept.method} {shown}"


def upgraded(catalog: Catalog, source: Ref, payload: Json, at: datetime) -> tuple[Ref, Json]:
    """Upgrades a message to its newest live version, which routes and mappings read; unchanged if there is no upgrade.
    Raises GiveUp.
    """
    payload = declared(catalog.contract(source), payload)
    for step in catalog.upgrade(source):
        source, payload = step.target, _checked(catalog, step.target, step.apply(payload, now=at))
    return source, payload


def _checked(catalog: Catalog, ref: Ref, mapped: Json) -> Json:
    """The mapped payload with the contract's number types. Raises GiveUp if it does not fit the contract."""
    contract = catalog.contract(ref)
    faults = contract.check(mapped) if contract is not None else []
    if faults:
        first = faults[0]
        text = f"What the mapping made does not fit {ref}: {first.pointer or '/'} is {first.got}, wanted {first.want}."
        raise GiveUp(
            Cause(Reason.TRANSFORM_ERROR, text, first.pointer, "Mend the mapping or the source's data, then replay.")
        )
    return declared(contract, mapped)


def source_part(
    catalog: Catalog, raw: bytes, source: Ref, *, route: str, part: int | None, at: datetime, limits: Limits
) -> Json:
    """The input of a route's mapping and look-ups: the upgraded message, or its part if the route splits it. Raises
    GiveUp.
    """
    return _part(catalog, upgraded(catalog, source, _decoded(raw, limits), at)[1], route, part, at)


def found(lookups: Sequence[Lookup], route: str, part: int | None) -> dict[str, Json]:
    """The recorded look-ups that a route's mapping reads, by name. A look-up that was skipped is left out."""
    of_route = [
        lookup for lookup in lookups if lookup.route == route and lookup.part == part and lookup.found is not None
    ]
    return {lookup.name: read(lookup.found).value for lookup in of_route if lookup.found is not None}


def _decoded(raw: bytes, limits: Limits) -> Json:
    try:
        return json.decode(raw, limits)
    except Refused as error:
        raise GiveUp(Cause(Reason.TRANSFORM_ERROR, f"The stored body cannot be read: {error.text}")) from error


def _part(catalog: Catalog, payload: Json, name: str, part: int | None, at: datetime) -> Json:
    """Part number `part` of the payload if route `name` splits it, else the payload."""
    route = next((route for route in catalog.routes if route.name == name), None)
    if part is None or route is None or route.split is None:
        return payload
    return parts(payload, route.split, at)[part]
