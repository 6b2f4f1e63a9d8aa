"""The command `hub`: its groups, and the options that all share."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hub import __version__, logs
from hub.cli import contracts, dead, interfaces, keys, lineage, mapping, messages, new, plans, refused, run, store, workspace
from hub.cli.output import USAGE, fail
from hub.settings import BadSetting, read


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hub")
@click.option("--workspace", "-w", type=click.Path(path_type=Path), help="Folder with routes.yaml, mappings/ and adapters/ (HUB_WORKSPACE).")
@click.option("--store", help="Where messages live (HUB_STORE): sqlite:///FILE, postgresql://USER@HOST/NAME or mariadb://USER@HOST/NAME.")
@click.pass_context
def main(context: click.Context, workspace: Path | None, store: str | None) -> None:
    """Crossdock: an integration hub for supply chains.

    Exit codes: 0 done; 1 the answer is no (findings, nothing found); 2 wrong words or settings; 3 the store or the hub cannot be reached.
    """
    environment = dict(os.environ)
    if workspace is not None:
        environment["HUB_WORKSPACE"] = str(workspace)
    if store is not None:
        environment["HUB_STORE"] = store
    try:
        settings = read(environment)
    except BadSetting as error:
        fail(str(error), USAGE)
    logs.set_up(settings.log_level, settings.log_format)
    context.obj = settings


for command in (
    workspace.init,
    workspace.check,
    workspace.test,
    plans.plan,
    plans.apply,
    plans.rollback,
    plans.revisions_,
    run.up,
    run.web,
    run.worker,
    run.scheduler,
    run.sandbox,
    run.migrate,
    store.store,
    messages.send,
    messages.trace,
    messages.explain,
    dead.dead,
    refused.refused,
    keys.key,
    contracts.contracts,
    lineage.lineage,
    interfaces.openapi,
    interfaces.asyncapi,
    interfaces.schema,
    interfaces.handbook,
    new.new,
    mapping.map_,
):
    main.add_command(command)
