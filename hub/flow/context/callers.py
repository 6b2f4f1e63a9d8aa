"""Who posts, and may it: a caller's key, its signature, the systems it may speak for."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.config.parsed_request import Opened
from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.kit.signing.proof import verify
from hub.kit.signing.signature import SECONDS_DIGITS, UNPROVEN, Credentials, check_claims, read_credentials, shortcomings, verify_default, verify_legacy
from hub.kit.signing.signer import HMAC
from hub.store import KeyRow, Store
from hub.vault import Vault

API_KEY = "api-key"
MADE_UP = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="  # for the work that is done where there is no key
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
        """Proves the request's key and signature. Raises Refused: 401 with one text, or 400 where the request itself is malformed.

        The details of a 401 say what the headers lack, by the headers alone. Nothing says what is wrong, nor by how long it takes.
        """
        credentials = read_credentials(request)
        check_claims(credentials, now=now)
        row, secret = self._row(credentials.key)
        if not self._is_proven(row, credentials, secret, request, now) or row is None:
            raise Refused(Code.UNAUTHENTICATED, UNPROVEN, shortcomings(request))
        names = {"default": credentials.message_id, "legacy": f"sig:{credentials.legacy_signature}", "hmac": f"sig:{credentials.legacy_signature}"}
        keep = None if row.form == "default" else SIGNATURE_SEEN
        return Caller(row.id, row.name, frozenset(row.systems), row.form, names.get(row.form, ""), row.pins, keep)

    def is_known(self, request: Request) -> bool:
        """Whether the request names a key that exists: enough to start reading its body, not enough to believe it. Raises Refused."""
        return self._row(read_credentials(request).key)[0] is not None

    def _is_proven(self, row: KeyRow | None, credentials: Credentials, secret: str, request: Request, now: datetime) -> bool:
        """The same work for each request that fails, by the headers that it brings: an unknown key, and one that is over, cost what a wrong signature costs."""
        is_alive = row is not None and row.revoked_at is None and (row.expires_at is None or row.expires_at > now)
        if row is not None and row.form == API_KEY and is_alive:
            return True  # that it is known is the proof: its hash was compared
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


def _is_signed(form: str, credentials: Credentials, secret: str, request: Request, now: datetime) -> bool:
    try:
        match form:
            case "hmac":
                verify(HMAC, Opened(request), {"secret": secret}, now=now)
            case "default":
                verify_default(credentials, [secret], request.body, now=now)
            case _:
                verify_legacy(credentials, [secret], request.body, now=now)
    except Refused:
        return False
    return True


def key_id(hashed: str) -> str:
    """The public name of a key: safe to show, and enough to find its row."""
    return f"k_{hashed[:16]}"
