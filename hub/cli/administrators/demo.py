"""`hub up --demo`: the hub, every sandbox of the workspace as a process of its own, and orders through them.

Which orders, what goes wrong meanwhile, and what counts as arrived, the workspace says: the one
`adapters/<system>/demo.py` gives `place(urls, count)`, `report(urls, placed) -> Report`, how many orders come when the
demo opens (`RUSH`), and `disturb(urls, seconds, before)`: the faults whose time came since `before`. With `--once`
nothing is disturbed. The hub itself knows no system by name.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub import logs, main
from hub.catalog import Catalog
from hub.cli.common.output import FAULTS, console, fail, hub_command, table
from hub.core import json
from hub.core.config.system import System
from hub.core.model.addresses import in_url
from hub.flow.accounts import people
from hub.flow.accounts.keys import make_key
from hub.flow.configuration.plan import apply
from hub.kit.loading import load_module
from hub.main import serving
from hub.main.port import check as check_port
from hub.settings import Settings, read
from hub.store import Store
from hub.vault import new_key

PATIENCE_S = 180.0
TRICKLE_S = 2.0
OPERATOR = "demo"  # who may sign in to the console of a demo


def run(settings: Settings, *, once: bool, orders: int) -> int:
    """Runs the demo until it is stopped, or with `once` until `orders` orders have arrived. Gives the exit code."""
    script = _script(settings.workspace, once=once)
    check_port(settings.host, settings.metrics_port, "HUB_METRICS_PORT")
    with ExitStack() as stack, main.open_serving(settings, writer=False) as store:
        made = apply(store, settings.workspace)
        settings, urls = _demo_settings(settings, made, level="warning" if once else "error")
        # the demo's own lines are for people; what goes well is not logged beside them
        logs.set_up(settings.log_level, settings.log_format)
        for system in (made.systems[name] for name in urls):
            process = _spawn(settings, store, system, urls[system.name])
            stack.callback(_end, process)
        password = "" if once else _operator(store)
        code: list[int] = []
        over = threading.Event()

        def ready(_: main.RunningHub) -> None:
            show = Show(settings, script, urls, password, _first(made, settings.workspace))
            threading.Thread(target=_drive, args=(show, once, orders, code, over), name="demo", daemon=True).start()

        serving.serve(settings, web=True, work=True, ready=ready)
        over.set()  # before the sandboxes end: that they answer no more is no failure then
    return code[0] if code else 0


@dataclass(frozen=True, slots=True)
class Show:
    """What a demo shows. `script`: None where the workspace has no demo.py; then nothing is placed, and `first` says
    what to send, to look for.
    """

    settings: Settings
    script: ModuleType | None
    urls: Mapping[str, str]
    password: str
    first: tuple[str, str, str] | None


def _script(workspace: Path, *, once: bool) -> ModuleType | None:
    found = sorted(workspace.glob("adapters/*/demo.py"))
    if len(found) > 1 or (once and not found):
        fail(
            f"{workspace} has {len(found)} adapters/<system>/demo.py files. A demo that places orders needs exactly one.",
            FAULTS,
        )
    return load_module(found[0]) if found else None


def _first(made: Catalog, workspace: Path) -> tuple[str, str, str] | None:
    """A message of the workspace to begin with: its kind, the file of a sample, and a number to follow it by."""
    for file in sorted(workspace.glob("adapters/*/samples/*.v*/*.json")):
        kind, _, version = file.parent.name.rpartition(".v")
        emit = made.emit(f"{file.parents[2].name}/{kind}")
        if emit is None or file.name.endswith(".bad.json"):
            continue
        sample = json.decode(file.read_bytes())
        fields = {expression.text for _, expression in emit.keys}
        number = (
            next((str(sample[field]) for field in sample if field in fields), "") if isinstance(sample, dict) else ""
        )
        if number:
            return f"{file.parents[2].name}/{kind}@{version}", str(file), number
    return None


def _demo_settings(settings: Settings, made: Catalog, *, level: str) -> tuple[Settings, dict[str, str]]:
    """Settings with a port for everyone, secrets for every call, and loopback allowed. Gives the sandboxes' URLs by
    system.

    `level`: of the log, where none is set; what a demo breaks on purpose is seen in the console, and would push its
    address off the screen.
    """
    environment = dict(settings.environment)
    environment["HUB_PORT"] = str(_free(settings.port, settings.host))
    environment["HUB_ALLOW_CIDRS"] = ",".join(filter(None, [environment.get("HUB_ALLOW_CIDRS", ""), "127.0.0.0/8"]))
    environment.setdefault("HUB_LOG_LEVEL", level)
    urls: dict[str, str] = {}
    for system in made.systems.values():
        for reference, value in zip((system.outbound.key, system.outbound.secret), new_key(), strict=True):
            if reference.startswith("env:"):
                environment.setdefault(reference.removeprefix("env:"), value)
        if not (settings.workspace / "adapters" / system.name / "sandbox.py").exists():
            continue
        default = system.settings["url"].default if "url" in system.settings else ""
        port = _free(urlsplit(settings.system(system.name, "url") or default).port or 0, "127.0.0.1")
        urls[system.name] = environment[f"HUB_{system.name}_URL".upper().replace("-", "_")] = f"http://127.0.0.1:{port}"
    return replace(read(environment), workspace=settings.workspace, store=settings.store), urls


def _free(wanted: int, host: str) -> int:
    """The port, if nobody has it; else any free one."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("No free port was found.")


def _spawn(settings: Settings, store: Store, system: System, url: str) -> subprocess.Popen[bytes]:
    """One sandbox as a process. Its secrets travel in its environment, never on its command line."""
    _, key, secret = make_key(
        store,
        main.open_vault(settings),
        name=f"demo {system.name} {secrets.token_hex(3)}",
        systems=(system.name,),
        form="default",
        days=1,
    )
    environment = {**os.environ, **settings.environment, "HUB_SANDBOX_KEY": key, "HUB_SANDBOX_SECRET": secret}
    data = (
        Path(settings.store.split("///", 1)[-1]).absolute().parent / "sandbox"
        if settings.store.startswith("sqlite")
        else Path("var/sandbox")
    )
    command = [
        sys.executable,
        "-m",
        "hub",
        "--workspace",
        str(settings.workspace),
        "sandbox",
        system.name,
        "--port",
        str(urlsplit(url).port),
    ]
    command += ["--hub", f"http://{in_url(settings.host)}:{settings.port}", "--data", str(data)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603  our own command, no shell


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _drive(show: Show, once: bool, orders: int, code: list[int], over: threading.Event) -> None:
    """The demo's own thread: places orders and watches. Whatever happens to it, the process ends in good order. `over`:
    it is ending already.
    """
    try:
        _await_health(show.urls)
        if show.script is None:
            _welcome(show, "")
            return
        if once:
            code.append(_once(show.script, show.urls, orders))
        else:
            [number, *_] = show.script.place(show.urls, 1)
            _welcome(show, number)
            _live(show.script, show.urls)
    except Exception as error:  # noqa: BLE001  it is shown, and the demo ends with a failure
        if over.is_set():
            return
        console.print(f"The demo failed: {error!r}", style="red", markup=False)
        code.append(FAULTS)
    os.kill(os.getpid(), signal.SIGTERM)


def _live(script: ModuleType, urls: Mapping[str, str]) -> None:
    """A rush of orders, then one every now and then, and what goes wrong in between; without end."""
    began, before = time.monotonic(), None
    count = script.RUSH
    while True:
        seconds = time.monotonic() - began
        script.disturb(urls, seconds, before)
        before = seconds
        script.place(urls, count)
        count = 1
        time.sleep(TRICKLE_S)


def _await_health(urls: Mapping[str, str]) -> None:
    waiting = set(urls)
    end = time.monotonic() + 30
    while waiting and time.monotonic() < end:
        for name in sorted(waiting):
            try:
                with socket.create_connection((urlsplit(urls[name]).hostname or "", urlsplit(urls[name]).port or 0), 1):
                    waiting.discard(name)
            except OSError:
                time.sleep(0.05)
    if waiting:
        raise RuntimeError(f"These sandboxes do not answer: {', '.join(sorted(waiting))}")


def _once(script: ModuleType, urls: Mapping[str, str], orders: int) -> int:
    placed: list[str] = script.place(urls, orders)
    with Progress(
        TextColumn("orders arrived"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        bar = progress.add_task("orders", total=len(placed))
        end = time.monotonic() + PATIENCE_S
        report: Any = script.report(urls, placed)
        while not report.is_settled and time.monotonic() < end:
            progress.update(bar, completed=report.arrived)
            time.sleep(0.2)
            report = script.report(urls, placed)
        progress.update(bar, completed=report.arrived)
    table("Results", report.columns, report.rows)
    for line in report.lines:
        console.print(line, markup=False)
    console.print(report.verdict, style="green" if report.is_good else "red", markup=False)
    return 0 if report.is_good else FAULTS


def _operator(store: Store) -> str:
    """An operator for the console, with a new password each time: the one of a run before is of no use any more."""
    password = secrets.token_urlsafe(12)
    if store.user(OPERATOR) is None:
        people.add(store, OPERATOR, password, people.OPERATOR, by="hub up --demo")
    else:
        people.change_password(store, OPERATOR, password, by="hub up --demo")
    return password


def _as_operator(settings: Settings, hub: str) -> str:
    """The root of the hub for an operator's curl, with what lets it in."""
    socket_ = settings.own_socket
    if socket_ is None:
        return f'-H "Authorization: Bearer $HUB_OPS_TOKEN" {hub}'
    return f"--unix-socket {shlex.quote(str(socket_))} http://localhost"


def _welcome(show: Show, number: str) -> None:
    """What runs where, and what to try: commands to be copied as they stand. `number`: of an order that was placed just
    now.
    """
    settings, hub, command = (
        show.settings,
        f"http://{in_url(show.settings.host)}:{show.settings.port}",
        hub_command(show.settings),
    )
    table("Running", ["what", "where"], [("hub", hub), *show.urls.items()])
    ops = (
        f"curl --unix-socket {settings.own_socket} http://localhost"
        if settings.own_socket
        else f"curl -H 'Authorization: Bearer …' {hub}"
    )
    told = [f"Console: {hub}/console   user {OPERATOR}, password {show.password}   (valid for this run, shown once)"]
    if number:
        told += [
            f"The demo places a burst of orders, then one every {TRICKLE_S:g} s. For ten seconds one system refuses all calls. Other systems are slow or fail sometimes.",
            "The dead letters are in the console under Now. Replay them there.",
        ]
    told += [
        "In this demo, targets may have loopback addresses.",
        "Try these commands in another terminal, in this folder:",
    ]
    if show.first is not None and not number:
        kind, file, number = show.first
        told.append(f"  {command} send {kind} {file}")
    told += [
        f"  {command} trace {number}",
        f"  {command} now",
        f"  {ops}/ops/v1/conservation",
        f"  {ops}/metrics",
        f"  curl -X POST {next(iter(show.urls.values()), hub)}/_control -d '{{\"fail\": 503}}'   and look at: {command} dead list",
        "Ctrl-C stops the demo. No accepted message is lost.",
    ]
    console.print("\n".join(told), markup=False, soft_wrap=True)
