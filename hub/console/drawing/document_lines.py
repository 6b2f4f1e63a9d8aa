"""Documents as lines to look at: each with its pointer, its place among alike ones, and how it differs from the stage
before. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hub.core import json
from hub.core.documents.pointers import ELEMENT
from hub.core.json import escape
from hub.core.message import Json
from hub.core.schemas.contract import MASK

MOST = 1_500  # lines of one document that are shown
MOST_TEXT = 2_000  # characters of one value


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One line of a document. `place` is the pointer with `*` for each element of a list; empty for a line that only
    closes.
    """

    depth: int
    name: str
    text: str
    pointer: str
    place: str
    mark: str = ""  # added, changed, moved; of what holds it too
    is_hidden: bool = False  # masked: it is personal


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document, what the stage before had and this one has not, and how many differences there are of each kind."""

    lines: Sequence[DocumentLine]
    is_cut: bool
    removed: Sequence[Mapping[str, Any]]
    moved: Mapping[str, str]
    counts: Mapping[str, int]


def shown(body: Json, changes: Sequence[Mapping[str, Any]] | None) -> DocumentView:
    """A stage's body with its changes, as `flow.views.stages` and `flow.dry_run.message` tell them."""
    given = list(changes or ())
    marks = {str(one["pointer"]): str(one["kind"]) for one in given if one["kind"] != "removed"}
    found = list(islice(_lines(body, "", "", "", 0, marks, ""), MOST + 1))
    moved = {
        str(one["pointer"]): str(one["from"]) for one in given if one["kind"] == "moved" and one.get("from") is not None
    }
    removed = [{**one, "text": text_of(one.get("old"))} for one in given if one["kind"] == "removed"]
    return DocumentView(found[:MOST], len(found) > MOST, removed, moved, Counter(str(one["kind"]) for one in given))


def text_of(value: Json) -> str:
    """A value in one line, cut where it is long."""
    text = json.encode(value).decode("utf-8", "replace")
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def _lines(
    value: Json, name: str, pointer: str, place: str, depth: int, marks: Mapping[str, str], above: str
) -> Iterator[DocumentLine]:
    mark = marks.get(pointer, above)
    if isinstance(value, dict) and value:
        yield DocumentLine(depth, name, "{", pointer, place, mark)
        for member, inner in value.items():
            yield from _lines(
                inner, member, f"{pointer}/{escape(member)}", f"{place}/{escape(member)}", depth + 1, marks, mark
            )
        yield DocumentLine(depth, "", "}", pointer, "", mark)
    elif isinstance(value, list) and value:
        yield DocumentLine(depth, name, "[", pointer, place, mark)
        for index, inner in enumerate(value):
            yield from _lines(inner, "", f"{pointer}/{index}", f"{place}/{ELEMENT}", depth + 1, marks, mark)
        yield DocumentLine(depth, "", "]", pointer, "", mark)
    else:
        yield DocumentLine(depth, name, text_of(value), pointer, place, mark, value == MASK)
