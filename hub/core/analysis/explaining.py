"""Why a condition holds or does not: its parts, each with the values that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.core.documents.pointers import places
from hub.core.errors import GiveUp
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.read_paths import paths
from hub.core.expressions.syntax import read
from hub.core.expressions.tree import Binary, Block, Node
from hub.core.message import Json
from hub.core.schemas.contract import Contract

MAX_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Part:
    """One comparison of a condition. `holds` None: it cannot be computed. `values`: what its fields are, missing ones
    left out.
    """

    text: str
    holds: bool | None
    values: dict[str, Json]

    def as_json(self) -> dict[str, Json]:
        return {"text": self.text, "holds": self.holds, "values": dict(self.values)}


@dataclass(frozen=True, slots=True)
class Outline:
    """A condition's comparisons, each once, and how they are joined, by their numbers from 1: `1 and (2 or 3)`."""

    parts: tuple[str, ...]
    shape: str


def explain(text: str, payload: Json, *, now: datetime, contract: Contract | None) -> list[Part]:
    """The parts that `and` and `or` join, from left to right, each by itself and each once. What `contract` calls
    personal is masked.
    """
    return [_part(one, payload, now, contract) for one in outline(text).parts]


def outline(text: str) -> Outline:
    """What a condition is put together of. What the reader does not know is one part."""
    parts: list[str] = []
    try:
        shape = _outline(text, 0, len(text), read(text), parts)
    except ValueError:
        return Outline((text.strip(),), "1")
    return Outline(tuple(parts), shape)


def _outline(text: str, start: int, end: int, node: Node, parts: list[str]) -> str:
    if isinstance(node, Binary) and node.sign in ("and", "or"):
        after = node.at + len(node.sign)
        return f"{_outline(text, start, node.at, node.left, parts)} {node.sign} {_outline(text, after, end, node.right, parts)}"
    if (
        isinstance(node, Block)
        and len(node.parts) == 1
        and text[start:end].strip().startswith("(")
        and text[start:end].strip().endswith(")")
    ):
        inner = text.index("(", start) + 1
        within = _outline(text, inner, text.rindex(")", inner, end), node.parts[0], parts)
        return f"({within})" if isinstance(node.parts[0], Binary) and " " in within else within
    part = text[start:end].strip()
    if part not in parts:
        parts.append(part)
    return str(parts.index(part) + 1)


def _part(text: str, payload: Json, now: datetime, contract: Contract | None) -> Part:
    try:
        holds: bool | None = compile_expression(text).holds(payload, now=now)
    except (GiveUp, ValueError):
        holds = None
    values: dict[str, Json] = {}
    try:
        for path in paths(text):
            found = [one if contract is None else contract.masked(one, place) for place, one in places(payload, path)]
            if found:
                values[".".join(path)] = _short(found[0] if len(found) == 1 else found)
    except ValueError:
        pass
    return Part(text, holds, values)


def _short(value: Json) -> Json:
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        return [_short(one) for one in value[:10]]
    if isinstance(value, str) and len(value) > MAX_SHOWN:
        return value[:MAX_SHOWN] + "…"
    return value
