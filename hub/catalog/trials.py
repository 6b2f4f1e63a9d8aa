"""Route tests: a message in, the deliveries and payloads out. Run on the very functions that accept and deliver use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count

from hub.catalog.catalog import Catalog
from hub.catalog.codes import Check
from hub.catalog.findings import did_you_mean
from hub.core.errors import GiveUp, Refused
from hub.core.mapping import Example, check_example
from hub.core.message import Disposition, Json, Ref
from hub.core.routing import Matched, Route, RouteTest, match, parts


def trial_faults(catalog: Catalog, route: Route, test: RouteTest, payloads: Mapping[str, tuple[Ref, Json]], now: datetime) -> Iterator[tuple[Check, str, str]]:
    """What is wrong with one test of a route: code, text, fix. `payloads` are the workspace's samples by path, each with its message."""
    given = _given(route, test, payloads)
    if given is None:
        yield Check.NO_SAMPLE, f"there is no sample {test.given}", did_you_mean(str(test.given), payloads)
        return
    source, payload = given
    if source.type != route.source:
        yield Check.ROUTE_TEST_FAILS, f"the sample is {source}, the route takes {route.source}", "name one of its samples"
        return
    contract = catalog.contract(source)
    faults = contract.check(payload) if contract is not None else []
    if faults:
        yield Check.ROUTE_TEST_FAILS, f"{source} would refuse it: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}", faults[0].fix
        return
    ids = count(1)
    try:
        for step in catalog.upgrade(source):
            source, payload = step.target, step.apply(payload, now=now)
    except GiveUp as error:
        yield Check.ROUTE_TEST_FAILS, f"it cannot be upgraded: {error.why.field} {error.why.text}", error.why.fix
        return
    try:
        matched = match([route], payload, targets=catalog.targets, order_key=None, hops=0, now=now, new_id=lambda: str(next(ids)))
    except Refused as error:
        yield Check.ROUTE_TEST_FAILS, f"it would be refused: {error.text}", ""
        return
    yield from _compare(catalog, route, test, source, payload, matched, now)


def _given(route: Route, test: RouteTest, payloads: Mapping[str, tuple[Ref, Json]]) -> tuple[Ref, Json] | None:
    if isinstance(test.given, str):
        return payloads.get(test.given)
    system, _, name = route.source.partition("/")
    return Ref(system, name, test.version), test.given


def _compare(catalog: Catalog, route: Route, test: RouteTest, source: Ref, payload: Json, matched: Matched, now: datetime) -> Iterator[tuple[Check, str, str]]:
    if test.disposition is not Disposition.ROUTED or matched.disposition is not Disposition.ROUTED:
        if matched.disposition is not test.disposition:
            yield Check.ROUTE_TEST_FAILS, f"it is {matched.disposition.value}, not {test.disposition.value}: {_why(matched)}", "mend the route, or the test"
        return
    made: dict[str, list[Json]] = {}
    for planned in matched.planned:
        steps = catalog.way(source, planned.ref) or ()
        piece = payload if planned.part is None or route.split is None else parts(payload, route.split, now)[planned.part]
        try:
            for step in steps:
                piece = step.apply(piece, now=now, lookups=test.lookups)
            made.setdefault(str(planned.ref), []).append(piece)
        except GiveUp as error:
            yield Check.ROUTE_TEST_FAILS, f"{planned.ref}{error.why.field}: {error.why.text}", error.why.fix
            return
    for target in made.keys() - test.expect.keys():
        yield Check.ROUTE_TEST_FAILS, f"a delivery goes to {target}, and the test does not say so", f"add {target} to expect, or mend the route"
    for target, wanted in test.expect.items():
        yield from _payloads(target, made.get(target), wanted, matched)


def _payloads(target: str, made: list[Json] | None, wanted: Json, matched: Matched) -> Iterator[tuple[Check, str, str]]:
    if made is None:
        yield Check.ROUTE_TEST_FAILS, f"no delivery goes to {target}: {_why(matched)}", "mend the route, or the test"
        return
    expected = wanted if isinstance(wanted, list) else [wanted]
    if len(expected) != len(made):
        yield Check.ROUTE_TEST_FAILS, f"{len(made)} deliveries go to {target}, not {len(expected)}", "write one payload for each, in a list"
        return
    for number, (one, other) in enumerate(zip(made, expected, strict=True)):
        for line in check_example(Example(None, expect=other), one):
            where = f"{target} (part {number})" if len(made) > 1 else target
            yield Check.ROUTE_TEST_FAILS, f"{where}: {line}", "mend the mapping or the route, or the test"


def _why(matched: Matched) -> str:
    reasons = [str(line.get("why") or line.get("condition") or line.get("canary") or "") for line in matched.considered if line["result"] != "matched"]
    return "; ".join(reason for reason in reasons if reason) or "nothing matched"
