"""A repair: a choice of deliveries that wait for a person, and what is to be done with them, a few first. Values and
judgement, no I/O.

Drawn in docs/repairs.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import floor

from hub.core.errors import Reason
from hub.core.message import Json
from hub.core.model.delivery import Status

MOST = 10_000  # deliveries of one repair
BURST_S = 2.0  # what a driver that was late may catch up with, in seconds of the rate
# what is sent again and not tried yet, in seconds of the rate: a target that is slow, or paused, slows the repair down
AHEAD_S = 2.0


class Act(StrEnum):
    REPLAY = "replay"  # send them again, under their old keys
    DISCARD = "discard"  # end them for good


class With(StrEnum):
    """By which configuration a replayed delivery's content is made."""

    PINNED = "pinned"  # as it was: the revision that accepted the message
    CURRENT = "current"  # the one that was active when the repair was made
    CANDIDATE = "candidate"  # one that is kept and checked, and need not be active


class State(StrEnum):
    READY = "ready"  # its deliveries are chosen, and nothing was done to them
    CANARY = "canary"  # the first few are going, or are waited for
    WAITING = "waiting"  # the first few have ended; a person says whether the rest goes
    RUNNING = "running"  # the rest is going, at its rate
    STOPPED = "stopped"  # a person stopped it; what was sent again goes on, nothing more is
    DONE = "done"  # each delivery has its result


LIVE = frozenset({State.CANARY, State.RUNNING})  # what a driver moves on

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.READY: frozenset({State.CANARY, State.RUNNING, State.STOPPED}),
    State.CANARY: frozenset({State.WAITING, State.RUNNING, State.STOPPED}),
    State.WAITING: frozenset({State.RUNNING, State.STOPPED}),
    State.RUNNING: frozenset({State.STOPPED, State.DONE}),
    State.STOPPED: frozenset({State.CANARY, State.RUNNING}),
    State.DONE: frozenset(),
}


class Result(StrEnum):
    """What has become of one delivery of a repair."""

    WAITING = "waiting"  # nothing was done to it yet
    GOING = "going"  # sent again; its end is waited for
    # sent again, and behind one on its key, or in its lane, that waits for a person: it goes when that one is mended
    PARKED = "parked"
    DELIVERED = "delivered"
    FAILED = "failed"  # it waits for a person again: dead, held or unknown, with its new cause
    ENDED = "ended"  # cancelled or superseded meanwhile
    SKIPPED = "skipped"  # left as it was, with the reason
    DISCARDED = "discarded"


OPEN = (Result.WAITING, Result.GOING)  # while there is one of these, a repair is not done

RESULTS: Mapping[Status, Result] = {
    Status.DELIVERED: Result.DELIVERED,
    Status.DEAD: Result.FAILED,
    Status.HELD: Result.FAILED,
    Status.UNKNOWN: Result.FAILED,
    Status.CANCELLED: Result.ENDED,
    Status.SUPERSEDED: Result.ENDED,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries: named ones, or all of one cause that wait for a person. Every part that is given must hold; the
    oldest first, up to `most`.
    """

    ids: tuple[str, ...] = ()
    status: Status = Status.DEAD
    cluster: str | None = None  # a cause by its id, as hub.core.model.cluster makes it
    route: str | None = None
    lane: str | None = None
    target: str | None = None  # such as wms/outbound.create@1
    reason: Reason | None = None
    field: str | None = None
    text: str | None = None  # words in the sentence of the cause
    since: datetime | None = None  # waits since then or later
    until: datetime | None = None
    most: int = MOST

    def as_json(self) -> dict[str, Json]:
        told: dict[str, Json] = {
            "ids": list(self.ids),
            "status": self.status.value,
            "cluster": self.cluster,
            "route": self.route,
            "lane": self.lane,
            "target": self.target,
            "reason": self.reason.value if self.reason is not None else None,
            "field": self.field,
            "text": self.text,
            "since": self.since.isoformat() if self.since is not None else None,
            "until": self.until.isoformat() if self.until is not None else None,
            "most": self.most,
        }
        return {name: value for name, value in told.items() if value not in (None, [])}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with them, as a person said it."""

    selection: Selection
    by: str
    why: str
    act: Act = Act.REPLAY
    with_: With = With.PINNED
    revision: str | None = None  # the content hash that `with_` means; None: each message's own
    force: bool = False  # also behind a later one on its key
    canary: int = 0  # so many first; 0: all at once
    # per cent of the canary delivered, from which the rest goes by itself; None: a person says so
    go_on_at: int | None = None
    rate: int = 50  # deliveries per second

    def as_json(self) -> dict[str, Json]:
        return {
            "act": self.act.value,
            "with": self.with_.value,
            "revision": self.revision,
            "force": self.force,
            "canary": self.canary,
            "goOnAt": self.go_on_at,
            "rate": self.rate,
            "by": self.by,
            "why": self.why,
            "selection": self.selection.as_json(),
        }


def allowed(rate: int, waited_s: float | None, *, ahead: int, most: int) -> tuple[int, float]:
    """How many may go now, at most `most`, and how many seconds of the wait they leave over. `waited_s`: since the last
    ones went; None: none yet.

    `ahead`: how many went and were not tried yet. Whoever asks twice as often gets half as many.
    """
    waited = 1.0 if waited_s is None else min(max(waited_s, 0.0), BURST_S)
    number = max(0, min(floor(rate * waited), floor(rate * AHEAD_S) - ahead, most))
    return number, max(0.0, waited - number / rate)


def is_good(results: Mapping[Result, int], go_on_at: int | None) -> bool:
    """Whether the canary lets the rest go by itself: enough of those that were tried are delivered, and at least one
    was.
    """
    tried = sum(number for result, number in results.items() if result is not Result.SKIPPED)
    return go_on_at is not None and tried > 0 and results.get(Result.DELIVERED, 0) * 100 >= go_on_at * tried
