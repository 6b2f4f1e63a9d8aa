"""A directed graph as a picture: which node stands in which layer and where in it, and along which points its edges
run. Pure.

Four steps: edges that close a circle are turned round for the layout; each node stands one layer behind the last of
those that lead to it; edges over several layers get a point in each; and each layer is sorted, back and forth, by where
its neighbours stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

SWEEPS = 12
Edge: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a node stands: its layer from the left, from 0; `y` within the picture's height, both in steps of one
    node.
    """

    layer: int
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """`edges`: along which points, from its tail to its head, each runs. `backwards`: those against the reading
    direction. Width and height in nodes.
    """

    spots: Mapping[str, Spot]
    edges: Mapping[Edge, tuple[Spot, ...]]
    backwards: frozenset[Edge]
    width: int
    height: float


def draw(nodes: Sequence[str], edges: Sequence[Edge]) -> Drawing:
    """The order of `nodes` decides where nothing else does, so that the same graph is always the same picture. Edges
    name known nodes alone.
    """
    known = set(nodes)
    wanted = [edge for edge in dict.fromkeys(edges) if edge[0] in known and edge[1] in known and edge[0] != edge[1]]
    turned = _circles(nodes, wanted)
    forward = [(head, tail) if (tail, head) in turned else (tail, head) for tail, head in wanted]
    layers = _layers(nodes, forward)
    chains = {edge: _chain(edge, layers) for edge in dict.fromkeys(forward)}
    rows = _sorted_rows(_rows(nodes, layers, chains), chains)
    spots = _spots(rows)
    drawn: dict[Edge, tuple[Spot, ...]] = {}
    for edge, run in zip(wanted, forward, strict=True):
        points = tuple(spots[one] for one in chains[run])
        drawn[edge] = points[::-1] if edge in turned else points
    height = max((len(row) for row in rows), default=0)
    return Drawing({node: spots[node] for node in nodes}, drawn, frozenset(turned), len(rows), float(height))


def _circles(nodes: Sequence[str], edges: Sequence[Edge]) -> set[Edge]:
    """Edges that lead back to a node that is on the way to them. Walked without recursion: a long chain is no reason to
    fail.
    """
    out: dict[str, list[str]] = {node: [] for node in nodes}
    into = dict.fromkeys(nodes, 0)
    for tail, head in edges:
        out[tail].append(head)
        into[head] += 1
    turned: set[Edge] = set()
    state: dict[str, int] = {}  # 1: on the way, 2: done
    for start in sorted(nodes, key=lambda node: into[node]):  # what nothing leads to comes first
        if start in state:
            continue
        stack = [(start, iter(out[start]))]
        state[start] = 1
        while stack:
            node, rest = stack[-1]
            for head in rest:
                if state.get(head) == 1:
                    turned.add((node, head))
                elif head not in state:
                    state[head] = 1
                    stack.append((head, iter(out[head])))
                    break
            else:
                state[node] = 2
                stack.pop()
    return turned


def _layers(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """One behind the last of those that lead to it."""
    out: dict[str, list[str]] = {node: [] for node in nodes}
    into = dict.fromkeys(nodes, 0)
    for tail, head in dict.fromkeys(edges):
        out[tail].append(head)
        into[head] += 1
    layers = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not into[node]]
    for node in ready:
        for head in out[node]:
            layers[head] = max(layers[head], layers[node] + 1)
            into[head] -= 1
            if not into[head]:
                ready.append(head)
    return layers


def _chain(edge: Edge, layers: Mapping[str, int]) -> tuple[str, ...]:
    """The edge with a point in each layer that it crosses."""
    tail, head = edge
    between = (f"{tail}\0{head}\0{layer}" for layer in range(layers[tail] + 1, layers[head]))
    return (tail, *between, head)


def _rows(nodes: Sequence[str], layers: Mapping[str, int], chains: Mapping[Edge, tuple[str, ...]]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for node in nodes:
        rows[layers[node]].append(node)
    for (tail, _), chain in chains.items():
        for step, point in enumerate(chain[1:-1], layers[tail] + 1):
            rows[step].append(point)
    return rows


def _sorted_rows(rows: list[list[str]], chains: Mapping[Edge, tuple[str, ...]]) -> list[list[str]]:
    """The order with the fewest crossings that the sweeps came by."""
    before: dict[str, list[str]] = {one: [] for row in rows for one in row}
    after: dict[str, list[str]] = {one: [] for row in rows for one in row}
    for chain in chains.values():
        for left, right in pairwise(chain):
            before[right].append(left)
            after[left].append(right)
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = before if down else after
        for index in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            fixed = {one: place for place, one in enumerate(rows[index - 1 if down else index + 1])}
            own = {one: place for place, one in enumerate(rows[index])}
            weights = {
                one: _middle([fixed[other] for other in near[one] if other in fixed], own[one]) for one in rows[index]
            }
            rows[index].sort(key=lambda one, weights=weights, own=own: (weights[one], own[one]))  # type: ignore[misc]
        number = _crossings(rows, after)
        if number < fewest:
            best, fewest = [list(row) for row in rows], number
    return best


def _middle(places: Sequence[int], own: int) -> float:
    return sum(places) / len(places) if places else float(own)


def _crossings(rows: Sequence[Sequence[str]], after: Mapping[str, Sequence[str]]) -> int:
    number = 0
    for left, right in pairwise(rows):
        places = {one: place for place, one in enumerate(right)}
        ends = [place for one in left for place in sorted(places[other] for other in after[one] if other in places)]
        number += sum(ends[j] < ends[i] for i in range(len(ends)) for j in range(i + 1, len(ends)))
    return number


def _spots(rows: Sequence[Sequence[str]]) -> dict[str, Spot]:
    """Each layer in the middle of the picture's height."""
    height = max((len(row) for row in rows), default=0)
    return {
        one: Spot(layer, place + (height - len(row)) / 2)
        for layer, row in enumerate(rows)
        for place, one in enumerate(row)
    }
