"""`auth:` of a system.yaml: how a system's posts are proven, and how calls to it are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.catalog.files import hooks
from hub.catalog.files.hooks import SCHEME
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.leaves import Text, Word
from hub.catalog.yaml.shape import Either, Key, ListOf, Record
from hub.catalog.yaml.yaml_documents import Document, Path
from hub.core.config.scheme import Scheme, read_spot
from hub.core.config.system import Inbound, Outbound, Setting

REFERENCE = r"env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:[^\s\x00-\x1f]{1,300}"
DECLARED = "declared"
_REFERENCE = Text(want="a reference such as env:WMS_SECRET or file:/run/secrets/wms", pattern=REFERENCE, private=True)
_FILE = Text(want="a file such as file:/run/secrets/wms.pem", pattern=r"file:[^\s\x00-\x1f]{1,300}", private=True)
_URL = Text(
    want="an address such as https://id.example/token", pattern=r"https?://[^\s\\#\x00-\x1f]{1,400}", longest=500
)
_WORDS = ("hub-signature", "hmac", "api-key", "oauth2", "mtls", "none")
_SCHEME = Either(Word(_WORDS), SCHEME)
_FORM = Word(("default", "legacy"))
_INBOUND = Record(
    {
        "scheme": Key(
            _SCHEME, "hub-signature, hmac, api-key, oauth2, mtls, none, or a scheme of six primitives", required=True
        ),
        "form": Key(_FORM, "of hub-signature"),
        "issuer": Key(_URL, "of oauth2: who signs the access tokens"),
        "audience": Key(Text(longest=400), "of oauth2: whom they must be for"),
        "jwks": Key(
            Text(want="https://… or file:…", pattern=r"https?://[^\s\\#\x00-\x1f]{1,400}|file:[^\s\x00-\x1f]{1,300}"),
            "of oauth2: the issuer's keys",
        ),
        "scope": Key(Text(want="a scope", pattern=r"[!-~]{1,200}"), "of oauth2: what a token must be good for"),
        "certificates": Key(
            ListOf(Text(want="the SHA-256 of a certificate, 64 hexadecimal digits", pattern=r"[0-9a-fA-F:]{64,95}")),
            "of mtls: whose certificates are taken",
        ),
        "peers": Key(
            ListOf(Text(want="an address range such as 203.0.113.0/24", pattern=r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")),
            "its posts may come from there only",
        ),
    },
    what="inbound",
)
_OUTBOUND = Record(
    {
        "scheme": Key(
            _SCHEME, "hub-signature, hmac, api-key, oauth2, mtls, none, or a scheme of six primitives", required=True
        ),
        "form": Key(_FORM, "of hub-signature"),
        "key": Key(
            _REFERENCE, "a reference, such as env:WMS_KEY; of oauth2 the client's id, of mtls the private key's file"
        ),
        "secret": Key(_REFERENCE, "a reference, such as env:WMS_SECRET"),
        "at": Key(
            Text(want="a place such as header:X-API-Key", pattern=r"(header|query):[^\s{}#]{1,200}"),
            "of api-key: where it is put",
        ),
        "prefix": Key(
            Text(want='a text such as "Bearer "', pattern=r"[ -~]{1,40}"), "of api-key: what stands before it"
        ),
        "token_url": Key(_URL, "of oauth2: where access tokens are had (client credentials)"),
        "scope": Key(Text(want="scopes, parted by blanks", pattern=r"[ -~]{1,400}"), "of oauth2"),
        "audience": Key(Text(longest=400), "of oauth2"),
        "certificate": Key(_FILE, "of mtls: our certificate"),
        "ca": Key(_FILE, "the authority that the system's own certificate is judged by; default: the usual ones"),
    },
    what="outbound",
)
SHAPE = Record(
    {
        "inbound": Key(_INBOUND, "how its posts are proven; default: hub-signature"),
        "outbound": Key(_OUTBOUND, "how calls to it are proven; default: none"),
    },
    what="auth",
)
_NEEDS = {
    "inbound": {"oauth2": ("issuer", "audience", "jwks"), "mtls": ("certificates",), "none": ("peers",)},
    "outbound": {
        "hub-signature": ("key", "secret"),
        "hmac": ("secret",),
        "api-key": ("key",),
        "oauth2": ("token_url", "key", "secret"),
        "mtls": ("certificate", "key"),
    },
}
_FIX = {
    "peers": "[203.0.113.0/24]",
    "issuer": "https://id.example",
    "token_url": "https://id.example/token",
    "jwks": "https://id.example/jwks.json",
}


def inbound(row: dict[str, Any], settings: Mapping[str, Setting], document: Document, findings: Findings) -> Inbound:
    at: Path = ("auth", "inbound")
    word, declared = _read(row, at, document, findings, default="hub-signature")
    if row.get("form") == "legacy":
        text = "the legacy form has no HMAC, no id, and nothing between its parts"
        findings.add(
            document.file,
            document.place((*at, "form")),
            Check.WEAK_PROOF,
            text,
            "give out keys of the default form, and take it out",
        )
    if declared is not None:
        hooks.demand(declared.settings, settings, document, at, findings)
        if not declared.has_body:
            text = "the scheme leaves the body out of what is signed: whoever saw one post could send any other"
            findings.add(
                document.file, document.place((*at, "scheme")), Check.OUT_OF_RANGE, text, "put {body} into over"
            )
    return Inbound(
        word,
        row.get("form") or "default",
        declared,
        row.get("issuer") or "",
        row.get("audience") or "",
        row.get("jwks") or "",
        row.get("scope") or "",
        tuple(_fingerprints(row.get("certificates") or (), document, findings)),
        tuple(hooks.peers(row.get("peers") or (), (*at, "peers"), document, findings)),
    )


def outbound(row: dict[str, Any], settings: Mapping[str, Setting], document: Document, findings: Findings) -> Outbound:
    at: Path = ("auth", "outbound")
    word, declared = _read(row, at, document, findings, default="none")
    if declared is not None:
        for role, spot in declared.places.items():
            if spot.kind in ("form", "json") and (role == "signature" or declared.tolerance is not None):
                text = f"{spot} is in the body, which is the message itself"
                findings.add(
                    document.file,
                    document.place((*at, "scheme")),
                    Check.OUT_OF_RANGE,
                    text,
                    "put it into a header or the query, or write an adapter.py",
                )
        if declared.needs_secret and not row.get("secret"):
            findings.add(
                document.file,
                document.place(at),
                Check.MISSING_KEY,
                "outbound has no secret",
                "add secret: env:NAME_OF_A_VARIABLE",
            )
        hooks.demand(declared.words - {"secret", "key"}, settings, document, at, findings)
    put = read_spot(row["at"]) if row.get("at") else None
    given = {
        name: row.get(name) or ""
        for name in ("key", "secret", "prefix", "token_url", "scope", "audience", "certificate", "ca")
    }
    return Outbound(word, row.get("form") or "default", declared=declared, at=put, **given)


def _read(
    row: dict[str, Any], at: Path, document: Document, findings: Findings, *, default: str
) -> tuple[str, Scheme | None]:
    """The scheme's word, and the scheme itself where it is written out."""
    given = row.get("scheme") or default
    if isinstance(given, dict):
        return DECLARED, hooks.scheme(given, document, (*at, "scheme"), findings)
    for name in _NEEDS[str(at[1])].get(given, ()):
        if name not in row and row:
            fix = f"add {name}: " + _FIX.get(name, "env:NAME_OF_A_VARIABLE" if name in ("key", "secret") else "…")
            findings.add(document.file, document.place(at), Check.MISSING_KEY, f"{at[1]} has no {name}", fix)
    return given, None


def _fingerprints(texts: Any, document: Document, findings: Findings) -> list[str]:
    found: list[str] = []
    for index, text in enumerate(texts):
        digits = (text or "").replace(":", "").lower()
        if len(digits) == 64:
            found.append(digits)
        elif text:
            place = document.place(("auth", "inbound", "certificates", index))
            findings.add(
                document.file,
                place,
                Check.OUT_OF_RANGE,
                "this is no SHA-256 of a certificate",
                "openssl x509 -noout -fingerprint -sha256 -in their.pem",
            )
    return found
