"""Makes a function over a database a verb of a store."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from hub.store.engine.database import Database

P = ParamSpec("P")
R = TypeVar("R")


class HasDatabase(Protocol):
    _database: Database


def verb(function: Callable[Concatenate[Database, P], R]) -> Callable[Concatenate[HasDatabase, P], R]:
    """`function` as a method of a class that has a `_database`: same parameters, same docstring."""

    @wraps(function)
    def method(self: HasDatabase, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._database, *args, **kwargs)

    return method
