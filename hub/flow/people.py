"""People: who may sign in, signing in and out, and who is signed in. One answer for all that is wrong, after the same work."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.logs import event
from hub.store import Act, Session, Store, User
from hub.store.people_tables import ROLES
from hub.vault.passwords import fits, hash_password, is_outdated

VIEWER, OPERATOR = ROLES


class _Change(TypedDict, total=False):
    role: str
    is_disabled: bool


NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}", re.ASCII)
IDLE = timedelta(minutes=30)  # without a request: signed out
LONGEST = timedelta(hours=12)  # signed out then, however busy
WRONG = "The name or the password is wrong, or this account is closed."

OWN = "Nobody does this to their own account: the last operator would be shut out."
CHANGES: Mapping[str, _Change] = {
    "disable": {"is_disabled": True},
    "enable": {"is_disabled": False},
    OPERATOR: {"role": OPERATOR},
    VIEWER: {"role": VIEWER},
}

WINDOW = timedelta(minutes=5)
KNOWN = timedelta(days=30)  # so long an address that a name has signed in from counts as its own
MOST_PAIR, MOST_ADDRESS, MOST_NAME = 5, 30, 30  # failures in a window, before the password is not even looked at


class TooMany(Refused):
    """Too many failures from this address, or for this name from addresses that it never signed in from."""

    def __init__(self) -> None:
        seconds = int(WINDOW.total_seconds())
        super().__init__(Code.TOO_MANY_REQUESTS, "Too many tries; wait five minutes, and try again.", headers=[("retry-after", str(seconds))])


def add(store: Store, name: str, password: str, role: str, *, by: str) -> None:
    """A new account. Raises ValueError: a name that cannot be one, one that is taken, a password that is too short."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no user name: small letters, digits and . _ @ - , at most 63, beginning with a letter or digit.")
    if role not in ROLES:
        raise ValueError(f"{role!r} is none of {', '.join(ROLES)}.")
    store.add_user(name, hash_password(password), role, by=by)
    event("user.added", f"{role}", user=name, by=by)


def change(store: Store, name: str, what: str, *, by: str) -> None:
    """Shuts an account out, lets it in again, or gives it another role: a word of CHANGES. Whoever is signed in under it is signed in no more.

    Raises Refused: one's own account (403; the last operator would be shut out), no such account (404).
    """
    if name == by:
        raise Refused(Code.FORBIDDEN, OWN)
    if not store.change_user(name, by=by, **CHANGES[what]):
        raise Refused(Code.NOT_FOUND, "There is no such account.")


def change_password(store: Store, name: str, password: str, *, by: str) -> bool:
    """A new password; all that this person is signed in with ends. False: no such user. Raises ValueError for one that is too short."""
    return store.change_user(name, by=by, password_hash=hash_password(password))


def sign_in(store: Store, name: str, password: str, *, address: str) -> str:
    """Signs somebody in: gives the token of a new session, which is nowhere else as it stands here.

    Raises Refused: 401 with one text, or 429. A name that nobody has costs what a wrong password costs. Many failures shut out the
    address that they come from; a name is shut only to addresses that it never signed in from, so that strangers lock nobody out.
    """
    # What is no name is not looked up, and not kept: somebody may have typed the password here.
    is_name = NAME.fullmatch(name) is not None
    user = store.user(name) if is_name else None
    pair, of_address, of_name = f"pair {address} {name if is_name else ''}", f"address {address}", f"name {name if is_name else ''}"
    scopes = [pair, of_address, of_name]
    known = store.tries(scopes, WINDOW)
    is_known = (at := known[pair].succeeded_at) is not None and at > store.now() - KNOWN
    if known[pair].failed >= MOST_PAIR or known[of_address].failed >= MOST_ADDRESS or (known[of_name].failed >= MOST_NAME and not is_known):
        raise TooMany
    good = fits(password, user.password_hash if user is not None else None)
    token = secrets.token_urlsafe(32)
    if good and user is not None and store.open_session(name, hash_of(token), LONGEST, address=address):
        if is_outdated(user.password_hash):
            store.renew_hash(name, user.password_hash, hash_password(password))
        if known[pair].failed or not is_known:
            store.note_success(pair)
        event("user.signed_in", "a new session", user=name, address=address)
        return token
    # On record once a window, and once more where it becomes too many: a thousand a second must not fill the record.
    failed = known[pair].failed + 1
    is_told = failed in (1, MOST_PAIR) and known[of_address].failed < MOST_ADDRESS
    store.note_failure(scopes, WINDOW, name=user.name if user is not None else "", address=address, is_told=is_told)
    event("user.sign_in_failed", f"{failed} from there of late", level="warning", address=address)
    raise Refused(Code.UNAUTHENTICATED, WRONG, headers=[("www-authenticate", "Form")])


def sign_out(store: Store, token: str) -> None:
    store.close_session(hash_of(token))


def signed_in(store: Store, token: str) -> Session | None:
    """Whose token this is; None where nobody's, or no longer."""
    return store.session(hash_of(token), IDLE) if 20 <= len(token) <= 100 else None


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def csrf_of(token: str) -> str:
    """What every change must show beside the cookie: a page of another origin cannot know it."""
    return hashlib.sha256(b"csrf " + token.encode("utf-8", "replace")).hexdigest()


def is_csrf(token: str, given: str) -> bool:
    return hmac.compare_digest(csrf_of(token).encode(), given.encode("utf-8", "replace"))


def as_json(user: User) -> dict[str, Json]:
    """An account as operators see it: without the hash."""
    return {
        "name": user.name,
        "role": user.role,
        "createdAt": user.created_at.isoformat(),
        "changedAt": user.changed_at.isoformat(),
        "disabledAt": user.disabled_at.isoformat() if user.disabled_at is not None else None,
    }


def act_json(act: Act) -> dict[str, Json]:
    """A record of the chain."""
    return {
        "sequence": act.sequence,
        "at": act.at.isoformat(),
        "by": act.by,
        "what": act.what,
        "object": act.object,
        "details": dict(act.details),
        "before": act.before,
        "hash": act.hash,
    }
