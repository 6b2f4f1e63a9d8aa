"""Commands for callers' keys: who may post, for which systems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import click

from hub.cli.output import FAULTS, as_json, console, fail, say, table, told
from hub.core.message import Json, is_type
from hub.flow.callers import key_id
from hub.main import now, open_serving, open_vault
from hub.settings import Settings
from hub.store import KeyRow, Store
from hub.vault import Vault, new_key, new_master_key


@click.group()
def key() -> None:
    """Callers' keys: create, list, revoke."""


def make_key(
    store: Store, vault: Vault, *, name: str, systems: tuple[str, ...], form: str, days: float | None = None, pins: Mapping[str, int] | None = None
) -> tuple[str, str, str]:
    """A new key in the store. Gives its id, the key and the secret; these two are shown once and never again."""
    made, secret = new_key()
    hashed = vault.hash_key(made)
    id_ = key_id(hashed)
    expires = now() + timedelta(days=days) if days is not None else None
    store.add_key(KeyRow(id_, name, systems, form, hashed, vault.seal(secret, id_), now(), expires, pins=pins or {}))
    return id_, made, secret


@key.command()
@click.argument("name")
@click.option("--system", "-s", "systems", multiple=True, required=True, help="A system that this key may speak for; may be given several times.")
@click.option(
    "--form", type=click.Choice(["default", "legacy", "hmac", "api-key"]), default="default", show_default=True, help="How it signs (docs/partners.md)."
)
@click.option("--days", type=click.FloatRange(min=0.0, min_open=True), help="Days until it ends; without it, it does not.")
@click.option("--pin", "pins", multiple=True, metavar="MESSAGE=VERSION", help="The version of its posts that do not say one, such as oms/order.created=1.")
@as_json
@click.pass_obj
@told
def create(settings: Settings, name: str, systems: tuple[str, ...], form: str, days: float | None, pins: tuple[str, ...], as_json: bool) -> None:
    """Make a key for NAME. The key and its secret are shown once."""
    pinned = dict(_pin(text) for text in pins)
    with open_serving(settings, writer=False) as store:
        id_, made, secret = make_key(store, open_vault(settings), name=name, systems=systems, form=form, days=days, pins=pinned)
    if as_json:
        say({"id": id_, "key": made, "secret": secret, "systems": list(systems), "form": form})
        return
    console.print(f"id      {id_}\nkey     {made}\nsecret  {secret}", markup=False)
    console.print("Both are shown only now: the key is kept as a hash, the secret sealed.", style="dim")


def _pin(text: str) -> tuple[str, int]:
    type_, _, version = text.partition("=")
    if not is_type(type_) or not version.isdecimal() or int(version) < 1:
        raise ValueError(f"{text!r} is no pin; write a message and a version, such as oms/order.created=1.")
    return type_, int(version)


@key.command("list")
@as_json
@click.pass_obj
@told
def list_(settings: Settings, as_json: bool) -> None:
    """All keys, oldest first; never the key itself."""
    with open_serving(settings, writer=False) as store:
        rows = store.keys()
    if as_json:
        found: list[Json] = [
            {
                "id": row.id,
                "name": row.name,
                "systems": list(row.systems),
                "form": row.form,
                "pins": dict(row.pins),
                "createdAt": row.created_at.isoformat(),
                "state": _state(row),
            }
            for row in rows
        ]
        say(found)
        return
    table(
        "",
        ["id", "name", "systems", "form", "created", "state"],
        [(row.id, row.name, ", ".join(row.systems), row.form, f"{row.created_at:%Y-%m-%d %H:%M}", _state(row)) for row in rows],
    )


def _state(row: KeyRow) -> str:
    if row.revoked_at is not None:
        return f"revoked {row.revoked_at:%Y-%m-%d %H:%M}"
    if row.expires_at is not None:
        return f"{'expired' if row.expires_at <= now() else 'until'} {row.expires_at:%Y-%m-%d %H:%M}"
    return "valid"


@key.command()
@click.argument("id_", metavar="ID")
@as_json
@click.pass_obj
@told
def revoke(settings: Settings, id_: str, as_json: bool) -> None:
    """End a key. Running processes refuse it within two seconds."""
    with open_serving(settings, writer=False) as store:
        done = store.revoke_key(id_, now())
    if not done:
        fail(f"There is no key {id_}; see: hub key list", FAULTS)
    say({"id": id_, "revoked": True}) if as_json else console.print(f"{id_} is revoked.", markup=False)


@key.command()
def master() -> None:
    """Print a new master key, for HUB_MASTER_KEY (or a file that HUB_MASTER_KEY=file:PATH names)."""
    click.echo(new_master_key())
