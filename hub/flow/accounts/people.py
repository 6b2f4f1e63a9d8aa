"""User accounts and sessions: sign-in with rate limits, sign-out, roles. Every failure has the same answer and takes
the same time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from hub.core.errors import Code, Refused
from hub.flow.answers import administration as answers
from hub.flow.answers.fields import fill
from hub.flow.context.work_places import Places
from hub.logs import event
from hub.store import Act, Session, Store, User
from hub.store.engine.people_tables import ROLES
from hub.vault.passwords import fits, hash_password, is_outdated

VIEWER, OPERATOR = ROLES


class _Change(TypedDict, total=False):
    role: str
    is_disabled: bool


NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}", re.ASCII)
IDLE = timedelta(minutes=30)  # idle timeout of a session
LONGEST = timedelta(hours=12)  # maximum lifetime of a session
WRONG = "The name or the password is wrong, or this account is closed."

OWN = "Nobody does this to their own account: the last operator would be shut out."
CHANGES: Mapping[str, _Change] = {
    "disable": {"is_disabled": True},
    "enable": {"is_disabled": False},
    OPERATOR: {"role": OPERATOR},
    VIEWER: {"role": VIEWER},
}

WINDOW = timedelta(minutes=5)
KNOWN = timedelta(days=30)  # how long a browser or address counts as known for a name after a sign-in
MOST_PAIR, MOST_NAME = 5, 30  # failed attempts per window after which the password is not checked any more
MOST_TOLD = 30  # recorded failures per address and window for unknown names
# a password hash takes 0.1 s, 64 MiB and a thread that also serves pages
PLACES = Places(strangers=2, known=1, waiting=2, patience_s=5.0)


class TooMany(Refused):
    """Too many failed sign-ins from this browser or address, or for this name from unknown places."""

    def __init__(self) -> None:
        seconds = int(WINDOW.total_seconds())
        super().__init__(
            Code.TOO_MANY_REQUESTS,
            "Too many tries; wait five minutes, and try again.",
            headers=[("retry-after", str(seconds))],
        )


class Busy(Refused):
    """All slots for password hashing are in use; one more would slow down users who are signed in."""

    def __init__(self) -> None:
        super().__init__(
            Code.TOO_MANY_REQUESTS,
            "Many are signing in at this moment; try again in a few seconds.",
            headers=[("retry-after", "3")],
        )


def add(store: Store, name: str, password: str, role: str, *, by: str) -> None:
    """Creates an account. Raises ValueError for an invalid name, a name that is taken, or a short password."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is not a user name. Write at most 63 lower-case letters, digits and . _ @ -, starting with a letter or digit."
        )
    if role not in ROLES:
        raise ValueError(f"{role!r} is not a role. Roles: {', '.join(ROLES)}.")
    store.add_user(name, hash_password(password), role, by=by)
    event("user.added", f"{role}", user=name, by=by)


def change(store: Store, name: str, what: str, *, by: str) -> None:
    """Disables or enables an account, or changes its role: `what` is a key of CHANGES. All its sessions end.

    Raises Refused: one's own account (403; the last operator would be shut out), no such account (404).
    """
    if name == by:
        raise Refused(Code.FORBIDDEN, OWN)
    if not store.change_user(name, by=by, **CHANGES[what]):
        raise Refused(Code.NOT_FOUND, "There is no such account.")


def shut(store: Store, name: str, *, by: str, is_out: bool = True) -> bool:
    """Disables or enables an account from the command line, where it may be one's own. False: no such account."""
    return store.change_user(name, by=by, is_disabled=is_out)


def give_role(store: Store, name: str, role: str, *, by: str) -> bool:
    """Changes a role from the command line; all sessions of the account end. False: no such account."""
    return store.change_user(name, by=by, role=role)


def change_password(store: Store, name: str, password: str, *, by: str) -> bool:
    """Changes a password; all sessions of the user end. False: no such user. Raises ValueError for a short password."""
    return store.change_user(name, by=by, password_hash=hash_password(password))


def sign_in(store: Store, name: str, password: str, *, address: str, device: str = "") -> str:
    """Signs a user in; gives the token of a new session, which is stored only as a hash. `device`: the browser's device
    cookie (`device_of`).

    Raises Refused: 401 with one text, or 429. An unknown name takes the same time and counts the same attempts as a
    wrong password. An attempt is counted before the password is checked and given back on success, so parallel attempts
    do not get around the limit.

    Strangers cannot lock a user out. A browser that the name has used before is known by a cookie and has its own
    limit. Otherwise the attempts of the address and name count together, and those of the name from all unknown places.
    An address alone is never blocked: behind a proxy all users share it.
    """
    # An invalid name is not looked up and not stored: somebody may have typed the password into this field.
    is_name = NAME.fullmatch(name) is not None
    kept = name if is_name else ""
    browser, pair, of_name, of_address = (
        f"device {hash_of(device)} {kept}",
        f"pair {address} {kept}",
        f"name {kept}",
        f"address {address}",
    )
    tries = store.tries([browser, pair, of_name], WINDOW)
    is_known = {
        scope: (at := tries[scope].succeeded_at) is not None and at > store.now() - KNOWN for scope in (browser, pair)
    }
    place = browser if is_known[browser] else pair
    limits: dict[str, int | None] = {place: MOST_PAIR, of_address: None} | (
        {} if is_known[place] else {of_name: MOST_NAME}
    )
    if any(limit is not None and tries[scope].failed >= limit for scope, limit in limits.items()):
        raise TooMany
    with PLACES.one(address, is_known=place == browser) as is_free:
        if not is_free:
            raise Busy
        counts = store.take_try(limits, WINDOW)
        if counts is None:
            raise TooMany
        user = store.user(name) if is_name else None
        good = fits(password, user.password_hash if user is not None else None)
    token = secrets.token_urlsafe(32)
    if good and user is not None and store.open_session(name, hash_of(token), LONGEST, address=address):
        if is_outdated(user.password_hash):
            store.renew_hash(name, user.password_hash, hash_password(password))
        store.give_back(limits)
        # A known browser proves nothing about its address, which strangers may share: their attempts from there stay
        # counted.
        for scope in (*([pair] if place == pair else []), f"device {hash_of(device_of(token))} {name}"):
            store.note_success(scope)
        event("user.signed_in", "a new session", user=name, address=address)
        return token
    # Recorded once per window, and once more when the limit is reached, so that a flood of attempts cannot fill the
    # audit record.
    if counts[place] in (1, MOST_PAIR) and (user is not None or counts[of_address] <= MOST_TOLD):
        store.note_failure(user.name if user is not None else "", address)
    event("user.sign_in_failed", f"{counts[place]} from there of late", level="warning", address=address)
    raise Refused(Code.UNAUTHENTICATED, WRONG, headers=[("www-authenticate", "Form")])


def sign_out(store: Store, token: str) -> None:
    store.close_session(hash_of(token))


def signed_in(store: Store, token: str) -> Session | None:
    """The session of a token; None if there is none, or if it has ended."""
    return store.session(hash_of(token), IDLE) if 20 <= len(token) <= 100 else None


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def csrf_of(token: str) -> str:
    """The CSRF token of a session, required for every change; a page of another origin cannot know it."""
    return hashlib.sha256(b"csrf " + token.encode("utf-8", "replace")).hexdigest()


def device_of(token: str) -> str:
    """The device cookie that a browser keeps after a session: it gives no access, and shows that this name has signed
    in here before.
    """
    return hashlib.sha256(b"device " + token.encode("utf-8", "replace")).hexdigest()


def is_csrf(token: str, shown: str) -> bool:
    return hmac.compare_digest(csrf_of(token).encode(), shown.encode("utf-8", "replace"))


def as_json(user: User) -> answers.Person:
    """An account as operators see it: without the hash."""
    return fill(answers.Person, user)


def act_json(act: Act) -> answers.RecordedAct:
    """One record of the audit chain."""
    return fill(answers.RecordedAct, act)
