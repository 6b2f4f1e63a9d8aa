"""A target that speaks plain JSON over HTTP, as its `system.yaml` declares it: no Python of its own is needed. And one that has its own."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hub.core import json
from hub.core.adapter import Answer, HttpTarget, Parcel, Probe, Reply, Target
from hub.core.errors import GiveUp, Reason, Refused, TryLater, Unknown, Why
from hub.core.expression import MISSING, Expression
from hub.core.message import Json
from hub.core.system import Accept, System
from hub.core.tracing import attempt_span, traceparent
from hub.kit.call import Call, Done
from hub.kit.http import call_of, response_of
from hub.kit.line import KEPT_BYTES
from hub.kit.signer import Signer, Standing

THROTTLED = frozenset({408, 425, 429})
MAX_SAID = 64  # characters that a reason repeats of a target's own words

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}", re.ASCII)
_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]{0,100})\}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
_BODY = re.compile(r"\bbody\b|\*|\$(?!\w)")
_STATUS = re.compile(r"\bstatus\b")
_LONG_NUMBER = re.compile(r"(?<![A-Za-z0-9])[0-9]{11,}", re.ASCII)  # phone, identity and card numbers; order numbers with letters before them stay
_SECRET = re.compile(r"\b(?:whsec|ak|sk|whpk)_[A-Za-z0-9+/=_-]+", re.ASCII)


class DeclaredTarget:
    """One system, by its declaration. `url` is its root; `signer` makes what proves who calls, anew for each attempt."""

    def __init__(self, system: System, url: str, clock: Callable[[], datetime], signer: Signer | None = None) -> None:
        self._system = system
        self._url = url.rstrip("/")
        self._clock = clock
        self._signer = signer or Standing()

    def call(self, parcel: Parcel) -> Call:
        """What goes out for `parcel`. Raises GiveUp where the system does not accept such a message."""
        accept = self._accept(parcel)
        signed = self._signer.sign(parcel, accept.method, self._url + accept.path, self._clock())
        headers = (
            ("content-type", "application/json"),
            ("idempotency-key", parcel.key),
            ("x-crossdock-message", parcel.message_id),
            *((("traceparent", traceparent(parcel.trace_id, attempt_span(parcel.key, parcel.attempt))),) if _TRACE_ID.fullmatch(parcel.trace_id) else ()),
            *((("tracestate", parcel.tracestate),) if parcel.tracestate else ()),
            *signed.headers,
        )
        return Call(accept.method, signed.url, headers, parcel.body, parcel.deadline_s, tls=signed.tls, shown=self._url + accept.path)

    def verdict(self, parcel: Parcel, done: Done, *, now: datetime) -> Answer:
        """What the answer means: never a success that nobody saw, never a second try that cannot help (PROMISES F45–F52)."""
        accept = self._accept(parcel)
        # A whole head that says yes: that the body broke behind it does not undo it, where nobody asks for the body (PROMISES F48, P14).
        is_said = done.kind == "no_answer" and 200 <= (done.status or 0) < 300 and not _wants_body(accept)
        early = None if is_said else _without_answer(done)
        if early is not None:
            return early
        if done.status == 401 and self._signer.refused():
            return TryLater(Why(Reason.REFUSED, "The target answered 401; what it was shown is thrown away, and the next try gets another.", fix="Check auth."))
        body, is_understood = (None, False) if is_said else _body(done)
        if accept.success is not None and 200 <= (done.status or 0) < 300 and not is_understood and _mentions_body(accept.success):
            return _not_understood(done)
        try:
            return _judged(accept, done, body, now)
        except GiveUp as error:
            return TryLater(Why(Reason.BAD_ANSWER, f"The answer cannot be judged: {error.why.text}", fix="Mend `success` or `already`, or the target."))

    def question(self, parcel: Parcel) -> Call | None:
        """How the system is asked whether it has `parcel`; None where it cannot be. Raises GiveUp where the parcel lacks what is asked by."""
        question = self._accept(parcel).probe
        if question is None:
            return None
        url = self._url + _HOLE.sub(lambda found: _filled(found[1], parcel), question.path)
        signed = self._signer.sign(replace(parcel, body=b""), question.method, url, self._clock())
        return Call(question.method, signed.url, signed.headers, b"", parcel.deadline_s, tls=signed.tls, shown=url)

    def judged(self, parcel: Parcel, done: Done, *, now: datetime) -> Probe:
        """What the system says of `parcel`. What is not said is unsure: nothing is sent again on a guess."""
        question = self._accept(parcel).probe
        if question is None or done.kind != "ok":
            return Probe.UNSURE
        if done.status == 401:
            self._signer.refused()
        view: dict[str, Json] = {"status": done.status, "headers": dict(done.headers), "body": _body(done)[0]}
        try:
            if question.applied.holds(view, now=now):
                return Probe.APPLIED
            is_absent = question.absent.holds(view, now=now) if question.absent is not None else done.status == 404
        except GiveUp:
            return Probe.UNSURE
        return Probe.ABSENT if is_absent else Probe.UNSURE

    def _accept(self, parcel: Parcel) -> Accept:
        accept = self._system.accept(parcel.ref)
        if accept is None:
            raise GiveUp(Why(Reason.REFUSED, f"{self._system.name} does not accept {parcel.ref.name}."))
        return accept


class PythonTarget:
    """An adapter that prepares and judges in the terms of the `requests` library; the bytes travel by the one client all the same."""

    def __init__(self, adapter: HttpTarget) -> None:
        self._adapter = adapter

    def call(self, parcel: Parcel) -> Call:
        return call_of(self._adapter.prepare(parcel).prepare(), parcel.deadline_s)

    def verdict(self, parcel: Parcel, done: Done, *, now: datetime) -> Answer:
        early = _without_answer(done)
        if early is not None:
            return early
        try:
            return self._adapter.verdict(parcel, response_of(done))
        except (TryLater, GiveUp, Unknown) as answer:
            return answer

    def question(self, parcel: Parcel) -> Call | None:
        probe = getattr(self._adapter, "probe", None)
        return call_of(probe(parcel).prepare(), parcel.deadline_s) if probe is not None else None

    def judged(self, parcel: Parcel, done: Done, *, now: datetime) -> Probe:
        judge: Callable[[Parcel, Any], Probe] | None = getattr(self._adapter, "probed", None)
        return judge(parcel, response_of(done)) if judge is not None and done.kind == "ok" else Probe.UNSURE


class BatchTarget:
    """A target by anything else than HTTP: it sends a batch by itself. `address` is for people, without a password."""

    def __init__(self, target: Target, address: str) -> None:
        self._target = target
        self.address = address

    def send(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """One answer per parcel, in their order."""
        answers = self._target.send(parcels)
        if len(answers) != len(parcels):
            raise ValueError(f"{len(answers)} answers came for {len(parcels)} parcels")
        return answers


def _filled(path: str, parcel: Parcel) -> str:
    """The value of a hole in a path, escaped whole: it may hold slashes, and must not make another path of it. Raises GiveUp."""
    value: Json = parcel.payload
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if path == "key":
        value = parcel.key
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise GiveUp(Why(Reason.UNEXPECTED, f"What was sent has no {path} to ask by.", field="/" + path.replace(".", "/"), fix="Mend `probe`."))
    return quote(str(value), safe="")


def _without_answer(done: Done) -> Answer | None:
    match done.kind:
        case "ok":
            return None
        case "unreachable":
            return TryLater(Why(Reason.UNREACHABLE, f"Nothing was sent: {done.error}.", fix="Check the target's URL, name, port and certificate."))
        case "no_answer":
            return Unknown(Why(Reason.NO_ANSWER, f"It was sent, and no whole answer came: {done.error}.", fix="Look at the target, then replay or cancel."))
        case "bad_answer":
            return TryLater(
                Why(Reason.BAD_ANSWER, f"What answered does not speak HTTP: {done.error or 'an impossible status'}.", fix="Check the target's URL and port.")
            )


def _judged(accept: Accept, done: Done, body: Json, now: datetime) -> Answer:
    """By `already`, then `success`, then the table of statuses. Raises GiveUp where an expression cannot be computed."""
    status = done.status or 0
    view: dict[str, Json] = {"status": status, "headers": dict(done.headers), "body": body}
    if accept.already is not None and accept.already.holds(view, now=now):
        return _reply(accept, done, view, body, now, already=True)
    is_2xx = 200 <= status < 300
    # Outside 2xx the status has the last word, but where `success` itself asks for it: a 503 whose page says code 0 is no success.
    if accept.success is None or not (is_2xx or _STATUS.search(accept.success.text)):
        return _reply(accept, done, view, body, now) if is_2xx and accept.success is None else _failure(done, body, now)
    return _reply(accept, done, view, body, now) if accept.success.holds(view, now=now) else _failure(done, body, now)


def _wants_body(accept: Accept) -> bool:
    return bool(accept.reply_keys) or (accept.success is not None and _mentions_body(accept.success))


def _mentions_body(expression: Expression) -> bool:
    """Whether it may look at the body: by its name, by a wildcard, or by the whole context. In doubt it does."""
    return _BODY.search(expression.text) is not None


def _not_understood(done: Done) -> TryLater:
    what = f"is longer than {KEPT_BYTES // 1024} kB, and is kept only so far" if done.is_cut else "is no JSON"
    return TryLater(Why(Reason.BAD_ANSWER, f"The target answered {done.status}, but its body {what}; `success` judges by it.", fix="See the attempt's reply."))


def _failure(done: Done, body: Json, now: datetime) -> Answer:
    status = done.status or 0
    said = _said(body)
    if status in THROTTLED:
        return TryLater(Why(Reason.THROTTLED, f"The target answered {status}{said}."), retry_after(done.header("retry-after"), now))
    if status >= 500:
        return TryLater(Why(Reason.SERVER_ERROR, f"The target answered {status}{said}."), retry_after(done.header("retry-after"), now))
    if 300 <= status < 400:
        return GiveUp(Why(Reason.REFUSED, f"The target answered {status}: redirects are not followed.", fix="Set the final URL in the system's settings."))
    if status < 300:
        # Understood, and it says no: a business error (seed 003 §4.1), which no second try can mend.
        return GiveUp(
            Why(Reason.UNSUCCESSFUL, f"The target answered {status}, but `success` does not hold{said}.", fix="Mend what the target names, then replay.")
        )
    return GiveUp(Why(Reason.REFUSED, f"The target refused it with {status}{said}.", fix="Mend what the target names, then replay."))


def _reply(accept: Accept, done: Done, view: dict[str, Json], body: Json, now: datetime, *, already: bool = False) -> Reply:
    found = ((name, _key(expression, view, now)) for name, expression in accept.reply_keys)
    keys = tuple((name, value) for name, value in found if value)
    return Reply(done.status or 0, done.headers, done.body, body, keys, already)


def _key(expression: Expression, view: dict[str, Json], now: datetime) -> str:
    """A key that the answer should name and does not is no failure: the delivery succeeded, and that is kept."""
    try:
        value: Any = expression.evaluate(view, now=now)
    except GiveUp:
        return ""
    is_key = value is not MISSING and isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:255] if is_key else ""


def _body(done: Done) -> tuple[Json, bool]:
    try:
        return (json.decode(done.body), True) if done.body else (None, False)
    except Refused:
        return None, False


def _said(body: Json) -> str:
    """The target's own code and message, cut short, on one line, without long numbers: they go into a reason that people read."""
    if not isinstance(body, dict):
        return ""
    words = [_plain(str(body[name])) for name in ("code", "message") if isinstance(body.get(name), str | int)]
    return f" ({', '.join(words)})" if words else ""


def _plain(text: str) -> str:
    text = _LONG_NUMBER.sub(lambda found: f"{found[0][:3]}****{found[0][-4:]}", _SECRET.sub("***", text[:1_000]))
    return "".join(char if char.isprintable() else " " for char in text)[:MAX_SAID]


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110 section 10.2.3: a number, or a date); None for anything else."""
    if text is None:
        return None
    if _DIGITS.fullmatch(text):
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):  # the library's reader of dates is not written for strangers' text
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
