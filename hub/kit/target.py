"""A target that speaks plain JSON over HTTP, as its `system.yaml` declares it: no Python of its own is needed. And one
that has its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hub.core.adapter import Answer, HttpTarget, Parcel, Probe, Reply, Target
from hub.core.config.call_address import address_of
from hub.core.config.system import Accept, System
from hub.core.config.target_answers import Body, read
from hub.core.config.verdict import Response, verdict
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.model.tracing import attempt_span, traceparent
from hub.kit.http.call import Call, HttpResult
from hub.kit.http.sender import call_of, response_of
from hub.kit.signer import Signer, StaticSigner

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}", re.ASCII)


class DeclaredTarget:
    """One system, by its declaration. `url` is its root; `signer` makes what proves who calls, anew for each
    attempt.
    """

    def __init__(self, system: System, url: str, clock: Callable[[], datetime], signer: Signer | None = None) -> None:
        self._system = system
        self._url = url.rstrip("/")
        self._clock = clock
        self._signer = signer or StaticSigner()

    def call(self, parcel: Parcel) -> Call:
        """What goes out for `parcel`. Raises GiveUp where the system does not accept such a message."""
        accept = self._accept(parcel)
        filled, shown = self._filled(accept.path, accept, parcel)
        # What a GET asks stands in its address, once that has holes for it: a body of a GET means nothing to most (RFC
        # 9110 section 9.3.1).
        sent = replace(parcel, body=b"") if accept.method == "GET" and address_of(accept.path or "/").holes else parcel
        signed = self._signer.sign(sent, accept.method, filled, self._clock())
        headers = (
            *((("content-type", "application/json"),) if sent.body else ()),
            ("idempotency-key", parcel.key),
            ("x-crossdock-message", parcel.message_id),
            *(
                (("traceparent", traceparent(parcel.trace_id, attempt_span(parcel.key, parcel.attempt))),)
                if _TRACE_ID.fullmatch(parcel.trace_id)
                else ()
            ),
            *((("tracestate", parcel.tracestate),) if parcel.tracestate else ()),
            *signed.headers,
        )
        return Call(accept.method, signed.url, headers, sent.body, parcel.deadline_s, tls=signed.tls, shown=shown)

    def verdict(self, parcel: Parcel, done: HttpResult, *, now: datetime) -> Answer:
        """What the answer means: never a success that nobody saw, never a second try that cannot help (faults
        F45–F52).
        """
        accept = self._accept(parcel)
        response = response_from(done)
        # A whole head that says yes: that the body broke behind it does not undo it, where nobody asks for the body
        # (fault F48, promise P14).
        if done.kind != "ok":
            answer = (
                verdict(accept, response, now=now)
                if done.kind == "no_answer" and response.is_2xx and not accept.reply_keys
                else None
            )
            return answer if isinstance(answer, Reply) else _without_answer(done)
        if done.status == 401 and self._signer.refused():
            return TryLater(
                Cause(
                    Reason.REFUSED,
                    "The target answered 401; what it was shown is thrown away, and the next try gets another.",
                    fix="Check auth.",
                )
            )
        return verdict(accept, response, now=now, is_doubted=parcel.is_doubted)

    def question(self, parcel: Parcel) -> Call | None:
        """How the system is asked whether it has `parcel`; None where it cannot be. Raises GiveUp where the parcel
        lacks what is asked by.
        """
        accept = self._accept(parcel)
        question = accept.probe
        if question is None:
            return None
        filled, shown = self._filled(question.path, accept, parcel)
        signed = self._signer.sign(replace(parcel, body=b""), question.method, filled, self._clock())
        return Call(question.method, signed.url, signed.headers, b"", parcel.deadline_s, tls=signed.tls, shown=shown)

    def judged(self, parcel: Parcel, done: HttpResult, *, now: datetime) -> Probe:
        """What the system says of `parcel`. What is not said is unsure: nothing is sent again on a guess."""
        question = self._accept(parcel).probe
        if question is None or done.kind != "ok":
            return Probe.UNSURE
        if done.status == 401:
            self._signer.refused()
        view = response_from(done).view()
        try:
            if question.applied.holds(view, now=now):
                return Probe.APPLIED
            is_absent = question.absent.holds(view, now=now) if question.absent is not None else done.status == 404
        except GiveUp:
            return Probe.UNSURE
        return Probe.ABSENT if is_absent else Probe.UNSURE

    def _filled(self, path: str, accept: Accept, parcel: Parcel) -> tuple[str, str]:
        """The whole address, and as people may see it. Raises GiveUp, before anything is sent, where a hole cannot be
        filled.
        """
        address, now = address_of(path or "/"), self._clock()
        if not address.holes:
            return self._url + path, self._url + path
        filled = address.filled(parcel.payload, key=parcel.key, now=now)
        shown = address.shown(
            parcel.payload, key=parcel.key, now=now, contract=accept.contracts.get(parcel.ref.version)
        )
        return self._url + filled, self._url + shown

    def _accept(self, parcel: Parcel) -> Accept:
        accept = self._system.accept(parcel.ref)
        if accept is None:
            raise GiveUp(Cause(Reason.REFUSED, f"{self._system.name} does not accept {parcel.ref.name}."))
        return accept


class PythonTarget:
    """An adapter that prepares and judges in the terms of the `requests` library; the bytes travel by the one client
    all the same.
    """

    def __init__(self, adapter: HttpTarget) -> None:
        self._adapter = adapter

    def call(self, parcel: Parcel) -> Call:
        return call_of(self._adapter.prepare(parcel).prepare(), parcel.deadline_s)

    def verdict(self, parcel: Parcel, done: HttpResult, *, now: datetime) -> Answer:
        if done.kind != "ok":
            return _without_answer(done)
        try:
            return self._adapter.verdict(parcel, response_of(done))
        except (TryLater, GiveUp, Unknown) as answer:
            return answer

    def question(self, parcel: Parcel) -> Call | None:
        probe = getattr(self._adapter, "probe", None)
        return call_of(probe(parcel).prepare(), parcel.deadline_s) if probe is not None else None

    def judged(self, parcel: Parcel, done: HttpResult, *, now: datetime) -> Probe:
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


def response_from(done: HttpResult) -> Response:
    """An answer as it is judged: its body read, in whatever spelling it came."""
    body = Body(trouble="did not come whole") if done.is_cut else read(done.body, done.header("content-type") or "")
    return Response(done.status or 0, done.headers, done.body, body, is_whole=not done.is_cut)


def _without_answer(done: HttpResult) -> TryLater | Unknown:
    match done.kind:
        case "unreachable":
            return TryLater(
                Cause(
                    Reason.UNREACHABLE,
                    f"Nothing was sent: {done.error}.",
                    fix="Check the target's URL, name, port and certificate.",
                )
            )
        case "bad_answer":
            return TryLater(
                Cause(
                    Reason.BAD_ANSWER,
                    f"What answered does not speak HTTP: {done.error or 'an impossible status'}.",
                    fix="Check the target's URL and port.",
                )
            )
        case _:
            return Unknown(
                Cause(
                    Reason.NO_ANSWER,
                    f"It was sent, and no whole answer came: {done.error}.",
                    fix="Look at the target, then replay or cancel.",
                )
            )
