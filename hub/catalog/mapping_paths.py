"""Ways from one contract version to another: mappings one after the other. Old versions are upgraded first; a target's
older version is reached last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import TypeAlias

from hub.core.config.system import LIVE, Version
from hub.core.message import Ref

Pair: TypeAlias = tuple[Ref, Ref]

MAX_STEPS = 16


def upgrade(pairs: Collection[Pair], source: Ref, versions: Mapping[int, Version]) -> tuple[Pair, ...]:
    """The mappings that lead from `source` to the newest live version that can be reached; () where it stays what it
    is.

    Only towards higher versions, and by the fewest steps.
    """
    steps = _reached(pairs, source, lambda one, other: other.type == source.type and other.version > one.version)
    newest = max((ref for ref in steps if _is_live(versions, ref.version)), key=lambda ref: ref.version, default=source)
    return steps.get(newest, ())


def way(pairs: Collection[Pair], source: Ref, target: Ref) -> tuple[Pair, ...] | None:
    """The mappings from `source` to `target` by the fewest steps, by way of other versions of either; None where there
    is no way.
    """

    def is_step(one: Ref, other: Ref) -> bool:
        return (one.type == other.type and one.type in (source.type, target.type)) or (
            one.type == source.type and other.type == target.type
        )

    return _reached(pairs, source, is_step).get(target)


def _is_live(versions: Mapping[int, Version], number: int) -> bool:
    return number in versions and versions[number].state in LIVE


def _reached(pairs: Collection[Pair], source: Ref, is_step: object) -> dict[Ref, tuple[Pair, ...]]:
    """All that can be reached from `source`, each by the fewest steps; `source` itself by none. Among equals the lower
    version goes first.
    """
    assert callable(is_step)
    found: dict[Ref, tuple[Pair, ...]] = {source: ()}
    waiting = deque([source])
    onward: dict[Ref, list[Ref]] = {}
    for one, other in pairs:
        if one != other and is_step(one, other):
            onward.setdefault(one, []).append(other)
    while waiting:
        here = waiting.popleft()
        for there in sorted(onward.get(here, ())):
            if there not in found and len(found[here]) < MAX_STEPS:
                found[there] = (*found[here], (here, there))
                waiting.append(there)
    return found
