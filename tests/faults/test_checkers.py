"""A checker that no bug turns red proves nothing: each bug is planted in a copy of the hub, and the checker that is
there for it must report it.

The same run over the hub as it is must leave every checker silent.
"""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.conftest import missing
from tests.faults.crash import Case, scene
from tests.faults.ground import LEASE_S, Ground
from tests.faults.load import MESSAGES
from tests.support import postgres
from tests.support.hubs import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
UNHURT = Case("nowhere", "nothing", "sqlite")
DRAIN_S = 8  # so long a run that is ill may take to come to its end


@dataclass(frozen=True)
class Bug:
    """What is wrong with the hub: the run that shows it, the finding that tells it, and the changes, as (file, text
    that stands there once, text instead).
    """

    run: str
    finding: str
    changes: tuple[tuple[str, str, str], ...]


BUGS = {
    "rings dropped and sweep off": Bug(
        "undisturbed",
        "stuck",
        (
            ("flow/delivery/counted_notifier.py", "            self._notifier.notify(lanes)\n", "            pass\n"),
            ("worker/ticker.py", "                    look(self._hub, self._rings)\n", "                    pass\n"),
            ("worker/scheduler.py", "        look(self._hub, self._hub.notifier.notify)\n", ""),
        ),
    ),
    "settled before it is sent": Bug(
        "killed before the first byte",
        "lost",
        (
            (
                "flow/deliver.py",
                "        settled.update(_settle(hub, ended))\n        for settlement in ended:\n",
                (
                    "        over = [settlement_of(hub, call, outbound, Exchange(), Reply(), None) for call in calls for outbound in call.deliveries]\n"
                    "        settled.update(_settle(hub, [*ended, *over]))\n        for settlement in ended:\n"
                ),
            ),
        ),
    ),
    "answered before the commit": Bug(
        "killed before a commit",
        "lost",
        (
            (
                "store/commit.py",
                "        try:\n            answers = self._store.add(",
                (
                    "        for laid, future in group:\n            future.set_result(Receipt(laid.message.id, duplicate=False))\n"
                    "        try:\n            answers = self._store.add("
                ),
            ),
            ("store/commit.py", "                future.set_exception(problem)\n", "                pass\n"),
            ("store/commit.py", "            future.set_result(answer)\n", "            pass\n"),
        ),
    ),
    "a delivery is not written": Bug(
        "undisturbed",
        "unaccounted",
        (
            (
                "store/messages/add.py",
                "for row in _delivery_rows(database, accepted, numbers, starts, now)]\n",
                "for row in _delivery_rows(database, accepted, numbers, starts, now)][1:]\n",
            ),
        ),
    ),
    "a refused post is stored": Bug(
        "undisturbed",
        "refused",
        (
            (
                "flow/accept.py",
                "    _check(emit, incoming, now)\n    # keys",
                "    wrong = None\n    try:\n        _check(emit, incoming, now)\n    except Refused as refused:\n        wrong = refused\n    # keys",
            ),
            (
                "flow/accept.py",
                "    return AcceptedMessage(message, deliveries, names, incoming.payload)",
                (
                    "    laid = AcceptedMessage(message, deliveries, names, incoming.payload)\n    if wrong is not None:\n"
                    "        hub.commit.submit(laid)\n        raise wrong\n    return laid"
                ),
            ),
        ),
    ),
    "a repeat is not known": Bug(
        "undisturbed",
        "renamed",
        (("store/messages/add.py", "    answer_repeats(database, connection, batch, answers, now)\n", ""),),
    ),
    "an effect of nobody's": Bug(
        "killed with an answer in hand",
        "unexpected",
        (("flow/outbound.py", "key=claim.id,", 'key=f"{claim.id}-{claim.attempt}",'),),
    ),
    "a new key for each attempt": Bug(
        "killed with an answer in hand",
        "doubled",
        (("flow/outbound.py", "key=claim.id,", 'key=f"{claim.id}-{claim.attempt}",'),),
    ),
    "another key for a repeat": Bug(
        "killed with an answer in hand",
        "two keys",
        (("flow/outbound.py", "key=claim.id,", 'key=f"{claim.id}-{claim.attempt}",'),),
    ),
    "a new key at a replay": Bug(
        "replayed",
        "two keys",
        (
            (
                "flow/outbound.py",
                "key=claim.id,",
                'key=claim.id if claim.spent == claim.attempt else f"{claim.id}-{claim.attempt}",',
            ),
        ),
    ),
    "claimed whatever is unfinished before it, and no unique index": Bug(
        "without the unique index",
        "disordered",
        (
            (
                "store/messages/claim.py",
                "AND e.status IN ('pending', 'leased', 'held', 'unknown') AND e.seq < d.seq)",
                "AND 1 = 0)",
            ),
            (
                "store/messages/claim.py",
                "AND e.order_key = d.order_key AND e.status = 'leased')\n",
                "AND e.order_key = d.order_key AND 1 = 0)\n",
            ),
        ),
    ),
    "settled without the token": Bug(
        "stopped with a request under way",
        "untrue",
        (
            (
                "store/messages/settle.py",
                "fence[settled.claim.id].lease == settled.claim.token",
                "fence[settled.claim.id].lease",
            ),
            (
                "store/messages/settle.py",
                "[_state_row(database, settled, overtaken, now) for settled in ours.values()]",
                "[_state_row(database, replace(settled, claim=replace(settled.claim, token=fence[id_].lease)), overtaken, now) for id_, settled in ours.items()]",
            ),
        ),
    ),
    "dead letters are pruned": Bug(
        "pruned",
        "unaccounted",
        (
            (
                "store/retention/prune.py",
                "for status in Status if status not in ENDED)",
                "for status in Status if status not in (*ENDED, Status.DEAD))",
            ),
        ),
    ),
    "an act and its record are two transactions": Bug(
        "killed before a record",
        "unrecorded",
        (
            (
                "store/accounts/revisions.py",
                (
                    "            acts.record(database, connection, by, ACTIVATED, hash_, details)\n\n    database.write(work)\n"
                ),
                (
                    '    database.write(work)\n    database.write(lambda connection: acts.record(database, connection, by, ACTIVATED, hash_, {"before": ""}))\n'
                ),
            ),
        ),
    ),
    "leases never end": Bug(
        "killed with claims",
        "late",
        (("store/messages/expire.py", "\"WHERE status = 'leased' AND (lease_until", '"WHERE 1 = 0 AND (lease_until'),),
    ),
    "the client sends again by itself": Bug(
        "over connections that die",
        "untrue",
        (
            (
                "kit/http/curl_handle.py",
                "pycurl.PREREQFUNC_ABORT if self._sent > 1 else pycurl.PREREQFUNC_OK",
                "pycurl.PREREQFUNC_OK",
            ),
        ),
    ),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    if postgres.BIN is None:
        missing("PostgreSQL", "no server in /usr/lib/postgresql")
    made = Ground(tmp_path_factory.mktemp("ground"))
    yield made
    made.close()


def planted(folder, changes):
    """A copy of the hub with the changes; its folder. Each text must stand in its file exactly once, or the bug is no
    longer what it says.
    """
    shutil.copytree(ROOT / "hub", folder / "hub")
    for name, text, instead in changes:
        file = folder / "hub" / name
        before = file.read_text("utf-8")
        assert before.count(text) == 1, f"{name} has {before.count(text)} times: {text}"
        file.write_text(before.replace(text, instead), "utf-8")
    return folder


def wounded(point, action, store="sqlite"):
    """A run of the matrix, but that it need not come to its end."""

    def run(ground, folder, hub):
        case = Case(point, action, store)
        with scene(ground, case, folder, hub=hub, late_s=3) as at:
            at.start(case.wound, case.owner)
            at.watch.start()
            at.load.start()
            at.wait_fired()
            at.heal(at.name(case.owner))
            return to_the_end(at)

    return run


def to_the_end(at):
    with suppress(AssertionError):
        at.drain(DRAIN_S)
    at.load.again()
    with suppress(AssertionError):
        at.drain(DRAIN_S)  # of what was not known again
    return at.findings()


def undisturbed(ground, folder, hub):
    with scene(ground, UNHURT, folder, hub=hub) as at:
        at.start()
        at.load.start()
        return to_the_end(at)


def without_the_unique_index(ground, folder, hub):
    with scene(ground, UNHURT, folder, hub=hub) as at:
        # All that may go is on its way to the target before the first of it is answered, and what comes first is of
        # few orders: without the index two of one order are among them.
        at.load.is_by_order = True
        at.target.hold()
        at.start()
        with at.engine.begin() as connection:  # under a hub that runs: none starts on a store without it
            connection.execute(sa.text("DROP INDEX uq_delivery_key"))
        at.load.start()
        at.load.join(60)
        at.target.release()
        return to_the_end(at)


def pruned(ground, folder, hub):
    with scene(ground, UNHURT, folder, hub=hub) as at:
        at.target.refuses = {f"S-{MESSAGES - 1}"}
        at.start()
        at.load.start()
        at.drain()
        at.roles.end()
        at.end_leads()
        at.make_old(days=5)
        assert (
            at.command(
                "store", "prune", "--before", f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}", HUB_KEEP_KEYS="1"
            )
            == 0
        )
        found = at.findings_of_books()
        return {"unaccounted": found} if found else {}


def replayed(ground, folder, hub):
    with scene(ground, UNHURT, folder, hub=hub) as at:
        at.target.refuses = {f"S-{MESSAGES - 1}"}
        at.start()
        at.load.start()
        at.drain()
        at.target.refuses = set()
        assert at.command("dead", "replay", "--all") == 0
        return to_the_end(at)


def killed_before_a_record(ground, folder, hub):
    workspace = folder / "workspace"
    shutil.copytree(ground.workspace("plain"), workspace)
    with scene(ground, Case("act.written", "kill", "sqlite"), folder, hub=hub, hub_workspace=workspace) as at:
        at.start()
        at.load.start()
        routes = workspace / "routes.yaml"
        routes.write_text(routes.read_text("utf-8").replace("owner: fulfilment", "owner: logistics"), "utf-8")
        at.wounded_command("apply")
        return to_the_end(at)


def over_connections_that_die(ground, folder, hub):
    with scene(ground, UNHURT, folder, hub=hub) as at:
        at.target.drops = 10
        at.start()
        at.load.start()
        return to_the_end(at)


def stopped_with_a_request_under_way(ground, folder, hub):
    case = Case("send.sent", "stop", "postgresql")
    with scene(ground, case, folder, hub=hub) as at:
        at.start(case.wound, case.owner)
        at.load.start()
        at.wait_fired()
        # Its leases end, and another sends what it had, and waits for the answer
        time.sleep(LEASE_S)
        sent = {request["span"] for request in at.target.requests}
        at.target.hold()
        at.roles.start("worker-2")
        wait_until(
            lambda: {request["span"] for request in at.target.requests} - sent, seconds=60, what="the second attempt"
        )
        at.roles.sleep_stopped("worker-1", 0)
        # That the first one's late word was heard shows in its attempts: it has settled by the time at which its next
        # claim is sent
        time.sleep(LEASE_S / 2)
        at.target.release()
        return to_the_end(at)


RUNS = {
    "undisturbed": undisturbed,
    "without the unique index": without_the_unique_index,
    "pruned": pruned,
    "replayed": replayed,
    "killed before a record": killed_before_a_record,
    "over connections that die": over_connections_that_die,
    "stopped with a request under way": stopped_with_a_request_under_way,
    "killed before the first byte": wounded("send.connected", "kill"),
    "killed before a commit": wounded("add.before", "kill"),
    "killed with an answer in hand": wounded("send.answered", "kill"),
    "killed with claims": wounded("claim.committed", "kill"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_reported(ground, tmp_path, name):
    bug = BUGS[name]
    findings = RUNS[bug.run](ground, tmp_path, planted(tmp_path / "copy", bug.changes))
    print(f"\n{name}: {findings}")
    assert bug.finding in findings


@pytest.mark.parametrize("name", RUNS)
def test_without_a_bug_nothing_is_reported(ground, tmp_path, name):
    assert RUNS[name](ground, tmp_path, None) == {}
