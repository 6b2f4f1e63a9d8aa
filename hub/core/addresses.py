"""Addresses and ranges of them, as values."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Network: TypeAlias = "IPv4Network | IPv6Network"


def is_among(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the ranges. One that is mapped into IPv6 counts as the one that it is; what is no address lies nowhere."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
