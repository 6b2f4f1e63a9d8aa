"""Two hubs on one port, or on one SQLite store: one is refused, in one line, with exit code 3, and changes nothing."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hub.main import port as ports
from hub.main.port import PortTaken, check, reserved
from tests.support.hubs import HubProcess, free_port, small_workspace


@pytest.fixture
def pair(tmp_path):
    """A hub that runs, and another on a store of its own, made for the same port."""
    first, second = (
        HubProcess(
            small_workspace(tmp_path / name / "workspace", "http://127.0.0.1:9009"),
            f"sqlite:///{tmp_path}/{name}/hub.sqlite3",
        )
        for name in ("a", "b")
    )
    first.start()
    second.environment["HUB_PORT"] = str(first.port)
    yield first, second
    first.stop()


@pytest.mark.parametrize("role", ["up", "web"])
def test_a_second_hub_on_a_port_is_refused(pair, role):
    first, second = pair
    second.run("apply")
    code, out, err = second.run(role)
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert f"127.0.0.1:{first.port}: the hub cannot listen" in err
    assert "HUB_PORT" in err


def test_a_second_hub_on_a_store_is_refused_and_changes_nothing(pair):
    first, second = pair
    second.environment |= {"HUB_STORE": first.environment["HUB_STORE"], "HUB_PORT": str(free_port())}
    before = first.json("revisions")
    routes = Path(second.environment["HUB_WORKSPACE"]) / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("timeout: 5s", "timeout: 6s"), "utf-8")
    code, out, err = second.run("up")
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert "already has a writing process" in err
    assert first.json("revisions") == before


def test_a_port_for_metrics_that_is_taken_is_refused(tmp_path):
    hub = HubProcess(
        small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{tmp_path}/hub.sqlite3"
    )
    with socket.create_server(("127.0.0.1", 0)) as other:
        hub.environment["HUB_METRICS_PORT"] = str(other.getsockname()[1])
        code, _, err = hub.run("up")
    assert (code, len(err.splitlines())) == (3, 1)
    assert "HUB_METRICS_PORT" in err


def test_of_many_that_start_at_once_one_has_the_port():
    port, entered, refused = free_port(), [], []
    gate, leave = threading.Barrier(8), threading.Event()

    def start():
        gate.wait()
        try:
            with reserved("127.0.0.1", port):
                entered.append(1)
                leave.wait(10)
        except PortTaken as error:
            refused.append(str(error))
            if len(refused) == 7:
                leave.set()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(entered), len(refused)) == (1, 7)
    with reserved("127.0.0.1", port):  # and it is free again
        pass


@pytest.mark.parametrize(
    ("taken", "asked"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1")]
)
def test_whatever_shares_its_port_counts_as_taken(taken, asked):
    with socket.socket(socket.AF_INET6 if ":" in taken else socket.AF_INET) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as the server does
        other.bind((taken, 0))
        other.listen()
        with pytest.raises(PortTaken, match=r"^\[::1\]:" if asked == "::1" else r"^[0-9.]+:"):
            check(asked, other.getsockname()[1])


def test_an_address_that_is_not_this_machines():
    with pytest.raises(PortTaken, match=r"203\.0\.113\.9:8080: the hub cannot listen"):
        check("203.0.113.9", 8080)


def test_a_port_that_was_just_left_is_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    check("127.0.0.1", port)


def test_processes_on_ports_of_their_own_run_side_by_side(pair):
    _, second = pair
    second.environment["HUB_PORT"] = str(free_port())
    second.start()
    second.stop()
    assert ports.check("127.0.0.1", int(second.environment["HUB_PORT"])) is None


def test_nothing_secret_is_committed(tmp_path):
    # Given a workspace in a repository, whose hub has made its store and key in it
    def run(*words):
        return subprocess.run(words, cwd=tmp_path / "ws", check=True, capture_output=True, text=True).stdout

    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / ".gitignore").write_text("*.bak")
    hub = [sys.executable, "-m", "hub"]
    run("git", "init", "--quiet")
    run(*hub, "init", ".")
    run(*hub, "key", "create", "a", "--system", "shop")
    (tmp_path / "ws" / ".env").write_text("HUB_OPS_TOKEN=x")
    (tmp_path / "ws" / "tls.key").write_text("x")
    run(*hub, "new", "system", "erp")
    # Then whatever is added is source
    run("git", "add", "-A")
    added = run("git", "ls-files").splitlines()
    assert "routes.yaml" in added
    assert ".gitignore" in added
    assert not [
        name
        for name in added
        if "var/" in name or "key" in name.rpartition(".")[2] or ".env" in name or "sqlite" in name
    ], added
    assert (tmp_path / "ws" / ".gitignore").read_text().startswith("*.bak\n/var/\n")
    assert (tmp_path / "ws" / "var" / "master.key").exists()
    # And a store in a workspace of before is passed by as well
    run("git", "rm", "--quiet", "-f", ".gitignore")
    run("git", "add", "-A")
    assert not [name for name in run("git", "ls-files").splitlines() if "var/" in name]
