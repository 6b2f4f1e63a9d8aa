"""What each code means to a sender, and what to do about it: one table for problem+json, `/docs/errors` and
docs/errors.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.core.errors import Code


@dataclass(frozen=True, slots=True)
class Meaning:
    """`title` is the same for every answer with this code (RFC 9457); `do` is what the sender changes."""

    title: str
    do: str


MEANINGS: Mapping[Code, Meaning] = {
    Code.BAD_REQUEST: Meaning(
        "The request cannot be taken as it is.",
        "The message names the wrong header, parameter or path. Correct it and send the request again.",
    ),
    Code.EMPTY_BODY: Meaning("The body is empty.", "Send the message as the body, as JSON."),
    Code.MALFORMED_JSON: Meaning(
        "The body is not JSON.",
        "The details give the position. Write the body with a JSON library. Each name may occur only once in an object.",
    ),
    Code.TOO_DEEP: Meaning("The body is nested too deeply.", "Send at most 64 levels of objects and arrays."),
    Code.NUMBER_OUT_OF_RANGE: Meaning(
        "A number is out of range.",
        "Send integers within ±2^63 and fractions with an exponent within ±308. Send longer numbers as text if the contract allows it.",
    ),
    Code.INVALID_UTF8: Meaning("The body is not UTF-8.", "Encode the body as UTF-8, without a byte order mark."),
    Code.INVALID_UNICODE: Meaning(
        "The text contains an invalid character.",
        "Send valid Unicode characters. Half surrogate pairs and NUL are not allowed.",
    ),
    Code.BAD_ENCODING: Meaning(
        "The compressed body cannot be inflated.",
        "Compress the whole body once, as one stream, and send the whole stream.",
    ),
    Code.DUPLICATE_PARAMETER: Meaning("A query parameter stands twice.", "Send each parameter once."),
    Code.BAD_IDEMPOTENCY_KEY: Meaning(
        "The Idempotency-Key cannot be used.",
        "Send one Idempotency-Key header with 1 to 255 visible ASCII characters, such as a UUID.",
    ),
    Code.BAD_TIMESTAMP: Meaning(
        "The timestamp of the signature is not valid.",
        "Send webhook-timestamp in whole seconds since 1970-01-01 UTC (legacy form: X-Timestamp in milliseconds).",
    ),
    Code.UNAUTHENTICATED: Meaning(
        "The key, the signature or the permission is not valid.",
        "Check the key and the secret. Sign the exact bytes that you send, after compression. The details say what is missing or malformed. They do not say whether the key or the signature is wrong.",
    ),
    Code.STALE_TIMESTAMP: Meaning(
        "The signature is too old.",
        "Sign the request again with the current time. A signature is valid for five minutes.",
    ),
    Code.CLOCK_SKEW: Meaning(
        "The signature is from the future.",
        "Synchronise your clock (NTP). A difference of up to five minutes is accepted.",
    ),
    Code.FORBIDDEN: Meaning(
        "This key may not do this.",
        "Use a key of the system that sends the message, or ask the hub's operator for the permission.",
    ),
    Code.NOT_FOUND: Meaning(
        "There is nothing here.",
        "Check the path, the message's name and its version. A message that was posted under another key is also answered with this code.",
    ),
    Code.METHOD_NOT_ALLOWED: Meaning("This method is not taken here.", "Use one of the methods in the Allow header."),
    Code.REQUEST_TIMEOUT: Meaning(
        "The body did not arrive in time.",
        "Send it again with the same Idempotency-Key. Send smaller requests if your connection is slow.",
    ),
    Code.CONFLICT: Meaning(
        "Something else is under way on the same thing.",
        "Wait for the time in Retry-After, then send again with the same Idempotency-Key.",
    ),
    Code.GONE: Meaning("This is no longer taken.", "Use the version that the message names."),
    Code.TOO_LARGE: Meaning(
        "The body is too large.",
        "Send at most 10 MB, before and after compression, and at most 10 000 messages in a batch.",
    ),
    Code.TOO_MANY_VALUES: Meaning(
        "The message has too many values.",
        "Send several messages. One message may have at most 100 000 values, and names of at most 255 characters.",
    ),
    Code.URI_TOO_LONG: Meaning("The path or the query is too long.", "Send the data in the body."),
    Code.UNSUPPORTED_MEDIA_TYPE: Meaning(
        "The body's type is not taken here.",
        "Send Content-Type: application/json in UTF-8. For batches, application/x-ndjson is also accepted.",
    ),
    Code.UNSUPPORTED_ENCODING: Meaning(
        "The body's compression is not taken here.",
        "Send the body uncompressed, or compressed once with gzip or deflate.",
    ),
    Code.CONTRACT_VIOLATION: Meaning(
        "The message does not fit its contract.",
        "The details list each fault with its JSON pointer, the expected value, and the correction.",
    ),
    Code.INCONSISTENT: Meaning(
        "The message contradicts itself.",
        "The details name the fields that disagree, such as a total and the sum of its lines.",
    ),
    Code.IDEMPOTENCY_MISMATCH: Meaning(
        "This key was used for another message.",
        "Use a new key for a new message. A repeat with the same Idempotency-Key must be identical byte for byte. A repeat with the same natural key must have the same content.",
    ),
    Code.EMPTY_BATCH: Meaning("The batch has no message.", "Send at least one message."),
    Code.TOO_MANY_REQUESTS: Meaning(
        "Too many requests.", "Wait for the time in Retry-After, then send again with the same Idempotency-Key."
    ),
    Code.HEADERS_TOO_LARGE: Meaning(
        "The headers are too many or too large.", "Send at most 100 headers, of at most 32 kB in total."
    ),
    Code.INTERNAL: Meaning(
        "An internal error of the hub.",
        "Send again with the same Idempotency-Key. If the error persists, give the traceId to the hub's operator, who finds the cause in the log.",
    ),
    Code.BAD_GATEWAY: Meaning(
        "The system behind refused the request, or its answer cannot be used.",
        "The message gives the reason. Correct what it names. The hub stores the exchange under the message's id.",
    ),
    Code.UNAVAILABLE: Meaning(
        "The hub cannot promise anything now.",
        "Wait for the time in Retry-After, then send the same request again with the same Idempotency-Key. Nothing is stored twice.",
    ),
    Code.GATEWAY_TIMEOUT: Meaning(
        "The system behind did not answer in time.",
        "The outcome is unknown. Read it with GET /api/messages/{id}, or send again with the same Idempotency-Key.",
    ),
    Code.STORAGE_FULL: Meaning(
        "The hub's storage is full.",
        "Wait for the time in Retry-After, then send again. If it lasts, tell the hub's operator.",
    ),
}
