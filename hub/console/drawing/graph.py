"""One route as a picture: what a message meets, one under the other; beside it a row for each target. Where everything
stands, in pixels. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hub.console.drawing.landscape import width as thickness

WIDTH = 960
NARROW = 330  # of the same on a phone: all in one column
TRUNK = 300  # width of what all messages meet
INDENT = 24  # of a target's boxes in one column
COLUMNS = {3: (248, 118, 190), 2: (176, 380)}  # widths of a row's boxes, with a condition and without
GAP_X, GAP_Y = 34, 14
LINE = 16  # from one line of text to the next
HEAD = 26  # of a box, above its text
FOOT = 10
LETTER = 7.3  # width of a letter of the text
MOST_LINES = 2
PAD = 10


@dataclass(frozen=True, slots=True)
class Box:
    """A box. `kind`: a step's, or when, canary, mapping, none, target; `lines`: its text as it fits; `told`: what
    flow.overview.routes tells of it.
    """

    kind: str
    lines: tuple[str, ...]
    text: str
    x: int
    y: float
    width: int
    height: int
    told: Mapping[str, Any]

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> int:
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Wire:
    """A line from one box to the next; that of a branch has what is told of the branch."""

    path: str
    width: float
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    width: int
    height: int
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


def graph(told: Mapping[str, Any]) -> Graph:
    """Draws what flow.overview.routes.graph tells. The same route is always the same picture, whatever flows."""
    trunk = _trunk(told["steps"], TRUNK)
    rows = _rows(told["branches"])
    tall = max(trunk[-1].y + trunk[-1].height, rows[-1][0].y + rows[-1][0].height if rows else 0.0)
    # Where the targets take less room than the steps, they stand beside the last step, which they come from.
    lead = _lead(trunk, rows)
    rows = [[_moved(box, lead) for box in row] for row in rows]
    wires = [_down(one, other) for one, other in pairwise(trunk)]
    for row in rows:
        line = row[-1].told
        wires += [_across(one, other, line) for one, other in zip([trunk[-1], *row], row, strict=False)]
    boxes = (*trunk, *(box for row in rows for box in row))
    return Graph(WIDTH, int(max(tall, *(box.y + box.height for box in boxes)) + 2), boxes, tuple(wires))


def narrow(told: Mapping[str, Any]) -> Graph:
    """The same in one column, for a phone: the steps, then each target's boxes under them, a little to the right."""
    trunk = _trunk(told["steps"], NARROW - 2)
    boxes, wires = list(trunk), [_down(one, other) for one, other in pairwise(trunk)]
    y, stem = trunk[-1].y + trunk[-1].height + GAP_Y + 6, trunk[-1].y + trunk[-1].height
    for branch in told["branches"]:
        before: Box | None = None
        for kind, text in _cells(branch):
            box = _box(kind, text, 1 + INDENT, y, NARROW - INDENT - 2, branch)
            if before is None:
                path = f"M13,{stem:.1f} L13,{box.middle:.1f} L{box.x},{box.middle:.1f}"
                wires.append(Wire(path, thickness(branch["perSecond"]), branch))
            else:
                wires.append(_down(before, box, branch))
            boxes.append(box)
            before, y = box, y + box.height + GAP_Y
        y += 6
    return Graph(NARROW, int(max(box.y + box.height for box in boxes)) + 2, tuple(boxes), tuple(wires))


def fitted(text: str, wide: int) -> tuple[str, ...]:
    """A text in at most two lines of a box so wide; broken at blanks where that is possible, cut with … where it is too
    long.
    """
    room = int((wide - 2 * PAD) / LETTER)
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < MOST_LINES:
        if len(rest) <= room:
            lines.append(rest)
            return tuple(lines)
        if len(lines) == MOST_LINES - 1:
            lines.append(rest[: room - 1] + "…")
            break
        blank = rest.rfind(" ", room // 3, room + 1)
        cut = blank if blank > 0 else max(rest.rfind(sign, room // 3, room) for sign in "/.-(")
        cut = cut + (rest[cut] != " ") if cut > 0 else room
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return tuple(lines) or ("",)


def _trunk(steps: Sequence[Mapping[str, Any]], wide: int) -> list[Box]:
    found: list[Box] = []
    y, before = 2.0, None
    for step in steps:
        left = max(0, before - step["out"]) if before is not None and step["kind"] in ("drop", "when") else 0
        box = _box(step["kind"], step["text"], 1, y, wide, {**step, "left": left})
        found.append(box)
        y, before = box.y + box.height + GAP_Y + 6, step["out"]
    return found


def _rows(branches: Sequence[Mapping[str, Any]]) -> list[list[Box]]:
    columns = _columns(3 if any(branch["condition"] for branch in branches) else 2)
    found: list[list[Box]] = []
    y = 2.0
    for branch in branches:
        cells = _cells(branch)
        places = columns if len(cells) == len(columns) else columns[-len(cells) :]
        row = [_box(kind, text, x, y, wide, branch) for (kind, text), (x, wide) in zip(cells, places, strict=True)]
        tall = max(box.height for box in row)
        found.append([Box(box.kind, box.lines, box.text, box.x, box.y, box.width, tall, box.told) for box in row])
        y += tall + GAP_Y
    return found


def _columns(number: int) -> list[tuple[int, int]]:
    """Left edges and widths of a row's boxes; what is left over is between them."""
    gap = (WIDTH - TRUNK - 2 - sum(COLUMNS[number])) // number
    found, x = [], 1 + TRUNK
    for wide in COLUMNS[number]:
        found.append((x + gap, wide))
        x += gap + wide
    return found


def _cells(branch: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a message for one target meets, as (kind, text); the text of a mapping is the page's to say."""
    condition, mappings = branch["condition"], branch["mappings"]
    cells = [(condition["kind"], condition["text"])] if condition else []
    return [*cells, ("none" if mappings is None else "mapping", ""), ("target", branch["target"])]


def _box(kind: str, text: str, x: int, y: float, wide: int, told: Mapping[str, Any]) -> Box:
    lines = fitted(text, wide)
    return Box(kind, lines, text, x, y, wide, HEAD + len(lines) * LINE + FOOT, told)


def _lead(trunk: Sequence[Box], rows: Sequence[Sequence[Box]]) -> float:
    """How far down the rows begin: so that their middle is the last step's, but never above the top."""
    if not rows:
        return 0.0
    middle = (rows[0][0].y + rows[-1][0].y + rows[-1][0].height) / 2
    return max(0.0, trunk[-1].middle - middle)


def _moved(box: Box, down: float) -> Box:
    return Box(box.kind, box.lines, box.text, box.x, round(box.y + down, 1), box.width, box.height, box.told)


def _down(one: Box, other: Box, told: Mapping[str, Any] | None = None) -> Wire:
    x = one.x + 24
    return Wire(
        f"M{x},{one.y + one.height:.1f} L{x},{other.y:.1f}", thickness(told["perSecond"]) if told else 1.5, told or {}
    )


def _across(one: Box, other: Box, told: Mapping[str, Any]) -> Wire:
    bend = (one.right + other.x) / 2
    path = (
        f"M{one.right},{one.middle:.1f} C{bend},{one.middle:.1f} {bend},{other.middle:.1f} {other.x},{other.middle:.1f}"
    )
    if other.x - one.right > 2 * GAP_X:  # a row without a condition passes its place in a straight line
        bend = one.right + GAP_X
        turn = (one.right + bend) / 2
        path = f"M{one.right},{one.middle:.1f} C{turn},{one.middle:.1f} {turn},{other.middle:.1f} {bend},{other.middle:.1f} L{other.x},{other.middle:.1f}"
    return Wire(path, thickness(told["perSecond"]), told)
