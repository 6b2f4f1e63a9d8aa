"""Why no route took a message, as a cause that many messages share. Values only; what each route said is made by
`core.config.routing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.core.message import Json, Ref

MOST_SAID = 3  # misses that the sentence of a cause names


class Wish(StrEnum):
    """What a person wants of all messages of a cause."""

    ROUTE = "route"  # route them again
    DROP = "drop"  # let them go


@dataclass(frozen=True, slots=True)
class Miss:
    """One route, or one target of it, that did not take the message. `condition` did not hold; without one, `why` says
    what stood against it.
    """

    route: str
    target: str = ""
    condition: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        way = f"{self.route} → {self.target}" if self.target else self.route
        return f"{way}: {self.condition or self.why}"


@dataclass(frozen=True, slots=True)
class UnroutedCause:
    """A version of a message, and the routes from it as they missed, in their order; no miss: there is no route from
    it.
    """

    source: Ref
    misses: tuple[Miss, ...]

    @property
    def id(self) -> str:
        """The same for the same cause, in every process and for ever."""
        named = [str(self.source), *([miss.route, miss.target, miss.condition, miss.why] for miss in self.misses)]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        if not self.misses:
            return f"No route leads from {self.source.type}."
        said = "; ".join(miss.text for miss in self.misses[:MOST_SAID])
        more = len(self.misses) - MOST_SAID
        return f"No route took it. {said}{f'; and {more} more' if more > 0 else ''}"


def cause_of(source: Ref, considered: Sequence[Mapping[str, Json]]) -> UnroutedCause:
    """The cause of one message. `considered`: a line per route, as matching told it."""
    return UnroutedCause(source, tuple(_miss(line) for line in considered))


def misses_of(document: Sequence[Sequence[str]]) -> tuple[Miss, ...]:
    """What `as_rows` made, read again."""
    return tuple(Miss(*row) for row in document)


def as_rows(misses: Sequence[Miss]) -> list[list[str]]:
    return [[miss.route, miss.target, miss.condition, miss.why] for miss in misses]


def _miss(line: Mapping[str, Json]) -> Miss:
    # Of a trial only that it did not take it: where the message lies among a hundred is its own, not its cause's.
    why = "the trial does not take it" if line.get("canary") else str(line.get("why") or "")
    return Miss(str(line.get("route") or ""), str(line.get("target") or ""), str(line.get("condition") or ""), why)
