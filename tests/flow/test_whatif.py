"""What-if and plan: exactly the planted differences, no side effect; apply, rollback, and what is written down of
them.
"""

import json
import time
from dataclasses import replace

import pytest

from hub.catalog import difference, judge, load
from hub.catalog.scaffold.new_workspace import init
from hub.core.errors import BadWorkspace
from hub.core.message import Disposition
from hub.flow.configuration.plan import apply, plan
from hub.flow.context.revisions import NoRevision, Revisions, roll_back
from hub.flow.dry_run.whatif import Kind, recent, what_if
from hub.store import RevisionConflict
from tests.support.making import laid

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
DELIVERY = ("orders", "warehouse/order.create@1")


def change(folder, file, sound, other):
    path = folder / file
    text = path.read_text("utf-8")
    assert sound in text
    path.write_text(text.replace(sound, other, 1), "utf-8")


def stored(store, *payloads):
    added = []
    for payload in payloads:
        one = laid(raw=json.dumps(payload).encode(), targets=())
        added.append(replace(one, message=replace(one.message, disposition=Disposition.UNROUTED)))
    store.add(added)
    return [one.message.id for one in added]


def order(number, *quantities):
    return {
        "orderNo": f"SO-{number}",
        "items": [{"sku": f"SKU-{index}", "quantity": quantity} for index, quantity in enumerate(quantities)],
    }


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.mark.parametrize(
    ("file", "sound", "other", "wanted"),
    [
        ("routes.yaml", "version: 1\n", "version: 1\n# a remark\n", []),
        ("routes.yaml", "timeout: 5s", "timeout: 7s", [("~", "to warehouse/order.create@1 · timeout: 5 s → 7 s")]),
        (
            "routes.yaml",
            "    to:",
            "    when: orderNo != 'X'\n    to:",
            [("+", "route · orders · when: orderNo != 'X'")],
        ),
        (
            MAPPING,
            "  orderNo: orderNo",
            "  orderNo: \"'A' & orderNo\"",
            [("~", "fields/orderNo: orderNo → 'A' & orderNo")],
        ),
        (
            "adapters/shop/system.yaml",
            "{state: current}",
            "{state: deprecated, sunset: 2027-01-01}",
            [("~", "version 1: current → deprecated until 2027-01-01")],
        ),
        (
            "adapters/warehouse/contracts/order.create.v1.json",
            '"maxItems": 500',
            '"maxItems": 100',
            [("~", "#/properties/items/maxItems: 500 → 100")],
        ),
        ("routes.yaml", "  orders:\n", "  sales:\n", [("-", "route · orders"), ("+", "route · sales")]),
    ],
)
def test_a_difference_is_told_in_meaning(workspace, file, sound, other, wanted):
    old = load(workspace)
    change(workspace, file, sound, other)
    new, _ = judge(workspace)
    told = [one.text for one in difference(old, new)]
    assert len(told) == len(wanted)
    for text, (sign, word) in zip(told, wanted, strict=True):
        assert text.startswith(sign)
        assert word in text


def test_exactly_the_planted_differences_are_reported(workspace, store):
    # Given messages of four kinds, and a change that concerns three of them
    old = apply(store, workspace)
    ids = stored(
        store,
        *(order(number, 1) for number in range(10)),
        *(order(100 + number, 5, 600) for number in range(7)),
        order("TEST", 2),
    )
    change(workspace, MAPPING, "quantity: quantity", 'quantity: "quantity > 500 ? 500 : quantity"')
    change(workspace, "routes.yaml", "    to:", "    when: orderNo != 'SO-TEST'\n    to:")
    new = load(workspace)
    # When what was stored is run through both
    report = what_if(old, new, recent(store))
    # Then that is what differs, with examples, and nothing else
    assert (report.messages, report.unchanged) == (18, 10)
    assert {kind: group.number for kind, group in report.groups.items()} == {
        Kind("field", *DELIVERY, "/items/*/quantity"): 7,
        Kind("target_lost", *DELIVERY): 1,
    }
    field = report.groups[Kind("field", *DELIVERY, "/items/*/quantity")]
    assert {(before, after) for _, before, after in field.examples} == {(600, 500)}
    assert report.groups[Kind("target_lost", *DELIVERY)].examples[0][0] == ids[-1]
    # And nothing was stored by it
    assert store.conservation().messages == 18
    assert store.conservation().planned == 0


@pytest.mark.parametrize(
    ("file", "sound", "other", "what", "number"),
    [
        ("adapters/shop/contracts/order.placed.v1.json", '"maxItems": 500', '"maxItems": 1', "refused", 3),
        ("adapters/warehouse/contracts/order.create.v1.json", '"maximum": 1000000', '"maximum": 4', "fault_gained", 3),
        ("routes.yaml", "  orders:\n", "  sales:\n", "target_gained", 8),
        ("adapters/shop/system.yaml", "{1: {state: current}}", "{1: {state: retired}}", "refused", 8),
    ],
)
def test_each_kind_of_difference(workspace, store, file, sound, other, what, number):
    old = apply(store, workspace)
    stored(store, *(order(number, 1) for number in range(5)), *(order(100 + number, 5, 600) for number in range(3)))
    change(workspace, file, sound, other)
    new, _ = judge(workspace)
    groups = what_if(old, new, recent(store)).groups
    assert {kind.what: group.number for kind, group in groups.items() if kind.what == what} == {what: number}


def test_personal_values_are_masked(workspace, store):
    for side, message in (("shop", "order.placed"), ("warehouse", "order.create")):
        change(workspace, f"adapters/{side}/contracts/{message}.v1.json", '"orderNo": {', '"orderNo": {"x-pii": "id", ')
    old = apply(store, workspace)
    stored(store, order(7, 1))
    change(workspace, MAPPING, "  orderNo: orderNo", "  orderNo: \"'A' & orderNo\"")
    report = what_if(old, judge(workspace)[0], recent(store))
    assert "SO-7" not in json.dumps(report.as_json())
    assert report.groups[Kind("field", *DELIVERY, "/orderNo")].examples[0][1:] == ("***", "***")


def test_personal_values_are_masked_within_what_differs_whole(workspace, store):
    for side, message in (("shop", "order.placed"), ("warehouse", "order.create")):
        change(workspace, f"adapters/{side}/contracts/{message}.v1.json", '"sku": {', '"sku": {"x-pii": "id", ')
    old = apply(store, workspace)
    stored(
        store, {"orderNo": "SO-1", "items": [{"sku": "SECRET-1", "quantity": 1}, {"sku": "SECRET-2", "quantity": 9}]}
    )
    # When the list itself differs, and the same change drops the mark in one contract
    change(workspace, MAPPING, "each: items", "each: items[quantity < 5]")
    change(workspace, "adapters/warehouse/contracts/order.create.v1.json", '"sku": {"x-pii": "id", ', '"sku": {')
    report = what_if(old, judge(workspace)[0], recent(store))
    told = json.dumps(report.as_json())
    assert "SECRET" not in told
    assert "***" in told


def test_a_plan_tells_changes_findings_what_waits_and_what_if(workspace, store):
    apply(store, workspace)
    store.add([laid(raw=json.dumps(order(1, 1)).encode())])
    change(workspace, "routes.yaml", "  orders:\n", "  sales:\n")
    change(workspace, MAPPING, "expect: {orderNo: SO-1}", "expect: {orderNo: SO-2}")
    made = plan(store, workspace)
    assert [finding.code for finding in made.errors] == ["E502"]
    assert [(one.route, one.target, one.status, one.number, one.is_orphaned) for one in made.waiting] == [
        (*DELIVERY, "pending", 1, True)
    ]
    assert made.report.messages == 1
    assert json.loads(json.dumps(made.as_json()))["onto"] == store.active()


def test_errors_refuse_unless_each_is_named_and_it_is_written_down(workspace, store):
    first = apply(store, workspace, by="li")
    change(workspace, MAPPING, "expect: {orderNo: SO-1}", "expect: {orderNo: SO-2}")
    with pytest.raises(BadWorkspace):
        apply(store, workspace)
    with pytest.raises(ValueError, match="is not an error of this workspace"):
        apply(store, workspace, despite=["E502:routes.yaml:1"])
    made = apply(store, workspace, by="wang", despite=[f"E502:{MAPPING}:10"])
    assert store.active() == made.revision
    rows = store.activations()
    assert [(row.by, row.before, row.despite) for row in rows] == [
        ("wang", first.revision, (f"E502:{MAPPING}:10",)),
        ("li", None, ()),
    ]


def test_what_cannot_be_read_cannot_be_accepted(workspace, store):
    apply(store, workspace)
    change(workspace, "routes.yaml", "    owner:", "    ownr:")
    [error] = [finding for finding in judge(workspace)[1] if finding.level == "error"]
    with pytest.raises(BadWorkspace):
        apply(store, workspace, despite=[f"{error.code}:{error.file}:{error.line}"])


def test_the_second_of_two_that_planned_against_the_same_is_refused(workspace, store):
    onto = apply(store, workspace).revision
    change(workspace, "routes.yaml", "timeout: 5s", "timeout: 6s")
    apply(store, workspace, onto=onto)
    change(workspace, "routes.yaml", "timeout: 6s", "timeout: 7s")
    with pytest.raises(RevisionConflict, match="Plan again"):
        apply(store, workspace, onto=onto)


def test_rolling_back_is_applying_an_older_hash(workspace, store):
    first = apply(store, workspace).revision
    change(workspace, "routes.yaml", "timeout: 5s", "timeout: 6s")
    second = apply(store, workspace).revision
    running = Revisions(store)
    assert roll_back(store, None).revision == first
    assert running.refresh()
    assert running.active().revision == first
    assert roll_back(store, second[:10]).revision == second
    with pytest.raises(NoRevision):
        roll_back(store, "ffff")


def test_a_process_that_cannot_load_keeps_the_old_one_and_says_so(workspace, store):
    first = apply(store, workspace).revision
    running = Revisions(store)
    store.save_revision("f" * 64, {"routes.yaml": "version: 9\n"})
    store.activate("f" * 64)
    assert not running.refresh()
    assert (running.active().revision, running.refused.revision) == (first, "f" * 64)
    assert "routes.yaml" in running.refused.reason
    store.activate(first)
    running.refresh()
    assert running.refused is None


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_ten_thousand_messages(workspace, store):
    # Given ten thousand stored orders, of which every hundredth is large, and a mapping that changes large ones alone
    old = apply(store, workspace)
    for start in range(0, 10_000, 1_000):
        stored(store, *(order(number, 900 if number % 100 == 0 else 1, 2, 3) for number in range(start, start + 1_000)))
    change(workspace, MAPPING, "quantity: quantity", 'quantity: "quantity > 500 ? 500 : quantity"')
    began = time.monotonic()
    report = what_if(old, load(workspace), recent(store, most=10_000))
    # Then exactly those are reported
    assert (report.messages, report.unchanged) == (10_000, 9_900)
    assert {kind: group.number for kind, group in report.groups.items()} == {
        Kind("field", *DELIVERY, "/items/*/quantity"): 100
    }
    print(f"\nwhat-if over 10 000 messages: {time.monotonic() - began:.1f} s")
