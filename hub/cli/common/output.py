"""Output of commands: a table for people, one JSON value for programs. `--json` is written without rich."""

from __future__ import annotations

import getpass
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table

from hub.core import json
from hub.core.documents.times import shown
from hub.core.errors import BadWorkspace, HubError, StoreBusy
from hub.core.message import Writable
from hub.logs import is_of_a_database
from hub.logs import told as told_of
from hub.settings import BadSetting, Settings, read
from hub.vault import VaultError

FAULTS = 1  # the command worked, and its answer is no: findings, nothing found, orders that did not arrive
USAGE = 2  # the command's words or the settings are wrong
UNAVAILABLE = 3  # the store, a file of it, or the hub cannot be reached or used now

P = ParamSpec("P")
R = TypeVar("R")
WIDTH = 140  # where nobody says how wide the screen is: a log, a pipe

console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
errors = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDTH)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")


def hub_command(settings: Settings | None = None) -> str:
    """How this command is called again, on the same store and workspace, from the same folder: to be copied as it
    stands.
    """
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        words = [sys.executable, "-m", "hub"]
    else:
        found = shutil.which(program.name)
        words = [program.name if found and Path(found).resolve() == program.resolve() else str(program)]
    if settings is not None:
        defaults = read({})
        words += ["--workspace", str(settings.workspace)] if settings.workspace != defaults.workspace else []
        # A password stays where it is: whoever set the store in the environment has it there in the next terminal too,
        # or sets it.
        words += (
            ["--store", settings.store]
            if settings.store != defaults.store and settings.store.startswith("sqlite")
            else []
        )
    return shlex.join(words)


def user() -> str:
    """The name of the current operating-system user: the default acting user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def say(value: Writable) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.encode(value).decode() + "\n")


def when(value: datetime | str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time in HUB_ZONE, with its offset; of a text, RFC 3339. Empty where there is none."""
    if not value:
        return ""
    settings = click.get_current_context().find_object(Settings)
    return shown(
        datetime.fromisoformat(value) if isinstance(value, str) else value,
        settings.zone if settings is not None else "UTC",
        form,
    )


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows for people; without rows, a line that says so. Foreign text is printed as text, never as markup."""
    grid = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(_plain(cell) for cell in row))
    console.print(grid)
    if not grid.row_count:
        console.print("Nothing to list.")


def _plain(cell: object) -> Any:
    text = "" if cell is None else str(cell)
    return "".join(char if char.isprintable() else "?" for char in text).replace("[", r"\[")


def fail(text: str, code: int) -> NoReturn:
    """Prints one line that says what to do, and exits with a documented code."""
    errors.print(text, style="red", markup=False, soft_wrap=True)
    raise SystemExit(code)


def report_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turns expected errors into one line and an exit code. Only a bug prints a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BadWorkspace as error:
            show_findings([finding.as_json() for finding in error.findings])
            fail(f"{len(error.findings)} findings. Nothing was changed.", FAULTS)
        except (BadSetting, VaultError, ValueError) as error:
            fail(str(error), USAGE)
        except StoreBusy as error:
            fail(str(error), UNAVAILABLE)
        except HubError as error:
            fail(str(error), FAULTS)
        except BrokenPipeError:
            raise  # whoever reads us has seen enough; click ends in order
        except OSError as error:
            fail(
                f"{error.strerror}: {error.filename}." if error.strerror and error.filename else str(error), UNAVAILABLE
            )
        except Exception as error:
            if not is_of_a_database(error):
                raise
            fail(
                f"The store rejected a statement: {told_of(error)}. Report this line to the hub's maintainers.",
                UNAVAILABLE,
            )

    return wrapped


def show_findings(findings: Iterable[Any]) -> None:
    for finding in findings:
        color = "yellow" if finding["level"] == "warning" else "red"
        errors.print(
            f"{finding['file']}:{finding['line']}:{finding['column']}: {finding['code']} {finding['text']}",
            style=color,
            markup=False,
            soft_wrap=True,
        )
        if finding["fix"]:
            errors.print(f"    {finding['fix']}", style="dim", markup=False, soft_wrap=True)
