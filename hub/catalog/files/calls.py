"""How a system is called: `call` and `probe` of a system.yaml, their addresses with holes, and what may fill them
(docs/calls.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hub.catalog.catalog import Catalog
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import FileContext
from hub.catalog.yaml.findings import Findings, did_you_mean, shown
from hub.catalog.yaml.leaves import Text
from hub.catalog.yaml.yaml_documents import Document, Node, Path, Scalar, read_yaml
from hub.core.analysis.infer import InferenceScope, infer
from hub.core.config.call_address import PATTERN, Hole, address_of
from hub.core.config.system import LIVE, Accept
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.plain_paths import plain_path
from hub.core.message import Json
from hub.core.schemas.types import MISSING, Shape, field_of, names_of, of_schema

_WHOLE = Text(
    want="a method and a path, such as POST /api/orders or PUT /orders/{orderNo}",
    pattern=rf"(GET|POST|PUT|PATCH|DELETE) {PATTERN}",
    longest=2_000,
)
_SINGLE = frozenset({"string", "number", "integer", "boolean"})


@dataclass(frozen=True, slots=True)
class CallTemplate:
    """A method and an address, its holes compiled where they stand."""

    def read(self, node: Node, reading: FileContext) -> str | None:
        text = node.text if isinstance(node, Scalar) else ""
        holes = re.sub(r"\{[^{}]*\}", "", text)
        if "{" in holes or "}" in holes:
            reading.fault(
                node,
                Check.OUT_OF_RANGE,
                f"{shown(text)} has a brace without its other one, or one in another",
                "write each hole as {orderNo}",
            )
            return None
        if "{}" in text:
            reading.fault(
                node, Check.OUT_OF_RANGE, f"{shown(text)} has a hole with nothing in it", "write each hole as {orderNo}"
            )
            return None
        call = _WHOLE.read(node, reading)
        if call is None:
            return None
        try:
            address_of(call.partition(" ")[2])
        except ValueError as error:
            reading.fault(
                node,
                Check.BAD_EXPRESSION,
                f"the address cannot be used: {error}",
                "write a path such as /orders/{orderNo}",
            )
            return None
        return call

    def schema(self) -> dict[str, Json]:
        return _WHOLE.schema()


def judge(catalog: Catalog, findings: Findings) -> None:
    """Each hole, of addresses and of topics, against the contract of what is sent, in every live version: it must
    always give one single value. And no batch shares an address with holes.
    """
    for system in catalog.systems.values():
        file = f"adapters/{system.name}/system.yaml"
        document = read_yaml(file, catalog.files.get(file, ""))
        for name, accept in system.accepts.items():
            for path, hole in _holes(accept):
                _judge(document, ("accepts", name, *path), hole, accept, findings)
    routes = read_yaml("routes.yaml", catalog.files.get("routes.yaml", ""))
    for route in catalog.routes:
        for index, to in enumerate(route.to):
            called = (
                catalog.systems[to.ref.system].accepts.get(to.ref.name) if to.ref.system in catalog.systems else None
            )
            if called is None:
                continue
            for hole in _topic_holes(to.topic):
                _judge(routes, ("routes", route.name, "to", index, str(to.ref), "topic"), hole, called, findings)
            if to.batch is not None and address_of(called.path or "/").holes:
                place = routes.place(("routes", route.name, "to", index, str(to.ref), "batch"))
                text = f"{to.ref} has holes in its address: what it is called with differs from one to the next, and cannot share one call"
                findings.add(
                    "routes.yaml", place, Check.EXCLUDES, text, "take batch out, or give it a call without holes"
                )


def _topic_holes(topic: str) -> Iterator[Hole]:
    """A topic's words that are filled from fields of what is sent: plain paths alone."""
    for name in re.findall(r"\{([^{}]+)\}", topic):
        if plain_path(name) is not None:
            yield Hole(name, compile_expression(name), in_path=False)


def _holes(accept: Accept) -> Iterator[tuple[Path, Hole]]:
    yield from ((("call",), hole) for hole in address_of(accept.path or "/").holes)
    if accept.probe is not None:
        yield from ((("probe", "call"), hole) for hole in address_of(accept.probe.path or "/").holes)


def _judge(document: Document, path: Path, hole: Hole, accept: Accept, findings: Findings) -> None:
    if hole.expression is None:
        return
    for version, contract in accept.contracts.items():
        if accept.versions[version].state not in LIVE:
            continue
        found = _flaw(hole, of_schema(contract.schema))
        if found is not None:
            code, text, fix = found
            findings.add(document.file, document.place(path), code, f"{{{hole.text}}}: {text}", fix)
            return


def _flaw(hole: Hole, source: Shape) -> tuple[Check, str, str] | None:
    """Why it cannot always be filled; None where it can, or where nobody can tell."""
    assert hole.expression is not None
    unknown = _undeclared(hole, source)
    if unknown is not None:
        return (
            Check.UNKNOWN_PATH,
            f"the contract has no {unknown[0]}",
            did_you_mean(unknown[0], unknown[1]) or "fill it from a field that the contract requires",
        )
    over = InferenceScope(source, {"$": source})
    shape = infer(hole.text, over)
    for odd in over.odd:
        if odd.code == "unknown_path":
            return Check.UNKNOWN_PATH, f"the contract has no {odd.text}", did_you_mean(odd.text, odd.fix.split(", "))
        if odd.code in ("no_number", "wrong_argument"):
            return Check.WRONG_ARGUMENT, odd.text, odd.fix
    if shape.kinds is None:
        return None
    if "array" in shape.kinds:
        return (
            Check.MANY_INTO_ONE,
            "it can be a list, and a hole takes a single value",
            "choose one, such as items[0].sku, or join them: $join(items.sku, ',')",
        )
    if "object" in shape.kinds:
        return Check.WRONG_KIND, "it can be an object, and a hole takes a single value", "name one of its fields"
    if "null" in shape.kinds:
        return (
            Check.MAY_BE_NULL,
            "it can be null, and then nothing would be sent",
            "fill it from a field that is always there",
        )
    if MISSING in shape.kinds:
        return (
            Check.MAY_BE_MISSING,
            "it can be missing, and then nothing would be sent",
            "require it in the contract, or fill it from a field that is always there",
        )
    return None


def _undeclared(hole: Hole, source: Shape) -> tuple[str, frozenset[str]] | None:
    """A name of a plain path that the contract does not declare: an open contract lets it through, and nobody promises
    that it is there.
    """
    assert hole.expression is not None
    here = source
    for step in hole.expression.path or ():
        if not isinstance(step, str) or here.kinds is None or not here.may("object"):
            return None
        names = names_of(here)
        if names and step not in names:
            return step, names
        here = field_of(here, step)
    return None
