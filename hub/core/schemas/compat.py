"""Two contracts compared in plain words: what was taken and is refused now, what can come now and could not before,
with a document that shows it.

*Safe for senders*: whatever the old one took, the new one takes. *Safe for receivers*: whatever the new one takes, the
old one took. A change whose document does not prove it on both compiled contracts is never told as proven, and never as
fine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from hub.core.errors import GiveUp
from hub.core.json import escape
from hub.core.message import Json
from hub.core.schemas.change_effects import ABSENT, MADE, Effect, SchemaChange
from hub.core.schemas.contract import Contract
from hub.core.schemas.schema_changes import Walk
from hub.core.schemas.specimen import specimen

# when a document that shows something is received, for rules that ask the clock
NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)

_BREAKS_SENDERS = {Effect.NARROWS: False, Effect.MAY_NARROW: None, Effect.UNDECIDED: None}
_BREAKS_RECEIVERS = {Effect.WIDENS: False, Effect.MAY_WIDEN: None, Effect.UNDECIDED: None}
_PERHAPS = {Effect.NARROWS: Effect.MAY_NARROW, Effect.WIDENS: Effect.MAY_WIDEN}


class Verdict(StrEnum):
    """All changes in the field's one word. Backward: the new contract takes what the old one took. Forward: the old one
    takes what the new one takes.
    """

    FULL = "full"
    BACKWARD = "backward"
    FORWARD = "forward"
    NONE = "none"
    UNDECIDED = "undecided"


_VERDICTS = {
    (True, True): Verdict.FULL,
    (True, False): Verdict.BACKWARD,
    (False, True): Verdict.FORWARD,
    (False, False): Verdict.NONE,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where in a document (`/items/*/quantity`), what in a sentence, its effect, and a document that shows
    it.
    """

    pointer: str
    text: str
    effect: Effect
    example: Json = None

    def as_json(self) -> dict[str, Json]:
        return {"pointer": self.pointer, "text": self.text, "effect": self.effect.value, "example": self.example}


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes from one contract to another."""

    changes: tuple[Change, ...]

    @property
    def safe_for_senders(self) -> bool | None:
        """None: not decided."""
        return self._safe(_BREAKS_SENDERS)

    @property
    def safe_for_receivers(self) -> bool | None:
        return self._safe(_BREAKS_RECEIVERS)

    @property
    def verdict(self) -> Verdict:
        found = self.may_be
        return found[0] if len(found) == 1 else Verdict.UNDECIDED

    @property
    def may_be(self) -> tuple[Verdict, ...]:
        """The verdict; or, where it is not decided, those that it can still be."""
        sides = [
            (side,) if side is not None else (True, False) for side in (self.safe_for_senders, self.safe_for_receivers)
        ]
        return tuple(_VERDICTS[senders, receivers] for senders in sides[0] for receivers in sides[1])

    def _safe(self, breaking: dict[Effect, bool | None]) -> bool | None:
        found = {breaking[change.effect] for change in self.changes if change.effect in breaking}
        return False if False in found else None if found else True

    def as_json(self) -> dict[str, Json]:
        return {
            "compatibility": self.verdict.value,
            "mayBe": [one.value for one in self.may_be],
            "safeForSenders": self.safe_for_senders,
            "safeForReceivers": self.safe_for_receivers,
            "changes": [change.as_json() for change in self.changes],
        }


def compare(old: Contract, new: Contract) -> Comparison:
    """What changes from `old` to `new`."""
    changes = [_proven(one, old, new) for one in Walk(old.schema, new.schema).changes()]
    before, after = ({(text, rule.text) for rule, text in contract.rules} for contract in (old, new))
    changes += [
        Change("", f"A rule between fields is new: {text} ({rule})", Effect.MAY_NARROW)
        for text, rule in sorted(after - before)
    ]
    changes += [
        Change("", f"A rule between fields is gone: {text} ({rule})", Effect.MAY_WIDEN)
        for text, rule in sorted(before - after)
    ]
    return Comparison(tuple(change for number, change in enumerate(changes) if change not in changes[:number]))


def _proven(found: SchemaChange, old: Contract, new: Contract) -> Change:
    """The change with its document, if one proves it: taken by one, rules between fields and all, and refused by the
    other.
    """
    pointer = "".join(f"/{name if name == '*' else escape(name)}" for name in found.at)
    if found.effect in (Effect.SAME, Effect.UNDECIDED):
        return Change(pointer, found.text, found.effect)
    is_narrower = found.effect in (Effect.NARROWS, Effect.MAY_NARROW)
    takes, refuses, chosen = (old, new, found.chosen[0]) if is_narrower else (new, old, found.chosen[1])
    for value in found.values:
        if value is ABSENT:
            document = _without(specimen(takes.schema, at=found.at, chosen=chosen), found.at)
        elif value is MADE:
            document = specimen(takes.schema, at=found.at, chosen=chosen)
        else:
            document = specimen(takes.schema, at=found.at, value=value, chosen=chosen)
        if _takes(takes, document) and refuses.check(document):
            return Change(pointer, found.text, Effect.NARROWS if is_narrower else Effect.WIDENS, document)
    return Change(
        pointer, f"{found.text} (no small document shows it: look at it)", _PERHAPS.get(found.effect, found.effect)
    )


def _takes(contract: Contract, document: Any) -> bool:
    """Whether it would be accepted: it fits, and its fields do not contradict each other."""
    try:
        return not contract.check(document) and not contract.contradictions(document, now=NOW)
    except GiveUp:
        return False


def _without(document: Any, at: tuple[str, ...]) -> Any:
    """The document without what stands at a place."""
    here = document
    for name in at[:-1]:
        here = (
            here[0]
            if name == "*" and isinstance(here, list) and here
            else here.get(name)
            if isinstance(here, dict)
            else None
        )
    if isinstance(here, dict) and at:
        here.pop(at[-1], None)
    return document
