"""By what a hook's event is known: its id, its signed request, its content where that is declared, or nothing. A value
that comes back is no repeat.
"""

import hmac
import http.client
import json

import pytest

from hub.catalog import check
from tests.support.foreign import SYSTEM, foreign_workspace
from tests.support.servers import served, small_hub

SECRET = "sk_carrier"
HOOKS = """\
hooks:
  bare:
    verify: {alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}
    read: {emit: carrier/track.event@1}
  bare-list:
    verify: {alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}
    read: {each: body.events, emit: carrier/track.event@1}
  timed:
    verify: {alg: hmac-sha256, encode: hex, over: "{timestamp}.{body}", at: {signature: header:X-Sign, timestamp: header:X-Time}}
    read: {each: body.events, emit: carrier/track.event@1}
  aside:
    verify: {alg: hmac-sha256, encode: hex, over: "{body}", at: {signature: header:X-Sign, timestamp: header:X-Time}}
    read: {emit: carrier/track.event@1}
  said:
    verify: {alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}
    read: {emit: carrier/track.event@1, repeats: content}
  named:
    verify: {alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}
    read: {emit: carrier/track.event@1, id: "headers.`x-id`"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = foreign_workspace(tmp_path_factory.mktemp("repeats") / "workspace")
    (made / "adapters" / "carrier" / "system.yaml").write_text(SYSTEM.replace("hooks:\n", HOOKS, 1), "utf-8")
    return made


@pytest.fixture(scope="module")
def hub(folder, tmp_path_factory):
    store = tmp_path_factory.mktemp("repeats-store") / "hub.sqlite3"
    with (
        small_hub(folder, f"sqlite:///{store}", HUB_CARRIER_SECRET=SECRET, HUB_CARRIER_TOKEN="AAAAA") as made,
        served(made, "granian") as running,
    ):
        yield running


def event(status="MOVING", waybill="SF1000"):
    return {"waybillNo": waybill, "status": status, "time": "t"}


def sent(hub, hook, told, over="{}", **headers):
    """Whether each event of one request was a repeat."""
    body = json.dumps(told).encode()
    sign = hmac.digest(SECRET.encode(), over.encode().replace(b"{}", body), "sha256").hex()
    wire = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        wire.request(
            "POST", f"/in/carrier/{hook}", body, {"Content-Type": "application/json", "X-Sign": sign, **headers}
        )
        answer = wire.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        return [item["duplicate"] for item in content["data"]["items"]]
    finally:
        wire.close()


def test_a_value_that_comes_back_is_no_repeat_where_nothing_says_so(hub):
    assert [sent(hub, "bare", event(status)) for status in ("PICKED", "MOVING", "PICKED")] == [
        [False],
        [False],
        [False],
    ]
    assert sent(hub, "bare-list", {"events": [event(), event("SIGNED"), event()]}) == [False, False, False]


def test_a_request_is_known_by_its_signed_time_and_its_body(hub):
    told = {"events": [event(), event("SIGNED"), event()]}
    assert sent(hub, "timed", told, "1.{}", **{"X-Time": "1"}) == [False, False, False]
    assert sent(hub, "timed", told, "1.{}", **{"X-Time": "1"}) == [True, True, True]
    assert sent(hub, "timed", told, "2.{}", **{"X-Time": "2"}) == [False, False, False]
    assert sent(hub, "timed", {"events": [event("PICKED")]}, "2.{}", **{"X-Time": "2"}) == [False]


def test_a_time_that_nobody_signed_makes_no_request_known(hub):
    assert [sent(hub, "aside", event(), **{"X-Time": "1"}) for _ in range(2)] == [[False], [False]]


def test_what_says_the_same_is_a_repeat_where_that_is_declared(hub):
    assert [sent(hub, "said", event(status)) for status in ("PICKED", "MOVING", "PICKED")] == [[False], [False], [True]]


def test_an_event_without_the_id_that_is_declared_is_another_thing(hub):
    assert [sent(hub, "named", event(), **{"X-Id": "n-1"}) for _ in range(2)] == [[False], [True]]
    assert [sent(hub, "named", event()) for _ in range(2)] == [[False], [False]]


def test_the_check_says_where_nothing_tells_a_repeat_from_news(folder):
    lines = (folder / "adapters" / "carrier" / "system.yaml").read_text("utf-8").splitlines()
    places = [finding.line for finding in check(folder) if finding.code == "W813"]
    hooks = [
        next(row for row in reversed(lines[:line]) if row.startswith("  ") and row[2] != " ").strip(" :")
        for line in places
    ]
    assert hooks == ["bare", "bare-list", "aside", "inside"]
