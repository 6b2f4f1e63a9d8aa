"""Authenticates callers by key and signature, with a two-second cache of the keys."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.config.parsed_request import ParsedRequest
from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.kit.proof import verify
from hub.kit.signature import (
    SECONDS_DIGITS,
    UNPROVEN,
    Credentials,
    check_claims,
    read_credentials,
    shortcomings,
    verify_default,
    verify_legacy,
)
from hub.kit.signer import HMAC
from hub.store import KeyRow, Store
from hub.vault import Vault

API_KEY = "api-key"
# a dummy secret for unknown keys, so that they take the same time
MADE_UP = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
SIGNATURE_SEEN = timedelta(minutes=10)  # a signature that serves as dedupe key is kept for twice its time window
REMEMBERED_S = 2.0  # cache TTL: a revoked key is refused at most this much later


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `request_key` is the request's dedupe key: webhook-id (default form), or the signature;
    empty if there is none.

    `form` is the key's (default, legacy, hmac, api-key), or the system's scheme (oauth2, mtls, declared, none).
    """

    id: str
    name: str
    systems: frozenset[str]
    form: str
    request_key: str
    pins: Mapping[str, int] = field(default_factory=dict)  # by message type: the version of posts that name none
    keep: timedelta | None = None  # retention of the request's dedupe key; None: the hub's setting


class Callers:
    """Caches the store's keys for two seconds each, unknown keys too, so that not every post asks the store."""

    def __init__(self, store: Store, vault: Vault, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self.vault = vault
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[float, KeyRow | None, str]] = {}

    def authenticate(self, request: Request, *, now: datetime) -> Caller:
        """Verifies the request's key and signature. Raises Refused: 401 with one text, or 400 if the request itself is
        malformed.

        The details of a 401 say which headers are missing, and nothing else. Neither the text nor the response time
        reveals what is wrong.
        """
        credentials = read_credentials(request)
        check_claims(credentials, now=now)
        row, secret = self._row(credentials.key)
        if not self._is_proven(row, credentials, secret, request, now) or row is None:
            raise Refused(Code.UNAUTHENTICATED, UNPROVEN, shortcomings(request))
        names = {
            "default": credentials.message_id,
            "legacy": f"sig:{credentials.legacy_signature}",
            "hmac": f"sig:{credentials.legacy_signature}",
        }
        keep = None if row.form == "default" else SIGNATURE_SEEN
        return Caller(row.id, row.name, frozenset(row.systems), row.form, names.get(row.form, ""), row.pins, keep)

    def is_known(self, request: Request) -> bool:
        """Whether the request names an existing key: enough to start reading its body, not enough to trust it. Raises
        Refused.
        """
        return self._row(read_credentials(request).key)[0] is not None

    def _is_proven(
        self, row: KeyRow | None, credentials: Credentials, secret: str, request: Request, now: datetime
    ) -> bool:
        """Verifies the signature in constant time per set of headers: an unknown or expired key takes as long as a
        wrong signature.
        """
        is_alive = row is not None and row.revoked_at is None and (row.expires_at is None or row.expires_at > now)
        if row is not None and row.form == API_KEY and is_alive:
            return True  # an API key is proven by its hash, which was compared
        in_seconds = len(credentials.legacy_timestamp) == SECONDS_DIGITS
        shown = "default" if credentials.signature else "hmac" if in_seconds else "legacy"
        is_there = {
            "default": bool(credentials.signature),
            "hmac": bool(credentials.legacy_signature),
            "legacy": bool(credentials.legacy_signature) and not in_seconds,
        }
        is_shown = row is not None and is_there.get(row.form, False)
        form, proof = (row.form, secret) if row is not None and is_shown else (shown, MADE_UP)
        return _is_signed(form, credentials, proof, request, now) and is_shown and is_alive

    def _row(self, key: str) -> tuple[KeyRow | None, str]:
        hashed = self.vault.hash_key(key)
        id_ = key_id(hashed)
        at = self._monotonic()
        with self._lock:
            cached = self._rows.get(id_)
        if cached is None or cached[0] < at:
            row = self._store.key(id_)
            if row is not None and not hmac.compare_digest(row.key_hash.encode(), hashed.encode()):
                row = None
            cached = (at + REMEMBERED_S, row, self.vault.open(row.secret_sealed, row.id) if row else "")
            with self._lock:
                if len(self._rows) > 10_000:  # guessed keys are cached too; they must not fill the memory
                    self._rows.clear()
                self._rows[id_] = cached
        return cached[1], cached[2]


def _is_signed(form: str, credentials: Credentials, secret: str, request: Request, now: datetime) -> bool:
    try:
        match form:
            case "hmac":
                verify(HMAC, ParsedRequest(request), {"secret": secret}, now=now)
            case "default":
                verify_default(credentials, [secret], request.body, now=now)
            case _:
                verify_legacy(credentials, [secret], request.body, now=now)
    except Refused:
        return False
    return True


def key_id(hashed: str) -> str:
    """The public id of a key: safe to show, and enough to find its row."""
    return f"k_{hashed[:16]}"
