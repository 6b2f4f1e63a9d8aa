"""Traffic: which fields of each version really came, as counted. A newer version also gets what older ones are upgraded to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from hub.catalog import Catalog
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import plain, read_yaml
from hub.core.analysis.field_coverage import Carrying
from hub.core.analysis.lineage import Leaf, leaves
from hub.core.message import Ref
from hub.core.schemas.fields import fields
from hub.flow.context.usage import OTHER
from hub.store import Used


@dataclass(slots=True)
class Came:
    """Of one version: how many messages, and how many of them had each place (`/items/*/sku`)."""

    messages: int = 0
    places: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Traffic:
    """What was counted, by version."""

    by_ref: dict[Ref, Came]

    def came(self, catalog: Catalog, ref: Ref) -> Came:
        """As mappings from `ref` get it: what came as this version, and as older ones that are upgraded to it."""
        mine = self.by_ref.get(ref, Came())
        found = Came(mine.messages, Counter(mine.places))
        contract = catalog.contract(ref)
        for source, target in catalog.mappings:
            if target == ref and source.type == ref.type and source.version < ref.version:
                older = self.came(catalog, source)
                targets = [one.place for one in fields(contract)] if contract is not None else []
                found.messages += older.messages
                found.places.update(carrying(catalog, source, target).numbers(targets, older.places, older.messages))
        return found


def counted(used: Iterable[Used]) -> Traffic:
    """Sums over callers. Of places beyond what is kept apart (`/*`), and of refusals of shadows, nothing is known here."""
    by_ref: dict[Ref, Came] = {}
    for one in used:
        came = by_ref.setdefault(one.ref, Came())
        if not one.field:
            came.messages += one.number
        elif one.field.startswith("/") and one.field != OTHER:
            came.places[one.field] += one.number
    return Traffic(by_ref)


def carrying(catalog: Catalog, source: Ref, target: Ref) -> Carrying:
    """The leaves of the mapping between two versions; none where there is no such mapping."""
    return of_file(catalog, file_name(source, target))


def of_file(catalog: Catalog, file: str) -> Carrying:
    """The leaves of a mapping's file."""
    return Carrying(_leaves(file, catalog.files.get(file, "")))


@lru_cache(maxsize=2_000)  # YAML is slow to read, and the same files are looked at again and again
def _leaves(file: str, text: str) -> tuple[Leaf, ...]:
    root = read_yaml(file, text).root if text else None
    return tuple(leaves(plain(root, file, Findings()))) if root is not None else ()
