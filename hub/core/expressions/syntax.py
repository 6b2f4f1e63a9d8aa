"""A reader of JSONata: from an expression's text to its tree, for whoever reasons about expressions (types, lineage,
explanations). The engine runs them.

A Pratt reader with the binding powers of the language (docs.jsonata.org). Positions are offsets in the text. It takes
what the engine takes, as far as mappings are concerned; what it cannot read is a ValueError, and counts as undecided,
never as fine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from hub.core.expressions.tree import (
    Array,
    Binary,
    Bind,
    Block,
    Call,
    Chain,
    Condition,
    Filter,
    Focus,
    Group,
    Lambda,
    Literal,
    Name,
    Negate,
    Node,
    Object,
    Regex,
    Sort,
    Special,
    Step,
    Transform,
    Variable,
)

MAX_DEPTH = 200


_POWERS = {
    ".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "^": 40, "~>": 40,
    "*": 60, "/": 60, "%": 60, "+": 50, "-": 50, "&": 50,
    "=": 40, "!=": 40, "<": 40, "<=": 40, ">": 40, ">=": 40, "in": 40, "and": 30, "or": 25,
    "..": 20, "?": 20, "?:": 40, "??": 40, ":=": 10,
}  # fmt: skip
_WORDS = frozenset({"and", "or", "in"})
_BLANK = re.compile(r"(?:[ \t\r\n\v]|/\*.*?\*/)+", re.DOTALL)
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
_SIGN = re.compile(r"\.\.|:=|!=|>=|<=|\*\*|~>|\?:|\?\?|[.\[\]{}(),@#;:?+\-*/%|=<>^&]")
_NAME = re.compile(r"[^\s\[\]{}().,@#;:?+\-*/%|=<>^&!~`\"'$]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # sign, name, quoted, variable, value, regex, end
    value: Any
    at: int


@lru_cache(maxsize=20_000)
def tree(text: str) -> Node | None:
    """The tree of an expression; None where the reader does not know what the engine does."""
    try:
        return read(text)
    except ValueError:
        return None


def read(text: str) -> Node:
    """The tree of an expression. Raises ValueError with the offset where it cannot be read."""
    reader = _Reader(text)
    try:
        node = reader.expression(0)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if reader.token.kind != "end":
        raise reader.fault()
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self.token = _Token("sign", "", 0)
        self._advance(prefix=True)

    def fault(self) -> ValueError:
        what = "the end" if self.token.kind == "end" else repr(self.token.value)
        return ValueError(f"{what} stands at {self.token.at}, where it cannot")

    def _advance(self, *, prefix: bool = False) -> _Token:
        """Moves to the next token; gives the one before. `prefix`: a slash begins a regular expression, it is no
        division.
        """
        before, self.token = self.token, self._next(prefix=prefix)
        return before

    def _next(self, *, prefix: bool) -> _Token:
        text = self._text
        blank = _BLANK.match(text, self._at)
        at = self._at = blank.end() if blank else self._at
        if at >= len(text):
            return _Token("end", None, at)
        if text[at] == "/" and prefix:
            return self._regex(at)
        for kind, pattern in (("value", _NUMBER), ("value", _TEXT), ("sign", _SIGN)):
            found = pattern.match(text, at)
            if found and not (kind == "value" and found[0].isdigit() is False and found[0][0] not in "0123456789\"'"):
                self._at = found.end()
                return _Token(kind, _value(found[0]) if kind == "value" else found[0], at)
        if text[at] == "`":
            end = text.find("`", at + 1)
            if end < 0:
                raise ValueError(f"the name at {at} does not end")
            self._at = end + 1
            return _Token("quoted", text[at + 1 : end], at)
        if text[at] == "$":
            found = _NAME.match(text, at + 1)
            name = "$" if text[at + 1 : at + 2] == "$" else found[0] if found else ""
            self._at = at + 1 + len(name)
            return _Token("variable", name, at)
        found = _NAME.match(text, at)
        if not found:
            raise ValueError(f"{text[at]!r} stands at {at}, where it cannot")
        self._at = found.end()
        if found[0] in ("true", "false", "null"):
            return _Token("value", {"true": True, "false": False, "null": None}[found[0]], at)
        return _Token("name", found[0], at)

    def _regex(self, at: int) -> _Token:
        depth, end = 0, at + 1
        while end < len(self._text) and (self._text[end] != "/" or depth):
            char = self._text[end]
            depth += (char in "([{") - (char in ")]}")
            end += 2 if char == "\\" else 1
        found = re.compile(r"/[im]*").match(self._text, end)
        if not found or end == at + 1:
            raise ValueError(f"the regular expression at {at} does not end")
        self._at = found.end()
        return _Token("regex", None, at)

    def _is(self, sign: str) -> bool:
        return self.token.kind == "sign" and self.token.value == sign

    def _take(self, sign: str, *, prefix: bool = False) -> None:
        if not self._is(sign):
            raise self.fault()
        self._advance(prefix=prefix)

    def expression(self, power: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        left = self._prefix()
        while self._power() > power:
            left = self._infix(left)
        self._depth -= 1
        return left

    def _power(self) -> int:
        if self.token.kind == "sign" or (self.token.kind == "name" and self.token.value in _WORDS):
            return _POWERS.get(self.token.value, 0)
        return 0

    def _prefix(self) -> Node:
        token = self.token
        at = token.at
        match token.kind:
            case "value":
                self._advance()
                return Literal(token.value, at)
            case "regex":
                self._advance()
                return Regex(at)
            case "variable":
                self._advance()
                return Variable(token.value, at)
            case "quoted":
                self._advance()
                return Name(token.value, at)
            case "name":
                self._advance()
                if token.value in ("function", "λ") and self._is("("):
                    return self._lambda(at)
                return Name(token.value, at)
            case "sign":
                return self._prefix_sign(token.value, at)
            case _:
                raise self.fault()

    def _prefix_sign(self, sign: str, at: int) -> Node:
        if sign in ("*", "**", "%"):
            self._advance()
            return Special(sign, at)
        self._advance(prefix=True)
        match sign:
            case "-":
                return Negate(self.expression(70), at)
            case "(":
                return Block(self._list(")", ";")[0], at)
            case "[":
                items, ends = self._list("]", ",")
                return Array(items, at, ends)
            case "{":
                return Object(self._pairs(), at)
            case "|":
                pattern = self.expression(0)
                self._take("|", prefix=True)
                update = self.expression(0)
                delete = None
                if self._is(","):
                    self._advance(prefix=True)
                    delete = self.expression(0)
                self._take("|")
                return Transform(pattern, update, delete, at)
        raise ValueError(f"{sign!r} stands at {at}, where it cannot")

    def _list(self, end: str, between: str) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """Its elements, and where each is over."""
        found: list[Node] = []
        ends: list[int] = []
        while not self._is(end):
            found.append(self.expression(0))
            if self._is(".."):
                at = self._advance(prefix=True).at
                found[-1] = Binary("..", found[-1], self.expression(0), at)
            ends.append(self.token.at)
            if not self._is(between):
                break
            self._advance(prefix=True)
        self._take(end)
        return tuple(found), tuple(ends)

    def _pairs(self) -> tuple[tuple[Node, Node], ...]:
        found: list[tuple[Node, Node]] = []
        while not self._is("}"):
            key = self.expression(0)
            self._take(":", prefix=True)
            found.append((key, self.expression(0)))
            if not self._is(","):
                break
            self._advance(prefix=True)
        self._take("}")
        return tuple(found)

    def _lambda(self, at: int) -> Node:
        self._take("(")
        parameters: list[str] = []
        while not self._is(")"):
            if self.token.kind != "variable":
                raise self.fault()
            parameters.append(self._advance().value)
            if not self._is(","):
                break
            self._advance()
        self._take(")")
        if self._is("<"):  # a signature, such as <s-:n>: skipped to its own end
            depth = 1
            while depth:
                self._advance()
                if self.token.kind == "end":
                    raise self.fault()
                depth += self._is("<") - self._is(">")
            self._advance()
        self._take("{", prefix=True)
        body = self.expression(0)
        self._take("}")
        return Lambda(tuple(parameters), body, at)

    def _infix(self, left: Node) -> Node:  # noqa: C901, PLR0912  # one case per operator
        sign, at = self.token.value, self.token.at
        power = _POWERS[sign]
        self._advance(prefix=True)
        match sign:
            case ".":
                return Step(left, self.expression(power), at)
            case "[":
                if self._is("]"):
                    self._advance()
                    return Filter(left, None, at)
                predicate = self.expression(0)
                self._take("]")
                return Filter(left, predicate, at)
            case "{":
                return Group(left, self._pairs(), at)
            case "(":
                return Call(left, self._arguments(), at)
            case "^":
                self._take("(", prefix=True)
                return Sort(left, self._terms(), at)
            case "@" | "#":
                if self.token.kind != "variable":
                    raise self.fault()
                return Focus(left, self._advance().value, at)
            case "?":
                then = self.expression(0)
                other = None
                if self._is(":"):
                    self._advance(prefix=True)
                    other = self.expression(0)
                return Condition(left, then, other, at)
            case ":=":
                if not isinstance(left, Variable):
                    raise ValueError(f"the left side of := at {at} is no variable")  # noqa: TRY004  one kind of error for all that cannot be read
                return Bind(left.name, self.expression(power - 1), at)
            case "~>":
                return Chain(left, self.expression(power), at)
            case _:
                right = self.expression(power)
                return Binary(sign, left, right, at, self.token.at)

    def _terms(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while True:
            if self._is("<") or self._is(">"):
                self._advance(prefix=True)
            found.append(self.expression(0))
            if not self._is(","):
                break
            self._advance(prefix=True)
        self._take(")")
        return tuple(found)

    def _arguments(self) -> tuple[Node | None, ...]:
        found: list[Node | None] = []
        while not self._is(")"):
            if self._is("?"):
                self._advance()
                found.append(None)
            else:
                found.append(self.expression(0))
            if not self._is(","):
                break
            self._advance(prefix=True)
        self._take(")")
        return tuple(found)


def _value(text: str) -> Any:
    if text[0] in "\"'":
        return _ESCAPE.sub(
            lambda found: (
                chr(int(found[1][1:], 16))
                if found[1][0] == "u" and len(found[1]) == 5
                else _ESCAPES.get(found[1], found[1])
            ),
            text[1:-1],
        )
    return Decimal(text) if any(char in text for char in ".eE") else int(text)
