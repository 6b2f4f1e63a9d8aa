"""The command that runs a system's sandbox. It loads no part of the hub but what reads a system and the kit: seven of
them start at once.
"""

from __future__ import annotations

from pathlib import Path

import click

from hub import catalog
from hub.cli.common.output import report_errors
from hub.kit.sandbox import SandboxConfig
from hub.kit.sandbox import run as run_sandbox
from hub.settings import Settings
from hub.vault import resolve


@click.command()
@click.argument("system")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="Port to listen on. 0: any free port, which is printed.",
)
@click.option(
    "--hub",
    "hub_url",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="URL of the hub to which the sandbox posts.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("var/sandbox"),
    show_default=True,
    help="Folder of the sandbox's journal.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01),
    default=1.0,
    show_default=True,
    help="Speed factor: with 10, all delays are ten times shorter.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random numbers.")
@click.pass_obj
@report_errors
def sandbox(settings: Settings, system: str, port: int, hub_url: str, data: Path, speed: float, seed: int) -> None:
    """Run the sandbox of SYSTEM. It simulates the system, with its own HTTP server and durable state.

    It posts with HUB_SANDBOX_KEY and HUB_SANDBOX_SECRET. It verifies the hub's calls with the secrets that the system's
    auth.outbound names.
    """
    file = settings.workspace / "adapters" / system / "sandbox.py"
    known = catalog.system(settings.workspace, system)
    if known is None or not file.exists():
        raise click.UsageError(f"{settings.workspace} has no sandbox of {system!r}.")
    out = known.outbound
    signs = out.scheme != "none"
    config = SandboxConfig(
        name=system,
        port=port,
        hub_url=hub_url,
        data=data,
        key=settings.environment.get("HUB_SANDBOX_KEY", ""),
        secret=settings.environment.get("HUB_SANDBOX_SECRET", ""),
        verify_key=resolve(out.key, settings.environment) if signs else "",
        verify_secret=resolve(out.secret, settings.environment) if signs else "",
        seed=seed,
        speed=speed,
    )
    run_sandbox(file, config)
