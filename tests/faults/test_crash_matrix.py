"""The crash matrix (docs/faults.md): every named point, killed, failing and stopped for two leases, on each store and
bell; then healed, drained, and judged.

A case in which its point was never reached fails. Each has a store of its own; servers are shared.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta

import kombu
import pytest

from tests.conftest import missing
from tests.faults.crash import Case, scene
from tests.faults.ground import LEASE_S, Ground
from tests.faults.laying.terms import TERM_S
from tests.faults.load import KEYS, MESSAGES
from tests.faults.points import NOT_YET, POINTS, PORTS
from tests.support import brokers, postgres
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
WOUNDS, STORES, BROKERS = ("kill", "raise", "stop"), ("sqlite", "postgresql"), ("rabbitmq", "redis")
LEASES, POLLS = ("expire.written", "expire.committed", "lead.held"), ("poll.fetched", "poll.committed")
OTHERS = (*LEASES, *POLLS, "apply.checked", "apply.halfway", "act.written", "prune.written", "reopen.written")
FLOW = [point for point in POINTS if point not in OTHERS]
RUNG = [point for point in FLOW if point.startswith(("ring.", "claim."))]
# What people do: the word of its record, the command, and what it changes
ACTS = {
    "configuration.activated": (["apply"], "SELECT hash FROM active_revision"),
    "key.made": (["key", "create", "second", "--system", "shop"], "SELECT id FROM caller_key"),
    "delivery.replayed": (["dead", "replay", "--all"], "SELECT id FROM delivery WHERE status = 'dead'"),
}
OTHER_PORTS = ("store.expire", "target.probe", "source.take")


def cases(points, wounds=WOUNDS):
    return [Case(point, wound, store) for point in points for wound in wounds for store in STORES]


def over_brokers(points):
    return [
        Case(point, wound, store, bell) for point in points for wound in WOUNDS for store in STORES for bell in BROKERS
    ]


def ported(ports):
    return cases(ports, ("do_then_fail",))


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    if postgres.BIN is None:
        missing("PostgreSQL", "no server in /usr/lib/postgresql")
    if brokers.SERVER is None or shutil.which("redis-server") is None:
        missing("RabbitMQ or Redis", "not both are installed")
    made = Ground(tmp_path_factory.mktemp("ground"))
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def told(request):
    """A run says what it leaves out."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("".join(f"\nleft out: {point}: {why}" for point, why in NOT_YET.items()))


@pytest.mark.parametrize(
    "case", [*cases(FLOW), *over_brokers(RUNG), *ported(port for port in PORTS if port not in OTHER_PORTS)], ids=str
)
def test_on_the_way_of_a_message(ground, case, tmp_path):
    with scene(ground, case, tmp_path) as at:
        # Given a hub that is wounded in one place, and thirty messages
        at.start(case.wound, case.owner)
        at.watch.start()
        at.load.start()
        at.wait_fired()
        # When it is healed
        at.heal(at.name(case.owner))
        # Then it is as if nothing had been
        at.all_good()


@pytest.mark.parametrize("case", [*cases(LEASES), *ported(["store.expire"])], ids=str)
def test_where_leases_end(ground, case, tmp_path):
    with scene(ground, case, tmp_path) as at:
        # Given deliveries whose worker was killed while their target had them
        at.target.hold()
        at.start(but=["scheduler"])
        at.load.start()
        wait_until(lambda: len(at.target.requests) > 3, seconds=60, what="requests at the target")
        at.roles.kill(at.name("worker"))
        at.target.release()
        # When the one that ends their leases is wounded in it, and healed
        name = at.name("scheduler")
        at.roles.begin([name], name, case.wound)
        if not at.is_one:
            wait_until(lambda: at.rows("SELECT * FROM leader WHERE name = 'scheduler'"), seconds=60, what="a leader")
            at.roles.start("worker-1")
        at.wait_fired()
        at.watch.start()
        # One that leads is stopped beyond its term: the second leads by then.
        at.heal(name, seconds=TERM_S + 2 if case.point == "lead.held" and not at.is_one else 2 * LEASE_S)
        at.all_good()


@pytest.mark.parametrize("case", [*cases(POLLS), *ported(["source.take"])], ids=str)
def test_where_a_queue_is_read(ground, case, tmp_path):
    url = ground.server("rabbitmq").url
    with scene(ground, case, tmp_path, workspace="queued", hub_stock_url=url) as at:
        # Given thirty messages in a partner's queue. They come once all is there: who is wounded before it is ready
        # never says that it is
        emptied(url)
        at.start(case.wound, case.owner)
        at.watch.start()
        names = publish(url)
        at.wait_fired()
        at.heal(at.name("worker"))
        # Then each was accepted once, whatever the broker repeated
        wait_until(lambda: len(at.rows("SELECT id FROM message")) >= MESSAGES, seconds=60, what="all messages")
        wait_until(lambda: left(url) == 0, seconds=60, what="an empty queue")
        at.drain()
        known = {row["key"]: row["message_id"] for row in at.rows("SELECT key, message_id FROM idempotency")}
        at.load.history += [{"name": name, "outcome": "ok", "message": known.get(name, name)} for name in names]
        assert at.findings(planned=MESSAGES) == {}


EXCHANGE = kombu.Exchange("topics", type="topic", durable=True)
QUEUE = kombu.Queue("hub.orders", EXCHANGE, routing_key="order.*", durable=True)


def emptied(url):
    with kombu.Connection(url) as connection:
        queue = QUEUE(connection.channel())
        queue.declare()
        queue.purge()


def publish(url):
    """Thirty, as a partner does; gives their ids."""
    names = [f"m-{number}" for number in range(MESSAGES)]
    with kombu.Connection(url) as connection:
        producer = kombu.Producer(connection.channel(), exchange=EXCHANGE)
        for number, name in enumerate(names):
            body = json.dumps({"orderNo": f"SO-{number % KEYS}", "step": number // KEYS}).encode()
            producer.publish(
                body,
                routing_key="order.create",
                message_id=name,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
            )
    return names


def left(url):
    with kombu.Connection(url) as connection:
        return QUEUE(connection.channel()).queue_declare(passive=True).message_count


def revised(ground, tmp_path):
    """A workspace of the case's own; gives its folder, and what changes it."""
    folder = tmp_path / "workspace"
    shutil.copytree(ground.workspace("plain"), folder)
    routes = folder / "routes.yaml"
    return folder, lambda: routes.write_text(
        routes.read_text("utf-8").replace("owner: fulfilment", "owner: logistics"), "utf-8"
    )


def active(at):
    [row] = at.rows("SELECT hash FROM active_revision")
    return row["hash"]


@pytest.mark.parametrize("case", cases(["apply.checked"]), ids=str)
def test_where_a_configuration_is_made_active(ground, case, tmp_path):
    folder, change = revised(ground, tmp_path)
    with scene(ground, case, tmp_path, hub_workspace=folder) as at:
        at.start()
        at.watch.start()
        at.load.start()
        before = active(at)
        change()
        # When it is wounded before its end, then the one before is active still, and nobody is named for another
        at.wounded_command("apply")
        if case.action != "stop":
            assert active(at) == before
            assert [row["hash"] for row in at.rows("SELECT hash FROM activation")] == [before]
        # Then the next try makes it active, once
        assert at.command("apply") == 0
        assert active(at) != before
        assert [row["hash"] for row in at.rows("SELECT hash FROM activation ORDER BY at")] == [before, active(at)]
        at.all_good()


@pytest.mark.parametrize("what", ACTS)
@pytest.mark.parametrize("case", cases(["act.written"]), ids=str)
def test_where_a_person_acts(ground, case, what, tmp_path):
    words, changed = ACTS[what]
    folder, change = revised(ground, tmp_path)
    with scene(ground, case, tmp_path, hub_workspace=folder) as at:
        # Given something to replay, to apply, and to make
        at.target.refuses = {f"S-{MESSAGES - 1}"}
        at.start()
        at.watch.start()
        at.load.start()
        at.drain()
        at.target.refuses = set()
        change()
        before, records = at.rows(changed), at.records(what)
        # When the act is wounded before its record is written, then it was not done
        at.wounded_command(*words)
        if case.action != "stop":
            assert (at.rows(changed), at.records(what)) == (before, records)
            assert at.command(*words) == 0
        # Then it is done once, and on record once
        assert at.rows(changed) != before
        assert at.records(what) == records + 1
        assert at.command("dead", "replay", "--all") == 0
        at.all_good()


@pytest.mark.parametrize("case", cases(["apply.halfway"]), ids=str)
def test_where_a_process_follows_a_configuration(ground, case, tmp_path):
    folder, change = revised(ground, tmp_path)
    with scene(ground, case, tmp_path, hub_workspace=folder) as at:
        at.start(case.wound, case.owner)
        at.watch.start()
        at.load.start()
        before = active(at)
        change()
        assert at.command("apply") == 0
        at.wait_fired()
        at.heal(at.name("worker"))
        at.all_good()
        # Each attempt names the configuration that made it; the one that nobody saw the end of names none
        assert {row["revision"] for row in at.rows("SELECT revision FROM attempt")} <= {before, active(at), ""}


@pytest.mark.parametrize("case", cases(["prune.written"]), ids=str)
def test_where_old_messages_are_pruned(ground, case, tmp_path):
    with scene(ground, case, tmp_path) as at:
        # Given messages that ended days ago, but one that the targets refused
        at.target.refuses = {f"S-{MESSAGES - 1}"}
        at.start()
        at.load.start()
        at.drain()
        at.roles.end()
        at.end_leads()  # the keeper's: it was killed with the rest, and nobody waits for its minute
        at.make_old(days=5)
        words = ["store", "prune", "--before", f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"]
        # When a run over them is wounded, then the block is there whole
        at.wounded_command(*words, HUB_KEEP_KEYS="1")
        if case.action != "stop":
            assert len(at.rows("SELECT id FROM message")) == MESSAGES
        # Then the next run takes it; what waits for a person stays
        at.end_leads()
        assert at.command(*words, HUB_KEEP_KEYS="1") == 0
        assert [row["status"] for row in at.rows("SELECT status FROM delivery")] == ["dead", "dead"]
        assert at.findings_of_books() == []


@pytest.mark.parametrize("case", cases(["reopen.written"]), ids=str)
def test_where_dead_letters_are_replayed(ground, case, tmp_path):
    with scene(ground, case, tmp_path) as at:
        # Given six that their targets refused, each the last of its order
        at.target.refuses = {f"S-{MESSAGES - number}" for number in (1, 2, 3)}
        at.start()
        at.watch.start()
        at.load.start()
        at.drain()
        dead = {row["id"] for row in at.rows("SELECT id FROM delivery WHERE status = 'dead'")}
        assert len(dead) == 6
        at.target.refuses = set()
        # When their replay is wounded, then all of them are dead still
        at.wounded_command("dead", "replay", "--all")
        if case.action != "stop":
            assert {row["id"] for row in at.rows("SELECT id FROM delivery WHERE status = 'dead'")} == dead
        # Then the next one arms each once, and one more arms none
        assert [at.command("dead", "replay", "--all") for _ in range(2)] == [0, 0]
        at.all_good()
        tries = at.rows("SELECT delivery_id AS id, count(*) AS number FROM attempt GROUP BY delivery_id")
        assert {row["id"]: row["number"] for row in tries if row["id"] in dead} == dict.fromkeys(dead, 2)


@pytest.mark.parametrize("case", ported(["target.probe"]), ids=str)
def test_where_a_target_is_asked(ground, case, tmp_path):
    with scene(ground, case, tmp_path, workspace="probed") as at:
        # Given a target that did what it was sent, and was not heard; and was asked, and not heard again
        at.start(f"target.send=do_then_fail;{case.wound}", case.owner)
        at.load.start()
        at.wait_fired()
        at.watch.start()
        at.heal(at.name("worker"))
        wait_until(
            lambda: not at.rows("SELECT id FROM delivery WHERE status = 'unknown'"),
            seconds=60,
            what="an answer to each question",
        )
        at.all_good()
        # Then it is asked again, and nothing is sent twice
        assert len(at.target.requests) == 2 * MESSAGES


def test_every_point_and_port_has_its_cases():
    assert {*FLOW, *OTHERS} == {*POINTS}
    assert {*OTHER_PORTS} < {*PORTS}
