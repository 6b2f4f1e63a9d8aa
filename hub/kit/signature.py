"""`hub-signature`: how a caller proves who it is, and how the hub proves itself to a target. Two forms; the key says
which, never the headers.

default   Standard Webhooks 1.0: HMAC-SHA256(secret, id.timestamp.body), base64, `webhook-id`, `webhook-timestamp`
(seconds), `webhook-signature: v1,…` legacy    seed 003 §2.3: hex SHA-256(timestamp + apiKey + body + secret),
`X-Timestamp` (milliseconds), `X-Signature`

Pure: the time is handed in. Comparisons take the same time whatever differs. What is missing or malformed is told by
what the headers say alone (`shortcomings`); what is wrong (an unknown key, another secret, another body, a key that was
revoked) is told by one text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request

TOLERANCE_S = 300
MAX_HEADER = 1_024  # characters of a key, an id or a signature; longer is nobody's

_KEY = re.compile(r"[A-Za-z0-9_-]{4,128}", re.ASCII)
_ID = re.compile(r"[!-~]{1,255}", re.ASCII)
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEADERS = ("authorization", "webhook-id", "webhook-timestamp", "webhook-signature", "x-timestamp", "x-signature")
SECONDS_DIGITS = 10  # of a time in seconds since 1970, until the year 2286
_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)
# one text, whatever was wrong: it tells a guesser nothing
UNPROVEN = "The key, the signature or the permission is not valid."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request says of its sender; nothing of it is proven yet. Empty where a header is missing."""

    key: str
    message_id: str = ""
    timestamp: str = ""
    signature: str = ""
    legacy_timestamp: str = ""
    legacy_signature: str = ""


def read_credentials(request: Request) -> Credentials:
    """The headers of both forms. Raises Refused: 401 without a usable key, with what is missing; 400 where a header was
    sent twice.
    """
    try:
        authorization = request.header("authorization") or ""
        found = {
            name: request.header(name) or ""
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "x-timestamp", "x-signature")
        }
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error
    scheme, _, key = authorization.partition(" ")
    if (
        scheme.lower() != "apikey"
        or not _KEY.fullmatch(key)
        or any(len(value) > MAX_HEADER for value in found.values())
    ):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, shortcomings(request))
    return Credentials(
        key,
        found["webhook-id"],
        found["webhook-timestamp"],
        found["webhook-signature"],
        found["x-timestamp"],
        found["x-signature"],
    )


def check_claims(credentials: Credentials, *, now: datetime) -> None:
    """Id and time of a signature, before anybody asks whose the key is: so that this answer tells nobody which keys
    there are. Raises Refused (400, 401).
    """
    if credentials.signature:
        if credentials.timestamp:
            _check_time(credentials.timestamp, 1, now)
        if credentials.message_id:
            _check_id(credentials.message_id)
    elif credentials.legacy_signature and credentials.legacy_timestamp:
        # Ten digits are seconds, as the form hmac signs them; the legacy form has milliseconds.
        _check_time(
            credentials.legacy_timestamp, 1 if len(credentials.legacy_timestamp) == SECONDS_DIGITS else 1000, now
        )


def shortcomings(request: Request) -> list[Fault]:
    """What a request by key lacks, or has in a form that cannot be: by its headers alone, whoever's the key is. Shows
    no value of them.
    """
    values = {name: next((value for key, value in request.headers if key == name), "") for name in _HEADERS}
    long = [
        Fault("", f"{name} of {len(value)} characters", f"at most {MAX_HEADER}", f"send {name} as it is described")
        for name, value in values.items()
        if len(value) > MAX_HEADER
    ]
    return [*_of_key(values["authorization"]), *_of_signature(values), *long]


def _of_key(authorization: str) -> list[Fault]:
    word, blank, key = authorization.partition(" ")
    want = "Authorization: ApiKey <key>"
    if not authorization:
        return [Fault("", "no header Authorization", want, "send the key in this header")]
    if word.lower() != "apikey" or not blank:
        return [
            Fault(
                "",
                "Authorization that does not begin with ApiKey and a blank",
                want,
                "write ApiKey, one blank, and the key",
            )
        ]
    if not _KEY.fullmatch(key):
        got = f"a key of {len(key)} characters, which is not of the form of one"
        return [
            Fault(
                "",
                got,
                "4 to 128 letters, digits, - and _",
                "copy the key as it was shown when it was made, without quotes and blanks",
            )
        ]
    return []


def _of_signature(values: Mapping[str, str]) -> list[Fault]:
    default, legacy = values["webhook-signature"], values["x-signature"]
    if not default and not legacy:
        want = "the signature of your key's form; a key of the form api-key needs none"
        fix = "send webhook-id, webhook-timestamp and webhook-signature (form default), or X-Timestamp and X-Signature (forms legacy, hmac)"
        return [Fault("", "neither webhook-signature nor X-Signature", want, fix)]
    faults = []
    if default:
        for name, want in (
            ("webhook-id", "an id of the message"),
            ("webhook-timestamp", "seconds since 1970, digits only"),
        ):
            if not values[name]:
                faults.append(Fault("", f"no header {name}", want, f"send the {name} that was signed"))
        parts = [part[3:] for part in default.split(" ") if part.startswith("v1,")]
        if not parts:
            faults.append(
                Fault(
                    "",
                    "webhook-signature without a part that begins with v1,",
                    "v1,<base64>",
                    "write v1, and a comma before the signature",
                )
            )
        elif not any(_is_digest(part) for part in parts):
            got = f"a signature of {len(parts[0])} characters that is not base64 of 32 bytes"
            faults.append(
                Fault(
                    "",
                    got,
                    "base64 of the 32 bytes of an HMAC-SHA256",
                    "encode the bytes of the HMAC in base64, not its hexadecimal digits",
                )
            )
        return faults
    if not values["x-timestamp"]:
        faults.append(
            Fault(
                "",
                "no header X-Timestamp",
                "the time that was signed, digits only",
                "send X-Timestamp beside X-Signature",
            )
        )
    elif len(values["x-timestamp"]) == SECONDS_DIGITS:
        want = "milliseconds (13 digits) for a key of the form legacy, seconds for one of the form hmac"
        faults.append(Fault("", "X-Timestamp of 10 digits: seconds", want, "send and sign the unit of your key's form"))
    if not _HEX_DIGEST.fullmatch(legacy):
        faults.append(
            Fault(
                "",
                f"X-Signature of {len(legacy)} characters that is not 64 hexadecimal digits",
                "64 small hexadecimal digits",
                "encode the SHA-256 in hex",
            )
        )
    return faults


def _is_digest(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == hashlib.sha256().digest_size
    except (binascii.Error, ValueError):
        return False


def secret_bytes(secret: str) -> bytes:
    """A secret that starts with `whsec_` is base64 behind it; any other is its UTF-8 bytes."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("a whsec_ secret is base64 behind the underscore") from error


def sign_default(
    key: str, secrets: Sequence[str], message_id: str, body: bytes, now: datetime
) -> tuple[tuple[str, str], ...]:
    """The headers of the default form; one signature per secret, so that a receiver may change over while a secret
    rotates.
    """
    timestamp = str(int(now.timestamp()))
    signatures = " ".join("v1," + _default(secret, message_id, timestamp, body) for secret in secrets)
    return (
        ("authorization", f"ApiKey {key}"),
        ("webhook-id", message_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures),
    )


def sign_legacy(key: str, secret: str, body: bytes, now: datetime) -> tuple[tuple[str, str], ...]:
    """The headers of the legacy form (seed 003 §2.3)."""
    timestamp = str(int(now.timestamp() * 1000))
    return (
        ("authorization", f"ApiKey {key}"),
        ("x-timestamp", timestamp),
        ("x-signature", _legacy(timestamp, key, body, secret)),
    )


def verify_default(credentials: Credentials, secrets: Sequence[str], body: bytes, *, now: datetime) -> None:
    """Proves the default form. Raises Refused: 400 for a timestamp or id that is none, 401 for the rest."""
    _check_time(credentials.timestamp, 1, now)
    _check_id(credentials.message_id)
    given = [
        part[3:].encode("latin-1", "replace") for part in credentials.signature.split(" ") if part.startswith("v1,")
    ]
    wanted = [_default(secret, credentials.message_id, credentials.timestamp, body).encode() for secret in secrets]
    # Each with each, without an early end: what differs, and where, is not told by the time that it takes.
    matches = sum(hmac.compare_digest(one, other) for one in given[:8] for other in wanted)
    if not matches:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)


def verify_legacy(credentials: Credentials, secrets: Sequence[str], body: bytes, *, now: datetime) -> None:
    """Proves the legacy form. The seeds look only backwards; a stamp far in the future would be good for ever, so both
    ways count.
    """
    _check_time(credentials.legacy_timestamp, 1000, now)
    given = credentials.legacy_signature.encode("latin-1", "replace")
    wanted = [_legacy(credentials.legacy_timestamp, credentials.key, body, secret).encode() for secret in secrets]
    if not sum(hmac.compare_digest(given, one) for one in wanted):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)


def _default(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    text = b".".join((message_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(secret_bytes(secret), text, "sha256")).decode()


def _legacy(timestamp: str, key: str, body: bytes, secret: str) -> str:
    return hashlib.sha256(b"".join((timestamp.encode(), key.encode(), body, secret.encode()))).hexdigest()


def _check_id(text: str) -> None:
    if not _ID.fullmatch(text) or "." in text:
        fault = Fault(
            "",
            f"{len(text)} characters",
            "1 to 255 visible ASCII characters without a dot",
            "make webhook-id of letters, digits, - and _",
        )
        raise Refused(Code.BAD_REQUEST, "The webhook-id cannot be used.", [fault])


def _check_time(text: str, per_second: int, now: datetime) -> None:
    if not text:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
    unit = "milliseconds" if per_second == 1000 else "seconds"
    if not _DIGITS.fullmatch(text):
        raise Refused(
            Code.BAD_TIMESTAMP,
            "The timestamp is no whole number.",
            [Fault("", f"{len(text)} characters", f"{unit} since 1970, digits only", f"send the time in {unit}")],
        )
    ahead = int(text) / per_second - now.timestamp()
    if ahead < -TOLERANCE_S:
        raise Refused(
            Code.STALE_TIMESTAMP,
            f"The timestamp is {int(-ahead)} s old; at most {TOLERANCE_S} s.",
            [Fault("", "an old timestamp", f"{unit} since 1970, now", "sign each attempt anew")],
        )
    if ahead > TOLERANCE_S:
        raise Refused(
            Code.CLOCK_SKEW,
            f"The timestamp is {int(ahead)} s ahead; at most {TOLERANCE_S} s.",
            [Fault("", "a timestamp in the future", f"{unit} since 1970, now", f"set the clock; send {unit}")],
        )
