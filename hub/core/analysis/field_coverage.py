"""What a mapping carries on of what comes, and what it leaves behind: its leaves laid over the places that were really
seen. Pure.

Places are compared without their `*`: an expression goes through lists whether or not it says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from hub.core.analysis.lineage import Leaf, Way
from hub.core.documents.pointers import ELEMENT, names_in

Name = tuple[str, ...]


def name_of(place: str) -> Name:
    """A place as it is compared."""
    return tuple(name for name in names_in(place) if name != ELEMENT)


def ends(places: Iterable[str], among: Iterable[str] = ()) -> list[str]:
    """Those places that hold values, not others of them or of `among`: `/items` goes, `/items/*/sku` stays."""
    mine = list(dict.fromkeys(places))
    above = {name[:depth] for place in (*mine, *among) for name in (name_of(place),) for depth in range(len(name))}
    return [place for place in mine if (name := name_of(place)) and name not in above]


@dataclass(frozen=True, slots=True)
class FieldCoverage:
    """What a mapping's leaves take and make."""

    leaves: tuple[Leaf, ...]

    def takes(self, place: str) -> bool:
        """Whether something of the target is made of what stands there, or decided by it."""
        name = name_of(place)
        return any(self._takes(leaf, name) for leaf in self.leaves)

    def _takes(self, leaf: Leaf, name: Name) -> bool:
        for read in map(name_of, leaf.origin.paths):
            if read == name or (leaf.way is not Way.EACH and read[: len(name)] == name):
                return True
        return any(self._below(leaf, read, name) for read in map(name_of, leaf.value.paths))

    def _below(self, leaf: Leaf, read: Name, name: Name) -> bool:
        """Whether a copy of `read` takes along what stands at `name`."""
        return (
            leaf.way is Way.COPY
            and len(name) > len(read)
            and name[: len(read)] == read
            and name[len(read)] not in leaf.without
        )

    def numbers(self, targets: Collection[str], came: Mapping[str, int], messages: int) -> dict[str, int]:
        """How many messages fill each place of the target, as far as `came` (places of the source, each with how many
        messages had it) tells.

        `messages`: how many there were at all; what is made without the source is in each of them. A place that nothing
        makes is not in it.
        """
        known = {name_of(place): number for place, number in came.items()}
        found: dict[str, int] = {}
        for place in targets:
            name = name_of(place)
            made = [self._number(leaf, name, known, messages) for leaf in self.leaves]
            numbers = [number for number in made if number is not None]
            if numbers:
                found[place] = max(numbers)
        return found

    def _number(self, leaf: Leaf, name: Name, known: Mapping[Name, int], messages: int) -> int | None:
        """None: the leaf does not make it."""
        field = name_of(leaf.field)
        if field != name:
            if leaf.way is not Way.COPY or name[: len(field)] != field or name[len(field)] in leaf.without:
                return None
            rest = name[len(field) :]
            return max((known.get(name_of(path) + rest, 0) for path in leaf.value.paths), default=0)
        if not leaf.value.paths or not leaf.value.is_known:
            return messages
        return max(_came(name_of(path), known, messages) for path in leaf.value.paths)


def _came(read: Name, known: Mapping[Name, int], messages: int) -> int:
    if not read or read[0].startswith("$"):
        return messages  # the whole message, or what was looked up for it
    return max((number for name, number in known.items() if name[: len(read)] == read), default=0)
