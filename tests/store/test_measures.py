"""What is not over, counted for `/metrics`: by lane and state, and what capacities have given. On both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.message import Ref
from hub.core.model.capacity_windows import quota
from hub.core.model.delivery import Dead, Hold, Slot, Status
from hub.store.columns import EPOCH
from hub.store.queries import measures
from tests.support.making import TARGET, claim, laid, settled

NO = Cause(Reason.REFUSED, "no")
OTHER = Ref("carrier", "parcel.create", 1)


def planned(**given):
    one = laid()
    return replace(one, deliveries=tuple(replace(delivery, **given) for delivery in one.deliveries))


def test_an_empty_store_has_nothing_that_waits(store):
    assert store.backlog() == measures.Backlog({}, {})


def test_what_is_not_over_is_counted_by_lane_and_state_and_the_rest_is_not(store):
    # Given ten messages to two lanes each; of one lane some are claimed, and end in each way
    store.add([laid(targets=(TARGET, OTHER)) for _ in range(10)])
    claims = claim(store, size=6)
    store.settle(
        [settled(claims[0]), settled(claims[1], Dead(NO)), settled(claims[2], Dead(NO)), settled(claims[3], Hold(NO))]
    )
    # Then all that waits for somebody is counted, and what was delivered waits for nobody
    assert store.backlog().waiting == {
        ("warehouse", Status.PENDING): 4,
        ("warehouse", Status.LEASED): 2,
        ("warehouse", Status.DEAD): 2,
        ("warehouse", Status.HELD): 1,
        ("carrier", Status.PENDING): 10,
    }
    books = store.conservation().by_status
    for status in measures.OPEN:
        assert sum(number for (_, one), number in store.backlog().waiting.items() if one is status) == books[status]


def test_a_capacity_says_how_many_places_are_given_and_to_how_many(store):
    for key, number in (("a", 3), ("b", 1)):
        store.add([planned(slot=Slot("outbound", key, quota("2/hour"))) for _ in range(number)])
    assert store.backlog().capacity == {"outbound": (2, 4)}
    # What is over is nobody's any more
    store._database.write(
        lambda connection: connection.execute(
            sa.text("UPDATE capacity SET ends_at = :past"),
            {"past": store._database.stamp(datetime.now(UTC) - timedelta(days=1))},
        )
    )
    assert store.backlog().capacity == {}


# the words of a plan are each database's own
@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
def test_it_reads_no_more_than_what_waits(store):
    """Each state by the partial index that its work is found by: what was delivered, nearly all of a table, is not
    looked at.
    """
    store.add([laid() for _ in range(300)])
    while claims := claim(store):
        store.settle([settled(one) for one in claims])
    store.add([laid()])
    store._database.write(lambda connection: connection.execute(sa.text("ANALYZE")))
    explain = "EXPLAIN " if store._database.is_postgresql else "EXPLAIN QUERY PLAN "
    rows = store._database.read(
        lambda connection: connection.execute(
            sa.text(explain + measures._WAITING.text), {"never": store._database.stamp(EPOCH)}
        ).all()
    )
    plan = "\n".join(str(column) for row in rows for column in row)
    assert plan.count("ix_delivery_") >= len(measures.OPEN), plan
    assert "Seq Scan" not in plan
    assert not [line for line in plan.splitlines() if line.startswith("SCAN delivery") and "INDEX" not in line], plan
