"""What answers are declared with: the kinds of a field that Python's own types do not tell, and how a row becomes an
answer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from keyword import iskeyword
from typing import Annotated, TypeVar, cast

from hub.core.message import Ref

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)  # types are kept in sets, and mappings have no hash
class Keywords:
    """Keywords of JSON Schema that a field has beside its type."""

    members: Mapping[str, object]


def about(text: str) -> Keywords:
    """What the field means, where its name does not say it."""
    return Keywords({"description": text})


def one_of(*values: str) -> Keywords:
    return Keywords({"enum": list(values)})


Time = Annotated[str, Keywords({"format": "date-time"})]
Id = Annotated[str, Keywords({"format": "uuid"})]
Rate = float | None  # null: there is nothing to tell of
AnyMembers = Mapping[str, object]  # of any members


def fill(kind: Callable[..., Answer], row: object, **more: object) -> Answer:
    """An answer of the kind. Its field `createdAt` is the row's `created_at`; `more` has the fields that the row lacks,
    or that differ from it. They stand in the order of the declaration. What may be absent, and is in neither, is left
    out. Raises TypeError for a field that is not declared.
    """
    if unknown := more.keys() - kind.__annotations__.keys():
        raise TypeError(f"{', '.join(sorted(unknown))}: not declared in {kind}.")
    return cast(
        "Answer",
        {
            field: _plain(more[field] if field in more else getattr(row, attribute))
            for field, attribute, is_required in _attributes(kind)
            if field in more or is_required or hasattr(row, attribute)
        },
    )


@cache
def _attributes(kind: Callable[..., object]) -> list[tuple[str, str, bool]]:
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    names = {field: re.sub("([A-Z])", r"_\1", field).lower() for field in kind.__annotations__}
    return [(field, f"{name}_" if iskeyword(name) else name, field in required) for field, name in names.items()]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    as_json = getattr(value, "as_json", None)
    return as_json() if as_json is not None else value
