"""What an expression may cost, told from its text: how its work grows with the message, and whether anything bounds it
at all.

A bound for two uses: the check warns, and `core.expressions.evaluation_door` chooses where an expression runs. The
engine does not look at its clock inside some of its own loops, so nothing else protects who evaluates in place: what is
not known to be cheap counts as costly, which costs a hand-over and no more. The weight of a message is its values, and
its characters by sixteen (`core.expressions.prepared.weigh`). A unit of work is about 2.5 µs.
"""

from __future__ import annotations

from functools import lru_cache

from hub.core.expressions.cost_terms import NONE, Cost, Terms
from hub.core.expressions.costs import Reader
from hub.core.expressions.syntax import read

LINEAR = Cost()
NOTHING = Cost(NONE)
PATH = Cost(Terms((0.25, 1 / 16, 0.0, 0.0)))  # a plain path, which never reaches the engine
_UNREAD = Cost(Terms((2.0, 0.0, 1.0, 0.0)))  # the engine takes it, our reader does not


@lru_cache(maxsize=20_000)
def cost_of(text: str) -> Cost:
    """Of an expression that is no plain path."""
    try:
        node = read(text)
    except ValueError:
        return _UNREAD
    try:
        return Reader().cost(node)
    except RecursionError:
        return _UNREAD
