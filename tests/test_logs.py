"""Logs: a line for an event, nothing that is secret at any depth, and never a reason to stand still (INPUTS on logs)."""

import io
import json
import subprocess
import sys
import threading

from hub import logs


def lines_of(*events):
    program = "from hub import logs; logs.set_up('debug', 'json')\n" + "\n".join(events)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_secrets_are_masked_at_any_depth():
    [line] = lines_of("logs.event('key.made', 'done', lane='wms', given={'headers': [{'Authorization': 'Bearer x1y2'}], 'token': 'x1y2'}, secret='x1y2')")
    assert "x1y2" not in json.dumps(line)
    assert line["lane"] == "wms"


def test_a_foreign_text_stays_on_its_line():
    [line] = lines_of(r"logs.event('a.b', 'one\ntwo\x1b[2J', values=['three\nfour'])")
    assert (line["text"], line["values"]) == ("one\\x0atwo\\x1b[2J", ["three\\x0afour"])


def test_the_last_lines_of_an_ending_process_are_written():
    assert [line["event"] for line in lines_of(*(f"logs.event('n.{number}')" for number in range(500)))] == [f"n.{number}" for number in range(500)]


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
