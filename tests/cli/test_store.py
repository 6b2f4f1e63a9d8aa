"""What is kept, as operators meet it: commands, settings, a hub that prunes by itself, and copies that start."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead
from hub.store import Archive, open_store
from tests.conftest import MARIADB, POSTGRES, missing
from tests.support.aged import NOW, add_old
from tests.support.hubs import ORDER, HubProcess, small_workspace
from tests.support.waiting import wait_until

PATH = "/api/v1/shop/order.placed"
WEEK_AGO = (NOW - timedelta(days=8)).date().isoformat()
WHY = Cause(Reason.REFUSED, "no")
PATIENT = "{attempts: 500, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1d}"


def with_old(store_url):
    """A store with three messages of ten days ago that were delivered, and one that is dead."""
    store = open_store(store_url, writer=True)
    store.migrate()
    add_old(store, store_url, 10, many=3)
    add_old(store, store_url, 10, outcome=Dead(WHY))
    store.close()


def test_prune_archive_and_restore_by_hand(store_url, sink, tmp_path):
    with_old(store_url)
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url)
    dry = hub.json("store", "prune", "--before", WEEK_AGO, "--dry-run")
    assert (dry["messages"], dry["deliveries"], dry["stay"]) == (3, 3, 1)
    folder = tmp_path / "archive"
    [file] = hub.json("store", "archive", "--before", WEEK_AGO, "--to", str(folder))["files"]
    assert file["messages"] == 3
    assert hub.json("store", "prune", "--before", WEEK_AGO)["messages"] == 3
    code, out, _ = hub.run("store", "prune", "--before", WEEK_AGO)
    assert (code, out.strip()) == (0, "0 messages with 0 deliveries removed. 1 messages of the same age stay.")
    assert hub.json("store", "restore", file["file"]) == {Path(file["file"]).name: {"messages": 3, "deliveries": 3}}
    assert len(hub.json("trace", "SO-1")["messages"]) == 4
    # A person may look at it: it is not pruned again at once
    assert hub.json("store", "prune", "--before", WEEK_AGO)["messages"] == 0


def test_who_prunes_by_hand_does_not_prune_what_is_still_remembered(store_url, sink, tmp_path):
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url)
    code, _, err = hub.run("store", "prune", "--before", (NOW - timedelta(days=2)).date().isoformat())
    assert code == 2
    assert "HUB_KEEP_KEYS" in err


def test_while_another_prunes_the_command_says_who(store, store_url, sink, tmp_path):
    assert store.lead("keep", "worker-7", term_s=60)
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url)
    code, _, err = hub.run("store", "prune", "--before", WEEK_AGO)
    assert code == 3
    assert "worker-7" in err


def test_a_running_hub_archives_and_prunes_by_itself(store_url, sink, tmp_path):
    with_old(store_url)
    folder = tmp_path / "archive"
    hub = HubProcess(
        small_workspace(tmp_path / "workspace", sink.url), store_url, hub_keep_messages=7, hub_archive=folder
    ).start()
    try:
        wait_until(lambda: hub.ops("/conservation")["messages"] == 1, seconds=30, what="the first round")
        books = hub.ops("/conservation")
        assert (books["everAccepted"], books["unaccounted"], books["deliveries"]["dead"]) == (4, 0, 1)
        [file] = Archive(folder).files()
        assert file.messages == 3
    finally:
        hub.stop()


@pytest.mark.parametrize(
    ("given", "retry", "said"),
    [
        ({"hub_keep_messages": 3}, PATIENT, "HUB_KEEP_KEYS=7"),
        ({"hub_keep_messages": 10}, PATIENT.replace("1d", "30d"), "give_up_after of the active routes, 30 days"),
    ],
    ids=["keys", "routes"],
)
def test_keeping_for_less_long_than_it_is_needed_is_refused(sink, tmp_path, given, retry, said):
    hub = HubProcess(
        small_workspace(tmp_path / "workspace", sink.url, retry=retry), f"sqlite:///{tmp_path}/hub.sqlite3", **given
    )
    code, _, err = hub.run("up")
    assert code == 2
    assert said in " ".join(err.split())


def test_parts_are_listed_and_what_is_astray_is_an_exit_code(store_url, sink, tmp_path):
    hub = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url)
    if not store_url.startswith("postgresql"):
        assert "no partitions" in hub.run("store", "partitions")[1]
        return
    assert len(hub.json("store", "partitions", "--ahead", "5")) == 3 * 7
    with_old(store_url)
    code, out, _ = hub.run("store", "partitions", "--json")
    assert code == 1
    assert {row["table"]: row["rows"] for row in json.loads(out) if row["day"] is None} == {
        "message": 4,
        "body": 4,
        "attempt": 4,
    }


def _client(url):
    """A store's address as the database's own tools take it."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return url.replace("+psycopg", "")
    return f"--host={parsed.host} --port={parsed.port} --user={parsed.username} {parsed.database}"


@pytest.fixture
def copied(store_url, tmp_path):
    """How a store is copied and where the copy is, as docs/keeping.md says."""
    if store_url.startswith("sqlite"):
        file = tmp_path / "copy.sqlite3"
        yield (lambda hub: hub.json("store", "backup", str(file))), f"sqlite:///{file}"
        return
    tool, address, word, force = (
        ("pg_dump", POSTGRES, "test", " WITH (FORCE)")
        if store_url.startswith("postgresql")
        else ("mariadb-dump", MARIADB, "mariadb", "")
    )
    if shutil.which(tool) is None:
        missing(tool, "it is not on the path")
    server = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    name = sa.make_url(store_url).database + "_copy"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = sa.make_url(store_url).set(database=name).render_as_string(hide_password=False)
    page = (Path(__file__).parents[2] / "docs/keeping.md").read_text("utf-8")
    script = page.split(f"<!-- {word}: start -->")[1].split("```sh\n")[1].split("```")[0]
    plain = {"DATABASE": _client(store_url), "RESTORED": _client(url), "MYSQL_PWD": sa.make_url(address).password or ""}

    def copy(_):
        subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env={**os.environ, **plain},
            check=True,
            capture_output=True,
            text=True,
            timeout=90,
        )

    yield copy, url
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name}{force}"))
    server.dispose()


def test_a_restored_store_starts_delivers_what_was_pending_and_refuses_nothing(store_url, copied, sink, tmp_path):
    copy, url = copied
    # Given a hub that runs, with one order delivered and three that its target does not take
    workspace = small_workspace(tmp_path / "workspace", sink.url, retry=PATIENT)
    hub = HubProcess(workspace, store_url).start()
    caller = hub.caller("shop")
    first = caller.post(PATH, ORDER, "m0").json()["data"]["messageId"]
    hub.delivered(first)
    sink.script = lambda number, key: (503, {}, b"{}")
    waiting = [caller.post(PATH, ORDER, f"m{number}").json()["data"]["messageId"] for number in (1, 2, 3)]
    # When it is copied while it runs, and then lost
    copy(hub)
    hub.kill()
    sink.script = lambda number, key: (200, {}, b"{}")
    other = HubProcess(workspace, url).start()
    try:
        # Then a hub on the copy delivers what was pending, and knows what was posted before
        assert [line["status"] for id_ in waiting for line in other.delivered(id_, seconds=90)] == ["delivered"] * 3
        caller.base = other.url
        again = caller.post(PATH, ORDER, "m2").json()["data"]
        assert (again["messageId"], again["duplicate"]) == (waiting[1], True)
        assert caller.post(PATH, ORDER, "m4").status_code == 202
        assert requests.get(f"{other.url}/health/ready", timeout=10).status_code == 200
        assert other.ops("/conservation")["unaccounted"] == 0
    finally:
        other.stop()


def test_a_copy_is_whole_and_never_written_over(tmp_path):
    url = f"sqlite:///{tmp_path}/hub.sqlite3"
    with_old(url)
    store = open_store(url)
    assert store.backup(tmp_path / "copy") == (tmp_path / "copy").stat().st_size
    with pytest.raises(ValueError, match="exists already"):
        store.backup(tmp_path / "copy")
    store.close()
    copy = sqlite3.connect(tmp_path / "copy")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("SELECT count(*) FROM message").fetchone() == (4,)
    copy.close()


@pytest.mark.parametrize(
    ("store_url", "tool"), [("postgresql", "pg_dump"), ("mariadb", "mariadb-dump")], indirect=["store_url"]
)
def test_a_store_on_a_server_is_copied_by_the_servers_tool(store, tool):
    with pytest.raises(ValueError, match=tool):
        store.backup(Path("x"))


def test_the_page_tells_every_command():
    page = (Path(__file__).parents[2] / "docs/keeping.md").read_text("utf-8")
    from hub.cli.administrators.store import store

    assert [name for name in store.commands if not re.search(rf"hub store {name}\b", page)] == []
