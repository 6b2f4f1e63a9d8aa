"""Versions that live side by side and do not fit each other: there must be a way from one to the other, or somebody
does not know of it.
"""

from __future__ import annotations

from hub.catalog import mapping_paths
from hub.catalog.catalog import Catalog
from hub.catalog.files.system import live
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import read_yaml
from hub.core.config.system import Accept, Emit
from hub.core.message import Ref
from hub.core.schemas.change_effects import Effect
from hub.core.schemas.compat import Change, compare


def judge(catalog: Catalog, findings: Findings) -> None:
    """Warns where the next live version refuses what the one before takes, and no mapping leads on.

    Of what a system emits, only upwards counts: keys, conditions and mappings are over the newest version. Of what it
    accepts, either way does.
    """
    for system in catalog.systems.values():
        for side, messages in (("emits", system.emits), ("accepts", system.accepts)):
            for name, message in messages.items():
                _judge(catalog, side, Ref(system.name, name, 1), message, findings)


def _judge(catalog: Catalog, side: str, ref: Ref, message: Emit | Accept, findings: Findings) -> None:
    numbers = live(dict(message.versions))
    for index, number in enumerate(numbers[:-1]):
        old, newer = (
            Ref(ref.system, ref.name, number),
            [Ref(ref.system, ref.name, other) for other in numbers[index + 1 :]],
        )
        if any(_leads(catalog, old, new) or (side == "accepts" and _leads(catalog, new, old)) for new in newer):
            continue
        broken = _broken(message, old, newer[0])
        if broken is None:
            continue
        file = f"adapters/{ref.system}/system.yaml"
        place = read_yaml(file, catalog.files.get(file, "")).place((side, ref.name, "versions", str(newer[0].version)))
        text = f"{newer[0]} refuses what version {number} takes ({broken.pointer or '/'}: {broken.text}), and no mapping leads from one to the other"
        findings.add(file, place, Check.NO_UPGRADE, text, f"draft it: hub new mapping {old} {newer[0]}")


def _leads(catalog: Catalog, one: Ref, other: Ref) -> bool:
    return mapping_paths.way(catalog.mappings.keys(), one, other) is not None


def _broken(message: Emit | Accept, old: Ref, new: Ref) -> Change | None:
    """The first change that a document proves to break senders; what could not be decided is no alarm."""
    before, after = message.contracts.get(old.version), message.contracts.get(new.version)
    if before is None or after is None:
        return None
    return next((change for change in compare(before, after).changes if change.effect is Effect.NARROWS), None)
