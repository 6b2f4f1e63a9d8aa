"""A schema with its references and its allOf laid into one, so that two of them can be compared word by word. Exactly:
what cannot be laid together is kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.core.schemas.change_effects import same
from hub.core.schemas.specimen import resolved

NUMBERS = frozenset({"integer", "number"})
KINDS = frozenset({"string", "number", "boolean", "null", "object", "array"})
LOW = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
HIGH = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SILENT = frozenset(
    "$ref $defs $schema $id $comment $anchor title description default examples deprecated readOnly writeOnly contentEncoding contentMediaType allOf".split()
)
# Words that only mean something together, within one schema: they are compared as they are written.
_TOGETHER = (("if", "then", "else"), ("contains", "minContains", "maxContains"))
_NOTHING: dict[str, Any] = {"not": {}}  # what `false` says


@dataclass(frozen=True, slots=True)
class Conjunction:
    """What must hold at once. `words`: each said once. `choices`: the lists of oneOf and anyOf. `apart`: what is
    compared as it is written.
    """

    words: dict[str, Any]
    choices: dict[str, list[list[Any]]]
    apart: dict[str, list[Any]]
    ids: frozenset[int] = field(default=frozenset())

    @property
    def kinds(self) -> frozenset[str]:
        """The types that a value may have; by its values, where only those say so."""
        if "type" in self.words:
            return frozenset(self.words["type"])
        values = self.words.get("enum")
        return KINDS if values is None else frozenset(map(kind_of, values))

    @property
    def is_plain(self) -> bool:
        """Whether its fields are said by `properties` and a yes or no to all others: then a field that comes or goes
        has a plain meaning.
        """
        return not self.apart.keys() & {
            "patternProperties",
            "unevaluatedProperties",
            "additionalProperties",
            "propertyNames",
            "dependentSchemas",
        }

    @property
    def is_closed(self) -> bool:
        return self.words.get("additionalProperties") is False


def kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def conjunction(root: Any, node: Any) -> Conjunction:
    """What `node` and all that it refers to say of one value."""
    parts = _parts(root, node)
    found = Conjunction({}, {}, {}, frozenset(id(part) for part in parts))
    is_mixed = (
        sum("properties" in part or "patternProperties" in part or "additionalProperties" in part for part in parts) > 1
    )
    for part in parts:
        _add(found, part, is_mixed=is_mixed)
    return found


def _parts(root: Any, node: Any) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    waiting, seen = [node], set()
    while waiting:
        one = waiting.pop(0)
        if one is False:
            one = _NOTHING
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        parts.append(one)
        waiting += one.get("allOf", ())
        if "$ref" in one:
            target = resolved(root, one["$ref"])
            # A reference that this cannot follow is compared as it is written.
            waiting.append(target if isinstance(target, dict | bool) else {"$unfollowed": one["$ref"]})
    return parts


def _add(found: Conjunction, part: dict[str, Any], *, is_mixed: bool) -> None:
    words, apart = found.words, found.apart
    taken: set[str] = set()
    for group in _TOGETHER:
        if group[0] in part:
            apart.setdefault(group[0], []).append({word: part[word] for word in group if word in part})
        taken |= set(group)
    if "prefixItems" in part:  # `items` are those behind them
        apart.setdefault("prefixItems", []).append(
            {word: part[word] for word in ("prefixItems", "items") if word in part}
        )
        taken |= {"prefixItems", "items"}
    closing = part.get("additionalProperties", True)
    taken.add("additionalProperties")
    if closing not in (True, {}):
        if is_mixed or closing is not False or "patternProperties" in part:
            names = {
                "names": sorted(part.get("properties", {})),
                "patterns": sorted(part.get("patternProperties", {})),
                "others": closing,
            }
            apart.setdefault("additionalProperties", []).append(names)
        else:
            words["additionalProperties"] = False
    for word, content in part.items():
        if word not in taken and word not in SILENT:
            _say(found, word, content)


def _say(found: Conjunction, word: str, content: Any) -> None:  # noqa: C901, PLR0912  # one case per keyword
    words = found.words
    if word in ("oneOf", "anyOf"):
        found.choices.setdefault(word, []).append(content)
    elif word == "type":
        words["type"] = _both_kinds(words.get("type"), [content] if isinstance(content, str) else content)
    elif word in ("enum", "const"):
        values = content if word == "enum" else [content]
        words["enum"] = [
            one for one in values if "enum" not in words or any(same(one, other) for other in words["enum"])
        ]
    elif word == "required":
        words["required"] = sorted({*words.get("required", ()), *content})
    elif word == "properties":
        known = words.setdefault("properties", {})
        for name, schema in content.items():
            known[name] = {"allOf": [known[name], schema]} if name in known else schema
    elif word == "items":
        words["items"] = {"allOf": [words["items"], content]} if "items" in words else content
    elif word in LOW or word in HIGH:
        before = words.get(word)
        words[word] = content if before is None else max(before, content) if word in LOW else min(before, content)
    elif word == "uniqueItems":
        if content:
            words[word] = True
    elif word.startswith("x-") or (
        word in ("pattern", "format", "multipleOf") and word not in words and word not in found.apart
    ):
        words.setdefault(word, content)
    elif word in words and same(words[word], content):
        pass
    else:
        found.apart.setdefault(word, []).append(content)


def _both_kinds(one: list[str] | None, other: list[str]) -> list[str]:
    if one is None:
        return sorted(set(other))
    kinds = {kind for kind in other if kind in one} | {
        "integer" for kind in other if kind in NUMBERS and NUMBERS & set(one) and "integer" in (kind, *one)
    }
    return sorted(kinds)
