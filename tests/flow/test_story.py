"""An order's life, and what is missing of it: a reply that a route demands, and what usually follows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.core.message import Ref
from hub.flow.views.story import story
from tests.support.aged import old_id
from tests.support.hubs import small_workspace
from tests.support.making import claim, laid, settled
from tests.support.servers import small_hub

NOW = datetime.now(UTC)


@pytest.fixture
def hub(tmp_path):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    with small_hub(folder, f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        yield made


def add(hub, at, number, ref, *, targets=()):
    one = laid(keys=(("orderNo", number),), targets=targets)
    hub.store.add([replace(one, message=replace(one.message, id=old_id(at), received_at=at, ref=ref))])


def test_what_usually_follows_is_missed_once_it_is_late(hub):
    placed, shipped = Ref("shop", "order.placed", 1), Ref("warehouse", "order.shipped", 1)
    # Given ten orders that were shipped within a minute, and one of an hour ago that was not
    for number in range(10):
        add(hub, NOW - timedelta(hours=3, minutes=number), f"SO-{number}", placed)
        add(hub, NOW - timedelta(hours=3, minutes=number, seconds=-50), f"SO-{number}", shipped)
    add(hub, NOW - timedelta(hours=1), "SO-X", placed)
    # Then it says what is missing, from how many cases it knows, and since when
    told = story(hub, "SO-X")
    [gap] = told["gaps"]
    assert (gap["kind"], gap["expected"], gap["isLate"], gap["of"]) == ("next", "warehouse/order.shipped", True, 11)
    assert gap["share"] == 0.91
    assert not told["isOver"]
    assert story(hub, "SO-1")["gaps"] == []
    assert story(hub, "SO-1")["isOver"]


def test_nothing_is_missed_where_little_is_known(hub):
    placed, shipped = Ref("shop", "order.placed", 1), Ref("warehouse", "order.shipped", 1)
    for number in range(2):
        add(hub, NOW - timedelta(hours=3), f"SO-{number}", placed)
        add(hub, NOW - timedelta(hours=2), f"SO-{number}", shipped)
    add(hub, NOW - timedelta(hours=1), "SO-X", placed)
    assert story(hub, "SO-X")["gaps"] == []
    assert story(hub, "no such") is None


def test_a_delivery_on_its_way_is_no_gap(hub):
    add(
        hub,
        NOW - timedelta(seconds=5),
        "SO-1",
        Ref("shop", "order.placed", 1),
        targets=(Ref("warehouse", "order.create", 1),),
    )
    told = story(hub, "SO-1")
    assert (told["gaps"], told["isOver"]) == ([], False)
    hub.store.settle([settled(one) for one in claim(hub.store)])
    assert story(hub, "SO-1")["isOver"]
