"""CloudEvents over sockets: binary, structured, batched; proven, known again, refused with what to write instead."""

import base64
import json
import uuid

import pytest
import requests

from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub

ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"


@pytest.fixture(scope="module")
def accepting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    with small_hub(
        small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3"
    ) as hub:
        yield hub


@pytest.fixture(scope="module", params=["granian", "wsgi"])
def hub(request, accepting):
    with served(accepting, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def caller(hub):
    return hub.caller("shop")


def order():
    return {"orderNo": f"SO-{uuid.uuid4()}", "items": [{"sku": "S", "quantity": 1}]}


def event(**changed):
    made = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/shops/7",
        "type": "shop/order.placed",
        "data": order(),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def send(hub, caller, body, content_type=ONE, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {
        **caller.headers(raw, str(uuid.uuid4())),
        "content-type": content_type,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    answer = requests.post(f"{hub.url}/in/cloudevents", raw, headers=given, timeout=10)
    return answer.status_code, answer.json()


def test_a_structured_event_is_a_message_and_its_source_and_id_are_its_name(hub, caller):
    sent = event()
    status, told = send(hub, caller, sent)
    assert (status, told["data"]["duplicate"]) == (202, False)
    assert json.loads(hub.hub.store.body(told["data"]["messageId"])) == sent["data"]
    assert send(hub, caller, sent)[1]["data"] == {"messageId": told["data"]["messageId"], "duplicate": True}
    assert send(hub, caller, {**sent, "data": order()})[0] == 422  # another message under the same name
    assert send(hub, caller, {**sent, "source": "/shops/8", "data": order()})[1]["data"]["duplicate"] is False


def test_a_binary_event_has_its_attributes_in_headers(hub, caller):
    raw = json.dumps(order()).encode()
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid.uuid4()),
        "ce_source": "/shops/%E5%BC%A0",
        "ce_type": "shop/order.placed@1",
    }
    status, told = send(hub, caller, raw, "application/json", **headers)
    assert status == 202
    assert hub.hub.store.body(told["data"]["messageId"]) == raw
    assert send(hub, caller, raw, "application/json", **headers)[1]["data"]["duplicate"]


def test_data_in_base64(hub, caller):
    raw = json.dumps(order()).encode()
    status, told = send(hub, caller, event(data=None, data_base64=base64.b64encode(raw).decode()))
    assert status == 202
    assert hub.hub.store.body(told["data"]["messageId"]) == raw


def test_a_batch_answers_per_event(hub, caller):
    events = [
        event(),
        event(id=""),
        event(type="shop/nothing"),
        event(data={"orderNo": "x"}),
        event(specversion="0.3"),
        7,
        event(),
    ]
    status, told = send(hub, caller, events, MANY)
    assert status == 202
    assert [item["code"] for item in told["data"]["items"]] == [0, 42200, 40400, 42200, 42200, 42200, 0]
    assert (told["data"]["accepted"], told["data"]["refused"]) == (2, 5)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "pointer"),
    [
        (event(source=None), ONE, 422, "/source"),
        (event(type="order.placed"), ONE, 404, "/type"),
        (event(datacontenttype="text/xml"), ONE, 415, "/datacontenttype"),
        (event(data=None), ONE, 400, "/data"),
        (event(data_base64="?", data=None), ONE, 400, "/data_base64"),
        ([], MANY, 422, ""),
        ({}, "application/json", 415, ""),
        (event(), "application/xml", 415, ""),
    ],
)
def test_what_is_no_event_says_what_to_write(hub, caller, body, content_type, status, pointer):
    got, told = send(hub, caller, body, content_type)
    assert (got, told["details"][0]["pointer"]) == (status, pointer)


def test_an_event_is_proven_like_a_post(hub, caller):
    raw = json.dumps(event()).encode()
    stranger = requests.post(f"{hub.url}/in/cloudevents", raw, headers={"content-type": ONE}, timeout=10)
    assert stranger.status_code == 401
    assert send(hub, caller, event(type="warehouse/order.done"))[0] == 403
    assert requests.get(f"{hub.url}/in/cloudevents", timeout=10).status_code == 405
