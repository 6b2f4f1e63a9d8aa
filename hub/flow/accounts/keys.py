"""Creates and revokes callers' keys. A new key is shown once: the store has the key as a hash, and the secret
encrypted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.core.config.system import System
from hub.core.errors import Code, Refused
from hub.core.message import is_type
from hub.flow.answers import administration as answers
from hub.flow.answers.fields import fill
from hub.flow.context.callers import key_id
from hub.flow.hub import Hub
from hub.logs import event
from hub.store import KeyRow, Store
from hub.vault import Vault, new_key

FORMS = ("default", "legacy", "hmac", "api-key")


class NewKey(NamedTuple):
    """A new key. `key` and `secret` are not stored in plain text anywhere."""

    id: str
    key: str
    secret: str


def make_key(
    store: Store,
    vault: Vault,
    *,
    name: str,
    systems: tuple[str, ...],
    form: str,
    by: str = "",
    days: float | None = None,
    pins: Mapping[str, int] | None = None,
) -> NewKey:
    """Creates a key, valid from now on for `days`, or until it is revoked."""
    key, secret = new_key()
    at = store.now()
    hashed = vault.hash_key(key)
    id_ = key_id(hashed)
    expires = at + timedelta(days=days) if days is not None else None
    store.add_key(
        KeyRow(id_, name, systems, form, hashed, vault.seal(secret, id_), at, expires, pins=pins or {}), by=by
    )
    return NewKey(id_, key, secret)


def make_for(
    hub: Hub,
    *,
    name: str,
    systems: tuple[str, ...],
    form: str,
    by: str,
    days: float | None = None,
    pins: Mapping[str, int] | None = None,
) -> NewKey:
    """Creates a key at a running hub, under its master key. Raises Refused (400) for an unknown system, form or
    message.
    """
    catalog = hub.catalogs.active()
    unknown = sorted({*systems} - catalog.systems.keys()) + sorted(
        {*(pins or {})} - {type_ for system in catalog.systems.values() for type_ in system_types(system)}
    )
    if unknown or not systems or form not in FORMS or not name:
        problem = ", ".join(unknown) or "a name, one system at least, and one of the forms"
        raise Refused(
            Code.BAD_REQUEST, f"The key cannot be created: {problem}. Systems: {', '.join(sorted(catalog.systems))}."
        )
    return make_key(hub.store, hub.callers.vault, name=name, systems=systems, form=form, by=by, days=days, pins=pins)


def revoke(store: Store, id_: str, at: datetime, *, by: str) -> None:
    """Revokes a key at `at`; running processes refuse it within two seconds. Raises Refused if there is none."""
    if not store.revoke_key(id_, at, by=by):
        raise Refused(Code.NOT_FOUND, f"There is no key {id_}. List the keys: hub key list")
    event("key.revoked", "it proves nobody any more", caller=id_, by=by)


def system_types(system: System) -> set[str]:
    """The message types that a system posts."""
    return {emit.type for emit in system.emits.values()}


def as_json(row: KeyRow, now: datetime) -> answers.CallerKey:
    """A key as operators see it, without its secret."""
    return fill(answers.CallerKey, row, state=state_of(row, now))


def read_pin(text: str) -> tuple[str, int]:
    """A message and its version, such as `oms/order.created=1`. Raises ValueError."""
    type_, _, version = text.partition("=")
    if not is_type(type_) or not version.isdecimal() or int(version) < 1:
        raise ValueError(f"{text!r} is not a pin. Write a message and a version, such as oms/order.created=1.")
    return type_, int(version)


def state_of(row: KeyRow, now: datetime) -> str:
    """`valid`, `expired`, `revoked`, or `ending`: it is valid, and will be expired or revoked."""
    if row.revoked_at is not None and row.revoked_at <= now:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "ending" if row.revoked_at is not None or row.expires_at is not None else "valid"
