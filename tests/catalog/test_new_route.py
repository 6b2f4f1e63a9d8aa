"""A route added as text: the rest of the file stays byte for byte, whatever its form; or nothing is written, and the
file says why.
"""

import pytest

from hub.catalog.scaffold.new_route import NewRoute, with_route

ROUTE = NewRoute("told", "shop/order.placed", ["warehouse/order.create@1"], "What the shop says.", "fulfilment")
OLD = """\
version: 1        # the first
routes:
  # the one that matters
  orders:
    about: "a: b"
    from: shop/order.placed
    to: [warehouse/order.create@1]   # and nowhere else
"""
BLOCK = "  told:\n    about: What the shop says.\n    owner: fulfilment\n    from: shop/order.placed\n    to:\n      - warehouse/order.create@1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OLD, ""),
        (OLD, "\n\n# the end\n"),
        (OLD, "\n# how targets are treated\ntargets:\n  warehouse: {concurrency: 4}\n"),
        (OLD, "targets: {warehouse: {concurrency: 4}}\n"),
        (OLD + "    # tests: later\n", "\ntargets: {warehouse: {concurrency: 4}}\n"),
        (
            OLD
            + "    tests:\n      - about: |\n          # not a comment\n\n          more\n        given: x\n        expect: unrouted\n",
            "",
        ),
        ("version: 1\nroutes:\n", "targets: {}\n"),
    ],
)
def test_the_route_is_the_last_one_and_every_other_byte_stays(before, after):
    assert with_route(before + after, ROUTE) == before + BLOCK + after


def test_line_ends_and_depths_are_those_of_the_file():
    windows = OLD.replace("\n", "\r\n")
    assert with_route(windows, ROUTE) == windows + BLOCK.replace("\n", "\r\n")
    deep = "version: 1\nroutes:\n    orders:\n        from: a/b\n        to: [c/d]\n"
    assert (
        with_route(deep, ROUTE)
        == deep
        + "    told:\n        about: What the shop says.\n        owner: fulfilment\n        from: shop/order.placed\n        to:\n            - warehouse/order.create@1\n"
    )
    assert with_route(OLD.rstrip("\n"), ROUTE) == OLD + BLOCK
    assert with_route("version: 1\n", ROUTE) == "version: 1\nroutes:\n" + BLOCK


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (OLD, "orders", "There is a route orders already, at routes.yaml:4"),
        (OLD, "Told", "is not a route name"),
        ("version: 1\nroutes: {orders: {from: a/b, to: [c/d]}}\n", "told", "as a YAML block"),
        ("version: [1\n", "told", "cannot be read"),
        ("version: 1\nroutes:\n  orders:\n    from: a/b\n    to: [c/d]\n...\n", "told", "by hand"),
    ],
)
def test_what_cannot_be_added_to_is_left_alone(text, name, said):
    with pytest.raises(ValueError, match=said):
        with_route(text, NewRoute(name, "a/b", ["c/d@1"], "Why."))


def test_a_text_that_yaml_would_take_for_its_own_is_quoted():
    made = with_route(OLD, NewRoute("told", "a/b", ["c/d@1"], 'No: "maybe" # not', "on"))
    assert '    about: "No: \\"maybe\\" # not"\n    owner: "on"\n' in made
