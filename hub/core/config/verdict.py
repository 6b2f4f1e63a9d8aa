"""What a target's answer means, by what its system declares and by its status. The one place that says so; pure.

The order, from the first that speaks: `success` and `already` · `again` · the status: 2xx is success where `success` is
not declared, 408, 425, 429 and 5xx may pass, 409 and 423 are still under way where the target names a time or an
earlier try is in doubt, all else is refused. A 2xx is never sent again on a guess: where its body decides and cannot be
read, the outcome is unknown, and `in_doubt` says what follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.core import json
from hub.core.adapter import Answer, Reply
from hub.core.config.system import Accept
from hub.core.config.target_answers import Body
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.expressions.expression import Expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Json
from hub.core.model.retry import retry_after
from hub.core.schemas.integers import text_of

THROTTLED = frozenset({408, 425, 429})
# draft-ietf-httpapi-idempotency-key-header section 2.6: the first request with this key is not done yet
UNDER_WAY = frozenset({409, 423})
PASSING = frozenset({413})  # RFC 9110 section 15.5.14: with a Retry-After it is temporary
MAX_WORDS = 64  # characters that a reason repeats of each of a target's own words

_BODY = re.compile(r"\bbody\b|\*|\$(?!\w)")
_STATUS = re.compile(r"\bstatus\b")
# phone, identity and card numbers; order numbers with letters before them stay
_LONG_NUMBER = re.compile(r"(?<![A-Za-z0-9])[0-9]{11,}", re.ASCII)
_SECRET = re.compile(r"\b(?:whsec|ak|sk|whpk)_[A-Za-z0-9+/=_-]+", re.ASCII)
# Where targets put their own words, the usual ones first: their code, and what they say.
_CODES = ("code", "errcode", "errorCode", "error_code", "sub_code", "returnCode", "resultCode")
_MESSAGES = (
    *(
        "message",
        "msg",
        "errmsg",
        "errorMsg",
        "error_msg",
        "errorMessage",
        "error_message",
        "error_description",
        "sub_msg",
        "returnMsg",
        "resultMsg",
    ),
    *("detail", "title", "reason", "description", "error"),
)
_INSIDE = ("error", "errors", "fault", "status", "meta")  # objects that hold them in their stead


@dataclass(frozen=True, slots=True)
class Response:
    """An answer whose head came whole. `raw`: its body, unpacked; `body`: what was read of it; `is_whole`: all of it
    came, and is kept.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes = b""
    body: Body = field(default_factory=Body)
    is_whole: bool = True

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_2xx(self) -> bool:
        return 200 <= self.status < 300

    def view(self) -> dict[str, Json]:
        """What `success` and its like are over."""
        return {"status": self.status, "headers": dict(self.headers), "body": self.body.value}


def verdict(accept: Accept, response: Response, *, now: datetime, is_doubted: bool = False) -> Answer:
    """`is_doubted`: an earlier try of the same delivery was sent, and nobody saw its outcome."""
    view = response.view()
    try:
        if response.is_2xx and not response.body.is_read and needs_body(accept, response, view, now):
            return _unread(response)
        is_already = accept.already is not None and accept.already.holds(view, now=now)
        if is_already or _is_success(accept, response, view, now):
            return _reply(accept, response, view, now, already=is_already)
        if accept.again is not None and accept.again.holds(view, now=now):
            text = f"The target answered {response.status}, and `again` holds{_words(accept, response, view, now)}."
            return TryLater(Cause(Reason.THROTTLED, text), _asked(response, now))
    except GiveUp as error:
        if response.is_2xx:
            text = f"The target answered {response.status}, and its answer cannot be judged: {error.why.text}"
            return Unknown(
                Cause(
                    Reason.BAD_ANSWER,
                    text,
                    fix="Mend `success`, `already` or `again`, or the target. Ask the target whether it has it.",
                )
            )
    if response.is_2xx and accept.success is None:
        return _reply(accept, response, view, now)
    return by_status(
        response.status,
        _asked(response, now),
        _words(accept, response, view, now),
        is_named=is_named(response),
        is_doubted=is_doubted,
    )


def _is_success(accept: Accept, response: Response, view: dict[str, Json], now: datetime) -> bool:
    """Whether the declared `success` holds. Outside 2xx the status has the last word, but where `success` itself asks
    for it: a 503 whose page says code 0 is no success.
    """
    if accept.success is None or not (response.is_2xx or _STATUS.search(accept.success.text)):
        return False
    return accept.success.holds(view, now=now)


def by_status(
    status: int, after_s: float | None, words: str = "", *, is_named: bool = False, is_doubted: bool = False
) -> TryLater | GiveUp:
    """What is no success, by its status alone. `is_named`: the target names a time to come again (Retry-After)."""
    said = f"The target answered {status}{words}"
    if status in THROTTLED or (is_named and (300 <= status < 400 or status in PASSING)):
        return TryLater(Cause(Reason.THROTTLED, f"{said}."), after_s)
    if status >= 500:
        return TryLater(Cause(Reason.SERVER_ERROR, f"{said}."), after_s)
    if status in UNDER_WAY and (is_named or is_doubted):
        since = "it names a time to come again" if is_named else "an earlier try is in doubt"
        return TryLater(Cause(Reason.UNDER_WAY, f"{said}: the same is still under way there ({since})."), after_s)
    if 300 <= status < 400:
        return GiveUp(
            Cause(
                Reason.REFUSED,
                f"The target answered {status}: redirects are not followed.",
                fix="Set the final URL in the system's settings.",
            )
        )
    if status < 300:
        # Understood, and it says no: a business error (seed 003 §4.1), which no second try can mend.
        fix = "Mend what the target names, then replay. Where it means `later`, name its code in `again`."
        return GiveUp(
            Cause(Reason.UNSUCCESSFUL, f"The target answered {status}, but `success` does not hold{words}.", fix=fix)
        )
    return GiveUp(
        Cause(
            Reason.REFUSED,
            f"The target refused it with {status}{words}.",
            fix="Mend what the target names, then replay.",
        )
    )


def is_named(response: Response) -> bool:
    """Whether the target says when to come again, in whatever form."""
    return bool((response.header("retry-after") or "").strip())


def _asked(response: Response, now: datetime) -> float | None:
    return retry_after(response.header("retry-after"), now)


def needs_body(accept: Accept, response: Response, view: dict[str, Json], now: datetime) -> bool:
    """Whether what a 2xx means hangs on its body. A body that is empty says neither `already` nor `again`. Raises
    GiveUp.
    """
    is_there = bool(response.raw.strip()) or not response.is_whole
    if accept.success is None:
        others = [accept.again]
    elif _mentions_body(accept.success):
        return True
    elif accept.success.holds(view, now=now):
        return False
    else:
        others = [accept.already, accept.again]
    return is_there and any(expression is not None and _mentions_body(expression) for expression in others)


def _mentions_body(expression: Expression) -> bool:
    """Whether it may look at the body: by its name, by a wildcard, or by the whole context. In doubt it does."""
    return _BODY.search(expression.text) is not None


def _unread(response: Response) -> Unknown:
    trouble = response.body.trouble or "is empty"
    if not response.is_whole:
        trouble = "did not come whole, or is longer than is read"
    text = f"The target answered {response.status}, but its body {trouble}; what it means is judged by it."
    return Unknown(
        Cause(
            Reason.BAD_ANSWER,
            text,
            fix="See the attempt's reply. Ask the target whether it has it; then replay it, or cancel it.",
        )
    )


def _reply(accept: Accept, response: Response, view: dict[str, Json], now: datetime, *, already: bool = False) -> Reply:
    keys = tuple((name, value) for name, expression in accept.reply_keys if (value := _key(expression, view, now)))
    body = response.body
    # Who reads it next reads plain JSON, in whatever spelling it came.
    raw = json.encode(body.value) if body.is_read and not body.is_strict else response.raw
    return Reply(response.status, response.headers, raw, body.value, keys, already)


def _key(expression: Expression, view: dict[str, Json], now: datetime) -> str:
    """A key that the answer should name and does not is no failure: the delivery succeeded, and that is kept."""
    try:
        value: Any = expression.evaluate(view, now=now)
    except GiveUp:
        return ""
    if value is MISSING or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    return (text_of(value) if isinstance(value, Decimal) else str(value))[:255]


def _words(accept: Accept, response: Response, view: dict[str, Json], now: datetime) -> str:
    """The target's own code and message for a reason that people read: cut short, on one line, without long numbers.
    From the place that the system declares, else from where most targets put them.
    """
    if accept.refused_message is None:
        return own_words(response.body.value)
    try:
        value: Any = accept.refused_message.evaluate(view, now=now)
    except GiveUp:
        value = MISSING
    named = _text(value)
    if not named:
        return own_words(response.body.value)
    code = _first(response.body.value, _CODES) if isinstance(response.body.value, Mapping) else ""
    return f" ({', '.join(word for word in dict.fromkeys((code, named)) if word)})"


def own_words(body: Json) -> str:
    """` (40001, no stock)` of a body that says such a thing in one of the usual places; "" for any other. Problem
    details (RFC 9457) are one of them.
    """
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, Mapping):
        return ""
    code, message = _first(body, _CODES), _first(body, _MESSAGES)
    for name in _INSIDE:
        inner: Any = body.get(name)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, Mapping):
            code, message = code or _first(inner, _CODES), message or _first(inner, _MESSAGES)
        elif not message:
            message = _text(inner) if name != "status" else ""
    words = [word for word in dict.fromkeys((code, message)) if word]
    return f" ({', '.join(words)})" if words else ""


def _first(body: Mapping[str, Json], names: tuple[str, ...]) -> str:
    return next((word for name in names if (word := _text(body.get(name)))), "")


def _text(value: Any) -> str:
    return plain(str(value)) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""


def plain(text: str) -> str:
    """A stranger's text as a reason may repeat it: no secrets, no long numbers, no control characters, at most
    MAX_WORDS characters.
    """
    text = _LONG_NUMBER.sub(lambda found: f"{found[0][:3]}****{found[0][-4:]}", _SECRET.sub("***", text[:1_000]))
    return "".join(char if char.isprintable() else " " for char in text).strip()[:MAX_WORDS]
