"""UUIDv7 (RFC 9562 section 5.7): ids that sort by the time of their making. Pure: time and randomness are handed in."""

from __future__ import annotations


def uuid7(unix_ms: int, random: bytes) -> str:
    """48 bits of time, 74 bits of `random` (10 bytes; the rest is dropped), in the usual text form of 36 characters."""
    value = (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
