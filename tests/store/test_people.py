"""Tries of signing in, counted before they are made: by any number of threads and processes, on each database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hub.store import open_store

WINDOW = timedelta(minutes=5)


def test_of_many_at_once_no_more_are_let_through_than_the_limit(store, store_url):
    other = open_store(store_url)
    try:
        with ThreadPoolExecutor(12) as threads:
            counts = list(
                threads.map(
                    lambda number: (store, other)[number % 2].take_try({"name a": 7, "pair x a": None}, WINDOW),
                    range(60),
                )
            )
    finally:
        other.close()
    assert sorted(one["name a"] for one in counts if one is not None) == list(range(1, 8))
    # What was refused is counted nowhere: a name that is shut for one address is not shut by that for others
    assert store.tries(["pair x a"], WINDOW)["pair x a"].failed == 7


def test_a_good_try_is_given_back_and_a_window_ends(store):
    assert [store.take_try({"name b": 2}, WINDOW) for _ in range(3)] == [{"name b": 1}, {"name b": 2}, None]
    store.give_back(["name b", "nobody's"])
    assert store.take_try({"name b": 2}, WINDOW) == {"name b": 2}
    assert store.take_try({"name b": 2}, timedelta(0)) == {"name b": 1}


def test_a_new_password_begins_the_count_anew_for_its_name_alone(store):
    store.add_user("a_b", "hash", "viewer", by="test")
    for scope in ("name a_b", "pair 192.0.2.1 a_b", "device 00 a_b", "name axb", "pair 192.0.2.1 b"):
        store.take_try({scope: 1}, WINDOW)
    store.change_user("a_b", by="test", password_hash="other")
    left = store.tries(["name a_b", "pair 192.0.2.1 a_b", "device 00 a_b", "name axb", "pair 192.0.2.1 b"], WINDOW)
    assert {scope for scope, one in left.items() if one.failed} == {"name axb", "pair 192.0.2.1 b"}
