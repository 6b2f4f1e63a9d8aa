"""Route tests: what a route must make of a message is written beside it, and proven by `hub check`."""

import pytest

from hub.catalog import check, load
from hub.catalog.scaffold.new_workspace import init

SAMPLE = "adapters/shop/samples/order.placed.v1/one-line.json"


def workspace(folder, *, route="", tests=""):
    init(folder)
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8").rstrip("\n")
    routes.write_text(f"{text}\n{route}    tests:\n{tests}", "utf-8")
    return folder


def failed(folder):
    return [(finding.code, finding.text) for finding in check(folder)]


def test_a_test_that_holds_says_nothing(tmp_path):
    workspace(tmp_path, tests=f"      - {{given: {SAMPLE}, expect: {{warehouse/order.create@1: {{orderNo: SO-1}}}}}}\n")
    assert failed(tmp_path) == []
    assert len(load(tmp_path).routes[0].tests) == 1


@pytest.mark.parametrize(
    ("route", "test", "word"),
    [
        ("", f"given: {SAMPLE}, expect: {{warehouse/order.create@1: {{orderNo: SO-2}}}}", "/orderNo"),
        ("", f"given: {SAMPLE}, expect: {{}}", "the test does not say so"),
        (
            "",
            f"given: {SAMPLE}, expect: {{warehouse/order.create@1: {{}}, shop/order.placed@1: {{}}}}",
            "no delivery goes to shop/order.placed@1",
        ),
        ("", f"given: {SAMPLE}, expect: unrouted", "it is routed, not unrouted"),
        ('    when: orderNo = "X"\n', f"given: {SAMPLE}, expect: {{warehouse/order.create@1: {{}}}}", 'orderNo = "X"'),
        ("    drop: {when: true, why: Not today.}\n", f"given: {SAMPLE}, expect: unrouted", "Not today."),
        ("", f"given: {SAMPLE}, expect: {{warehouse/order.create@1: [{{}}, {{}}]}}", "1 deliveries go to"),
        ("", "given: adapters/shop/samples/order.placed.v1/none.json, expect: unrouted", "there is no sample"),
        ("", "given: {orderNo: SO-1}, expect: unrouted", "would refuse it"),
        ("", f"given: {SAMPLE}, expect: nothing", "neither targets nor why"),
    ],
)
def test_a_test_that_does_not_hold_says_why(tmp_path, route, test, word):
    workspace(tmp_path, route=route, tests=f"      - {{{test}}}\n")
    [(code, text)] = failed(tmp_path)
    assert word in text
    assert code in ("E505", "E504", "E204")


def test_split_filter_and_condition_hold_too(tmp_path):
    tests = """\
      - about: one delivery for each article
        given: {orderNo: SO-1, items: [{sku: A, quantity: 1}, {sku: B, quantity: 2}, {sku: A, quantity: 3}]}
        expect:
          warehouse/order.create@1: [{items: [{sku: A, quantity: 1}, {sku: A, quantity: 3}]}, {items: [{sku: B}]}]
      - {given: {orderNo: TEST-1, items: [{sku: A, quantity: 1}]}, expect: filtered}
      - {given: {orderNo: X-1, items: [{sku: A, quantity: 1}]}, expect: unrouted}
"""
    route = """\
    split: {list: items, by: sku}
    drop: {when: '$substring(orderNo, 0, 5) = "TEST-"', why: tests}
    when: '$substring(orderNo, 0, 2) = "SO"'
"""
    workspace(tmp_path, route=route, tests=tests)
    assert failed(tmp_path) == []


def test_a_payload_that_the_target_would_never_get_fails_whatever_the_test_expects(tmp_path):
    workspace(
        tmp_path,
        tests="      - {given: {orderNo: SO-1, items: [{sku: A, quantity: 1}]}, expect: {warehouse/order.create@1: {}}}\n",
    )
    assert failed(tmp_path) == []
    # Given a mapping that makes no lines of this order, which the contract of the warehouse refuses
    mapping = tmp_path / "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
    mapping.write_text(
        mapping.read_text("utf-8").replace("items:\n    each: items", "items:\n    each: items[sku != 'A']"), "utf-8"
    )
    said = "what is made does not fit warehouse/order.create@1: /items is nothing, wanted array, at least 1 item, at most 500 items"
    assert ("E505", said) in failed(tmp_path)
