"""Fair share between callers in one lane: who waits with much does not keep the others waiting, on all databases."""

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hub.core.model.delivery import Priority
from hub.store.messages import claim as claiming
from tests.support.making import claim, laid


def of(caller, count, *, priority=Priority.NORMAL, order_key=None):
    made = []
    for _ in range(count):
        one = laid(order_key=order_key)
        made.append(
            replace(
                one,
                message=replace(one.message, caller=caller),
                deliveries=tuple(replace(line, priority=priority) for line in one.deliveries),
            )
        )
    return made


def callers(claims):
    return [one.message.caller for one in claims]


def test_one_message_does_not_wait_behind_a_thousand_of_another_caller(store):
    # Given a thousand of one caller, when another posts one
    store.add(of("bulk", 1_000))
    store.add(of("small", 1))
    assert callers(claim(store, size=20)) == ["bulk"] * 20  # by age; it was filled, so there is more than one round
    # Then the very next claim has it, and after that all places are the other's again
    assert callers(claim(store, size=20)).count("small") == 1
    assert set(callers(claim(store, size=20))) == {"bulk"}


def test_half_of_the_places_are_dealt_out_evenly_each_callers_oldest_first(store):
    added = {name: of(name, 30) for name in ("a", "b", "c")}
    for batch in added.values():
        store.add(batch)
    assert store.return_leases(claim(store, size=12)) == 12  # a lane in which more waits than a claim takes
    claims = claim(store, size=12)
    for name, batch in added.items():
        mine = [one.id for one in claims if one.message.caller == name]
        assert len(mine) >= 2
        # of one instant: by their ids
        assert mine == sorted(line.id for one in batch for line in one.deliveries)[: len(mine)]
    assert len(claims) == 12


def test_with_fewer_places_than_callers_everybody_has_a_turn(store):
    for name in ("a", "b", "c", "d"):
        store.add(of(name, 60))
    # One place a claim: sixty turns, and none of four is left out
    seen = [callers(claim(store, size=1)) for _ in range(60)]
    assert {one for [one] in seen} == {"a", "b", "c", "d"}


@pytest.mark.parametrize("size", [1, 5, 16, 100])
def test_a_claim_never_takes_more_than_it_may(store, size):
    for name in ("a", "b", "c"):
        store.add([*of(name, 40), *of(name, 40, priority=Priority.URGENT), *of(name, 40, priority=Priority.BULK)])
    claims = claim(store, size=size)
    assert 0 < len(claims) <= size
    assert len({one.id for one in claims}) == len(claims)


def test_urgent_work_goes_before_all_callers_and_leaves_a_few_places(store):
    store.add(of("bulk", 100))
    store.add(of("other", 100, priority=Priority.URGENT))
    claims = claim(store, size=32)
    assert callers(claims).count("other") == 30
    assert callers(claims)[0] == "other"


def test_one_key_of_two_callers_goes_in_the_order_of_their_posts(store):
    # Given one business key that two callers post on in turn
    added = [*of("a", 1, order_key="SO-1"), *of("b", 1, order_key="SO-1"), *of("a", 1, order_key="SO-1")]
    for one in added:
        store.add([one])
    # Then only the first may go
    assert [one.message.id for one in claim(store)] == [added[0].message.id]


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
def test_a_claim_goes_along_its_indexes_alone_however_much_each_caller_has(store):
    # Given three callers with much, when the database is asked how it claims
    for name in ("a", "b", "c"):
        store.add(of(name, 1_000))
    kind, given = (
        store._database.kind,
        {"lane": "warehouse", "size": 100, "kept": 6, "token": "t", "worker": "w", "rank": 1, "limit": 97},
    )
    statement, explain = (
        (claiming._POSTGRESQL[True], "EXPLAIN (ANALYZE, TIMING OFF) ")
        if kind == "postgresql"
        else (claiming._SQLITE_RANK, "EXPLAIN QUERY PLAN ")
    )

    def work(connection):
        if kind == "postgresql":
            connection.execute(sa.text("ANALYZE delivery"))
        now = store._database.clock(connection)
        rows = connection.execute(sa.text(explain + statement.text), {**given, "now": now, "until": now}).all()
        connection.rollback()
        return "\n".join(str(row[-1]) for row in rows)

    with store._database.writing.connect() as connection:
        plan = work(connection)
    # Then it finds them without a walk through the table (joining a hundred ids to so small a one is the planner's own
    # affair), and takes no more rows off an index than it looks at
    assert not re.search(r"Seq Scan on delivery \w", plan)
    assert not re.search(r"SCAN (d|f|e|b|delivery)\b(?! USING)", plan)
    taken = [int(number) for number in re.findall(r"using ix_delivery_(?:due|caller) [^\n]*actual rows=(\d+)", plan)]
    assert all(number <= 100 for number in taken)
