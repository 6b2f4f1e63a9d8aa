"""From nothing to the first message and the console, by what is printed, copied as it stands into a shell."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import requests

from tests.support.hubs import ROOT, HubProcess, free_port, small_workspace
from tests.support.waiting import wait_until


def shell(tmp_path):
    """An environment as a stranger has it: `hub` in the path, no setting but a free port, no terminal."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "hub").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.argv[0] = \'{folder}/hub\'; from hub.cli import main; main()" "$@"\n'
    )
    (folder / "hub").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return {**kept, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HUB_PORT": str(free_port())}


def commands(text):
    return [line.strip() for line in text.splitlines() if line.startswith("  ")]


def run(script, cwd, environment):
    done = subprocess.run(
        ["bash", "-euc", script], cwd=cwd, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_workspace_a_message_and_the_console_by_copy_and_paste(tmp_path):
    environment = shell(tmp_path)
    # When somebody makes a workspace, then types what it prints: two terminals, the second for what comes after the hub
    # that runs on
    said = commands(run("hub init my-hub", tmp_path, environment))
    split = next(number for number, line in enumerate(said) if line.endswith("up --demo")) + 1
    here, there = said[:split], said[split:]
    out = (tmp_path / "out").open("w+")
    demo = subprocess.Popen(
        ["bash", "-euc", "\n".join(here[:-1]) + f"\nexec {here[-1]}"],
        cwd=tmp_path,
        env=environment,
        stdout=out,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: "Ctrl-C" in Path(out.name).read_text(), seconds=60, what="a demo that says where it is")
        printed = Path(out.name).read_text()
        sent = run("\n".join(there[:-1]), tmp_path, environment)
        assert re.match(r"[0-9a-f-]{36}", sent)
        wait_until(
            lambda: "delivered" in run(f"{there[0]}\n{there[-1]}", tmp_path, environment),
            seconds=30,
            what="the first message, delivered",
        )
        # Then the console opens with the sign-in that was printed, and shows the message
        address, user, password = re.search(r"Console: (\S+)   user (\S+), password (\S+)", printed).groups()
        browser = requests.Session()
        page = browser.get(address, timeout=10).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        form = {"name": user, "password": password, **({"csrf": csrf[1]} if csrf else {})}
        inside = browser.post(
            address + "/sign-in", data=form, headers={"origin": address.removesuffix("/console")}, timeout=10
        )
        assert inside.status_code == 200
        assert "warehouse" in browser.get(address, timeout=10).text
        # And what the demo itself says to try works as it stands
        for line in [line for line in commands(printed) if " and look at:" not in line and not line.endswith(" now")]:
            run(line, tmp_path / "my-hub", environment)
    finally:
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0
        out.close()


def test_what_hub_up_says_of_a_fresh_workspace_helps(tmp_path):
    environment = shell(tmp_path)
    run("hub init my-hub", tmp_path, environment)
    with (tmp_path / "out").open("w+") as out:
        hub = subprocess.Popen(
            ["hub", "up"], cwd=tmp_path / "my-hub", env=environment, stdout=out, stderr=subprocess.STDOUT, text=True
        )
        wait_until(lambda: "is ready" in Path(out.name).read_text(), seconds=60, what="a hub that is ready")
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(30) == 0
    printed = (tmp_path / "out").read_text()
    assert f"Console: http://127.0.0.1:{environment['HUB_PORT']}/console" in printed
    assert "hub user add NAME" in printed
    assert "warehouse: calls to http://127.0.0.1:9001 will be blocked" in printed
    assert "HUB_ALLOW_CIDRS" in printed


def test_commands_that_only_look_or_lay_down_want_no_secrets(tmp_path):
    # Given a workspace whose systems are called with secrets that only the hub's own process has
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    system = workspace / "adapters" / "warehouse" / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace(
            "outbound: {scheme: none}", 'outbound: {scheme: api-key, key: "env:WAREHOUSE_KEY"}'
        ),
        "utf-8",
    )
    hub = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", warehouse_key="k-123456").start()
    try:
        del hub.environment["WAREHOUSE_KEY"]
        sample = str(workspace / "adapters/shop/samples/order.placed.v1/one-line.json")
        for words, codes in [
            (("send", "shop/order.placed@1", sample), {0}), (("now",), {0, 1}), (("object", "SO-1"), {0}), (("trace", "SO-1"), {0}), (("find", "SO-1"), {0}),
            (("target", "waiting", "warehouse"), {0}), (("route", "waiting", "orders"), {0}), (("explain", "shop/order.placed@1", sample), {0}), (("plan",), {0, 1}),
            (("system", "show", "warehouse"), {0}), (("route", "show", "orders"), {0}), (("dead", "list"), {0}),
        ]:  # fmt: skip
            code, out, err = hub.run(*words)
            assert code in codes, (words, out, err)
            assert "Secrets are missing" not in err
    finally:
        hub.stop()


def test_the_demo_of_a_folder_named_elsewhere_prints_what_works(tmp_path):
    assert shutil.which("bash")
    environment = shell(tmp_path) | {"HUB_PORT": str(free_port())}
    run("hub init my-hub", tmp_path, environment)
    with (tmp_path / "out").open("w+") as out:
        words = ["hub", "--workspace", "my-hub", "--store", f"sqlite:///{tmp_path}/other/hub.sqlite3", "up", "--demo"]
        demo = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until(lambda: "Ctrl-C" in Path(out.name).read_text(), seconds=60, what="a demo that says where it is")
            said = [line for line in commands(Path(out.name).read_text()) if " send " in line or " trace " in line]
            assert len(said) == 2
            assert f"--store sqlite:///{tmp_path}/other/hub.sqlite3" in said[1]
            run("\n".join(said), tmp_path, environment)
        finally:
            demo.send_signal(signal.SIGTERM)
            assert demo.wait(30) == 0
