"""Messages that look as if they had been accepted and settled days ago: their ids, times and those of their deliveries
are old.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hub.core.model.delivery import Delivered
from hub.core.model.ids import uuid7
from hub.store.columns import to_micros
from tests.support.making import claim, laid, settled

NOW = datetime.now(UTC)


def days_ago(number):
    return NOW - timedelta(days=number)


def old_id(at):
    return uuid7(int(at.timestamp() * 1000), os.urandom(10))


def old(number, **given):
    """Laid as on the day that is `number` days ago."""
    one, at = laid(**given), days_ago(number)
    message = replace(one.message, id=old_id(at), received_at=at)
    return replace(
        one, message=message, deliveries=tuple(replace(planned, id=old_id(at)) for planned in one.deliveries)
    )


def add_old(store, store_url, number, *, many=1, outcome=None, **given):
    """Adds, tries once, and ages what was added. Gives what was laid."""
    added = [old(number, **given) for _ in range(many)]
    store.add(added)
    claims = [held for _ in range(3) for held in claim(store, size=4_000)]
    store.settle([settled(held, outcome or Delivered()) for held in claims])
    age(store_url, [planned.id for one in added for planned in one.deliveries], days_ago(number))
    return added


def age(store_url, delivery_ids, at):
    engine = sa.create_engine(store_url)
    stamp = at if engine.dialect.name == "postgresql" else to_micros(at)
    with engine.begin() as connection:
        for id_ in delivery_ids:
            connection.execute(
                sa.text("UPDATE delivery SET changed_at = :at, first_at = :at, due_at = :at WHERE id = :id"),
                {"at": stamp, "id": id_},
            )
    engine.dispose()


def count(store_url, table):
    engine = sa.create_engine(store_url)
    with engine.connect() as connection:
        number = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    return number
