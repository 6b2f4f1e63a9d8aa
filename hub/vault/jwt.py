"""Access tokens that come in: JWTs of foreign authorities (RFC 9068), proven by the keys that these publish (RFC 7517).

The keys are fetched beside the requests, never by one: who sends a token with a made-up key id makes nobody wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hub.core.config.target_answers import read
from hub.kit.http.call import Call
from hub.kit.http.sender import Sender
from hub.logs import event

# Named one by one: `none`, and a public key taken for a shared secret, are the oldest holes in this wall.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 60
FRESH_S = 600.0  # keys are fetched again after so long
AGAIN_S = 60.0  # an unknown key id, or a failed fetch, asks again at most so often
MAX_TOKEN = 8_192
DEADLINE_S = 5.0


class BadToken(ValueError):
    """The token proves nothing. What is wrong is for the log; its sender hears the one text."""


class NoKeys(ValueError):
    """The keys of the authority were not to be had yet: nobody can say whether the token is good."""


class Authorities:
    """The published keys of all authorities that systems name, by where they are."""

    def __init__(self, sender: Callable[[], Sender], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sender = sender
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, KeySet] = {}
        self._tried: dict[str, float] = {}  # when each was last fetched, or tried
        self._wanted: set[str] = set()  # sooner than usual: a key id is not known, or nothing is there
        self._thread: threading.Thread | None = None

    def claims(self, token: str, *, jwks: str, issuer: str, audience: str, now: datetime) -> dict[str, Any]:
        """The claims of a token that is proven, for us, and in its time. Raises BadToken, NoKeys."""
        if len(token) > MAX_TOKEN:
            raise BadToken(f"it has {len(token)} characters")
        with self._lock:
            keys = self._keys.get(jwks)
        if keys is None:
            self._want(jwks)
            raise NoKeys(f"the keys at {jwks} are not here yet")
        try:
            found = jwt.decode(token, keys, algorithms=[*ALGORITHMS])
            registry = jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": issuer},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
            )
            registry.validate(found.claims)
        except (JoseError, ValueError) as error:
            if "kid" in str(error).lower() or "key" in type(error).__name__.lower():
                self._want(jwks)  # its authority may have changed keys
            raise BadToken(type(error).__name__) from error
        return found.claims

    def look(self, places: set[str]) -> None:
        """Fetches what is due of `places`, in a thread of its own; called by the tick. A fetch that fails leaves the
        keys that were there.
        """
        with self._lock:
            due = {where for where in places if self._is_due(where)}
            if not due or (self._thread is not None and self._thread.is_alive()):
                return
            self._wanted -= due
            self._tried |= dict.fromkeys(due, self._monotonic())
            self._thread = threading.Thread(target=self._fetch, args=(sorted(due),), name="keys", daemon=True)
            self._thread.start()

    def _is_due(self, where: str) -> bool:
        tried = self._tried.get(where)
        soon = where in self._wanted or where not in self._keys
        return tried is None or self._monotonic() - tried >= (AGAIN_S if soon else FRESH_S)

    def _fetch(self, due: list[str]) -> None:
        for where in due:
            try:
                keys = KeySet.import_key_set(_read(where, self._sender))
            except (OSError, ValueError, JoseError, KeyError, TypeError) as error:
                event("keys.unread", f"{where}: {error}", level="warning")
                continue
            with self._lock:
                self._keys[where] = keys

    def _want(self, where: str) -> None:
        with self._lock:
            self._wanted.add(where)


def _read(where: str, sender: Callable[[], Sender]) -> Any:
    if where.startswith("file:"):
        raw = Path(where.removeprefix("file:")).read_bytes()
    else:
        line = sender()
        [done] = line.send([Call("GET", where, (("accept", "application/json"),), b"", DEADLINE_S)], 1)
        line.close()
        if done.kind != "ok" or done.status != 200:
            raise ValueError(done.error or f"it answered {done.status}")
        raw = done.body
    found = read(raw).value
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("it is no JWKS: an object with keys")  # noqa: TRY004  a text that is not what was asked for
    return found
