"""What people do through a store: repairs, refused arrivals, revisions, keys, accounts, pauses, and the record of it
all. Each verb is one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from hub.core.message import Json, Receipt
from hub.core.model.delivery import AcceptedMessage
from hub.core.model.repair import Order, Result, State
from hub.core.model.unrouted import Wish
from hub.store.accounts import acts, keys, people, revisions
from hub.store.accounts.acts import Act, Verdict
from hub.store.accounts.keys import KeyRow
from hub.store.accounts.people import Session, Tries, User
from hub.store.accounts.revisions import Activation
from hub.store.engine.database import Database
from hub.store.messages import pauses, rerouting
from hub.store.messages.pauses import Pause
from hub.store.queries import unrouted
from hub.store.queries.unrouted import UnroutedOrder
from hub.store.repairs import advance, arrivals, reopen, repairs, replace, select
from hub.store.repairs.advance import Step
from hub.store.repairs.arrival_limits import Bounds, Room, make_room
from hub.store.repairs.arrivals import ArrivalFilter, Refusal, RefusedCause, RefusedRow
from hub.store.repairs.repairs import RepairChange, RepairedRow, RepairRow


class Commands:
    """The verbs of a Store that a person is behind."""

    _database: Database

    def reopen(self, ids: Sequence[str], *, by: str, force: bool = False) -> dict[str, str]:
        return reopen.reopen(self._database, ids, by=by, force=force)

    def cancel(self, ids: Sequence[str], *, by: str, why: str) -> dict[str, str]:
        return reopen.cancel(self._database, ids, by=by, why=why)

    def replace(self, id_: str, laid: AcceptedMessage, *, by: str, why: str, force: bool = False) -> Receipt:
        return replace.replace(self._database, id_, laid, by=by, why=why, force=force)

    def create_repair(
        self, id_: str, order: Order, *, request_key: str | None = None, fingerprint: str = ""
    ) -> tuple[str, bool]:
        return select.create(self._database, id_, order, request_key=request_key, fingerprint=fingerprint)

    def start_repair(self, id_: str, *, by: str) -> RepairChange:
        return repairs.start(self._database, id_, by=by)

    def continue_repair(self, id_: str, *, by: str) -> RepairChange:
        return repairs.go_on(self._database, id_, by=by)

    def stop_repair(self, id_: str, *, by: str) -> RepairChange:
        return repairs.stop(self._database, id_, by=by)

    def step_repair(self, id_: str) -> Step | None:
        return advance.step(self._database, id_)

    def repair(self, id_: str) -> RepairRow | None:
        return repairs.find(self._database, id_)

    def repairs(
        self, *, state: State | None = None, delivery_id: str | None = None, limit: int = 50, before: str | None = None
    ) -> list[RepairRow]:
        return repairs.repairs(self._database, state=state, delivery_id=delivery_id, limit=limit, before=before)

    def repaired(self, id_: str, *, result: Result | None = None, limit: int = 50, after: int = 0) -> list[RepairedRow]:
        return repairs.rows(self._database, id_, result=result, limit=limit, after=after)

    def skipped(self, chosen: Sequence[RepairedRow], *, force: bool) -> dict[str, str]:
        return repairs.skipped(self._database, chosen, force=force)

    def live_repairs(self) -> list[str]:
        return repairs.live(self._database)

    def reroute(
        self,
        batch: Sequence[AcceptedMessage],
        *,
        stays: Mapping[str, str],
        by: str,
        revision: str,
        force: bool = False,
        wish: str | None = None,
        why: str = "",
    ) -> dict[str, str]:
        return rerouting.reroute(
            self._database, batch, stays=stays, by=by, revision=revision, force=force, wish=wish, why=why
        )

    def later_of(self, batch: Sequence[AcceptedMessage]) -> dict[str, str]:
        return rerouting.later_of(self._database, batch)

    def let_go(
        self, ids: Sequence[str], *, whys: Mapping[str, Mapping[str, Json]], by: str, why: str
    ) -> dict[str, str]:
        return rerouting.let_go(self._database, ids, whys=whys, by=by, why=why)

    def wish_unrouted(
        self, cause: str, *, id_: str, wish: Wish, by: str, why: str, revision: str = "", is_forced: bool = False
    ) -> int:
        return unrouted.wish(
            self._database, cause, id_=id_, wish=wish, by=by, why=why, revision=revision, is_forced=is_forced
        )

    def wished_unrouted(self) -> list[str]:
        return unrouted.wished(self._database)

    def next_unrouted(self, cause: str, limit: int) -> tuple[UnroutedOrder, list[str]] | None:
        return unrouted.next_of(self._database, cause, limit)

    def end_wish(self, cause: str, id_: str) -> bool:
        return unrouted.end_wish(self._database, cause, id_)

    def refuse(self, batch: Sequence[Refusal], bounds: Bounds | None = None) -> int:
        return arrivals.refuse(self._database, batch, bounds)

    def bound_refused(self, room: Room) -> int:
        return self._database.write(lambda connection: make_room(connection, room, None))

    def refused(
        self,
        *,
        state: str | None = arrivals.WAITING,
        limit: int = 50,
        before: str | None = None,
        wanted: ArrivalFilter | None = None,
    ) -> list[RefusedRow]:
        return arrivals.refused(self._database, wanted or ArrivalFilter(state), limit=limit, before=before)

    def refused_causes(self) -> list[RefusedCause]:
        return arrivals.causes(self._database)

    def refused_ones(self, *ids: str) -> list[RefusedRow]:
        return arrivals.find(self._database, ids)

    def end_refused(self, ids: Sequence[str], *, state: str, by: str, why: str = "") -> dict[str, bool]:
        return arrivals.end(self._database, ids, state=state, by=by, why=why)

    def refuse_again(self, id_: str, refusal: Refusal, *, by: str) -> None:
        arrivals.refuse_again(self._database, id_, refusal, by=by)

    def count_refused(self) -> dict[str, int]:
        return arrivals.count(self._database)

    def save_revision(self, hash_: str, files: Mapping[str, str]) -> None:
        revisions.save_revision(self._database, hash_, files)

    def revision(self, hash_: str) -> dict[str, str] | None:
        return revisions.load_revision(self._database, hash_)

    def activate(
        self, hash_: str, *, by: str = "", why: str = "", despite: Sequence[str] = (), onto: str | None = None
    ) -> None:
        revisions.activate(self._database, hash_, by=by, why=why, despite=despite, onto=onto)

    def activations(self, limit: int = 50) -> list[Activation]:
        return revisions.activations(self._database, limit)

    def candidates(self, limit: int = 50) -> list[tuple[str, datetime]]:
        return revisions.candidates(self._database, limit)

    def active(self) -> str | None:
        return revisions.active(self._database)

    def add_key(self, key: KeyRow, *, by: str = "") -> None:
        keys.add_key(self._database, key, by)

    def key(self, id_: str) -> KeyRow | None:
        return keys.find_key(self._database, id_)

    def keys(self) -> list[KeyRow]:
        return keys.all_keys(self._database)

    def revoke_key(self, id_: str, at: datetime, *, by: str = "") -> bool:
        return keys.revoke_key(self._database, id_, at, by)

    def note_act(self, *, by: str, what: str, object_: str = "", details: Mapping[str, object] | None = None) -> int:
        """An act that changes nothing else, such as revealing a personal value: noted before it is done, so that none
        is done unnoted.
        """
        return self._database.write(
            lambda connection: acts.record(self._database, connection, by, what, object_, details or {})
        )

    def acts(
        self,
        *,
        limit: int = 50,
        before: int | None = None,
        by: str | None = None,
        what: str | None = None,
        object_: str | None = None,
    ) -> list[Act]:
        return acts.acts(self._database, limit=limit, before=before, by=by, what=what, object_=object_)

    def verify_acts(self, *, anchor: str | None = None) -> Verdict:
        return acts.verify(self._database, anchor=anchor)

    def add_user(self, name: str, password_hash: str, role: str, *, by: str) -> None:
        people.add_user(self._database, name, password_hash, role, by)

    def users(self) -> list[User]:
        return people.users(self._database)

    def user(self, name: str) -> User | None:
        return people.find_user(self._database, name)

    def change_user(
        self,
        name: str,
        *,
        by: str,
        password_hash: str | None = None,
        role: str | None = None,
        is_disabled: bool | None = None,
    ) -> bool:
        return people.change_user(
            self._database, name, by, password_hash=password_hash, role=role, is_disabled=is_disabled
        )

    def renew_hash(self, name: str, before: str, after: str) -> None:
        people.renew_hash(self._database, name, before, after)

    def open_session(self, name: str, token_hash: str, lasts: timedelta, *, address: str) -> bool:
        return people.open_session(self._database, name, token_hash, lasts, address)

    def session(self, token_hash: str, idle: timedelta) -> Session | None:
        return people.session(self._database, token_hash, idle)

    def close_session(self, token_hash: str) -> bool:
        return people.close_session(self._database, token_hash)

    def tries(self, scopes: list[str], window: timedelta) -> dict[str, Tries]:
        return people.tries(self._database, scopes, window)

    def take_try(self, scopes: Mapping[str, int | None], window: timedelta) -> dict[str, int] | None:
        return people.take_try(self._database, scopes, window)

    def give_back(self, scopes: Iterable[str]) -> None:
        people.give_back(self._database, scopes)

    def note_failure(self, name: str, address: str) -> None:
        people.note_failure(self._database, name, address)

    def note_success(self, scope: str) -> None:
        people.note_success(self._database, scope)

    def pause(self, kind: str, name: str, *, by: str, why: str) -> bool:
        return pauses.pause(self._database, kind, name, by=by, why=why)

    def resume(self, kind: str, name: str, *, by: str) -> bool:
        return pauses.resume(self._database, kind, name, by=by)

    def pauses(self) -> list[Pause]:
        return pauses.pauses(self._database)

    def free_paused(self) -> tuple[int, list[str]]:
        return pauses.free(self._database)
