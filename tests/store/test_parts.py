"""Parts by day (PostgreSQL): they are there ahead, what has none is not lost, and statements touch only the days that
they must.
"""

import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.core.errors import Cause, Reason, StoreBusy
from hub.core.model.delivery import Dead
from hub.store import NotLeading
from hub.store.engine import days
from hub.store.retention import partitions
from hub.store.tables import BY_DAY
from tests.support.aged import NOW, add_old, days_ago, old, old_id
from tests.support.making import claim, laid, new_id, settled

WHY = Cause(Reason.REFUSED, "no")
TODAY = NOW.date()
on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture
def cut(store, store_url):
    """A store on PostgreSQL, with parts for the last twelve days too."""
    partitions.make(store._database, [TODAY - timedelta(days=number) for number in range(1, 13)])
    return store


def test_ids_tell_their_day_and_days_stand_between_their_ids():
    for at in (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, 23, 59, 59, 999_000, tzinfo=UTC)):
        id_ = old_id(at)
        assert days.day_of(id_) == date(2026, 6, 1)
        assert days.floor(date(2026, 6, 1)) < id_ < days.floor(date(2026, 6, 2))
    assert days.day_of("not-an-id") is None
    assert days.within("m.id", ["not-an-id"]) == ""
    assert days.within("m.id", [old_id(NOW), "not-an-id"]) == ""


def test_a_new_store_has_parts_for_today_and_some_days_ahead(store, store_url):
    if not store_url.startswith("postgresql"):
        assert store.parts() == []
        assert store.make_parts() == []
        assert store.drop_parts(TODAY) == []
        return
    have = {(part.table, part.day) for part in store.parts()}
    today = store.now().date()
    assert have == {
        (table, day) for table in BY_DAY for day in (None, *(today + timedelta(days=ahead) for ahead in range(4)))
    }
    assert store.make_parts() == []
    assert len(store.make_parts(5)) == 6


@on_postgresql
def test_what_has_no_part_is_found_all_the_same_and_moves_when_its_part_is_made(cut, store_url):
    day = TODAY - timedelta(days=20)
    [one] = add_old(cut, store_url, 20)
    astray = {part.table: part.rows for part in cut.parts() if part.day is None}
    assert astray == {"message": 1, "body": 1, "attempt": 1}
    assert cut.body(one.message.id) == one.message.raw
    # When the part is made, then it takes what was astray
    assert len(partitions.make(cut._database, [day])) == 3
    assert {part.rows for part in cut.parts() if part.day is None} == {0}
    assert cut.body(one.message.id) == one.message.raw
    assert len(cut.attempts(one.deliveries[0].id)) == 1
    assert cut.conservation().unaccounted == 0


@on_postgresql
def test_an_id_that_tells_no_day_is_kept_and_delivered(cut):
    one = laid()
    odd = replace(one, message=replace(one.message, id="an id of another kind"))
    cut.add([odd, laid()])
    claims = claim(cut)
    assert {held.message.id for held in claims} >= {"an id of another kind"}
    assert len(cut.settle([settled(held) for held in claims])) == 2


@on_postgresql
def test_only_empty_parts_of_past_days_are_dropped(cut, store_url):
    [kept] = add_old(cut, store_url, 5, outcome=Dead(WHY))
    add_old(cut, store_url, 6)
    page = cut.prunable(days_ago(4))
    cut.prune([id_ for id_, _ in page.messages], before=days_ago(4))
    dropped = cut.drop_parts(TODAY - timedelta(days=3))
    # Nine days are empty, in three tables; the fifth has a dead letter with its body and attempt
    assert len(dropped) == 3 * 8
    assert not any(f"{TODAY - timedelta(days=5):%Y%m%d}" in name for name in dropped)
    assert cut.body(kept.message.id) == kept.message.raw
    assert cut.drop_parts(TODAY - timedelta(days=3)) == []


@on_postgresql
def test_a_part_of_attempts_stays_while_a_delivery_of_its_day_may_be_tried(cut):
    one = old(6)
    cut.add([replace(one, message=laid().message)])  # laid at midnight, say: the message is of another day
    names = cut.drop_parts(TODAY - timedelta(days=3))
    assert f"attempt_{TODAY - timedelta(days=6):%Y%m%d}" not in names


@on_postgresql
def test_who_does_not_lead_drops_nothing(cut):
    held = cut.lead("keep", "a", term_s=0.0)
    with pytest.raises(NotLeading):
        cut.drop_parts(TODAY, held=held)


def touched(store_url, work):
    """The parts that the statements of `work` scan, as the database's own EXPLAIN tells of each of them, with the
    values that it had.
    """
    seen = set()

    def explain(connection, cursor, statement, parameters, context, executemany):
        if (
            not statement.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT"))
            or "pg_inherits" in statement
        ):
            return
        with connection.connection.dbapi_connection.cursor() as other:
            plan = "\n".join(
                row[0] for row in other.execute("EXPLAIN " + statement, parameters, prepare=False).fetchall()
            )
        seen.update(re.findall(r" on ((?:message|body|attempt)_(?:\d{8}|default))\b", plan))

    sa.event.listen(sa.Engine, "before_cursor_execute", explain)
    try:
        work()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", explain)
    return seen


def parts_of(*ago, tables=tuple(BY_DAY)):
    return {f"{table}_{TODAY - timedelta(days=number):%Y%m%d}" for number in ago for table in tables}


@on_postgresql
def test_statements_touch_only_the_days_that_they_must(cut, store_url):
    added = add_old(cut, store_url, 4, many=30)
    waiting = [old(2), old(2), laid()]
    cut.add(waiting)
    one = added[0].message.id
    assert touched(store_url, lambda: cut.message(one)) == parts_of(4, tables=("message",))
    assert touched(store_url, lambda: cut.body(one)) == parts_of(4, tables=("body",))
    assert touched(store_url, lambda: cut.bodies(one, new_id())) == parts_of(0, 4, tables=("body",))
    assert touched(store_url, lambda: cut.attempts(added[0].deliveries[0].id)) == parts_of(4, tables=("attempt",))
    # A claim of what waits since two days ago and since today: nothing else, but the day between
    claims = []
    assert touched(store_url, lambda: claims.extend(claim(cut))) <= parts_of(0, 1, 2, tables=("message", "body"))
    assert len(claims) == 3
    # Settling writes attempts, and looks into none
    assert touched(store_url, lambda: cut.settle([settled(held) for held in claims])) == set()
    # A story looks for what its messages caused from the day before them on
    assert touched(store_url, lambda: cut.story(waiting[2].message.id)) <= parts_of(
        *range(-4, 2), 2, 4, 5, 3, tables=("message",)
    ) | {"message_default"}


@on_postgresql
def test_a_story_of_today_does_not_look_into_last_week(cut, store_url):
    add_old(cut, store_url, 8, keys=(("orderNo", "OLD"),))
    one = laid(keys=(("orderNo", "NEW"),))
    cut.add([one])
    seen = touched(store_url, lambda: cut.story("NEW"))
    assert seen <= parts_of(*range(-4, 2), tables=("message",)) | {"message_default"}
    assert [row.id for row in cut.story("NEW")] == [one.message.id]


@on_postgresql
def test_a_search_of_late_does_not_look_into_last_week(cut, store_url):
    add_old(cut, store_url, 8)
    cut.add([laid()])
    found = []
    assert touched(store_url, lambda: found.extend(cut.search(since=days_ago(2)))) <= parts_of(
        *range(-4, 4), tables=("message",)
    ) | {"message_default"}
    assert len(found) == 1


@on_postgresql
def test_a_part_that_cannot_be_locked_is_left_to_the_next_round(cut, store_url):
    """Somebody reads for long: whoever makes or drops gives up soon, and holds up nobody."""
    engine = sa.create_engine(store_url)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT count(*) FROM message"))
        began = time.monotonic()
        with pytest.raises(StoreBusy, match="blocks the lock"):
            cut.drop_parts(TODAY - timedelta(days=3))
        with pytest.raises(StoreBusy, match="blocks the lock"):
            cut.make_parts(9)
        assert time.monotonic() - began < 4
        cut.add([laid()])
        assert len(claim(cut)) == 1
    engine.dispose()


@on_postgresql
def test_claims_that_are_prepared_go_on_touching_only_their_days(cut, store_url):
    """After a few runs the database may plan once for all values: the days stand in the statement itself, so that this
    changes nothing.
    """
    for _ in range(12):
        cut.add([laid()])
        assert len(cut.settle([settled(held) for held in claim(cut)])) == 1
    engine = cut._database.writing
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        plans = []
        for (name,) in raw.execute(
            "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM message m JOIN body b%'"
        ).fetchall():
            raw.execute("SET plan_cache_mode = force_generic_plan")
            plans.append(
                "\n".join(row[0] for row in raw.execute(f"EXPLAIN EXECUTE {name} ('{{}}')", prepare=False).fetchall())
            )
            raw.execute("RESET plan_cache_mode")
    assert plans
    for plan in plans:
        assert set(re.findall(r" on ((?:message|body)_\d+|message_default|body_default)", plan)) <= parts_of(
            0, tables=("message", "body")
        )
