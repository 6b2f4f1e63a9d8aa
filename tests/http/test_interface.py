"""Interface documents over HTTP: of what the caller may use, and nothing for a stranger but the page that asks for a
key.
"""

import json
import re
import shutil
import subprocess

import pytest
import requests

from hub.flow.accounts.keys import make_key
from hub.main import open_vault
from tests.conftest import missing
from tests.support.documents import resolved, validator
from tests.support.hubs import OPS_TOKEN, ORDER, ROOT, operator, small_workspace
from tests.support.servers import served, small_hub
from tests.support.versioned import new_order, old_order, versioned

SCRIPT = ROOT / "hub" / "http" / "partner" / "try.js"
STRANGER = {"x-forwarded-for": "203.0.113.7"}  # what a proxy adds: it changes nothing
BAD = b'{"orderNo":"SO-9","items":[{"sku":"<b>SKU</b>","quantity":"2"}]}'


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interface")
    with (
        small_hub(
            small_workspace(folder / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{folder}/hub.sqlite3"
        ) as made,
        served(made, "granian") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def legacy(hub):
    """Key and secret of a caller whose key is of the legacy form."""
    _, key, secret = make_key(hub.hub.store, open_vault(hub.hub.settings), name="old", systems=["shop"], form="legacy")
    return {"key": key, "secret": secret, "form": "legacy"}


def node(program):
    """What a program prints, as JSON; `script` is the page's own."""
    if shutil.which("node") is None:
        missing("node", "the page's script is run by it")
    text = f"const script = require({json.dumps(str(SCRIPT))});\n(async () => {{ {program} }})().then((made) => console.log(JSON.stringify(made)));"
    done = subprocess.run(["node", "-e", text], check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def who(caller):
    return {"key": caller.key, "secret": caller.secret, "form": "default"}


# A document with as much as the script needs to build what it shows; whatever would parse markup is not there.
DOCUMENT = """
    const doc = {
      createTextNode: (text) => ({text}),
      createElement: (tag) => ({tag, content: [], append(one) { this.content.push(one); }}),
    };
    const flat = (one) => one.text ?? {[one.tag]: one.content.map(flat), ...(one.href ? {href: one.href} : {})};
"""


def test_a_caller_gets_what_it_may_post(hub):
    document = hub.caller("shop").get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/api/v1/shop/order.placed",
        "/api/v1/shop/order.placed/batch",
        "/api/shop/order.placed",
        "/api/shop/order.placed/batch",
        "/api/messages/{id}",
    }
    assert hub.caller("shop").get("/asyncapi.json", "two").json()["asyncapi"] == "3.0.0"


def held_to(document):
    """Holds an answer to what the document says of an operation; gives the answer."""

    def fits(operation, answer):
        told = resolved(document, operation["responses"][str(answer.status_code)])
        validator(document, told["content"][answer.headers["content-type"]]["schema"]).validate(answer.json())
        assert {name.lower() for name in told.get("headers", {})} <= {name.lower() for name in answer.headers}, (
            answer.headers
        )
        return answer

    return fits


def test_what_the_hub_answers_is_what_the_document_says(hub):
    caller = hub.caller("shop")
    document = caller.get("/openapi.json").json()
    one, many, own = (
        document["paths"][path]
        for path in ("/api/v1/shop/order.placed", "/api/shop/order.placed/batch", "/api/messages/{id}")
    )
    fits = held_to(document)
    path, batch = "/api/v1/shop/order.placed", "/api/shop/order.placed/batch"
    stored = fits(one["post"], caller.post(path, ORDER, "doc-1"))
    assert stored.status_code == 202
    assert fits(one["post"], caller.post(path, ORDER, "doc-1")).json()["data"]["duplicate"]
    assert fits(one["post"], caller.post(path, BAD, "doc-2")).status_code == 422
    assert (
        fits(one["post"], caller.post(path, BAD, "doc-3", accept="application/problem+json")).json()["type"]
        == "/docs/errors#42200"
    )
    assert fits(one["post"], caller.post(path, ORDER, "doc-4", webhook_signature="v1,x")).status_code == 401
    assert fits(one["post"], hub.caller("warehouse").post(path, ORDER, "doc-5")).status_code == 403
    assert fits(one["post"], caller.post(path, b"[", "doc-6")).status_code == 400
    assert fits(one["post"], caller.post(path, ORDER, "doc-7", content_type="text/plain")).status_code == 415
    assert fits(one["post"], caller.post(path, ORDER, "doc-8", x_big="x" * 40_000)).status_code == 431
    other = json.dumps({"orderNo": "SO-2", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()
    mixed = fits(many["post"], caller.post(batch, b"[" + other + b"," + BAD + b"]", "doc-9", api_version="1"))
    assert (mixed.status_code, mixed.json()["data"]["refused"]) == (202, 1)
    assert (
        fits(
            many["post"], caller.post(batch, other + b"\n" + BAD, "doc-10", content_type="application/x-ndjson")
        ).status_code
        == 202
    )
    assert fits(many["post"], caller.post(batch, b"[" + BAD + b"]", "doc-11")).json()["data"]["accepted"] == 0
    assert fits(many["post"], caller.post(batch, b"[]", "doc-12")).json()["code"] == 42203
    assert (
        fits(many["post"], caller.post(batch, b"[" + b",".join([ORDER] * 10_001) + b"]", "doc-15")).status_code == 413
    )
    assert fits(one["post"], caller.get(path, "doc-16")).status_code == 405
    assert fits(one["post"], caller.post("/api/v9/shop/order.placed", ORDER, "doc-17")).status_code == 404
    assert fits(one["post"], caller.post(path + "?" + "x" * 9_000, ORDER, "doc-18")).status_code == 414
    assert (
        fits(own["get"], caller.get(f"/api/messages/{stored.json()['data']['messageId']}", "doc-13")).status_code == 200
    )
    assert (
        fits(own["get"], caller.get("/api/messages/01890a5d-ac96-774b-bcce-b302099a8057", "doc-14")).status_code == 404
    )


def test_the_end_of_a_version_is_told_as_the_document_says(tmp_path):
    workspace = versioned(tmp_path / "workspace", "http://127.0.0.1:9009")
    with (
        small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", HUB_OPS_TOKEN="") as made,
        served(made, "granian") as running,
    ):
        caller = running.caller("shop")
        document = caller.get("/openapi.json").json()
        fits = held_to(document)
        for path in ("/api/v1/shop/order.placed", "/api/v1/shop/order.placed/batch"):
            operation = document["paths"][path]["post"]
            assert set(operation["responses"]["202"]["headers"]) == {"Deprecation", "Sunset", "Link"}
            answer = fits(
                operation,
                caller.post(
                    path, b"[" + old_order(2) + b"]" if path.endswith("batch") else old_order(1), path.replace(".", "-")
                ),
            )
            assert answer.status_code == 202
        # On the path without a version each of them is meant by its header, by its media type, or by neither
        operation = document["paths"]["/api/shop/order.placed"]["post"]
        assert fits(
            operation, caller.post("/api/shop/order.placed", old_order(3), "by-header", api_version="1")
        ).headers["link"]
        assert fits(
            operation,
            caller.post("/api/shop/order.placed", old_order(4), "by-type", accept="application/vnd.crossdock.v1+json"),
        ).headers["link"]
        assert "link" not in caller.post("/api/shop/order.placed", new_order(5), "by-neither").headers


def test_the_page_can_be_read_without_scripts_and_shows_every_field(hub):
    page = hub.caller("shop").get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.count("<script") == 1  # the page's own, which tries a post; reading needs none
    for word in (
        "Web shop",
        "order.placed",
        "items[].quantity",
        "at most 64 characters",
        "at least 1",
        "name each sku once",
    ):
        assert word in page.text
    assert hub.caller("shop").get("/docs/mine", "again").text in page.text


@pytest.mark.parametrize("path", ["/docs", "/docs/mine", "/docs/errors"])
def test_pages_are_under_a_strict_policy(hub, path):
    policy = operator.get(hub.url + path).headers["content-security-policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert (parts["default-src"], parts["script-src"], parts["connect-src"], parts["form-action"]) == (
        "'none'",
        "'self'",
        "'self'",
        "'none'",
    )
    assert (parts["base-uri"], parts["frame-ancestors"], parts["require-trusted-types-for"]) == (
        "'none'",
        "'none'",
        "'script'",
    )
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json", "/docs/mine"])
def test_a_stranger_gets_nothing(hub, path):
    assert requests.get(hub.url + path, headers=STRANGER, timeout=10).status_code == 401
    assert requests.get(
        hub.url + path,
        headers={
            "authorization": "ApiKey ak_none",
            "webhook-id": "a",
            "webhook-timestamp": "1",
            "webhook-signature": "v1,x",
        },
        timeout=10,
    ).status_code in (400, 401)
    assert (
        requests.get(
            hub.url + path, headers={**STRANGER, "authorization": f"Bearer {OPS_TOKEN}"}, timeout=10
        ).status_code
        == 200
    )  # an operator with the token
    assert requests.get(hub.url + path, timeout=10).status_code == 401  # this machine is nobody either


def test_a_stranger_gets_the_page_without_data(hub, tmp_path):
    page = requests.get(hub.url + "/docs", headers=STRANGER, timeout=10)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    for word in ("shop", "warehouse", "order.placed", "Web shop", "/api/", "data-path", "<table"):
        assert word not in page.text, word
    # Whoever says who it is and cannot prove it is told so, not handed the page as if it had said nothing
    assert (
        requests.get(hub.url + "/docs", headers={**STRANGER, "authorization": "Bearer wrong"}, timeout=10).status_code
        == 401
    )
    assert hub.caller("shop").post("/docs", b"", "post").status_code == 405
    # A hub without an operator's token says no more of itself
    with (
        small_hub(
            small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"),
            f"sqlite:///{tmp_path}/hub.sqlite3",
            HUB_OPS_TOKEN="",
        ) as made,
        served(made, "wsgi") as other,
    ):
        assert requests.get(other.url + "/docs", headers=STRANGER, timeout=10).text == page.text
        assert requests.get(other.url + "/docs/mine", headers=STRANGER, timeout=10).status_code == 404


def test_an_operator_gets_the_page_with_all_of_it(hub):
    for headers in ({}, STRANGER):
        page = operator.get(hub.url + "/docs", headers=headers).text
        assert "warehouse" in page
        assert "data-path" in page


def test_nothing_that_a_browser_submits_by_itself_holds_a_secret(hub):
    page = requests.get(hub.url + "/docs", headers=STRANGER, timeout=10).text
    fields = re.findall(r"<(?:input|select|textarea)[^>]*>", page)
    assert len(fields) == 3
    assert not [field for field in fields if "name=" in field]  # what has no name is not part of a submission
    assert not re.search(r"<form[^>]*action", page)
    assert (
        "form-action 'none'"
        in requests.get(hub.url + "/docs", headers=STRANGER, timeout=10).headers["content-security-policy"]
    )


def test_the_script_stores_nothing_and_makes_no_markup_of_data():
    text = SCRIPT.read_text("utf-8")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "localStorage",
        "sessionStorage",
        "cookie",
        "indexedDB",
        "history.",
        "eval",
    ):
        assert word not in text, word
    assert text.count("parseFromString") == 1


def test_the_pages_own_script_signs_and_posts(hub):
    served_ = requests.get(hub.url + "/docs/try.js", headers=STRANGER, timeout=10)
    assert served_.headers["content-type"].startswith("text/javascript")
    assert served_.content == SCRIPT.read_bytes()
    # Given the script that the page loads, when it posts as the button does
    path = hub.url + "/api/v1/shop/order.placed"
    order = ORDER.replace(b"SO-1", b"SO-JS").decode()
    answer = node(
        f"return script.post({json.dumps(path)}, {json.dumps(who(hub.caller('shop')))}, {json.dumps(order)});"
    )
    assert (answer["status"], json.loads(answer["text"])["data"]["duplicate"]) == (202, False)


def test_the_script_asks_for_the_callers_own_messages_in_both_forms(hub, legacy):
    caller = hub.caller("shop")
    wrong = {**who(caller), "secret": "whsec_" + "A" * 43 + "="}
    path = json.dumps(hub.url + "/docs/mine")
    mine, old, nobody = node(
        f"return [{', '.join(f'await script.ask({path}, {json.dumps(one)})' for one in (who(caller), legacy, wrong))}];"
    )
    assert mine["status"] == old["status"] == 200
    assert mine["text"] == old["text"]
    assert 'data-path="/api/v1/shop/order.placed"' in mine["text"]
    assert "warehouse" not in mine["text"]
    assert nobody["status"] == 401
    # What is proven never holds the secret
    for one in (who(caller), legacy):
        sent = node(f"return script.proof({json.dumps(one)}, '');")
        assert one["secret"] not in json.dumps(sent)
        assert sent["authorization"] == f"ApiKey {one['key']}"


@pytest.mark.parametrize(
    "given, said",
    [
        ({"key": "", "secret": "whsec_AAAA", "form": "default"}, "put in a key"),
        ({"key": "ak_some", "secret": "whsec_%%%", "form": "default"}, "not base64"),
    ],
)
def test_what_cannot_be_signed_is_said_in_words(given, said):
    assert said in node(f"return script.proof({json.dumps(given)}, '').catch((error) => error.message);")


def test_a_browser_that_may_not_sign_is_told_why():
    # Given a page that came over plain http, where browsers keep their signing to themselves
    plain = "Object.defineProperty(globalThis, 'crypto', {value: {}});"
    said = node(
        f"{plain} return script.proof({{key: 'ak_some', secret: 'whsec_AAAA', form: 'default'}}, '').catch((error) => error.message);"
    )
    assert "https" in said


def test_a_refusal_is_shown_as_a_table_of_its_details(hub):
    # Given a post that is refused, with markup in what it sent
    path, caller = json.dumps(hub.url + "/api/v1/shop/order.placed"), json.dumps(who(hub.caller("shop")))
    seen = node(
        f"{DOCUMENT} return script.shown(doc, await script.post({path}, {caller}, {json.dumps(BAD.decode())})).map(flat);"
    )
    # Then its words, its code with a link, and the details stand there as text
    assert seen[0]["p"][:2] == ["422 (", {"a": ["42200"], "href": "/docs/errors#42200"}]
    head, body = seen[1]["table"]
    assert [cell["th"] for cell in head["thead"][0]["tr"]] == [["pointer"], ["got"], ["want"], ["fix"]]
    rows = [[cell["td"][0] for cell in row["tr"]] for row in body["tbody"]]
    assert [
        "/items/0/quantity",
        "string, 1 character",
        "integer, at least 1, at most 1000000",
        "send 2, without quotes",
    ] in rows
    assert seen[2]["details"][0] == {"summary": ["As it came"]}
    assert '"code": 42200' in seen[2]["details"][1]["pre"][0]


def test_an_answer_that_is_no_json_is_shown_as_it_came():
    seen = node(f"{DOCUMENT} return script.shown(doc, {{status: 502, text: '<h1>Bad Gateway</h1>'}}).map(flat);")
    assert seen == [{"p": ["502"]}, {"pre": ["<h1>Bad Gateway</h1>"]}]
