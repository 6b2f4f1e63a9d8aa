"""A mapping: how one contract's shape becomes another's. Compiled once; pure; never changes what it is given.

Each leaf of `fields:` is an expression over the source. A plain path is copied losslessly; a leaf that gives nothing is
left out, and the target's contract says whether that is a fault. Inside `each:` expressions are over the element (`$$`
too), and `$source` is the whole source. A result may share parts with its source and with the mapping's tables: neither
may be changed afterwards.
"""

from __future__ import annotations

import collections.abc
import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from hub.core import json
from hub.core.config.mapping_limits import measure
from hub.core.errors import Cause, GiveUp, Reason
from hub.core.expressions import evaluation_door, evaluation_jobs
from hub.core.expressions.cost import LINEAR, NOTHING, PATH, cost_of
from hub.core.expressions.cost_terms import Cost
from hub.core.expressions.expression import MAPPING_MS, Expression, compile_expression
from hub.core.expressions.functions import table_key
from hub.core.expressions.prepared import MISSING, Over, PreparedValue, weigh
from hub.core.expressions.slips import hint
from hub.core.json import escape
from hub.core.message import Json, Ref

PATIENCE = 4  # times the work of an expression in place: no event loop makes a mapping

Lookups: TypeAlias = "collections.abc.Mapping[str, Json]"
Place: TypeAlias = "tuple[str | int, ...]"
Table: TypeAlias = "dict[str, Json]"

_NO_LOOKUPS: Lookups = {}


@dataclass(frozen=True, slots=True)
class MappingFault:
    """One thing wrong with a mapping's file: the YAML place, what is wrong, what to write instead."""

    path: Place
    text: str
    fix: str = ""


class BadMapping(ValueError):
    """A mapping's file is wrong; all of its faults at once."""

    def __init__(self, faults: Sequence[MappingFault]) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Example:
    """A source and what it must become: `expect` is a subset, `exactly` the whole. `given` is a sample's path, or the
    value itself.

    `lookups` are what the route's `enrich` would have found, by name.
    """

    given: Json
    expect: Json = None
    exactly: Json = None
    lookups: dict[str, Json] = field(default_factory=dict)


class _Scope:
    """What expressions are over: the source, or one element of it. `bindings` hold the source in either case."""

    __slots__ = ("bindings", "now", "value")

    def __init__(self, value: PreparedValue, bindings: dict[str, Over], now: datetime) -> None:
        self.value, self.bindings, self.now = value, bindings, now


_Maker: TypeAlias = Callable[[_Scope], Any]


@dataclass(frozen=True, slots=True)
class Mapping:
    """From one version of one message to one version of another."""

    source: Ref
    target: Ref
    make: _Maker
    examples: tuple[Example, ...] = ()
    expressions: tuple[tuple[str, str], ...] = ()
    cost: Cost = LINEAR
    # its document and the code lists, as an evaluator is told them
    fixed: bytes = field(default=b"", repr=False, compare=False)

    def apply(self, payload: Json, *, now: datetime, lookups: Lookups = _NO_LOOKUPS) -> Json:
        """The target's payload. `now`: when the message was received; `lookups`: what its route looked up, bound as
        `$name`.

        Raises GiveUp (transform_error, transform_timeout, codelist_miss) with the field.
        """
        if evaluation_door.is_open() and self.fixed and self._is_heavy(payload, lookups):
            return evaluation_jobs.apply(self.fixed, payload, now, lookups)  # type: ignore[no-any-return]
        return self.here(payload, now=now, lookups=lookups)

    def _is_heavy(self, payload: Json, lookups: Lookups) -> bool:
        most = self.cost.most
        return self.cost.is_heavy(weigh(payload, most) + sum(weigh(value, most) for value in lookups.values()))

    def here(self, payload: Json, *, now: datetime, lookups: Lookups = _NO_LOOKUPS) -> Json:
        """The same in place, whatever it costs."""
        source = PreparedValue(payload)
        bindings: dict[str, Over] = {name: PreparedValue(value) for name, value in lookups.items()}
        made = self.make(_Scope(source, {**bindings, "source": source}, now))
        measure(made)
        return made  # type: ignore[no-any-return]

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Each target field with the expression that makes it, in the order of the file."""
        yield from self.expressions


def compile_mapping(document: Json, shared: dict[str, Table] | None = None) -> Mapping:
    """Reads a mapping's document (plain values). `shared` are the workspace's code lists. Raises BadMapping with all
    faults.
    """
    return _Compiler(shared or {}).mapping(document)


class _Compiler:
    def __init__(self, shared: dict[str, Table]) -> None:
        self._shared = shared
        self._tables = dict(shared)
        self._cost = NOTHING
        self._depth = 0  # of `each` within `each`
        self._faults: list[MappingFault] = []
        self._leaves: list[tuple[str, str]] = []

    def mapping(self, document: Json) -> Mapping:
        if not isinstance(document, dict):
            raise BadMapping([MappingFault((), "a mapping is a file with from, to and fields")])
        for word in document:
            if word not in ("from", "to", "fields", "tables", "examples"):
                self._fault(
                    (word,), f"unknown key {word!r}", _near(word, ("from", "to", "fields", "tables", "examples"))
                )
        source, target = self._ref(document, "from"), self._ref(document, "to")
        self._read_tables(document.get("tables"))
        if "fields" not in document:
            self._fault((), "fields is missing", "write fields: with the shape of the target")
        make = self._fields(document.get("fields", {}), ("fields",), "", is_whole=True)
        examples = self._examples(document.get("examples"))
        if self._faults or source is None or target is None:
            raise BadMapping(self._faults)
        own = {name: part for name, part in document.items() if name != "examples"}
        text = json.encode(own).decode()
        fixed = json.encode(
            {"document": own, "tables": {name: rows for name, rows in self._shared.items() if name in text}}
        )
        return Mapping(source, target, make, examples, tuple(self._leaves), self._cost.scaled(1 / PATIENCE), fixed)

    def _fault(self, path: Place, text: str, fix: str = "") -> None:
        self._faults.append(MappingFault(path, text, fix))

    def _ref(self, document: dict[str, Json], word: str) -> Ref | None:
        try:
            return Ref.parse(str(document[word]))
        except KeyError:
            self._fault((), f"{word} is missing", f"write {word}: system/message@version")
        except ValueError as error:
            self._fault((word,), str(error))
        return None

    def _read_tables(self, tables: Json) -> None:
        if tables is None:
            return
        if not isinstance(tables, dict):
            self._fault(("tables",), "tables holds code lists by name")
            return
        for name, table in tables.items():
            if isinstance(table, dict):
                self._tables[name] = table
            else:
                self._fault(("tables", name), f"the table {name} is no list of code: code")

    def _examples(self, examples: Json) -> tuple[Example, ...]:
        found: list[Example] = []
        for number, example in enumerate(examples if isinstance(examples, list) else []):
            place: Place = ("examples", number)
            if not isinstance(example, dict) or "given" not in example or not {"expect", "exactly"} & example.keys():
                self._fault(place, "an example has given, and expect or exactly")
                continue
            for word in example.keys() - set(_OF_EXAMPLE):
                self._fault((*place, word), f"unknown key {word!r}", _near(word, _OF_EXAMPLE))
            lookups = example.get("lookups", {})
            if not isinstance(lookups, dict):
                self._fault((*place, "lookups"), "lookups holds what was looked up, by name")
                lookups = {}
            found.append(Example(example["given"], example.get("expect"), example.get("exactly"), lookups))
        if examples is not None and not isinstance(examples, list):
            self._fault(("examples",), "examples is a list")
        return tuple(found)

    # Each of these gives a maker: a function of the scope. What it raises names the target's field from its own place
    # downwards; each level above puts its own name before it, so that a pointer is only built when something failed.

    def _fields(self, fields: Json, path: Place, field: str, *, is_whole: bool = False) -> _Maker:
        if not isinstance(fields, dict):
            self._fault(path, "fields holds the target's fields by name")
            return _nothing
        makers = [(str(name), self._leaf(leaf, (*path, name), f"{field}/{name}")) for name, leaf in fields.items()]

        def make(scope: _Scope) -> Any:
            made: dict[str, Json] = {}
            for name, maker in makers:
                try:
                    value = maker(scope)
                except GiveUp as error:
                    raise _under(name, error) from error
                if value is not MISSING:
                    made[name] = value
            # an object of nothing is nothing; the whole message is always an object
            return made if made or is_whole else MISSING

        return make

    def _leaf(self, leaf: Json, path: Place, field: str) -> _Maker:
        if isinstance(leaf, str):
            return self._expression(leaf, path, field)
        if not isinstance(leaf, dict):
            self._fault(path, f"{leaf!r} is no expression", f"for a fixed value write {{const: {leaf}}}")
            return _nothing
        for word, known, compile_leaf in (
            ("each", {"each", "fields", "value"}, self._each),
            ("copy", {"copy", "except"}, self._copy),
            ("table", {"table", "of", "otherwise"}, self._table),
            ("const", {"const"}, self._const),
            ("when", {"when", "value", "otherwise"}, self._when),
        ):
            # A target may itself have a field called `copy` or `when`: it is a directive only with its own partners
            # beside it.
            if word in leaf and leaf.keys() <= known and (len(leaf) > 1 or word in ("copy", "const")):
                return compile_leaf(leaf, path, field)
        return self._fields(leaf, path, field)

    def _expression(self, text: Json, path: Place, field: str) -> _Maker:
        expression = self._compiled(text, path)
        if expression is None:
            return _nothing
        self._leaves.append((field, expression.text))
        tables = self._tables

        def make(scope: _Scope) -> Any:
            return expression.evaluate(scope.value, now=scope.now, bindings=scope.bindings, tables=tables)

        if expression.path is None or len(expression.path) != 1 or not isinstance(name := expression.path[0], str):
            return make

        def make_one(scope: _Scope) -> Any:
            # most leaves are one name: this is what `evaluate` does with it, without the way there
            value = scope.value.value
            return value.get(name, MISSING) if isinstance(value, dict) else make(scope)

        return make_one

    def _compiled(self, text: Json, path: Place) -> Expression | None:
        try:
            expression = compile_expression(text if isinstance(text, str) else "", limit_ms=MAPPING_MS)
        except ValueError as error:
            fix = hint(str(text)) or "a path such as consignee.name, or JSONata; a fixed text is {const: text}"
            self._fault(path, f"{text!r} is no expression: {error}", fix)
            return None
        self._cost += (PATH if expression.steps is not None else cost_of(expression.text)).of_each(self._depth)
        for name in _TABLE_CALL.findall(expression.text):
            if name not in self._tables:
                self._fault(path, f"there is no table {name!r}", _near(name, self._tables) or "add it under tables:")
        return expression

    def _each(self, leaf: dict[str, Json], path: Place, field: str) -> _Maker:
        over = self._expression(leaf["each"], (*path, "each"), field)
        self._depth += 1
        part, read = ("fields", self._fields) if "fields" in leaf else ("value", self._leaf)
        inner = read(leaf[part], (*path, part), f"{field}/*")
        self._depth -= 1

        def make(scope: _Scope) -> Any:
            elements = over(scope)
            if elements is MISSING or elements is None:
                return MISSING
            if not isinstance(elements, list):
                elements = [elements]  # a path over one element gives the element: `each` always makes an array
            made: list[Json] = []
            for index, element in enumerate(elements):
                try:
                    value = inner(_Scope(PreparedValue(element), scope.bindings, scope.now))
                except GiveUp as error:
                    raise _under(str(index), error) from error
                # An element whose fields are all left out stays, as {}: the target's contract sees it, and no line of
                # an order disappears.
                if value is not MISSING or part == "fields":
                    made.append({} if value is MISSING else value)
            return made

        return make

    def _copy(self, leaf: dict[str, Json], path: Place, field: str) -> _Maker:
        over = self._expression(leaf["copy"], (*path, "copy"), field)
        without = leaf.get("except", [])
        if not isinstance(without, list):
            self._fault((*path, "except"), "except is a list of names", "write except: [name]")
            without = []

        def make(scope: _Scope) -> Any:
            return _without(over(scope), without)

        return make

    def _table(self, leaf: dict[str, Json], path: Place, field: str) -> _Maker:
        name = str(leaf["table"])
        table = self._tables.get(name)
        if table is None:
            self._fault(
                (*path, "table"), f"there is no table {name!r}", _near(name, self._tables) or "add it under tables:"
            )
            return _nothing
        if "of" not in leaf:
            self._fault(path, "a table wants of: the expression that is looked up")
            return _nothing
        of = self._expression(leaf["of"], (*path, "of"), field)

        def make(scope: _Scope) -> Any:
            key = of(scope)
            row = None if key is MISSING or key is None else table_key(key)
            if row is not None and row in table:
                return table[row]
            if "otherwise" in leaf:
                return leaf["otherwise"]
            if key is MISSING:
                return MISSING  # nothing was there to be translated; the target's contract says whether it must be
            shown = "null" if key is None else repr(row[:64]) if row is not None else "an array or an object"
            raise GiveUp(
                Cause(
                    Reason.CODELIST_MISS,
                    f"The table {name} has no row for {shown}.",
                    fix="Add the row to the table, or write an otherwise.",
                )
            )

        return make

    def _const(self, leaf: dict[str, Json], path: Place, field: str) -> _Maker:
        value = leaf["const"]
        self._leaves.append((field, f"const {value!r}"))
        return lambda _scope: value

    def _when(self, leaf: dict[str, Json], path: Place, field: str) -> _Maker:
        condition = self._compiled(leaf["when"], (*path, "when"))
        then = self._leaf(leaf["value"], (*path, "value"), field) if "value" in leaf else _nothing
        other = self._leaf(leaf["otherwise"], (*path, "otherwise"), field) if "otherwise" in leaf else _nothing
        if "value" not in leaf:
            self._fault(path, "when wants value: the expression to use where it holds")
        if condition is None:
            return _nothing

        def make(scope: _Scope) -> Any:
            return then(scope) if condition.holds(scope.value, now=scope.now, bindings=scope.bindings) else other(scope)

        return make


_OF_EXAMPLE = ("given", "expect", "exactly", "lookups", "about")
_TABLE_CALL = re.compile(r"""\$table\(\s*["']([^"']+)["']""")


def _without(value: Any, names: list[Json]) -> Any:
    """A copy without the named fields: of an object, or of each object of an array."""
    if isinstance(value, dict):
        return {name: child for name, child in value.items() if name not in names}
    return [_without(child, names) for child in value] if isinstance(value, list) else value


def _nothing(scope: _Scope) -> Any:
    return MISSING


def _under(name: str, error: GiveUp) -> GiveUp:
    """The same fault, seen from one level above: its field begins with `name`."""
    why = error.why
    return GiveUp(Cause(why.reason, why.text, f"/{escape(name)}{why.field}", why.fix))


def _near(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""
