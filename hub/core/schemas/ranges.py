"""A range of numbers, or of texts in their order: what a value lies between. Pure values; None is no bound."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, each of which belongs to it unless it is open."""

    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False

    def meet(self, other: Range) -> Range:
        """What lies in both."""
        low, low_open = self.low, self.low_open
        if other.low is not None and (low is None or other.low > low or (other.low == low and other.low_open)):
            low, low_open = other.low, other.low_open
        high, high_open = self.high, self.high_open
        if other.high is not None and (high is None or other.high < high or (other.high == high and other.high_open)):
            high, high_open = other.high, other.high_open
        return Range(low, high, low_open, high_open)

    def hull(self, other: Range) -> Range:
        """The smallest range that holds both."""
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        is_low_open = (self.low_open or self.low != low) and (other.low_open or other.low != low)
        is_high_open = (self.high_open or self.high != high) and (other.high_open or other.high != high)
        return Range(low, high, low is not None and is_low_open, high is not None and is_high_open)

    def is_empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return bool(self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)))

    def holds(self, value: Any) -> bool:
        return not self.meet(Range(value, value)).is_empty()

    def exceeds(self, other: Range) -> bool:
        """Whether a bound of its own, where it has one, lies outside `other`."""
        is_low = (
            other.low is not None
            and self.low is not None
            and (self.low < other.low or (self.low == other.low and other.low_open and not self.low_open))
        )
        is_high = (
            other.high is not None
            and self.high is not None
            and (self.high > other.high or (self.high == other.high and other.high_open and not self.high_open))
        )
        return bool(is_low or is_high)

    def whole(self) -> Range:
        """The same for whole numbers: bounds that they can reach."""
        low = None if self.low is None else _up(self.low, is_open=self.low_open)
        high = None if self.high is None else -_up(-self.high, is_open=self.high_open)
        return Range(low, high)

    def __str__(self) -> str:
        if self.low is not None and self.low == self.high:
            return str(self.low)
        low = "" if self.low is None else f"{'above' if self.low_open else 'at least'} {self.low}"
        high = "" if self.high is None else f"{'below' if self.high_open else 'at most'} {self.high}"
        return " and ".join(part for part in (low, high) if part) or "any"


def _up(number: Any, *, is_open: bool) -> int:
    """The least whole number that is not below `number`; above it, where the bound is open."""
    whole = int(number) if number == int(number) or number < 0 else int(number) + 1
    return whole + 1 if is_open and whole == number else whole


def plus(one: Range, other: Range) -> Range:
    """The range of sums."""
    return Range(
        None if one.low is None or other.low is None else one.low + other.low,
        None if one.high is None or other.high is None else one.high + other.high,
    )


def negative(one: Range) -> Range:
    return Range(
        None if one.high is None else -one.high, None if one.low is None else -one.low, one.high_open, one.low_open
    )


def times(one: Range, other: Range) -> Range:
    """The range of products, where both have both bounds."""
    if any(bound is None for bound in (one.low, one.high, other.low, other.high)):
        return ANY
    corners = [Decimal(a) * Decimal(b) for a in (one.low, one.high) for b in (other.low, other.high)]
    return Range(min(corners), max(corners))


ANY = Range()
