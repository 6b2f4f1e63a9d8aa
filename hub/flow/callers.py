"""Who posts, and may it: a caller's key, its signature, the systems it may speak for."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.kit.signature import Credentials, read_credentials, verify_default, verify_legacy
from hub.store import KeyRow, Store
from hub.vault import Vault

TEXT = "The key, its signature or its right is not valid."  # one text, whatever was wrong: it tells a guesser nothing
REMEMBERED_S = 2.0  # a revoked key dies at most this much later


@dataclass(frozen=True, slots=True)
class Caller:
    """A key that was proven. `request_key` names the request: webhook-id (default form) or the signature (legacy form)."""

    id: str
    name: str
    systems: frozenset[str]
    form: str
    request_key: str
    pins: Mapping[str, int] = field(default_factory=dict)  # message type -> the version of a post that does not say


class Callers:
    """The keys of the store, remembered for two seconds each, unknown ones too: the store is not asked for every post."""

    def __init__(self, store: Store, vault: Vault, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._vault = vault
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[float, KeyRow | None, str]] = {}

    def authenticate(self, request: Request, *, now: datetime) -> Caller:
        """Proves the request's key and signature. Raises Refused: 401 with one text, or 400 where the request itself is malformed."""
        credentials = read_credentials(request)
        row, secret = self._row(credentials.key)
        if row is None:
            # A request under an unknown key costs what a wrong signature costs: the work below is done with a made-up secret.
            self._verify(credentials, "default", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", request.body, now)
            raise Refused(Code.UNAUTHENTICATED, TEXT)
        self._verify(credentials, row.form, secret, request.body, now)
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            raise Refused(Code.UNAUTHENTICATED, TEXT)
        request_key = credentials.message_id if row.form == "default" else f"sig:{credentials.legacy_signature}"
        return Caller(row.id, row.name, frozenset(row.systems), row.form, request_key, row.pins)

    def is_known(self, request: Request) -> bool:
        """Whether the request names a key that exists: enough to start reading its body, not enough to believe it. Raises Refused."""
        return self._row(read_credentials(request).key)[0] is not None

    def _verify(self, credentials: Credentials, form: str, secret: str, body: bytes, now: datetime) -> None:
        verify = verify_default if form == "default" else verify_legacy
        verify(credentials, [secret], body, now=now)

    def _row(self, key: str) -> tuple[KeyRow | None, str]:
        hashed = self._vault.hash_key(key)
        id_ = key_id(hashed)
        at = self._monotonic()
        with self._lock:
            known = self._rows.get(id_)
        if known is None or known[0] < at:
            row = self._store.key(id_)
            if row is not None and not hmac.compare_digest(row.key_hash.encode(), hashed.encode()):
                row = None
            known = (at + REMEMBERED_S, row, self._vault.open(row.secret_sealed, row.id) if row else "")
            with self._lock:
                if len(self._rows) > 10_000:  # guesses are remembered too; they must not fill the memory
                    self._rows.clear()
                self._rows[id_] = known
        return known[1], known[2]


def key_id(hashed: str) -> str:
    """The public name of a key: safe to show, and enough to find its row."""
    return f"k_{hashed[:16]}"
