"""Logs: a line for an event, nothing that is secret at any depth, and never a reason to stand still
(docs/design/inputs.md#answers).
"""

import io
import json
import re
import subprocess
import sys
import threading

from hub import logs
from tests.support.hubs import OPS_TOKEN, HubProcess, Sink, small_workspace
from tests.support.waiting import wait_until


def lines_of(*events):
    program = "from hub import logs; logs.set_up('debug', 'json')\n" + "\n".join(events)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_secrets_are_masked_at_any_depth():
    [line] = lines_of(
        "logs.event('key.made', 'done', lane='wms', given={'headers': [{'Authorization': 'Bearer x1y2'}], 'token': 'x1y2'}, secret='x1y2')"
    )
    assert "x1y2" not in json.dumps(line)
    assert line["lane"] == "wms"


def test_a_foreign_text_stays_on_its_line():
    [line] = lines_of(r"logs.event('a.b', 'one\ntwo\x1b[2J', values=['three\nfour'])")
    assert (line["text"], line["values"]) == ("one\\x0atwo\\x1b[2J", ["three\\x0afour"])


def test_the_last_lines_of_an_ending_process_are_written():
    assert [line["event"] for line in lines_of(*(f"logs.event('n.{number}')" for number in range(500)))] == [
        f"n.{number}" for number in range(500)
    ]


class Stuck(io.StringIO):
    """A pipe that nobody reads."""

    def __init__(self):
        super().__init__()
        self.open = threading.Event()

    def write(self, text):
        self.open.wait(30)
        return super().write(text)


def test_a_log_that_nobody_reads_stops_nobody_and_says_how_much_it_left_out():
    # Given a reader that does not read, when more is logged than there is room for
    stuck = Stuck()
    outlet = logs.Outlet(stuck, room=10)
    for number in range(100):
        outlet.msg(f"line {number}")  # returns at once, or the test would end by its time limit
    # Then what found no room is counted as soon as somebody reads
    stuck.open.set()
    outlet.drain(10)
    written = stuck.getvalue().splitlines()
    kept = [line for line in written if line.startswith("line")]
    dropped = sum(json.loads(line)["lines"] for line in written if "log.dropped" in line)
    assert 10 <= len(kept) <= 12
    assert dropped in (0, 100 - len(kept))
    outlet.msg("after")
    outlet.drain(10)
    dropped = sum(json.loads(line)["lines"] for line in stuck.getvalue().splitlines() if "log.dropped" in line)
    assert dropped == 100 - len(kept)


def test_an_error_that_nobody_foresaw_tells_where_and_never_what():
    [line] = lines_of(
        "def deep(person):\n    return {}[person]",
        "try:\n    deep('Zhang San 13800138000')\nexcept KeyError as error:\n    logs.event('delivery.unexpected', logs.told(error))",
    )
    assert line["text"] == "KeyError > <module>:5 > deep:3"


def test_every_line_says_whose_it_is():
    [line] = lines_of("logs.about(role='worker', process='host-1')", "logs.event('a.done', lane='wms')")
    assert (line["role"], line["process"], line["lane"]) == ("worker", "host-1", "wms")


def test_a_hub_s_log_has_ids_and_nothing_of_a_person_or_a_secret(tmp_path):
    """Everything that can go wrong with a message goes wrong, at level debug; what was in the messages is not in the
    log.
    """
    person, phone, target_says = "Wang-Xiaoming", "13912345678", "no-stock-for-Li-Lei"
    sink = Sink(
        lambda number, key: [
            (503, {}, b"busy " + person.encode()),
            (422, {}, b'{"message":"%s"}' % target_says.encode()),
            (200, {}, b"{}"),
        ][number % 3]
    )
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    hub = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", hub_log_level="debug")
    with (tmp_path / "log").open("w") as hub.stderr:
        hub.start()
        caller = hub.caller("shop")
        # Given orders that are delivered, refused by the target and tried again, a batch, refused posts, a wrong
        # signature
        body = b'{"orderNo":"%s","items":[{"sku":"%s","quantity":1}]}'
        for number in range(9):
            caller.post(
                "/api/v1/shop/order.placed", body % (f"{person}-{number}".encode(), phone.encode()), f"m-{number}"
            )
        caller.post(
            "/api/v1/shop/order.placed", b'{"orderNo":"%s","items":"%s"}' % (person.encode(), phone.encode()), "wrong"
        )
        caller.post("/api/v1/shop/order.placed", b'{"orderNo":"%s' % person.encode(), "cut")
        caller.post(
            "/api/v1/shop/order.placed/batch",
            b"[" + body % (person.encode(), phone.encode()) + b',{"orderNo":"%s"}]' % phone.encode(),
            "batch",
        )
        caller.post("/api/v1/shop/order.placed", b"{}", "forged", webhook_signature="v1,AAAA" + phone)

        def over():
            books = hub.ops("/conservation")["deliveries"]
            return books if books["pending"] + books["leased"] == 0 else None

        books = wait_until(over, seconds=30, what="the end of all deliveries")
        hub.stop()
    text = (tmp_path / "log").read_text("utf-8")
    # Then nothing of them is in the log
    secrets = [
        person,
        phone,
        target_says,
        "Li-Lei",
        caller.key,
        caller.secret,
        "whsec_",
        OPS_TOKEN,
        "SO-1",
        hub.environment["HUB_MASTER_KEY"],
    ]
    assert [one for one in secrets if one in text] == []
    # And each line is one event with a stable key, says whose it is and, where it is about one message, which
    events = [json.loads(line) for line in text.splitlines()]
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)+", line["event"]) for line in events)
    assert {line.get("role") for line in events} == {"up"}
    assert len({line["process"] for line in events}) == 1
    assert {"posts.committed", "deliveries.settled", "delivery.dead", "batch.answered"} <= {
        line["event"] for line in events
    }
    assert all(
        {"message_id", "trace_id", "delivery"} <= set(line) for line in events if line["event"].startswith("delivery.")
    )
    settled = [line for line in events if line["event"] == "deliveries.settled"]
    assert sum(line.get("delivered", 0) for line in settled) == books["delivered"]
    assert all({"lane", "claimed", "ms", "revision"} <= set(line) for line in settled)
