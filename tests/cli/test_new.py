"""What `hub new` begins can be checked at once, says what is left to do, and never overwrites."""

import shutil

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init
from tests.support.hubs import ROOT, HubProcess


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def hub(workspace, tmp_path):
    return HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_system_passes_the_check_and_has_all_that_a_system_has(workspace, hub):
    before = files(workspace)
    made = hub.json(
        "new",
        "system",
        "north-depot",
        "--emits",
        "order.packed",
        "--emits",
        "stock-count.taken",
        "--accepts",
        "order.pack",
        "--owner",
        "depot-team",
    )
    # Then nothing else was touched, and there is nothing to find in it
    after = files(workspace)
    assert {name: text for name, text in after.items() if name in before} == before
    assert check(workspace) == []
    assert sorted(name.removeprefix("adapters/north-depot/") for name in after.keys() - before.keys()) == [
        "README.md",
        "contracts/order.pack.v1.json",
        "contracts/order.packed.v1.json",
        "contracts/stock-count.taken.v1.json",
        "samples/order.pack.v1/minimal.json",
        "samples/order.pack.v1/without-number.bad.json",
        "samples/order.packed.v1/minimal.json",
        "samples/order.packed.v1/without-number.bad.json",
        "samples/stock-count.taken.v1/minimal.json",
        "samples/stock-count.taken.v1/without-number.bad.json",
        "system.yaml",
    ]
    assert len(made["files"]) == 11
    text = after["adapters/north-depot/system.yaml"].decode()
    assert text.startswith(
        "# yaml-language-server: $schema=../../.crossdock/schemas/system.schema.json\nname: north-depot\n"
    )
    # And it is never written over
    assert hub.run("new", "system", "north-depot", "--emits", "order.packed")[0] == 2
    assert files(workspace) == after


def test_names_that_are_words_of_yaml_are_names_all_the_same(workspace, hub):
    for name in ("null", "on"):
        assert hub.run("new", "system", name, "--emits", "true", "--accepts", "no", "--owner", "null")[0] == 0
    assert check(workspace) == []


@pytest.mark.parametrize("words", [[], ["--emits", "order.packed"], ["--accepts", "order.pack"]])
def test_a_system_without_an_owner_is_only_reminded(workspace, hub, words):
    code, out, _ = hub.run("new", "system", "depot", *words)
    assert (code, "the owner" in out) == (0, True)
    assert [finding.code for finding in check(workspace)] == ["W801"]


def test_a_new_route_leads_to_the_mapping_that_is_missing(workspace, hub):
    assert hub.run("new", "system", "depot", "--accepts", "order.pack", "--owner", "depot-team")[0] == 0
    routes = workspace / "routes.yaml"
    before = routes.read_text("utf-8")
    code, out, _ = hub.run("new", "route", "packed", "--from", "shop/order.placed", "--to", "depot/order.pack")
    # Then the file is what it was, and the route; and the command that was named drafts what is missing
    assert code == 0
    assert routes.read_text("utf-8").startswith(before)
    assert "owner: shop-team" in routes.read_text("utf-8").removeprefix(before)
    assert [finding.code for finding in check(workspace)] == ["E601"]
    line = next(line for line in out.splitlines() if "hub new mapping" in line)
    words = line.partition("hub new mapping ")[2].split()
    assert words == ["shop/order.placed@1", "depot/order.pack@1"]
    assert hub.run("new", "mapping", *words)[0] == 0
    assert {finding.code for finding in check(workspace)} == {"E511"}
    # What has its mapping already lacks nothing
    again = hub.json(
        "new",
        "route",
        "again",
        "--from",
        "shop/order.placed",
        "--to",
        "warehouse/order.create@1",
        "--about",
        "Once more.",
    )
    assert (again["route"], again["missing"]) == ("again", [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["system", "Depot"], "is not a system name"),
        (["system", "depot", "--emits", "depot/order.packed@1"], "is not a message name"),
        (["system", "depot", "--emits", "order.packed", "--accepts", "order.packed"], "given twice"),
        (["system", "shop"], "Nothing was overwritten"),
        (
            ["route", "orders", "--from", "shop/order.placed", "--to", "warehouse/order.create@1"],
            "There is a route orders already",
        ),
        (["route", "x", "--from", "shp/order.placed", "--to", "warehouse/order.create@1"], "did you mean shop?"),
        (
            ["route", "x", "--from", "shop/order.place", "--to", "warehouse/order.create@1"],
            "did you mean order.placed?",
        ),
        (
            ["route", "x", "--from", "shop/order.placed", "--to", "warehouse/order.creat@1"],
            "did you mean order.create?",
        ),
        (
            ["route", "x", "--from", "shop/order.placed", "--to", "warehouse/order.create@2"],
            "live: warehouse/order.create@1",
        ),
        (["route", "x", "--from", "shop/order.placed@1", "--to", "warehouse/order.create@1"], "all live versions"),
        (
            ["route", "x", "--from", "warehouse/order.create", "--to", "warehouse/order.create@1"],
            "warehouse emits no order.create",
        ),
        (["mapping", "shop/order.placed@1", "warehouse/order.creat@1"], "did you mean warehouse/order.create@1?"),
    ],
)
def test_a_slip_is_told_and_changes_nothing(workspace, hub, words, said):
    before = files(workspace)
    code, out, err = hub.run("new", *words)
    assert (code, said in (out + err).replace("\n", " ")) == (2, True), err
    assert files(workspace) == before


def test_a_folder_that_is_no_workspace_is_not_made_into_half_a_one(tmp_path):
    hub = HubProcess(tmp_path, f"sqlite:///{tmp_path}/hub.sqlite3")
    code, _, err = hub.run("new", "system", "depot")
    assert (code, "hub init" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_the_pages_commands_work_on_the_reference_workspace(tmp_path):
    # Given a copy of it, and the commands as the page has them
    folder = tmp_path / "workspace"
    for name in ("adapters", "mappings"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "routes.yaml", folder / "routes.yaml")
    before = files(folder)
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3")
    commands = [
        line.split()[1:]
        for line in (ROOT / "docs/changes.md").read_text("utf-8").splitlines()
        if line.startswith("    hub new ")
    ]
    assert [words[1] for words in commands] == ["system", "route", "mapping"]
    for words in commands:
        code, _, err = hub.run(*words)
        assert code == 0, err
    # Then what is left to do is what nobody can guess: fields of the new contract that no order has
    assert {finding.code for finding in check(folder)} <= {"E511", "W801"}
    after = files(folder)
    assert after["routes.yaml"].startswith(before["routes.yaml"])
    assert {name: text for name, text in after.items() if name in before and name != "routes.yaml"} == {
        name: text for name, text in before.items() if name != "routes.yaml"
    }
