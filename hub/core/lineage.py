"""Where each field of a mapping's target comes from: the paths, tables, constants and functions that make it. Static: no message is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hub.core.json import escape
from hub.core.message import Json
from hub.core.places import ELEMENT
from hub.core.reads import Names, called, paths
from hub.core.syntax import read
from hub.core.tree import Call, Literal, Variable, walk

_NUMBERED = re.compile(r"\.([0-9]{1,6})(?=\.|\[|$)")  # our plain paths have `items.0.sku` too


@dataclass(frozen=True, slots=True)
class Origin:
    """What makes one field. Paths are places of the whole source (`/items/*/sku`), in the order of the mapping, without repetition.

    `is_known` is False where an expression is beyond the reader: then what stands here may not be all.
    """

    paths: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    constants: tuple[Json, ...] = ()
    functions: tuple[str, ...] = ()
    is_known: bool = True

    def __or__(self, other: Origin) -> Origin:
        return Origin(
            _joined(self.paths, other.paths),
            _joined(self.tables, other.tables),
            self.constants + tuple(one for one in other.constants if one not in self.constants),
            _joined(self.functions, other.functions),
            self.is_known and other.is_known,
        )

    def as_json(self) -> dict[str, Json]:
        return {
            "paths": list(self.paths),
            "tables": list(self.tables),
            "constants": list(self.constants),
            "functions": list(self.functions),
            "known": self.is_known,
        }


def lineage(document: Json) -> dict[str, Origin]:
    """The origin of each target field of a mapping's document (plain values), by pointer, `/items/*/sku`."""
    found: dict[str, Origin] = {}
    if isinstance(document, dict):
        _leaf(document.get("fields", {}), "", (), Origin(), found)
    return found


def forwards(origins: Mapping[str, Origin], path: str) -> list[str]:
    """The target fields that a field of the source reaches, it or what is below it."""
    return [field for field, origin in origins.items() if any(one == path or one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in origin.paths)]


def _leaf(leaf: Json, field: str, base: Names, above: Origin, found: dict[str, Origin]) -> None:
    """Adds a leaf and what is below it; `base` is the element that expressions are over, `above` what decides whether the leaf is there."""
    if isinstance(leaf, str):
        _add(found, field, above | _origin(leaf, base))
    elif not isinstance(leaf, dict):
        return
    elif _is(leaf, "each", {"fields", "value"}):
        over = str(leaf["each"])
        places = _paths(over, base)
        _add(found, field, above | _origin(over, base))
        _leaf(leaf.get("fields", leaf.get("value")), f"{field}/{ELEMENT}", (*(places[0] if places else base), ELEMENT), above, found)
    elif _is(leaf, "copy", {"except"}, is_alone=True):
        _add(found, field, above | _origin(str(leaf["copy"]), base))
    elif _is(leaf, "table", {"of", "otherwise"}):
        constants = (leaf["otherwise"],) if "otherwise" in leaf else ()
        _add(found, field, above | _origin(str(leaf["of"]), base) | Origin(tables=(str(leaf["table"]),), constants=constants))
    elif _is(leaf, "const", set(), is_alone=True):
        _add(found, field, above | Origin(constants=(leaf["const"],)))
    elif _is(leaf, "when", {"value", "otherwise"}):
        decided = above | _origin(str(leaf["when"]), base)
        for part in ("value", "otherwise"):
            _leaf(leaf.get(part), field, base, decided, found)
    else:
        for name, child in leaf.items():
            _leaf(child, f"{field}/{escape(str(name))}", base, above, found)


def _is(leaf: dict[str, Json], word: str, partners: set[str], *, is_alone: bool = False) -> bool:
    return word in leaf and leaf.keys() <= {word, *partners} and (is_alone or len(leaf) > 1)


def _add(found: dict[str, Origin], field: str, origin: Origin) -> None:
    found[field] = found.get(field, Origin()) | origin


def _spelled(text: str) -> str:
    return _NUMBERED.sub(r"[\1]", text) if re.fullmatch(r"[\w.$\[\]]+", text) and not text[0].isdigit() else text


def _paths(text: str, base: Names) -> list[Names]:
    try:
        return paths(_spelled(text), base, {"source": ()})
    except ValueError:
        return []


def _origin(text: str, base: Names) -> Origin:
    try:
        tree = read(_spelled(text))
    except ValueError:
        return Origin(is_known=False)
    tables = tuple(
        str(node.arguments[0].value)
        for node in walk(tree)
        if isinstance(node, Call)
        and isinstance(node.function, Variable)
        and node.function.name == "table"
        and node.arguments
        and isinstance(node.arguments[0], Literal)
    )
    places = tuple("".join(f"/{name if name == ELEMENT else escape(name)}" for name in place) or "/" for place in _paths(text, base))
    return Origin(places, tables, (), _joined((), tuple(f"${name}" for name in called(tree))))


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))
