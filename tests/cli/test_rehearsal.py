"""`hub test`: what does not hold is shown place by place, with what was expected and what came; as text, and as one
JSON value.
"""

import json

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init
from tests.support.hubs import HubProcess

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
SAMPLE = "adapters/shop/samples/order.placed.v1/one-line.json"
TESTS = f"""\
    tests:
      - about: it goes to the warehouse
        given: {SAMPLE}
        expect: {{warehouse/order.create@1: {{orderNo: SO-3}}}}
      - {{given: {SAMPLE}, expect: {{warehouse/order.create@1: {{orderNo: SO-1}}}}}}
"""


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def hub(workspace, tmp_path):
    return HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3")


def edit(folder, file, old, new):
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_what_holds_is_counted_and_timed(hub):
    told = hub.json("test")
    assert (told["failed"], told["examples"], told["tests"]) == ([], 1, 0)
    assert told["slowest"]["mapping"] == MAPPING
    assert 0 < told["slowest"]["ms"] <= told["ms"] < 5_000
    code, out, _ = hub.run("test")
    assert code == 0
    assert "1 examples of 1 mappings and 0 tests of 1 routes passed, in " in out
    assert f"Slowest: {MAPPING} (" in out


def test_each_place_is_shown_with_what_was_expected_and_what_came(workspace, hub):
    edit(
        workspace,
        MAPPING,
        "expect: {orderNo: SO-1}",
        "exactly: {orderNo: SO-2, gone: {a: 1}, items: [{sku: SKU-1, quantity: 2}, {sku: X, quantity: 1}]}",
    )
    routes = workspace / "routes.yaml"
    routes.write_text(routes.read_text("utf-8") + TESTS, "utf-8")
    code, out, _ = hub.run("test", "--json")
    told = json.loads(out)
    # Then programs get each place with its values
    assert code == 1
    example, test = told["failed"]
    assert (example["kind"], example["of"], example["line"], test["kind"], test["of"], test["about"]) == (
        "example",
        MAPPING,
        10,
        "test",
        "orders",
        "it goes to the warehouse",
    )
    assert [(one["pointer"], one.get("expected"), one.get("got")) for one in example["wrong"]] == [
        ("/orderNo", "SO-2", "SO-1"),
        ("/gone", {"a": 1}, None),
        ("/items", [{"sku": "SKU-1", "quantity": 2}, {"sku": "X", "quantity": 1}], [{"sku": "SKU-1", "quantity": 2}]),
    ]
    assert [(one["target"], one["pointer"], one["expected"], one["got"]) for one in test["wrong"]] == [
        ("warehouse/order.create@1", "/orderNo", "SO-3", "SO-1")
    ]
    assert (told["examples"], told["tests"], told["findings"]) == (1, 2, [])
    # And people the same, without a sign that a file or a pipe could not take
    code, out, _ = hub.run("test")
    assert code == 1
    for line in (
        f"{MAPPING}:10: example 1",
        '  /orderNo\n      expected "SO-2"\n      got      "SO-1"',
        '  /gone\n      expected {"a":1}\n      got      nothing',
        "  /items (wanted 2 elements, made 1)",
        '  warehouse/order.create@1 /orderNo\n      expected "SO-3"',
        "2 of 3 failed",
    ):
        assert line in out
    assert "\x1b" not in out


def test_in_colours_where_there_is_a_screen(workspace, hub):
    edit(workspace, MAPPING, "expect: {orderNo: SO-1}", "expect: {orderNo: SO-2}")
    hub.environment["FORCE_COLOR"] = "1"
    assert '\x1b[32m      expected "SO-2"\x1b[0m\n\x1b[31m      got      "SO-1"' in hub.run("test", is_cold=True)[1]


def test_what_has_no_values_is_told_in_words(workspace, hub):
    edit(workspace, MAPPING, "one-line.json", "oneline.json")
    [case] = hub.json("test")["failed"]
    assert [(one["code"], one["fix"]) for one in case["wrong"]] == [("E504", f"did you mean {SAMPLE}?")]


def test_what_the_check_finds_beside_them_fails_too_and_hides_no_trial(workspace, hub):
    # A leaf of the wrong type is no matter of a trial; the trials are run all the same
    edit(workspace, MAPPING, "quantity: quantity", "quantity: sku")
    told = hub.json("test")
    assert {one["code"] for one in told["findings"]} == {"E513"}
    assert told["examples"] == 1
    # What cannot be read cannot be tried
    edit(workspace, "routes.yaml", "from: shop", "form: shop")
    told = hub.json("test")
    assert ([one["code"] for one in told["findings"]], told["examples"]) == (["E201"], 0)
    assert hub.run("test")[0] == 1


def test_what_is_marked_as_meant_holds(workspace, hub):
    edit(workspace, MAPPING, "expect: {orderNo: SO-1}", "expect: {orderNo: SO-2}")
    edit(workspace, MAPPING, "one-line.json", "one-line.json   # check: ignore E502 shown as it is")
    assert check(workspace) == []
    assert hub.json("test")["failed"] == []
