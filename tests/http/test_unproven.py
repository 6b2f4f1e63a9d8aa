"""401: what is missing or malformed is told, with what to write instead; what is wrong is not, to nobody, by
nothing.
"""

import hmac
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.flow.accounts.keys import make_key
from hub.kit.signature import UNPROVEN, secret_bytes, sign_default, sign_legacy
from hub.main import open_vault
from tests.support.hubs import ORDER, small_workspace
from tests.support.servers import served, small_hub

PATH = "/api/v1/shop/order.placed"
HOOK = """
hooks:
  push:
    verify: {alg: hmac-sha256, encode: hex, over: "{timestamp}.{body}", at: {signature: header:X-Sign, timestamp: header:X-Time}, tolerance: 5m}
    read: {emit: shop/order.placed@1}
settings:
  secret: {help: What its hook is signed with, secret: true}
"""
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unproven")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    system = workspace / "adapters" / "shop" / "system.yaml"
    system.write_text(system.read_text("utf-8") + HOOK, "utf-8")
    with (
        small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3", HUB_SHOP_SECRET="sk") as made,
        served(made, "granian") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def keys(hub):
    """Keys of each form, one that is over, one that was revoked, and one that nobody was given: name → (key,
    secret).
    """
    store, vault = hub.hub.store, open_vault(hub.hub.settings)

    def key(form, **given):
        return make_key(store, vault, name="test", systems=("shop",), form=form, **given)

    made = {form: key(form) for form in ("default", "legacy", "hmac")} | {
        "api-key, over": key("api-key", days=-1),
        "over": key("default", days=-1),
    }
    for form in ("default", "api-key", "hmac"):
        made[f"{form}, revoked"] = key(form)
        assert store.revoke_key(made[f"{form}, revoked"].id, hub.hub.clock(), by="test")
    return {name: (one.key, one.secret) for name, one in made.items()} | {
        "unknown": ("ak_nobody_was_given_this", "whsec_AAAA")
    }


def default(key, secret="other"):
    return dict(sign_default(key, [secret], "m-1", ORDER, NOW))


def legacy(key, secret="other"):
    return dict(sign_legacy(key, secret, ORDER, NOW))


def hmac_(key, secret="other"):
    stamp = str(int(NOW.timestamp()))
    return {
        "authorization": f"ApiKey {key}",
        "x-timestamp": stamp,
        "x-signature": hmac.digest(secret_bytes(secret), stamp.encode() + b"." + ORDER, "sha256").hex(),
    }


# What each request lacks, and a word of what is told of it; "" where nothing is.
CASES = {
    "nothing": (lambda key: {}, "no header Authorization"),
    "no key": (lambda key: default(key) | {"authorization": None}, "no header Authorization"),
    "another word": (lambda key: default(key) | {"authorization": f"Basic {key}"}, "does not begin with ApiKey"),
    "no word": (lambda key: default(key) | {"authorization": key}, "does not begin with ApiKey"),
    "a key in quotes": (lambda key: default(key) | {"authorization": f'ApiKey "{key}"'}, "not of the form"),
    "two blanks": (lambda key: default(key) | {"authorization": f"ApiKey  {key}"}, "not of the form"),
    "the key alone": (lambda key: {"authorization": f"ApiKey {key}"}, "neither webhook-signature nor X-Signature"),
    "no id": (lambda key: default(key) | {"webhook-id": None}, "no header webhook-id"),
    "no time": (lambda key: default(key) | {"webhook-timestamp": None}, "no header webhook-timestamp"),
    "no version": (lambda key: default(key) | {"webhook-signature": "abcd"}, "begins with v1,"),
    "another version": (lambda key: default(key) | {"webhook-signature": "v2,abcd"}, "begins with v1,"),
    "hex": (lambda key: default(key) | {"webhook-signature": "v1," + "0f" * 32}, "not base64 of 32 bytes"),
    "no base64": (lambda key: default(key) | {"webhook-signature": "v1,!!"}, "not base64 of 32 bytes"),
    "a wrong signature": (default, ""),
    "legacy without its time": (lambda key: legacy(key) | {"x-timestamp": None}, "no header X-Timestamp"),
    "legacy in base64": (lambda key: legacy(key) | {"x-signature": "v1,abcd"}, "not 64 hexadecimal digits"),
    "legacy, wrong": (legacy, ""),
    "seconds": (hmac_, "10 digits: seconds"),
    "both families, wrong": (lambda key: default(key) | hmac_(key), ""),
    "too long": (lambda key: default(key) | {"webhook-signature": "v1," + "A" * 2_000}, "webhook-signature of"),
}


def refusal(hub, headers):
    request = Request(
        "POST", PATH, "", tuple((name, value) for name, value in headers.items() if value is not None), ORDER
    )
    with pytest.raises(Refused) as refused:
        hub.hub.callers.authenticate(request, now=NOW)
    return refused.value


@pytest.mark.parametrize("case", CASES)
def test_what_is_missing_is_told_and_the_same_whosever_the_key_is(hub, keys, case):
    made, word = CASES[case]
    told = {name: refusal(hub, made(key)) for name, (key, _) in keys.items()}
    faults = [list(one.faults) for one in told.values()]
    assert {(one.code, one.text) for one in told.values()} == {(Code.UNAUTHENTICATED, UNPROVEN)}
    assert [word in fault.got for fault in faults[0]].count(True) == (1 if word else 0)
    assert bool(faults[0]) == bool(word)
    assert all(fault.want and fault.fix for fault in faults[0])
    # Nothing tells keys apart: known or not, of which form, over, revoked. Lengths of what was sent may differ, for the
    # keys do
    assert len({tuple((fault.want, fault.fix) for fault in one) for one in faults}) == 1
    for (key, _), one in zip(keys.values(), told.values(), strict=True):
        assert key not in str(one.faults)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda key: dict(sign_default(key, ["x"], "m", ORDER, NOW - timedelta(minutes=6))), Code.STALE_TIMESTAMP),
        (lambda key: dict(sign_legacy(key, "x", ORDER, NOW + timedelta(minutes=6))), Code.CLOCK_SKEW),
        (lambda key: default(key) | {"webhook-timestamp": "soon"}, Code.BAD_TIMESTAMP),
        (lambda key: legacy(key) | {"x-timestamp": "1.5"}, Code.BAD_TIMESTAMP),
        (lambda key: default(key) | {"webhook-id": "a.b"}, Code.BAD_REQUEST),
    ],
)
def test_the_time_and_the_id_are_judged_before_the_key(hub, keys, made, code):
    assert {refusal(hub, made(key)).code for key, _ in keys.values()} == {code}


def test_a_right_proof_is_taken_in_each_form_and_no_other(hub, keys):
    for form, sign in (("default", default), ("legacy", legacy), ("hmac", hmac_)):
        key, secret = keys[form]
        headers = tuple(sign(key, secret).items())
        assert hub.hub.callers.authenticate(Request("POST", PATH, "", headers, ORDER), now=NOW).form == form
    for form in ("default, revoked", "over"):
        assert refusal(hub, default(*keys[form])).faults == ()


def test_an_unknown_key_costs_what_a_wrong_signature_costs(hub, keys):
    body = b"x" * 2_000_000

    def spent(name, sign):
        headers = tuple(sign(keys[name][0]).items())
        best = []
        for _ in range(5):
            began = time.perf_counter()
            with pytest.raises(Refused):
                hub.hub.callers.authenticate(Request("POST", PATH, "", headers, body), now=NOW)
            best.append(time.perf_counter() - began)
        return min(best)

    for sign in (default, legacy, hmac_):
        costs = [spent(name, sign) for name in keys]
        assert max(costs) < 3 * min(costs), (sign.__name__, dict(zip(keys, costs, strict=True)))


@pytest.mark.parametrize("body", [ORDER, b'{"x":"' + b"y" * 100_000 + b'"}'], ids=["short", "long"])
def test_partners_read_it_in_both_shapes(hub, body):
    kind = {"content-type": "application/json"}
    answer = requests.post(hub.url + PATH, data=body, headers=kind, timeout=10)
    assert (
        answer.status_code,
        answer.json()["code"],
        answer.json()["message"],
        answer.headers["www-authenticate"],
    ) == (401, 40100, UNPROVEN, "ApiKey")
    first = answer.json()["details"][0]
    assert (first["got"], first["want"]) == ("no header Authorization", "Authorization: ApiKey <key>")
    problem = requests.post(
        hub.url + PATH, data=body, headers={**kind, "accept": "application/problem+json"}, timeout=10
    )
    assert (problem.headers["content-type"], problem.json()["details"]) == (
        "application/problem+json",
        answer.json()["details"],
    )
    own = requests.get(f"{hub.url}/api/messages/01a00000-0000-7000-8000-000000000000", timeout=10)
    assert own.json()["details"] == answer.json()["details"]


def signed(stamp, secret=b"sk", body=ORDER):
    return {"x-time": stamp, "x-sign": hmac.digest(secret, stamp.encode() + b"." + body, "sha256").hex()}


def test_a_webhook_is_told_what_it_lacks_and_not_what_is_wrong(hub):
    now = str(int(time.time()))
    old = str(int(time.time()) - 900)

    def told(**headers):
        given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None} | {
            "content-type": "application/json"
        }
        answer = requests.post(f"{hub.url}/in/shop/push", data=ORDER, headers=given, timeout=10)
        assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (401, 40100, UNPROVEN)
        return [fault["got"] for fault in answer.json()["details"]]

    good = signed(now)
    assert told() == ["no signature at header:x-sign", "no timestamp at header:x-time"]
    assert told(**{**good, "x-sign": None}) == ["no signature at header:x-sign"]
    assert told(**{**good, "x-sign": "0f"}) == ["a signature of 2 characters at header:x-sign"]
    assert told(**{**good, "x-time": None}) == ["no timestamp at header:x-time"]
    assert told(**{**good, "x-time": "soon"}) == ["4 characters at header:x-time that are no time"]
    assert told(**signed(old))[0].startswith("a timestamp that is 90")
    # Another secret, another body, another case: which, nobody is told
    assert (
        told(**signed(now, b"other"))
        == told(**signed(now, body=b"{}"))
        == told(**{**good, "x-sign": good["x-sign"].upper()})
        == []
    )


def test_an_operator_is_told_what_is_missing(hub):
    def told(**headers):
        answer = requests.get(f"{hub.url}/ops/v1/now", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        return [fault["got"] for fault in answer.json()["details"]]

    assert told() == ["no header Authorization"]
    assert (
        told(authorization="Basic b2xnYTp4")
        == told(authorization="the-token")
        == ["Authorization that does not begin with Bearer"]
    )
    assert told(authorization="Bearer") == ["Bearer without a token"]
    assert told(authorization="Bearer wrong") == []
