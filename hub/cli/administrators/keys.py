"""Commands for callers' API keys: who may post, for which systems."""

from __future__ import annotations

import click

from hub.cli.common.output import as_json, console, report_errors, say, table, user, when
from hub.core.message import Json
from hub.flow.accounts import keys
from hub.flow.accounts.keys import FORMS, make_key, read_pin
from hub.main import now, open_serving, open_vault
from hub.settings import Settings
from hub.store import KeyRow
from hub.vault import new_master_key

_by = click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)


@click.group()
def key() -> None:
    """Manage API keys of callers: create, list, revoke."""


@key.command()
@click.argument("name")
@click.option(
    "--system", "-s", "systems", multiple=True, required=True, help="System that may post with this key. Repeatable."
)
@click.option(
    "--form", type=click.Choice(FORMS), default="default", show_default=True, help="Signature form (docs/partners.md)."
)
@click.option(
    "--days",
    type=click.FloatRange(min=0.0, min_open=True),
    help="Days until the key expires. Default: the key does not expire.",
)
@click.option(
    "--pin",
    "pins",
    multiple=True,
    metavar="MESSAGE=VERSION",
    help="Default contract version of its posts, such as oms/order.created=1. Repeatable.",
)
@_by
@as_json
@click.pass_obj
@report_errors
def create(
    settings: Settings,
    name: str,
    systems: tuple[str, ...],
    form: str,
    days: float | None,
    pins: tuple[str, ...],
    by: str,
    as_json: bool,
) -> None:
    """Create a key for NAME. The key and its secret are shown only once."""
    pinned = dict(read_pin(text) for text in pins)
    with open_serving(settings, writer=False) as store:
        made = make_key(
            store, open_vault(settings), name=name, systems=systems, form=form, by=by, days=days, pins=pinned
        )
    if as_json:
        say({"id": made.id, "key": made.key, "secret": made.secret, "systems": list(systems), "form": form})
        return
    console.print(f"id      {made.id}\nkey     {made.key}\nsecret  {made.secret}", markup=False)
    console.print("Both are shown only once. The hub stores a hash of the key, and the secret encrypted.", style="dim")


@key.command("list")
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, as_json: bool) -> None:
    """List all keys, oldest first, without the keys themselves."""
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
        [(row.id, row.name, ", ".join(row.systems), row.form, when(row.created_at), _state(row)) for row in rows],
    )


def _state(row: KeyRow) -> str:
    if row.revoked_at is not None:
        return f"revoked {when(row.revoked_at)}"
    if row.expires_at is not None:
        return f"{'expired' if row.expires_at <= now() else 'until'} {when(row.expires_at)}"
    return "valid"


@key.command()
@click.argument("id_", metavar="ID")
@_by
@as_json
@click.pass_obj
@report_errors
def revoke(settings: Settings, id_: str, by: str, as_json: bool) -> None:
    """Revoke the key ID. Running processes refuse it within two seconds."""
    with open_serving(settings, writer=False) as store:
        keys.revoke(store, id_, now(), by=by)
    say({"id": id_, "revoked": True}) if as_json else console.print(f"{id_} is revoked.", markup=False)


@key.command()
def master() -> None:
    """Print a new master key, for HUB_MASTER_KEY or for the file of HUB_MASTER_KEY=file:PATH."""
    click.echo(new_master_key())
