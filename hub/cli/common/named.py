"""Resolves names on the command line: a message, or a version of one. An unknown name is answered with a suggestion."""

from __future__ import annotations

from typing import Literal

from hub.catalog import Catalog
from hub.catalog.yaml.findings import did_you_mean, shown
from hub.core.config.system import LIVE
from hub.core.message import Ref, is_type
from hub.core.schemas.contract import Contract

Side = Literal["emits", "accepts"]


def message_named(catalog: Catalog, text: str, *, side: Side) -> str:
    """The message that `text` names, `system/message` with or without a version, as `system/message`. Raises
    ValueError.
    """
    type_ = text.partition("@")[0]
    if not is_type(type_):
        raise ValueError(f"{shown(text)} is not a message. Write system/message, such as oms/order.created.")
    system, _, name = type_.partition("/")
    found = catalog.systems.get(system)
    if found is None:
        raise ValueError(f"There is no system {system}; {did_you_mean(system, catalog.systems)}")
    messages = found.emits if side == "emits" else found.accepts
    if name not in messages:
        raise ValueError(f"{system} {side} no {name}; {did_you_mean(name, messages) or f'it {side} nothing'}")
    return type_


def target_named(catalog: Catalog, text: str) -> Ref:
    """The version that a route leads to: the one that is named, or the newest live one. Raises ValueError."""
    system, _, name = message_named(catalog, text, side="accepts").partition("/")
    versions = catalog.systems[system].accepts[name].versions
    live = sorted(number for number, version in versions.items() if version.state in LIVE)
    if not live:
        raise ValueError(f"No version of {system}/{name} is live.")
    ref = Ref.parse(text) if "@" in text else Ref(system, name, live[-1])
    if ref.version not in live:
        state = f"is {versions[ref.version].state}" if ref.version in versions else "does not exist"
        raise ValueError(f"{ref} {state}; live: {', '.join(f'{ref.type}@{number}' for number in live)}")
    return ref


def contract_named(catalog: Catalog, text: str) -> Contract:
    """The contract of the version that `text` names. Raises ValueError."""
    ref = Ref.parse(text)
    found = catalog.contract(ref)
    if found is None:
        raise ValueError(f"There is no contract {ref}; {did_you_mean(str(ref), _versions(catalog))}")
    return found


def _versions(catalog: Catalog) -> list[str]:
    return [
        f"{system.name}/{name}@{number}"
        for system in catalog.systems.values()
        for side in (system.emits, system.accepts)
        for name, message in side.items()
        for number in message.versions
    ]
