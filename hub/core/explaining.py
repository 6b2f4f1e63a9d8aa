"""Why a condition holds or does not: its parts, each with the values that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.core.contract import Contract
from hub.core.errors import GiveUp
from hub.core.expression import compile_expression
from hub.core.message import Json
from hub.core.places import places
from hub.core.reads import paths
from hub.core.syntax import read
from hub.core.tree import Binary, Block, Node

MAX_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Part:
    """One comparison of a condition. `holds` None: it cannot be computed. `values`: what its fields are, missing ones left out."""

    text: str
    holds: bool | None
    values: dict[str, Json]

    def as_json(self) -> dict[str, Json]:
        return {"text": self.text, "holds": self.holds, "values": dict(self.values)}


def explain(text: str, payload: Json, *, now: datetime, contract: Contract | None) -> list[Part]:
    """The parts that `and` and `or` join, from left to right, each by itself. What `contract` calls personal is masked."""
    return [_part(one, payload, now, contract) for one in split(text)]


def split(text: str) -> list[str]:
    """The texts of a condition's parts. What the reader does not know is one part."""
    try:
        return _split(text, 0, len(text), read(text))
    except ValueError:
        return [text.strip()]


def _split(text: str, start: int, end: int, node: Node) -> list[str]:
    if isinstance(node, Binary) and node.sign in ("and", "or"):
        after = node.at + len(node.sign)
        return [*_split(text, start, node.at, node.left), *_split(text, after, end, node.right)]
    if isinstance(node, Block) and len(node.parts) == 1 and text[start:end].strip().startswith("(") and text[start:end].strip().endswith(")"):
        inner = text.index("(", start) + 1
        return _split(text, inner, text.rindex(")", inner, end), node.parts[0])
    return [text[start:end].strip()]


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
