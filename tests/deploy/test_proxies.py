"""nginx and HAProxy as deploy/ configures them, running: what a stranger claims ends there, and a post arrives as it
was sent.
"""

import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.deploy.conftest import DEPLOY, tool
from tests.support.hubs import ORDER, HubProcess, Sink, free_port, small_workspace
from tests.support.servers import _answers
from tests.support.waiting import wait_until

SEEN_S = 5.0
CLAIMS = {
    "x-forwarded-for": "6.6.6.6",
    "x-real-ip": "6.6.6.6",
    "x-forwarded-proto": "gopher",
    "forwarded": "for=6.6.6.6",
    "client-cert": ":QUFBQQ==:",
    "client-cert-chain": ":QUFBQQ==:",
    "x-ssl-client-cert": "QUFBQQ==",
    "x_forwarded_for": "6.6.6.6",
}


class Echo(http.server.ThreadingHTTPServer):
    """Answers with what it was sent, and counts the connections over which it came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Echo)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        told = {
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "bytes": len(body),
        }
        raw = json.dumps(told).encode()
        self.send_response_only(200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = answer  # noqa: N815  as the library names them

    def log_message(self, *_):
        pass


def certificate(folder, name):
    """A certificate signed by itself, and its key; gives the path of both in one file, and the certificate's
    SHA-256.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(pem + private)
    (folder / f"{name}.key").write_bytes(private)
    return path, hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


@dataclass
class Proxy:
    """A proxy that runs; `verify` is the certificate to know it by."""

    name: str
    url: str
    verify: str

    def call(self, method, path, **given):
        return requests.request(method, self.url + path, verify=self.verify, timeout=30, **given)


def configured(name, folder, upstream, *more):
    """The words that check the file and that run it, with ports, certificates and upstream of this test's."""
    port = free_port()
    certificate(folder, "hub")
    if name == "nginx":
        text = (DEPLOY / "nginx/crossdock.conf").read_text("utf-8")
        for old, new in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            (
                "    server web:8080 max_fails=2 fail_timeout=2s;\n",
                "".join(f"    server 127.0.0.1:{one} max_fails=2 fail_timeout=2s;\n" for one in (upstream, *more)),
            ),
            ("/etc/nginx/certs", str(folder)),
        ):
            assert old in text
            text = text.replace(old, new)
        temp = " ".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "crossdock.conf").write_text(text, "utf-8")
        # The folders of a test are closed to others, so that the workers stay who the test is
        user = "user root; " if os.geteuid() == 0 else ""
        whole = f"{user}daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; events {{}}\nhttp {{ access_log off; {temp} include {folder}/crossdock.conf; }}"
        (folder / "nginx.conf").write_text(whole, "utf-8")
        words = [tool("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        return port, [*words, "-t"], words
    text = (DEPLOY / "haproxy/haproxy.cfg").read_text("utf-8")
    shutil.copy(folder / "hub.pem", folder / "partners.pem")
    changes = (
        ("bind :443", f"bind 127.0.0.1:{port}"),
        ("web1:8080", f"127.0.0.1:{upstream}"),
        ("/etc/haproxy/certs", str(folder)),
    )
    for old, new in (
        *changes,
        ("    server web2 web2:8080\n", "".join(f"    server web2 127.0.0.1:{one}\n" for one in more)),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    return (
        port,
        [tool("haproxy"), "-c", "-f", str(folder / "haproxy.cfg")],
        [tool("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")],
    )


@contextlib.contextmanager
def running(name, folder, *upstreams):
    port, check, run = configured(name, folder, *upstreams)
    folder.chmod(0o755)
    judged = subprocess.run(check, capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stderr
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen(run, stdout=log, stderr=subprocess.STDOUT)
        try:
            _answers(port)
            yield Proxy(name, f"https://localhost:{port}", str(folder / "hub.pem"))
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxied(request, tmp_path_factory):
    echo = Echo()
    with running(request.param, tmp_path_factory.mktemp(request.param), echo.server_port) as proxy:
        proxy.call("GET", "/warm")
        yield proxy, echo
    echo.shutdown()
    echo.server_close()


def headers(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["headers"]


def test_what_a_stranger_claims_ends_at_the_proxy(proxied):
    proxy, _ = proxied
    told = headers(proxy.call("GET", "/api/x", headers=CLAIMS))
    assert [value for name, value in told if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert [value for name, value in told if name == "x-forwarded-proto"] == ["https"]
    assert "6.6.6.6" not in json.dumps([one for one in told if one[0] != "x_forwarded_for"])
    assert not {
        name
        for name, value in told
        if name in ("client-cert", "client-cert-chain", "x-ssl-client-cert", "forwarded") and value
    }


def test_a_certificate_that_was_shown_is_handed_on_and_no_other(proxied, tmp_path):
    proxy, _ = proxied
    path, fingerprint = certificate(tmp_path, "partner")
    told = dict(headers(proxy.call("GET", "/api/x", headers=CLAIMS, cert=str(path))))
    if proxy.name == "nginx":
        pem = unquote(told["x-ssl-client-cert"])
        der = ssl.PEM_cert_to_DER_cert(pem)
        assert "client-cert" not in told
    else:
        assert told["client-cert"][0] == told["client-cert"][-1] == ":"
        der = base64.b64decode(told["client-cert"][1:-1], validate=True)
        assert "x-ssl-client-cert" not in told
    assert hashlib.sha256(der).hexdigest() == fingerprint


def test_a_path_arrives_as_it_was_sent(proxied):
    proxy, _ = proxied
    for path in ("/api/v1/a%2Fb/c", "/api//x", "/in/shop/hook?b=2&a=%E4%B8%AD&empty=", "/api/%7Euser"):
        request = requests.Request("GET", proxy.url + path).prepare()
        request.url = proxy.url + path  # as it stands, whatever the library would make of it
        with requests.Session() as session:
            assert session.send(request, verify=proxy.verify, timeout=10).json()["path"] == path


def test_connections_to_the_hub_are_kept_alive(proxied):
    proxy, echo = proxied
    before = echo.connections
    with requests.Session() as session:
        for number in range(60):
            assert (
                session.post(proxy.url + f"/api/{number}", data=b"{}", verify=proxy.verify, timeout=10).status_code
                == 200
            )
    assert echo.connections - before <= 10


def test_a_body_is_as_large_as_the_hub_takes_it(proxied):
    proxy, _ = proxied
    assert proxy.call("POST", "/api/x", data=b"x" * (10 * 1024 * 1024)).json()["bytes"] == 10 * 1024 * 1024
    # One byte more is refused by what its head says; whoever goes on sending would be cut off before it reads the
    # answer
    context = ssl.create_default_context(cafile=proxy.verify)
    connection = http.client.HTTPSConnection("localhost", int(proxy.url.rsplit(":", 1)[1]), context=context, timeout=30)
    connection.putrequest("POST", "/api/x")
    connection.putheader("content-length", str(10 * 1024 * 1024 + 1))
    connection.endheaders(b"x" * 30_000)
    assert connection.getresponse().status == 413
    connection.close()


def test_what_is_the_operators_is_not_for_the_net(proxied):
    proxy, _ = proxied
    for path in ("/ops/v1/messages", "/metrics", "/console/", "/ops", "/%6fps/v1/messages"):
        assert proxy.call("GET", path).status_code == 404


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_a_post_goes_through_and_the_hub_knows_whom_it_speaks_with(tmp_path, name):
    sink = Sink()
    folder = tmp_path / name
    folder.mkdir()
    hub = HubProcess(
        small_workspace(tmp_path / "workspace", sink.url),
        f"sqlite:///{tmp_path}/hub.sqlite3",
        hub_trusted_proxies="127.0.0.1/32",
    ).start()
    try:
        caller = hub.caller("shop")
        with running(name, folder, hub.port) as proxy:
            answer = proxy.call(
                "POST", "/api/v1/shop/order.placed", data=ORDER, headers={**caller.headers(ORDER, "p-1"), **CLAIMS}
            )
            assert answer.status_code == 202, answer.text
            hub.delivered(answer.json()["data"]["messageId"])
            # The proxy is on this machine, and that stands for nothing: operators' calls through it need the token, if
            # they came at all
            assert (
                requests.get(
                    f"{hub.url}/ops/v1/routes", headers={"x-forwarded-for": "127.0.0.1"}, timeout=10
                ).status_code
                == 401
            )
    finally:
        hub.stop()


@pytest.mark.timeout(300)  # hubs start and stop four times
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_a_rollout_one_by_one_is_seen_by_no_partner(tmp_path, store_url, name):
    """Two web processes behind the proxy, under posts all the while: each is stopped and started anew. Whoever posts
    sees 202, and each message is there once.
    """
    workspace, folder = small_workspace(tmp_path / "workspace", Sink().url), tmp_path / name
    folder.mkdir()
    webs = [HubProcess(workspace, store_url) for _ in range(2)]
    assert webs[0].run("migrate")[0] == webs[0].run("apply")[0] == 0
    answers, over = [], threading.Event()
    try:
        for web in webs:
            web.start("web")
        caller = webs[0].caller("shop")

        def post(thread):
            with requests.Session() as session:
                for number in range(100_000):
                    if over.is_set():
                        return
                    body = b'{"orderNo":"R-%d-%d","items":[{"sku":"S","quantity":1}]}' % (thread, number)
                    made = session.post(
                        proxy.url + "/api/v1/shop/order.placed",
                        data=body,
                        headers=caller.headers(body, f"r-{thread}-{number}"),
                        verify=proxy.verify,
                        timeout=30,
                    )
                    answers.append(made.status_code)

        with running(name, folder, webs[0].port, webs[1].port) as proxy:
            threads = [threading.Thread(target=post, args=(thread,)) for thread in range(4)]
            for thread in threads:
                thread.start()
            for web in webs:
                seen = len(answers)
                wait_until(lambda seen=seen: len(answers) > seen + 50, seconds=60, what="posts on their way")
                web.stop()
                seen = len(answers)
                wait_until(lambda seen=seen: len(answers) > seen + 50, seconds=60, what="posts to the other one")
                web.start("web")
                time.sleep(SEEN_S)  # as the page on deploying says: until the proxy has seen that it is there again
            over.set()
            for thread in threads:
                thread.join(30)
        assert Counter(answers) == {202: len(answers)}
        books = webs[0].ops("/conservation")
        assert (books["messages"], books["unaccounted"]) == (len(answers), 0)
    finally:
        over.set()
        for web in webs:
            web.stop()
