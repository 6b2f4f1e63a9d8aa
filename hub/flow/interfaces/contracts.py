"""Contracts as people see them: versions, their usage by caller, the changes between them, and whether a version may be
retired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hub.catalog import Catalog
from hub.catalog.files.mappings import file_name
from hub.core.config.system import Accept, Emit, Version, VersionState
from hub.core.errors import Code, Refused
from hub.core.message import Json, Ref
from hub.core.schemas.compat import compare
from hub.core.schemas.contract import Contract
from hub.core.schemas.fields import Field, fields
from hub.flow.answers import contracts as answers
from hub.flow.answers.fields import fill
from hub.flow.context.query_cache import CachedQuery
from hub.flow.hub import Hub
from hub.flow.interfaces.retire import can_retire, shadow_report, used_json
from hub.flow.interfaces.samples import samples
from hub.store import Store, ThroughputRow, UsageCount

LATELY = timedelta(days=30)  # the time over which usage is counted
OPEN_S = 2.0  # cache TTL of the number of open deliveries
DELIVERED = timedelta(hours=24)  # the time over which sent messages are counted


def contracts(store: Store, catalog: Catalog, *, lately: timedelta = LATELY) -> answers.ContractList:
    """All messages that systems send or take: `items` by system, each with type, system, name, about, side ("emits" or
    "accepts") and `versions`: version, state, since, sunset, daysLeft, `messages` since then and `callers` {name,
    caller, number, firstAt, lastAt}, busiest first; of what the hub sends, `delivered` {route, number} of the last day
    instead.

    `old`: deprecated versions that somebody used since then, the first to end first: {version, sunset, daysLeft,
    callers}.
    """
    now = store.now()
    since = (now - lately).date().isoformat()
    used = store.usage(since=since)
    flowed = store.flowed(now - DELIVERED)
    names = names_of(store)
    items: list[answers.ContractLine] = []
    old: list[answers.OldVersion] = []
    for system in sorted(catalog.systems.values(), key=lambda system: system.name):
        sides: tuple[tuple[str, Iterable[Emit | Accept]], ...] = (
            ("emits", system.emits.values()),
            ("accepts", system.accepts.values()),
        )
        for side, messages in sides:
            for message in messages:
                versions = [
                    _version(message, side, number, now, used, flowed, names) for number in sorted(message.versions)
                ]
                items.append({**_head(message, side), "versions": versions})
                old += [
                    {
                        "version": version["version"],
                        "sunset": version["sunset"],
                        "daysLeft": version["daysLeft"],
                        "callers": version["callers"],
                    }
                    for version in versions
                    if version["state"] == VersionState.DEPRECATED.value and version["callers"]
                ]
    old.sort(key=lambda version: (version["sunset"] or "9999", version["version"]))
    return {"revision": catalog.revision, "since": since, "items": items, "old": old}


def contract(
    store: Store,
    catalog: Catalog,
    type_: str,
    *,
    folder: Path | None = None,
    count_open: Callable[[], Mapping[Ref, int] | None] | None = None,
) -> answers.WholeContract | None:
    """One message, `system/name`; None if no system has it. `folder`: the workspace's, for samples. `count_open`: see
    flow.interfaces.retire.

    As in `contracts`, and per version: `fields` (place, kind, required, about, values, limits, isPersonal, isKnown: the
    contract has it, and
    `used`: {name, caller, number, firstAt, lastAt}, its recent senders), `samples`, `schema`, `retirement` (see
    flow.interfaces.retire; null if the version is retired, or not sent by a system) and `shadow` (what it would have
    refused, by caller; null if it is not a shadow version). `steps` between neighbouring versions: from, to, and the
    result of `hub contracts diff`.
    `routes`: name, about, as ("source", "target" or "reply"); `mappings`: name, from, to.
    """
    side, message = _message(catalog, type_)
    if message is None:
        return None
    now = store.now()
    since = (now - LATELY).date().isoformat()
    by_field = store.usage(type_=type_, since=since, fields=True) if side == "emits" else []
    used = [count for count in by_field if not count.field]
    flowed = store.flowed(now - DELIVERED) if side == "accepts" else []
    names = names_of(store)
    counted = (count_open or store.count_open)() if side == "emits" else None
    versions: list[answers.WholeVersion] = []
    for number in sorted(message.versions):
        row = _version(message, side, number, now, used, flowed, names)
        schema_contract = message.contracts.get(number)
        counts = [count for count in by_field if count.ref.version == number]
        ref = _ref(type_, number)
        state = message.versions[number].state
        versions.append(
            {
                **row,
                "fields": _fields(schema_contract, counts, names),
                "schema": dict(schema_contract.schema) if schema_contract is not None else None,
                "samples": list(samples(folder, ref)) if folder is not None else [],
                "retirement": can_retire(store, catalog, ref, count_open=lambda: counted).as_json()
                if side == "emits" and state in _MAY_GO
                else None,
                "shadow": shadow_report(counts) if state is VersionState.SHADOW else None,
            }
        )
    return {
        **_head(message, side),
        "revision": catalog.revision,
        "since": since,
        "versions": versions,
        "steps": _steps(message),
        "routes": _routes(catalog, type_),
        "mappings": _mappings(catalog, type_),
    }


_MAY_GO = (VersionState.CURRENT, VersionState.DEPRECATED)


def one_named(
    store: Store,
    catalog: Catalog,
    type_: str,
    *,
    folder: Path | None = None,
    count_open: Callable[[], Mapping[Ref, int] | None] | None = None,
) -> answers.WholeContract:
    """Does the same as `contract`. Raises Refused if there is no such message."""
    message = contract(store, catalog, type_, folder=folder, count_open=count_open)
    if message is None:
        raise Refused(Code.NOT_FOUND, f"No system sends or takes {type_}.")
    return message


def opened(hub: Hub) -> CachedQuery[dict[Ref, int]]:
    """The number of open deliveries per version, cached: counting a hundred thousand takes a second."""
    return hub.shelf.at("open", hub.store.count_open, least_s=OPEN_S)


def _message(catalog: Catalog, type_: str) -> tuple[str, Emit | Accept | None]:
    system, _, name = type_.partition("/")
    known_system = catalog.systems.get(system)
    emit = catalog.emit(type_)
    return (
        ("emits", emit)
        if emit is not None
        else ("accepts", known_system.accepts.get(name) if known_system is not None else None)
    )


def _ref(type_: str, number: int) -> Ref:
    system, _, name = type_.partition("/")
    return Ref(system, name, number)


def _head(message: Emit | Accept, side: str) -> answers.ContractHead:
    system, _, name = message.type.partition("/")
    return {"type": message.type, "system": system, "name": name, "about": message.about, "side": side}


def _version(
    message: Emit | Accept,
    side: str,
    number: int,
    now: datetime,
    used: Sequence[UsageCount],
    flowed: Sequence[ThroughputRow],
    names: Mapping[str, str],
) -> answers.ContractVersion:
    version: Version = message.versions[number]
    ref = f"{message.type}@{number}"
    counts = (
        [usage for usage in used if usage.ref.type == message.type and usage.ref.version == number and not usage.field]
        if side == "emits"
        else []
    )
    sent = (
        sorted((row.route, row.numbers.get("delivered", 0)) for row in flowed if row.route and row.way == ref)
        if side == "accepts"
        else []
    )
    return {
        "version": ref,
        "number": number,
        "state": version.state.value,
        "since": version.since or None,
        "sunset": version.sunset or None,
        "daysLeft": (date.fromisoformat(version.sunset) - now.date()).days if version.sunset else None,
        "messages": sum(usage.number for usage in counts),
        "callers": [_by(usage, names) for usage in counts],
        "delivered": [{"route": route, "number": count} for route, count in sent if count],
    }


def _by(usage: UsageCount, names: Mapping[str, str]) -> dict[str, object]:
    row: Mapping[str, object] = used_json(usage)
    return {
        "name": names.get(usage.caller, usage.caller),
        **{name: row[name] for name in ("caller", "number", "firstAt", "lastAt")},
    }


def names_of(store: Store) -> dict[str, str]:
    """The display names of callers: key names by key id. Callers without a key are shown by their id."""
    return {key.id: key.name for key in store.keys()}  # noqa: SIM118  a verb of the store, no mapping


def _fields(
    contract_: Contract | None, used: Sequence[UsageCount], names: Mapping[str, str]
) -> list[answers.ContractField]:
    """The fields of the contract in its order; then additional fields that were sent and that it allows."""
    known = fields(contract_) if contract_ is not None else []
    by_place: dict[str, list[dict[str, object]]] = {}
    for usage in used:
        if usage.field.startswith("/"):
            by_place.setdefault(usage.field, []).append(_by(usage, names))
    rows = [_field(field, by_place.pop(field.place, []), is_known=True) for field in known]
    beside = [(Field(place, "", False, place=place), callers) for place, callers in sorted(by_place.items())]
    return [*rows, *(_field(field, callers, is_known=False) for field, callers in beside)]


def _field(field: Field, callers: Sequence[Mapping[str, object]], *, is_known: bool) -> answers.ContractField:
    return fill(answers.ContractField, field, required=field.is_required, isKnown=is_known, used=callers)


def _steps(message: Emit | Accept) -> list[dict[str, Json]]:
    numbers = sorted(message.contracts)
    rows: list[dict[str, Json]] = []
    for old, new in pairwise(numbers):
        changes = compare(message.contracts[old], message.contracts[new])
        rows.append({"from": f"{message.type}@{old}", "to": f"{message.type}@{new}", **changes.as_json()})
    return rows


def _routes(catalog: Catalog, type_: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for route in catalog.routes:
        uses = ["source"] if route.source == type_ else []
        uses += ["target"] if any(to.ref.type == type_ for to in route.to) else []
        uses += ["reply"] if any(to.reply == type_ for to in route.to) else []
        rows += [{"name": route.name, "about": route.about, "as": use} for use in uses]
    return rows


def _mappings(catalog: Catalog, type_: str) -> list[dict[str, str]]:
    pairs = sorted(pair for pair in catalog.mappings if type_ in (pair[0].type, pair[1].type))
    rows = [
        {
            "name": file_name(*pair).removeprefix("mappings/").removesuffix(".yaml"),
            "from": str(pair[0]),
            "to": str(pair[1]),
        }
        for pair in pairs
    ]
    rows += [
        {"name": name, "from": mapping.source.name, "to": str(mapping.target)}
        for name, mapping in sorted(catalog.foreign.items())
        if mapping.target.type == type_
    ]
    return rows
