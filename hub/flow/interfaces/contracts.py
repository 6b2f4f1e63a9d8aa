"""Contracts as people look at them: which versions there are, who still uses which, what changes between them, and whether one may go."""

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
from hub.core.schemas.fields import fields
from hub.flow.context.query_cache import Kept
from hub.flow.hub import Hub
from hub.flow.interfaces.retire import can_retire, shadow_report, used_json
from hub.flow.interfaces.samples import samples
from hub.store import Flowed, Store, Used

LATELY = timedelta(days=30)  # over which use counts
OPEN_S = 2.0  # the number of open deliveries may be so old
DELIVERED = timedelta(hours=24)  # over which what the hub sent counts


def contracts(store: Store, catalog: Catalog, *, lately: timedelta = LATELY) -> dict[str, Json]:
    """All messages that systems send or take: `items` by system, each with type, system, name, about, side ("emits" or "accepts") and `versions`:
    version, state, since, sunset, daysLeft, `messages` since then and `callers` {name, caller, number, firstAt, lastAt}, busiest first; of what the
    hub sends, `delivered` {route, number} of the last day instead.

    `old`: deprecated versions that somebody used since then, the first to end first: {version, sunset, daysLeft, callers}.
    """
    now = store.now()
    since = (now - lately).date().isoformat()
    used = store.usage(since=since)
    flowed = store.flowed(now - DELIVERED)
    names = names_of(store)
    items: list[Json] = []
    old: list[dict[str, Json]] = []
    for system in sorted(catalog.systems.values(), key=lambda one: one.name):
        sides: tuple[tuple[str, Iterable[Emit | Accept]], ...] = (("emits", system.emits.values()), ("accepts", system.accepts.values()))
        for side, messages in sides:
            for message in messages:
                versions = [_version(message, side, number, now, used, flowed, names) for number in sorted(message.versions)]
                items.append({**_head(message, side), "versions": list(versions)})
                old += [
                    {name: one[name] for name in ("version", "sunset", "daysLeft", "callers")}
                    for one in versions
                    if one["state"] == VersionState.DEPRECATED.value and one["callers"]
                ]
    old.sort(key=lambda one: (str(one["sunset"] or "9999"), str(one["version"])))
    return {"revision": catalog.revision, "since": since, "items": items, "old": list(old)}


def contract(
    store: Store, catalog: Catalog, type_: str, *, folder: Path | None = None, count_open: Callable[[], Mapping[Ref, int] | None] | None = None
) -> dict[str, Json] | None:
    """One message, `system/name`; None where no system has it. `folder`: the workspace's, for its samples. `count_open`: see flow.interfaces.retire.

    As in `contracts`, and of each version `fields` (place, kind, required, about, values, limits, isPersonal, isKnown: the contract has it, and
    `used`: {name, caller, number, firstAt, lastAt}, who sent it of late), `samples`, `schema`, `retirement` (see flow.interfaces.retire; null for what is retired or
    is no sender's) and `shadow` (what it would have refused, by caller; null: it is no shadow). `steps` between neighbours: from, to, and what
    `hub contracts diff` says. `routes`: name, about, as ("source", "target" or "reply"); `mappings`: name, from, to.
    """
    side, message = _message(catalog, type_)
    if message is None:
        return None
    now = store.now()
    since = (now - LATELY).date().isoformat()
    by_field = store.usage(type_=type_, since=since, fields=True) if side == "emits" else []
    used = [one for one in by_field if not one.field]
    flowed = store.flowed(now - DELIVERED) if side == "accepts" else []
    names = names_of(store)
    counted = (count_open or store.count_open)() if side == "emits" else None
    versions: list[Json] = []
    for number in sorted(message.versions):
        told = _version(message, side, number, now, used, flowed, names)
        made = message.contracts.get(number)
        mine = [one for one in by_field if one.ref.version == number]
        ref = _ref(type_, number)
        state = message.versions[number].state
        versions.append(
            {
                **told,
                "fields": _fields(made, mine, names),
                "schema": dict(made.schema) if made is not None else None,
                "samples": list(samples(folder, ref)) if folder is not None else [],
                "retirement": can_retire(store, catalog, ref, count_open=lambda: counted).as_json() if side == "emits" and state in _MAY_GO else None,
                "shadow": shadow_report(mine) if state is VersionState.SHADOW else None,
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
    store: Store, catalog: Catalog, type_: str, *, folder: Path | None = None, count_open: Callable[[], Mapping[Ref, int] | None] | None = None
) -> dict[str, Json]:
    """`contract`. Raises Refused where there is none."""
    found = contract(store, catalog, type_, folder=folder, count_open=count_open)
    if found is None:
        raise Refused(Code.NOT_FOUND, f"No system sends or takes {type_}.")
    return found


def opened(hub: Hub) -> Kept[dict[Ref, int]]:
    """How many deliveries of each version are still open: with a hundred thousand that wait, counting takes a second, and is done once for all who look."""
    return hub.shelf.at("open", hub.store.count_open, least_s=OPEN_S)


def _message(catalog: Catalog, type_: str) -> tuple[str, Emit | Accept | None]:
    system, _, name = type_.partition("/")
    found = catalog.systems.get(system)
    emit = catalog.emit(type_)
    return ("emits", emit) if emit is not None else ("accepts", found.accepts.get(name) if found is not None else None)


def _ref(type_: str, number: int) -> Ref:
    system, _, name = type_.partition("/")
    return Ref(system, name, number)


def _head(message: Emit | Accept, side: str) -> dict[str, Json]:
    system, _, name = message.type.partition("/")
    return {"type": message.type, "system": system, "name": name, "about": message.about, "side": side}


def _version(
    message: Emit | Accept, side: str, number: int, now: datetime, used: Sequence[Used], flowed: Sequence[Flowed], names: Mapping[str, str]
) -> dict[str, Json]:
    version: Version = message.versions[number]
    ref = f"{message.type}@{number}"
    mine = [one for one in used if one.ref.type == message.type and one.ref.version == number and not one.field] if side == "emits" else []
    sent = sorted((row.route, row.numbers.get("delivered", 0)) for row in flowed if row.route and row.way == ref) if side == "accepts" else []
    return {
        "version": ref,
        "number": number,
        "state": version.state.value,
        "since": version.since or None,
        "sunset": version.sunset or None,
        "daysLeft": (date.fromisoformat(version.sunset) - now.date()).days if version.sunset else None,
        "messages": sum(one.number for one in mine),
        "callers": [_by(one, names) for one in mine],
        "delivered": [{"route": route, "number": count} for route, count in sent if count],
    }


def _by(one: Used, names: Mapping[str, str]) -> dict[str, Json]:
    told = used_json(one)
    return {"name": names.get(one.caller, one.caller), **{name: told[name] for name in ("caller", "number", "firstAt", "lastAt")}}


def names_of(store: Store) -> dict[str, str]:
    """What people call the callers: the names of keys by their ids. Who needs no key is known by its own name."""
    return {key.id: key.name for key in store.keys()}  # noqa: SIM118  a verb of the store, no mapping


def _fields(made: Contract | None, used: Sequence[Used], names: Mapping[str, str]) -> list[Json]:
    """The contract's fields in its order; then what came beside them, which it lets through."""
    known = fields(made) if made is not None else []
    by_place: dict[str, list[Json]] = {}
    for one in used:
        if one.field.startswith("/"):
            by_place.setdefault(one.field, []).append(_by(one, names))
    told: list[Json] = [
        {
            "place": one.place,
            "kind": one.kind,
            "required": one.is_required,
            "about": one.about,
            "values": list(one.values),
            "limits": list(one.limits),
            "isPersonal": one.is_personal,
            "isKnown": True,
            "used": by_place.pop(one.place, []),
        }
        for one in known
    ]
    for place, callers in sorted(by_place.items()):
        nothing: dict[str, Json] = {"kind": "", "required": False, "about": "", "values": [], "limits": [], "isPersonal": False, "isKnown": False}
        told.append({"place": place, **nothing, "used": callers})
    return told


def _steps(message: Emit | Accept) -> list[Json]:
    numbers = sorted(message.contracts)
    told: list[Json] = []
    for old, new in pairwise(numbers):
        found = compare(message.contracts[old], message.contracts[new])
        told.append({"from": f"{message.type}@{old}", "to": f"{message.type}@{new}", **found.as_json()})
    return told


def _routes(catalog: Catalog, type_: str) -> list[Json]:
    told: list[Json] = []
    for route in catalog.routes:
        uses = ["source"] if route.source == type_ else []
        uses += ["target"] if any(to.ref.type == type_ for to in route.to) else []
        uses += ["reply"] if any(to.reply == type_ for to in route.to) else []
        told += [{"name": route.name, "about": route.about, "as": use} for use in uses]
    return told


def _mappings(catalog: Catalog, type_: str) -> list[Json]:
    own = sorted(pair for pair in catalog.mappings if type_ in (pair[0].type, pair[1].type))
    told: list[Json] = [{"name": file_name(*pair).removeprefix("mappings/").removesuffix(".yaml"), "from": str(pair[0]), "to": str(pair[1])} for pair in own]
    told += [{"name": name, "from": one.source.name, "to": str(one.target)} for name, one in sorted(catalog.foreign.items()) if one.target.type == type_]
    return told
