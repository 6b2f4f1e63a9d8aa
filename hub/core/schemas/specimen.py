"""Small documents that fit a schema: for examples of what a change means, and for the first draft of a sample.
Deterministic; what cannot be made is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from hub.core.message import Json

MAX_DEPTH = 24
FORMATS: dict[str, str] = {
    "date-time": "2026-06-01T10:00:00Z",
    "local-date-time": "2026-06-01T10:00:00",
    "date": "2026-06-01",
    "time": "10:00:00Z",
    "email": "someone@example.com",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "duration": "P1D",
    "json-pointer": "/a",
}
# Texts that patterns of identifiers, amounts, codes and phones are usually met by; tried in turn.
TEXTS = (
    "A1",
    "a",
    "1",
    "A",
    "SO-1",
    "0.10",
    "1.00",
    "13800000000",
    "2026-06-01",
    "20260601",
    "AB12",
    "a1b2",
    "CNY",
    "+8613800000000",
    "SF1000000001",
    "110000",
    "上海",
    "x-y",
    "a.b",
    "AA-11",
)
_NOTHING: Final = object()
_FIRST: Final[Mapping[int, int]] = {}


def specimen(
    root: dict[str, Any],
    node: Any = None,
    *,
    at: tuple[str, ...] = (),
    value: Any = _NOTHING,
    chosen: Mapping[int, int] = _FIRST,
    depth: int = 0,
) -> Any:
    """A value for `node` (default: the whole schema) with only what is required, and the place `at` besides (`*` is an
    element); there stands `value`.

    `chosen`: of lists of branches, by their id, which branch it is made by; else the first.
    None where there is none that this can make. Whether it really fits is for the compiled contract to say.
    """
    node = root if node is None else node
    if not at and value is not _NOTHING:
        return value
    if not isinstance(node, dict) or depth > MAX_DEPTH:
        return {} if node is True else None
    node = joined(root, node, chosen)
    if not at and "const" in node:
        return node["const"]
    if not at and node.get("enum"):
        return next((one for one in node["enum"] if _is_within(node, one)), node["enum"][0])
    kinds = node.get("type")
    kind = (
        at_kind(at)
        or (kinds if isinstance(kinds, str) else next((one for one in kinds or () if one != "null"), None))
        or _guess(node)
    )
    match kind:
        case "object":
            return _object(root, node, at, value, chosen, depth)
        case "array":
            return _array(root, node, at, value, chosen, depth)
        case "string":
            return _text(node)
        case "integer" | "number":
            return _number(node, whole=kind == "integer")
        case "boolean":
            return True
        case _:
            return None


def _is_within(node: dict[str, Any], value: Any) -> bool:
    """Whether one of a few values keeps the schema's own limits."""
    if isinstance(value, str):
        return int(node.get("minLength", 0)) <= len(value) <= int(node.get("maxLength", 1 << 30))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return bool(node.get("minimum", value) <= value <= node.get("maximum", value))
    return True


def at_kind(at: tuple[str, ...]) -> str | None:
    """What must stand around a place."""
    return None if not at else "array" if at[0] == "*" else "object"


def joined(root: dict[str, Any], node: dict[str, Any], chosen: Mapping[int, int] = _FIRST) -> dict[str, Any]:
    """A schema with its references and its allOf laid into it, and one branch of each choice. Where two say the same
    word the outer one stands.
    """
    made: dict[str, Any] = {}
    waiting: list[Any] = [node]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        for word, content in one.items():
            if word == "properties":
                made[word] = {**content, **made.get(word, {})}
            elif word == "required":
                made[word] = [*made.get(word, ()), *(name for name in content if name not in made.get(word, ()))]
            else:
                made.setdefault(word, content)
        waiting += one.get("allOf", ())
        waiting += [branches[chosen.get(id(branches), 0)] for word in ("oneOf", "anyOf") if (branches := one.get(word))]
        target = resolved(root, one.get("$ref"))
        if target is not None:
            waiting.append(target)
    return made


def resolved(root: dict[str, Any], ref: Any) -> Any:
    """What a reference within the document names."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    found: Any = root
    for part in ref[2:].split("/") if ref != "#" else ():
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def _guess(node: dict[str, Any]) -> str:
    if "properties" in node or "required" in node:
        return "object"
    if "items" in node or "minItems" in node:
        return "array"
    return "integer" if "minimum" in node or "maximum" in node else "string"


def _object(
    root: dict[str, Any], node: dict[str, Any], at: tuple[str, ...], value: Any, chosen: Mapping[int, int], depth: int
) -> Json:
    made: dict[str, Json] = {}
    properties = node.get("properties", {})
    for name in dict.fromkeys([*node.get("required", ()), *at[:1]]):
        below = (at[1:], value) if at and at[0] == name else ((), _NOTHING)
        made[name] = specimen(
            root, properties.get(name, {}), at=below[0], value=below[1], chosen=chosen, depth=depth + 1
        )
    return made


def _array(
    root: dict[str, Any], node: dict[str, Any], at: tuple[str, ...], value: Any, chosen: Mapping[int, int], depth: int
) -> Json:
    items = node.get("items", {})
    number = max(int(node.get("minItems", 0)), 1 if at else 0)
    made = [specimen(root, items, chosen=chosen, depth=depth + 1) for _ in range(number)]
    if at:
        made[0] = specimen(root, items, at=at[1:], value=value, chosen=chosen, depth=depth + 1)
    return made


def _text(node: dict[str, Any]) -> str:
    least, most = int(node.get("minLength", 0)), int(node.get("maxLength", 1_000))
    if node.get("format") in FORMATS:
        return FORMATS[node["format"]]
    if "pattern" in node:
        for text in TEXTS:
            try:
                if re.search(node["pattern"], text) and least <= len(text) <= most:
                    return text
            except re.error:
                break
    text = "text"[:most]
    return text + "x" * (least - len(text))


def _number(node: dict[str, Any], *, whole: bool) -> Json:
    low, high = node.get("minimum"), node.get("maximum")
    if node.get("exclusiveMinimum") is not None:
        low = node["exclusiveMinimum"] + (1 if whole else Decimal("0.5"))
    if node.get("exclusiveMaximum") is not None:
        high = node["exclusiveMaximum"] - (1 if whole else Decimal("0.5"))
    step = node.get("multipleOf", 1)
    start = low if low is not None else (high if high is not None and high < 1 else 1)
    if step != 1:
        start = -(-start // step) * step
    return int(start) if start == int(start) else start
