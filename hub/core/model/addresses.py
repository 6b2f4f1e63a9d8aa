"""Addresses and ranges of them, as values; and as proxies and URLs write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Network: TypeAlias = "IPv4Network | IPv6Network"

# 203.0.113.7:51234, [2001:db8::7] and [2001:db8::7]:51234; an IPv6 address without brackets has no port.
_WITH_PORT = re.compile(r"(?:\[(?P<inner>[^\[\]]*)\]|(?P<outer>[^:\[\]]*))(?::[0-9]{1,5})?", re.ASCII)
# RFC 7239: pairs, parted by semicolons; a value is a token or a quoted text.
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;]*)', re.ASCII | re.IGNORECASE)
_ELEMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+', re.ASCII)


def is_among(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the ranges. One that is mapped into IPv6 counts as the one that it is; what is
    no address lies nowhere.
    """
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def bare(text: str) -> str:
    """An address as a proxy writes it down, without its port, brackets and quotes; a text that is no address is given
    back as it is.
    """
    trimmed = text.strip().strip('"')
    matched = _WITH_PORT.fullmatch(trimmed)
    address = (matched["inner"] or matched["outer"] or "") if matched is not None else trimmed
    return address.partition("%")[0] if _parsed(address) is not None else text.strip()


def hops(forwarded_for: Sequence[str], forwarded: Sequence[str]) -> list[str]:
    """The addresses that proxies wrote down, the nearest hop last: those of X-Forwarded-For; where it was not sent, the
    `for` of Forwarded (RFC 7239).
    """
    if forwarded_for:
        return [bare(part) for part in ",".join(forwarded_for).split(",") if part.strip()]
    elements = _ELEMENT.findall(",".join(forwarded))
    return [bare(matched[1]) for element in elements if (matched := _FOR.search(element))]


def client(peer: str, steps: Sequence[str], proxies: Sequence[Network]) -> str:
    """Whom the last trusted proxy saw. Read from the nearest hop: what a stranger wrote stands before what the first
    trusted proxy adds, and is not believed.
    """
    address = peer
    for hop in reversed(steps):
        if not is_among(address, proxies):
            break
        address = hop
    return address


def in_url(host: str) -> str:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
