"""What differs between two configurations in meaning: systems, versions, contracts, mapping fields, routes. Formatting,
comments and order say nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

from hub.catalog.catalog import Catalog
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import plain, read_yaml
from hub.core import json
from hub.core.config.mapping import Mapping as FieldMapping
from hub.core.config.routing import Route
from hub.core.config.system import Accept, Emit, System
from hub.core.expressions.expression import Expression
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract

# from the kind of thing down to the very value: ("route", "outbound", "to wms/outbound.create@1", "when")
Place: TypeAlias = tuple[str, ...]

LONGEST = 200  # characters of a value that a change shows


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One value that is there, gone, or another. `before` or `after` is None where there was or is nothing."""

    place: Place
    before: str | None
    after: str | None

    @property
    def text(self) -> str:
        """One line for an engineer."""
        where = " · ".join(self.place)
        if self.before is None:
            return f"+ {where}: {self.after}"
        if self.after is None:
            return f"- {where}: {self.before}"
        return f"~ {where}: {self.before} → {self.after}"

    def as_json(self) -> dict[str, Json]:
        return {"place": list(self.place), "before": self.before, "after": self.after}


def difference(old: Catalog, new: Catalog) -> list[Change]:
    """All changes from `old` to `new`, by place. What came or went whole is one change, not one for each of its
    parts.
    """
    before, after = dict(_facts(old)), dict(_facts(new))
    changes = []
    for place in sorted(before.keys() | after.keys()):
        one, other = before.get(place), after.get(place)
        if one != other and not _is_within(
            place, before if other is None else after, after if other is None else before
        ):
            changes.append(Change(place, one, other))
    return changes


def _is_within(place: Place, there: Mapping[Place, str], missing: Mapping[Place, str]) -> bool:
    """Whether a larger thing around `place` came or went with it."""
    return any(place[:length] in there and place[:length] not in missing for length in range(2, len(place)))


@dataclass(frozen=True, slots=True)
class AffectedNames:
    """The names that changes are about: what waits for them may be delivered otherwise, or not at all."""

    routes: frozenset[str]
    targets: frozenset[str]
    refs: frozenset[str]  # contract versions, and both ends of mappings

    @classmethod
    def by(cls, changes: list[Change]) -> AffectedNames:
        """What the changes touch."""
        routes = frozenset(change.place[1] for change in changes if change.place[0] == "route")
        targets = frozenset(change.place[1] for change in changes if change.place[0] == "target")
        systems = frozenset(change.place[1] for change in changes if change.place[0] == "system")
        refs = frozenset(
            ref for change in changes if change.place[0] == "mapping" for ref in change.place[1].split(" → ")
        )
        contracts = frozenset(change.place[1] for change in changes if change.place[0] == "contract")
        return cls(routes, targets | systems, refs | contracts)


def _facts(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    for system in catalog.systems.values():
        yield from _system(system)
    for name in catalog.systems:
        yield from _written(catalog, ("system", name), f"adapters/{name}/system.yaml", ("hooks", "queues"))
    for name in catalog.foreign:
        yield ("mapping", name), "of a foreign body"
        yield from _written(catalog, ("mapping", name), f"mappings/{name}.yaml", ("to", "fields", "tables"))
    for pair, mapping in catalog.mappings.items():
        yield from _mapping(catalog, pair, mapping)
    for route in catalog.routes:
        yield from _route(route)
    for name, policy in catalog.targets.items():
        yield ("target", name), "a policy"
        yield from _values(("target", name), policy)


def _system(system: System) -> Iterator[tuple[Place, str]]:
    at: Place = ("system", system.name)
    yield at, system.title
    for name in ("owner", "inbound", "outbound"):
        yield from _value((*at, name), getattr(system, name))
    for name, setting in system.settings.items():
        yield (*at, f"setting {name}"), "a secret" if setting.secret else _shown(setting.default)
    sides: list[tuple[str, Emit | Accept]] = [("emits", one) for one in system.emits.values()]
    sides += [("accepts", one) for one in system.accepts.values()]
    for side, message in sides:
        here = (*at, f"{side} {message.type}")
        yield here, message.about
        for field in dataclasses.fields(message):
            if field.name not in ("type", "about", "versions", "contracts"):
                yield from _value((*here, field.name), getattr(message, field.name))
        for number, version in message.versions.items():
            yield (
                (*here, f"version {number}"),
                " ".join(
                    filter(None, (version.state.value, version.since, version.sunset and f"until {version.sunset}"))
                ),
            )
        for number, contract in message.contracts.items():
            yield from _contract(Ref(system.name, message.type.partition("/")[2], number), contract)


def _contract(ref: Ref, contract: Contract) -> Iterator[tuple[Place, str]]:
    yield ("contract", str(ref)), "a contract"
    yield from (((("contract", str(ref), pointer)), text) for pointer, text in _leaves(contract.schema, "#"))


def _mapping(catalog: Catalog, pair: tuple[Ref, Ref], mapping: FieldMapping) -> Iterator[tuple[Place, str]]:
    at: Place = ("mapping", f"{pair[0]} → {pair[1]}")
    yield at, f"{sum(1 for _ in mapping.leaves())} fields"
    name = file_name(*pair)
    root = read_yaml(name, catalog.files.get(name, "")).root
    written = plain(root, name, Findings()) if root is not None else None
    for key in ("fields", "tables"):
        yield from (
            ((*at, f"{key}{pointer}"), text)
            for pointer, text in _leaves(written.get(key) if isinstance(written, dict) else None, "")
        )
    for table, text in _shared(catalog, written):
        yield (*at, f"shared table {table}"), text


def _written(catalog: Catalog, at: Place, file: str, keys: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
    """What a file says under some of its keys, leaf by leaf."""
    whole = _plain_file(file, catalog.files.get(file, ""))
    for key in keys:
        if isinstance(whole, dict) and key in whole:
            yield from (((*at, f"{key}{pointer}"), text) for pointer, text in _leaves(whole[key], ""))


def _shared(catalog: Catalog, written: Json) -> Iterator[tuple[str, str]]:
    """Code lists of the workspace that the mapping may speak of: a change in one changes every mapping that names
    it.
    """
    text = json.encode(written).decode() if written is not None else ""
    for file, content in catalog.files.items():
        table = file.removeprefix("mappings/tables/").removesuffix(".yaml")
        if file.startswith("mappings/tables/") and table in text:
            yield from ((f"{table}{pointer}", leaf) for pointer, leaf in _leaves(_plain_file(file, content), ""))


def _plain_file(file: str, content: str) -> Json:
    root = read_yaml(file, content).root
    return plain(root, file, Findings()) if root is not None else None


def _route(route: Route) -> Iterator[tuple[Place, str]]:
    at: Place = ("route", route.name)
    yield at, f"from {route.source}"
    for field in dataclasses.fields(route):
        if field.name not in ("name", "to", "tests", "enrich"):
            yield from _value((*at, field.name), getattr(route, field.name))
    for one in route.enrich:
        here = (*at, f"enrich {one.name}")
        yield here, str(one.call)
        yield from _values(here, one)
    for to in route.to:
        side = "" if to.canary is None else " (trial)" if to.is_trial else " (others)"
        here = (*at, f"to {to.ref}{side}")
        yield here, "a destination"
        yield from _values(here, to)


def _values(at: Place, thing: Any) -> Iterator[tuple[Place, str]]:
    for field in dataclasses.fields(thing):
        if field.name not in ("name", "ref"):
            yield from _value((*at, field.name), getattr(thing, field.name))


def _value(at: Place, value: Any) -> Iterator[tuple[Place, str]]:
    if value not in (None, "", (), {}):
        yield at, _shown(value)


def _leaves(node: Json, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict) and node:
        for name, child in node.items():
            yield from _leaves(child, f"{at}/{json.escape(str(name))}")
    elif isinstance(node, list) and any(isinstance(child, dict | list) for child in node):
        for index, child in enumerate(node):
            yield from _leaves(child, f"{at}/{index}")
    elif node is not None or at:
        yield at, _shown(node)


def _shown(value: Any) -> str:
    match value:
        case Expression():
            text = value.text
        case FieldMapping():
            text = ", ".join(f"{field}: {expression}" for field, expression in value.leaves())
        case timedelta():
            text = f"{value.total_seconds():g} s"
        case Enum():
            text = str(value.value)
        case str() | Ref() | Decimal():
            text = str(value)
        case tuple():
            text = ", ".join(f"{one[0]}: {_shown(one[1])}" if isinstance(one, tuple) else _shown(one) for one in value)
        case _ if dataclasses.is_dataclass(value):
            parts = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
            text = ", ".join(f"{name} {_shown(part)}" for name, part in parts if part not in (None, "", ()))
        case dict() | list() | bool() | int() | float() | None:
            text = json.encode(value).decode()
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
