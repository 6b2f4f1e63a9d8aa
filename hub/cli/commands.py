"""The command `hub`: its groups, and the options that all share."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path

import click

from hub import __version__, logs
from hub.cli.output import USAGE, fail
from hub.core import door
from hub.settings import BadSetting, read

# Each with its module under hub.cli: only that of the command that is run is loaded. All of them together take seconds of a processor, which
# whoever runs one command, or starts seven sandboxes, should not wait for.
_COMMANDS: Mapping[str, str] = {
    "init": "workspace.init",
    "check": "workspace.check",
    "test": "workspace.test",
    "plan": "plans.plan",
    "apply": "plans.apply",
    "rollback": "plans.rollback",
    "revisions": "plans.revisions_",
    "up": "run.up",
    "web": "run.web",
    "worker": "run.worker",
    "scheduler": "run.scheduler",
    "migrate": "run.migrate",
    "sandbox": "sandbox.sandbox",
    "store": "store.store",
    "now": "look.now",
    "find": "look.find",
    "object": "look.object_",
    "send": "messages.send",
    "trace": "messages.trace",
    "explain": "messages.explain",
    "raw": "messages.raw",
    "dead": "dead.dead",
    "refused": "refused.refused",
    "unrouted": "unrouted.unrouted",
    "repair": "repair.repair",
    "key": "keys.key",
    "user": "people.user_",
    "audit": "people.audit",
    "route": "routes.route",
    "target": "pauses.target",
    "system": "systems.system",
    "contracts": "contracts.contracts",
    "lineage": "lineage.lineage",
    "openapi": "interfaces.openapi",
    "asyncapi": "interfaces.asyncapi",
    "schema": "interfaces.schema",
    "docs": "interfaces.handbook",
    "new": "new.new",
    "map": "mapping.map_",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(importlib.import_module(f"hub.cli.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hub")
@click.option("--workspace", "-w", type=click.Path(path_type=Path), help="Folder with routes.yaml, mappings/ and adapters/ (HUB_WORKSPACE).")
@click.option("--store", help="Where messages live (HUB_STORE): sqlite:///FILE, postgresql://USER@HOST/NAME or mariadb://USER@HOST/NAME.")
@click.pass_context
def main(context: click.Context, workspace: Path | None, store: str | None) -> None:
    """Crossdock: an integration hub for supply chains.

    Exit codes: 0 done; 1 the answer is no (findings, nothing found); 2 wrong words or settings; 3 the store or the hub cannot be reached or used.
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
    door.hand_in(_evaluators)
    context.obj = settings


def _evaluators() -> door.Evaluator:
    from hub.kit.evaluator import Evaluators  # noqa: PLC0415  few commands evaluate anything that needs one

    return Evaluators()
