"""What was published stays published: a lock that was shortened or rewritten by hand is refused by what the store
remembers, not by the file itself.
"""

import shutil
import threading

import pytest

from hub.catalog import check, load, read_files
from hub.catalog.files import lock
from hub.catalog.scaffold.new_workspace import init
from hub.core.errors import BadWorkspace
from hub.flow.configuration.plan import apply, plan, published
from hub.flow.context.revisions import roll_back

CONTRACT = "adapters/shop/contracts/order.placed.v1.json"
OTHER = "adapters/warehouse/contracts/order.create.v1.json"
LOCK = "adapters/shop/contracts/versions.lock"

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose two contracts are locked."""
    folder = tmp_path / "workspace"
    init(folder)
    lock.append(folder, lock.missing(load(folder), read_files(folder)))
    return folder


def edit(folder, file, old, new):
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def refused(store, folder):
    with pytest.raises(BadWorkspace) as raised:
        apply(store, folder)
    return [(finding.code, finding.file) for finding in raised.value.findings]


def test_a_line_that_is_taken_out_with_its_contract_edited_is_refused(workspace, store):
    first = apply(store, workspace)
    (workspace / LOCK).write_text("", "utf-8")
    edit(workspace, CONTRACT, "1000000", "5")
    # Then the files alone have nothing to say (but that it is not locked), and the store has
    assert [finding.code for finding in check(workspace)] == ["W803"]
    assert refused(store, workspace) == [("E406", CONTRACT)]
    made = plan(store, workspace)
    assert [(finding.code, finding.file) for finding in made.errors] == [("E406", CONTRACT)]
    assert made.changes
    assert store.active() == first.revision
    # And it says what to write: with that, the contract's own change is found
    [line] = [finding.fix.removeprefix("write it as it was: ") for finding in made.errors]
    (workspace / LOCK).write_text(f"{line}\n", "utf-8")
    assert refused(store, workspace) == [("E404", CONTRACT)]


def test_a_hash_that_is_rewritten_is_refused(workspace, store):
    apply(store, workspace)
    edit(workspace, CONTRACT, "1000000", "5")
    (workspace / LOCK).unlink()
    lock.append(
        workspace,
        {name: lines for name, lines in lock.missing(load(workspace), read_files(workspace)).items() if name == LOCK},
    )
    assert check(workspace) == []
    [(code, file)] = refused(store, workspace)
    assert (code, file) == ("E406", CONTRACT)


def test_a_lock_that_grows_or_is_written_otherwise_is_fine(workspace, store):
    apply(store, workspace)
    path = workspace / LOCK
    path.write_text(f"# what partners have built against\n\n{path.read_text('utf-8').replace(' ', '   ')}", "utf-8")
    shutil.copy(workspace / CONTRACT, workspace / "adapters/shop/contracts/order.placed.v2.json")
    edit(workspace, "adapters/shop/system.yaml", "{1: {state: current}}", "{1: {state: current}, 2: {state: draft}}")
    assert apply(store, workspace).revision == store.active()
    assert set(published(store)) == {CONTRACT, OTHER}


def test_it_can_be_withdrawn_by_name_once_and_that_is_written_down(workspace, store):
    first = apply(store, workspace, by="li")
    (workspace / LOCK).unlink()
    edit(workspace, CONTRACT, "1000000", "5")
    name = f"E406:{CONTRACT}:1"
    second = apply(store, workspace, by="wang", despite=[name])
    assert [(row.by, row.before, row.despite) for row in store.activations(5)] == [
        ("wang", first.revision, (name,)),
        ("li", None, ()),
    ]
    # From then on nobody is asked again, and what is locked anew counts as what was published
    edit(workspace, "routes.yaml", "timeout: 5s", "timeout: 6s")
    assert apply(store, workspace).revision != second.revision
    lock.append(workspace, lock.missing(load(workspace), read_files(workspace)))
    apply(store, workspace)
    edit(workspace, CONTRACT, '"maximum": 5', '"maximum": 4')
    (workspace / LOCK).unlink()
    assert refused(store, workspace) == [("E406", CONTRACT)]


def test_going_back_unpublishes_nothing(tmp_path, store):
    # Given a configuration without locks, one with them, and the first active again
    folder = tmp_path / "workspace"
    init(folder)
    first = apply(store, folder)
    lock.append(folder, lock.missing(load(folder), read_files(folder)))
    apply(store, folder)
    roll_back(store, first.revision)
    # Then what was published in between is still so
    (folder / LOCK).unlink()
    edit(folder, CONTRACT, "1000000", "5")
    assert refused(store, folder) == [("E406", CONTRACT)]


def test_a_system_that_goes_whole_is_one_finding(workspace, store):
    apply(store, workspace)
    shutil.rmtree(workspace / "adapters/warehouse")
    shutil.rmtree(workspace / "mappings")
    edit(
        workspace,
        "routes.yaml",
        "from: shop/order.placed\n    to: [warehouse/order.create@1]",
        "from: shop/order.placed\n    to: [shop/order.take@1]",
    )
    edit(
        workspace,
        "adapters/shop/system.yaml",
        "auth:",
        "accepts:\n  order.take:\n    versions: {1: {state: current}}\n    call: POST /x\nsettings:\n  url: {help: Root, default: 'http://127.0.0.1:9001'}\nauth:",
    )
    shutil.copy(workspace / CONTRACT, workspace / "adapters/shop/contracts/order.take.v1.json")
    (workspace / "mappings").mkdir()
    (workspace / "mappings/shop.order.placed.v1--shop.order.take.v1.yaml").write_text(
        "from: shop/order.placed@1\nto: shop/order.take@1\nfields: {orderNo: orderNo, items: items}\n", "utf-8"
    )
    gone = "adapters/warehouse/contracts/versions.lock"
    assert refused(store, workspace) == [("E406", gone)]
    apply(store, workspace, despite=[f"E406:{gone}:1"])
    assert set(published(store)) == {CONTRACT}


def test_of_several_that_apply_at_once_each_is_judged_by_what_was_active_before(workspace, store):
    # Given a configuration without a lock that is active, and at once one that locks and several that know of no lock
    first = shutil.copytree(workspace, workspace.parent / "first")
    for path in first.rglob("versions.lock"):
        path.unlink()
    apply(store, first)
    others = [shutil.copytree(first, workspace.parent / f"other-{number}") for number in range(4)]
    for number, folder in enumerate(others):
        edit(folder, "routes.yaml", "timeout: 5s", f"timeout: {number + 6}s")
    said = []

    def work(folder):
        try:
            said.append((folder.name, apply(store, folder).revision))
        except BadWorkspace as error:
            said.append((folder.name, {finding.code for finding in error.findings}))

    threads = [threading.Thread(target=work, args=[folder]) for folder in (*others[:2], workspace, *others[2:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then none that knows no lock became active after the one that has it; and nobody was told that another was quicker
    rows = [row.hash for row in store.activations(10)]
    assert rows[0] == dict(said)["workspace"]
    assert all(
        rows.index(hash_) > 0 if isinstance(hash_, str) else hash_ == {"E406"}
        for name, hash_ in said
        if name != "workspace"
    )
    assert len(said) == 5
