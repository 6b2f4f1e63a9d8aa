"""Where a target may lie: judged by the address that is connected to, never by its text alone (threat S11)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

# Not to be reached unless an operator names the range: this host, private and shared ranges, link-local (metadata
# services), multicast, documentation, benchmarks, reserved; and the ranges of IPv6 that carry an IPv4 address inside,
# which is judged by itself.
_DENIED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "3fff::/20",
        # only 2000::/3 is given out: the rest is loopback, discard, SRv6, ULA, link- and site-local, multicast, or
        # nobody's
        "::/3", "4000::/2", "8000::/1",
    )
)  # fmt: skip
_MAPPED = ipaddress.ip_network("::ffff:0:0/96")
# that of local use, 64:ff9b:1::/48, is denied: where the address stands in it differs by operator
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9](?:[a-z0-9-]{0,62}))*", re.ASCII)
# what old resolvers read as an address
_ODD_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", re.ASCII)


def may_connect(address: str, allow: Sequence[Network] = ()) -> bool:
    """Whether the hub may connect to `address`. What an operator allows by range is allowed; else only global addresses
    are.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _carried(parsed)
    if inner is not None:
        return may_connect(str(inner), allow)
    if any(parsed in network for network in allow if network.version == parsed.version):
        return True
    return not any(parsed in network for network in _DENIED if network.version == parsed.version)


def _carried(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    if address in _6TO4:
        return ipaddress.IPv4Address(number >> 80 & 0xFFFF_FFFF)
    return None


def judge_url(url: str, allow: Sequence[Network] = ()) -> str | None:
    """What is wrong with a target's URL as it is written; None if nothing is. Names are judged once they are
    resolved.
    """
    if any(char <= " " or char == "\\" or ord(char) > 126 for char in url):
        return "it holds blanks, control characters, a backslash or letters beyond ASCII"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"it cannot be read: {error}"
    if parts.scheme not in ("http", "https"):
        return f"its scheme is {parts.scheme or 'missing'}; http and https are taken"
    if "@" in parts.netloc:
        return "it holds a user name; credentials are references (env:, file:), not parts of a URL"
    if "#" in url or "?" in url:
        return "it holds a query or a fragment"
    if "%" in parts.netloc:
        return "its host holds a percent sign"
    if port is not None and port not in (80, 443) and port < 1024:
        return f"its port is {port}; 80, 443 and those from 1024 are taken"
    return _judge_host(parts.hostname or "", allow)


def _judge_host(host: str, allow: Sequence[Network]) -> str | None:
    if not host:
        return "it has no host"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if _ODD_NUMBER.fullmatch(host):
            return f"its host {host} is a number that resolvers read in several ways; write the address in full"
        return None if _HOST.fullmatch(host) else f"its host {host[:64]} is no host name"
    return (
        None
        if may_connect(host, allow)
        else f"its address {host} is private or reserved; an operator allows a range by HUB_ALLOW_CIDRS"
    )
