"""Traffic per contract version: how often each field was sent. A newer version includes the upgraded messages of older
ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from hub.catalog import Catalog
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import plain, read_yaml
from hub.core.analysis.field_coverage import FieldCoverage
from hub.core.analysis.lineage import Leaf, leaves
from hub.core.message import Ref
from hub.core.schemas.fields import fields
from hub.flow.context.usage import OTHER
from hub.store import UsageCount


@dataclass(slots=True)
class Came:
    """The traffic of one version: the number of messages, and per field (`/items/*/sku`) the number of messages with
    it.
    """

    messages: int = 0
    places: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Traffic:
    """The counted traffic, by version."""

    by_ref: dict[Ref, Came]

    def came(self, catalog: Catalog, ref: Ref) -> Came:
        """The traffic that mappings from `ref` read: messages of this version, and of older ones that are upgraded to
        it.
        """
        direct = self.by_ref.get(ref, Came())
        total = Came(direct.messages, Counter(direct.places))
        contract = catalog.contract(ref)
        for source, target in catalog.mappings:
            if target == ref and source.type == ref.type and source.version < ref.version:
                older = self.came(catalog, source)
                targets = [target_field.place for target_field in fields(contract)] if contract is not None else []
                total.messages += older.messages
                total.places.update(carrying(catalog, source, target).numbers(targets, older.places, older.messages))
        return total


def counted(used: Iterable[UsageCount]) -> Traffic:
    """Sums the usage over callers. Fields counted as OTHER (`/*`) and the results of shadow versions are ignored."""
    by_ref: dict[Ref, Came] = {}
    for usage in used:
        came = by_ref.setdefault(usage.ref, Came())
        if not usage.field:
            came.messages += usage.number
        elif usage.field.startswith("/") and usage.field != OTHER:
            came.places[usage.field] += usage.number
    return Traffic(by_ref)


def carrying(catalog: Catalog, source: Ref, target: Ref) -> FieldCoverage:
    """The leaves of the mapping between two versions; empty if there is no such mapping."""
    return of_file(catalog, file_name(source, target))


def of_file(catalog: Catalog, file: str) -> FieldCoverage:
    """The leaves of a mapping's file."""
    return FieldCoverage(_leaves(file, catalog.files.get(file, "")))


@lru_cache(maxsize=2_000)  # cached: YAML is slow to parse, and the same files are read often
def _leaves(file: str, text: str) -> tuple[Leaf, ...]:
    root = read_yaml(file, text).root if text else None
    return tuple(leaves(plain(root, file, Findings()))) if root is not None else ()
