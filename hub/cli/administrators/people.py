"""Commands for console users and the audit log."""

from __future__ import annotations

import sys

import click

from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, table, user, when
from hub.flow.accounts import people
from hub.flow.accounts.people import OPERATOR, VIEWER
from hub.main import open_serving
from hub.settings import Settings
from hub.store import Store, User
from hub.store.engine.people_tables import ROLES

_by = click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)


@click.group("user")
def user_() -> None:
    """Manage console users: add, list, disable, role, password."""


@user_.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=VIEWER,
    show_default=True,
    help="Role of the user: a viewer can only read, an operator can also change.",
)
@_by
@as_json
@click.pass_obj
@report_errors
def add(settings: Settings, name: str, role: str, by: str, as_json: bool) -> None:
    """Add the user NAME. The password is read from a prompt, or from standard input if that is not a terminal."""
    with open_serving(settings, writer=False) as store:
        people.add(store, name, _password(), role, by=by)
    say({"name": name, "role": role}) if as_json else console.print(
        f"User {name} was added with the role {role}.", markup=False
    )


@user_.command("list")
@as_json
@click.pass_obj
@report_errors
def list_(settings: Settings, as_json: bool) -> None:
    """List all users, including disabled ones."""
    with open_serving(settings, writer=False) as store:
        rows = store.users()
    if as_json:
        say([people.as_json(row) for row in rows])
        return
    table(
        "",
        ["name", "role", "since", "state"],
        [(row.name, row.role, when(row.created_at), _state(row)) for row in rows],
    )


def _state(row: User) -> str:
    return f"disabled {when(row.disabled_at)}" if row.disabled_at is not None else "may sign in"


@user_.command()
@click.argument("name")
@click.option("--again", is_flag=True, help="Enable the disabled user NAME.")
@_by
@as_json
@click.pass_obj
@report_errors
def disable(settings: Settings, name: str, again: bool, by: str, as_json: bool) -> None:
    """Disable the user NAME and end all their sessions at once. The account stays, for the audit log."""
    with open_serving(settings, writer=False) as store:
        _known(store, name, people.shut(store, name, by=by, is_out=not again))
    say({"name": name, "disabled": not again}) if as_json else console.print(
        f"{name} {'may sign in again' if again else 'is disabled'}.", markup=False
    )


@user_.command()
@click.argument("name")
@click.argument("new", metavar="ROLE", type=click.Choice(ROLES))
@_by
@as_json
@click.pass_obj
@report_errors
def role(settings: Settings, name: str, new: str, by: str, as_json: bool) -> None:
    """Set the role of the user NAME. The user must sign in again."""
    with open_serving(settings, writer=False) as store:
        _known(store, name, people.give_role(store, name, new, by=by))
    say({"name": name, "role": new}) if as_json else console.print(f"{name} is {new}.", markup=False)


@user_.command()
@click.argument("name")
@_by
@as_json
@click.pass_obj
@report_errors
def password(settings: Settings, name: str, by: str, as_json: bool) -> None:
    """Set a new password for the user NAME, from a prompt or standard input. All sessions of the user end."""
    with open_serving(settings, writer=False) as store:
        _known(store, name, people.change_password(store, name, _password(), by=by))
    say({"name": name}) if as_json else console.print(f"{name} has a new password.", markup=False)


def _known(store: Store, name: str, is_done: bool) -> None:
    if not is_done:
        there = ", ".join(row.name for row in store.users()[:20])
        fail(
            f"There is no user {name}. Users: {there or 'none yet. Add one: hub user add NAME --role ' + OPERATOR}.",
            FAULTS,
        )


def _password() -> str:
    # From a pipe its first line, so that a script can give it without its standing in a list of processes.
    if sys.stdin.isatty():
        given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return given
    return sys.stdin.readline().rstrip("\r\n")


@click.group(invoke_without_command=True)
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Maximum number of records."
)
@click.option(
    "--before",
    type=click.IntRange(1),
    help="Show records before this number. Use the last number of the previous page.",
)
@click.option("--by", help="Filter by acting user.")
@click.option("--what", help="Filter by action, such as key.revoked. A prefix such as key. matches all its actions.")
@click.option("--object", "object_", help="Filter by the id of a delivery or key, by a user, and so on.")
@as_json
@click.pass_context
@report_errors
def audit(
    context: click.Context,
    limit: int,
    before: int | None,
    by: str | None,
    what: str | None,
    object_: str | None,
    as_json: bool,
) -> None:
    """Show the audit log: actions of people, newest first."""
    if context.invoked_subcommand is not None:
        return
    settings: Settings = context.obj
    with open_serving(settings, writer=False) as store:
        rows = store.acts(limit=limit, before=before, by=by, what=what, object_=object_)
    if as_json:
        say([people.act_json(row) for row in rows])
        return
    told_ = [
        (
            row.sequence,
            when(row.at),
            row.by,
            row.what,
            row.object,
            ", ".join(f"{name}={value}" for name, value in row.details.items())[:120],
        )
        for row in rows
    ]
    table("", ["number", "at (UTC)", "by", "what", "on", "details"], told_)


@audit.command()
@click.option(
    "--anchor",
    metavar="NUMBER:HASH",
    help="Head hash that an earlier check printed, stored outside the hub. Fails if the chain no longer contains it.",
)
@as_json
@click.pass_obj
@report_errors
def verify(settings: Settings, anchor: str | None, as_json: bool) -> None:
    """Verify the hash chain of the audit log and print its head. Exits with 1 if a record was changed, removed,
    inserted or truncated.
    """
    with open_serving(settings, writer=False) as store:
        found = store.verify_acts(anchor=anchor)
    if as_json:
        say({"records": found.records, "head": found.head, "broken": found.broken, "text": found.text})
    elif found.broken is None:
        console.print(
            f"{found.records} records are valid. Store this head outside the hub: {found.head}",
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print(f"{found.text} The {found.records} records before it are valid.", markup=False, soft_wrap=True)
    if found.broken is not None:
        raise SystemExit(FAULTS)
