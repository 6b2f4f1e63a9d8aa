"""TLS to brokers: the certificate and its name are checked, and no address switches that off."""

import contextlib
import socket
import ssl
import threading

import pytest

from hub.core.config.queue import Queue
from hub.core.config.system import Publish
from hub.core.errors import TryLater
from hub.kit.queues.brokers import make_queue_source, make_queue_target
from hub.kit.queues.source import BrokerUnavailable
from tests.kit.test_queue import parcel
from tests.kit.test_signer import make, write


@pytest.fixture
def listener(tmp_path):
    """Takes TLS connections for 127.0.0.1 under an authority of its own, notes how far each came, and says nothing
    further.
    """
    ca_key, ca = make("authority", is_ca=True)
    authority, _ = write(tmp_path, "ca", ca_key, ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*write(tmp_path, "server", *make("server", ca_key, ca)))
    server = socket.create_server(("127.0.0.1", 0))
    seen = []

    def run():
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                with contextlib.suppress(OSError), near, context.wrap_socket(near, server_side=True) as wire:
                    seen.append(wire.recv(4))

    threading.Thread(target=run, daemon=True).start()
    yield server.getsockname()[1], authority, seen
    server.close()


def tried(url, queue="q"):
    """Both directions; neither gets anywhere, as nothing speaks its protocol."""
    with pytest.raises(BrokerUnavailable):
        make_queue_source(url, Queue("stock", "q", queue)).open()
    [answer] = make_queue_target(url, Publish(queue=queue)).send([parcel(1, "")])
    assert isinstance(answer, TryLater)


@pytest.mark.parametrize(("scheme", "first"), [("amqps", b"AMQP"), ("rediss", b"*")])
def test_a_broker_under_a_known_authority_is_spoken_to(listener, scheme, first):
    port, authority, seen = listener
    tried(f"{scheme}://127.0.0.1:{port}/0?ssl_ca_certs={authority}")
    assert len(seen) >= 2
    assert all(words.startswith(first) for words in seen)


@pytest.mark.parametrize("scheme", ["amqps", "rediss"])
@pytest.mark.parametrize("more", ["", "?ssl_cert_reqs=none", "?ssl_cert_reqs=none&ssl_check_hostname=false"])
def test_an_unknown_authority_is_not_spoken_to_whatever_the_address_says(listener, scheme, more):
    port, _, seen = listener
    tried(f"{scheme}://127.0.0.1:{port}/0{more.replace('none', 'CERT_NONE') if scheme == 'amqps' else more}")
    assert seen == []


@pytest.mark.parametrize("scheme", ["amqps", "rediss"])
def test_another_name_than_the_certificates_is_not_spoken_to(listener, scheme):
    port, authority, seen = listener
    tried(f"{scheme}://localhost:{port}/0?ssl_ca_certs={authority}")
    assert seen == []
