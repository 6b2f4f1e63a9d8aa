"""The compiled configurations of one process: bounded, the active one and those under way never let go, and a refused
one told with its reason.
"""

import gc

import pytest
import requests

from hub.catalog import Catalog
from hub.catalog.scaffold.new_workspace import init
from hub.core.errors import StoreBusy
from hub.flow.answers import overview
from hub.flow.configuration.plan import apply
from hub.flow.context.revisions import Revisions
from tests.support.declared import faults
from tests.support.hubs import operator, small_workspace
from tests.support.servers import served, small_hub

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def applied(store, tmp_path):
    """Six configurations, the last one active; by their hashes."""
    init(tmp_path / "workspace")
    routes = tmp_path / "workspace" / "routes.yaml"
    sound = routes.read_text("utf-8")
    hashes = []
    for number in range(6):
        routes.write_text(sound.replace("timeout: 5s", f"timeout: {number + 1}s"), "utf-8")
        hashes.append(apply(store, tmp_path / "workspace").revision)
    return hashes


def counted(store):
    """The hashes that were read from the store, in turn."""
    read, asked = store.revision, []

    def revision(hash_):
        asked.append(hash_)
        return read(hash_)

    store.revision = revision
    return asked


def test_what_nobody_asked_for_the_longest_goes_first(store, applied):
    asked = counted(store)
    running = Revisions(store, kept=2)
    first, second, third, *_, active = applied
    for one in (first, second, first, third):  # the second is the one that was not asked for the longest
        assert running.pinned(one).revision == one
    assert asked == [active, first, second, third]
    running.pinned(first)
    running.pinned(third)
    assert asked == [active, first, second, third]
    running.pinned(second)
    assert asked == [active, first, second, third, second]


def test_what_went_is_not_in_memory_any_more(store, applied):
    running = Revisions(store, kept=2)
    for one in applied[:5]:
        running.pinned(one)
    gc.collect()
    # Of these: what other tests of this process still hold is theirs
    assert {one.revision for one in gc.get_objects() if type(one) is Catalog} & {*applied} == {
        *applied[3:5],
        applied[5],
    }


def test_the_active_one_is_never_let_go(store, applied):
    running = Revisions(store, kept=1)
    active = running.active()
    for one in applied:
        running.pinned(one)
    assert running.active() is running.pinned(applied[-1]) is active
    # And the one before it stays when another is made active: what was accepted under it is still on its way
    asked = counted(store)
    store.activate(applied[0])
    assert running.refresh()
    running.pinned(applied[-1])
    assert asked == applied[:1]


def test_what_is_under_way_is_not_let_go_until_it_ends(store, applied):
    running = Revisions(store, kept=1)
    asked = counted(store)
    with running.under_way(applied[:3]), running.under_way(applied[:1]):
        for one in (*applied[:5], *applied[:3]):
            running.pinned(one)
        assert asked == applied[:5]
    for one in applied[:3]:
        running.pinned(one)
    assert len(asked) > 5


def test_a_busy_store_refuses_nothing(store, applied):
    store.activate(applied[0])
    running = Revisions(store)
    store.activate(applied[1])
    read = store.revision
    store.revision = lambda _: (_ for _ in ()).throw(StoreBusy("away"))
    with pytest.raises(StoreBusy):
        running.refresh()
    store.revision = read
    assert running.refresh()
    assert (running.active().revision, running.refused) == (applied[1], None)


def test_a_process_that_refused_the_newest_stays_ready_and_says_so(tmp_path, store_url):
    with (
        small_hub(small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), store_url) as made,
        served(made, "granian") as hub,
    ):

        def told(path):
            answer = operator.get(hub.url + path, timeout=10).json()
            assert path != "/ops/v1/revision" or not faults(overview.Revision, answer)
            return answer["data"]

        kept = told("/ops/v1/revision")
        assert (kept["revision"], kept["refused"]) == (kept["active"], None)
        assert told("/health/ready") == {"status": "ok"}
        assert "hub_revision_refused 0.0" in operator.get(hub.url + "/metrics", timeout=10).text
        # Given a configuration that an older or newer hub made active, and that this one cannot read
        made.store.save_revision("f" * 64, {"routes.yaml": "version: 9\n"})
        made.store.activate("f" * 64)
        made.catalogs.refresh()
        # Then it serves on by the old one, and says why: in full to operators, in a word to everybody
        found = told("/ops/v1/revision")
        assert (found["revision"], found["active"], found["refused"]["revision"]) == (
            kept["revision"],
            "f" * 64,
            "f" * 64,
        )
        assert "routes.yaml:1" in found["refused"]["reason"]
        ready = requests.get(hub.url + "/health/ready", timeout=10)
        assert (ready.status_code, ready.json()["data"]["configuration"]) == (200, "refused: see /ops/v1/revision")
        assert "routes.yaml" not in ready.text
        assert "hub_revision_refused 1.0" in operator.get(hub.url + "/metrics", timeout=10).text
