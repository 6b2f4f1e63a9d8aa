"""Search on all databases: what fits is found, and nothing else; pages go both ways; a rare filter ends its work and
says how far it came.
"""

import itertools
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.core.errors import Cause, Reason
from hub.core.message import Disposition, Ref
from hub.core.model.delivery import Dead, Hold, Status
from hub.core.model.ids import uuid7
from hub.store.queries import search
from hub.store.queries.search import Filters, Place
from tests.support.aged import old_id
from tests.support.making import TARGET, claim, laid, seen, settled

OTHER = Ref("carrier", "parcel.create", 2)
NOW = datetime.now(UTC)
SERIAL = itertools.count(1)


def message(at=None, *, targets=(TARGET,), **given):
    """Accepted at `at`, under an id of that time."""
    at = at or NOW - timedelta(seconds=1_000) + timedelta(seconds=next(SERIAL) % 1_000)
    one = laid(targets=targets)
    made = replace(one.message, id=old_id(at), received_at=at, **given)
    return replace(one, message=made, deliveries=tuple(replace(line, id=old_id(at)) for line in one.deliveries))


def whole(store, filters, limit=7):
    """All pages, forwards; and back again, which must be the same."""
    rows, place, pages = [], None, []
    while True:
        page = store.find(filters, limit=limit, place=place)
        rows += page.rows
        pages.append(page)
        if not page.has_more:
            break
        place = page.last
    back = []
    place = pages[-1].first
    while place is not None:
        page = store.find(filters, limit=limit, place=place, is_older=False)
        back = [*page.rows, *back]
        place = page.first if page.has_more else None
    assert [row.id for row in back] == [row.id for row in rows[: len(rows) - len(pages[-1].rows)]]
    return rows


@pytest.fixture
def filled(store):
    """Forty messages of all kinds; gives those that were laid."""
    added = []
    for number in range(40):
        given = {"version": number % 3 + 1} if number % 2 else {}
        ref = Ref("shop" if number % 4 else "oms", "order.placed", given.get("version", 1))
        targets = () if number % 10 == 9 else (TARGET, OTHER) if number % 5 == 0 else (TARGET,)
        one = message(ref=ref, targets=targets, caller=f"k_{number % 3}", raw=b"x" * (number + 1))
        if not targets and number % 20 == 19:
            one = replace(one, message=replace(one.message, disposition=Disposition.FILTERED))
        added.append(one)
    store.add(added)
    return added


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(type="shop/order.placed"),
        Filters(system="oms"),
        Filters(version=2),
        Filters(caller="k_1", type="shop/order.placed"),
        Filters(disposition=Disposition.UNROUTED),
        Filters(disposition=Disposition.FILTERED),
        Filters(disposition=Disposition.UNROUTED, type="shop/order.placed"),
        Filters(lane="carrier"),
        Filters(target=str(TARGET), route="orders"),
        Filters(min_bytes=10, max_bytes=20),
        Filters(since=NOW - timedelta(seconds=990), until=NOW - timedelta(seconds=975)),
        Filters(status=Status.PENDING, lane="carrier"),
        Filters(status=Status.DELIVERED),
        Filters(min_attempts=1),
    ],
    ids=lambda filters: "-".join(name for name, value in asdict(filters).items() if value is not None) or "none",
)
def test_what_fits_is_found_in_order_and_counted(store, filled, filters):
    def fits(one):
        message_, lines = (
            one.message,
            [
                line
                for line in one.deliveries
                if filters.lane in (None, line.ref.system) and filters.target in (None, str(line.ref))
            ],
        )
        return (
            filters.type in (None, message_.ref.type)
            and filters.system in (None, message_.ref.system)
            and filters.version in (None, message_.ref.version)
            and filters.caller in (None, message_.caller)
            and filters.disposition in (None, message_.disposition)
            and (filters.since is None or filters.since <= message_.received_at < filters.until)
            and (filters.min_bytes is None or filters.min_bytes <= len(message_.raw) <= filters.max_bytes)
            and (bool(lines) or not filters.is_about_deliveries)
            and filters.status in (None, Status.PENDING)
            and filters.min_attempts is None
        )

    wanted = sorted(
        (one.message for one in filled if fits(one)), key=lambda one: (one.received_at, one.id), reverse=True
    )
    assert [row.id for row in whole(store, filters)] == [one.id for one in wanted]
    counted = store.count_found(filters)
    assert (counted.number, counted.is_exact, counted.scanned_until) == (len(wanted), True, None)
    if len(wanted) > 5:
        assert store.count_found(filters, most=5) == search.SearchCount(5, is_exact=False)


def test_what_waits_is_found_by_its_state_its_cause_and_its_route(store):
    # Given messages with several dead deliveries each, and one that is held
    store.add([message(targets=(TARGET, OTHER)) for _ in range(9)])
    for lane in ("warehouse", "carrier"):
        for number, one in enumerate(claim(store, lane=lane, size=50)):
            why = Cause(Reason.REFUSED if number % 2 else Reason.BAD_ANSWER, "no")
            store.settle([settled(one, Hold(why) if number == 0 else Dead(why))])
    store.name_clusters()
    # Then each message stands once, however many of its deliveries fit, also over the end of a page
    rows = whole(store, Filters(status=Status.DEAD), limit=2)
    assert len(rows) == len({row.id for row in rows})
    dead = {row.message_id for row in store.waiting(Status.DEAD)}
    assert {row.id for row in rows} == dead
    assert store.count_found(Filters(status=Status.DEAD)).number == len(dead)
    refused = {row.message_id for row in store.waiting(Status.DEAD) if row.why.reason is Reason.REFUSED}
    assert {row.id for row in whole(store, Filters(reason=Reason.REFUSED))} == refused
    of_carrier = {row.message_id for row in store.waiting(Status.DEAD) if row.lane == "carrier"}
    assert {row.id for row in whole(store, Filters(status=Status.DEAD, lane="carrier"))} == of_carrier
    one = next(line.cluster for line in store.clusters() if line.status is Status.DEAD)
    assert whole(store, Filters(clusters=(one.id,), status=Status.DEAD))
    for nothing in (
        Filters(clusters=()),
        Filters(reason=Reason.POISON),
        Filters(status=Status.UNKNOWN),
        Filters(status=Status.DEAD, type="no/such"),
    ):
        assert whole(store, nothing) == []
        assert store.count_found(nothing).number == 0


def test_a_rare_filter_ends_its_work_and_goes_on_where_it_ended(store, monkeypatch):
    # Given far more messages than one question may read, and the only one that fits is the oldest
    monkeypatch.setattr(search, "WORK", 2 * search.BLOCK)
    store.add([message(NOW - timedelta(days=1), caller="rare")])
    store.add([message(NOW - timedelta(minutes=number % 600)) for number in range(3 * search.BLOCK)])
    # When it is asked for, then the page is empty, says how far it came, and where it goes on
    page = store.find(Filters(caller="rare"))
    assert page.rows == ()
    assert page.scanned_until is not None
    assert page.has_more
    counted = store.count_found(Filters(caller="rare"))
    assert (counted.number, counted.is_exact) == (0, False)
    turns = 1
    while page.has_more and not page.rows:
        page = store.find(Filters(caller="rare"), place=page.last)
        turns += 1
    assert [row.caller for row in page.rows] == ["rare"]
    assert 2 <= turns <= 4
    assert page.scanned_until is None


def test_so_does_one_over_what_waits(store, monkeypatch):
    # Given dead deliveries of one caller, and an older one of another
    for number in range(9):
        store.add([message(NOW - timedelta(hours=1 if number else 2), caller="often" if number else "rare")])
    for one in claim(store, size=50):
        store.settle([settled(one, Dead(Cause(Reason.REFUSED, "no")))])
    monkeypatch.setattr(search, "LOOKS", 3)
    monkeypatch.setattr(search, "WORK", 3)
    # When the other one's are asked for, then no question looks at more than its work, and the last one has it
    filters, place, seen_ = Filters(status=Status.DEAD, caller="rare"), None, []
    for _ in range(4):
        page = store.find(filters, place=place)
        seen_.append(([row.caller for row in page.rows], page.scanned_until is not None))
        place = page.last
        if not page.has_more:
            break
    assert seen_ == [([], True), ([], True), (["rare"], True), ([], False)]
    assert (store.count_found(filters).number, store.count_found(filters).is_exact) == (0, False)
    assert [row.caller for row in whole(store, Filters(status=Status.DEAD, lane=TARGET.system), limit=2)] == [
        "often"
    ] * 8 + ["rare"]


def test_numbers_of_every_kind_lead_to_their_messages(store):
    brought, own = "c" * 32, uuid7(int(NOW.timestamp() * 1000), b"0123456789").replace("-", "")
    one = message(NOW, trace_id=own)
    caused = message(NOW + timedelta(hours=3), trace_id=own, cause_id=one.message.id)
    other = message(NOW, trace_id=brought, keys=(("orderNo", "SO 2"), ("waybillNo", "WB-9")))
    third = laid(dedupe_keys=(seen("idem-1"), seen("idem-2", caller="k_other", type_="shop/order.placed")))
    store.add([one, caused, other, third])
    assert store.messages_of("WB-9") == {other.message.id: "key"}
    assert store.messages_of("SO 2") == {other.message.id: "key"}
    assert store.messages_of(one.message.id.upper()) == {one.message.id: "message"}
    assert store.messages_of(one.deliveries[0].id) == {one.message.id: "delivery"}
    assert store.messages_of(own) == {one.message.id: "trace", caused.message.id: "trace"}
    assert store.messages_of(brought) == {other.message.id: "trace"}
    assert store.messages_of("idem-1") == {third.message.id: "idempotency"} == store.messages_of("idem-2")
    for nothing in ("", "no-such", "0" * 32, "00000000-0000-7000-8000-000000000000", "a\0b", "%", "018" * 10 + "01"):
        assert store.messages_of(nothing) == {}
    # And only these are looked through
    assert [row.id for row in store.find(Filters(ids=frozenset(store.messages_of("WB-9")))).rows] == [other.message.id]
    assert store.find(Filters(ids=frozenset(store.messages_of("WB-9")), type="no/such")).rows == ()
    assert store.find(Filters(ids=frozenset())).rows == ()


def test_a_place_that_is_gone_still_leads_on(store, filled):
    page = store.find(Filters(), limit=3)
    gone = Place(page.last.at, "f" * 8)
    assert store.find(Filters(), limit=100, place=gone).rows[0].received_at <= page.last.at


def test_saved_views_belong_to_somebody_or_to_all(store):
    one = store.save_view("v1", name="dead of wms", owner="", question={"target": "wms"}, by="ann")
    mine = store.save_view("v2", name="mine", owner="ann", question={"q": "SO-1"}, by="ann")
    assert (one, mine) == ("v1", "v2")
    assert [view.name for view in store.views("ann")] == ["dead of wms", "mine"]
    assert [view.name for view in store.views("bob")] == ["dead of wms"]
    # The same name of the same owner is replaced, and keeps its id
    assert store.save_view("v3", name="mine", owner="ann", question={"q": "SO-2"}, by="bob") == "v2"
    assert [(view.question, view.changed_by) for view in store.views("ann") if view.id == "v2"] == [
        ({"q": "SO-2"}, "bob")
    ]
    assert not store.delete_view("v2", owner="bob")
    assert store.delete_view("v2", owner="ann")
    assert [view.id for view in store.views("ann")] == ["v1"]


def test_what_usually_follows_is_learnt_from_the_last_ones(store):
    began = NOW - timedelta(hours=5)
    for number in range(10):
        at = began + timedelta(minutes=number)
        keys = (("orderNo", f"SO-{number}"),)
        store.add([message(at, keys=keys, ref=Ref("oms", "order.created", 1))])
        if number != 3:
            store.add([message(at + timedelta(seconds=10 + number), keys=keys, ref=Ref("wms", "shipped", 1))])
    [found] = store.followers("oms/order.created")
    assert (found.type, found.number, found.of) == ("wms/shipped", 9, 10)
    assert timedelta(seconds=10) <= found.median <= found.most <= timedelta(seconds=19)
    assert store.followers("no/such") == []
