"""What engineers write beside their work, tried: a mapping's examples, and a route's tests (a message in, the
deliveries and payloads out).

Run on the very functions that accept and deliver use. What does not hold is told as a value, for `hub check` and
`hub test` alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from hub.catalog.catalog import Catalog
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import did_you_mean
from hub.core.analysis.examples import Difference, differences
from hub.core.config.call_address import address_of
from hub.core.config.mapping import Example
from hub.core.config.mapping import Mapping as FieldMapping
from hub.core.config.routing import Route, RouteTest, RoutingResult, match, parts
from hub.core.errors import GiveUp
from hub.core.message import Disposition, Json, Ref
from hub.core.schemas.contract import Contract
from hub.core.schemas.integers import declared

# Examples are computed as if their message had been received then: `$now()` in a mapping gives the same in every run.
EXAMPLE_TIME = datetime(2025, 11, 22, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that does not hold: as a finding says it; and where a value is another one than expected, for which
    target and where.
    """

    code: Check
    text: str
    fix: str = ""
    target: str = ""
    difference: Difference | None = None

    def as_json(self) -> dict[str, Json]:
        told: dict[str, Json] = {"code": self.code.value, "text": self.text, "fix": self.fix}
        if self.target:
            told["target"] = self.target
        return {**told, **(self.difference.as_json() if self.difference is not None else {})}


def with_examples(catalog: Catalog) -> Iterator[tuple[str, FieldMapping, Contract | None]]:
    """All mappings, of messages and of foreign bodies, each with its file and its target's contract."""
    for pair, mapping in sorted(catalog.mappings.items()):
        yield file_name(*pair), mapping, catalog.contract(pair[1])
    for name, mapping in sorted(catalog.foreign.items()):
        yield f"mappings/{name}.yaml", mapping, catalog.contract(mapping.target)


def example_faults(
    mapping: FieldMapping, contract: Contract | None, example: Example, payloads: Mapping[str, Json]
) -> Iterator[Wrong]:
    """What is wrong with one example of a mapping. `payloads` are the workspace's samples by path."""
    given = example.given
    if isinstance(given, str):
        if given not in payloads:
            yield Wrong(Check.NO_SAMPLE, f"there is no sample {given}", did_you_mean(given, payloads))
            return
        given = payloads[given]
    try:
        made = mapping.apply(given, now=EXAMPLE_TIME, lookups=example.lookups)
    except GiveUp as error:
        yield Wrong(Check.EXAMPLE_FAILS, f"{error.why.field or '/'}: {error.why.text}", error.why.fix)
        return
    for one in differences(example, made):
        yield Wrong(Check.EXAMPLE_FAILS, str(one), "mend the mapping, or the example", difference=one)
    for fault in contract.check(made) if contract is not None else ():
        yield Wrong(
            Check.EXAMPLE_UNFIT,
            f"what it makes does not fit {mapping.target}: {fault.pointer or '/'} is {fault.got}, wanted {fault.want}",
            fault.fix,
        )


def trial_faults(
    catalog: Catalog, route: Route, test: RouteTest, payloads: Mapping[str, tuple[Ref, Json]], now: datetime
) -> Iterator[Wrong]:
    """What is wrong with one test of a route. `payloads` are the workspace's samples by path, each with its message."""
    given = _given(route, test, payloads)
    if given is None:
        yield Wrong(Check.NO_SAMPLE, f"there is no sample {test.given}", did_you_mean(str(test.given), payloads))
        return
    source, payload = given
    if source.type != route.source:
        yield Wrong(
            Check.ROUTE_TEST_FAILS, f"the sample is {source}, the route takes {route.source}", "name one of its samples"
        )
        return
    contract = catalog.contract(source)
    faults = contract.check(payload) if contract is not None else []
    if faults:
        yield Wrong(
            Check.ROUTE_TEST_FAILS,
            f"{source} would refuse it: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}",
            faults[0].fix,
        )
        return
    ids = count(1)
    payload = declared(contract, payload)
    try:
        for step in catalog.upgrade(source):
            source, payload = step.target, declared(catalog.contract(step.target), step.apply(payload, now=now))
    except GiveUp as error:
        yield Wrong(Check.ROUTE_TEST_FAILS, f"it cannot be upgraded: {error.why.field} {error.why.text}", error.why.fix)
        return
    matched = match(
        [route], payload, targets=catalog.targets, order_key=None, hops=0, now=now, new_id=lambda: str(next(ids))
    )
    for undecided in (planned.undecided for planned in matched.planned if planned.undecided is not None):
        yield Wrong(
            Check.ROUTE_TEST_FAILS, f"it would be dead at once: {undecided.text}", "mend the route, or the test"
        )
        return
    yield from _compare(catalog, route, test, source, payload, matched, now)


def _given(route: Route, test: RouteTest, payloads: Mapping[str, tuple[Ref, Json]]) -> tuple[Ref, Json] | None:
    if isinstance(test.given, str):
        return payloads.get(test.given)
    system, _, name = route.source.partition("/")
    return Ref(system, name, test.version), test.given


def _compare(
    catalog: Catalog, route: Route, test: RouteTest, source: Ref, payload: Json, matched: RoutingResult, now: datetime
) -> Iterator[Wrong]:
    if test.disposition is not Disposition.ROUTED or matched.disposition is not Disposition.ROUTED:
        if matched.disposition is not test.disposition:
            yield Wrong(
                Check.ROUTE_TEST_FAILS,
                f"it is {matched.disposition.value}, not {test.disposition.value}: {_why(matched)}",
                "mend the route, or the test",
            )
        return
    made: dict[str, list[Json]] = {}
    for planned in matched.planned:
        steps = catalog.way(source, planned.ref) or ()
        piece = (
            payload if planned.part is None or route.split is None else parts(payload, route.split, now)[planned.part]
        )
        try:
            for step in steps:
                contract = catalog.contract(step.target)
                piece = declared(contract, step.apply(piece, now=now, lookups=test.lookups))
                faults = contract.check(piece) if contract is not None else []
                if faults:  # such a delivery is dead at once, whatever the test expects of it
                    text = f"what is made does not fit {step.target}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}"
                    yield Wrong(Check.ROUTE_TEST_FAILS, text, faults[0].fix, str(planned.ref))
                    return
            _address(catalog, planned.ref, piece, now)
            made.setdefault(str(planned.ref), []).append(piece)
        except GiveUp as error:
            yield Wrong(Check.ROUTE_TEST_FAILS, f"{planned.ref}{error.why.field}: {error.why.text}", error.why.fix)
            return
    for target in made.keys() - test.expect.keys():
        yield Wrong(
            Check.ROUTE_TEST_FAILS,
            f"a delivery goes to {target}, and the test does not say so",
            f"add {target} to expect, or mend the route",
        )
    for target, wanted in test.expect.items():
        yield from _payloads(target, made.get(target), wanted, matched)


def _address(catalog: Catalog, ref: Ref, payload: Json, now: datetime) -> None:
    """Raises GiveUp where a hole of the target's address cannot be filled from what is made: it would be dead at once,
    whatever the test expects.
    """
    accept = catalog.systems[ref.system].accept(ref) if ref.system in catalog.systems else None
    if accept is not None and accept.publish is None:
        address_of(accept.path or "/").filled(payload, key="key", now=now)


def _payloads(target: str, made: list[Json] | None, wanted: Json, matched: RoutingResult) -> Iterator[Wrong]:
    if made is None:
        yield Wrong(
            Check.ROUTE_TEST_FAILS, f"no delivery goes to {target}: {_why(matched)}", "mend the route, or the test"
        )
        return
    expected = wanted if isinstance(wanted, list) else [wanted]
    if len(expected) != len(made):
        yield Wrong(
            Check.ROUTE_TEST_FAILS,
            f"{len(made)} deliveries go to {target}, not {len(expected)}",
            "write one payload for each, in a list",
        )
        return
    for number, (one, other) in enumerate(zip(made, expected, strict=True)):
        where = f"{target} (part {number})" if len(made) > 1 else target
        for found in differences(Example(None, expect=other), one):
            yield Wrong(
                Check.ROUTE_TEST_FAILS, f"{where}: {found}", "mend the mapping or the route, or the test", where, found
            )


def _why(matched: RoutingResult) -> str:
    reasons = [
        str(line.get("why") or line.get("condition") or line.get("canary") or "")
        for line in matched.considered
        if line["result"] != "matched"
    ]
    return "; ".join(reason for reason in reasons if reason) or "nothing matched"
