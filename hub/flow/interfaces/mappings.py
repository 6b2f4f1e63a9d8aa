"""Mappings as people see them: their users, their fields, and their coverage of the fields that are really sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.catalog import Catalog
from hub.catalog.files.mappings import file_name
from hub.core.analysis.field_coverage import FieldCoverage, ends, name_of
from hub.core.analysis.lineage import Leaf
from hub.core.config.mapping import Mapping as FieldMapping
from hub.core.message import Json, Ref
from hub.core.schemas.fields import Field, fields
from hub.flow.answers import contracts as answers
from hub.flow.interfaces import traffic
from hub.flow.interfaces.traffic import Came
from hub.store import Store

LATELY = timedelta(days=30)  # the time over which traffic is counted


@dataclass(frozen=True, slots=True)
class NamedMapping:
    """A mapping with its name: its file name without folder and extension. `is_foreign`: it reads the body of a hook or
    queue, not a message.
    """

    name: str
    mapping: FieldMapping
    is_foreign: bool = False

    @property
    def file(self) -> str:
        return f"mappings/{self.name}.yaml"

    @property
    def source(self) -> str:
        return self.mapping.source.name if self.is_foreign else str(self.mapping.source)


def named(catalog: Catalog) -> dict[str, NamedMapping]:
    """All mappings of the configuration, by name."""
    own = [
        NamedMapping(file_name(*pair).removeprefix("mappings/").removesuffix(".yaml"), mapping)
        for pair, mapping in catalog.mappings.items()
    ]
    foreign = [NamedMapping(name, mapping, is_foreign=True) for name, mapping in catalog.foreign.items()]
    return {entry.name: entry for entry in sorted((*own, *foreign), key=lambda entry: entry.name)}


def mappings(store: Store, catalog: Catalog, *, lately: timedelta = LATELY) -> answers.MappingList:
    """All of them: `items`, each with name, file, from, to, isForeign, routes and hooks that use it, examples (how
    many), and coverage (see `mapping`).
    """
    since = (store.now() - lately).date().isoformat()
    seen = traffic.counted(store.usage(since=since, fields=True))
    items: list[answers.MappingHead] = []
    for entry in named(catalog).values():
        carrying = traffic.of_file(catalog, entry.file)
        came = Came() if entry.is_foreign else seen.came(catalog, entry.mapping.source)
        items.append(_head(catalog, entry, _coverage(catalog, entry, carrying, came)))
    return {"revision": catalog.revision, "since": since, "items": items}


def mapping(store: Store, catalog: Catalog, name: str, *, lately: timedelta = LATELY) -> dict[str, object] | None:
    """One mapping; None where there is none of this name.

    `source` and `target`: their fields in the contract's order, each with place, kind, required, about, isPersonal; of
    a source also `came` (in how many messages of late) and `isTaken`; of a target `isMade` and `filled` (in about how
    many). `leaves`: how each target field is made: field, way (copy, expression, constant, lookup, each), written, from
    (places of the source), conditions with what they read (`decidedBy`), tables, constants, functions, known.
    `lookups`: what the route must have looked up, `$name`.

    `coverage`: messages of late; sourceFields and targetFields that hold values; came, carried and filled of those;
    `left`: places that came and nothing takes, each with its number; `lacking`: required places of the target that
    nothing makes. Numbers are null for what is not counted.
    """
    entry = named(catalog).get(name)
    if entry is None:
        return None
    since = (store.now() - lately).date().isoformat()
    carrying = traffic.of_file(catalog, entry.file)
    came = Came()
    if not entry.is_foreign:
        came = traffic.counted(store.usage(type_=entry.mapping.source.type, since=since, fields=True)).came(
            catalog, entry.mapping.source
        )
    source, target = _source(catalog, entry, carrying, came), _fields(catalog, entry.mapping.target)
    numbers = carrying.numbers([field.place for field in target], came.places, came.messages)
    head: dict[str, object] = {**_head(catalog, entry, _coverage(catalog, entry, carrying, came))}
    coverage = head.pop("coverage")
    return {
        **head,
        "revision": catalog.revision,
        "since": since,
        "source": [
            {**_told(field), "came": came.places.get(field.place, 0), "isTaken": _is_taken(carrying, field, source)}
            for field in source
        ],
        "target": [
            {**_told(field), "isMade": _is_made(carrying, field), "filled": numbers.get(field.place, 0)}
            for field in target
        ],
        "leaves": [_leaf(leaf) for leaf in carrying.leaves],
        "lookups": list(
            dict.fromkeys(
                names[0]
                for leaf in carrying.leaves
                for path in leaf.origin.paths
                if (names := name_of(path)) and names[0][0] == "$"
            )
        ),
        "coverage": coverage,
    }


def _head(catalog: Catalog, entry: NamedMapping, coverage: dict[str, Json]) -> answers.MappingHead:
    mapping = entry.mapping
    return {
        "name": entry.name,
        "file": entry.file,
        "from": entry.source,
        "to": str(mapping.target),
        "isForeign": entry.is_foreign,
        "isUpgrade": mapping.source.type == mapping.target.type,
        "routes": _routes(catalog, entry),
        "hooks": _hooks(catalog, entry),
        "examples": len(mapping.examples),
        "coverage": coverage,
    }


def _routes(catalog: Catalog, entry: NamedMapping) -> list[str]:
    """The routes that use the mapping, directly or in a chain of versions."""
    names: list[str] = []
    for route in catalog.routes if not entry.is_foreign else ():
        emit = catalog.emit(route.source)
        for number in emit.live if emit is not None else ():
            system, _, message = route.source.partition("/")
            ref = Ref(system, message, number)
            upgrades = catalog.upgrade(ref)
            newest = upgrades[-1].target if upgrades else ref
            steps = [*upgrades, *(step for to in route.to for step in catalog.way(newest, to.ref) or ())]
            if any(step is entry.mapping for step in steps):
                names.append(route.name)
                break
    return names


def _hooks(catalog: Catalog, entry: NamedMapping) -> list[str]:
    """The hooks and queues whose bodies the mapping reads, as `system/name`."""
    names: list[str] = []
    for system in catalog.systems.values():
        reads = {
            **{name: hook.reads for name, hook in system.hooks.items()},
            **{name: queue.reads for name, queue in system.queues.items()},
        }
        names += [
            f"{system.name}/{name}"
            for name, its in reads.items()
            if any(read.mapping_name == entry.name for read in its)
        ]
    return names


def _fields(catalog: Catalog, ref: Ref) -> list[Field]:
    contract = catalog.contract(ref)
    return fields(contract) if contract is not None else []


def _source(catalog: Catalog, entry: NamedMapping, carrying: FieldCoverage, came: Came) -> list[Field]:
    """The fields of the source contract and additional fields that were sent; without a contract, the fields that the
    mapping reads.
    """
    known = _fields(catalog, entry.mapping.source) if not entry.is_foreign else []
    names = {name_of(field.place) for field in known}
    beside = [place for place in came.places if name_of(place) not in names]
    if entry.is_foreign:
        beside = [
            path
            for leaf in carrying.leaves
            for path in leaf.origin.paths
            if name_of(path) and not name_of(path)[0].startswith("$")
        ]
    return [
        *known,
        *(
            Field(place.removeprefix("/").replace("/", "."), "", False, place=place)
            for place in sorted(dict.fromkeys(beside))
        ),
    ]


def _is_taken(carrying: FieldCoverage, field: Field, among: Sequence[Field]) -> bool:
    """Whether the mapping reads the field, or a field inside it."""
    inner = [other.place for other in among if other.place == field.place or other.place.startswith(f"{field.place}/")]
    return any(carrying.takes(place) for place in inner)


def _is_made(carrying: FieldCoverage, field: Field) -> bool:
    """Whether the mapping makes the field, or a field inside it."""
    name = name_of(field.place)
    return bool(carrying.numbers([field.place], {}, 1)) or any(
        name_of(leaf.field)[: len(name)] == name for leaf in carrying.leaves
    )


def _told(field: Field) -> dict[str, Json]:
    return {
        "place": field.place,
        "kind": field.kind,
        "required": field.is_required,
        "about": field.about,
        "isPersonal": field.is_personal,
    }


def _leaf(leaf: Leaf) -> dict[str, Json]:
    return {
        "field": leaf.field,
        "way": leaf.way.value,
        "written": leaf.written,
        "from": list(leaf.value.paths),
        "conditions": list(leaf.conditions),
        "decidedBy": list(leaf.decided.paths),
        "tables": list(leaf.value.tables),
        "constants": list(leaf.value.constants),
        "functions": list(leaf.value.functions),
        "known": leaf.value.is_known,
    }


def _coverage(catalog: Catalog, entry: NamedMapping, carrying: FieldCoverage, came: Came) -> dict[str, Json]:
    source = [field.place for field in _fields(catalog, entry.mapping.source)] if not entry.is_foreign else []
    target = _fields(catalog, entry.mapping.target)
    seen = ends(came.places, source)
    values = ends([field.place for field in target])
    numbers: Mapping[str, Any] = carrying.numbers(values, came.places, came.messages)
    left: list[Json] = [{"place": place, "number": came.places[place]} for place in seen if not carrying.takes(place)]
    # A required field inside an object or element is missing only if the mapping makes that object.
    lacking: list[Json] = [field.place for field in target if field.is_required and _is_lacking(carrying, field)]
    is_counted = not entry.is_foreign and came.messages > 0
    return {
        "messages": came.messages if not entry.is_foreign else None,
        "sourceFields": len(ends(source)) if source else None,
        "takenFields": sum(carrying.takes(place) for place in ends(source)) if source else None,
        "targetFields": len(values),
        "madeFields": len(numbers),
        "came": len(seen) if is_counted else None,
        "carried": len(seen) - len(left) if is_counted else None,
        "filled": sum(number > 0 for number in numbers.values()) if is_counted else None,
        "left": left,
        "lacking": lacking,
    }


def _is_lacking(carrying: FieldCoverage, field: Field) -> bool:
    name = name_of(field.place)
    is_within = len(name) == 1 or any(
        name_of(leaf.field)[: len(name) - 1] == name[:-1] and leaf.field.count("/") > 0 for leaf in carrying.leaves
    )
    return is_within and not _is_made(carrying, field)
