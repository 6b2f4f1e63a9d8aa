"""Passwords of people: argon2id, at its library's cost (some 64 MiB and a tenth of a second), so that a stolen hash is
dear to guess.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200  # characters: what is longer only costs us time
_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """Raises ValueError, which says what is wrong with it and never shows it."""
    text = _normal(password)
    if len(text) < SHORTEST:
        raise ValueError(
            f"A password must have at least {SHORTEST} characters. This one has {len(text)}. A good password has several words."
        )
    if not is_sound(text):
        raise ValueError(f"A password must have at most {LONGEST} characters, and no control characters.")
    return _HASHER.hash(text)


def fits(password: str, hashed: str | None) -> bool:
    """Whether the password is the one that was hashed. `None`, a name that nobody has, costs what a wrong password
    costs.
    """
    text = _normal(password[: LONGEST + 1])
    if not is_sound(text):
        text, hashed = "", None
    try:
        return _HASHER.verify(hashed or _nobody(), text) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hashed: str) -> bool:
    """Whether it was made at another cost than today's: the next good sign-in makes it anew."""
    return _HASHER.check_needs_rehash(hashed)


def is_sound(text: str) -> bool:
    return len(text) <= LONGEST and all(unicodedata.category(char)[0] != "C" for char in text)


def _normal(password: str) -> str:
    # Keyboards make the same letter in several ways; RFC 8265 compares them in this form.
    return unicodedata.normalize("NFC", password)


@cache
def _nobody() -> str:
    return _HASHER.hash("a password that nobody has")
