"""A target's answer over the wire, to the end of its delivery: conflicts, other spellings, long bodies, "busy" as 200,
and whose words people read.
"""

import gzip
import json

import pytest

from tests.support.answering import Target
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until


@pytest.fixture
def target():
    made = Target()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def start(tmp_path, target, store_url):
    """A hub whose warehouse is declared with `lines`, under `policy`."""
    hubs = []

    def started(lines="", policy="{in_doubt: resend}"):
        folder = small_workspace(
            tmp_path / "workspace",
            target.url,
            retry="{attempts: 4, first: 100ms, factor: 1, max: 100ms, jitter: none, give_up_after: 1h}",
        )
        system = folder / "adapters" / "warehouse" / "system.yaml"
        system.write_text(
            system.read_text("utf-8").replace("    call: POST /orders\n", "    call: POST /orders\n" + lines), "utf-8"
        )
        routes = folder / "routes.yaml"
        text = routes.read_text("utf-8").replace("routes:\n", f"targets:\n  warehouse: {policy}\nroutes:\n", 1)
        routes.write_text(text.replace("timeout: 5s", "timeout: 1s"), "utf-8")
        hubs.append(HubProcess(folder, store_url).start())
        return hubs[-1]

    yield started
    for hub in hubs:
        hub.stop()


def post(caller, number):
    body = json.dumps({"orderNo": number, "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()
    return caller.post("/api/v1/shop/order.placed", body, number).json()["data"]["messageId"]


def ended(hub, message_id):
    def look():
        [line] = hub.ops(f"/messages/{message_id}")["deliveries"]
        return line if line["status"] not in ("pending", "leased") else None

    return wait_until(look, seconds=20, what="the end of the delivery")


def test_a_conflict_while_the_first_try_is_under_way_is_no_refusal(start, target):
    hub = start()
    caller = hub.caller("shop")
    still = b'{"code":"idempotency_key_in_use"}'
    # Given a target that is slow, then says that the same is under way: once with a time, once without
    plans = {"SO-1": {"retry-after": "1"}, "SO-2": {}}
    target.answer = lambda n, body: (
        (200, {}, b"{}", 2) if n == 1 else (409, plans[body["orderNo"]], still, 0) if n == 2 else (200, {}, b"{}", 0)
    )
    for number in plans:
        line = ended(hub, post(caller, number))
        assert line["status"] == "delivered"
        assert [(one["outcome"], one["status"]) for one in line["attempts"]] == [
            ("in_doubt", None),
            ("retry", 409),
            ("delivered", 200),
        ]
    # Given a gateway that gives up in the target's place, then the target itself
    for gateway in (504, 502):
        target.answer = lambda n, _body, gateway=gateway: (
            (gateway, {}, b"", 0) if n == 1 else (423, {}, still, 0) if n == 2 else (200, {}, b"{}", 0)
        )
        line = ended(hub, post(caller, f"SO-{gateway}"))
        assert [(one["outcome"], one["status"]) for one in line["attempts"]] == [
            ("retry", gateway),
            ("retry", 423),
            ("delivered", 200),
        ]
    # And one that refuses the first try is believed
    target.answer = lambda _n, _body: (409, {}, b'{"code":1,"msg":"another order has this number"}', 0)
    line = ended(hub, post(caller, "SO-3"))
    assert (line["status"], len(line["attempts"])) == ("dead", 1)
    assert "1, another order has this number" in line["why"]["text"]


SPELLINGS = {
    "gzip, unasked": ({"content-encoding": "gzip"}, gzip.compress(b'{"code":0}')),
    "a byte order mark": ({}, b'\xef\xbb\xbf{"code":0}'),
    "GBK": ({"content-type": "application/json;charset=GBK"}, '{"code":0,"msg":"成功"}'.encode("gbk")),
    "an unsigned number": ({}, b'{"code":0,"id":18446744073709551615}'),
    "one name twice": ({}, b'{"code":0,"msg":"a","msg":"b"}'),
    "70 kB": ({}, b'{"labels":"' + b"x" * 70_000 + b'","code":0}'),
    "2 MB, packed": ({"content-encoding": "gzip"}, gzip.compress(b'{"labels":"' + b"x" * 2_000_000 + b'","code":0}')),
    "NaN": ({}, b'{"code":0,"rate":NaN}'),
}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_yes_in_another_spelling_is_a_yes(start, target):
    hub = start("    success: body.code = 0\n", "{in_doubt: park}")
    caller = hub.caller("shop")
    for number, (headers, answer) in enumerate(SPELLINGS.values()):
        target.answer = lambda _n, _body, headers=headers, answer=answer: (200, headers, answer, 0)
        line = ended(hub, post(caller, f"SO-{number}"))
        assert (line["status"], len(line["attempts"])) == ("delivered", 1), line
    # What cannot be read is in doubt, and is not sent a second time where nothing may be
    for number, (headers, answer) in enumerate(
        [
            ({}, b"<html>"),
            ({"content-encoding": "br"}, b"\x0b\x05"),
            ({}, b'{"x":"' + b"x" * 5_000_000 + b'","code":0}'),
        ]
    ):
        target.answer = lambda _n, _body, headers=headers, answer=answer: (200, headers, answer, 0)
        line = ended(hub, post(caller, f"SX-{number}"))
        assert (line["status"], line["why"]["reason"], len(line["attempts"])) == ("unknown", "bad_answer", 1), line
    assert max(target.counts.values()) == 1


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_busy_as_a_200_is_tried_again_and_its_words_are_read(start, target):
    hub = start(
        "    success: body.errcode = 0\n    again: body.errcode in [-1, 45009]\n    refused: {message: body.errmsg}\n"
    )
    caller = hub.caller("shop")
    busy = b'{"errcode":-1,"errmsg":"system busy, try again"}'
    target.answer = lambda n, _body: (200, {}, busy if n < 3 else b'{"errcode":0}', 0)
    line = ended(hub, post(caller, "SO-1"))
    assert [one["outcome"] for one in line["attempts"]] == ["retry", "retry", "delivered"]
    assert "-1, system busy, try again" in line["attempts"][0]["why"]["text"]
    target.answer = lambda _n, _body: (200, {}, b'{"errcode":40013,"errmsg":"no such depot"}', 0)
    line = ended(hub, post(caller, "SO-2"))
    assert (line["status"], len(line["attempts"])) == ("dead", 1)
    assert "40013, no such depot" in line["why"]["text"]
