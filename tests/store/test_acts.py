"""The record of acts: one for each, in the act's own transaction, and a chain that shows what was done to it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from hub.store import KeyRow
from hub.store.accounts import acts
from hub.store.engine.database import Database


@pytest.fixture
def engine(store, store_url):
    made = sa.create_engine(store_url)
    yield made
    made.dispose()


def key(store, id_="k_1"):
    return KeyRow(id_, "shop", ("shop",), "default", "h", "s", store.now())


def said(store):
    return [(one.by, one.what, one.object) for one in reversed(store.acts())]


def test_each_act_has_one_record_and_what_changes_nothing_has_none(store):
    # Given acts of two people, one of them twice
    store.add_key(key(store), by="ann")
    assert store.revoke_key("k_1", store.now(), by="bob")
    assert store.revoke_key("k_1", store.now(), by="bob")
    assert not store.revoke_key("no such", store.now(), by="bob")
    # Then each that changed something is there, once, newest first, and can be found by who, what and on which
    assert said(store) == [("ann", "key.made", "k_1"), ("bob", "key.revoked", "k_1")]
    assert [one.what for one in store.acts(by="ann")] == ["key.made"]
    assert [one.what for one in store.acts(what="key.")] == ["key.revoked", "key.made"]
    assert [one.what for one in store.acts(what="key.made")] == ["key.made"]
    assert store.acts(object_="k_2") == []
    assert [one.sequence for one in store.acts(limit=1, before=2)] == [1]


def test_an_act_that_is_undone_leaves_no_record(store):
    store.add_key(key(store), by="ann")
    with pytest.raises(ValueError, match="exists"):
        store.add_key(key(store), by="bob")
    assert said(store) == [("ann", "key.made", "k_1")]


def test_an_act_whose_record_cannot_be_written_is_not_done(store, engine):
    # Given a chain that cannot be written to
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM act_head"))
    # When somebody makes a key, then there is neither a record nor a key
    with pytest.raises(sa.exc.NoResultFound):
        store.add_key(key(store), by="ann")
    assert store.keys() == []


def test_many_at_once_make_one_chain(store):
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda number: store.note_act(by=f"p{number % 3}", what="value.revealed", details={"n": number}),
                range(60),
            )
        )
    verdict = store.verify_acts()
    assert (verdict.records, verdict.broken) == (60, None)
    assert [one.sequence for one in store.acts(limit=100)] == list(range(60, 0, -1))


CHANGES = {
    "altered": ("UPDATE act SET details = '{}' WHERE sequence = 3", 3, "altered"),
    "someone else": ("UPDATE act SET \"by\" = 'eve' WHERE sequence = 2", 2, "altered"),
    "taken out": ("DELETE FROM act WHERE sequence = 3", 3, "missing"),
    "cut off": ("DELETE FROM act WHERE sequence >= 4", 4, "end at 3"),
    "the first one": ("DELETE FROM act WHERE sequence = 1", 1, "missing"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_done_to_the_chain_is_named(store, engine, name):
    # Given five records
    for number in range(5):
        store.note_act(by="ann", what="value.revealed", object_=f"m-{number}", details={"why": "a call"})
    assert store.verify_acts().broken is None
    # When somebody changes the table
    statement, broken, text = CHANGES[name]
    statement = statement.replace('"', "`") if engine.dialect.name in ("mariadb", "mysql") else statement
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    # Then the first record that is wrong is named
    verdict = store.verify_acts()
    assert verdict.broken == broken
    assert text in verdict.text


def test_a_chain_written_anew_does_not_fit_an_anchor_that_was_kept(store, store_url):
    # Given three records, and their head kept elsewhere
    for number in range(3):
        store.note_act(by="ann", what="value.revealed", object_=f"m-{number}")
    anchor = store.verify_acts().head
    assert store.verify_acts(anchor=anchor).broken is None
    # When somebody who may write everything writes the whole chain anew, as one that stands in itself
    other = Database(store_url, writer=False)

    def work(connection):
        connection.execute(sa.text("DELETE FROM act"))
        connection.execute(sa.text("UPDATE act_head SET sequence = 0, hash = ''"))
        for number in range(4):
            acts.record(other, connection, "ann", "value.revealed", f"x-{number}", {})

    other.write(work)
    other.close()
    # Then the chain stands, and the anchor does not
    assert store.verify_acts().broken is None
    assert store.verify_acts(anchor=anchor).broken == 3
    with pytest.raises(ValueError, match="not an anchor"):
        store.verify_acts(anchor="three")


def test_many_ids_are_named_by_their_number_and_hash():
    ids = [f"d-{number}" for number in range(acts.MOST_IDS + 1)]
    told = acts.named(ids)
    assert (told["number"], len(told["ids"]), len(told["sha256"])) == (len(ids), acts.MOST_IDS, 64)
    assert acts.named(["a"]) == {"number": 1, "ids": ["a"]}


def test_what_cannot_be_text_everywhere_is_kept_readable(store):
    store.note_act(by="ann\x00\ud800", what="value.revealed", object_="x" * 400, details={"why": "\x00\ud800 客户来电"})
    [one] = store.acts()
    assert (one.by, len(one.object)) == ("ann??", 255)
    assert one.details == {"why": "\x00\ud800 客户来电"}
    assert store.verify_acts().broken is None
    assert json.dumps(one.details)
