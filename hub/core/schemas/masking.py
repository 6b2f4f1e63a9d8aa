"""The veil over what is personal: documents are masked by their contracts; texts and documents without one, by the
values that a contract named.

What no contract describes may hold more that is personal than is known here. Source: threat S26,
docs/design/inputs.md#answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hub.core.documents.difference import Change, Kind
from hub.core.message import Json
from hub.core.schemas.contract import MASK, Contract

SHORTEST = 2  # characters of a value that is looked for within texts; a shorter one would be found everywhere


class Masker:
    """Masks, unless it is lifted. `has_masked` says whether it hid anything so far."""

    def __init__(self, *, is_lifted: bool = False) -> None:
        self.is_lifted = is_lifted
        self.has_masked = False
        self._known: set[str] = set()

    def learn(self, contract: Contract | None, value: Json) -> None:
        """Remembers the personal values of a document, so that they are found where no contract says what they are."""
        if contract is not None:
            self._known |= {text for text in _personal(contract, value, ()) if len(text) >= SHORTEST}

    def over(self, contract: Contract | None, value: Json, at: tuple[str | int, ...] = ()) -> Json:
        """A document, or a part of it that stands at `at`."""
        if self.is_lifted:
            return value
        masked = contract.masked(value, at) if contract is not None else self._without(value)
        self.has_masked |= masked != value
        return masked

    def over_text(self, text: str) -> str:
        if self.is_lifted:
            return text
        masked = text
        for known in sorted(self._known, key=len, reverse=True):
            masked = masked.replace(known, MASK)
        self.has_masked |= masked != text
        return masked

    def whole(self) -> str:
        """In place of a text of which nothing is known: nobody can say what in it is personal."""
        self.has_masked = True
        return MASK

    def over_changes(
        self, changes: Iterable[Change], old: tuple[Contract | None, Json], new: tuple[Contract | None, Json]
    ) -> list[Json]:
        """Changes as JSON, each side masked as the document that it is of."""
        told: list[Json] = []
        for change in changes:
            was = path_in(old[1], change.origin if change.origin is not None else change.pointer)
            is_ = path_in(new[1], change.pointer)
            before = self.over(old[0], change.old, was) if change.kind is not Kind.ADDED else None
            after = self.over(new[0], change.new, is_) if change.kind is not Kind.REMOVED else None
            # What is personal on one side is not shown by the other: a mapping may lead into a document that does not
            # say so.
            if MASK in (before, after):
                before, after = (MASK if one is not None else None for one in (before, after))
            told.append(Change(change.kind, change.pointer, before, after, change.origin).as_json())
        return told

    def _without(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {name: self._without(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._without(member) for member in value]
        if isinstance(value, str):
            for known in sorted(self._known, key=len, reverse=True):
                value = value.replace(known, MASK)
            return value
        return (
            MASK
            if isinstance(value, int | Decimal) and not isinstance(value, bool) and str(value) in self._known
            else value
        )


def _personal(contract: Contract, value: Json, at: tuple[str | int, ...]) -> Iterable[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _personal(contract, member, (*at, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _personal(contract, member, (*at, index))
    elif value is not None and not isinstance(value, bool) and contract.is_personal(list(at)):
        yield str(value)


def path_in(document: Json, pointer: str) -> tuple[str | int, ...]:
    """The parts of a pointer, numbers where the document has lists."""
    path: list[str | int] = []
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and name.isdigit():
            path.append(int(name))
            document = document[int(name)] if int(name) < len(document) else None
        else:
            path.append(name)
            document = document.get(name) if isinstance(document, dict) else None
    return tuple(path)
