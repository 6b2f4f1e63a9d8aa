"""Keys and sealed texts: the only place that knows the master key.

Imports hub.core only. Secrets at rest are AES-256-GCM, `v1.<kid>.<base64(nonce|sealed)>`, bound to the row that they
stand in. Callers' keys are random, so their hash is SHA-256 with a pepper, not a slow one.
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
from typing import IO

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
            raise VaultError("The master key must be 32 bytes in base64. `hub key master` prints a new one.")
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
            raise VaultError(
                f"A secret was encrypted with another master key ({kid or 'none'}). The current key is {self._kid}. Set HUB_MASTER_KEY to the other key."
            )
        try:
            raw = base64.b64decode(text, validate=True)
            return self._sealing.decrypt(raw[:12], raw[12:], row.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise VaultError("An encrypted secret was changed, or was moved to another row.") from error

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
        raise VaultError("The master key must be 32 bytes in base64. `hub key master` prints a new one.") from error


class Secret(str):
    """A secret that was resolved. Usable as text; printed, formatted with `!r` or logged it shows `***`, so that a
    careless line gives nothing away.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def resolve(reference: str, environment: Mapping[str, str]) -> Secret:
    """A secret by its reference: `env:NAME` or `file:PATH` (a regular file that only this process and who runs the
    machine can read; see `exposed`).

    Raises VaultError; it names a variable or a path, and never repeats what is no reference: that may be the secret
    itself.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and _VARIABLE.fullmatch(name):
        if not environment.get(name):
            raise VaultError(f"The environment variable {name} is not set. {reference} needs it.")
        return Secret(environment[name])
    if scheme == "file" and name:
        return Secret(_from_file(Path(name)))
    raise VaultError(
        f"A text of {len(reference)} characters is not a reference to a secret. Write env:NAME or file:PATH."
    )


def public_file(reference: str) -> str:
    """The path of a certificate or of authorities, by `file:PATH`: no secret, of any size, readable by anybody. Raises
    VaultError where it cannot be used.

    Whoever may write it says whom the hub believes: a file that everybody may write is refused.
    """
    scheme, _, name = reference.partition(":")
    if scheme != "file" or not name:
        raise VaultError("A certificate or an authority must be a file. Write file:PATH.")
    with _opened(Path(name), "file") as file:
        if os.fstat(file.fileno()).st_mode & stat.S_IWOTH and not _is_read_only(file.fileno()):
            raise VaultError(f"The file {name} is writable by everybody. Run chmod o-w on it.")
    return name


def _from_file(path: Path) -> str:
    with _opened(path, "secret file") as file:
        found = os.fstat(file.fileno())
        verb = exposed(found.st_mode, is_ours=found.st_uid == os.geteuid(), is_read_only=_is_read_only(file.fileno()))
        if verb:
            raise VaultError(f"The secret file {path} can be {verb} by others. Run chmod 600 on it.")
        if found.st_size > MAX_SECRET_FILE:
            raise VaultError(f"The secret file {path} has {found.st_size} bytes. The maximum is {MAX_SECRET_FILE}.")
        try:
            return file.read().decode().strip()
        except UnicodeDecodeError as error:
            raise VaultError(f"The secret file {path} is not UTF-8 text.") from error


def _opened(path: Path, kind: str) -> IO[bytes]:
    try:
        # Opened without blocking: a pipe would wait for ever. Judged by what was opened, not by a name that may be
        # swapped.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise VaultError(f"The {kind} {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise VaultError(f"The {kind} {path} is not a regular file.")
    return os.fdopen(handle, "rb")


def exposed(mode: int, *, is_ours: bool, is_read_only: bool) -> str:
    """`read` or `written` where a secret's file is left open to others by mistake; empty where it is not.

    Docker mounts secrets as 0444, Kubernetes as 0644 or, with fsGroup, 0440, all of them root's; systemd as 0400 or
    0440. So it is no mistake where the mount is read-only, where nobody at all may write the file, or where another
    user owns it and hands it to our group.
    """
    if is_read_only:
        return ""
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "written"
    is_mounted = not mode & stat.S_IWUSR
    is_by_group = not is_ours and not mode & stat.S_IROTH
    return "read" if mode & 0o077 and not is_mounted and not is_by_group else ""


def _is_read_only(handle: int) -> bool:
    return bool(os.fstatvfs(handle).f_flag & os.ST_RDONLY)


def _derived(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"crossdock " + purpose).derive(master_key)
