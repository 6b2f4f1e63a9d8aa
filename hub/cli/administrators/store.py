"""Commands for the store: pruning, archives, partitions, backup."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from hub.cli.common.output import FAULTS, UNAVAILABLE, as_json, console, fail, report_errors, say, table, user
from hub.core.message import Json
from hub.flow.maintenance import retention
from hub.main import open_serving
from hub.settings import Settings
from hub.store import Archive, NotLeading, Store
from hub.store.retention.partitions import AHEAD
from hub.worker.keeper import NAME, TERM_S

_by = click.option(
    "--by", default=user, help="Acting user, for the audit log. Default: the current user.", show_default=False
)
_before = click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    metavar="DATE",
    help="Only messages that were accepted and had ended before this day (UTC).",
)


@click.group()
def store() -> None:
    """Maintain the store: prune, archive, restore, partitions, backup (docs/keeping.md)."""


@store.command()
@_before
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@_by
@as_json
@click.pass_obj
@report_errors
def prune(settings: Settings, before: datetime, dry_run: bool, by: str, as_json: bool) -> None:
    """Remove messages whose deliveries have all ended. With HUB_ARCHIVE, they are archived first. Messages that wait
    for a person stay.
    """
    day = before.replace(tzinfo=UTC)
    with open_serving(settings, writer=False) as opened:
        if day > opened.now() - timedelta(days=settings.keep_keys):
            # Their keys are still remembered: a repeat would be answered with an id that nobody finds.
            raise ValueError(
                f"{day.date()} is less than HUB_KEEP_KEYS ({settings.keep_keys:g} days) ago. Choose an earlier day."
            )
        if dry_run:
            done = retention.dry_run(opened, day)
        else:
            archive = Archive(settings.archive) if settings.archive is not None else None
            with _leading(opened) as renew:
                done = retention.prune_by(
                    opened, day, archive=archive, renew=renew, by=by, where=str(settings.archive or "")
                )
    _show(done, "would be removed" if dry_run else "removed", as_json)


@store.command()
@_before
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder for the archive files.",
)
@as_json
@click.pass_obj
@report_errors
def archive(settings: Settings, before: datetime, to: Path, as_json: bool) -> None:
    """Write messages that have ended to archive files, one or more for each day. Nothing is removed. Existing files are
    not written again.
    """
    with open_serving(settings, writer=False) as opened:
        done = retention.archive_only(opened, before.replace(tzinfo=UTC), Archive(to))
    _show(done, "gone", as_json)


@store.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE..."
)
@click.option(
    "--days",
    type=click.FloatRange(min=0.0, min_open=True),
    default=30.0,
    show_default=True,
    help="Keep the restored messages for this number of days before they can be pruned.",
)
@_by
@as_json
@click.pass_obj
@report_errors
def restore(settings: Settings, files: tuple[Path, ...], days: float, by: str, as_json: bool) -> None:
    """Restore messages from archive files, so that they can be searched and traced. Nothing is delivered again. A
    repeat changes nothing.
    """
    with open_serving(settings, writer=False) as opened:
        until = opened.now() + timedelta(days=days)
        found = retention.restore_by(opened, files, until=until, by=by)
        done: dict[str, Json] = {
            name: {"messages": back.messages, "deliveries": back.deliveries} for name, back in found.items()
        }
    if as_json:
        say(done)
        return
    table(
        "",
        ["file", "messages back", "deliveries"],
        [(name, *row.values()) for name, row in done.items() if isinstance(row, dict)],
    )


@store.command()
@click.option(
    "--ahead",
    type=click.IntRange(0, 400),
    default=AHEAD,
    show_default=True,
    help="Create partitions for today and this number of days after it.",
)
@click.option(
    "--drop-before",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Drop empty partitions of days before this one.",
)
@as_json
@click.pass_obj
@report_errors
def partitions(settings: Settings, ahead: int, drop_before: datetime | None, as_json: bool) -> None:
    """Create, drop and list the partitions of the large tables on PostgreSQL. Exits with 1 if rows have no partition
    for their day.
    """
    with open_serving(settings, writer=False) as opened:
        opened.make_parts(ahead)
        if drop_before is not None:
            opened.drop_parts(drop_before.date())
        rows = opened.parts()
    if as_json:
        say(
            [
                {
                    "table": row.table,
                    "name": row.name,
                    "day": row.day.isoformat() if row.day else None,
                    "rows": row.rows,
                    "bytes": row.bytes,
                }
                for row in rows
            ]
        )
    elif not rows:
        console.print("This store has no partitions. Only PostgreSQL stores have partitions.")
    else:
        table(
            "",
            ["table", "day", "rows (about)", "bytes"],
            [(row.table, row.day or "default", row.rows, row.bytes) for row in rows],
        )
    if any(row.day is None and row.rows for row in rows):
        raise SystemExit(FAULTS)


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
@report_errors
def backup(settings: Settings, file: Path, as_json: bool) -> None:
    """Back up an SQLite store to FILE while it is in use. For other databases, use their own tools
    (docs/keeping.md).
    """
    with open_serving(settings, writer=False) as opened:
        size = opened.backup(file)
    say({"file": str(file), "bytes": size}) if as_json else console.print(f"{file}: {size} bytes.", markup=False)


@contextmanager
def _leading(opened: Store) -> Iterator[retention.Renew]:
    """The lead, as a running hub takes it for its own rounds: two at once would write the same archive."""
    holder = f"command line {socket.gethostname()}-{os.getpid()}"
    held = opened.lead(NAME, holder, term_s=TERM_S)
    if held is None:
        by = opened.leader(NAME)
        fail(f"{by.holder if by else 'Another process'} is pruning now. Try again later.", UNAVAILABLE)
    try:
        yield lambda: opened.lead(NAME, holder, term_s=TERM_S)
    except (NotLeading, retention.RetentionStopped):
        fail("Another process took over the pruning. It finishes the rest.", UNAVAILABLE)
    finally:
        opened.resign(held)


def _show(done: retention.RetentionReport, word: str, as_json: bool) -> None:
    if as_json:
        say(
            {
                "messages": done.gone.messages,
                "deliveries": done.gone.deliveries,
                "stay": done.stay,
                "files": [
                    {"file": str(one.path), "messages": one.messages, "sha256": one.sha256} for one in done.files
                ],
                "namesForgotten": done.forgotten,
                "endedRows": done.ended,
                "partsDropped": list(done.dropped),
            }
        )
        return
    console.print(
        f"{done.gone.messages} messages with {done.gone.deliveries} deliveries {word}. {done.stay} messages of the same age stay.",
        markup=False,
    )
    for one in done.files:
        console.print(f"{one.path}: {one.messages} messages, SHA-256 {one.sha256}", markup=False, soft_wrap=True)
