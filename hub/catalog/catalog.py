"""The catalogue: one workspace, read, cross-checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.catalog import mapping_paths
from hub.core.config.mapping import Mapping as FieldMapping
from hub.core.config.routing import Route, TargetPolicy
from hub.core.config.system import Accept, Emit, System
from hub.core.errors import Finding
from hub.core.message import Ref
from hub.core.schemas.contract import Contract


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that the hub knows of its systems, contracts, mappings and routes. `revision` is the hash of `files`."""

    revision: str
    files: Mapping[str, str]
    systems: Mapping[str, System]
    routes: tuple[Route, ...]
    targets: Mapping[str, TargetPolicy]
    mappings: Mapping[tuple[Ref, Ref], FieldMapping]
    foreign: Mapping[str, FieldMapping] = field(default_factory=dict)  # of what hooks and queues receive, by name
    warnings: tuple[Finding, ...] = ()
    _routes_from: Mapping[str, tuple[Route, ...]] = field(default_factory=dict, repr=False)
    # ways that were asked for before
    _found: dict[tuple[Ref, Ref | None], tuple[FieldMapping, ...] | None] = field(default_factory=dict, repr=False)

    def emit(self, type_: str) -> Emit | None:
        """What is known of a message that a system sends, by `system/name`."""
        system, _, name = type_.partition("/")
        found = self.systems.get(system)
        return found.emits.get(name) if found else None

    def accept(self, ref: Ref) -> Accept | None:
        found = self.systems.get(ref.system)
        return found.accepts.get(ref.name) if found else None

    def contract(self, ref: Ref) -> Contract | None:
        """The contract of one version, whichever way it goes."""
        side = self.accept(ref) or self.emit(ref.type)
        return side.contracts.get(ref.version) if side else None

    def mapping(self, source: Ref, target: Ref) -> FieldMapping | None:
        return self.mappings.get((source, target))

    def upgrade(self, source: Ref) -> tuple[FieldMapping, ...]:
        """The mappings that make the newest live version of a message out of `source`; () where it is that, or cannot
        become it.
        """
        if (source, None) not in self._found:
            emit = self.emit(source.type)
            steps = mapping_paths.upgrade(self.mappings.keys(), source, emit.versions) if emit is not None else ()
            self._found[source, None] = tuple(self.mappings[step] for step in steps)
        return self._found[source, None] or ()

    def way(self, source: Ref, target: Ref) -> tuple[FieldMapping, ...] | None:
        """The mappings from `source` to `target`, one after the other; None where there is no way."""
        if (source, target) not in self._found:
            steps = mapping_paths.way(self.mappings.keys(), source, target)
            self._found[source, target] = tuple(self.mappings[step] for step in steps) if steps is not None else None
        return self._found[source, target]

    def routes_from(self, type_: str) -> tuple[Route, ...]:
        return self._routes_from.get(type_, ())


def by_source(routes: tuple[Route, ...]) -> dict[str, tuple[Route, ...]]:
    return {
        type_: tuple(route for route in routes if route.source == type_) for type_ in {route.source for route in routes}
    }
