"""The command `hub`: its groups, and the options that all share."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path

import click

from hub import __version__, logs
from hub.cli.common.output import USAGE, fail
from hub.core.expressions import evaluation_door
from hub.settings import BadSetting, read

# Each with its module under hub.cli: only that of the command that is run is loaded. All of them together take seconds
# of a processor, which whoever runs one command, or starts seven sandboxes, should not wait for.
_COMMANDS: Mapping[str, str] = {
    "init": "engineers.workspace.init",
    "check": "engineers.workspace.check",
    "test": "engineers.workspace.test",
    "plan": "engineers.plans.plan",
    "apply": "engineers.plans.apply",
    "rollback": "engineers.plans.rollback",
    "revisions": "engineers.plans.revisions_",
    "up": "administrators.run.up",
    "web": "administrators.run.web",
    "worker": "administrators.run.worker",
    "scheduler": "administrators.run.scheduler",
    "migrate": "administrators.run.migrate",
    "sandbox": "engineers.sandbox.sandbox",
    "store": "administrators.store.store",
    "now": "operators.look.now",
    "find": "operators.look.find",
    "object": "operators.look.object_",
    "send": "operators.messages.send",
    "trace": "operators.messages.trace",
    "explain": "operators.messages.explain",
    "raw": "operators.messages.raw",
    "dead": "operators.dead.dead",
    "refused": "operators.refused.refused",
    "unrouted": "operators.unrouted.unrouted",
    "repair": "operators.repair.repair",
    "key": "administrators.keys.key",
    "user": "administrators.people.user_",
    "audit": "administrators.people.audit",
    "route": "engineers.routes.route",
    "target": "operators.pauses.target",
    "system": "engineers.systems.system",
    "contracts": "engineers.contracts.contracts",
    "lineage": "engineers.lineage.lineage",
    "openapi": "engineers.interfaces.openapi",
    "asyncapi": "engineers.interfaces.asyncapi",
    "schema": "engineers.interfaces.schema",
    "docs": "engineers.interfaces.handbook",
    "new": "engineers.new.new",
    "map": "engineers.mapping.map_",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].rpartition(".")
        command: click.Command = getattr(importlib.import_module(f"hub.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click suggests only what is loaded
            raise click.NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hub")
@click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path),
    help="Workspace folder, with routes.yaml, mappings/ and adapters/ (HUB_WORKSPACE).",
)
@click.option(
    "--store",
    help="Database URL of the store (HUB_STORE): sqlite:///FILE, postgresql://USER@HOST/NAME or mariadb://USER@HOST/NAME.",
)
@click.pass_context
def main(context: click.Context, workspace: Path | None, store: str | None) -> None:
    """Crossdock: an integration hub for supply chains.

    Exit codes: 0 success; 1 negative result (findings, nothing found); 2 wrong arguments or settings; 3 the store or
    the hub is not available.
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
    evaluation_door.hand_in(_evaluators)
    context.obj = settings


def _evaluators() -> evaluation_door.Evaluator:
    from hub.kit.evaluation.evaluator import Evaluators  # noqa: PLC0415  few commands evaluate anything that needs one

    return Evaluators()
