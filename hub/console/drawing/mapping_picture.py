"""A mapping as a picture: the source's fields on the left, the target's on the right, lines between. Where everything
stands, in pixels. Pure.

Of a large mapping each group of the target (an object or a list at its top, or the plain fields there) is a picture of
its own, with the source's fields that it is made of.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.core.analysis.field_coverage import Name, name_of

WIDTH = 960
ROW = 26
TOP = 28  # above the rows, where the two messages are named
INDENT = 14
LEFT, RIGHT = 300, 500  # where lines begin and end
WRITTEN_AT = 700  # where what makes a field is written
MOST = 60  # rows of one side in one picture
SIZE, SMALL = 7.3, 6.7  # pixels of a character: of a name, of what is written beside it
WHOLE = "/"


@dataclass(slots=True)
class Row:
    """One field of one side. `id` is its own within the page; `told`: what flow.interfaces.mappings tells of it;
    `leaves`: of a target, how it is made.
    """

    id: str
    place: str
    text: str
    depth: int
    y: float
    told: Mapping[str, Any]
    leaves: Sequence[Mapping[str, Any]] = ()
    ends: list[str] = field(default_factory=list)  # ids of the other side that a line leads to
    written: str = ""  # cut to the room there is

    @property
    def way(self) -> str:
        """How a target is made; empty: nothing makes it by itself."""
        return str(self.leaves[0]["way"]) if self.leaves else ""

    @property
    def ways(self) -> int:
        """In how many ways it is made, by its conditions."""
        return len(self.leaves)


@dataclass(frozen=True, slots=True)
class MappingEdge:
    """From a field to a field. `decides`: the field only decides whether the other is there."""

    tail: str
    head: str
    path: str
    way: str
    decides: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """One group, or all of it. `name` empty: the plain fields at the top."""

    name: str
    height: int
    source: Sequence[Row]
    target: Sequence[Row]
    lines: Sequence[MappingEdge]


def pictures(told: Mapping[str, Any]) -> list[Picture]:
    """What flow.interfaces.mappings tells of one mapping, drawn. The same mapping is always the same picture."""
    source, target, leaves = _with_lookups(told), _with_own(told), told["leaves"]
    if max(len(source), len(target)) <= MOST:
        return [_picture("", source, target, leaves, 0)]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    heads = {name_of(one["place"])[0] for one in target if len(name_of(one["place"])) > 1}
    for one in target:
        top = (name_of(one["place"]) or ("",))[0]
        groups.setdefault(top if top in heads else "", []).append(one)
    found = []
    for number, (name, mine) in enumerate(groups.items()):
        names = {name_of(one["place"]) for one in mine}
        made = [leaf for leaf in leaves if name_of(leaf["field"]) in names]
        read = [name_of(path) for leaf in made for path in (*leaf["from"], *leaf["decidedBy"])]
        used = [one for one in source if any(_leads(name_of(one["place"]), path) for path in read)]
        found.append(_picture(name, used, mine, made, number))
    return found


def _leads(name: Name, path: Name) -> bool:
    """Whether a field is on the way to what is read, or is it."""
    return path[: len(name)] == name


def _with_lookups(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The source's fields; the whole message first, where something takes it; what routes look up last."""
    rows = list(told["source"])
    places = [path for leaf in told["leaves"] for path in (*leaf["from"], *leaf["decidedBy"])]
    nothing = {"kind": "", "required": False, "about": "", "isPersonal": False, "came": 0, "isTaken": True}
    if any(not name_of(path) for path in places):
        rows.insert(0, {**nothing, "place": WHOLE})
    return [*rows, *({**nothing, "place": f"/{name}"} for name in told["lookups"])]


def _with_own(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The target's fields, and those that the mapping makes though its contract does not name them."""
    known = {name_of(one["place"]) for one in told["target"]}
    beside = dict.fromkeys(leaf["field"] for leaf in told["leaves"] if name_of(leaf["field"]) not in known)
    nothing = {"kind": "", "required": False, "about": "", "isPersonal": False, "isMade": True, "filled": 0}
    return [*told["target"], *({**nothing, "place": place or WHOLE} for place in beside)]


def _picture(
    name: str,
    source: Sequence[Mapping[str, Any]],
    target: Sequence[Mapping[str, Any]],
    leaves: Iterable[Mapping[str, Any]],
    number: int,
) -> Picture:
    by_field: dict[Name, list[Mapping[str, Any]]] = {}
    for leaf in leaves:
        by_field.setdefault(name_of(leaf["field"]), []).append(leaf)
    rows = max(len(source), len(target), 1)
    left = [_row(f"s{number}-{place}", one, place, (rows - len(source)) / 2) for place, one in enumerate(source)]
    right = [_row(f"t{number}-{place}", one, place, (rows - len(target)) / 2) for place, one in enumerate(target)]
    at = {name_of(row.place): row for row in left}
    lines: list[MappingEdge] = []
    for row in right:
        row.leaves = by_field.get(name_of(row.place), ())
        row.written = fitted(written(row.leaves, brief=True), RIGHT + 380 - WRITTEN_AT, SMALL)
        seen: dict[str, MappingEdge] = {}
        for leaf in row.leaves:
            for path, decides in (*((one, False) for one in leaf["from"]), *((one, True) for one in leaf["decidedBy"])):
                tail = _found(at, name_of(path))
                if tail is not None and tail.id not in seen:
                    seen[tail.id] = MappingEdge(tail.id, row.id, _path(tail.y, row.y), leaf["way"], decides)
                    tail.ends.append(row.id)
                    row.ends.append(tail.id)
        lines += seen.values()
    return Picture(name, int(rows * ROW + TOP + 8), left, right, lines)


def _row(id_: str, one: Mapping[str, Any], place: int, lead: float) -> Row:
    parts = [part for part in one["place"].split("/") if part]
    depth = max(0, sum(part != "*" for part in parts) - 1)
    last = parts[-1] if parts else ""
    text = (f"{parts[-2]}[]" if len(parts) > 1 else "[]") if last == "*" else last.replace("~1", "/").replace("~0", "~")
    if one.get("kind") == "array" and last != "*":
        text += "[]"
    room = (LEFT - 70 if id_.startswith("s") else WRITTEN_AT - RIGHT - 20) - depth * INDENT
    return Row(id_, one["place"], fitted(text, room, SIZE) or WHOLE, depth, TOP + (lead + place + 0.5) * ROW, one)


def written(leaves: Sequence[Mapping[str, Any]], *, brief: bool = False) -> str:
    """How a field is made, in one line, as its file has it: conditions with a question mark behind them, or in brief
    the mark alone.
    """
    texts = []
    for leaf in leaves:
        conditions = leaf["conditions"][-1:]
        before = ["?"] if brief and conditions else [f"{condition} ?" for condition in conditions]
        texts.append(" ".join(" ".join((*before, leaf["written"])).split()))
    return " | ".join(texts)


def fitted(text: str, room: float, size: float) -> str:
    """As much of a text as has room; wide characters count twice."""
    left = int(room / size)
    kept = ""
    for char in text:
        left -= 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if left < 1 and len(kept) + 1 < len(text):
            return f"{kept}…"
        kept += char
    return kept


def _found(at: Mapping[Name, Row], path: Name) -> Row | None:
    """The row of a place, or the nearest one above it: contracts do not always say what is within."""
    for depth in range(len(path), -1, -1):
        if path[:depth] in at:
            return at[path[:depth]]
    return None


def _path(y: float, to: float) -> str:
    bend = (LEFT + RIGHT) / 2
    return f"M{LEFT},{y:g} C{bend:g},{y:g} {bend:g},{to:g} {RIGHT},{to:g}"
