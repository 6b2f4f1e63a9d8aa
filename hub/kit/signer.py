"""How a call to a system proves who calls: what is put into its headers, its query, its TLS. Secrets are handed in; the
time too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from hub.core.adapter import Parcel
from hub.core.config.scheme import Scheme, Spot, read_scheme
from hub.core.errors import Cause, GiveUp, Reason
from hub.core.message import Request
from hub.kit.http.access_tokens import AccessTokens
from hub.kit.http.call import Tls
from hub.kit.proof import sign
from hub.kit.signature import sign_default, sign_legacy

# `hmac`, said in the six primitives: what most homes write when they write a scheme of their own.
HMAC: Final = read_scheme(
    {
        "alg": "hmac-sha256",
        "encode": "hex",
        "over": "{timestamp}.{body}",
        "at": {"signature": "header:X-Signature", "timestamp": "header:X-Timestamp"},
        "tolerance": timedelta(minutes=5),
    }
)


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A call as it goes out: its address, and what proves it."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    tls: Tls | None = None


class Signer(Protocol):
    def sign(self, parcel: Parcel, method: str, url: str, at: datetime) -> SignedCall:
        """Made for each attempt anew, so that a proof has its own time. Raises TryLater, GiveUp."""

    def refused(self) -> bool:
        """The system answered 401: whether another try may be proven better, because what was shown is thrown away."""


class StaticSigner:
    """What needs nothing but itself: signatures, keys, certificates; or nothing at all."""

    def __init__(self, tls: Tls | None = None) -> None:
        self._tls = tls

    def sign(self, parcel: Parcel, method: str, url: str, at: datetime) -> SignedCall:
        headers, url = self._proof(parcel, method, url, at)
        return SignedCall(url, headers, self._tls)

    def refused(self) -> bool:
        return False

    def _proof(self, parcel: Parcel, method: str, url: str, at: datetime) -> tuple[tuple[tuple[str, str], ...], str]:
        return (), url


class HubSignature(StaticSigner):
    """The hub's own scheme, in either form."""

    def __init__(self, key: str, secret: str, *, legacy: bool, tls: Tls | None = None) -> None:
        super().__init__(tls)
        self._key, self._secret, self._legacy = key, secret, legacy

    def _proof(self, parcel: Parcel, method: str, url: str, at: datetime) -> tuple[tuple[tuple[str, str], ...], str]:
        if self._legacy:
            return sign_legacy(self._key, self._secret, parcel.body, at), url
        return sign_default(self._key, [self._secret], parcel.key, parcel.body, at), url


class ApiKey(StaticSigner):
    """A key, shown as it is: in a header, or in the query where the system knows no better (it then stands in its
    logs).
    """

    def __init__(self, key: str, spot: Spot | None, prefix: str, tls: Tls | None = None) -> None:
        super().__init__(tls)
        self._key, self._spot, self._prefix = key, spot, prefix

    def _proof(self, parcel: Parcel, method: str, url: str, at: datetime) -> tuple[tuple[tuple[str, str], ...], str]:
        if self._spot is None:
            return (("authorization", f"{self._prefix or 'ApiKey '}{self._key}"),), url
        if self._spot.kind == "header":
            return ((self._spot.name, self._prefix + self._key),), url
        return (), _with_query(url, urlencode({self._spot.name: self._prefix + self._key}))


class SchemeSigner(StaticSigner):
    """A scheme of six primitives. `settings`: those that its template names, with `secret` and `key`; `headers` go
    along.
    """

    def __init__(
        self,
        scheme: Scheme,
        settings: Mapping[str, str],
        tls: Tls | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(tls)
        self._scheme, self._settings, self._headers = scheme, settings, headers

    def _proof(self, parcel: Parcel, method: str, url: str, at: datetime) -> tuple[tuple[tuple[str, str], ...], str]:
        parts = urlsplit(url)
        request = Request(method, parts.path, parts.query, (("content-type", "application/json"),), parcel.body)
        # Another value for each attempt, and no randomness: who looks at an attempt later can tell what it was.
        nonce = hashlib.sha256(f"{parcel.key}/{parcel.attempt}/{at.timestamp()}".encode()).hexdigest()[:32]
        try:
            headers, query = sign(
                self._scheme, request, self._settings, now=at, nonce=nonce, message_id=parcel.key, url=url
            )
        except ValueError as error:
            raise GiveUp(
                Cause(
                    Reason.UNEXPECTED,
                    f"The call cannot be signed: {error}",
                    fix="Mend auth: outbound, or write an adapter.py.",
                )
            ) from error
        return (*self._headers, *headers), urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


class OAuth2:
    """An access token by client credentials (RFC 6749 section 4.4), had once and shown until it ends or is refused."""

    def __init__(self, tokens: AccessTokens, tls: Tls | None = None) -> None:
        self._tokens, self._tls = tokens, tls

    def sign(self, parcel: Parcel, method: str, url: str, at: datetime) -> SignedCall:
        return SignedCall(url, (("authorization", f"Bearer {self._tokens.token(at)}"),), self._tls)

    def refused(self) -> bool:
        self._tokens.forget()
        return True


def _with_query(url: str, query: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"
