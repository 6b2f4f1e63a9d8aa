"""What operators ask and do over `/ops/v1`, who may, and that every answer is what its OpenAPI document says."""

import itertools
import json
import socket
import stat

import pytest
import requests
from click.testing import CliRunner

from hub.cli import main as hub_command
from hub.core.errors import Cause, Reason
from hub.core.model.delivery import Dead, Exchange, Settlement
from hub.flow.accounts import people
from hub.flow.answers import administration, building, messages, overview
from hub.http.app import make_app
from hub.http.monitoring.side_servers import OwnSocket
from hub.vault import VaultError
from tests.support.declared import faults
from tests.support.hubs import OPS_TOKEN, HubProcess, Sink, operator, small_workspace
from tests.support.servers import served, small_hub
from tests.support.sockets import Forwarder, by_socket
from tests.support.waiting import wait_until

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ops")
    with (
        small_hub(
            small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3"
        ) as made,
        served(made, "granian") as answering,
    ):
        yield answering


@pytest.fixture(scope="module")
def caller(hub):
    return hub.caller("shop")


@pytest.fixture
def accepted(caller):
    """A message of the test's own, with its deliveries."""
    number = f"OPS-{next(NUMBERS)}"
    body = b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % number.encode()
    return number, caller.post("/api/v1/shop/order.placed", body, number).json()["data"]["messageId"]


def get(hub, path, **headers):
    return operator.get(
        f"{hub.url}/ops/v1{path}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=10,
    )


def post(hub, path, document, **headers):
    given = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return operator.post(
        f"{hub.url}/ops/v1{path}",
        data=body,
        headers={name: value for name, value in given.items() if value},
        timeout=10,
    )


def fits(schema, answer):
    """The answer's data, once it is known to be what the schema says: nothing missing, nothing more."""
    assert answer.status_code == 200, answer.text
    assert not faults(schema, answer.json())
    return answer.json()["data"]


def test_a_message_is_found_by_its_keys_and_shown_with_its_deliveries(hub, accepted):
    number, message_id = accepted
    for query in (
        f"key={number}",
        f"key={number}&name=orderNo",
        f"id={message_id}",
        f"key={number}&status=pending&disposition=routed&type=shop/order.placed",
    ):
        assert [item["id"] for item in fits(messages.Messages, get(hub, f"/messages?{query}"))["items"]] == [message_id]
    assert fits(messages.Messages, get(hub, f"/messages?key={number}&status=dead"))["items"] == []
    one = fits(messages.Message, get(hub, f"/messages/{message_id}"))
    assert [line["status"] for line in one["deliveries"]] == ["pending"]
    stages = fits(messages.Stages, get(hub, f"/messages/{message_id}/stages"))
    assert stages["stages"][0]["body"]["orderNo"] == number
    assert stages["deliveries"][0]["stages"][-1]["stage"] == "mapped"
    story = fits(messages.Story, get(hub, f"/trace/{number}"))
    assert [message["id"] for message in story["messages"]] == [message_id]


def test_what_is_personal_is_shown_to_who_says_why_and_that_is_on_record(hub, accepted):
    _, message_id = accepted
    answer = post(hub, f"/messages/{message_id}/reveal", {"by": "ann", "why": "the customer called"})
    assert not fits(messages.Stages, answer)["isMasked"]
    [act] = [one for one in hub.hub.store.acts() if one.what == "message.revealed"]
    assert (act.by, act.object, act.details) == ("ann", message_id, {"why": "the customer called"})
    unknown = "00000000-0000-7000-8000-000000000000"
    assert post(hub, f"/messages/{unknown}/reveal", {"by": "ann", "why": "x"}).status_code == 404
    assert post(hub, f"/messages/{message_id}/reveal", {"by": "ann"}).status_code == 400


def test_the_raw_bytes_are_given_to_who_says_why_by_call_and_by_command(hub, accepted, tmp_path):
    number, message_id = accepted
    answer = post(hub, f"/messages/{message_id}/raw", {"by": "ann", "why": "to compare"})
    assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (
        200,
        "application/octet-stream",
        "no-store",
    )
    assert answer.content == b'{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}' % number.encode()
    words = [
        "--store",
        hub.hub.settings.store,
        "raw",
        message_id,
        "--why",
        "the court asked",
        "--by",
        "bob",
        "--out",
        f"{tmp_path}/raw",
    ]
    assert CliRunner().invoke(hub_command, words).exit_code == 0
    assert (tmp_path / "raw").read_bytes() == answer.content
    acts = hub.hub.store.acts(object_=message_id)
    assert [(act.by, act.details["why"]) for act in acts] == [("bob", "the court asked"), ("ann", "to compare")]
    assert post(hub, f"/messages/{message_id}/raw", {"by": "ann"}).status_code == 400
    assert post(hub, "/messages/00000000-0000-7000-8000-000000000000/raw", {"by": "ann", "why": "x"}).status_code == 404


def test_accounts_are_made_shut_out_and_changed(hub):
    # Given an account that was made by a call
    made = {"name": "wen", "password": "correct horse battery", "role": "operator", "by": "ann"}
    assert fits(administration.Named, post(hub, "/users", made)) == {"name": "wen", "role": "operator"}
    token = people.sign_in(hub.hub.store, "wen", made["password"], address="192.0.2.7")
    # Then nothing tells its password, a second one of the name is refused, and a weak or nameless one too
    assert made["password"] not in str(hub.hub.store.acts(object_="wen")) + get(hub, "/users").text
    for other in (made, {**made, "name": "New!"}, {**made, "name": "short", "password": "x"}):
        assert post(hub, "/users", other).status_code == 400
    # When it is shut out, then it is signed in no more; and nobody does it to themselves
    assert post(hub, "/users/wen/change", {"what": "disable", "by": "wen"}).status_code == 403
    assert people.signed_in(hub.hub.store, token) is not None
    assert (
        fits(administration.ChangedPerson, post(hub, "/users/wen/change", {"what": "disable", "by": "ann"}))["changed"]
        == "disable"
    )
    assert people.signed_in(hub.hub.store, token) is None
    for what in ("enable", "viewer"):
        assert post(hub, "/users/wen/change", {"what": what, "by": "ann"}).status_code == 200
    [row] = [one for one in fits(administration.Persons, get(hub, "/users"))["items"] if one["name"] == "wen"]
    assert (row["role"], row["disabledAt"]) == ("viewer", None)
    assert post(hub, "/users/nobody/change", {"what": "disable", "by": "ann"}).status_code == 404
    assert post(hub, "/users/wen/change", {"what": "root", "by": "ann"}).status_code == 400


def test_pages_neither_skip_nor_repeat(hub, caller):
    for number in range(5):
        caller.post(
            "/api/v1/shop/order.placed",
            b'{"orderNo":"PG-%d","items":[{"sku":"S","quantity":1}]}' % number,
            f"pg-{number}",
        )
    whole = [item["id"] for item in fits(messages.Messages, get(hub, "/messages?limit=500"))["items"]]
    paged, after = [], None
    while True:
        page = fits(messages.Messages, get(hub, "/messages?limit=2" + (f"&before={after}" if after else "")))
        paged += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert paged == whole


def test_a_dead_delivery_is_listed_replayed_and_cancelled(hub, accepted):
    # Given a delivery that died
    _, message_id = accepted
    claims = hub.hub.store.claim("warehouse", size=256, lease_s=30, worker="test")
    [claim] = [one for one in claims if one.message.id == message_id]
    hub.hub.store.return_leases([one for one in claims if one is not claim])
    hub.hub.store.settle([Settlement(claim, Dead(Cause(Reason.REFUSED, "no")), Exchange(), claim.message.revision)])
    waiting = fits(messages.Deliveries, get(hub, "/deliveries/dead"))["items"]
    assert [(line["id"], line["why"]["reason"]) for line in waiting] == [(claim.id, "refused")]
    # When a person replays it, then it is pending again; a second time changes nothing
    assert post(hub, "/deliveries/replay", {"ids": [claim.id], "by": "ann"}).json()["data"] == {claim.id: "reopened"}
    assert post(hub, "/deliveries/replay", {"ids": [claim.id], "by": "ann"}).json()["data"][claim.id] != "reopened"
    # When a person cancels it, then it ends, with the name and the reason
    assert post(hub, "/deliveries/cancel", {"ids": [claim.id], "by": "ann", "why": "sold out"}).json()["data"] == {
        claim.id: "cancelled"
    }
    [line] = fits(messages.Message, get(hub, f"/messages/{message_id}"))["deliveries"]
    assert (line["status"], line["changedBy"]) == ("cancelled", "ann")
    assert fits(overview.Books, get(hub, "/conservation"))["unaccounted"] == 0


def test_the_landscape_is_told(hub):
    systems = fits(building.SystemList, get(hub, "/systems"))
    assert {"shop", "warehouse"} <= {system["name"] for system in systems["items"]}
    routes = fits(building.RouteList, get(hub, "/routes"))
    assert routes["revision"] == systems["revision"]
    assert any(target.startswith("warehouse/") for route in routes["items"] for target in route["targets"])


@pytest.mark.parametrize(
    "query",
    [
        "nonsense=1", "limit=1&limit=2", "limit=0", "limit=501", "limit=-1", "limit=1e3", "limit=%EF%BC%91", "limit=1_0", "limit=", "before=1", "id=x",
        "status=lost", "disposition=x", "since=2026-01-01", "since=20260101T101010Z", "since=2026-01-01T10:10:10", "since=2026-02-30T00:00:00Z",
        "key=", "key=%00", "key=a%0Ab", "key=%FF", "key=" + "a" * 256, "type=" + "a" * 151,
    ],
)  # fmt: skip
def test_a_query_that_does_not_fit_is_refused(hub, query):  # B14, B36, B90
    answer = get(hub, f"/messages?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in (40000, 40008)


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (b"", 400, 40001),
        (b"{", 400, 40002),
        (b'{"ids":[],"by":"a","by":"b"}', 400, 40002),
        ({"ids": [], "by": "ann"}, 400, 40000),
        ({"ids": ["x"], "by": "ann"}, 400, 40000),
        ({"ids": [1], "by": "ann"}, 400, 40000),
        ({"ids": ["01a00000-0000-7000-8000-000000000000"]}, 400, 40000),
        ({"ids": ["01a00000-0000-7000-8000-000000000000"], "by": "ann\n"}, 400, 40000),
        ({"ids": ["01a00000-0000-7000-8000-000000000000"], "by": "ann", "force": "yes"}, 400, 40000),
        ({"ids": ["01a00000-0000-7000-8000-000000000000"], "by": "ann", "force": 1}, 400, 40000),
        ({"ids": ["01a00000-0000-7000-8000-000000000000"], "by": "ann", "state": "dead"}, 400, 40000),
        ({"ids": ["01a00000-0000-7000-8000-000000000000"] * 10_001, "by": "ann"}, 400, 40000),
        (b" " * (1 << 20) + b"{}", 413, 41300),
    ],
    ids=[
        "empty",
        "cut",
        "twice",
        "none",
        "no-uuid",
        "number",
        "nobody",
        "line-break",
        "yes",
        "one",
        "state",
        "too-many",
        "too-large",
    ],
)
def test_a_body_that_does_not_fit_is_refused(hub, document, status, code):  # B34, B35, B95
    answer = post(hub, "/deliveries/replay", document)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    if code == 40000:
        assert answer.json()["details"]


def test_a_form_does_not_pass(hub):  # B92
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", None):
        assert post(hub, "/deliveries/replay", b'{"ids":[],"by":"x"}', content_type=kind).status_code == 415


def test_an_unknown_id_has_its_own_result(hub):
    unknown = "01a00000-0000-7000-8000-000000000000"
    assert post(hub, "/deliveries/replay", {"ids": [unknown], "by": "ann"}).json()["data"][unknown] != "reopened"
    for path in (f"/messages/{unknown}", f"/messages/{unknown}/stages", "/trace/no-such-number"):
        assert get(hub, path).json()["code"] == 40400


def test_a_token_that_is_set_is_asked_of_everybody(hub):  # B99
    forwarder = Forwarder(hub.port)
    # Given this machine itself, one behind a forwarder that adds nothing, one behind a proxy that says so, and names
    # that a browser here would call
    ways = [
        (hub.url, {}),
        (forwarder.url, {}),
        (hub.url, {"x-forwarded-for": "203.0.113.7"}),
        (hub.url, {"host": "localhost", "origin": "http://localhost"}),
    ]
    try:
        for path, (url, headers) in itertools.product(
            ("/ops/v1/conservation", "/ops/v1/openapi.json", "/ops/v1/nothing", "/metrics"), ways
        ):
            for wrong in (None, "Bearer x", f"Basic {OPS_TOKEN}", OPS_TOKEN, f"Bearer {OPS_TOKEN}x", "Bearer"):
                refused = requests.get(
                    url + path, headers={**headers, **({"authorization": wrong} if wrong else {})}, timeout=10
                )
                assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), (
                    path,
                    url,
                    headers,
                    wrong,
                )
            assert operator.get(url + path, headers=headers).status_code == (404 if path.endswith("nothing") else 200)
        # Then no stranger makes a key or an operator
        for path, given in (
            ("/keys", {"name": "x", "systems": ["shop"]}),
            ("/users", {"name": "x", "password": "x" * 20, "role": "operator"}),
        ):
            assert (
                requests.post(f"{forwarder.url}/ops/v1{path}", json={**given, "by": "x"}, timeout=10).status_code == 401
            )
    finally:
        forwarder.stop()
    assert [act.object for act in hub.hub.store.acts(by="x")] == []


def test_the_document_names_every_call(hub):
    document = get(hub, "/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/ops/v1/messages", "/ops/v1/messages/{message_id}", "/ops/v1/messages/{message_id}/stages", "/ops/v1/trace/{value}", "/ops/v1/deliveries/{status}",
        "/ops/v1/deliveries/replay", "/ops/v1/deliveries/cancel", "/ops/v1/conservation", "/ops/v1/revision", "/ops/v1/systems", "/ops/v1/routes",
        "/ops/v1/messages/{message_id}/explain", "/ops/v1/messages/{message_id}/afresh", "/ops/v1/messages/{message_id}/reveal", "/ops/v1/messages/{message_id}/raw", "/ops/v1/messages/{message_id}/lineage", "/ops/v1/contracts/usage", "/ops/v1/contracts/can-retire",
        "/ops/v1/contracts", "/ops/v1/contracts/{system}/{message}", "/ops/v1/mappings", "/ops/v1/mappings/{name}", "/ops/v1/mappings/{name}/try",
        "/ops/v1/routes/{name}", "/ops/v1/systems/{name}", "/ops/v1/systems/{name}/check",
        "/ops/v1/revisions", "/ops/v1/revisions/{revision}", "/ops/v1/revisions/{revision}/plan", "/ops/v1/revisions/{revision}/rollback", "/ops/v1/plan", "/ops/v1/apply",
        "/ops/v1/refused", "/ops/v1/refused/{refused_id}", "/ops/v1/refused/{refused_id}/reveal", "/ops/v1/refused/retry", "/ops/v1/refused/drop",
        "/ops/v1/unrouted", "/ops/v1/unrouted/preview", "/ops/v1/unrouted/route", "/ops/v1/unrouted/drop",
        "/ops/v1/unrouted/causes", "/ops/v1/unrouted/causes/{cause}/route", "/ops/v1/unrouted/causes/{cause}/drop",
        "/ops/v1/repairs", "/ops/v1/repairs/candidates", "/ops/v1/repairs/{repair_id}", "/ops/v1/repairs/{repair_id}/rows",
        "/ops/v1/repairs/{repair_id}/preview", "/ops/v1/repairs/{repair_id}/{verb}",
        "/ops/v1/deliveries/{delivery_id}/edit",
        "/ops/v1/now", "/ops/v1/rates", "/ops/v1/rates/series", "/ops/v1/rates/lines", "/ops/v1/waiting", "/ops/v1/landscape", "/ops/v1/parked",
        "/ops/v1/find", "/ops/v1/find/count", "/ops/v1/views", "/ops/v1/views/{view_id}/delete", "/ops/v1/objects/{value}",
        "/ops/v1/pauses", "/ops/v1/pauses/resume", "/ops/v1/audit", "/ops/v1/audit/verify", "/ops/v1/users", "/ops/v1/users/{name}/change", "/ops/v1/keys", "/ops/v1/keys/{key_id}/revoke",
        "/ops/v1/processes", "/ops/v1/store",
        "/ops/v1/clusters", "/ops/v1/clusters/{cluster_id}", "/ops/v1/clusters/{cluster_id}/deliveries",
    }  # fmt: skip
    assert all(
        "200" in call["responses"]
        for path in document["paths"].values()
        for name, call in path.items()
        if name in ("get", "post")
    )


def test_metrics_are_what_the_books_say(hub, accepted):
    def same():
        text = operator.get(hub.url + "/metrics", timeout=10).text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        books = get(hub, "/conservation").json()["data"]
        told = [
            float(lines[f"hub_{name}"]) for name in ('messages{disposition="routed"}', 'deliveries{status="pending"}')
        ]
        return lines if told == [books["routed"], books["deliveries"]["pending"]] else None

    lines = wait_until(same, what="metrics of the books as they are: they may be a moment old")
    assert float(lines["hub_unaccounted"]) == 0
    assert float(lines['hub_accepted_total{kind="new",message="order.placed",system="shop",version="1"}']) >= 1
    assert float(lines['hub_posts_total{status="202"}']) >= 1
    assert float(lines["hub_accept_seconds_count"]) >= 1
    assert float(lines["hub_commit_backlog"]) == 0
    assert any(name.startswith("hub_refused_total") for name in lines)


def test_health_says_ok_or_not_and_nothing_else(hub):  # B99
    for path in ("/health/live", "/health/ready"):
        answer = requests.get(hub.url + path, timeout=10)
        assert (answer.status_code, answer.json()["data"]) == (200, {"status": "ok"})
    with served(hub.hub, "wsgi", ticked_at=lambda: -1e9) as stuck:
        answer = requests.get(stuck.url + "/health/ready", timeout=10)
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "1", 50300)


def test_a_token_may_lie_elsewhere(tmp_path):
    workspace, store, file = (
        small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"),
        f"sqlite:///{tmp_path}/hub.sqlite3",
        tmp_path / "token",
    )
    file.write_text("from-a-file\n")
    file.chmod(0o600)
    for reference, token in ((f"file:{file}", "from-a-file"), ("env:WHERE", "from-there")):
        with small_hub(workspace, store, HUB_OPS_TOKEN=reference, WHERE="from-there") as made:
            app = make_app(made).test_client()
            for shown, status_code in ((token, 200), (reference, 401), ("", 401)):
                assert app.get("/ops/v1/now", headers={"authorization": f"Bearer {shown}"}).status_code == status_code
    for wrong in ("env:NOWHERE", f"file:{tmp_path}/none"):
        with pytest.raises(VaultError), small_hub(workspace, store, HUB_OPS_TOKEN=wrong):
            pass


def test_without_a_token_there_is_nothing_on_a_port(tmp_path):
    with (
        small_hub(
            small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"),
            f"sqlite:///{tmp_path}/hub.sqlite3",
            HUB_OPS_TOKEN="",
        ) as made,
        served(made, "wsgi") as plain,
    ):
        for path in ("/ops/v1/conservation", "/metrics", "/openapi.json", "/docs/mine"):
            for headers in (
                {},
                {"x-real-ip": "203.0.113.7"},
                {"authorization": "Bearer "},
                {"authorization": f"Bearer {OPS_TOKEN}"},
            ):
                assert requests.get(plain.url + path, headers=headers, timeout=10).status_code == 404


def test_without_a_token_the_hub_s_own_account_has_a_socket(tmp_path):
    workspace, path = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), tmp_path / "ops.sock"
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", HUB_OPS_TOKEN="") as made:
        assert made.settings.own_socket == path
        own = OwnSocket(made, make_app(made), path)
        own.start()
        try:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert (
                by_socket(path, "GET", "/ops/v1/conservation")[0]
                == by_socket(path, "GET", "/metrics")[0]
                == by_socket(path, "GET", "/docs/mine")[0]
                == 200
            )
            assert by_socket(path, "POST", "/ops/v1/keys", {"name": "mine", "systems": ["shop"], "by": "ann"})[0] == 200
            assert by_socket(path, "POST", "/ops/v1/keys", {"name": "mine"})[0] == 400
            # who opens it is an operator, and no caller
            assert by_socket(path, "POST", "/api/v1/shop/order.placed", {})[0] == 401
            # Another hub does not take it away
            with pytest.raises(OSError, match="another hub answers there"):
                OwnSocket(made, make_app(made), path)
            assert by_socket(path, "GET", "/health/live")[0] == 200
        finally:
            own.stop()
        assert not path.exists()
        # What a killed hub left is no hindrance; a file of somebody's is left alone
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        OwnSocket(made, make_app(made), path).stop()
        path.write_text("mine")
        with pytest.raises(FileExistsError):
            OwnSocket(made, make_app(made), path)
        assert path.read_text() == "mine"


def test_a_hub_with_a_token_opens_no_socket_and_one_without_does(tmp_path):
    workspace, sink = tmp_path / "workspace", Sink()
    hub = HubProcess(small_workspace(workspace, sink.url), f"sqlite:///{tmp_path}/hub.sqlite3")
    path = tmp_path / "ops.sock"
    try:
        hub.start()
        assert not path.exists()
        hub.stop()
        hub.environment["HUB_OPS_TOKEN"] = ""
        hub.start()
        assert by_socket(path, "GET", "/ops/v1/revision")[0] == 200
        assert requests.get(f"{hub.url}/ops/v1/revision", timeout=10).status_code == 404
    finally:
        hub.stop()
        sink.shutdown()
        sink.server_close()
    assert not path.exists()


def test_the_page_of_codes_is_served(hub):
    answer = requests.get(hub.url + "/docs/errors", timeout=10)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'id="42200"' in answer.text
