"""Signatures by declared schemes (`core.config.scheme`): checked on what comes in, made for what goes out.

Pure but for `cryptography`: time, nonces and secrets are handed in. Comparisons take the same time whatever differs,
and one answer tells of every way in which a proof can fail. Encrypted bodies are opened here too, for adapters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import overload
from urllib.parse import quote_from_bytes, quote_plus, urlencode

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from hub.core.config.parsed_request import Field, ParsedRequest
from hub.core.config.scheme import ROLES, Scheme, SortedFields, Spot, Template, Word
from hub.core.documents.times import instant
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request
from hub.kit.signature import MAX_HEADER, UNPROVEN, secret_bytes

SECRET = "secret"  # noqa: S105  the setting's name
MAX_GIVEN = 8  # signatures of one request that are looked at
MAX_SIGNATURE = 4 * MAX_HEADER

_DIGITS = re.compile(r"[0-9]{10}(?:[0-9]{3})?", re.ASCII)
_CHINESE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_KEPT = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-._"  # by Java's URLEncoder
_HASHES = {
    "hmac-sha256": "sha256",
    "hmac-sha1": "sha1",
    "hmac-sha512": "sha512",
    "sha256": "sha256",
    "sha1": "sha1",
    "md5": "md5",
}


def verify(
    scheme: Scheme,
    opened: ParsedRequest,
    settings: Mapping[str, str],
    *,
    now: datetime,
    url: str = "",
    zone: str = "UTC",
) -> None:
    """Proves a request. `settings`: the system's, by name; its `secret` may hold several values, parted by white space,
    while it rotates.

    Raises Refused: 401 for all that is missing, odd, too old or wrong, always with the same words; the details say what
    is missing, odd or too old, never what is wrong. 400 for a body that cannot be opened.
    """
    if scheme.alg == "none":
        return
    given, lacking = _given(scheme, opened), _lacking(scheme, opened, now, zone)
    if not given or not _is_timely(scheme, opened, now, zone):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, lacking)
    matches = 0
    # A body that comes compressed was signed before or after that, by the partner's own order of things: one determines
    # the other.
    sent = opened.request.body
    bodies = [opened.body] if opened.body == sent or not scheme.signs_bytes else [opened.body, sent]
    # Each secret with each signature, without an early end: what differs, and where, is not told by the time that it
    # takes.
    for secret in secrets_of(settings.get(SECRET, "")):
        for body in bodies:
            text = signed_text(scheme, opened, {**settings, SECRET: secret}, url=url, body=body)
            matches += sum(_matches(scheme, secret, text, one) for one in given[:MAX_GIVEN])
    if not matches:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, lacking)


def lacks_signature(scheme: Scheme, opened: ParsedRequest) -> list[Fault]:
    """What can be said of a signature without any secret: that there is none, or that it cannot be one."""
    spot, given = scheme.places["signature"], _given(scheme, opened)
    if not given:
        return [Fault("", f"no signature at {spot}", f"one by {scheme.alg}, as {scheme.encode}", f"send it at {spot}")]
    if scheme.alg in _HASHES:
        length = len(
            _encoded(scheme.encode, bytes(hashlib.new(_HASHES[scheme.alg], usedforsecurity=False).digest_size))
        )
        if all(len(text) != length for text in given):
            got, want = (
                f"a signature of {len(given[0])} characters at {spot}",
                f"{length} characters: {scheme.alg} as {scheme.encode}",
            )
            return [Fault("", got, want, "encode the bytes of the hash, all of them, once")]
    return []


def _lacking(scheme: Scheme, opened: ParsedRequest, now: datetime, zone: str) -> list[Fault]:
    faults = lacks_signature(scheme, opened)
    if scheme.tolerance is None:
        return faults
    spot = scheme.places["timestamp"]
    text = next(iter(_picked(spot, opened)), "")
    want = "seconds, milliseconds or RFC 3339"
    try:
        off = abs(now - _instant(text, zone)) if text else None
    except (ValueError, OverflowError):
        return [
            *faults,
            Fault("", f"{len(text)} characters at {spot} that are no time", want, "send the time that was signed"),
        ]
    if off is None:
        return [*faults, Fault("", f"no timestamp at {spot}", want, f"send it at {spot}, and sign it")]
    if off > scheme.tolerance:
        limit = f"at most {int(scheme.tolerance.total_seconds())} s off"
        return [
            *faults,
            Fault(
                "",
                f"a timestamp that is {int(off.total_seconds())} s off",
                limit,
                "set the clock, and sign each attempt anew",
            ),
        ]
    return faults


def sign(
    scheme: Scheme,
    request: Request,
    settings: Mapping[str, str],
    *,
    now: datetime,
    nonce: str,
    message_id: str,
    url: str = "",
) -> tuple[tuple[tuple[str, str], ...], str]:
    """What an outgoing request needs to be proven: further headers, and the query with what belongs there. The body
    stays as it is.

    Raises ValueError where the scheme puts something into the body: such a system needs an adapter of its own.
    """
    if scheme.alg == "none":
        return (), request.query
    values = {
        "timestamp": _stamped(scheme.stamp, now),
        "nonce": nonce,
        "id": message_id,
        "key": settings.get("key", ""),
    }
    headers: list[tuple[str, str]] = []
    query = request.query
    for role in ROLES[1:]:
        spot = scheme.places.get(role)
        # The short form of `at` says where a timestamp would lie; it is sent only where it is signed.
        if spot is not None and (scheme.tolerance is not None or Word(role) in _parts(scheme.over)):
            query = _put(spot, values[role], headers, query)
    sent = Request(
        request.method, request.path, query, (*request.headers, *_merged(headers)), request.body, request.peer
    )
    text = signed_text(scheme, ParsedRequest(sent), settings, url=url)
    query = _put(scheme.places["signature"], _made(scheme, settings.get(SECRET, ""), text), headers, query)
    return tuple(_merged(headers)), query


def signed_text(
    scheme: Scheme, opened: ParsedRequest, settings: Mapping[str, str], *, url: str = "", body: bytes | None = None
) -> bytes:
    """The bytes that are hashed: the template filled in or the fields sorted, then quoted. `body`: in place of the
    request's, as it was sent.

    Raises Refused for a part that is not there.
    """
    raw = opened.request.body if body is None else body

    def filled(template: Template) -> bytes:
        return b"".join(_part(part, scheme, opened, settings, url, raw) for part in template)

    over = scheme.over
    text = (
        filled(over)
        if not isinstance(over, SortedFields)
        else filled(over.before) + _sorted(over, opened, filled) + filled(over.after)
    )
    if scheme.quote == "form":
        return "".join(
            chr(byte) if byte in _KEPT else "+" if byte == 0x20 else f"%{byte:02X}" for byte in text
        ).encode()
    return quote_from_bytes(text, safe="~").encode() if scheme.quote == "percent" else text


def _part(
    part: str | Spot | Word, scheme: Scheme, opened: ParsedRequest, settings: Mapping[str, str], url: str, body: bytes
) -> bytes:
    if isinstance(part, str):
        return _bytes(part, opened)
    if isinstance(part, Spot):
        # A field's own bytes: whichever charset they are in, that is what its sender signed.
        return _there(opened.raw_at(part) if part.kind in ("form", "query") else _bytes(opened.at(part), opened))
    if part.name == "body":
        return body
    if part.name == "url":
        return url.encode()
    if part.name in ROLES:
        spot = scheme.places[part.name]
        if spot.kind in ("form", "query"):
            return _there(opened.raw_at(spot))
        return _there(_bytes(next(iter(_picked(spot, opened)), None), opened))
    return _bytes(settings.get(part.name, ""), opened)


def _there(raw: bytes | None) -> bytes:
    if raw is None:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
    return raw


@overload
def _bytes(text: str, opened: ParsedRequest) -> bytes: ...
@overload
def _bytes(text: str | None, opened: ParsedRequest) -> bytes | None: ...
def _bytes(text: str | None, opened: ParsedRequest) -> bytes | None:
    """A text in the body's charset; what that does not have stays in UTF-8, and proves nothing."""
    if text is None:
        return None
    try:
        return text.encode(opened.charset)
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _sorted(over: SortedFields, opened: ParsedRequest, filled: Callable[[Template], bytes]) -> bytes:
    join, pair = over.join.encode(), over.pair.encode()
    if over.of == "values":
        return join.join(sorted(filled(one) for one in over.values))
    fields = {"form": lambda: opened.fields, "query": lambda: opened.asked, "json": lambda: _top(opened)}[over.of]()
    without = {_bytes(name, opened) for name in over.without}
    pairs = [(name, value) for name, value in fields if name not in without and (value or not over.skips_empty)]
    # By name alone, so that values of one name stay in their order: all of them are signed, and none can be taken for
    # another.
    return join.join(name + pair + value for name, value in sorted(pairs, key=lambda field: field[0]))


def _top(opened: ParsedRequest) -> tuple[Field, ...]:
    return tuple((_bytes(name, opened), _bytes(value, opened)) for name, value in opened.written.items())


def _given(scheme: Scheme, opened: ParsedRequest) -> list[str]:
    return [text for text in _picked(scheme.places["signature"], opened) if 0 < len(text) <= MAX_SIGNATURE]


def _picked(spot: Spot, opened: ParsedRequest) -> list[str]:
    """The text at a place; of a list in a header, each that goes by the name."""
    text = opened.at(spot)
    if text is None:
        return []
    return list(_of_list(text, spot.pick)) if spot.pick else [text]


def _of_list(text: str, name: str) -> Iterator[str]:
    """`t=1,v1=ab,v1=cd` and `v1,ab v1,cd` alike: base64 holds neither blanks nor commas, and its `=` stand at the
    end.
    """
    for chunk in text.split():
        head, comma, rest = chunk.partition(",")
        if comma and head == name:
            yield rest
            continue
        for piece in chunk.split(","):
            key, sign_, value = piece.partition("=")
            if sign_ and key == name:
                yield value


def _is_timely(scheme: Scheme, opened: ParsedRequest, now: datetime, zone: str) -> bool:
    if scheme.tolerance is None:
        return True
    text = next(iter(_picked(scheme.places["timestamp"], opened)), "")
    try:
        at = _instant(text, zone)
    except (ValueError, OverflowError):
        return False
    return abs(now - at) <= scheme.tolerance


def _instant(text: str, zone: str) -> datetime:
    """Ten digits are seconds, thirteen milliseconds, else RFC 3339 or `yyyy-MM-dd HH:mm:ss` in `zone`. Raises
    ValueError.
    """
    if _DIGITS.fullmatch(text):
        return datetime.fromtimestamp(int(text) / (1000 if len(text) == 13 else 1), UTC)
    return instant(text.replace(" ", "T") if _CHINESE.fullmatch(text) else text, zone)


def _matches(scheme: Scheme, secret: str, text: bytes, given: str) -> bool:
    if scheme.alg in ("rsa-sha256", "ed25519"):
        return _is_signed(scheme, secret, text, given)
    # As bytes: compare_digest raises on text that is not ASCII.
    return hmac.compare_digest(given.encode("utf-8", "replace"), _made(scheme, secret, text).encode())


def _is_signed(scheme: Scheme, secret: str, text: bytes, given: str) -> bool:
    try:
        raw = base64.b64decode(given, validate=True) if scheme.encode == "base64" else bytes.fromhex(given)
        key = load_pem_public_key(secret_text(secret).encode())
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, text, PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, text)
        else:
            return False
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return isinstance(key, rsa.RSAPublicKey) == (scheme.alg == "rsa-sha256")


def secrets_of(text: str) -> list[str]:
    """The values of a secret that rotates: parted by white space, or several PEM blocks one after the other. One empty
    value for none.
    """
    return _PEM.findall(text) or text.split() or [""]


def secret_text(secret: str) -> str:
    """A PEM, as it is or as the base64 of it (which fits into a variable). Raises ValueError."""
    if secret.startswith("-----BEGIN"):
        return secret
    try:
        return base64.b64decode(secret, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("a key of rsa-sha256 or ed25519 is a PEM, or the base64 of one") from error


def _made(scheme: Scheme, secret: str, text: bytes) -> str:
    if scheme.alg in ("rsa-sha256", "ed25519"):
        key = load_pem_private_key(secret_text(secret).encode(), None)
        if isinstance(key, rsa.RSAPrivateKey):
            return _encoded(scheme.encode, key.sign(text, PKCS1v15(), hashes.SHA256()))
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return _encoded(scheme.encode, key.sign(text))
        raise ValueError("the key is neither RSA nor Ed25519")
    name = _HASHES[scheme.alg]
    # What a partner's scheme hashes with is the partner's choice; md5 and sha1 are said to be weak where the scheme is
    # declared.
    raw = (
        hmac.digest(secret_bytes(secret), text, name)
        if scheme.alg.startswith("hmac-")
        else hashlib.new(name, text, usedforsecurity=False).digest()
    )
    return _encoded(scheme.encode, raw)


def _encoded(encode: str, raw: bytes) -> str:
    match encode:
        case "hex":
            return raw.hex()
        case "HEX":
            return raw.hex().upper()
        case "base64":
            return base64.b64encode(raw).decode()
        case _:
            return base64.b64encode(raw.hex().encode()).decode()


def _parts(over: Template | SortedFields) -> set[str | Spot | Word]:
    return (
        set(over)
        if not isinstance(over, SortedFields)
        else {*over.before, *over.after, *(part for one in over.values for part in one)}
    )


def _stamped(stamp: str, now: datetime) -> str:
    match stamp:
        case "milliseconds":
            return str(int(now.timestamp() * 1000))
        case "rfc3339":
            return now.isoformat(timespec="seconds")
        case _:
            return str(int(now.timestamp()))


def _put(spot: Spot, value: str, headers: list[tuple[str, str]], query: str) -> str:
    if spot.kind == "header":
        headers.append((spot.name, f"{spot.pick}\n{value}" if spot.pick else value))
        return query
    if spot.kind == "query":
        return "&".join(part for part in (query, urlencode({spot.name: value}, quote_via=quote_plus)) if part)
    raise ValueError(f"{spot} is in the body; a system that is signed there needs an adapter.py")


def _merged(headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Several parts of one header as its list: `v1,ab` where it has nothing else, `t=1,v1=ab` where it has."""
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(name, []).append(value)
    for name, values in by_name.items():
        parts = [value.partition("\n") for value in values]
        if not any(newline for _, newline, _ in parts):
            yield name, values[-1]
        elif len(parts) == 1:
            yield name, f"{parts[0][0]},{parts[0][2]}"
        else:
            yield name, ",".join(f"{pick}={value}" for pick, _, value in parts)


def open_gcm(key: bytes, nonce: str, associated: str, sealed: str) -> bytes:
    """A body sealed by AES-GCM, its tag at the end, in base64 (WeChat Pay's `resource`). Raises Refused (401): altered,
    or another key.
    """
    try:
        return AESGCM(key).decrypt(nonce.encode(), base64.b64decode(sealed, validate=True), associated.encode())
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN) from error


def open_cbc(key: bytes, sealed: str) -> bytes:
    """A body encrypted by AES-256-CBC under the key's first half as its vector, padded to 32 bytes (WeChat messages),
    in base64. Raises Refused.

    CBC proves nothing: check the signature over the sealed text first.
    """
    try:
        raw = base64.b64decode(sealed, validate=True)
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        padded = decryptor.update(raw) + decryptor.finalize()
        unpadder = padding.PKCS7(256).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except (binascii.Error, ValueError) as error:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN) from error
