"""A graph as a picture: edges run from left to right, except where they close a circle; every edge arrives; the same
graph is the same picture.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.analysis.graph_layout import draw

NODES = [f"n{number}" for number in range(8)]


@given(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=24))
def test_whatever_the_graph_each_edge_runs_from_its_tail_to_its_head(edges):
    drawing = draw(NODES, edges)
    assert set(drawing.spots) == set(NODES)
    assert len({(spot.layer, spot.y) for spot in drawing.spots.values()}) == len(NODES)
    assert set(drawing.edges) == {edge for edge in edges if edge[0] != edge[1]}
    for (tail, head), points in drawing.edges.items():
        assert (points[0], points[-1]) == (drawing.spots[tail], drawing.spots[head])
        step = -1 if (tail, head) in drawing.backwards else 1
        assert [spot.layer for spot in points] == list(range(points[0].layer, points[-1].layer + step, step))
    assert all(0 <= spot.layer < drawing.width and 0 <= spot.y < drawing.height for spot in drawing.spots.values())
    assert draw(NODES, edges) == drawing


def test_a_chain_is_one_line():
    drawing = draw(["a", "b", "c"], [("a", "b"), ("b", "c")])
    assert [(drawing.spots[node].layer, drawing.spots[node].y) for node in "abc"] == [(0, 0.0), (1, 0.0), (2, 0.0)]
    assert drawing.backwards == frozenset()


def test_what_closes_a_circle_runs_backwards():
    drawing = draw(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])
    assert drawing.backwards == {("c", "a")}
    assert drawing.spots["a"].layer == 0


def test_two_that_would_cross_are_sorted():
    drawing = draw(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    ys = {node: spot.y for node, spot in drawing.spots.items()}
    assert (ys["a"] < ys["b"]) == (ys["y"] < ys["x"])


@pytest.mark.parametrize("nodes", [[], ["a"]])
def test_without_edges(nodes):
    assert set(draw(nodes, []).spots) == set(nodes)


def test_a_long_chain_needs_no_recursion():
    nodes = [str(number) for number in range(3_000)]
    assert draw(nodes, list(pairwise(nodes))).width == 3_000
