"""The front when things go wrong behind it, and the small parts that it stands on."""

import asyncio
import io
import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest
import requests

from hub.core.config.system import Version, VersionState
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.message import Receipt, Ref, Request
from hub.http.common import bodies
from hub.http.ops import operator_auth
from hub.http.partner import lifetimes
from hub.http.partner.commit_waiters import Arrivals
from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub

PATH = "/api/v1/shop/order.placed"
LINE = b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}'


class Broken:
    """A group commit that fails as it is told to."""

    backlog = 0

    def __init__(self, real, error):
        self.real, self.error, self.at_once = real, error, False

    def submit(self, laid):
        return self.submit_many([laid])[0]

    def submit_many(self, batch):
        """The first fails at once or later; the others are committed."""
        if self.at_once:
            raise self.error
        failed: Future = Future()
        failed.set_exception(self.error)
        return [failed, *self.real.submit_many(batch[1:])]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("front")
    with small_hub(
        small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3"
    ) as made:
        yield made


@pytest.fixture(params=["granian", "wsgi"])
def failing(request, whole):
    """A hub behind a server, and the commit of it that fails."""
    commit = Broken(whole.commit, StoreBusy("no write lock"))
    with served(replace(whole, commit=commit), request.param) as made:
        yield made, commit


def test_a_busy_store_is_503_with_a_time_to_come_back(failing):
    hub, commit = failing
    for commit.at_once in (False, True):
        answer = hub.caller("shop").post(PATH, LINE % b"FR-1", "fr-1")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, 50300, "1")
        assert "lock" not in answer.text


def test_a_busy_store_fails_its_items_of_a_batch_and_no_others(failing):
    hub, _ = failing
    name = f"fr-{hub.port}"
    lines = b"[" + LINE % (name.encode() + b"-1") + b"," + LINE % (name.encode() + b"-2") + b"]"
    answer = hub.caller("shop").post(PATH + "/batch", lines, name)
    assert answer.status_code == 202
    assert [item["code"] for item in answer.json()["data"]["items"]] == [50300, 0]
    answer = hub.caller("shop").post(PATH + "/batch", b"[" + LINE % (name.encode() + b"-3") + b"]", name + "b")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, 50300, "1")


def test_what_nobody_foresaw_is_told_by_its_trace_id_alone(failing):
    hub, commit = failing
    commit.error = RuntimeError("the secret of /etc/hub and a body")
    answer = hub.caller("shop").post(PATH, LINE % b"FR-9", "fr-9")
    told = answer.json()
    assert (answer.status_code, told["code"], told["details"]) == (500, 50000, [])
    assert "secret" not in answer.text
    assert told["traceId"]
    assert requests.get(hub.url + "/health/live", timeout=10).status_code == 200


def test_ends_come_back_from_another_thread_in_order_and_together():
    async def gather():
        loop = asyncio.get_running_loop()
        wakeups = []
        arrivals = Arrivals(loop)
        take = arrivals._take
        arrivals._take = lambda: (wakeups.append(1), take())
        waits = [[Future() for _ in range(3)] for _ in range(50)]
        tasks = [loop.create_task(arrivals.wait(futures)) for futures in waits]
        await asyncio.sleep(0)

        def end_all():
            for index, futures in enumerate(waits):
                for part, future in enumerate(futures):
                    future.set_result(Receipt(f"{index}-{part}", False))

        thread = threading.Thread(target=end_all)
        thread.start()
        thread.join()  # the loop stands still meanwhile, so that all of the ends are there before it looks
        found = await asyncio.gather(*tasks)
        return found, len(wakeups)

    found, wakeups = asyncio.run(gather())
    assert [[one.message_id for one in line] for line in found] == [
        [f"{index}-{part}" for part in range(3)] for index in range(50)
    ]
    assert wakeups == 1


def head(*headers, peer="127.0.0.1"):
    return Request("POST", "/", "", headers, b"", peer)


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ((), 0),
        ((("content-length", "5"),), 5),
        ((("transfer-encoding", "chunked"),), None),
        ((("transfer-encoding", "Chunked"),), None),
    ],
)
def test_a_length_that_can_be_read_in_one_way(headers, length):
    assert bodies.declared_length(head(*headers), 10) == length


@pytest.mark.parametrize(
    "headers",
    [
        (("content-length", "5"), ("content-length", "5")),
        (("content-length", "5"), ("transfer-encoding", "chunked")),
        (("content-length", "+5"),),
        (("content-length", "５"),),
        (("content-length", "5, 5"),),
        (("transfer-encoding", "identity, chunked"),),
        (("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")),
        (("transfer-encoding", "xchunked"),),
    ],
)
def test_a_length_that_two_readers_could_read_differently_ends_the_connection(headers):  # B5
    with pytest.raises(Refused) as refused:
        bodies.declared_length(head(*headers), 10)
    assert refused.value.code is Code.BAD_REQUEST
    assert bodies.CLOSE in refused.value.headers


@pytest.mark.parametrize(
    ("sent", "declared", "code"),
    [(b"12345", 5, None), (b"123", 5, 40000), (b"12345", None, None), (b"x" * 11, None, 41300)],
)
def test_a_wsgi_body_is_counted(sent, declared, code):  # B3, B18
    if code is None:
        assert bodies.read_stream(io.BytesIO(sent), declared, 10) == sent
        return
    with pytest.raises(Refused) as refused:
        bodies.read_stream(io.BytesIO(sent), declared, 10)
    assert int(refused.value.code) == code


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json ; charset = utf8",
    ],
)
def test_json_in_utf_8_may_be_said_in_several_ways(kind):
    bodies.check_type(head(("content-type", kind)))


def test_a_deprecated_version_says_when_it_ends_and_what_comes_after():
    versions = {
        1: Version(VersionState.DEPRECATED, "2026-06-01", "2026-12-01"),
        2: Version(VersionState.CURRENT),
        3: Version(VersionState.DRAFT),
    }
    assert lifetimes.headers(Ref("wms", "outbound.confirmed", 1), versions) == (
        ("deprecation", "@1780272000"),
        ("sunset", "Tue, 01 Dec 2026 00:00:00 GMT"),
        ("link", '</api/v2/wms/outbound.confirmed>; rel="successor-version"'),
    )


def test_a_sunset_before_the_deprecation_is_not_told():
    versions = {1: Version(VersionState.DEPRECATED, "2026-06-01", "2026-05-01")}
    assert lifetimes.headers(Ref("wms", "a", 1), versions) == (("deprecation", "@1780272000"),)


@pytest.mark.parametrize(
    "request_",
    [
        head(peer="203.0.113.7"),
        head(peer=""),
        head(("host", "evil.example")),
        head(("via", "1.1 proxy")),
        head(("origin", "https://localhost.evil.example")),
    ],
    ids=["far", "nobody", "rebound", "proxy", "origin"],
)
def test_who_is_no_operator(request_):
    with pytest.raises(Refused) as refused:
        operator_auth.admit(request_, "")
    assert refused.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_an_operator_comes_by_the_hub_s_own_socket_or_shows_the_token_and_no_address_proves_one(host, peer):
    operator_auth.admit(replace(head(("host", host), peer=""), is_own=True), "")
    operator_auth.admit(head(("host", host), ("authorization", "Bearer token"), peer=peer), "token")
    for token, code in (("", Code.NOT_FOUND), ("token", Code.UNAUTHENTICATED)):
        with pytest.raises(Refused) as refused:
            operator_auth.admit(head(("host", host), peer=peer), token)
        assert refused.value.code is code
