"""What every sandbox system does, whatever its business: shown with the WMS and the OMS of the reference workspace,
over real sockets.
"""

import json
import signal
import socket
from pathlib import Path

import pytest
import requests

from hub.core.json import encode
from hub.kit.sandbox import SandboxConfig, load
from tests.support.sandboxes import KEY, Receiver, process, running, sample, wait_for

CREATE = "/api/wms/outbound/create"


def order(number):
    return {**sample("wms", "outbound.create", "seed"), "orderNo": f"OMS{number:04d}"}


def lines(path: Path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_repeat_of_a_key_gets_the_first_answer_and_has_no_second_effect(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        # Given a call that was answered
        first = wms.call(CREATE, order(1), "key-1")
        # When the hub repeats it, then the answer is the same and the repeat is counted as one
        assert wms.call(CREATE, order(1), "key-1") == first
        figures = wms.get("/_control")
        assert (figures["effects"], figures["repeats"], figures["requests"]) == (1, 1, 2)
    assert [line["key"] for line in lines(tmp_path / "wms.effects.jsonl")] == ["key-1"]
    assert [(line["key"], line["order"], line["status"]) for line in lines(tmp_path / "wms.requests.jsonl")] == [
        ("key-1", "OMS0001", 200)
    ] * 2


def test_a_key_that_comes_with_another_body_is_refused(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        wms.call(CREATE, order(1), "key-1")
        status, answer = wms.call(CREATE, order(2), "key-1")
        assert (status, answer["code"]) == (422, 42202)


def test_only_the_hub_s_signature_opens_the_door(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        body = encode(order(1))
        for headers in (
            {},
            {"authorization": f"ApiKey {KEY}"},
            {"authorization": "ApiKey ak_other", "webhook-id": "x", "webhook-timestamp": "1"},
        ):
            assert requests.post(wms.url + CREATE, data=body, headers=headers, timeout=5).status_code == 401
        assert wms.get("/_control")["effects"] == 0


@pytest.mark.parametrize(("payload", "status"), [([1], 422), ({"orderNo": "OMS0001"}, 422), ({}, 422)])
def test_a_body_that_does_not_fit_changes_nothing(tmp_path, receiver, payload, status):
    with running("wms", tmp_path, receiver.url) as wms:
        assert wms.call(CREATE, payload, "key-1")[0] == status
        assert wms.call("/api/wms/nowhere", order(1), "key-2")[0] == 404
        # The key is free: a refusal is no effect
        assert wms.call(CREATE, order(1), "key-1")[0] == 200


def test_a_post_goes_out_until_the_hub_has_it_under_one_id(tmp_path, receiver):
    receiver.status = 503
    with running("wms", tmp_path, receiver.url) as wms:
        wms.call(CREATE, order(1), "key-1")
        wait_for(lambda: len(receiver.seen) >= 2)
        assert wms.get("/_control")["unsent"] == 1
        receiver.status = 202
        wait_for(lambda: wms.get("/_control")["posted"] == 1)
    assert len(set(receiver.seen)) == 1
    assert [payload["orderNo"] for payload in receiver.of("wms/outbound.confirmed")] == ["OMS0001"]


def test_a_post_that_the_hub_refuses_is_shown_and_not_repeated(tmp_path, receiver):
    receiver.status = 422
    with running("wms", tmp_path, receiver.url) as wms:
        wms.call(CREATE, order(1), "key-1")
        [refused] = wait_for(lambda: wms.get("/_state")["refused_posts"])
        assert (refused["path"], refused["status"]) == ("/api/v1/wms/outbound.confirmed", 422)
        assert wms.get("/_control")["unsent"] == 0
    assert len(receiver.seen) == 1


def test_while_the_hub_is_away_posts_wait_and_then_all_go_out(tmp_path, receiver):
    # Given a hub that is gone: its port is known, nobody listens there
    port = int(receiver.url.rpartition(":")[2])
    receiver.stop()
    with running("wms", tmp_path, receiver.url) as wms:
        for number in range(40):
            wms.call(CREATE, order(number), f"key-{number}")
        wait_for(lambda: wms.get("/_control")["moments"] == 0)
        assert wms.get("/_control")["unsent"] == 40
        # When it is back, then it gets each of them, once
        back = Receiver(port)
        try:
            wait_for(lambda: wms.get("/_control")["unsent"] == 0)
            assert len(back.taken) == 40
        finally:
            back.stop()


def test_posts_of_one_order_keep_their_order(tmp_path, receiver):
    with running("tms", tmp_path, receiver.url, speed=1000) as tms:
        for number in range(20):
            tms.call(
                "/api/tms/shipment/create",
                {**sample("tms", "shipment.create", "seed"), "waybillNo": f"SF{number}", "orderNo": f"O{number}"},
                f"k{number}",
            )
        wait_for(lambda: len(receiver.of("tms/shipment.status")) == 60)
    for number in range(20):
        moved = [
            payload["status"] for payload in receiver.of("tms/shipment.status") if payload["orderNo"] == f"O{number}"
        ]
        assert moved == ["PICKED_UP", "IN_TRANSIT", "DELIVERED"]


def test_faults_are_shown_as_asked(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        # fail: answered with that status, not applied
        assert wms.act("/_control", {"fail": 503})[0] == 200
        assert wms.call(CREATE, order(1), "key-1")[0] == 503
        assert wms.get("/_control")["effects"] == 0
        # a share of them
        wms.act("/_control", {"fail_ratio": 0.5})
        assert {wms.call(CREATE, order(number), f"half-{number}")[0] for number in range(2, 30)} == {200, 503}
        # garbage: applied, but the answer cannot be read; the repeat's can
        wms.act("/_control", {"fail": 0, "garbage": True})
        before = wms.get("/_control")["effects"]
        with pytest.raises(Exception, match=r"JSON|json"):
            wms.call(CREATE, order(90), "key-90")
        wms.act("/_control", {"garbage": False})
        assert wms.call(CREATE, order(90), "key-90")[0] == 200
        assert wms.get("/_control")["effects"] == before + 1
        # slow
        wms.act("/_control", {"slow_ms": 120})
        wms.call(CREATE, order(91), "key-91")
        assert (
            lines(tmp_path / "wms.requests.jsonl")[-1]["end"] - lines(tmp_path / "wms.requests.jsonl")[-1]["start"]
            >= 110
        )
        # nonsense is refused
        assert wms.act("/_control", {"slow": 1})[0] == 400
        assert wms.act("/_control", {"fail": 200})[0] == 400


def test_a_hanging_sandbox_answers_nobody_until_it_is_let_go(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        wms.act("/_control", {"hang": True})
        with pytest.raises(requests.Timeout):
            requests.post(wms.url + CREATE, data=b"{}", timeout=0.2)
        wms.act("/_control", {"hang": False})
        assert wms.call(CREATE, order(1), "key-1")[0] == 200


def test_what_is_no_http_is_refused_and_the_next_caller_is_served(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        port = int(wms.url.rpartition(":")[2])
        for raw, status in (
            (b"nonsense\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
                line.sendall(raw)
                assert status in line.recv(100)
        assert wms.get("/_health") == {"status": "ok", "system": "wms"}


def test_killed_in_the_midst_it_loses_nothing_that_it_answered(tmp_path, receiver):
    # Given a WMS whose confirmations cannot be sent, and that is killed while orders are being picked
    receiver.status = 503
    with process("wms", tmp_path, receiver.url) as (child, wms):
        answers = {number: wms.call(CREATE, order(number), f"key-{number}") for number in range(30)}
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    receiver.status = 202
    # When it starts anew on the same files
    with process("wms", tmp_path, receiver.url) as (_, wms):
        # Then each repeat gets its first answer, and each order is confirmed, once
        assert {number: wms.call(CREATE, order(number), f"key-{number}") for number in range(30)} == answers
        wait_for(lambda: len(receiver.of("wms/outbound.confirmed")) == 30)
        wait_for(lambda: wms.get("/_control")["unsent"] == 0)
        assert wms.get("/_control")["effects"] == 30
    assert len({payload["outboundNo"] for payload in receiver.of("wms/outbound.confirmed")}) == 30
    assert sorted(line["key"] for line in lines(tmp_path / "wms.effects.jsonl")) == sorted(
        f"key-{number}" for number in range(30)
    )


@pytest.mark.parametrize("system", ["channel", "tms"])
def test_the_same_journal_gives_the_same_state(tmp_path, receiver, system):
    with running(system, tmp_path, receiver.url) as before:
        if system == "channel":
            before.act("/_place", {"count": 20})
        else:
            before.call("/api/tms/shipment/create", sample("tms", "shipment.create", "seed"), "key-1")
        wait_for(
            lambda: (
                before.get("/_control")["posted"]
                and before.get("/_control")["moments"] == before.get("/_control")["unsent"] == 0
            )
        )
        state = before.get("/_state")
    with running(system, tmp_path, receiver.url, speed=1) as after:
        assert after.get("/_state") == state


def test_asked_to_die_it_is_gone_at_once(tmp_path, receiver):
    with process("oms", tmp_path, receiver.url) as (child, oms):
        with pytest.raises(requests.ConnectionError):
            oms.act("/_control", {"die": True})
        assert child.wait(10) == 70


def test_a_line_that_was_cut_off_did_not_happen(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        wms.call(CREATE, order(1), "key-1")
    with (tmp_path / "wms.journal.jsonl").open("ab") as file:
        file.write(b'{"kind":"call","at":17')
    with running("wms", tmp_path, receiver.url) as wms:
        assert wms.get("/_control")["effects"] == 1
        assert wms.call(CREATE, order(2), "key-2")[0] == 200
    with running("wms", tmp_path, receiver.url) as wms:
        assert wms.get("/_control")["effects"] == 2


def test_the_list_of_effects_is_made_whole_from_the_journal(tmp_path, receiver):
    with running("wms", tmp_path, receiver.url) as wms:
        wms.call(CREATE, order(1), "key-1")
    (tmp_path / "wms.effects.jsonl").write_bytes(b"")
    with running("wms", tmp_path, receiver.url):
        assert [line["key"] for line in lines(tmp_path / "wms.effects.jsonl")] == ["key-1"]


def test_two_lives_of_one_system_never_post_under_the_same_id(tmp_path, receiver):
    for life in ("one", "two"):
        with running("wms", tmp_path / life, receiver.url) as wms:
            wms.call(CREATE, order(1), "key-1")
            wait_for(lambda: wms.get("/_control")["posted"] == 1)
    assert len(set(receiver.seen)) == 2


def test_a_file_without_a_sandbox_is_refused(tmp_path):
    (tmp_path / "sandbox.py").write_text("SANDBOX = 1\n")
    with pytest.raises(ValueError, match="exports no SANDBOX"):
        load(tmp_path / "sandbox.py")


def test_a_chosen_port_that_is_taken_says_so(tmp_path, receiver: Receiver):
    with running("wms", tmp_path / "a", receiver.url) as wms:
        taken = int(wms.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            load(Path("adapters/wms/sandbox.py"))(
                SandboxConfig(name="wms", port=taken, hub_url=receiver.url, data=tmp_path / "b")
            )
