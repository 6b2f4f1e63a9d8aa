"""Access tokens of foreign authorities: had by client credentials, kept until shortly before they end (RFC 6749
sections 4.4 and 5).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode

from hub.core.config.target_answers import read
from hub.core.errors import Cause, GiveUp, Reason, TryLater
from hub.core.message import Json
from hub.core.model.retry import retry_after
from hub.kit.http.call import Call, HttpResult, Tls
from hub.kit.http.sender import Sender

DEADLINE_S = 5.0
USUAL = timedelta(minutes=5)  # where the authority does not say how long a token is good
EARLY = timedelta(seconds=30)  # it is renewed so long before its end: it still travels, and clocks differ
AFTER_FAULT = timedelta(seconds=1)  # so long nobody asks again: a lane of thousands would ask thousands of times


class AccessTokens:
    """The token of one system. Safe in every thread; one asks, the others wait for what it gets."""

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: str,
        *,
        scope: str = "",
        audience: str = "",
        sender: Callable[[], Sender],
        tls: Tls | None = None,
    ) -> None:
        self._url, self._client_id, self._secret = url, client_id, secret
        self._scope, self._audience, self._sender, self._tls = scope, audience, sender, tls
        self._lock = threading.Lock()
        self._token = ""
        self._until: datetime | None = None
        self._failed: tuple[datetime, TryLater | GiveUp] | None = None

    def token(self, now: datetime) -> str:
        """A token that is good now. Raises TryLater, or GiveUp where the authority knows us and says no."""
        with self._lock:
            if self._token and self._until is not None and now < self._until - EARLY:
                return self._token
            if self._failed is not None and now < self._failed[0] + AFTER_FAULT:
                raise self._failed[1]
            try:
                self._token, self._until = self._asked(now)
            except (TryLater, GiveUp) as error:
                self._failed = (now, error)
                raise
            self._failed = None
            return self._token

    def forget(self) -> None:
        """The token was refused before its time: the next call gets another."""
        with self._lock:
            self._token, self._until = "", None

    def _asked(self, now: datetime) -> tuple[str, datetime]:
        form = {"grant_type": "client_credentials", "scope": self._scope, "audience": self._audience}
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        # Each half is form-encoded before they are joined (RFC 6749 section 2.3.1): a colon in the id would cut it
        # otherwise.
        basic = base64.b64encode(f"{quote(self._client_id, safe='')}:{quote(self._secret, safe='')}".encode()).decode()
        headers = (
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", f"Basic {basic}"),
            ("accept", "application/json"),
        )
        [done] = self._sender().send([Call("POST", self._url, headers, body, DEADLINE_S, tls=self._tls)], 1)
        if done.kind != "ok" or (done.status or 0) >= 500 or done.status in (408, 425, 429):
            said = done.error or f"it answered {done.status}"
            why = Cause(
                Reason.UNREACHABLE,
                f"No access token was to be had from {self._host}: {said}.",
                fix="Check auth: outbound, and the authority.",
            )
            raise TryLater(why, retry_after(done.header("retry-after"), now))
        answer = _answer(done)
        token = answer.get("access_token")
        if (
            done.status != 200
            or not isinstance(token, str)
            or not token
            or not token.isascii()
            or not token.isprintable()
        ):
            # `error` is a word of RFC 6749 section 5.2, such as invalid_client; its description may quote what we sent.
            error = str(answer.get("error", "no access_token"))[:64]
            raise TryLater(
                Cause(
                    Reason.UNREACHABLE,
                    f"{self._host} gave no access token ({done.status}, {error}).",
                    fix="Check the client's id, secret and scope.",
                )
            )
        seconds = answer.get("expires_in")
        is_number = isinstance(seconds, int | Decimal) and not isinstance(seconds, bool) and 0 < seconds <= 31_536_000
        return token, now + (timedelta(seconds=float(str(seconds))) if is_number else USUAL)

    @property
    def _host(self) -> str:
        return self._url.split("/")[2].rpartition("@")[2]


def _answer(done: HttpResult) -> dict[str, Json]:
    found = read(done.body, done.header("content-type") or "").value
    return found if isinstance(found, dict) else {}
