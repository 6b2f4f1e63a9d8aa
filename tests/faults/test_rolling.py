"""All processes restarted one after another under load, twenty times: whoever posts through the balancer sees no fault,
and no effect is doubled.

HUB_ROLLS sets another number of rounds.
"""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.conftest import missing
from tests.faults.rig import ROLES, Load, Rig, is_ready
from tests.support import brokers, checkers, postgres
from tests.support.hubs import free_port
from tests.support.waiting import wait_until

ROLLS = int(os.environ.get("HUB_ROLLS", "1"))
PER_SECOND = float(os.environ.get("HUB_NEMESIS_RATE", "100"))
CONFIGURATION = """\
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  retries 5
  option redispatch 1
  option http-buffer-request
  # A post has its own name, so it may be sent again to the other: it is a duplicate there if it was stored.
  retry-on conn-failure empty-response response-timeout 503
frontend in
  bind 127.0.0.1:{port}
  default_backend hubs
backend hubs
  balance roundrobin
  option httpchk GET /health/ready
  # A machine that starts seven processes at once is slow, and not down: what refuses connections is found by the retry, not by the check.
  timeout check 5s
  default-server check inter 500ms fall 3 rise 1
{servers}
"""


@pytest.fixture
def rig(tmp_path):
    if brokers.SERVER is None or postgres.BIN is None or shutil.which("haproxy") is None:
        missing("RabbitMQ, PostgreSQL or haproxy", "not all are installed")
    made = Rig(tmp_path, 1)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def balancer(rig, tmp_path):
    port = free_port()
    servers = "\n".join(f"  server {role} 127.0.0.1:{number}" for role, number in rig.ports.items())
    file = tmp_path / "haproxy.cfg"
    file.write_text(CONFIGURATION.format(port=port, servers=servers), "utf-8")
    process = subprocess.Popen(["haproxy", "-q", "-f", str(file)])
    wait_until(lambda: is_ready(port), seconds=30, what="the balancer, ready")
    yield port
    process.terminate()
    process.wait(10)


def restart(rig, role):
    process = rig.processes[role]
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0
    rig.start_role(role)
    if role in rig.ports:
        rig.wait_ready(role)


@pytest.mark.timeout(ROLLS * 90 + 600)
def test_a_rolling_restart_is_not_seen_by_callers(rig, balancer):
    load = Load(rig, PER_SECOND, ports=[balancer])
    load.start()
    time.sleep(1)
    for turn in range(ROLLS):
        for role in ROLES:
            restart(rig, role)
        print(f"round {turn + 1} of {ROLLS}: {load.posted} posts, {load.statuses}", flush=True)
    load.end()
    wait_until(lambda: rig.waiting() == 0, seconds=120, what="the end of all deliveries")
    deliveries, known, planned = rig.rows()
    assert set(load.statuses) == {202}
    assert checkers.lost(load.accepted, known) == []
    assert checkers.doubled(rig.sink.effects) == checkers.undelivered(deliveries) == []
    assert planned == len(deliveries) == load.posted
