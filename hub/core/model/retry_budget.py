"""Retry budget: when what failed may be tried again, so that retries stay a small part of a target's traffic. A
calendar; no clock, no I/O.

Its cells are five seconds long. A retry has the moment that its policy gives it, where the cell of that moment has
room; else a place in the next cell that has. How many fit follows from what was tried for the first time lately, and a
few always do.
"""

from __future__ import annotations

from collections import deque

# Retries for each first attempt. A quarter would be one in five of all that a target is sent; of a load that goes up
# and down each cell gets what fitted when most did, and both together must stay below it.
PART = 0.23
FLOOR_PER_SECOND = 10.0  # over all processes, however little else goes: what is tried seldom is not kept waiting
FLOOR_OF_RATE = 0.2  # of a target's own `rate`, where that is less
CELL_S = 5.0
LATELY_S = 10.0


def floor(per_second: float | None, part: float) -> float:
    """Retries a second that always fit, in a process that has `part` of the target's places; `per_second` is the
    target's rate, if it has one.
    """
    whole = FLOOR_PER_SECOND if per_second is None else min(FLOOR_PER_SECOND, per_second * FLOOR_OF_RATE)
    return whole * part


class RetryBudget:
    """One target's, in one process. Times are seconds on any clock that does not go back; the sum over all processes
    keeps what each of them keeps.
    """

    def __init__(self) -> None:
        self._firsts: deque[tuple[int, int]] = deque()  # second, how many: those of lately
        self._lately = 0
        self._booked: dict[int, int] = {}  # how many each cell has
        self._beyond: dict[int, int] = {}  # from a cell that was full to the first that may not be
        self._begun = 0  # cells before this one are over

    def tried(self, now: float, number: int = 1) -> None:
        """So many were tried for the first time."""
        self._forget(now)
        self._lately += number
        if self._firsts and self._firsts[-1][0] == int(now):
            number += self._firsts.pop()[1]
        self._firsts.append((int(now), number))

    def room(self, now: float, floor_per_second: float) -> int:
        """How many retries fit into one cell, as things go now; one always does."""
        self._forget(now)
        return max(1, int((self._lately / LATELY_S * PART + floor_per_second) * CELL_S))

    def book(self, now: float, due: float, *, latest: float, floor_per_second: float) -> float:
        """When a retry that is due at `due` may go: then, or at the next free place, but at `latest` whether there is
        one or not.
        """
        room = self.room(now, floor_per_second)
        wanted = int(due // CELL_S)
        cell = self._free(wanted, room)
        at = due if cell == wanted else (cell + self._booked.get(cell, 0) / room) * CELL_S
        if at > max(due, latest):
            at = max(due, latest)
            cell = int(at // CELL_S)
        self._booked[cell] = self._booked.get(cell, 0) + 1
        return at

    def _free(self, cell: int, room: int) -> int:
        passed: list[int] = []
        while self._booked.get(cell, 0) >= room:
            passed.append(cell)
            cell = self._beyond.get(cell, cell + 1)
        # What was passed is full, or was when less fitted: nobody looks at it again, so a calendar of hours costs no
        # more than one of seconds.
        for full in passed:
            self._beyond[full] = cell
        return cell

    def _forget(self, now: float) -> None:
        while self._firsts and self._firsts[0][0] <= now - LATELY_S:
            self._lately -= self._firsts.popleft()[1]
        begun = int(now // CELL_S)
        if begun > self._begun:
            self._begun = begun
            for cells in (self._booked, self._beyond):
                for cell in [cell for cell in cells if cell < begun]:
                    del cells[cell]
