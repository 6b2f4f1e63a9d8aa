"""Whether an address can be reached: each step says what it found, nothing is asked for, and no address leads where
none may.
"""

import ipaddress
import socket

import pytest

from hub.kit.http.reach import reach
from tests.kit import test_broker_tls
from tests.support.hubs import free_port

listener = test_broker_tls.listener
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


def told(steps):
    return [(step.name, step.ok) for step in steps]


def test_a_certificate_under_a_known_authority_is_told_with_its_end(listener):
    port, authority, seen = listener
    steps = reach(f"https://127.0.0.1:{port}", LOOPBACK, ca=authority)
    assert told(steps) == [("dns", True), ("tcp", True), ("tls", True)]
    assert steps[-1].until is not None
    assert steps[-1].text.startswith("TLS")
    assert told(reach(f"amqps://guest:guest@127.0.0.1:{port}/?ssl_ca_certs={authority}"))[-1] == ("tls", True)
    assert all(words == b"" for words in seen)  # nothing was said


def test_a_certificate_that_nobody_knows_fails_at_tls_and_says_why(listener):
    port, _, _ = listener
    steps = reach(f"https://127.0.0.1:{port}", LOOPBACK)
    assert told(steps) == [("dns", True), ("tcp", True), ("tls", False)]
    assert "certificate" in steps[-1].text


def test_where_nobody_listens_it_ends_there():
    steps = reach(f"http://127.0.0.1:{free_port()}", LOOPBACK)
    assert told(steps) == [("dns", True), ("tcp", False)]
    assert "refused" in steps[-1].text.lower()


def test_what_does_not_answer_ends_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        steps = reach(f"https://127.0.0.1:{silent.getsockname()[1]}", LOOPBACK, deadline_s=0.3)
    assert told(steps)[-1] == ("tls", False)
    assert steps[-1].ms < 5_000


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9009", "http://[::1]:9009", "http://169.254.169.254/", "http://localhost:9009"]
)
def test_private_addresses_are_not_connected_to_unless_an_operator_allows_them(url):
    steps = reach(url)
    assert steps[-1].ok is False
    assert steps[-1].name in ("address", "dns")
    assert "HUB_ALLOW_CIDRS" in steps[-1].text


@pytest.mark.parametrize(
    "url",
    ["", "ftp://host", "http://", "http://host:99999", "http://user:secret@host/", "amqp://", "redis:///0", "nonsense"],
)
def test_what_is_no_address_is_told_so_and_not_repeated(url):
    [step] = reach(url)
    assert (step.name, step.ok) == ("address", False)
    assert "secret" not in step.text
