"""Expressions of routes and systems against what they are over, a contract or an answer: fields that are not there,
conditions that can never hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hub.catalog.catalog import Catalog
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, did_you_mean
from hub.catalog.yaml.yaml_documents import Document, Path, read_yaml
from hub.core.analysis.infer import InferenceScope, infer
from hub.core.analysis.narrowing import Never, narrowed, never
from hub.core.config.routing import Route
from hub.core.config.system import Accept, Emit
from hub.core.expressions.cost import LINEAR, cost_of
from hub.core.expressions.expression import Expression
from hub.core.expressions.plain_paths import plain_path
from hub.core.expressions.syntax import tree
from hub.core.message import Ref
from hub.core.schemas.ranges import ANY
from hub.core.schemas.types import MISSING, UNDECIDED, Shape, field_of, item_of, of_kind, of_schema

Placed: TypeAlias = tuple[Path, Expression]


def conditions(catalog: Catalog, documents: Mapping[str, Document], findings: Findings) -> None:
    """All expressions that are over a message of a contract. One that is fine for every live version says nothing."""
    routes = documents.get("routes.yaml") or read_yaml("routes.yaml", catalog.files.get("routes.yaml", ""))
    for route in catalog.routes:
        emit = catalog.emit(route.source)
        shapes = _shapes(catalog, emit) if emit is not None else []
        at: Path = ("routes", route.name)
        for path, expression in _of_route(route):
            _judge(routes, (*at, *path), expression, shapes, findings)
        _judge_truth(routes, at, route, shapes, findings)
        if route.split is not None:
            _judge_split(routes, at, route, shapes, findings)
    for system in catalog.systems.values():
        file = f"adapters/{system.name}/system.yaml"
        document = read_yaml(file, catalog.files.get(file, ""))
        for name, emit in system.emits.items():
            shapes = _shapes(catalog, emit)
            for path, expression in _of_emit(emit):
                _judge(document, ("emits", name, *path), expression, shapes, findings)
        for name, accept in system.accepts.items():
            for path, expression in _of_answer(accept):
                _judge(document, ("accepts", name, *path), expression, [ANSWER], findings)
                # Of an answer, `false` may be meant: it is never sent again, or never there already.
                if path[0] in JUDGES and expression.text.strip() != "false":
                    _is_never(document, ("accepts", name, *path), expression, [ANSWER], findings)


def _shapes(catalog: Catalog, emit: Emit) -> list[Shape]:
    """What a message is when it is routed: each live version as what it is upgraded to."""
    system, _, name = emit.type.partition("/")
    newest = {
        steps[-1].target if (steps := catalog.upgrade(Ref(system, name, number))) else Ref(system, name, number)
        for number in emit.live
    }
    return [of_schema(emit.contracts[ref.version].schema) for ref in sorted(newest) if ref.version in emit.contracts]


def _tests(route: Route) -> Iterator[Placed]:
    if route.when is not None:
        yield ("when",), route.when
    if route.drop is not None:
        yield ("drop", "when"), route.drop.when
    for index, to in enumerate(route.to):
        if to.when is not None:
            yield ("to", index, str(to.ref), "when"), to.when


def _of_route(route: Route) -> Iterator[Placed]:
    yield from _tests(route)
    if route.hold is not None:
        yield ("hold", "until"), route.hold.until
    if route.capacity is not None and route.capacity.by is not None:
        yield ("capacity", "by"), route.capacity.by
    for index, to in enumerate(route.to):
        for key in ("by", "when") if to.canary is not None and to.is_trial else ():
            expression = getattr(to.canary, key)
            if expression is not None:
                yield ("to", index, "canary", key), expression


def _of_emit(emit: Emit) -> Iterator[Placed]:
    for name, expression in emit.keys:
        yield ("keys", name), expression
    if emit.order_by is not None:
        yield ("order_by",), emit.order_by
    if emit.fresh_by is not None:
        yield ("fresh_by",), emit.fresh_by
    for index, expression in enumerate(emit.dedupe_by):
        yield ("dedupe_by", index), expression


# What the expressions over an answer see. Its body is the target's business.
ANSWER = of_kind("object", fields={"status": of_kind("integer"), "headers": UNDECIDED, "body": UNDECIDED})
JUDGES = frozenset({"success", "already", "again", "probe"})


def _of_answer(accept: Accept) -> Iterator[Placed]:
    named = {"success": accept.success, "already": accept.already, "again": accept.again}
    yield from (((name,), expression) for name, expression in named.items() if expression is not None)
    if accept.refused_message is not None:
        yield ("refused", "message"), accept.refused_message
    for name, expression in accept.reply_keys:
        yield ("reply", "keys", name), expression
    if accept.probe is not None:
        yield ("probe", "applied"), accept.probe.applied
        if accept.probe.absent is not None:
            yield ("probe", "absent"), accept.probe.absent


def _judge(document: Document, path: Path, expression: Expression, shapes: list[Shape], findings: Findings) -> None:
    """A finding where what it says is odd over every version; over one alone it may be meant for the others."""
    costly(document, path, expression.text, findings)
    odd = []
    for shape in shapes:
        over = InferenceScope(shape, {"$": shape}, are_names_known=True)
        infer(expression.text, over)
        odd.append(over.odd)
    if not odd or not all(odd):
        return
    for one in dict.fromkeys(odd[-1]):
        if one.code == "unknown_path":
            whose = "the answer" if shapes == [ANSWER] else "the contract"
            text, fix = f"{whose} has no {one.text}", did_you_mean(one.text, one.fix.split(", "))
            findings.add(document.file, document.place(path), Check.UNKNOWN_PATH, text, fix)
        elif one.code == "unknown_name":
            fix = (
                "what a look-up finds is bound in the mapping alone"
                if not one.fix
                else did_you_mean(one.text, one.fix.split(", "))
            )
            findings.add(
                document.file, document.place(path), Check.UNKNOWN_PATH, f"nothing is bound to {one.text} here", fix
            )
        elif one.code in ("no_number", "wrong_argument", "lost_digits"):
            code = Check.LOST_DIGITS if one.code == "lost_digits" else Check.WRONG_ARGUMENT
            findings.add(document.file, document.place(path), code, one.text, one.fix)


def costly(document: Document, path: Path, text: str, findings: Findings, where: str = "") -> None:
    cost = cost_of(text) if plain_path(text) is None else LINEAR
    if cost.why:
        findings.add(
            document.file, document.place(path), Check.COSTLY, f"{where}it may cost much: {cost.why}", cost.instead
        )


def _judge_split(document: Document, at: Path, route: Route, shapes: list[Shape], findings: Findings) -> None:
    assert route.split is not None
    for shape in shapes:
        found = shape
        for name in route.split.list.split("."):
            found = field_of(found, name)
        if route.split.list.split(".")[-1] in found.unknown:
            text = f"the contract has no {route.split.list}"
            findings.add(
                document.file, document.place((*at, "split", "list")), Check.UNKNOWN_PATH, text, "name a list of it"
            )
        elif found.kinds is not None and "array" not in found.kinds:
            text = f"{route.split.list} is {' or '.join(sorted(found.kinds - {MISSING}))}, not a list"
            findings.add(document.file, document.place((*at, "split", "list")), Check.NO_LIST, text, "name a list")
        elif route.split.by is not None:
            _judge(document, (*at, "split", "by"), route.split.by, [item_of(found)], findings)


def _judge_truth(document: Document, at: Path, route: Route, shapes: list[Shape], findings: Findings) -> None:
    """Conditions that hold for no message: each alone, and each after those that a message has passed before it."""
    drop, taken = route.drop.when if route.drop is not None else None, shapes
    if drop is not None:
        if _is_never(document, (*at, "drop", "when"), drop, shapes, findings):
            drop = None
        else:
            taken = [narrowed(shape, drop.text, holds=False) for shape in shapes]
    if route.when is not None:
        if _is_never(document, (*at, "when"), route.when, shapes, findings):
            return
        node = tree(route.when.text)
        if node is not None and taken and all(never(shape, node) is not None for shape in taken):
            text, fix = "all that the route's when lets through is dropped", "write which of them are dropped"
            findings.add(document.file, document.place((*at, "drop", "when")), Check.NEVER_TRUE, text, fix)
            return
        taken = [narrowed(shape, route.when.text) for shape in taken]
    for path, expression in _of_destinations(route):
        _is_never(document, (*at, *path), expression, taken, findings)


def _of_destinations(route: Route) -> Iterator[Placed]:
    for index, to in enumerate(route.to):
        if to.when is not None:
            yield ("to", index, str(to.ref), "when"), to.when
        if to.canary is not None and to.is_trial and to.canary.when is not None:
            yield ("to", index, "canary", "when"), to.canary.when


def _is_never(document: Document, path: Path, expression: Expression, shapes: list[Shape], findings: Findings) -> bool:
    """Whether a condition holds for no version of the message; told at its place."""
    node = tree(expression.text)
    whys = [never(shape, node) for shape in shapes] if node is not None else []
    if not whys or not all(whys):
        return False
    text, fix = said(whys[-1] or Never())
    findings.add(document.file, document.place(path), Check.NEVER_TRUE, text, fix)
    return True


def said(why: Never) -> tuple[str, str]:
    """Why a condition cannot hold, and what to write instead."""
    if why.fact is None or why.before is None:
        return "the condition never holds, as it stands", "write what it depends on, or take it out"
    where, shape = ".".join(why.fact.names), why.before
    known = sorted(map(str, shape.values or ()))
    fix = did_you_mean(str(next(iter(why.wanted), "")), known) if known and shape.values is not None else _shown(shape)
    verb, _, rest = why.fact.said.partition("is ")
    return f"{where} is never {rest} here" if not verb else f"{where} never {why.fact.said} here", fix


def _shown(shape: Shape) -> str:
    kinds = " or ".join(sorted(shape.kinds or ())) or "nothing"
    bounds = [str(span) for span in (shape.span, shape.between) if span != ANY]
    bounds += [f"{shape.shortest or 0} to {shape.longest} characters"] if shape.longest is not None else []
    return f"it is {kinds}" + (f", {', '.join(bounds)}" if bounds else "")
