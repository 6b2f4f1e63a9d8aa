"""What is really wrong with a text that is no YAML: the parser says where it gave up, which is often below or behind
the slip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import shown

_CLOSING = {"{": "}", "[": "]"}
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'|(?:^|\s)#.*$')
_KEY = re.compile(r"\s*(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s#'\"\[\]{},&*!|>%@`-][^#]*?)\s*:(?:\s|$)")
_WIDE = "\uff1a"  # the colon of Chinese keyboards
_TEXT_BLOCK = re.compile(r":\s*[|>][+-]?\d?\s*$")


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong, where (line and column from 1), and what to write."""

    place: tuple[int, int]
    code: Check
    text: str
    fix: str


def slip(text: str, error: Any) -> Slip:
    """The slip behind a parser's error (ruamel's MarkedYAMLError)."""
    lines = text.splitlines()
    problem, context = str(error.problem or ""), str(error.context or "")
    at = _mark(error.problem_mark) or _mark(error.context_mark) or (1, 1)
    opened = _mark(error.context_mark)
    if "\\t" in problem:
        return Slip(at, Check.NOT_YAML, "a tab stands where YAML wants blanks", "indent with blanks")
    if "found duplicate anchor" in problem:
        return Slip(at, Check.ALIAS, "one anchor stands twice", "give each anchor its own name")
    if "quoted scalar" in context and opened is not None:
        return Slip(
            opened,
            Check.NOT_YAML,
            "the quote that opens here is not closed",
            f"write {_sign(lines, opened) or 'a quote'} behind the text",
        )
    bracket = _bracket(lines, problem, context, at, opened)
    if bracket is not None:
        return bracket
    if "cannot start any token" in problem:
        return Slip(
            at, Check.NEEDS_QUOTES, "YAML takes a sign of this value for its own", "put the expression in quotes"
        )
    if "flow" not in context:
        colon = _colon(lines, at, opened) or _indent(lines, at)
        if colon is not None:
            return colon
    inside_flow = "flow" in context and "<stream end>" not in problem
    if inside_flow or problem.startswith(("mapping values are not", "expected <block end>, but found '<scalar>'")):
        return Slip(
            at, Check.NEEDS_QUOTES, "YAML takes a sign of this value for its own", "put the expression in quotes"
        )
    return Slip(at, Check.NOT_YAML, f"this is not YAML: {shown(problem)}", "close what is open, and indent with blanks")


def _mark(mark: Any) -> tuple[int, int] | None:
    return None if mark is None else (mark.line + 1, mark.column + 1)


def _sign(lines: list[str], place: tuple[int, int]) -> str:
    line = lines[place[0] - 1] if place[0] <= len(lines) else ""
    return line[place[1] - 1 : place[1]]


def _bracket(
    lines: list[str], problem: str, context: str, at: tuple[int, int], opened: tuple[int, int] | None
) -> Slip | None:
    """A bracket that is not closed, closed by the other kind, or closes nothing."""
    here = _sign(lines, at)
    if "flow" not in context:
        if here in ("}", "]") and f"'{here}'" in problem:
            return Slip(at, Check.NOT_YAML, f"{here} closes nothing: there is one more than was opened", "take it out")
        return None
    if opened is None:
        return None
    sign = _sign(lines, opened)
    closing = _CLOSING.get(sign)
    if closing is None:
        return None
    if here in ("}", "]") and here != closing:
        return Slip(
            at, Check.NOT_YAML, f"{here} stands where {closing} is wanted, as {sign} was opened", f"write {closing}"
        )
    line = _LITERAL.sub("", lines[opened[0] - 1])
    if at[0] > opened[0] and sum(line.count(one) for one in "{[") > sum(line.count(one) for one in "}]"):
        return Slip(
            opened,
            Check.NOT_YAML,
            f"the {sign} that opens here is not closed",
            f"write {closing} behind its last value",
        )
    return None


def _colon(lines: list[str], at: tuple[int, int], opened: tuple[int, int] | None) -> Slip | None:
    """A line that should be a key with its value, and has no colon that YAML takes for one."""
    for number in (opened[0] if opened is not None else 0, at[0], _before(lines, at[0])):
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        if (
            not line.strip()
            or _KEY.match(_LITERAL.sub("", line))
            or line.lstrip().startswith(("-", "#", "{", "[", '"', "'"))
            or _in_block(lines, number)
        ):
            continue
        place = (number, len(line) - len(line.lstrip()) + 1)
        word = line.strip()
        if _WIDE in word:
            return Slip(
                place, Check.NOT_YAML, f"{_WIDE} is not the colon of YAML", "write " + shown(word.replace(_WIDE, ": "))
            )
        if found := re.match(r"([\w.@/-]+):(\S.*)", word):
            return Slip(
                place, Check.NOT_YAML, "there is no blank behind the colon", f"write {shown(f'{found[1]}: {found[2]}')}"
            )
        if found := re.match(r"([\w.@/-]+)\s*=\s*(\S.*)", word):
            return Slip(
                place, Check.NOT_YAML, "= stands where a colon is wanted", f"write {shown(f'{found[1]}: {found[2]}')}"
            )
        if found := re.match(r"([\w.@/-]+)\s+(\S.*)", word):
            return Slip(place, Check.NOT_YAML, "a key has no colon", f"write {shown(f'{found[1]}: {found[2]}')}")
    return None


def _in_block(lines: list[str], number: int) -> bool:
    """Whether a line is of a text block (`|`, `>`) above it."""
    indent = _blanks(lines[number - 1])
    for above in range(number - 1, 0, -1):
        line = lines[above - 1]
        if line.strip() and _blanks(line) < indent:
            return bool(_TEXT_BLOCK.search(line))
    return False


def _blanks(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _before(lines: list[str], number: int) -> int:
    """The line above that says something; 0: there is none."""
    return next(
        (
            above
            for above in range(number - 1, 0, -1)
            if lines[above - 1].strip() and not lines[above - 1].lstrip().startswith("#")
        ),
        0,
    )


def _indent(lines: list[str], at: tuple[int, int]) -> Slip | None:
    """A line that stands between two levels: one blank more, or one less, than its neighbours have."""
    if at[0] > len(lines) or not lines[at[0] - 1].strip():
        return None
    mine = _blanks(lines[at[0] - 1])
    open_: list[tuple[int, int]] = []  # the blanks of the levels that are open, and the first line of each
    for number in range(1, at[0]):
        line = lines[number - 1]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        blanks = _blanks(line)
        while open_ and open_[-1][0] > blanks:
            open_.pop()
        if not open_ or open_[-1][0] < blanks:
            open_.append((blanks, number))
    levels = [blanks for blanks, _ in open_]
    if mine in levels or not levels:
        return None
    outer = max((blanks for blanks in levels if blanks < mine), default=0)
    first = next((line for blanks, line in open_ if blanks > mine), None)
    if first is not None and mine == outer + 2:
        # The lines from here on keep to the step of two: it is the first of its neighbours that does not.
        return Slip(
            (first, _blanks(lines[first - 1]) + 1),
            Check.NOT_YAML,
            f"this line is indented by {_blanks(lines[first - 1])} blanks, its neighbours by {mine}",
            f"write {mine} blanks before it",
        )
    near = min(levels, key=lambda blanks: (abs(blanks - mine), -blanks))
    text = f"this line is indented by {mine} blanks, its neighbours by {near}"
    return Slip((at[0], mine + 1), Check.NOT_YAML, text, f"write {near} blanks before it")
