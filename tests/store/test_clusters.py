"""What waits for a person, by its cause: named once it waits, counted by its index alone, and named anew when it fails
anew. On all databases.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.core.errors import Cause, Reason
from hub.core.model.capacity_windows import quota
from hub.core.model.cluster import MAX_SHAPES
from hub.core.model.delivery import Dead, Hold, InDoubt, InDoubtPolicy, Slot, Status
from hub.store.queries import clusters
from tests.support.making import claim, laid, settled

NO = Cause(Reason.REFUSED, "The target refused it with 400: no such product SKU-1.", "/items/0/sku", "Mend it.")


def fail(store, *outcomes):
    """One delivery for each outcome, settled so; gives their ids."""
    store.add([laid() for _ in outcomes])
    waiting, ids = list(outcomes), []
    while claims := claim(store, size=min(50, len(waiting))) if waiting else []:
        ids += store.settle([settled(one, waiting.pop(0)) for one in claims])
    return ids


def other(number):
    return Dead(replace(NO, text=NO.text.replace("SKU-1", f"SKU-{number}"), field=f"/items/{number}/sku"))


def test_what_fails_alike_is_one_cluster_with_its_number_and_times(store):
    began = datetime.now(UTC) - timedelta(seconds=5)
    # Given ten that died of one cause, two of another, one in doubt and one held for a person
    fail(store, *(other(number) for number in range(10)))
    fail(
        store,
        *[Dead(replace(NO, text="no address"))] * 2,
        InDoubt(Cause(Reason.NO_ANSWER, "?"), InDoubtPolicy.PARK),
        Hold(Cause(Reason.ORPHANED, "gone")),
    )
    # Before somebody looked, they are counted, and have no name yet
    assert [(one.cluster, one.number) for one in store.clusters() if one.status is Status.DEAD] == [(None, 12)]
    # When they are named, then each cause is one line
    assert store.name_clusters() == 14
    assert store.name_clusters() == 0
    found = store.clusters()
    assert [(one.status, one.number, one.cluster.cause.reason) for one in found] == [
        (Status.DEAD, 10, Reason.REFUSED),
        (Status.DEAD, 2, Reason.REFUSED),
        (Status.HELD, 1, Reason.ORPHANED),
        (Status.UNKNOWN, 1, Reason.NO_ANSWER),
    ]
    first = found[0]
    assert (first.cluster.cause.field, first.cluster.cause.code, str(first.cluster.cause.target)) == (
        "/items/*/sku",
        200,
        "warehouse/order.create@1",
    )
    assert began < first.cluster.first_at <= first.cluster.last_at <= datetime.now(UTC) + timedelta(seconds=5)
    assert (first.last_hour, first.hour_before) == (10, 0)
    assert (first.cluster.sample, first.cluster.fix) != ("", "")
    assert store.cluster(first.cluster.id) == first.cluster
    assert store.cluster("0" * 16) is None


def test_members_come_in_pages_that_neither_skip_nor_repeat(store):
    ids = fail(store, *(other(number) for number in range(7)))
    store.name_clusters()
    [found] = store.clusters()
    for oldest in (False, True):
        paged, before = [], None
        while page := store.cluster_members(found.cluster.id, Status.DEAD, limit=3, before=before, oldest=oldest):
            paged += [row.id for row in page]
            before = (page[-1].changed_at, page[-1].id)
        assert sorted(paged) == sorted(ids)
        assert len(paged) == 7


def test_what_is_replayed_leaves_its_cluster_and_joins_the_one_that_it_fails_by_next(store):
    ids = fail(store, other(1), other(2))
    store.name_clusters()
    [before] = store.clusters()
    # When one is replayed, then one is left
    store.reopen(ids[:1], by="ann")
    assert [one.number for one in store.clusters()] == [1]
    # When it fails by another cause, then it stands there
    [again] = claim(store)
    store.settle([settled(again, Dead(Cause(Reason.SERVER_ERROR, "The target answered 500.")))])
    assert store.name_clusters() == 1
    assert {(one.cluster.cause.reason, one.number) for one in store.clusters()} == {
        (Reason.REFUSED, 1),
        (Reason.SERVER_ERROR, 1),
    }
    # And the cause remembers when it first came up
    assert store.cluster(before.cluster.id).first_at == before.cluster.first_at


def test_what_waits_for_an_hour_waits_for_nobody(store):
    one = laid()
    store.add(
        [
            replace(
                one,
                deliveries=tuple(
                    replace(line, hold_until=datetime.now(UTC) + timedelta(hours=1)) for line in one.deliveries
                ),
            )
        ]
    )
    for _ in range(2):
        one = laid()
        store.add(
            [
                replace(
                    one,
                    deliveries=tuple(
                        replace(line, slot=Slot("orders", "a", quota("1/hour"))) for line in one.deliveries
                    ),
                )
            ]
        )
    assert store.name_clusters() == 0
    assert store.clusters() == []


def test_a_target_that_says_something_else_each_time_is_one_cluster_after_a_while(store):
    words = [f"{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(MAX_SHAPES + 30)]
    fail(store, *(Dead(Cause(Reason.REFUSED, f"no {word}")) for word in words))
    assert store.name_clusters() == len(words)
    assert len(store.clusters()) == MAX_SHAPES + 1
    assert sum(one.number for one in store.clusters()) == len(words)


def test_causes_are_found_by_words_of_their_text(store):
    fail(store, other(1), Dead(Cause(Reason.REFUSED, "100% of _it_ is gone")))
    store.name_clusters()
    assert [one.cause.shape for one in store.clusters_with(["PRODUCT", "such"])] == [
        "The target refused it with # no such product #"
    ]
    assert len(store.clusters_with(["100%"])) == 1
    assert store.clusters_with(["%such%"]) == []
    assert [
        one.cause.reason
        for one in store.clusters_since(
            "warehouse", datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
        )
    ] == [Reason.REFUSED] * 2


# the words of a plan are each database's own
@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
def test_only_what_waits_is_looked_at(store):
    store.add([laid() for _ in range(300)])
    while claims := claim(store):
        store.settle([settled(one) for one in claims])
    fail(store, other(1))
    store.name_clusters()
    store._database.write(lambda connection: connection.execute(sa.text("ANALYZE")))
    explain = "EXPLAIN " if store._database.is_postgresql else "EXPLAIN QUERY PLAN "
    now = store._database.stamp(datetime.now(UTC))
    statement = clusters._COUNT[store._database.kind].text
    rows = store._database.read(
        lambda connection: connection.execute(sa.text(explain + statement), {"hour": now, "two": now}).all()
    )
    plan = "\n".join(str(column) for row in rows for column in row)
    assert plan.count("ix_delivery_cluster") + plan.count("ix_delivery_waiting") >= 3, plan
    assert "Seq Scan" not in plan
