"""A drafted mapping is one that the check can read, and what it leaves open is what the check finds in it."""

import json
from dataclasses import replace
from operator import attrgetter

import pytest

from hub.catalog import check, load
from hub.catalog.checks.typing import types
from hub.catalog.files.mappings import file_name, read
from hub.catalog.scaffold.drafting import draft
from hub.catalog.scaffold.new_workspace import init
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import read_yaml
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract
from tests.support.hubs import ROOT

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def thing(required=(), **properties):
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def of(source, target):
    return draft(
        compile_contract(Ref("shop", "order.placed", 1), source),
        compile_contract(Ref("warehouse", "order.create", 1), target),
    )


def judged(folder, source, target):
    """The draft, and the codes that the check finds in it, by the field that they are about."""
    init(folder)
    (folder / "adapters/shop/contracts/order.placed.v1.json").write_text(json.dumps(source), "utf-8")
    (folder / "adapters/warehouse/contracts/order.create.v1.json").write_text(json.dumps(target), "utf-8")
    drafted = of(source, target)
    (folder / MAPPING).write_text(drafted.text, "utf-8")
    found = [finding for finding in check(folder) if finding.file == MAPPING]
    return drafted, {(finding.text.partition(":")[0], finding.code) for finding in found}


CASES = [
    # what it shows; the source; the target; what is open; what the check says of the draft
    ("an optional field for a required one", thing(no=TEXT), thing(["no"], no=TEXT), {"/no": "may be missing"}, {("/no", "E516")}),
    ("an optional field for an optional one", thing(no=TEXT), thing(no=TEXT), {}, set()),
    ("a field of an optional object", thing(receiver=thing(["phone"], phone=TEXT)), thing(["consignee"], consignee=thing(["phone"], phone=TEXT)), {"/consignee": "may be missing", "/consignee/phone": "may be missing"}, {("/consignee/phone", "E516")}),
    ("null where none is taken", thing(["no"], no={"type": ["string", "null"]}), thing(["no"], no=TEXT), {"/no": "may be null"}, {("/no", "E515")}),
    ("null where it is taken", thing(["no"], no={"type": ["string", "null"]}), thing(["no"], no={"type": ["string", "null"]}), {}, set()),
    ("an optional list for a required one", thing(lines={"type": "array", "items": thing(["sku"], sku=TEXT)}), thing(["items"], items={"type": "array", "items": thing(["sku"], sku=TEXT)}), {"/items": "may be missing"}, {("/items", "E516")}),
    ("a code that the table lacks", thing(["state"], state={"enum": ["NEW", "DONE"]}), thing(["state"], state={"enum": ["NEW"]}), {"/state": "no row for DONE"}, {("/state", "E525")}),
    ("codes of which the table has none", thing(["state"], state={"enum": ["A", "B"]}), thing(["state"], state={"enum": ["X"]}), {"/state": "no row for A, B"}, {("/state", "E525"), ("/state", "E516")}),
    ("codes that are numbers", thing(["state"], state={"enum": [1, 2]}), thing(["state"], state={"enum": [1]}), {"/state": "no row for 2"}, {("/state", "E525")}),
    ("any text for a few codes", thing(["state"], state=TEXT), thing(["state"], state={"enum": ["A", "B"]}), {"/state": "only A, B are taken"}, {("/state", "E514")}),
]  # fmt: skip


@pytest.mark.parametrize(("shows", "source", "target", "wanted", "codes"), CASES, ids=[case[0] for case in CASES])
def test_what_is_open_is_said_and_the_check_agrees(tmp_path, shows, source, target, wanted, codes):
    drafted, found = judged(tmp_path, source, target)
    assert {one.field for one in drafted.open} == set(wanted)
    for one in drafted.open:
        assert wanted[one.field] in one.why
        assert f"# still open: {one.field}: " in drafted.text
    assert found == codes


def test_a_block_in_which_nothing_matches_is_a_comment_and_open(tmp_path):
    source = thing(
        ["no", "receiver", "lines"],
        no=TEXT,
        receiver=thing(["alias"], alias=TEXT),
        lines={"type": "array", "items": thing(["line"], line=WHOLE)},
    )
    target = thing(
        ["no", "items"],
        no=TEXT,
        consignee=thing(["badge"], badge=TEXT, floor=WHOLE),
        items={"type": "array", "items": thing(["sku", "deep"], sku=TEXT, deep=thing(depth=WHOLE))},
    )
    drafted, found = judged(tmp_path, source, target)
    # Then no key stands there without a value: what the check says is what is missing, not that the file cannot be read
    assert found == {("/items", "E511")}
    assert {one.field for one in drafted.open} == {"/items", "/consignee"}
    assert "# items: ?   array of deep, sku, required" in drafted.text
    assert "# consignee: ?   object of badge, floor" in drafted.text
    # And where nothing matches at all, the file can be read all the same
    nothing, found = judged(tmp_path / "other", thing(a=TEXT), thing(["b"], b=TEXT))
    assert "fields: {}" in nothing.text
    assert found == {("/b", "E511")}


def test_a_contract_that_refers_to_itself_is_drafted_to_an_end():
    node = {"$ref": "#/$defs/node"}
    schema = {
        **thing(["tree"], tree=node),
        "$defs": {"node": thing(["name"], name=TEXT, children={"type": "array", "items": node})},
    }
    assert of(schema, schema).text.count("each:") > 1


def test_names_and_codes_that_yaml_takes_for_its_own_are_quoted(tmp_path):
    codes = ["NO", "1", "a: b", 'say "x"', "TRUE"]
    source = thing(["on", "state"], on=TEXT, state={"enum": [*codes, "new\nline"]})
    drafted, found = judged(tmp_path, source, thing(["on", "state"], on=TEXT, state={"enum": codes}))
    assert found == {("/state", "E525")}
    assert '"on": "on"' in drafted.text
    assert [one.field for one in drafted.open] == ["/state"]


def test_what_the_routes_condition_proves_is_not_open():
    source, target = thing(no=TEXT, remark=TEXT), thing(["no", "remark"], no=TEXT, remark=TEXT)
    ends = (
        compile_contract(Ref("shop", "order.placed", 1), source),
        compile_contract(Ref("warehouse", "order.create", 1), target),
    )
    assert [one.field for one in draft(*ends, conditions=[("$exists(no)", True)]).open] == ["/remark"]


def test_between_any_two_messages_of_the_reference_workspace_what_the_check_finds_is_open():
    reference = load(ROOT)
    ends = [
        [
            Ref(system.name, name, number)
            for system in reference.systems.values()
            for name, one in side(system).items()
            for number in one.versions
        ]
        for side in (attrgetter("emits"), attrgetter("accepts"))
    ]
    judged = 0
    for one in ends[0]:
        for other in ends[1]:
            drafted, file = draft(reference.contract(one), reference.contract(other)), file_name(one, other)
            document, findings = read_yaml(file, drafted.text), Findings()
            mapping = read(document, {}, findings)
            assert (document.faults, findings.found) == ((), []), drafted.text
            types(
                replace(
                    reference,
                    files={**reference.files, file: drafted.text},
                    mappings={(one, other): mapping.mapping},
                    routes=(),
                ),
                findings,
            )
            assert {finding.text.partition(":")[0] for finding in findings.found} <= {
                still.field for still in drafted.open
            }
            judged += 1
    assert judged > 200
