"""What differs between what was made and what an example says: place by place, as values and in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.core.config.mapping import Example
from hub.core.expressions.prepared import MISSING
from hub.core.json import escape
from hub.core.message import Json


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that is not as it was expected. `wanted` or `got` is MISSING where there should be, or is, nothing."""

    pointer: str
    text: str
    wanted: Any = MISSING
    got: Any = MISSING

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.text}"

    def as_json(self) -> dict[str, Json]:
        """`expected` and `got` are left out where there is nothing."""
        values = (("expected", self.wanted), ("got", self.got))
        return {
            "pointer": self.pointer,
            "text": self.text,
            **{name: value for name, value in values if value is not MISSING},
        }


def check_example(example: Example, made: Json) -> list[str]:
    """What differs between a result and its example, a line each with the field; [] when it holds."""
    return [str(one) for one in differences(example, made)]


def differences(example: Example, made: Json) -> list[Difference]:
    """The same with the values."""
    if example.exactly is not None:
        return list(_differences(made, example.exactly, "", whole=True))
    return list(_differences(made, example.expect, "", whole=False))


def _differences(made: Any, wanted: Any, at: str, *, whole: bool) -> Iterator[Difference]:
    if isinstance(wanted, dict) and isinstance(made, dict):
        for name, value in wanted.items():
            there = f"{at}/{escape(name)}"
            if name in made:
                yield from _differences(made[name], value, there, whole=whole)
            else:
                yield Difference(there, f"wanted {_shown(value)}, but the mapping made nothing", wanted=value)
        for name in sorted(made.keys() - wanted.keys()) if whole else ():
            yield Difference(
                f"{at}/{escape(name)}", f"made {_shown(made[name])}, but the example does not have it", got=made[name]
            )
    elif isinstance(wanted, list) and isinstance(made, list):
        if len(wanted) != len(made):
            yield Difference(at, f"wanted {len(wanted)} elements, made {len(made)}", wanted, made)
        for index, (one, other) in enumerate(zip(made, wanted, strict=False)):
            yield from _differences(one, other, f"{at}/{index}", whole=whole)
    elif isinstance(made, bool) is not isinstance(wanted, bool) or _exact(made) != _exact(wanted):
        yield Difference(at, f"wanted {_shown(wanted)}, made {_shown(made)}", wanted, made)


def _exact(value: Any) -> Any:
    # an example's 0.1 is the decimal that was written
    return Decimal(repr(value)) if isinstance(value, float) else value


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)
