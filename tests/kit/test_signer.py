"""How calls prove who calls, over real sockets: what stands in the headers, tokens that end, certificates that are
asked for.
"""

import base64
import datetime as dt
import http.server
import ipaddress
import json
import ssl
import threading
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hub.core.adapter import Parcel, Reply
from hub.core.config.parsed_request import ParsedRequest
from hub.core.config.scheme import read_scheme, read_spot
from hub.core.config.system import Accept, System
from hub.core.errors import Reason, TryLater
from hub.core.message import Ref, Request
from hub.kit.http.access_tokens import AccessTokens
from hub.kit.http.call import Call, Tls
from hub.kit.http.sender import Sender
from hub.kit.proof import verify
from hub.kit.signer import HMAC, ApiKey, OAuth2, SchemeSigner, StaticSigner
from hub.kit.target import DeclaredTarget

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PARCEL = Parcel("d-1", Ref("wms", "order.create", 1), {"a": 1}, b'{"a":1}', "m-1", "a" * 32, 1)
URL = "https://wms.example/orders"


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, answer = self.server.answer(
            self.path, {name.lower(): value for name, value in self.headers.items()}, body
        )
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815  the library calls it so

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def sender():
    made = Sender(LOOPBACK)
    yield made
    made.close()


def system():
    accept = Accept("wms/order.create", "", {}, {}, "POST", "/orders")
    return System("wms", "", "", accepts={"order.create": accept})


def test_an_api_key_stands_where_the_system_wants_it_and_is_never_shown():
    assert ApiKey("k1", None, "").sign(PARCEL, "POST", URL, NOW).headers == (("authorization", "ApiKey k1"),)
    assert ApiKey("k1", None, "Bearer ").sign(PARCEL, "POST", URL, NOW).headers == (("authorization", "Bearer k1"),)
    assert ApiKey("k1", read_spot("header:X-API-Key"), "").sign(PARCEL, "POST", URL, NOW).headers == (
        ("x-api-key", "k1"),
    )
    assert (
        ApiKey("k&1", read_spot("query:key"), "").sign(PARCEL, "POST", URL + "?a=b", NOW).url == URL + "?a=b&key=k%261"
    )
    target = DeclaredTarget(system(), "https://wms.example", lambda: NOW, ApiKey("k1", read_spot("query:key"), ""))
    assert (target.call(PARCEL).url, target.call(PARCEL).shown) == (
        "https://wms.example/orders?key=k1",
        "https://wms.example/orders",
    )


def test_a_declared_scheme_proves_what_it_sends():
    scheme = read_scheme(
        {
            "alg": "hmac-sha256",
            "encode": "base64",
            "over": "{key}\n{timestamp}\n{nonce}\n{body}",
            "at": {
                "signature": "header:X-Sign",
                "timestamp": "header:X-Time",
                "nonce": "header:X-Nonce",
                "key": "header:X-Key",
            },
            "tolerance": timedelta(minutes=5),
            "stamp": "milliseconds",
        }
    )
    signed = SchemeSigner(scheme, {"secret": "s", "key": "app-1"}).sign(PARCEL, "POST", URL, NOW)
    assert dict(signed.headers)["x-time"] == str(int(NOW.timestamp() * 1000))
    verify(scheme, ParsedRequest(Request("POST", "/orders", "", signed.headers, PARCEL.body)), {"secret": "s"}, now=NOW)


def test_hmac_is_the_same_said_short():
    signed = SchemeSigner(HMAC, {"secret": "s"}, headers=(("authorization", "ApiKey k"),)).sign(
        PARCEL, "POST", URL, NOW
    )
    assert [name for name, _ in signed.headers] == ["authorization", "x-timestamp", "x-signature"]
    verify(HMAC, ParsedRequest(Request("POST", "/", "", signed.headers, PARCEL.body)), {"secret": "s"}, now=NOW)


def test_a_token_is_asked_for_once_and_again_before_it_ends(server, sender):
    asked = []

    def answer(path, headers, body):
        asked.append((headers["authorization"], urllib.parse.parse_qs(body.decode())))
        return 200, json.dumps({"access_token": f"t{len(asked)}", "token_type": "Bearer", "expires_in": 120}).encode()

    server.answer = answer
    tokens = AccessTokens(
        f"http://127.0.0.1:{server.server_port}/token", "hub:1", "s e", scope="orders", sender=lambda: sender
    )
    assert [
        tokens.token(NOW),
        tokens.token(NOW + timedelta(seconds=89)),
        tokens.token(NOW + timedelta(seconds=91)),
    ] == ["t1", "t1", "t2"]
    assert base64.b64decode(asked[0][0].removeprefix("Basic ")) == b"hub%3A1:s%20e"
    assert asked[0][1] == {"grant_type": ["client_credentials"], "scope": ["orders"]}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (401, b'{"error":"invalid_client"}'),
        (200, b"{}"),
        (200, b"<html>"),
        (200, b'{"access_token":"a\\r\\nb"}'),
        (429, b""),
    ],
)
def test_an_authority_that_gives_none_makes_the_delivery_wait_and_is_not_stormed(server, sender, status, body):
    asked = []
    server.answer = lambda path, headers, given: (asked.append(1), (status, body))[1]
    tokens = AccessTokens(f"http://127.0.0.1:{server.server_port}/token", "hub", "very-secret", sender=lambda: sender)
    for after in (0.0, 0.5, 1.5):
        with pytest.raises(TryLater) as later:
            tokens.token(NOW + timedelta(seconds=after))
        assert "very-secret" not in str(later.value)
    assert len(asked) == 2


def test_a_token_that_is_refused_before_its_time_is_thrown_away(server, sender):
    count = iter(range(1, 100))

    def answer(path, headers, body):
        if path == "/token":
            return 200, json.dumps({"access_token": f"t{next(count)}", "expires_in": 3_600}).encode()
        return (401, b"{}") if headers["authorization"] == "Bearer t1" else (200, b"{}")

    server.answer = answer
    root = f"http://127.0.0.1:{server.server_port}"
    target = DeclaredTarget(
        system(), root, lambda: NOW, OAuth2(AccessTokens(root + "/token", "hub", "s", sender=lambda: sender))
    )
    [done] = sender.send([target.call(PARCEL)])
    first = target.verdict(PARCEL, done, now=NOW)
    assert isinstance(first, TryLater)
    assert first.why.reason is Reason.REFUSED
    [done] = sender.send([target.call(PARCEL)])
    assert isinstance(target.verdict(PARCEL, done, now=NOW), Reply)


def make(name, signer=None, issuer=None, *, is_ca=False):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    at = dt.datetime(2025, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
    )
    builder = (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=3_650))
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
    )
    return key, builder.sign(signer or key, hashes.SHA256())


def write(folder, name, key, certificate):
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


@pytest.fixture
def https(tmp_path):
    """A server that asks for a certificate of its own authority."""
    ca_key, ca = make("authority", is_ca=True)
    authority, _ = write(tmp_path, "ca", ca_key, ca)
    own = write(tmp_path, "server", *make("server", ca_key, ca))
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    made.daemon_threads = True
    made.answer = lambda path, headers, body: (200, b"{}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    made.socket = context.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield (
        f"https://127.0.0.1:{made.server_port}/orders",
        authority,
        write(tmp_path, "client", *make("hub", ca_key, ca)),
        write(tmp_path, "other", *make("other")),
    )
    made.shutdown()
    made.server_close()


def test_a_certificate_is_shown_where_one_is_asked_for(https, sender):
    url, authority, ours, others = https
    good = StaticSigner(Tls(*ours, authority)).sign(PARCEL, "POST", url, NOW)
    calls = [
        Call("POST", good.url, good.headers, b"{}", tls=good.tls),
        Call("POST", url, (), b"{}", tls=Tls(ca=authority)),  # none to show
        Call("POST", url, (), b"{}", tls=Tls(*others, authority)),  # of nobody's
        Call("POST", url, (), b"{}", tls=Tls(*ours)),  # the usual authorities do not know the server
        Call("POST", good.url, good.headers, b"{}", tls=good.tls),  # on a handle that showed nothing a moment ago
    ]
    kinds = [sender.send([call])[0] for call in calls]
    assert [done.status for done in kinds] == [200, None, None, None, 200]
    assert kinds[3].kind == "unreachable"
