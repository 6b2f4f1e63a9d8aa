"""Keys and sealed texts: the only place that knows the master key.

Imports hub.core only. Secrets at rest are AES-256-GCM, `v1.<kid>.<base64(nonce|sealed)>`, bound to the row that they stand in.
Callers' keys are random, so their hash is SHA-256 with a pepper, not a slow one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_SECRET_FILE = 64 * 1024
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class VaultError(ValueError):
    """A key or a sealed text cannot be used; the text says which, and never shows it."""


class Vault:
    """Seals and hashes under one master key of 32 bytes."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != 32:
            raise VaultError("The master key is 32 bytes in base64; `hub init` makes one.")
        self._sealing = AESGCM(_derived(master_key, b"seal"))
        self._pepper = _derived(master_key, b"pepper")
        self._kid = hashlib.sha256(_derived(master_key, b"kid")).hexdigest()[:8]

    def seal(self, text: str, row: str) -> str:
        """Seals `text`; it opens only under the same `row`, so that a sealed secret cannot be moved to another row."""
        nonce = os.urandom(12)
        sealed = nonce + self._sealing.encrypt(nonce, text.encode(), row.encode())
        return f"v1.{self._kid}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, row: str) -> str:
        """Raises VaultError: sealed under another key, for another row, or altered."""
        version, _, rest = sealed.partition(".")
        kid, _, text = rest.partition(".")
        if version != "v1" or kid != self._kid:
            raise VaultError(f"A secret was sealed under another master key ({kid or 'none'}); this one is {self._kid}. Set HUB_MASTER_KEY to that one.")
        try:
            raw = base64.b64decode(text, validate=True)
            return self._sealing.decrypt(raw[:12], raw[12:], row.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise VaultError("A sealed secret was altered, or stands in another row than its own.") from error

    def hash_key(self, key: str) -> str:
        """The hash under which a caller's key is stored: 64 hexadecimal digits."""
        return hmac.digest(self._pepper, key.encode(), "sha256").hex()


def new_key() -> tuple[str, str]:
    """A caller's key and its secret, both random (192 and 256 bits): shown once, then only hashed and sealed."""
    return f"ak_{secrets.token_hex(24)}", f"whsec_{base64.b64encode(os.urandom(32)).decode()}"


def new_master_key() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(os.urandom(32)).decode()


def read_master_key(text: str) -> bytes:
    """Raises VaultError for what is not 32 bytes in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise VaultError("The master key is 32 bytes in base64; `hub init` makes one.") from error


class Secret(str):
    """A secret that was resolved. Usable as text; printed, formatted with `!r` or logged it shows `***`, so that a careless line gives nothing away."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def resolve(reference: str, environment: Mapping[str, str]) -> Secret:
    """A secret by its reference: `env:NAME` or `file:PATH` (a regular file, readable by its owner alone).

    Raises VaultError; it names a variable or a path, and never repeats what is no reference: that may be the secret itself.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and _VARIABLE.fullmatch(name):
        if not environment.get(name):
            raise VaultError(f"The environment has no {name}; {reference} wants it.")
        return Secret(environment[name])
    if scheme == "file" and name:
        return Secret(_from_file(Path(name)))
    raise VaultError(f"A text of {len(reference)} characters is no reference to a secret; write env:NAME or file:PATH.")


def _from_file(path: Path) -> str:
    try:
        # Opened without blocking: a pipe would wait for ever. Judged by what was opened, not by a name that may be swapped.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise VaultError(f"The secret file {path} cannot be read: {error.strerror}.") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise VaultError(f"The secret file {path} is no regular file.")
    with os.fdopen(handle, "rb") as file:
        if found.st_mode & 0o077:
            raise VaultError(f"The secret file {path} can be read by others; chmod 600 it.")
        if found.st_size > MAX_SECRET_FILE:
            raise VaultError(f"The secret file {path} has {found.st_size} bytes; at most {MAX_SECRET_FILE}.")
        return file.read().decode().strip()


def _derived(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"crossdock " + purpose).derive(master_key)
