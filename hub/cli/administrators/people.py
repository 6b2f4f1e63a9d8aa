"""Commands for people: who may sign in to the console, and the record of what they did."""

from __future__ import annotations

import sys

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, say, table, told, user, when
from hub.flow.accounts import people
from hub.flow.accounts.people import OPERATOR, VIEWER
from hub.main import open_serving
from hub.settings import Settings
from hub.store import Store, User
from hub.store.engine.people_tables import ROLES

_by = click.option("--by", default=user, help="Who does it. Default: the user.", show_default=False)


@click.group("user")
def user_() -> None:
    """People who sign in to the console: add, list, disable, password."""


@user_.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default=VIEWER, show_default=True, help="A viewer changes nothing; an operator may.")
@_by
@as_json
@click.pass_obj
@told
def add(settings: Settings, name: str, role: str, by: str, as_json: bool) -> None:
    """An account for NAME. Its password is asked for, or read from standard input where that is no terminal; never an argument."""
    with open_serving(settings, writer=False) as store:
        people.add(store, name, _password(), role, by=by)
    say({"name": name, "role": role}) if as_json else console.print(f"{name} may sign in as {role}.", markup=False)


@user_.command("list")
@as_json
@click.pass_obj
@told
def list_(settings: Settings, as_json: bool) -> None:
    """All accounts, disabled ones too."""
    with open_serving(settings, writer=False) as store:
        rows = store.users()
    if as_json:
        say([people.as_json(row) for row in rows])
        return
    table("", ["name", "role", "since", "state"], [(row.name, row.role, when(row.created_at), _state(row)) for row in rows])


def _state(row: User) -> str:
    return f"disabled {when(row.disabled_at)}" if row.disabled_at is not None else "may sign in"


@user_.command()
@click.argument("name")
@click.option("--again", is_flag=True, help="Let NAME sign in again.")
@_by
@as_json
@click.pass_obj
@told
def disable(settings: Settings, name: str, again: bool, by: str, as_json: bool) -> None:
    """Shut NAME out at once: whoever is signed in under it is signed in no more. The account stays, for the record."""
    with open_serving(settings, writer=False) as store:
        _known(store, name, people.shut(store, name, by=by, is_out=not again))
    say({"name": name, "disabled": not again}) if as_json else console.print(f"{name} {'may sign in again' if again else 'is disabled'}.", markup=False)


@user_.command()
@click.argument("name")
@click.argument("new", metavar="ROLE", type=click.Choice(ROLES))
@_by
@as_json
@click.pass_obj
@told
def role(settings: Settings, name: str, new: str, by: str, as_json: bool) -> None:
    """Make NAME a viewer or an operator; to use it, they sign in anew."""
    with open_serving(settings, writer=False) as store:
        _known(store, name, people.give_role(store, name, new, by=by))
    say({"name": name, "role": new}) if as_json else console.print(f"{name} is {new}.", markup=False)


@user_.command()
@click.argument("name")
@_by
@as_json
@click.pass_obj
@told
def password(settings: Settings, name: str, by: str, as_json: bool) -> None:
    """Give NAME a new password, asked for or read from standard input; whoever is signed in under it is signed in no more."""
    with open_serving(settings, writer=False) as store:
        _known(store, name, people.change_password(store, name, _password(), by=by))
    say({"name": name}) if as_json else console.print(f"{name} has a new password.", markup=False)


def _known(store: Store, name: str, is_done: bool) -> None:
    if not is_done:
        there = ", ".join(row.name for row in store.users()[:20])
        fail(f"There is no user {name}; there is {there or 'nobody yet: hub user add NAME --role ' + OPERATOR}.", FAULTS)


def _password() -> str:
    # From a pipe its first line, so that a script can give it without its standing in a list of processes.
    if sys.stdin.isatty():
        given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return given
    return sys.stdin.readline().rstrip("\r\n")


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--before", type=click.IntRange(1), help="Only those before this number: the last of the page before.")
@click.option("--by", help="Only of this person.")
@click.option("--what", help="Only of this kind, such as key.revoked, or key. for all of keys.")
@click.option("--object", "object_", help="Only on this delivery, key, user …")
@as_json
@click.pass_context
@told
def audit(context: click.Context, limit: int, before: int | None, by: str | None, what: str | None, object_: str | None, as_json: bool) -> None:
    """What people did, newest first."""
    if context.invoked_subcommand is not None:
        return
    settings: Settings = context.obj
    with open_serving(settings, writer=False) as store:
        rows = store.acts(limit=limit, before=before, by=by, what=what, object_=object_)
    if as_json:
        say([people.act_json(row) for row in rows])
        return
    told_ = [
        (row.sequence, when(row.at), row.by, row.what, row.object, ", ".join(f"{name}={value}" for name, value in row.details.items())[:120]) for row in rows
    ]
    table("", ["number", "at (UTC)", "by", "what", "on", "details"], told_)


@audit.command()
@click.option("--anchor", metavar="NUMBER:HASH", help="A head that an earlier check printed, and that was kept elsewhere: it must still stand.")
@as_json
@click.pass_obj
@told
def verify(settings: Settings, anchor: str | None, as_json: bool) -> None:
    """Check the whole chain, and print its head. Exit code 1: a record was altered, taken out, put in or cut off."""
    with open_serving(settings, writer=False) as store:
        found = store.verify_acts(anchor=anchor)
    if as_json:
        say({"records": found.records, "head": found.head, "broken": found.broken, "text": found.text})
    elif found.broken is None:
        console.print(f"{found.records} records stand. Keep this elsewhere: {found.head}", markup=False, soft_wrap=True)
    else:
        console.print(f"{found.text} The {found.records} before it stand.", markup=False, soft_wrap=True)
    if found.broken is not None:
        raise SystemExit(FAULTS)
