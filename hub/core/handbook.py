"""A page per message, in Markdown: what it is for, its versions, its fields, a sample, and what changed between versions. For wikis and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from hub.core import json
from hub.core.compat import compare
from hub.core.contract import Contract
from hub.core.effects import Effect
from hub.core.message import Json, Ref
from hub.core.specimen import specimen
from hub.core.system import System, Version
from hub.core.types import MISSING, Shape, field_of, item_of, names_of, of_schema, required_of

MAX_DEPTH = 8
_EFFECTS = {
    Effect.NARROWS: "breaks senders",
    Effect.WIDENS: "new for receivers",
    Effect.MAY_NARROW: "may break senders: look at it",
    Effect.MAY_WIDEN: "may be new for receivers: look at it",
    Effect.SAME: "",
    Effect.UNDECIDED: "look at it",
}


def pages(system: System, examples: Mapping[Ref, Mapping[str, Json]]) -> dict[str, str]:
    """File name → Markdown, for each message of a system."""
    made: dict[str, str] = {}
    for name, emit in system.emits.items():
        title = f"`POST /api/v{{N}}/{system.name}/{name}`"
        made[f"{system.name}.{name}.md"] = _page(system, name, title, emit.about, emit.versions, emit.contracts, examples)
    for name, accept in system.accepts.items():
        title = f"The hub calls `{accept.method} {accept.path}`"
        made[f"{system.name}.{name}.md"] = _page(system, name, title, accept.about, accept.versions, accept.contracts, examples)
    return made


def _page(
    system: System,
    name: str,
    title: str,
    about: str,
    versions: Mapping[int, Version],
    contracts: Mapping[int, Contract],
    examples: Mapping[Ref, Mapping[str, Json]],
) -> str:
    lines = [f"# {system.title}: {name}", "", about, "", title, "", "| version | state | since | until |", "|---|---|---|---|"]
    lines += [f"| {number} | {version.state.value} | {version.since} | {version.sunset} |" for number, version in sorted(versions.items())]
    for number in sorted(contracts, reverse=True):
        ref = Ref(system.name, name, number)
        lines += ["", f"## Version {number}", "", "| field | kind | required | values and limits |", "|---|---|---|---|", *fields(contracts[number])]
        samples = examples.get(ref) or {"the smallest": specimen(contracts[number].schema)}
        case, value = next(iter(samples.items()))
        lines += ["", f"A message ({case}):", "", "```json", json.encode(value).decode(), "```"]
    lines += list(_changes(contracts))
    return "\n".join(lines) + "\n"


def fields(contract: Contract) -> list[str]:
    """The rows of a contract's fields, the required ones first."""
    return [f"| `{path}` | {kind} | {'yes' if required else ''} | {limits} |" for path, kind, required, limits in rows(of_schema(contract.schema))]


def rows(shape: Shape, under: str = "", depth: int = 0) -> Iterator[tuple[str, str, bool, str]]:
    """Each field with its path (`items[].sku`), kind, whether it is required, and what its values may be."""
    if depth > MAX_DEPTH:
        return
    required = required_of(shape)
    for name in sorted(names_of(shape), key=lambda one: (one not in required, one)):
        found = field_of(shape, name)
        limits = ", ".join(sorted(map(str, found.values))) if found.values else f"up to {found.longest} characters" if found.longest is not None else ""
        notes = [limits, *sorted(found.formats), "personal" if found.personal else ""]
        kinds = " or ".join(sorted((found.kinds or frozenset({"anything"})) - {MISSING}))
        yield f"{under}{name}", kinds, name in required, "; ".join(note for note in notes if note)
        inner = item_of(found) if found.may("array") else found
        if inner.may("object"):
            yield from rows(inner, f"{under}{name}{'[]' if found.may('array') else ''}.", depth + 1)


def _changes(contracts: Mapping[int, Contract]) -> Iterator[str]:
    """What changed from each version to the next, in plain words."""
    numbers = sorted(contracts)
    for before, after in pairwise(numbers):
        found = compare(contracts[before], contracts[after])
        yield from ("", f"## From version {before} to {after}", "")
        yield from (f"- `{one.pointer or '/'}`: {one.text}" + (f" ({_EFFECTS[one.effect]})" if _EFFECTS[one.effect] else "") for one in found.changes)
