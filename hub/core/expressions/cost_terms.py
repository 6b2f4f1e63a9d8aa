"""A bound that grows with the weight of a message: so much of it, of its square, of its cube; and a cost, which is two
of them. Values.

A weight is values, and characters by sixteen (`core.expressions.prepared.weigh`). A unit of work is about 2.5 µs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TELLING = 0.1  # what counts less of a power is no reason to say that it grows so
_POWERS = 4


@dataclass(frozen=True, slots=True)
class Terms:
    """`of[n]` times the weight to the power of n; what would be more than a cube is counted as one."""

    of: tuple[float, ...] = (0.0,) * _POWERS

    def __add__(self, other: Terms) -> Terms:
        return Terms(tuple(mine + its for mine, its in zip(self.of, other.of, strict=True)))

    def __mul__(self, other: Terms) -> Terms:
        product = [0.0] * _POWERS
        for power, mine in enumerate(self.of):
            for its_power, its in enumerate(other.of):
                product[min(power + its_power, _POWERS - 1)] += mine * its
        return Terms(tuple(product))

    def scaled(self, times: float) -> Terms:
        return Terms(tuple(part * times for part in self.of))

    def repeated(self) -> Terms:
        """How often a message stands in a value of this size: once in one that is as large as it."""
        return Terms((*self.of[1:], self.of[-1] or 0.0))

    def at(self, weight: float) -> float:
        return sum(part * weight**power for power, part in enumerate(self.of))

    @property
    def degree(self) -> int:
        return max((power for power, part in enumerate(self.of) if part >= TELLING), default=0)


NONE = Terms()
MESSAGE = Terms((0.0, 1.0, 0.0, 0.0))


def constant(number: float) -> Terms:
    return Terms((float(number), 0.0, 0.0, 0.0))


WORK = 4_096  # units that are worked off in place: some ten milliseconds
HEAVIEST = 32_768  # of a message that is worked off in place, whatever is done with it
ENTRY = Terms((2.0, 1 / 16, 0.0, 0.0))  # the engine is handed the message, and what it gives is taken over


@dataclass(frozen=True, slots=True)
class Cost:
    """`near`: work over the value itself, `far`: over what is bound beside it. `why` and `instead` are empty where its
    writer need not be told.
    """

    near: Terms = ENTRY
    far: Terms = NONE
    is_unbounded: bool = False
    why: str = ""
    instead: str = ""
    most: int = field(default=-1, repr=False)  # the heaviest message that is worked off in place

    def __post_init__(self) -> None:
        if self.most < 0:
            object.__setattr__(self, "most", 0 if self.is_unbounded else _most(self.near + self.far))

    @property
    def degree(self) -> int:
        """1 grows with the size of the message, 2 with its square."""
        return max(1, (self.near + self.far).degree)

    def is_heavy(self, weight: int) -> bool:
        """Whether it is too much to be worked off in place over a message of that weight."""
        return weight > self.most or self.is_unbounded

    def of_each(self, depth: int) -> Cost:
        """For each element of a list, within `depth` such: elements share the work over themselves, and each has all of
        the rest.
        """
        if not depth:
            return self
        rest = self.far + constant(self.near.of[0])
        for _ in range(depth):
            rest *= MESSAGE
        return Cost(Terms((0.0, *self.near.of[1:])), rest, self.is_unbounded, self.why, self.instead)

    def scaled(self, times: float) -> Cost:
        return Cost(self.near.scaled(times), self.far.scaled(times), self.is_unbounded, self.why, self.instead)

    def __add__(self, other: Cost) -> Cost:
        worse = (
            self
            if (self.is_unbounded, bool(self.why), self.degree) >= (other.is_unbounded, bool(other.why), other.degree)
            else other
        )
        return Cost(self.near + other.near, self.far + other.far, worse.is_unbounded, worse.why, worse.instead)


def _most(work: Terms) -> int:
    low, high = 0, HEAVIEST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if work.at(middle) <= WORK else (low, middle - 1)
    return low
