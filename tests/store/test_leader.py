"""Leading (promise P5, fault F8, `lead.held`), on both databases: one leads, and who was stopped beyond its term
changes nothing.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.core.errors import StoreBusy
from hub.store import NotLeading
from hub.store.accounts import leader
from hub.store.engine.database import Database
from tests.support.making import claim, laid, settled
from tests.support.waiting import wait_until

FAR = timedelta(days=1)
on_servers = pytest.mark.parametrize(
    "store_url", ["postgresql", "mariadb"], indirect=True
)  # on SQLite one transaction writes at a time, and one process owns time


def ended(store, number=1):
    """Messages that have ended; gives their ids."""
    added = [laid() for _ in range(number)]
    store.add(added)
    store.settle([settled(held) for held in claim(store)])
    return [one.message.id for one in added]


def test_of_two_contenders_one_leads(store):
    first = store.lead("keep", "a", term_s=30)
    assert first.is_held()
    assert store.lead("keep", "b", term_s=30) is None
    assert store.leader("keep").holder == "a"
    # Another name is another lead
    assert store.lead("polls", "b", term_s=30) is not None


def test_a_renewal_keeps_the_token_and_a_take_over_raises_it(store):
    first = store.lead("keep", "a", term_s=30)
    assert store.lead("keep", "a", term_s=0.0).token == first.token
    second = store.lead("keep", "b", term_s=0.0)
    assert second.token == first.token + 1
    # Whoever let its own term end starts anew too
    assert store.lead("keep", "b", term_s=30).token == first.token + 2


def test_of_many_that_try_at_once_one_leads(store):
    taken = []

    def contend(name):
        try:
            taken.append(store.lead("keep", name, term_s=30))
        except StoreBusy:  # they queue for SQLite's one connection
            taken.append(None)

    threads = [threading.Thread(target=contend, args=(f"w{number}",)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len([one for one in taken if one is not None]) == 1


def test_who_was_stopped_beyond_its_term_changes_nothing(store):
    # Given a leader that was stopped, and another that took over when its term was over
    ids = ended(store)
    before = datetime.now(UTC) + FAR
    stopped = store.lead("keep", "a", term_s=0.0)
    second = store.lead("keep", "b", term_s=30)
    # When the first is awake again, then it knows by its own clock that it no longer leads
    assert not stopped.is_held()
    # And where its clock is wrong, each of its acts is refused all the same
    wrong = replace(stopped, until=time.monotonic() + 3600)
    with pytest.raises(NotLeading):
        store.prune(ids, before=before, held=wrong)
    assert store.message(ids[0]) is not None
    assert not store.resign(wrong)
    # And the second's are not
    assert store.prune(ids, before=before, held=second).messages == 1


def test_a_term_that_is_over_ends_the_lead_although_nobody_took_it(store):
    ids = ended(store)
    alone = replace(store.lead("keep", "a", term_s=0.0), until=time.monotonic() + 3600)
    with pytest.raises(NotLeading):
        store.prune(ids, before=datetime.now(UTC) + FAR, held=alone)


def test_the_lead_that_is_given_up_is_free_at_once(store):
    first = store.lead("keep", "a", term_s=3600)
    assert store.resign(first)
    assert not store.resign(first)
    assert store.lead("keep", "b", term_s=30).token == first.token + 1


def test_the_local_term_ends_no_later_than_the_databases(store):
    # Counted from before the question, on the monotonic clock: no wall clock of this process has a part in it
    began = time.monotonic()
    held = store.lead("keep", "a", term_s=60)
    assert began + 60 <= held.until <= time.monotonic() + 60
    assert store.leader("keep").until >= store.now() + timedelta(seconds=59)


_LEADER = """
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hub.store import NotLeading, open_store

store = open_store(sys.argv[1])
held = store.lead("keep", "stopped", term_s=1.0)
print(held.token, flush=True)
sys.stdin.readline()
for lead in (held, replace(held, until=float("inf"))):
    try:
        store.prune(sys.argv[2:], before=datetime.now(UTC) + timedelta(days=1), held=lead)
        print("changed something")
    except NotLeading:
        print("refused")
store.close()
"""


def test_a_process_that_was_stopped_changes_nothing_when_it_is_awake_again(store, store_url):
    """`lead.held`: a real process, stopped by the kernel in the middle of its term."""
    ids = ended(store)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    words = [sys.executable, "-c", _LEADER, store_url, *ids]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        token = int(process.stdout.readline())
        process.send_signal(signal.SIGSTOP)
        second = wait_until(lambda: store.lead("keep", "second", term_s=60), seconds=20, what="the end of the term")
        assert second.token == token + 1
        process.send_signal(signal.SIGCONT)
        assert process.communicate("go on\n", timeout=60)[0].split() == ["refused", "refused"]
    assert store.message(ids[0]) is not None
    assert store.leader("keep").holder == "second"


@on_servers
def test_nobody_takes_over_in_the_midst_of_an_act(store, store_url):
    """A term that ends during an act: the act is one of the old leader's, whole, or it is none."""
    database = Database(store_url, writer=True)
    first = store.lead("keep", "a", term_s=0.5)
    with database.writing.connect() as connection, connection.begin():
        leader.assert_leads(database, connection, first)
        time.sleep(0.6)
        assert store.lead("keep", "b", term_s=30) is None
    assert store.lead("keep", "b", term_s=30) is not None
    database.close()


@on_servers
def test_a_clock_that_is_wrong_gives_nobody_the_lead(store_url, store):
    """A process whose wall clock is an hour ahead: the database's clock decides (on SQLite one process owns time)."""
    assert store.lead("keep", "a", term_s=30)
    script = (
        "import time; right = time.time_ns, time.time; time.time_ns = lambda: right[0]() + 3600 * 10**9; time.time = lambda: right[1]() + 3600\n"
        f"from hub.store import open_store; store = open_store({store_url!r}); print(store.lead('keep', 'ahead', term_s=30)); store.close()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
