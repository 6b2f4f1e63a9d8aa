"""Posts that are proven by other ways than the hub's own signature: keys that show themselves, HMAC, tokens,
certificates, declared schemes, addresses.
"""

import base64
import datetime as dt
import hmac
import json
import time
import uuid
from urllib.parse import quote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from hub.catalog.scaffold.new_workspace import init
from hub.flow.accounts.keys import make_key
from hub.main import open_vault
from tests.support.hubs import Caller
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

ISSUER, AUDIENCE = "https://id.example", "crossdock"
WAYS = {
    "keyed": "{scheme: api-key}",
    "hashed": "{scheme: hmac}",
    "tokened": "{{scheme: oauth2, issuer: {issuer}, audience: {audience}, jwks: {jwks}, scope: orders.write}}",
    "certified": '{{scheme: mtls, certificates: ["{certificate}"]}}',
    "declared": '{scheme: {alg: hmac-sha256, encode: HEX, over: "{timestamp}\\n{body}", at: {signature: header:X-Own-Sign, timestamp: header:X-Own-Time}, tolerance: 5m}}',
    "near": "{scheme: none, peers: [127.0.0.0/8]}",
    "far": "{scheme: none, peers: [198.51.100.7]}",
}


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner")])
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    return made.not_valid_before(at).not_valid_after(at + dt.timedelta(days=3_650)).sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def rsa():
    return RSAKey.generate_key(2048, parameters={"kid": "k1", "alg": "RS256", "use": "sig"})


@pytest.fixture(scope="module")
def theirs():
    return certificate()


@pytest.fixture(scope="module")
def accepting(tmp_path_factory, rsa, theirs):
    folder = tmp_path_factory.mktemp("inbound")
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(KeySet([rsa]).as_dict(private=False)))
    workspace = folder / "workspace"
    init(workspace)
    shop = workspace / "adapters" / "shop"
    given = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": f"file:{jwks}",
        "certificate": theirs.fingerprint(hashes.SHA256()).hex(":").upper(),
    }
    for name, way in WAYS.items():
        made = workspace / "adapters" / name
        (made / "contracts").mkdir(parents=True)
        text = (shop / "system.yaml").read_text("utf-8").replace("name: shop", f"name: {name}")
        text = text.replace("{scheme: hub-signature}", way.format(**given) if "{{" in way else way)
        if name == "declared":
            text += "settings:\n  secret: {help: What it signs with, secret: true}\n"
        (made / "system.yaml").write_text(text, "utf-8")
        (made / "contracts" / "order.placed.v1.json").write_text(
            (shop / "contracts" / "order.placed.v1.json").read_text("utf-8"), "utf-8"
        )
    with small_hub(
        workspace, f"sqlite:///{folder}/hub.sqlite3", HUB_DECLARED_SECRET="sk_own", HUB_TRUSTED_PROXIES="127.0.0.1"
    ) as hub:
        hub.authorities.look({f"file:{jwks}"})
        wait_until(lambda: hub.authorities._keys, what="the issuer's keys")
        yield hub


@pytest.fixture(scope="module", params=["granian", "wsgi"])
def hub(request, accepting):
    with served(accepting, request.param) as made:
        yield made


def order():
    return json.dumps({"orderNo": f"SO-{uuid.uuid4()}", "items": [{"sku": "S", "quantity": 1}]}).encode()


def post(hub, system, body, **headers):
    given = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = requests.post(f"{hub.url}/api/v1/{system}/order.placed", body, headers=given, timeout=10)
    return answer.status_code, answer.json()


def key_of(hub, form, *systems):
    _, key, secret = make_key(hub.hub.store, open_vault(hub.hub.settings), name="test", systems=systems, form=form)
    return key, secret


def test_a_key_that_shows_itself(hub):
    key, _ = key_of(hub, "api-key", "keyed")
    body = order()
    assert post(hub, "keyed", body, authorization=f"ApiKey {key}")[0] == 202
    status, told = post(hub, "keyed", body, authorization=f"ApiKey {key}")
    assert (status, told["data"]["duplicate"]) == (202, True)  # by the contract's own dedupe_by
    assert post(hub, "keyed", order(), authorization=f"ApiKey {key[:-1]}x")[0] == 401
    assert post(hub, "keyed", order())[0] == 401
    own = requests.get(
        f"{hub.url}/api/messages/{told['data']['messageId']}", headers={"authorization": f"ApiKey {key}"}, timeout=10
    )
    assert own.status_code == 200
    other = key_of(hub, "api-key", "keyed")[0]
    theirs = requests.get(
        f"{hub.url}/api/messages/{told['data']['messageId']}", headers={"authorization": f"ApiKey {other}"}, timeout=10
    )
    assert theirs.status_code == 404


def test_the_idempotency_key_counts_without_a_signature(hub):
    key, _ = key_of(hub, "api-key", "keyed")
    body = order()
    one, two = (
        post(hub, "keyed", body, authorization=f"ApiKey {key}", idempotency_key="one")[1]["data"] for _ in range(2)
    )
    assert one["messageId"] == two["messageId"]
    assert two["duplicate"]
    assert post(hub, "keyed", order(), authorization=f"ApiKey {key}", idempotency_key="one")[0] == 422


@pytest.mark.parametrize(
    ("form", "system"), [("api-key", "shop"), ("api-key", "hashed"), ("default", "keyed"), ("hmac", "shop")]
)
def test_nobody_steps_down_to_a_weaker_proof(hub, form, system):
    key, secret = key_of(hub, form, system)
    body = order()
    headers = Caller("", key, secret).headers(body, f"m-{uuid.uuid4()}") | hmac_headers(key, secret, body)
    status, told = post(hub, system, body, **headers)
    assert (status, told["code"]) == (403, 40300)


def hmac_headers(key, secret, body, at=None):
    stamp = str(int(at or time.time()))
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    return {
        "authorization": f"ApiKey {key}",
        "x-timestamp": stamp,
        "x-signature": hmac.digest(raw, stamp.encode() + b"." + body, "sha256").hex(),
    }


def test_an_hmac_over_time_and_body(hub):
    key, secret = key_of(hub, "hmac", "hashed")
    body = order()
    headers = hmac_headers(key, secret, body)
    assert post(hub, "hashed", body, **headers)[0] == 202
    assert post(hub, "hashed", body, **headers)[1]["data"]["duplicate"]
    assert post(hub, "hashed", order(), **headers)[0] == 401
    assert post(hub, "hashed", body, **hmac_headers(key, secret, body, time.time() - 400))[0] == 401


def token(rsa, **changed):
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "partner-7",
        "client_id": "partner-7",
        "exp": now + 300,
        "iat": now,
        "scope": "orders.write x",
        **changed,
    }
    return jwt.encode(
        {"alg": "RS256", "kid": "k1"}, {name: value for name, value in claims.items() if value is not None}, rsa
    )


def test_an_access_token_of_the_issuer(hub, rsa):
    status, told = post(hub, "tokened", order(), authorization=f"Bearer {token(rsa)}")
    assert status == 202
    assert hub.hub.store.message(told["data"]["messageId"]).caller == "oauth2:partner-7"
    own = requests.get(
        f"{hub.url}/api/messages/{told['data']['messageId']}",
        headers={"authorization": f"Bearer {token(rsa)}"},
        timeout=10,
    )
    assert own.status_code == 200
    other = token(rsa, client_id="partner-8", sub="partner-8")
    theirs = requests.get(
        f"{hub.url}/api/messages/{told['data']['messageId']}", headers={"authorization": f"Bearer {other}"}, timeout=10
    )
    assert theirs.status_code == 404


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"iss": "https://evil.example"}, 401),
        ({"aud": "another"}, 401),
        ({"aud": None}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
        ({"nbf": 4_000_000_000}, 401),
        ({"scope": "orders.read"}, 403),
        ({"scope": None, "scp": ["orders.write"]}, 202),
    ],
)
def test_what_a_token_must_say(hub, rsa, changed, status):
    assert post(hub, "tokened", order(), authorization=f"Bearer {token(rsa, **changed)}")[0] == status


def test_tokens_that_prove_nothing(hub, rsa):
    other = RSAKey.generate_key(2048, parameters={"kid": "k1"})
    unsigned = (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "none"}, {"iss": ISSUER})
        )
        + "."
    )
    public = rsa.as_pem(private=False)
    claims = token(rsa).split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=").decode()
    mac = base64.urlsafe_b64encode(hmac.digest(public, f"{head}.{claims}".encode(), "sha256")).rstrip(b"=").decode()
    for made in (token(other), unsigned, f"{head}.{claims}.{mac}", "a.b.c", "", "x" * 9_000):
        assert post(hub, "tokened", order(), authorization=f"Bearer {made}")[0] == 401
    assert post(hub, "shop", order(), authorization=f"Bearer {token(rsa)}")[0] == 401


def test_a_certificate_that_a_trusted_proxy_has_checked(hub, theirs):
    der = base64.b64encode(theirs.public_bytes(Encoding.DER)).decode()
    pem = quote(theirs.public_bytes(Encoding.PEM).decode())
    assert post(hub, "certified", order(), client_cert=f":{der}:")[0] == 202
    assert post(hub, "certified", order(), x_ssl_client_cert=pem)[0] == 202
    other = base64.b64encode(certificate().public_bytes(Encoding.DER)).decode()
    for wrong in ({"client_cert": f":{other}:"}, {"client_cert": der}, {"client_cert": ":!:"}, {}):
        assert post(hub, "certified", order(), **wrong)[0] == 401


def test_a_certificate_from_anybody_else_is_a_header_like_any_other(accepting, theirs):
    from hub.core.errors import Refused
    from hub.core.message import Request
    from hub.flow.intake.authentication import authorise

    der = base64.b64encode(theirs.public_bytes(Encoding.DER)).decode()
    headers = (("client-cert", f":{der}:"),)
    assert authorise(accepting, Request("POST", "/", "", headers, b"", "127.0.0.1"), "certified").id.startswith("mtls:")
    with pytest.raises(Refused):
        authorise(accepting, Request("POST", "/", "", headers, b"", "192.0.2.1"), "certified")


def test_a_scheme_of_ones_own(hub):
    body = order()
    stamp = str(int(time.time()))
    sign = hmac.digest(b"sk_own", stamp.encode() + b"\n" + body, "sha256").hex().upper()
    status, told = post(hub, "declared", body, x_own_time=stamp, x_own_sign=sign)
    assert status == 202
    assert post(hub, "declared", body, x_own_time=stamp, x_own_sign=sign)[1]["data"]["duplicate"]
    assert hub.hub.store.message(told["data"]["messageId"]).caller == "system:declared"
    assert post(hub, "declared", order(), x_own_time=stamp, x_own_sign=sign)[0] == 401
    assert post(hub, "declared", body, x_own_time=str(int(stamp) - 400), x_own_sign=sign)[0] == 401
    assert post(hub, "declared", body)[0] == 401
    large = json.dumps({"orderNo": "L", "items": [{"sku": "S" * 60, "quantity": 1}] * 1_000}).encode()
    assert post(hub, "declared", large)[0] == 401  # nobody reads a long body for a stranger


def test_an_address_alone(hub):
    assert post(hub, "near", order())[0] == 202
    assert post(hub, "far", order())[0] == 401
    # Behind a trusted proxy the last address that it wrote down counts, and not what came to it.
    assert post(hub, "far", order(), x_forwarded_for="10.1.1.1, 198.51.100.7")[0] == 202
    assert post(hub, "far", order(), x_forwarded_for="198.51.100.7, 10.1.1.1")[0] == 401


def test_a_batch_under_a_key_that_signs_nothing(hub):
    key, _ = key_of(hub, "api-key", "keyed")
    lines = b"\n".join(order() for _ in range(3))
    headers = {"authorization": f"ApiKey {key}", "content-type": "application/x-ndjson"}
    answer = requests.post(f"{hub.url}/api/v1/keyed/order.placed/batch", lines, headers=headers, timeout=10).json()
    assert [item["duplicate"] for item in answer["data"]["items"]] == [False] * 3


@pytest.mark.parametrize(
    ("system", "headers", "got"),
    [
        ("tokened", {}, ["no header Authorization"]),
        ("tokened", {"authorization": "ApiKey ak_x"}, ["Authorization that does not begin with Bearer"]),
        ("tokened", {"authorization": "Bearer abc"}, ["a token of 3 characters that is no JWT"]),
        ("tokened", {"authorization": "Bearer e30.e30.e30"}, []),
        ("certified", {}, ["no client certificate"]),
        ("certified", {"client_cert": ":AAAA:"}, []),
        ("declared", {}, ["no signature at header:x-own-sign", "no timestamp at header:x-own-time"]),
        ("far", {}, []),
    ],
)
def test_each_way_says_what_is_missing_and_not_what_is_wrong(hub, system, headers, got):
    status, told = post(hub, system, order(), **headers)
    assert (status, told["code"], told["message"]) == (
        401,
        40100,
        "The key, the signature or the permission is not valid.",
    )
    assert [fault["got"] for fault in told["details"]] == got
    assert all(fault["want"] and fault["fix"] for fault in told["details"])
