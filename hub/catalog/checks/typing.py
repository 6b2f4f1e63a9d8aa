"""Each leaf of each mapping against both contracts: what it can give, against what the target takes. Findings stand at
the leaf's own line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from hub.catalog.catalog import Catalog
from hub.catalog.checks.absence import absence
from hub.catalog.checks.conditions import costly, said
from hub.catalog.checks.witnesses import Large, Seen
from hub.catalog.files.leaf_schema import form_of
from hub.catalog.files.lookups import bound
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, did_you_mean, nearest
from hub.catalog.yaml.yaml_documents import Document, Path, plain, read_yaml
from hub.core.analysis.assignable import Assignability, may_be_missing, misfits
from hub.core.analysis.infer import InferenceScope, Oddity, handed_over, infer
from hub.core.analysis.narrowing import narrowed, never, proven, reaching
from hub.core.config.routing import Enrich, Route
from hub.core.expressions.expression import Expression
from hub.core.expressions.plain_paths import plain_path
from hub.core.expressions.syntax import tree
from hub.core.message import Json, Ref
from hub.core.schemas.types import (
    MISSING,
    NOTHING,
    UNDECIDED,
    Shape,
    field_of,
    is_closed,
    item_of,
    names_of,
    of_kind,
    of_schema,
    of_value,
    required_of,
    union,
)

_CODES = {
    "unknown_path": Check.UNKNOWN_PATH,
    "unknown_name": Check.UNKNOWN_PATH,
    "unknown_member": Check.UNKNOWN_PATH,
    "missing_field": Check.MISSING_FIELD,
    "unknown_field": Check.UNKNOWN_FIELD,
    "wrong_kind": Check.WRONG_KIND,
    "unknown_value": Check.UNKNOWN_VALUE,
    "any_value": Check.UNKNOWN_VALUE,
    "may_be_null": Check.MAY_BE_NULL,
    "may_be_missing": Check.MAY_BE_MISSING,
    "many_into_one": Check.MANY_INTO_ONE,
    "one_or_many": Check.ONE_OR_MANY,
    "fraction": Check.FRACTION,
    "too_long": Check.TOO_LONG,
    "other_format": Check.OTHER_FORMAT,
    "lost_digits": Check.LOST_DIGITS,
    "no_number": Check.WRONG_ARGUMENT,
    "wrong_argument": Check.WRONG_ARGUMENT,
    "personal": Check.PERSONAL,
    "table_lacks": Check.TABLE_LACKS,
    "no_list": Check.NO_LIST,
    "out_of_bounds": Check.OUT_OF_BOUNDS,
}


Conditions: TypeAlias = tuple[tuple[str, bool], ...]
_NOTHING_SEEN: Seen = {}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the types of a mapping could be decided: leaves in all, and those that only its examples cover."""

    leaves: int
    undecided: tuple[str, ...]


def types(catalog: Catalog, findings: Findings, seen: Seen = _NOTHING_SEEN) -> dict[tuple[Ref, Ref], Coverage]:
    """Checks every mapping; gives how far each could be decided. `seen`: large numbers of samples, which contracts
    without bounds do not tell of.
    """
    for name, mapping in catalog.foreign.items():
        # What comes in has no contract of ours: leaves over it are undecided, and what the target wants is held all the
        # same.
        _Typing(catalog, (mapping.source, mapping.target), findings, f"mappings/{name}.yaml", Use()).run()
    for route in catalog.routes:
        for one in route.enrich:
            _question(catalog, route, one, findings)
    return {pair: _each_use(catalog, pair, findings, seen.get(pair[0], ())) for pair in sorted(catalog.mappings)}


def conditions_of(catalog: Catalog, pair: tuple[Ref, Ref]) -> list[Conditions]:
    """The conditions of each way that leads to a mapping, each with whether it holds there: they prove something of
    what comes.
    """
    return list(dict.fromkeys(conditions for conditions, _ in _ways(catalog, pair)))


def _ways(catalog: Catalog, pair: tuple[Ref, Ref]) -> list[tuple[Conditions, Route]]:
    return [
        (_passed(route, to.when), route)
        for route in catalog.routes
        for to in route.to
        if route.source == pair[0].type and to.ref == pair[1]
    ]


def _passed(route: Route, when: Expression | None = None) -> Conditions:
    """The conditions that what goes a route's way has met, and whether each holds of it."""
    drop = route.drop.when if route.drop is not None else None
    return tuple(
        (condition.text, holds)
        for condition, holds in ((drop, False), (route.when, True), (when, True))
        if condition is not None
    )


def _each_use(catalog: Catalog, pair: tuple[Ref, Ref], findings: Findings, large: tuple[Large, ...] = ()) -> Coverage:
    """A mapping is judged for each way that leads to it."""
    file = file_name(*pair)
    uses = {
        (conditions, tuple((one.name, one.call) for one in route.enrich)): route
        for conditions, route in _ways(catalog, pair)
    }
    covered = [
        _Typing(catalog, pair, findings, file, Use(conditions, bound(catalog, pair, route), large)).run()
        for (conditions, _), route in uses.items()
    ] or [_Typing(catalog, pair, findings, file, Use((), bound(catalog, pair, None), large)).run()]
    return covered[0]


def _question(catalog: Catalog, route: Route, one: Enrich, findings: Findings) -> None:
    """What a look-up asks with is a mapping too, from the route's newest message to what is asked.

    Only what is certain is told: an answer that is sometimes not had goes by `on_fail`.
    """
    said = Findings()
    _Typing(
        catalog,
        (one.fields.source, one.call),
        said,
        "routes.yaml",
        Use(_passed(route), {}),
        ("routes", route.name, "enrich", one.name, "with"),
    ).run()
    for finding in said.found:
        if finding.code in _CERTAIN:
            findings.add(finding.file, (finding.line, finding.column), Check(finding.code), finding.text, finding.fix)


_CERTAIN = frozenset(
    {
        Check.UNKNOWN_PATH,
        Check.MISSING_FIELD,
        Check.UNKNOWN_FIELD,
        Check.WRONG_KIND,
        Check.WRONG_ARGUMENT,
        Check.LOST_DIGITS,
        Check.NO_LIST,
    }
)


@dataclass(frozen=True, slots=True)
class Use:
    """How a mapping is come to: what its message has met, and what look-ups have found."""

    conditions: Conditions = ()
    names: Mapping[str, Shape] | None = None  # None: whatever is bound there, it is not known
    large: tuple[Large, ...] = ()  # numbers beyond what a double holds, that samples of the source have


class _Typing:
    def __init__(
        self, catalog: Catalog, pair: tuple[Ref, Ref], findings: Findings, file: str, use: Use, at: Path = ("fields",)
    ) -> None:
        self._file, self._at, self._names = file, at, use.names
        self._document: Document = read_yaml(self._file, catalog.files.get(self._file, ""))
        self._findings = findings
        source, target = catalog.contract(pair[0]), catalog.contract(pair[1])
        self._whole = of_schema(source.schema) if source is not None else UNDECIDED
        for names, number in use.large:
            self._whole = reaching(self._whole, names, number)
        self._source = proven(self._whole, use.conditions)
        self._target = of_schema(target.schema) if target is not None else UNDECIDED
        root = self._document.root
        written = plain(root, self._file, Findings()) if root is not None else None
        self._written: dict[str, Any] = written if isinstance(written, dict) else {}
        own = self._written.get("tables") if at == ("fields",) else None
        self._tables: dict[str, Any] = {**_shared(catalog), **(own if isinstance(own, dict) else {})}
        self._leaves = 0
        self._elements = 0  # how many each are around the leaf
        self._undecided: list[str] = []

    def run(self) -> Coverage:
        fields: Any = self._written
        for name in self._at:
            fields = fields.get(name) if isinstance(fields, dict) else None
        self._fields(fields or {}, self._at, "", self._source, self._target)
        return Coverage(self._leaves, tuple(self._undecided))

    def _add(self, path: Path, pointer: str, odd: Oddity) -> None:
        code = _CODES[odd.code]
        if odd.code == "unknown_path":
            names = odd.fix.split(", ") if odd.fix else []
            self._findings.add(
                self._file,
                self._document.place(path),
                code,
                f"{pointer or '/'}: the source has no {odd.text}",
                did_you_mean(odd.text, names),
            )
            return
        if odd.code in ("unknown_name", "unknown_member"):
            text = f"nothing is bound to {odd.text}" if odd.code == "unknown_name" else odd.text
            fix = did_you_mean(odd.text.rpartition(" ")[2], odd.fix.split(", ")) or "bind it by enrich: in the route"
            self._findings.add(self._file, self._document.place(path), code, f"{pointer or '/'}: {text}", fix)
            return
        self._findings.add(self._file, self._document.place(path), code, f"{pointer or '/'}: {odd.text}", odd.fix)

    def _over(self, scope: Shape) -> InferenceScope:
        names = self._names or {}
        return InferenceScope(
            scope,
            {**names, "source": self._source, "$": self._source},
            self._tables,
            are_names_known=self._names is not None,
        )

    def _infer(self, text: object, path: Path, pointer: str, scope: Shape) -> Shape:
        if not isinstance(text, str):
            return UNDECIDED
        over = self._over(scope)
        costly(self._document, path, text, self._findings, f"{pointer or '/'}: ")
        spelled = _spelled(text)
        shape = infer(spelled, over)
        through = (
            handed_over(shape) if over.touched and not any(odd.code == "lost_digits" for odd in over.odd) else None
        )
        over.odd += [through] if through is not None else []
        for odd in dict.fromkeys(over.odd):
            self._add(path, pointer, odd)
        return UNDECIDED if over.odd else shape  # one mistake is one finding

    def _fields(
        self, fields: Json, path: Path, pointer: str, scope: Shape, wanted: Shape, *, is_optional: bool = False
    ) -> Shape:
        """An object of named leaves. Gives what it makes, so that what is around it can be judged."""
        if not isinstance(fields, dict):
            return UNDECIDED
        made: dict[str, Shape] = {}
        required, known, closed = required_of(wanted), names_of(wanted), is_closed(wanted)
        absences = {name: absence(leaf, scope, form_of) for name, leaf in fields.items()} if is_optional else {}
        for name, leaf in fields.items():
            there = f"{pointer}/{name}"
            if closed and name not in known:
                fix = did_you_mean(name, known - fields.keys()) or "leave it out"
                self._findings.add(
                    self._file,
                    self._document.place((*path, name)),
                    Check.UNKNOWN_FIELD,
                    f"{there}: the target has no such field",
                    fix,
                )
                continue
            # Of an object that may be left out, a part may be missing where all parts are.
            must = name in required and not (
                is_optional and absences[name].is_shared(other for key, other in absences.items() if key != name)
            )
            made[name] = self._leaf(
                leaf,
                (*path, name),
                there,
                scope,
                field_of(wanted, name) if wanted.kinds is not None else UNDECIDED,
                must,
            )
        # A required field that was misspelt is not missing as well.
        meant = {nearest(name, known - fields.keys()) for name in fields if closed and name not in known}
        for name in sorted(required - fields.keys() - meant):
            text = f"{pointer}/{name}: the target requires it, and nothing makes it"
            self._findings.add(
                self._file, self._document.place(path), Check.MISSING_FIELD, text, f"add {name}: an expression"
            )
        return of_kind("object", fields=made)

    def _leaf(self, leaf: Json, path: Path, pointer: str, scope: Shape, wanted: Shape, required: bool) -> Shape:
        directive = form_of(leaf)
        if directive is None and isinstance(leaf, dict):
            return self._object(leaf, path, pointer, scope, wanted, required)
        if directive == "each":
            assert isinstance(leaf, dict)
            return self._each(leaf, path, pointer, scope, wanted, required)
        if (
            directive == "when"
            and isinstance(leaf, dict)
            and any(form_of(part) in (None, "each") for part in _branches(leaf) if isinstance(part, dict))
        ):
            return self._cases(leaf, path, pointer, scope, wanted, required)
        shape = self._value(leaf, directive, path, pointer, scope)
        self._judge(shape, wanted, path, pointer, required)
        return shape

    def _object(
        self, leaf: dict[str, Any], path: Path, pointer: str, scope: Shape, wanted: Shape, required: bool
    ) -> Shape:
        """An object of which every part may be missing is itself left out then."""
        if wanted.kinds is not None and "object" not in wanted.kinds:
            self._judge(of_kind("object", fields={}), wanted, path, pointer, required)
            return of_kind("object", fields={})
        shape = self._fields(leaf, path, pointer, scope, wanted, is_optional=not required)
        parts = shape.fields or {}
        if not parts or not all(part.kinds is not None and MISSING in part.kinds for part in parts.values()):
            return shape
        if required and not required_of(wanted):  # where a part is required, it is told of the part
            self._add(path, pointer, may_be_missing())
        return shape.also(MISSING)

    def _cases(
        self, leaf: dict[str, Any], path: Path, pointer: str, scope: Shape, wanted: Shape, required: bool
    ) -> Shape:
        """A condition with what is made where it holds, and where it does not, each judged in its own place."""
        condition = self._condition(leaf, path, pointer, scope)
        then = self._leaf(leaf.get("value"), (*path, "value"), pointer, narrowed(scope, condition), wanted, required)
        if "otherwise" in leaf:
            other = self._leaf(
                leaf["otherwise"],
                (*path, "otherwise"),
                pointer,
                narrowed(scope, condition, holds=False),
                wanted,
                required,
            )
            return union([then, other])
        if required:
            self._add(path, pointer, may_be_missing())
        return then.also(MISSING)

    def _judge(self, shape: Shape, wanted: Shape, path: Path, pointer: str, required: bool) -> None:
        self._leaves += 1
        fitting = Assignability()
        for misfit in misfits(shape, wanted, fitting, required=required):
            self._add(path, pointer + misfit.pointer, misfit.odd)
        if fitting.undecided:
            self._undecided.append(pointer)

    def _value(self, leaf: Json, directive: str | None, path: Path, pointer: str, scope: Shape) -> Shape:
        if not isinstance(leaf, dict):
            return self._infer(leaf, path, pointer, scope)
        match directive:
            case "const":
                return of_value(leaf["const"])
            case "copy":
                shape = self._infer(leaf["copy"], (*path, "copy"), pointer, scope)
                without = leaf.get("except")
                return _except(shape, tuple(str(name) for name in without) if isinstance(without, list) else ())
            case "table":
                return self._table(leaf, path, pointer, scope)
            case "when":
                condition = self._condition(leaf, path, pointer, scope)
                then = self._branch(leaf, "value", path, pointer, narrowed(scope, condition))
                other = (
                    self._branch(leaf, "otherwise", path, pointer, narrowed(scope, condition, holds=False))
                    if "otherwise" in leaf
                    else NOTHING
                )
                return union([then, other])
            case _:
                return UNDECIDED

    def _condition(self, leaf: dict[str, Any], path: Path, pointer: str, scope: Shape) -> str:
        """The condition as the engine spells it. One that can never hold, whatever way the message takes, is a
        finding.
        """
        over = self._over(scope)
        costly(self._document, (*path, "when"), str(leaf["when"]), self._findings, f"{pointer}: ")
        condition = _spelled(str(leaf["when"]))
        infer(condition, over)
        for odd in dict.fromkeys(over.odd):
            self._add((*path, "when"), pointer, odd)
        node = tree(condition)
        why = never(scope if self._elements else self._whole, node) if node is not None and not over.odd else None
        if why is not None:
            text, fix = said(why)
            self._findings.add(
                self._file, self._document.place((*path, "when")), Check.NEVER_TRUE, f"{pointer}: {text}", fix
            )
        return condition

    def _branch(self, leaf: dict[str, Any], name: str, path: Path, pointer: str, scope: Shape) -> Shape:
        inner = leaf.get(name)
        directive = form_of(inner)
        if isinstance(inner, dict) and directive is None:
            return UNDECIDED
        return self._value(inner, directive, (*path, name), pointer, scope)

    def _table(self, leaf: dict[str, Any], path: Path, pointer: str, scope: Shape) -> Shape:
        of = self._infer(leaf.get("of"), (*path, "of"), pointer, scope)
        table = self._tables.get(str(leaf.get("table")))
        if table is None:
            return UNDECIDED
        rows = union([of_value(value) for value in table.values()])
        if "otherwise" in leaf:
            return union([rows, of_value(leaf["otherwise"])])
        if of.values is not None:
            lacking = sorted(_key(value) for value in of.values if _key(value) not in table)
            if lacking:
                fix = f"add {lacking[0]}: ... to the table, or write an otherwise"
                self._add(
                    path,
                    pointer,
                    Oddity("table_lacks", f"the table {leaf['table']} has no row for {', '.join(lacking[:5])}", fix),
                )
        return rows.also(MISSING) if of.may(MISSING) else rows

    def _each(
        self, leaf: dict[str, Any], path: Path, pointer: str, scope: Shape, wanted: Shape, required: bool
    ) -> Shape:
        over = self._infer(leaf["each"], (*path, "each"), pointer, scope)
        if over.kinds is not None and not over.kinds & {"array", "object"} and over.kinds - {MISSING, "null"}:
            self._add(
                (*path, "each"),
                pointer,
                Oddity(
                    "no_list",
                    f"each goes over a list, and this is {' or '.join(sorted(over.kinds - {MISSING, 'null'}))}",
                    "name a list",
                ),
            )
            return UNDECIDED
        element = item_of(over.without(MISSING, "null")) if over.kinds is not None else UNDECIDED
        inside = item_of(wanted) if wanted.may("array") else UNDECIDED
        self._elements += 1
        if "fields" in leaf:
            made = self._fields(leaf["fields"], (*path, "fields"), f"{pointer}/*", element, inside)
        else:
            made = self._leaf(leaf["value"], (*path, "value"), f"{pointer}/*", element, inside, required=False)
        self._elements -= 1
        shape = of_kind("array", item=made)
        if over.kinds is not None and over.kinds & {MISSING, "null"}:
            shape = shape.also(MISSING)
        if wanted.kinds is not None:
            self._judge(
                replace(shape, item=UNDECIDED) if wanted.may("array") else shape,
                wanted if not wanted.may("array") else replace(wanted, item=UNDECIDED, schemas=()),
                path,
                pointer,
                required,
            )
            if self._undecided and self._undecided[-1] == pointer:
                self._undecided.pop()  # its elements were judged field by field
        return shape


_INDEX = re.compile(r"\.[0-9]")


def _spelled(text: str) -> str:
    """`items.0.sku` is ours, `items[0].sku` is JSONata's."""
    path = plain_path(text) if _INDEX.search(text) else None
    if not path or not any(isinstance(step, int) for step in path):
        return text
    first, *rest = path
    return str(first) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)


def _except(shape: Shape, names: tuple[str, ...]) -> Shape:
    """What is left of an object without some of its fields."""
    if not names or shape.kinds is None:
        return shape
    there = shape.only("object")
    fields = {name: field_of(there, name) for name in names_of(shape) if name not in names}
    if shape.may("array"):
        element = item_of(shape)
        return replace(
            shape,
            schemas=(),
            item=of_kind(
                "object", fields={name: field_of(element, name) for name in names_of(element) if name not in names}
            ),
        )
    return replace(shape, schemas=(), fields=fields, known=None)


def _branches(leaf: dict[str, Any]) -> list[Json]:
    return [leaf[name] for name in ("value", "otherwise") if name in leaf]


def _shared(catalog: Catalog) -> dict[str, Mapping[str, Json]]:
    tables: dict[str, Mapping[str, Json]] = {}
    for file, text in catalog.files.items():
        if file.startswith("mappings/tables/"):
            root = read_yaml(file, text).root
            rows = plain(root, file, Findings()) if root is not None else None
            tables[file.removeprefix("mappings/tables/").removesuffix(".yaml")] = rows if isinstance(rows, dict) else {}
    return tables


def _key(value: object) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
