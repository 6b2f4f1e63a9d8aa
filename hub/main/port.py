"""One process per port. The server shares its port with whoever asks (SO_REUSEPORT), so that two hubs would both say
that they are ready.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hub.core.model.addresses import in_url


class PortTaken(OSError):
    """Somebody listens there already; one line that says what to do."""


def check(host: str, port: int, setting: str = "HUB_PORT") -> None:
    """Raises PortTaken where somebody listens on the port, and where this machine has no such address."""
    if not port:
        return
    with socket.socket(_family(host)) as probe:
        # what a process left behind that has ended is no hindrance; a listener is
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise taken(host, port, error.strerror or str(error), setting) from error


@contextmanager
def reserved(host: str, port: int) -> Iterator[None]:
    """Keeps the port for this process, from before its server listens: of two that start at the same moment one is
    refused. Raises PortTaken.

    A name in the kernel (Linux), which goes with the process however it ends; where there are none, the look alone must
    do.
    """
    check(host, port)
    with socket.socket(socket.AF_UNIX) as name:
        if port and sys.platform == "linux":
            try:
                name.bind(f"\0crossdock {host} {port}")
            except OSError as error:
                raise taken(host, port, "another hub is starting on it") from error
        yield


def taken(host: str, port: int, why: str, setting: str = "HUB_PORT") -> PortTaken:
    return PortTaken(
        f"{in_url(host)}:{port}: the hub cannot listen on this address: {why}. Stop the process that uses this port, or change {setting} or HUB_HOST."
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
