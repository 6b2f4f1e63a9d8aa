"""What a caller may use, as values: each live version of each message that its systems post, or are called with.

OpenAPI, AsyncAPI, the handbook and the page at `/docs` are all made of these, so that they cannot differ on what there
is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hub.core.config.system import LIVE, Accept, Emit, System, Version, VersionState
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract
from hub.core.schemas.specimen import specimen

Examples: TypeAlias = Mapping[Ref, Mapping[str, Json]]  # good samples, by version and name


@dataclass(frozen=True, slots=True)
class Offer:
    """One version of one message. `samples` by name; there is none only where nothing that fits could be made."""

    ref: Ref
    system: System
    message: Emit | Accept
    samples: Mapping[str, Json] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it stands in the documents: a word that generators make a type's name of."""
        return f"{self.ref.system}.{self.ref.name}.v{self.ref.version}"

    @property
    def about(self) -> str:
        return self.message.about or str(self.ref)

    @property
    def contract(self) -> Contract:
        return self.message.contracts[self.ref.version]

    @property
    def version(self) -> Version:
        return self.message.versions[self.ref.version]

    @property
    def is_deprecated(self) -> bool:
        return self.version.state is VersionState.DEPRECATED

    @property
    def successor(self) -> int | None:
        """The newest live version after this one."""
        return max(
            (
                number
                for number, version in self.message.versions.items()
                if number > self.ref.version and version.state in LIVE
            ),
            default=None,
        )

    @property
    def lifetime(self) -> str:
        """`deprecated, since 2026-06-01, until 2026-12-01; version 2 comes after it`."""
        version = self.version
        words = [
            version.state.value,
            f"since {version.since}" if version.since else "",
            f"until {version.sunset}" if version.sunset else "",
        ]
        after = (
            f"; version {self.successor} comes after it" if self.is_deprecated and self.successor is not None else ""
        )
        return ", ".join(word for word in words if word) + after

    @property
    def schema(self) -> dict[str, Json]:
        """The contract as a schema of its own: with an id, its references `#/$defs/…` stay its own wherever it
        stands.
        """
        return {
            **{word: value for word, value in self.contract.schema.items() if word != "$schema"},
            "$id": f"urn:crossdock:{self.ref.system}:{self.ref.name}:{self.ref.version}",
        }


def posted(systems: Iterable[System], examples: Examples | None = None) -> Iterator[Offer]:
    """What the systems may post, oldest version first within a message."""
    for system in systems:
        yield from _offers(system, system.emits, examples or {})


def called(systems: Iterable[System], examples: Examples | None = None) -> Iterator[Offer]:
    """What the hub calls on the systems."""
    for system in systems:
        yield from _offers(system, system.accepts, examples or {})


def _offers(system: System, messages: Mapping[str, Emit] | Mapping[str, Accept], examples: Examples) -> Iterator[Offer]:
    for name, message in messages.items():
        for number, version in sorted(message.versions.items()):
            if version.state in LIVE and number in message.contracts:
                ref = Ref(system.name, name, number)
                yield Offer(ref, system, message, examples.get(ref) or made(message.contracts[number]))


def made(contract: Contract) -> dict[str, Json]:
    """A smallest message, where there is no sample; only if it really fits."""
    value = specimen(contract.schema)
    return {"smallest": value} if not contract.check(value) else {}
