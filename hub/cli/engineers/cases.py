"""Prints a failed example or test: for each place the expected and the actual value, in two colours on a terminal."""

from __future__ import annotations

from typing import Any

from hub.catalog.checks.rehearsal import Case
from hub.catalog.yaml.findings import ascii_safe
from hub.cli.common.output import console
from hub.core import json
from hub.core.expressions.prepared import MISSING

LONGEST = 400  # characters of one value


def show_case(case: Case) -> None:
    """Prints the case with its place, then each difference."""
    _line(
        f"{case.file}:{case.line}: {case.kind} {case.number}{f' of {case.of}' if case.of != case.file else ''}", "bold"
    )
    _line(f"  {ascii_safe(case.about)}", "dim")
    for one in case.wrong:
        if one.difference is None:
            _line(f"  {ascii_safe(one.text)}", "red")
            if one.fix:
                _line(f"      {ascii_safe(one.fix)}", "dim")
            continue
        # they differ in length: that is said first
        are_lists = isinstance(one.difference.wanted, list) and isinstance(one.difference.got, list)
        _line(
            "  "
            + " ".join(
                part
                for part in (one.target, one.difference.pointer or "/", f"({one.difference.text})" if are_lists else "")
                if part
            )
        )
        _line(f"      expected {_value(one.difference.wanted)}", "green")
        _line(f"      got      {_value(one.difference.got)}", "red")


def _line(text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, soft_wrap=True)


def _value(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    text = ascii_safe(json.encode(value).decode())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
