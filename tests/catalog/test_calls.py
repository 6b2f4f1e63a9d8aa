"""What `hub check` says of the holes of an address: each is typed against the contract of what is sent, at its line."""

import json

import pytest

from hub.catalog import check
from tests.support.hubs import small_workspace

CONTRACT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["orderNo", "items", "depot", "rank", "urgent", "lines"],
    "properties": {
        "orderNo": {"type": "string", "minLength": 1, "maxLength": 64},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}},
        },
        "depot": {
            "type": "object",
            "additionalProperties": False,
            "required": ["code"],
            "properties": {"code": {"type": "string"}, "zone": {"type": "string"}},
        },
        "rank": {"type": ["integer", "null"]},
        "urgent": {"type": "boolean"},
        "lines": {"type": "integer"},
        "remark": {"type": "string"},
    },
}


def workspace(tmp_path, call, more="", closed=True):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9001")
    adapter = folder / "adapters" / "warehouse"
    system = adapter / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace("    call: POST /orders\n", f"    call: {call}\n{more}"), "utf-8"
    )
    contract = CONTRACT if closed else {**CONTRACT, "additionalProperties": True}
    (adapter / "contracts" / "order.create.v1.json").write_text(json.dumps(contract))
    return folder


def findings(folder):
    """Only those of the addresses: the mapping does not make all that this contract wants."""
    text = (folder / "adapters" / "warehouse" / "system.yaml").read_text("utf-8")
    at = text[: text.index("    call:")].count("\n") + 1
    return [
        (one.line - at, one.code, one.text, one.fix)
        for one in check(folder)
        if one.file.endswith("warehouse/system.yaml") and one.level == "error"
    ]


@pytest.mark.parametrize(
    ("call", "code", "told"),
    [
        ("PUT /orders/{orderNr}", "E510", "no orderNr"),
        ("PUT /orders/{depot.cod}", "E510", "no cod"),
        ("PUT /orders/{remark}", "E516", "can be missing"),
        ("PUT /orders/{depot.zone}", "E516", "can be missing"),
        ("PUT /orders/{items}", "E517", "a list"),
        ("PUT /orders/{items.sku}", "E517", "a list"),
        ("PUT /orders/{depot}", "E513", "an object"),
        ("PUT /orders/{rank}", "E515", "null"),
        ("PUT /orders/{$uppercase(lines)}", "E523", "uppercase"),
        ('"GET /orders?a={orderNo}&b={remark}"', "E516", "{remark}"),
        ("PUT /orders/{orderNo", "E206", "brace"),
        ("PUT /orders/{}", "E206", "nothing in it"),
        ("PUT /orders/{orderNo +}", "E207", "does not compile"),
        ("PUT /orders/../{orderNo}", "E207", "dot segments"),
        ("PUT /orders/{$now()}", "E207", "each try"),
        ("FETCH /orders/{orderNo}", "E206", "a method and a path"),
    ],
)
def test_a_hole_that_cannot_always_be_filled_is_found_at_its_line(tmp_path, call, code, told):
    found = findings(workspace(tmp_path, call))
    assert [(line, one) for line, one, *_ in found] == [(0, code)], found
    assert told in f"{found[0][2]} {found[0][3]}"


@pytest.mark.parametrize(
    "call",
    [
        "PUT /orders/{orderNo}",
        "PUT /orders/{orderNo}/lines/{lines}",
        "DELETE /depots/{depot.code}/orders/{orderNo}",
        "PUT /orders/{items[0].sku}",
        "PUT /orders/{$lowercase(orderNo)}/{urgent}",
        "\"PUT /orders/{depot.code & '-' & orderNo}\"",
        "\"GET /orders?key={key}&skus={$join(items.sku, '.')}&n={$count(items)}\"",
        '"PUT /orders/{remark ? remark : orderNo}"',
    ],
)
def test_a_hole_that_can_is_let_through(tmp_path, call):
    assert findings(workspace(tmp_path, call)) == []


def test_an_open_contract_promises_only_what_it_declares(tmp_path):
    [(_, code, told, fix)] = findings(workspace(tmp_path, "PUT /orders/{orderNr}", closed=False))
    assert (code, fix) == ("E510", "did you mean orderNo?")
    assert "orderNr" in told


def test_the_holes_of_a_probe_are_typed_too(tmp_path):
    probe = '    probe: {call: "GET /orders/{orderNr}?key={key}", applied: status = 200}\n'
    [(line, code, told, _)] = findings(workspace(tmp_path, "POST /orders", probe))
    assert (line, code) == (1, "E510")
    assert "orderNr" in told


def test_a_batch_does_not_share_an_address_with_holes(tmp_path):
    folder = workspace(tmp_path, "PUT /orders/{orderNo}")
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    target = "warehouse/order.create@1"
    assert target in text
    routes.write_text(
        text.replace(target, f"{target}: {{batch: {{size: 10, within: 1s}}}}")
        .replace("to: [warehouse", "to:\n      - warehouse")
        .replace("}}]", "}}")
    )
    [found] = [one for one in check(folder) if one.code == "E208"]
    assert "holes in its address" in found.text
    assert (found.file, found.line) == ("routes.yaml", routes.read_text("utf-8").partition("batch:")[0].count("\n") + 1)


def test_a_route_s_test_finds_what_would_have_no_address(tmp_path):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9001")
    system = folder / "adapters" / "warehouse" / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace(
            "    call: POST /orders\n", "    call: PUT /orders/{$substring(orderNo, 3)}\n"
        ),
        "utf-8",
    )
    routes = folder / "routes.yaml"
    order = "{orderNo: SO-, items: [{sku: A, quantity: 1}]}"
    test = f"    tests:\n      - {{about: x, given: {order}, expect: {{warehouse/order.create@1: {{orderNo: SO-}}}}}}\n"
    routes.write_text(routes.read_text("utf-8") + test, "utf-8")
    [found] = [one for one in check(folder) if one.level == "error"]
    assert (found.code, "is empty" in found.text) == ("E505", True)
