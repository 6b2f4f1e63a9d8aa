"""The command line as its users meet it: every answer as text and as one JSON value, every mistake with a line and an
exit code.
"""

import json
from datetime import UTC, datetime

import pytest
import requests

from hub.kit.signature import sign_legacy
from tests.support.hubs import ORDER, ROOT, HubProcess, Sink, small_workspace

PATH = "/api/v1/shop/order.placed"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    sink = Sink()
    made = HubProcess(small_workspace(folder / "workspace", sink.url), f"sqlite:///{folder}/hub.sqlite3").start()
    made.folder = folder
    yield made
    made.stop()
    sink.shutdown()
    sink.server_close()


def test_a_message_is_sent_followed_and_explained(hub):
    file = hub.folder / "order.json"
    file.write_bytes(ORDER)
    sent = hub.json("send", "shop/order.placed@1", str(file))
    assert sent["duplicate"] is False
    assert hub.json("send", "shop/order.placed@1", str(file)) == {"messageId": sent["messageId"], "duplicate": True}
    hub.delivered(sent["messageId"])
    story = hub.json("trace", "SO-1")
    assert [line["status"] for message in story["messages"] for line in message["deliveries"]] == ["delivered"]
    assert "warehouse/order.create@1" in hub.run("trace", "SO-1")[1]
    told = hub.json("explain", sent["messageId"])
    assert told["considered"] == [{"route": "orders", "target": "warehouse/order.create@1", "result": "matched"}]
    assert hub.json("explain", "shop/order.placed@1", str(file))["disposition"] == "routed"


def test_a_wrong_file_is_refused_with_its_faults_and_exit_code_1(hub):
    file = hub.folder / "bad.json"
    file.write_bytes(b'{"orderNo":"SO-1","items":[]}')
    code, out, _ = hub.run("send", "shop/order.placed@1", str(file), "--json")
    assert code == 1
    assert json.loads(out)["details"][0]["pointer"] == "/items"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["trace", "NOBODY"], 1, "No message has the number NOBODY"),
        (["dead", "show", "x"], 1, "There is no delivery x"),
        (["dead", "replay"], 1, "Write delivery ids, or use --all"),
        (["key", "revoke", "k_x"], 1, "There is no key k_x"),
        (["send", "nonsense", "/dev/null"], 2, "system/message@version"),
        (["chekc"], 2, "Did you mean 'check'?"),
        (["--store", "oracle://x/y", "migrate"], 2, "Write sqlite:///FILE"),
    ],
)
def test_a_mistake_gets_a_line_and_an_exit_code(hub, words, code, said):
    got, out, err = hub.run(*words)
    assert got == code
    assert said in out + err
    assert "Traceback" not in out + err


def test_an_empty_list_says_so(hub):
    code, out, _ = hub.run("repair", "list")
    assert (code, out.strip().splitlines()[-1]) == (0, "Nothing to list.")


def test_init_check_test_apply_and_migrate_speak_json(hub, tmp_path):
    assert len(hub.json("init", str(tmp_path / "new"))["files"]) == 15
    assert hub.json("-w", str(tmp_path / "new"), "check") == {"findings": [], "errors": 0}
    tried = hub.json("-w", str(tmp_path / "new"), "test")
    assert {name: tried[name] for name in ("failed", "findings", "examples", "tests")} == {
        "failed": [],
        "findings": [],
        "examples": 1,
        "tests": 0,
    }
    assert hub.json("migrate") == {
        "schema": max(path.name[:4] for path in (ROOT / "hub/store/migrations/versions").glob("0*.py"))
    }
    assert len(hub.json("apply")["revision"]) == 64
    assert hub.run("init", str(tmp_path / "new"))[0] == 2  # nothing is overwritten


def test_a_key_of_the_legacy_form_signs_as_the_seeds_do(hub):
    made = hub.json("key", "create", "old partner", "--system", "shop", "--form", "legacy")
    body = b'{"orderNo":"LEG-1","items":[{"sku":"S","quantity":1}]}'
    headers = {
        **dict(sign_legacy(made["key"], made["secret"], body, datetime.now(UTC))),
        "content-type": "application/json",
    }
    first, again = (
        requests.post(hub.url + PATH, data=body, headers=headers, timeout=30).json()["data"] for _ in range(2)
    )
    assert again == {"messageId": first["messageId"], "duplicate": True}
    # Another order of the same caller is another message: a request is named by its own signature
    other = body.replace(b"LEG-1", b"LEG-2")
    signed = {
        **dict(sign_legacy(made["key"], made["secret"], other, datetime.now(UTC))),
        "content-type": "application/json",
    }
    second = requests.post(hub.url + PATH, data=other, headers=signed, timeout=30)
    assert (second.status_code, second.json()["data"]["duplicate"]) == (202, False)
    listed = hub.json("key", "list")
    assert made["key"] not in json.dumps(listed)
    assert [row["form"] for row in listed if row["id"] == made["id"]] == ["legacy"]


def test_secrets_are_not_in_the_store(hub):
    made = hub.json("key", "create", "hidden", "--system", "shop")
    raw = b"".join(path.read_bytes() for path in hub.folder.glob("hub.sqlite3*"))
    assert made["key"].encode() not in raw
    assert made["secret"].removeprefix("whsec_").encode() not in raw
