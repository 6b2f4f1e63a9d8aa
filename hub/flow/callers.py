"""Who posts, and may it: a caller's key, its signature, the systems it may speak for."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.core.opened import Opened
from hub.kit.proof import verify
from hub.kit.signature import Credentials, read_credentials, verify_default, verify_legacy
from hub.kit.signer import HMAC
from hub.store import KeyRow, Store
from hub.vault import Vault

TEXT = "The key, its signature or its right is not valid."  # one text, whatever was wrong: it tells a guesser nothing
SIGNATURE_SEEN = timedelta(minutes=10)  # a signature in place of an id is remembered for twice its window
REMEMBERED_S = 2.0  # a revoked key dies at most this much later


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was proven. `request_key` names the request: webhook-id (default form), or the signature; empty where nothing does.

    `form` is the key's (default, legacy, hmac, api-key), or the system's own way (oauth2, mtls, declared, none).
    """

    id: str
    name: str
    systems: frozenset[str]
    form: str
    request_key: str
    pins: Mapping[str, int] = field(default_factory=dict)  # message type -> the version of a post that does not say
    keep: timedelta | None = None  # how long the request's name is remembered; None: as long as any key is


class Callers:
    """The keys of the store, remembered for two seconds each, unknown ones too: the store is not asked for every post."""

    def __init__(self, store: Store, vault: Vault, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self.vault = vault
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
        self._prove(row.form, credentials, secret, request, now)
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            raise Refused(Code.UNAUTHENTICATED, TEXT)
        names = {"default": credentials.message_id, "legacy": f"sig:{credentials.legacy_signature}", "hmac": f"sig:{credentials.legacy_signature}"}
        keep = None if row.form == "default" else SIGNATURE_SEEN
        return Caller(row.id, row.name, frozenset(row.systems), row.form, names.get(row.form, ""), row.pins, keep)

    def is_known(self, request: Request) -> bool:
        """Whether the request names a key that exists: enough to start reading its body, not enough to believe it. Raises Refused."""
        return self._row(read_credentials(request).key)[0] is not None

    def _prove(self, form: str, credentials: Credentials, secret: str, request: Request, now: datetime) -> None:
        match form:
            case "hmac":
                verify(HMAC, Opened(request), {"secret": secret}, now=now)
            case "api-key":
                pass  # that it is known is the proof: its hash was compared
            case _:
                self._verify(credentials, form, secret, request.body, now)

    def _verify(self, credentials: Credentials, form: str, secret: str, body: bytes, now: datetime) -> None:
        check = verify_default if form == "default" else verify_legacy
        check(credentials, [secret], body, now=now)

    def _row(self, key: str) -> tuple[KeyRow | None, str]:
        hashed = self.vault.hash_key(key)
        id_ = key_id(hashed)
        at = self._monotonic()
        with self._lock:
            known = self._rows.get(id_)
        if known is None or known[0] < at:
            row = self._store.key(id_)
            if row is not None and not hmac.compare_digest(row.key_hash.encode(), hashed.encode()):
                row = None
            known = (at + REMEMBERED_S, row, self.vault.open(row.secret_sealed, row.id) if row else "")
            with self._lock:
                if len(self._rows) > 10_000:  # guesses are remembered too; they must not fill the memory
                    self._rows.clear()
                self._rows[id_] = known
        return known[1], known[2]


def key_id(hashed: str) -> str:
    """The public name of a key: safe to show, and enough to find its row."""
    return f"k_{hashed[:16]}"
