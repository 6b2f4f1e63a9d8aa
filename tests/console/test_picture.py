"""The picture of the landscape: flow always runs to the right, nothing stands on another, and the same configuration is
the same picture.
"""

from itertools import pairwise

import pytest

from hub.console.drawing.landscape import GAP, picture, width


def told(*routes, rate=0.0):
    """(sender, route, targets, …) as flow.overview.landscape tells them."""
    nodes, edges = {}, []
    for sender, name, targets in routes:
        for id_, kind in (
            (f"system:{sender}", "system"),
            (f"route:{name}", "route"),
            *((f"system:{to}", "system") for to in targets),
        ):
            nodes[id_] = {"id": id_, "kind": kind, "name": id_.split(":")[1], "title": ""}
        flow = {"perSecond": rate, "failing": None, "backlog": None, "waiting": 0, "isFaulty": False}
        edges.append(
            {"from": f"system:{sender}", "to": f"route:{name}", "kind": "in", "message": f"{sender}/m", **flow}
        )
        edges += [
            {
                "from": f"route:{name}",
                "to": f"system:{to}",
                "kind": "out",
                "message": f"{to}/n@1",
                **flow,
                "backlog": 2,
                "waiting": 1,
            }
            for to in targets
        ]
        edges.append(
            {"from": f"system:{targets[0]}", "to": f"system:{sender}", "kind": "reply", "message": "x", **flow}
        )
    return {"nodes": list(nodes.values()), "edges": edges}


CIRCLE = told(("oms", "out", ("wms", "erp")), ("wms", "back", ("oms",)), ("oms", "also", ("wms",)), rate=1.5)


def test_a_system_that_sends_and_receives_stands_on_both_sides():
    drawn = picture(CIRCLE)
    assert {(box.side, box.name) for box in drawn.boxes} == {
        *(("sends", name) for name in ("oms", "wms")),
        *(("route", name) for name in ("out", "back", "also")),
        *(("takes", name) for name in ("oms", "wms", "erp")),
    }
    assert len(drawn.flows) == 7  # replies are not drawn
    at = {(box.side, box.name): box for box in drawn.boxes}
    assert at["sends", "oms"].x < at["route", "out"].x < at["takes", "wms"].x
    # A message that two routes take is counted once for who sends it; what two routes bring is added up
    assert at["sends", "oms"].told["perSecond"] == 1.5
    assert at["takes", "wms"].told["perSecond"] == 3.0
    assert (at["takes", "wms"].told["backlog"], at["takes", "wms"].told["waiting"]) == (4, 2)


@pytest.mark.parametrize("routes", [1, 3, 40])
@pytest.mark.parametrize("systems", [1, 7, 25])
def test_nothing_stands_on_another_or_outside(routes, systems):
    drawn = picture(
        told(
            *(
                (f"s{number % systems}", f"r{number}", (f"t{number % systems}", f"t{(number * 3) % systems}"))
                for number in range(routes)
            )
        )
    )
    for side in ("sends", "route", "takes"):
        boxes = sorted((box for box in drawn.boxes if box.side == side), key=lambda box: box.y)
        for above, below in pairwise(boxes):
            assert below.y >= above.y + above.height + (GAP - 0.1 if side != "route" else 0)
        assert boxes[0].y >= 0
        assert boxes[-1].y + boxes[-1].height <= drawn.height


def test_the_same_is_the_same_picture_whatever_flows():
    idle, busy = picture(told(("a", "r", ("b",)))), picture(told(("a", "r", ("b",)), rate=900.0))
    assert [(box.x, box.y) for box in idle.boxes] == [(box.x, box.y) for box in busy.boxes]
    assert [one.path for one in idle.flows] == [one.path for one in busy.flows]


def test_a_line_grows_with_what_flows_and_has_its_bounds():
    widths = [width(rate) for rate in (0, 0.01, 1, 10, 1_000, 1e9)]
    assert widths == [*sorted(set(widths[:-1])), 8.0]
    assert width(0) == 1.25


def test_a_configuration_without_routes_is_an_empty_picture():
    assert picture({"nodes": [], "edges": []}).boxes == ()
