"""`in_doubt: probe`: what was sent and not answered is asked about, and sent again only where the target says that it
has it not (promise P13).
"""

import http.server
import json
import socket
import threading
import time
from urllib.parse import unquote

import pytest

from hub.catalog import check
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until

PROBE = """\
    probe: {call: "GET /orders/{orderNo}?key={key}", applied: "status = 200 and body.state = 'taken'", absent: status = 404}
"""


class Shaky(http.server.ThreadingHTTPServer):
    """A target without a memory for keys: what is sent twice is done twice. `plan` says per POST what it does; `says`
    what it answers when asked.
    """

    daemon_threads = True

    def __init__(self):
        self.plan, self.says, self.done, self.asked = [], None, [], []
        super().__init__(("127.0.0.1", 0), _Shaky)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Shaky(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))["orderNo"]
        step = self.server.plan.pop(0) if self.server.plan else "good"
        if step == "hang":
            time.sleep(3)
        if step in ("good", "silent"):
            self.server.done.append(order)
        if step == "good":
            self._answer(200, b"{}")
        else:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self):
        order = unquote(self.path.partition("?")[0].removeprefix("/orders/"))
        self.server.asked.append((order, self.path))
        if self.server.says is not None:
            self._answer(*self.server.says)
        else:
            self._answer(*((200, b'{"state":"taken"}') if order in self.server.done else (404, b"{}")))

    def _answer(self, status, body):
        self.wfile.write(
            f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\ncontent-type: application/json\r\n\r\n".encode()
            + body
        )

    def log_message(self, *_):
        pass


@pytest.fixture
def target():
    made = Shaky()
    yield made
    made.shutdown()
    made.server_close()


def workspace(tmp_path, target, policy="{in_doubt: probe}"):
    folder = small_workspace(
        tmp_path / "workspace",
        target.url,
        retry="{attempts: 5, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1h}",
    )
    system = folder / "adapters" / "warehouse" / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace("    call: POST /orders\n", "    call: POST /orders\n" + PROBE), "utf-8"
    )
    routes = folder / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace("routes:\n", f"targets:\n  warehouse: {policy}\nroutes:\n", 1), "utf-8"
    )
    return folder


@pytest.fixture
def hub(tmp_path, target, store_url):
    made = HubProcess(workspace(tmp_path, target), store_url, hub_lease=2).start()
    yield made
    made.stop()


def post(hub, caller, number):
    body = json.dumps({"orderNo": number, "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()
    return caller.post("/api/v1/shop/order.placed", body, number).json()["data"]["messageId"]


def ended(hub, message_id):
    def look():
        [line] = hub.ops(f"/messages/{message_id}")["deliveries"]
        return line if line["status"] not in ("pending", "leased", "unknown") else None

    return wait_until(look, seconds=20, what="the end of the delivery")


def test_what_the_target_has_is_not_sent_again(hub, target):
    target.plan = ["silent"]
    line = ended(hub, post(hub, hub.caller("shop"), "SO-1"))
    assert (line["status"], line["changedBy"], len(line["attempts"])) == ("delivered", "probe", 1)
    assert target.done == ["SO-1"]
    assert target.asked[0][1] == f"/orders/SO-1?key={line['id']}"


def test_what_it_has_not_is_sent_again(hub, target):
    target.plan = ["lost"]
    line = ended(hub, post(hub, hub.caller("shop"), "SO-2"))
    assert (line["status"], len(line["attempts"])) == ("delivered", 2)
    assert target.done == ["SO-2"]


def test_what_it_cannot_say_waits_and_is_asked_again(hub, target):
    target.plan, target.says = ["silent"], (500, b"{}")
    caller = hub.caller("shop")
    message_id = post(hub, caller, "SO-3")
    wait_until(lambda: len(target.asked) >= 3, what="three questions")
    [line] = hub.ops(f"/messages/{message_id}")["deliveries"]
    assert line["status"] == "unknown"
    assert "it answered 500" in line["why"]["text"]
    target.says = None
    assert ended(hub, message_id)["status"] == "delivered"
    assert target.done == ["SO-3"]


def test_a_worker_that_was_killed_while_it_sent_leaves_a_question_and_no_second_order(hub, target):
    target.plan = ["hang"]
    message_id = post(hub, hub.caller("shop"), "SO-4")
    time.sleep(0.5)
    hub.kill()
    target.done.append("SO-4")  # it was applied, and nobody heard
    hub.start()
    line = ended(hub, message_id)
    assert (line["status"], line["changedBy"]) == ("delivered", "probe")
    assert target.done == ["SO-4"]


def test_orders_of_one_key_wait_for_the_answer(hub, target):
    target.plan, target.says = ["silent"], (500, b"{}")
    caller = hub.caller("shop")
    first = post(hub, caller, "SO-5")
    wait_until(lambda: target.asked, what="a question")
    other = json.dumps({"orderNo": "SO-5", "items": [{"sku": "SKU-2", "quantity": 1}]}).encode()
    # by its natural key: the order is known, and says something else
    assert caller.post("/api/v1/shop/order.placed", other, "second").status_code == 422
    target.says = None
    assert ended(hub, first)["status"] == "delivered"


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        ("", "does not say how it is asked about"),
        ("    probe: {call: GET /x, applied: status = 200, absentt: 1}\n", "absentt is not a key of probe"),
    ],
)
def test_a_target_that_cannot_be_asked_is_found_before_it_goes_live(tmp_path, target, probe, told):
    folder = workspace(tmp_path, target)
    system = folder / "adapters" / "warehouse" / "system.yaml"
    system.write_text(system.read_text("utf-8").replace(PROBE, probe), "utf-8")
    assert any(told in finding.text for finding in check(folder))
