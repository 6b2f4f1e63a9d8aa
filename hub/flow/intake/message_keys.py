"""Computes the keys of a message: business keys, order key, freshness, and the dedupe keys by which a repeat is
recognised.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hub.core import json
from hub.core.config.system import DedupeScope, Emit
from hub.core.documents.times import instant
from hub.core.errors import Busy, Code, Fault, GiveUp, Refused
from hub.core.expressions.expression import Expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Incoming, Json, Ref, Request
from hub.core.model.delivery import EVERYBODY, DedupeKey
from hub.core.schemas import content
from hub.core.schemas.integers import plain, text_of
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake.versions import retry_later

MAX_KEY = 255  # maximum length of an identifier in characters: Idempotency-Key, business key, order key


def business_keys(emit: Emit, payload: Json, now: datetime) -> tuple[tuple[str, str], ...]:
    keys = ((name, evaluate_key(expression, payload, now)) for name, expression in emit.keys)
    return tuple((name, value) for name, value in keys if value is not None)


def dedupe_keys_of(
    hub: Hub, request: Request, caller: Caller, incoming: Incoming, suffix: str = ""
) -> tuple[DedupeKey, ...]:
    """The dedupe keys of one post. The signed id holds for every path, because the signature does not cover the path.

    The Idempotency-Key holds within its message type.
    """
    keep, path = _keep_for(hub), request.path
    fingerprint = hashlib.sha256(b"\n".join((request.method.encode(), path.encode(), request.body))).hexdigest()
    signed = (
        (DedupeKey(caller.id, "*", caller.request_key + suffix, fingerprint, caller.keep or keep),)
        if caller.request_key
        else ()
    )
    if incoming.idempotency_key is None or incoming.idempotency_key == caller.request_key + suffix:
        return signed
    return (*signed, DedupeKey(caller.id, incoming.ref.type, incoming.idempotency_key, fingerprint, keep))


def natural_dedupe_keys(
    hub: Hub, emit: Emit, incoming: Incoming, newest: tuple[Ref, Json], now: datetime
) -> tuple[DedupeKey, ...]:
    """The dedupe keys of `dedupe_by`, with a fingerprint of the content. The fingerprint covers the content as sent and
    as the newest version, so that the same order in an old and in a new contract version is a duplicate.

    It covers the decoded content, not the bytes: a sender that sends again from its database may write other white
    space. An Idempotency-Key compares the bytes.
    """
    key = _natural_key(emit, newest[1], now)
    if key is None:
        return ()
    fields = tuple(expression.text for expression in emit.dedupe_by)
    path = next((expression.path for expression in emit.dedupe_by if expression.path is not None), None)
    # a field of the newest version
    pointer = json.pointer(path) if path is not None and newest[0] == incoming.ref else ""
    fingerprint = content.fingerprint((incoming.ref, incoming.payload), newest)
    name = DedupeKey.NATURAL + key
    of_caller = DedupeKey(
        incoming.caller, emit.type, name, fingerprint, _keep_for(hub), by_content=True, fields=fields, pointer=pointer
    )
    return (
        (of_caller, replace(of_caller, caller=EVERYBODY)) if emit.dedupe_scope is DedupeScope.SYSTEM else (of_caller,)
    )


def evaluate_key(expression: Expression, payload: Json, now: datetime) -> str | None:
    """Evaluates a key to its canonical text; None if it is null or missing. Raises Refused if the value cannot be an
    identifier.
    """
    try:
        value = expression.evaluate(payload, now=now)
    except Busy as error:
        raise retry_later(error) from error
    except GiveUp as error:
        faults = [Fault(error.why.field, "nothing", "a part of a key", error.why.fix)] if error.why.field else []
        raise Refused(
            Code.CONTRACT_VIOLATION, f"The key {expression.text} cannot be computed: {error.why.text}", faults
        ) from error
    if value is None or value is MISSING:
        return None
    if isinstance(value, Decimal):
        value = text_of(value)  # 1.0 and 1 are the same key
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or not 0 < len(str(value)) <= MAX_KEY:
        fault = Fault(
            "/" + expression.text.replace(".", "/"),
            type(value).__name__,
            f"a text or number of 1 to {MAX_KEY} characters",
            "send the business number alone",
        )
        raise Refused(Code.CONTRACT_VIOLATION, f"{expression.text} is no identifier.", [fault])
    return str(value)


def evaluate_freshness(emit: Emit, payload: Json, now: datetime) -> str | None:
    """Evaluates `fresh_by` to a sortable text: an instant in UTC, or a whole number. Raises Refused if it is
    neither.
    """
    if emit.fresh_by is None:
        return None
    try:
        value = emit.fresh_by.evaluate(payload, now=now)
    except Busy as error:
        raise retry_later(error) from error
    except GiveUp as error:
        raise Refused(Code.CONTRACT_VIOLATION, f"fresh_by cannot be computed: {error.why.text}") from error
    if value is None or value is MISSING:
        return None
    value = plain(value) if isinstance(value, Decimal) else value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return f"{value:020d}"
    try:
        return instant(str(value), "UTC").isoformat(timespec="microseconds")
    except ValueError as error:
        fault = Fault(
            "/" + emit.fresh_by.text.replace(".", "/"), type(value).__name__, "a time, or a whole number", str(error)
        )
        raise Refused(Code.CONTRACT_VIOLATION, f"{emit.fresh_by.text} does not say how new it is.", [fault]) from error


def _natural_key(emit: Emit, payload: Json, now: datetime) -> str | None:
    """Joins the values of `dedupe_by` to one key; None if the contract has no `dedupe_by`, or if a field is missing.
    The length stands before each value, so that ("a|b", "c") and ("a", "b|c") give different keys.
    """
    parts = [evaluate_key(expression, payload, now) for expression in emit.dedupe_by]
    if not parts or any(part is None for part in parts):
        return None
    text = "|".join(f"{len(part)}:{part}" for part in parts if part is not None)
    return text if len(text) < MAX_KEY else hashlib.sha256(text.encode()).hexdigest()


def _keep_for(hub: Hub) -> timedelta:
    return timedelta(days=hub.settings.keep_keys)
