"""Right and wrong mappings and routes as outsiders write them: no false alarm, none missed. The cases are data, in
`outsiders/`.

What is right is executed on every sample of its source, and what it makes passes the target's contract. What is wrong
really fails: on the sample that the case names, the mapping makes something that the target refuses, or loses what it
should give; no sample meets a condition that never holds.
"""

from collections import Counter

import pytest

from hub import settings
from hub.catalog import judge
from hub.catalog.checks.trials import EXAMPLE_TIME
from hub.core.config.routing import match
from hub.core.errors import GiveUp
from hub.core.message import Ref
from hub.main.machine import foreseen
from tests.support.outsiders import ANSWER, SOURCES, cases, plain, read_of, sample_of

RIGHT_MAPPINGS, RIGHT_ROUTES = cases("right_mappings.yaml"), cases("right_routes.yaml")
WRONG_MAPPINGS, WRONG_ROUTES = cases("mistakes_mappings.yaml"), cases("mistakes_routes.yaml")
SETTINGS = settings.read({})
TARGET = Ref("hall", "parcel.set", 1)


def named(pairs):
    return {"argvalues": pairs, "ids": [f"{source}: {case['about']}" for source, case in pairs]}


def findings_of(source, case):
    read, marks = read_of(source, case)
    catalog, findings = judge(read)
    return catalog, [*findings, *foreseen(catalog, SETTINGS)], marks


def apply(catalog, source, payload):
    [mapping] = [one for pair, one in catalog.mappings.items() if pair[1] == TARGET]
    return mapping.apply(payload, now=EXAMPLE_TIME, lookups={"stock": ANSWER})


def taken(catalog, payload):
    """How many deliveries the route makes of a message."""
    return len(
        match(catalog.routes, payload, targets={}, order_key=None, hops=0, now=EXAMPLE_TIME, new_id=lambda: "1").planned
    )


def test_there_are_sixty_right_ones_and_forty_wrong_ones():
    assert len(RIGHT_MAPPINGS) + len(RIGHT_ROUTES) >= 60
    assert len(WRONG_MAPPINGS) + len(WRONG_ROUTES) >= 40


@pytest.mark.parametrize(("source", "case"), **named(RIGHT_MAPPINGS))
def test_a_right_mapping_has_no_finding_and_makes_what_the_target_takes(source, case):
    catalog, findings, _ = findings_of(source, case)
    assert [(one.code, one.place, one.text) for one in findings] == []
    for name, payload in SOURCES[source]["samples"].items():
        assert catalog.contract(Ref("market", f"{source}.told", 1)).check(payload) == []
        made = apply(catalog, source, payload)
        assert catalog.contract(TARGET).check(made) == [], name
        if name in (case.get("gives") or {}):
            assert plain(made) == case["gives"][name], name


@pytest.mark.parametrize(("source", "case"), **named(RIGHT_ROUTES))
def test_a_right_route_has_no_finding_and_takes_what_it_says(source, case):
    catalog, findings, _ = findings_of(source, case)
    assert [(one.code, one.place, one.text) for one in findings] == []
    took = [name for name, payload in SOURCES[source]["samples"].items() if taken(catalog, payload)]
    assert sorted(took) == sorted(case["takes"])
    for name in took:
        assert catalog.contract(TARGET).check(apply(catalog, source, SOURCES[source]["samples"][name])) == []


@pytest.mark.parametrize(("source", "case"), **named(WRONG_MAPPINGS + WRONG_ROUTES))
def test_a_mistake_is_found_at_its_line_and_nothing_else_is(source, case):
    _, findings, marks = findings_of(source, case)
    assert len(marks) >= 1
    assert Counter((one.file, one.line, one.code) for one in findings) == Counter(marks), [
        f"{one.place} {one.code} {one.text}" for one in findings
    ]
    assert all(one.fix and len(one.text) > 10 for one in findings)


@pytest.mark.parametrize(("source", "case"), **named(WRONG_MAPPINGS))
def test_a_wrong_mapping_really_fails(source, case):
    catalog, _, _ = findings_of(source, case)
    payload = sample_of(source, case.get("fails") or case["drops"], case)
    assert catalog.contract(Ref("market", f"{source}.told", 1)).check(payload) == [], "the sample itself must be right"
    if "drops" in case:
        assert apply(catalog, source, payload) == {}
        return
    try:
        made = apply(catalog, source, payload)
    except GiveUp:
        return
    assert catalog.contract(TARGET).check(made) != [], made


@pytest.mark.parametrize(("source", "case"), **named([pair for pair in WRONG_ROUTES if "E604" in pair[1]["route"]]))
def test_a_condition_that_never_holds_takes_no_sample(source, case):
    catalog, _, _ = findings_of(source, case)
    assert not any(taken(catalog, payload) for payload in SOURCES[source]["samples"].values())
