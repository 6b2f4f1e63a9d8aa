"""A target's answer, read leniently: whatever says the same in another spelling is read. What came in is decided; our
own decoder is for posts.

gzip and deflate are inflated, also unasked · a byte order mark is dropped · the declared charset, else UTF-8, UTF-16,
GB18030 · whole numbers keep all digits · of a name that stands twice the last one counts · control characters in texts
are taken · NaN and infinity are null. Nothing here raises: what cannot be read is not understood, and
`core.config.verdict` says what that means.
"""

from __future__ import annotations

import json as standard
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.core import json
from hub.core.errors import Refused
from hub.core.message import Json

KEPT_BYTES = 65_536  # of a body, for people: what an attempt shows
JUDGED_BYTES = 4 * 1024 * 1024  # of a body, and of what it inflates to: beyond it nothing is judged by the body
MAX_DEPTH = 200
MAX_DIGITS = 400  # of one number, as in a post
MAX_CODINGS = 2  # gzip in gzip; more of them is no answer any more
MAX_MEMBERS = 16  # of one gzip file

_GZIP = b"\x1f\x8b"
_INFLATED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.ASCII | re.IGNORECASE)
# The name that an answer gives itself is not trusted to be any codec of Python's: some of them take hours, or unpack
# archives.
_CODECS = {
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii"), "utf-8-sig"),
    **dict.fromkeys(("gbk", "gb2312", "gb18030", "cp936", "x-gbk"), "gb18030"),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "windows-1252", "cp1252"), "cp1252"),
    **dict.fromkeys(("big5", "big5-hkscs"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "windows-31j"), "cp932"),
    **{
        name: name
        for name in (
            "utf-16",
            "utf-16le",
            "utf-16be",
            "utf-32",
            "utf-32le",
            "utf-32be",
            "euc-jp",
            "euc-kr",
            "iso-8859-15",
            "windows-1251",
        )
    },
}
_LONELY = re.compile("[\ud800-\udfff\0]")


@dataclass(frozen=True, slots=True)
class Body:
    """`value` of a body that was read; without one, `trouble` says why, for people. An empty body is neither: there is
    nothing to be read.
    """

    value: Json = None
    is_read: bool = False
    trouble: str = ""
    is_strict: bool = False  # the bytes are JSON as we ourselves would write it


def inflated(raw: bytes, coding: str) -> bytes | None:
    """The body without its content codings, at most JUDGED_BYTES and one more; None where it cannot be unpacked, or not
    whole.

    A body that begins as gzip does is unpacked whatever the header says: no text begins so.
    """
    names = [name.strip().lower() for name in coding.split(",") if name.strip().lower() not in ("", "identity")]
    if len(names) > MAX_CODINGS or any(name not in _INFLATED for name in names):
        return None
    for name in reversed(names):
        # Some proxies unpack and leave the header: what is no gzip was sent plain.
        if name != "deflate" and not raw.startswith(_GZIP):
            continue
        unpacked = _unpacked(raw, _INFLATED[name])
        if unpacked is None and name == "deflate":
            unpacked = _unpacked(raw, -15)  # without its zlib frame, as some write it
            if unpacked is None and raw.lstrip()[:1] in (b"{", b"["):
                continue
        if unpacked is None:
            return None
        raw = unpacked
    return _unpacked(raw, 31) if raw.startswith(_GZIP) else raw


def _unpacked(raw: bytes, window: int) -> bytes | None:
    made = bytearray()
    try:
        for _ in range(MAX_MEMBERS):  # a gzip file may have several
            machine = zlib.decompressobj(window)
            made += machine.decompress(raw, JUDGED_BYTES + 1 - len(made))
            if len(made) > JUDGED_BYTES:
                return bytes(made)
            if not machine.eof:
                return None
            raw = machine.unused_data.lstrip(b"\0")
            if not raw:
                return bytes(made)
    except zlib.error:
        pass
    return None


def read(raw: bytes, kind: str = "") -> Body:
    """The value of an unpacked body; `kind` is its Content-Type."""
    if not raw.strip():
        return Body()
    codec = _declared(kind)
    if codec in ("", "utf-8-sig"):
        try:
            return Body(json.decode(raw), is_read=True, is_strict=True)
        except Refused:
            pass  # perhaps only by its spelling
    trouble = "is no JSON"
    for text in _texts(raw, codec):
        value, trouble = _value(text)
        if not trouble:
            return Body(value, is_read=True)
    return Body(trouble=trouble)


def shown(raw: bytes, kind: str = "") -> bytes:
    """The beginning of an unpacked body as UTF-8, for people: at most KEPT_BYTES."""
    codec = _declared(kind)
    if codec in ("", "utf-8-sig") and not raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return raw[:KEPT_BYTES]
    return (
        next(iter(_texts(raw[: KEPT_BYTES * 4], codec)), "").encode("utf-8", "replace")[:KEPT_BYTES] or raw[:KEPT_BYTES]
    )


def _declared(kind: str) -> str:
    found = _CHARSET.search(kind)
    return _CODECS.get(found[1].lower(), "") if found else ""


def _texts(raw: bytes, codec: str) -> Iterable[str]:
    """The body as text, in each way that fits; the likeliest first. The last one has signs in place of what fits no
    charset.
    """
    for name in dict.fromkeys((codec, standard.detect_encoding(raw), "utf-8-sig", "gb18030")):
        if name:
            try:
                yield raw.decode(name)
            except UnicodeError:
                continue
    yield raw.decode("utf-8", "replace")


def _value(text: str) -> tuple[Json, str]:
    """The value, or why there is none."""
    try:
        value = _DECODER.decode(text.strip("\ufeff\0 \t\r\n"))
    except RecursionError:
        return None, "is nested too deeply"
    except ValueError as error:
        return None, "has a number that is too long" if isinstance(error, _TooLong) else "is no JSON"
    if _depth(value) > MAX_DEPTH:
        return None, "is nested too deeply"
    return (_clean(value) if "\\u" in text or "\0" in text else value), ""


class _TooLong(ValueError):
    pass


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _TooLong
    return int(digits)


def _fraction(digits: str) -> Decimal | int:
    try:
        number = Decimal(digits)
    except InvalidOperation as error:
        raise _TooLong from error
    if len(digits) > MAX_DIGITS or abs(number.adjusted()) > json.MAX_EXPONENT:
        raise _TooLong
    return number


def _nothing(_word: str) -> None:
    """NaN and infinity: numbers that JSON does not have."""


_DECODER = standard.JSONDecoder(parse_float=_fraction, parse_int=_whole, parse_constant=_nothing, strict=False)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        depth += 1
    return depth


def _clean(value: Any) -> Any:
    """Without halves of characters and NUL, which no database of ours keeps."""
    match value:
        case str():
            return _LONELY.sub("\ufffd", value)
        case dict():
            return {_clean(name): _clean(member) for name, member in value.items()}
        case list():
            return [_clean(member) for member in value]
        case _:
            return value
