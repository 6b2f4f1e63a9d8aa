"""The configuration changes five times a second under load, valid and invalid by turns: no message is lost, and none is
made by half a revision.
"""

import itertools
import json
import os
import threading
import time

import pytest

from hub import catalog
from hub.catalog.files.revision import hash_of, read_files
from hub.cli.engineers.watch import Watch
from hub.core.errors import BadWorkspace, StoreBusy
from hub.flow.configuration.plan import apply
from hub.store import open_store
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until

SECONDS = float(os.environ.get("HUB_TEST_RELOAD_S", "12"))
MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"


def marked(folder, turn):
    """The workspace with `turn` written into two fields, by two different files: the mapping and a code list. Half a
    revision would show.
    """
    mapping = folder / MAPPING
    text = mapping.read_text("utf-8")
    start = text.index("fields:\n") + len("fields:\n")
    end = text.index("  orderNo:", start)
    mapping.write_text(
        f"{text[:start]}  markA: {{const: t{turn}}}\n  markB: {{table: mark, of: \"'now'\"}}\n{text[end:]}", "utf-8"
    )
    table = folder / "mappings" / "tables" / "mark.yaml"
    table.parent.mkdir(exist_ok=True)
    table.write_text(f"now: t{turn}\n", "utf-8")


@pytest.fixture
def workspace(tmp_path, sink):
    folder = small_workspace(tmp_path / "workspace", sink.url)
    contract = folder / "adapters" / "warehouse" / "contracts" / "order.create.v1.json"
    marks = '"properties": {"markA": {"type": "string"}, "markB": {"type": "string"},'
    contract.write_text(contract.read_text("utf-8").replace('"properties": {', marks, 1), "utf-8")
    marked(folder, 0)
    return folder


def order(number):
    return json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()


def test_reload_at_five_hertz_under_load(workspace, sink, store_url):
    hub = HubProcess(workspace, store_url).start()
    caller = hub.caller("shop")
    ending = threading.Event()
    accepted = []

    def post(name):
        for number in itertools.count():
            if ending.is_set():
                return
            answer = caller_of[name].post("/api/v1/shop/order.placed", order(f"{name}-{number}"), f"{name}-{number}")
            assert answer.status_code == 202, answer.text
            accepted.append(answer.json()["data"]["messageId"])

    caller_of = {name: type(caller)(hub.url, caller.key, caller.secret) for name in "abc"}
    threads = [threading.Thread(target=post, args=(name,)) for name in caller_of]
    for thread in threads:
        thread.start()
    # When the files change five times a second, every third time into something that is refused
    store = open_store(store_url)
    revisions, refused, began = {hash_of(read_files(workspace)): 0}, 0, time.monotonic()
    try:
        for turn in itertools.count(1):
            if time.monotonic() - began > SECONDS:
                break
            marked(workspace, turn)
            if turn % 3 == 0:
                broken = workspace / "routes.yaml"
                sound = broken.read_text("utf-8")
                broken.write_text(sound.replace("owner: fulfilment", "ownr: fulfilment"), "utf-8")
                with pytest.raises(BadWorkspace):
                    apply(store, workspace)
                broken.write_text(sound, "utf-8")
                refused += 1
            else:
                revisions[apply(store, workspace).revision] = turn
            time.sleep(max(0.0, began + turn * 0.2 - time.monotonic()))
    finally:
        ending.set()
        for thread in threads:
            thread.join()
        store.close()
    wait_until(
        lambda: hub.ops("/conservation")["deliveries"]["delivered"] >= len(accepted), seconds=60, what="all deliveries"
    )
    books = hub.ops("/conservation")
    sample = {
        message_id: hub.ops(f"/messages/{message_id}")["revision"]
        for message_id in accepted[:: max(1, len(accepted) // 200)]
    }
    hub.stop()
    # Then everything that was accepted arrived, each made by exactly one revision
    assert len(revisions) > SECONDS * 2
    assert refused > SECONDS
    assert len(accepted) == len(set(accepted)) > 50
    assert books["unaccounted"] == 0
    bodies = [json.loads(body) for _, _, body, _ in sink.requests]
    assert len({body["orderNo"] for body in bodies}) == len(accepted)
    assert [body for body in bodies if body["markA"] != body["markB"]] == []
    # And by the one that its message is pinned to
    by_message = {headers["x-crossdock-message"]: json.loads(body)["markA"] for _, _, body, headers in sink.requests}
    assert {message_id: by_message[message_id] for message_id in sample} == {
        message_id: f"t{revisions[revision]}" for message_id, revision in sample.items()
    }
    print(f"\n{len(revisions)} revisions, {refused} refused, {len(accepted)} messages")


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_watch_applies_what_is_saved_whole_and_leaves_the_rest(workspace, store):
    first = apply(store, workspace).revision
    seen = []
    watch = Watch(store, workspace, seen.append)
    try:
        # A half-written file, and an editor's own, harm nothing
        (workspace / "mappings" / ".swap.yaml").write_text("x", "utf-8")
        routes = workspace / "routes.yaml"
        sound = routes.read_text("utf-8")
        routes.write_text(sound[: len(sound) // 2] + "\n  : [", "utf-8")
        time.sleep(1.5)
        assert (seen, store.active()) == ([], first)
        # What is whole again and different is applied
        routes.write_text(sound.replace("timeout: 5s", "timeout: 6s"), "utf-8")
        wait_until(lambda: seen, what="the new configuration")
        assert store.active() == seen[0] != first
    finally:
        watch.stop()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_watch_outlives_a_folder_that_goes_away_under_its_look(workspace, store, monkeypatch):
    apply(store, workspace)
    seen = []
    watch = Watch(store, workspace, seen.append)
    looks = iter([FileNotFoundError("gone"), FileNotFoundError("gone")])
    look = watch._look

    def gone_for_a_moment():
        problem = next(looks, None)
        if problem is not None:
            raise problem
        return look()

    monkeypatch.setattr(watch, "_look", gone_for_a_moment)
    try:
        routes = workspace / "routes.yaml"
        routes.write_text(routes.read_text("utf-8").replace("timeout: 5s", "timeout: 6s"), "utf-8")
        wait_until(lambda: seen, what="the new configuration")
    finally:
        watch.stop()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_watch_applies_exactly_what_it_judged_and_then_what_came_meanwhile(workspace, store):
    # Given an editor that saves again, faulty, at the moment in which the first save is applied
    apply(store, workspace)
    routes = workspace / "routes.yaml"
    sound = routes.read_text("utf-8")
    saved = sound.replace("timeout: 5s", "timeout: 6s")
    keep, seen = store.save_revision, []

    def keep_late(hash_, files):
        routes.write_text(sound.replace("timeout: 5s", "timeout: 7s"), "utf-8")
        store.save_revision = keep
        keep(hash_, files)

    look_once = threading.Event()
    judged = {}

    class Slow(Watch):
        def _apply(self, now):
            if not look_once.is_set():
                look_once.set()
                judged.update(now.files)
                routes.write_text("half a fi", "utf-8")
            return super()._apply(now)

    watch = Slow(store, workspace, seen.append)
    try:
        routes.write_text(saved, "utf-8")
        # Then the first save is active as it was looked at, whatever stands in the file by now
        wait_until(lambda: seen, what="the first configuration")
        assert (seen, judged["routes.yaml"]) == ([hash_of(judged)], saved)
        # And the save that came meanwhile is applied when it is whole
        store.save_revision = keep_late
        routes.write_text(sound.replace("timeout: 5s", "timeout: 8s"), "utf-8")
        wait_until(lambda: len(seen) == 3, what="the third configuration")
        assert "timeout: 7s" in store.revision(store.active())["routes.yaml"]
    finally:
        watch.stop()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_watch_tries_again_when_the_store_was_busy(workspace, store, capsys):
    known = catalog.read(workspace)
    apply(store, known)
    activate, tries = store.activate, []

    def busy_twice(*given, **named):
        tries.append(1)
        if len(tries) < 3:
            raise StoreBusy("The store is busy.")
        activate(*given, **named)

    store.activate = busy_twice
    seen = []
    # Given a save before the watch began, which it knows of all the same
    routes = workspace / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("timeout: 5s", "timeout: 6s"), "utf-8")
    watch = Watch(store, workspace, seen.append, known=known)
    try:
        wait_until(lambda: seen, what="the new configuration")
    finally:
        watch.stop()
    assert (len(tries), store.active()) == (3, seen[0])
    assert capsys.readouterr().out.count("tried again") <= 1
