"""Expressions: one pinned JSONata engine behind one door, and plain paths that never reach it.

A plain path (`consignee.name`, `items[0].sku`, `items.0.sku`, `items.sku`, `$source.orderNo`) is copied losslessly.
Everything else goes to the engine, whose numbers are doubles. A number goes in as a number where a double keeps all of
it: whole numbers up to ±2⁵³, fractions of up to 15 significant digits (so `totalAmount > 100` compares numbers). Any
other goes in as text, with all its digits. What comes out has 15 significant digits, as JSONata's own `$string` writes
numbers: 0.1 + 0.2 is 0.3, 19.99 * 100 is 1999. Comparisons inside are still between doubles, so exact money is made
with `$dec_add`, `$dec_mul`, `$dec_round` on decimal texts (`core.expressions.functions`).

A compiled expression belongs to the thread that made it: used or even dropped in another it panics. So each thread has
its own cache.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

import jsonatapy

from hub.core.errors import Cause, GiveUp, Reason
from hub.core.expressions import evaluation_door, evaluation_jobs, joined_identity
from hub.core.expressions.cost import cost_of
from hub.core.expressions.functions import BUILT_IN, OWN, REPLACED, FunctionContext, functions
from hub.core.expressions.plain_paths import HAND_OVER, follow, plain_path, read_plain
from hub.core.expressions.prepared import MISSING, SAFE_DIGITS, SAFE_INTEGER, Over, PreparedValue, ready, weigh
from hub.core.expressions.syntax import read
from hub.core.expressions.tree import Call, Lambda, Literal, Regex, Variable, walk
from hub.core.json import pointer
from hub.core.message import Json

CONDITION_MS = 50
MAPPING_MS = 200
PATIENCE = 6  # what took too long is given so many times as long, once
ENOUGH = 0.8  # of its limit in processor time: a second try would take as long
TOO_LONG = "D1012"
NO_CONTEXT = "T0411"
MAX_DEPTH = 500
MAX_SEQUENCE = 100_000
MAX_TEXT = 10_000  # characters of one expression
MAX_MADE = 10_000_000  # characters and values of one result
MAX_NESTING = 64  # levels of one result, as of a message
MAX_ENGINES = 5_000  # compiled expressions that a thread keeps; revisions come and go


_NO_TABLES: Mapping[str, Mapping[str, Json]] = {}

_DOTTED_INDEX = re.compile(r"\.[0-9]")
_CODE = re.compile(r"\b[A-Z]\d{4}\b", re.ASCII)
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|/\*.*?\*/', re.DOTALL)
_CALL = re.compile(r"\$(\w+)\s*\(", re.ASCII)
_MEANING = {
    "D1001": "a number is too large",
    "D1002": "a minus sign stands before something that is no number",
    "D1011": "it calls itself too deeply",
    "D1012": "it takes too long",
    "D2014": "a range is too long",
    "D2015": "a sequence is too long",
    "D3030": "a text is no number",
    "D3060": "a root of a negative number",
    "D3061": "a power that is no number",
    "D3137": "its $error was reached",
    "D3141": "its $assert does not hold",
    "S0201": "something stands where nothing may",
    "S0207": "it ends too early",
    "S0213": "a step of the path is no name",
    "T0410": "a function was given an argument of the wrong type",
    "T1003": "a name in an object is no text",
    "T1006": "something is called that is no function",
    "T2001": "the left side of an arithmetic operator is no number",
    "T2002": "the right side of an arithmetic operator is no number",
    "T2009": "a comparison is between two kinds of value",
    "T2010": "a comparison is between what is no number and no text, such as null",
}
_LIMITS = frozenset({"D1011", "D1012", "D2014", "D2015"})
_local = threading.local()


class _Slow(Exception):  # a signal, from `_run` to `_anywhere`
    """It was not done within the time that it has in place."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: `text` as written; `path` if it is a plain one over the value itself. Equal and safe in
    every thread.
    """

    text: str
    path: tuple[str | int, ...] | None = None
    limit_ms: int = CONDITION_MS
    root: str | None = None  # the binding that a plain path such as `$source.orderNo` begins at
    steps: tuple[str | int, ...] | None = field(default=None, repr=False)  # of the plain path, wherever it begins
    strict: str = field(default="", repr=False)  # of an identity: the spelling in which no part may be missing

    def evaluate(
        self,
        value: Over,
        *,
        now: datetime,
        bindings: Mapping[str, Over] | None = None,
        tables: Mapping[str, Mapping[str, Json]] = _NO_TABLES,
    ) -> Any:
        """The result over `value` (MISSING: there is no input at all), or MISSING. `bindings` are what `$name` finds;
        `now` is what `$now()` says; `tables` those of `$table`.

        Raises GiveUp: transform_error, transform_timeout, codelist_miss (without field). Nothing that is given is
        changed; the result may share parts of it.
        """
        if self.steps is not None:
            start: Any = value if self.root is None else (bindings or {}).get(self.root, MISSING)
            found = follow(start.value if type(start) is PreparedValue else start, self.steps)
            if found is not HAND_OVER:
                return found
        return self._anywhere(value, now, bindings, tables)

    def _anywhere(
        self, value: Over, now: datetime, bindings: Mapping[str, Over] | None, tables: Mapping[str, Mapping[str, Json]]
    ) -> Any:
        """In place where it is cheap; through the door where it is not, or takes longer than was thought."""
        if not evaluation_door.is_open():
            return self._here(value, now, bindings, tables, self.limit_ms)
        if not self._is_heavy(value, bindings):
            # Twice: the limit is a clock's, and what took long the first time may have waited for a processor.
            for _ in range(2):
                with suppress(_Slow):
                    return self._here(value, now, bindings, tables, evaluation_door.INLINE_MS)
        return evaluation_jobs.evaluate(
            self.text, self.limit_ms, value, now, bindings, tables, is_identity=bool(self.strict)
        )

    def _is_heavy(self, value: Over, bindings: Mapping[str, Over] | None) -> bool:
        cost = cost_of(self.text)
        if cost.is_unbounded:
            return True
        weight = weigh(value, cost.most)
        if bindings and "$" in self.text:
            weight += sum(weigh(part, cost.most) for name, part in bindings.items() if "$" + name in self.text)
        return weight > cost.most

    def _here(
        self,
        value: Over,
        now: datetime,
        bindings: Mapping[str, Over] | None,
        tables: Mapping[str, Mapping[str, Json]],
        limit_ms: int,
    ) -> Any:
        if value is MISSING:
            return self._over_nothing(now, bindings, tables, limit_ms)
        text = self.strict or _readable(self)
        try:
            result = self._run(text, value, now, bindings, tables, limit_ms)
        except GiveUp:
            if self.strict and (lacking := _lacking(self.text, value)):
                raise GiveUp(lacking) from None
            raise
        if result is None:
            # The engine gives None for null and for nothing; asked whether there is something, it can tell them apart.
            return (
                None if self._run(f"$exists(({text}\n))", value, now, bindings, tables, limit_ms) is True else MISSING
            )
        return result

    def _over_nothing(
        self,
        now: datetime,
        bindings: Mapping[str, Over] | None,
        tables: Mapping[str, Mapping[str, Json]],
        limit_ms: int,
    ) -> Any:
        """The engine has no input that is nothing, only null: what then is null, or needs the context as an argument,
        is nothing.
        """
        try:
            result = self._run(_readable(self), None, now, bindings, tables, limit_ms)
        except GiveUp as error:
            if NO_CONTEXT in error.why.text:
                return MISSING
            raise
        return MISSING if result is None else result

    def holds(self, value: Over, *, now: datetime, bindings: Mapping[str, Over] | None = None) -> bool:
        """As a condition, by JSONata's `$boolean`: missing, null, "", 0, {} and [] are false. Raises GiveUp."""
        return _truth(self.evaluate(value, now=now, bindings=bindings))

    def _run(
        self,
        text: str,
        value: Over,
        now: datetime,
        bindings: Mapping[str, Over] | None,
        tables: Mapping[str, Mapping[str, Json]],
        limit_ms: int,
    ) -> Any:
        """Raises GiveUp, and _Slow where it took longer than it may in place."""
        given = _given()
        began = evaluation_door.cpu_ms()
        given.told(now, tables)
        bound = {name: ready(part) for name, part in bindings.items() if "$" + name in text} if bindings else None
        try:
            try:
                result = _compiled(text, limit_ms).evaluate(ready(value), bound)
            except ValueError as error:
                if TOO_LONG not in str(error) or (
                    began is not None and (evaluation_door.cpu_ms() or 0.0) - began >= limit_ms * ENOUGH
                ):
                    raise
                if limit_ms < self.limit_ms:
                    raise _Slow from error
                # The limit is a clock's, and a busy machine may have had no time for us: nobody is refused, and nothing
                # dies, for that alone.
                given.told(now, tables)
                result = _compiled(text, limit_ms * PATIENCE).evaluate(ready(value), bound)
        except (ValueError, TypeError, RecursionError) as error:
            if given.nothing:
                return None if not text.startswith("$exists((") else False
            raise GiveUp(_why(self.text, error, given)) from error
        except BaseException as error:
            # The engine's panic is no Exception. The thread's cache may hold what panicked: it is thrown away.
            if type(error).__name__ != "PanicException":
                raise
            _local.engines = {}
            raise GiveUp(
                Cause(
                    Reason.TRANSFORM_ERROR,
                    f"The expression {_short(self.text)} broke the engine.",
                    fix="Write it another way.",
                )
            ) from error
        return _Result(self.text).taken(result, 0)


def compile_expression(text: str, *, limit_ms: int = CONDITION_MS, is_identity: bool = False) -> Expression:
    """Reads an expression. `limit_ms`: how long one evaluation may take. `is_identity`: no part of it may be missing
    (core.expressions.joined_identity).

    Raises ValueError with the reason, in words for whoever wrote it.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("an expression is a text, such as consignee.name")
    if len(text) > MAX_TEXT:
        raise ValueError(f"the expression has {len(text)} characters; at most {MAX_TEXT} are taken")
    root, steps = read_plain(text)
    expression = Expression(
        text,
        steps if root is None else None,
        limit_ms,
        root,
        steps,
        joined_identity.strict(text) if is_identity and steps is None else "",
    )
    try:
        _compiled(expression.strict or _readable(expression), limit_ms)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(_reason(error)) from error
    if steps is None:
        _refuse_unknown_calls(text)
    return expression


def _lacking(text: str, value: Over) -> Cause | None:
    """Which part of an identity is missing, where that is a plain field."""
    whole = value.value if type(value) is PreparedValue else value
    for part in joined_identity.parts(text):
        field_ = text[part.start : part.end].strip()
        path = plain_path(field_)
        if path is not None and follow(whole, path) in (MISSING, None, ""):
            fix = "Send it: what is known by several parts is never known by some of them."
            return Cause(Reason.TRANSFORM_ERROR, f"The part {field_} of {_short(text)} is missing.", pointer(path), fix)
    return None


def _readable(expression: Expression) -> str:
    """The engine's spelling: `items.0.sku` is ours, `items[0].sku` is JSONata's."""
    if expression.path is None or not _DOTTED_INDEX.search(expression.text):
        return expression.text
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in expression.path)


def _compiled(text: str, limit_ms: int) -> Any:
    engines = getattr(_local, "engines", None)
    if engines is None:
        engines = _local.engines = {}
    engine = engines.get((text, limit_ms))
    if engine is None:
        engine = jsonatapy.compile(text, timeout=limit_ms, max_stack_depth=MAX_DEPTH, max_sequence_length=MAX_SEQUENCE)
        native = _kept_native(text)
        for name, function in functions(_given()).items():
            if name not in native:
                (engine.register_override if name in REPLACED else engine.register)(name, function)
        if len(engines) >= MAX_ENGINES:
            engines.clear()
        engines[text, limit_ms] = engine
    return engine


def _kept_native(text: str) -> frozenset[str]:
    """The engine's functions that stay in place in this expression.

    The engine hands a function of ours nothing in place of a regular expression or a lambda, not the context that
    stands for an argument that is left out, and takes null as its answer where its own may answer nothing. So
    `$replace` with a regular expression or a lambda, and `$toMillis` with no picture or with one that has a year, are
    the engine's own.
    """
    if "$replace" not in text and "$toMillis" not in text:
        return frozenset()
    try:
        nodes = list(walk(read(text)))
    except ValueError:
        return frozenset({"replace"})
    native = {"replace"} if any(isinstance(node, Regex | Lambda) for node in nodes) else set()
    times = [
        node
        for node in nodes
        if isinstance(node, Call) and isinstance(node.function, Variable) and node.function.name == "toMillis"
    ]
    return frozenset(native if any(_may_lack_year(call) for call in times) else native | {"toMillis"})


def _may_lack_year(call: Call) -> bool:
    """Whether a call of `$toMillis` has a picture that takes its year from a clock, or one that is known at run time
    only.
    """
    pictures = call.arguments[-1:]
    if not pictures or (len(call.arguments) == 1 and not isinstance(pictures[0], Literal)):
        return False
    return not (
        isinstance(pictures[0], Literal)
        and ("[Y" in str(pictures[0].value) or "[X" in str(pictures[0].value) or "[" not in str(pictures[0].value))
    )


def _given() -> FunctionContext:
    given: FunctionContext | None = getattr(_local, "given", None)
    if given is None:
        given = _local.given = FunctionContext(_native)
    return given


def _native(text: str, bindings: Mapping[str, Any]) -> Any:
    """One of the engine's own functions, for a function of ours that stands in its place. Raises ValueError."""
    natives = getattr(_local, "natives", None)
    if natives is None:
        natives = _local.natives = {}
    if text not in natives:
        natives[text] = jsonatapy.compile(
            text, timeout=CONDITION_MS, max_stack_depth=MAX_DEPTH, max_sequence_length=MAX_SEQUENCE
        )
    return natives[text].evaluate(None, bindings)


class _Result:
    """Takes a result over from the engine: numbers made clean, size and depth measured."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = 0

    def taken(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self.size += len(value) + 1 if kind is str else 1
        if self.size > MAX_MADE or depth > MAX_NESTING:
            raise GiveUp(
                Cause(
                    Reason.TRANSFORM_ERROR,
                    f"What {_short(self.text)} makes is too large.",
                    fix=f"At most {MAX_MADE} characters, {MAX_NESTING} levels.",
                )
            )
        if kind is dict:
            return {name: self.taken(member, depth + 1) for name, member in value.items()}
        if kind is list:
            return [self.taken(member, depth + 1) for member in value]
        if kind is float:
            if value - value != 0.0:  # infinity, or not a number
                raise GiveUp(
                    Cause(
                        Reason.TRANSFORM_ERROR,
                        f"What {_short(self.text)} makes is no number that JSON has.",
                        fix="Guard the division: b = 0 ? 0 : a / b",
                    )
                )
            return _clean(value)
        return value


_DIGITS = Context(prec=SAFE_DIGITS)


def _clean(value: float) -> int | Decimal:
    number = _DIGITS.create_decimal(repr(value)).normalize()
    return int(number) if number == number.to_integral_value() and abs(number) <= SAFE_INTEGER else number


def _truth(value: Any) -> bool:
    if value is MISSING or value is None:
        return False
    if isinstance(value, list):
        return any(_truth(child) for child in value)
    return bool(value)


def _refuse_unknown_calls(text: str) -> None:
    """What the engine would only say at the first message: a function that nobody knows."""
    bare = _LITERAL.sub('""', text)
    for name in _CALL.findall(bare):
        if name not in BUILT_IN | OWN and bare.count(f"${name}") == len(re.findall(rf"\${name}\s*\(", bare)):
            near = difflib.get_close_matches(name, BUILT_IN | OWN, 1)
            raise ValueError(f"there is no function ${name}" + (f"; did you mean ${near[0]}?" if near else ""))


def _reason(error: Exception) -> str:
    """The engine's complaint about an expression, for whoever wrote it: there is no data in it yet."""
    text = str(error).strip() or type(error).__name__
    found = _CODE.search(text)
    return f"{_MEANING[found[0]]} ({found[0]})" if found and found[0] in _MEANING else text


def _why(text: str, error: Exception, given: FunctionContext) -> Cause:
    """In our own words: the engine's may repeat a value, and a value may be personal."""
    if given.missed:
        return Cause(
            Reason.CODELIST_MISS,
            f"The table {given.missed[:64]!r} has no row for the value.",
            fix="Add the row to the table, then replay.",
        )
    found = _CODE.search(str(error))
    code = found[0] if found else ""
    is_limit = code in _LIMITS or isinstance(error, RecursionError)
    said = given.said or _MEANING.get(code, "the engine cannot compute it")
    suffix = f" ({code})" if code and not given.said else ""
    return Cause(
        Reason.TRANSFORM_TIMEOUT if is_limit else Reason.TRANSFORM_ERROR,
        f"The expression {_short(text)} failed: {said}{suffix}.",
        fix="Mend the expression or the data, then replay.",
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:77] + "..."
