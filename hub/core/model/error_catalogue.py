"""What each code means to a sender, and what to do about it: one table for problem+json, `/docs/errors` and docs/errors.md."""

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
        "The request cannot be taken as it is.", "The message names the header, parameter or path that is wrong. Change it and send again."
    ),
    Code.EMPTY_BODY: Meaning("The body is empty.", "Send the message as the body, as JSON."),
    Code.MALFORMED_JSON: Meaning(
        "The body is not JSON.", "The details give the position. Write the body with a JSON library; a name may stand only once in an object."
    ),
    Code.TOO_DEEP: Meaning("The body is nested too deeply.", "Send at most 64 levels of objects and arrays."),
    Code.NUMBER_OUT_OF_RANGE: Meaning(
        "A number is out of range.", "Send integers within ±2^63 and fractions with an exponent within ±308; longer numbers as text, where the contract allows."
    ),
    Code.INVALID_UTF8: Meaning("The body is not UTF-8.", "Encode the body as UTF-8, without a byte order mark."),
    Code.INVALID_UNICODE: Meaning("Text holds what is no character.", "Send whole characters: no half surrogate pairs, no NUL."),
    Code.BAD_ENCODING: Meaning("The compressed body cannot be inflated.", "Compress the whole body once, in one piece, and send all of it."),
    Code.DUPLICATE_PARAMETER: Meaning("A query parameter stands twice.", "Send each parameter once."),
    Code.BAD_IDEMPOTENCY_KEY: Meaning("The Idempotency-Key cannot be used.", "Send 1 to 255 visible ASCII characters, such as a UUID, in one header."),
    Code.BAD_TIMESTAMP: Meaning(
        "The time of the signature is no time.", "Send whole seconds since 1970 in webhook-timestamp (legacy form: milliseconds in X-Timestamp)."
    ),
    Code.UNAUTHENTICATED: Meaning(
        "The key, its signature or its right is not valid.",
        "Check the key, the secret, and that the signature is over the very bytes that are sent, compressed if they are. The details say what is missing or malformed; which of them is wrong is not told.",
    ),
    Code.STALE_TIMESTAMP: Meaning("The signature is too old.", "Sign again with the present time; it is good for five minutes."),
    Code.CLOCK_SKEW: Meaning("The signature is from the future.", "Set your clock (NTP); up to five minutes are forgiven."),
    Code.FORBIDDEN: Meaning("This key may not do this.", "Use a key of the system that you speak for, or ask the hub's operator for the right."),
    Code.NOT_FOUND: Meaning(
        "There is nothing here.", "Check the path, the message's name and its version. A message that was not posted under your key is not found either."
    ),
    Code.METHOD_NOT_ALLOWED: Meaning("This method is not taken here.", "Use one of the methods in the Allow header."),
    Code.REQUEST_TIMEOUT: Meaning("The body did not arrive in time.", "Send it again, under the same Idempotency-Key; in smaller parts if your line is slow."),
    Code.CONFLICT: Meaning(
        "Something else is under way on the same thing.", "Wait as long as Retry-After says, then send again under the same Idempotency-Key."
    ),
    Code.GONE: Meaning("This is no longer taken.", "Move to the version that the message names."),
    Code.TOO_LARGE: Meaning("The body is too large.", "Send at most 10 MB, also after inflating, and at most 10 000 messages in a batch."),
    Code.TOO_MANY_VALUES: Meaning(
        "The message has too many values.", "Send it as several messages; one holds at most 100 000 values, and names of 255 characters."
    ),
    Code.URI_TOO_LONG: Meaning("The path or the query is too long.", "Put what you send into the body."),
    Code.UNSUPPORTED_MEDIA_TYPE: Meaning(
        "The body's type is not taken here.", "Send Content-Type: application/json (batches also application/x-ndjson), in UTF-8."
    ),
    Code.UNSUPPORTED_ENCODING: Meaning("The body's compression is not taken here.", "Send the body plain, or compressed once by gzip or deflate."),
    Code.CONTRACT_VIOLATION: Meaning(
        "The message does not fit its contract.", "The details list every fault with its JSON pointer, what is wanted, and what to write instead."
    ),
    Code.INCONSISTENT: Meaning("The message contradicts itself.", "The details name the fields that do not agree, such as a total and its lines."),
    Code.IDEMPOTENCY_MISMATCH: Meaning(
        "This key was used for another message.",
        "Use a new key for a new message. A repeat under an Idempotency-Key must be the same, byte for byte; one under a natural key, in content.",
    ),
    Code.EMPTY_BATCH: Meaning("The batch has no message.", "Send at least one."),
    Code.TOO_MANY_REQUESTS: Meaning("Too many requests.", "Wait as long as Retry-After says, then send again under the same Idempotency-Key."),
    Code.HEADERS_TOO_LARGE: Meaning("The headers are too many or too large.", "Send at most 100 headers of 32 kB together."),
    Code.INTERNAL: Meaning(
        "A fault of the hub's.", "Send again, under the same Idempotency-Key. If it stays, give the hub's operator the traceId; the log has the cause under it."
    ),
    Code.BAD_GATEWAY: Meaning(
        "The system behind said no, or something that cannot be used.",
        "The message says what. Change what it names; the exchange is recorded under the message's id.",
    ),
    Code.UNAVAILABLE: Meaning(
        "The hub cannot promise anything now.",
        "Wait as long as Retry-After says, then send the same again, under the same Idempotency-Key: nothing is stored twice.",
    ),
    Code.GATEWAY_TIMEOUT: Meaning(
        "The system behind did not answer in time.",
        "Whether it was done is not known. GET /api/messages/{id} tells; send again under the same Idempotency-Key.",
    ),
    Code.STORAGE_FULL: Meaning("The hub's storage is full.", "Wait as long as Retry-After says, then send again; its operator has been told."),
}
