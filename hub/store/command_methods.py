"""What people do through a store: repairs, refused arrivals, revisions, keys, accounts, pauses, and the record of it
all. Each verb is one line.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.store.accounts import acts as acts_module
from hub.store.accounts import keys as keys_module
from hub.store.accounts import people, revisions
from hub.store.engine.database import Database
from hub.store.engine.verbs import verb
from hub.store.messages import pauses as pauses_module
from hub.store.messages import rerouting
from hub.store.queries import unrouted
from hub.store.repairs import advance, arrivals, select
from hub.store.repairs import reopen as reopen_module
from hub.store.repairs import repairs as repairs_module
from hub.store.repairs import replace as replace_module
from hub.store.repairs.arrival_limits import Room, make_room
from hub.store.repairs.arrivals import ArrivalFilter, RefusedRow


class Commands:
    """The verbs of a Store that a person is behind."""

    _database: Database

    reopen = verb(reopen_module.reopen)
    cancel = verb(reopen_module.cancel)
    replace = verb(replace_module.replace)
    create_repair = verb(select.create)
    start_repair = verb(repairs_module.start)
    continue_repair = verb(repairs_module.go_on)
    stop_repair = verb(repairs_module.stop)
    step_repair = verb(advance.step)
    repair = verb(repairs_module.find)
    repairs = verb(repairs_module.repairs)
    repaired = verb(repairs_module.rows)
    skipped = verb(repairs_module.skipped)
    live_repairs = verb(repairs_module.live)
    reroute = verb(rerouting.reroute)
    later_of = verb(rerouting.later_of)
    let_go = verb(rerouting.let_go)
    wish_unrouted = verb(unrouted.wish)
    wished_unrouted = verb(unrouted.wished)
    next_unrouted = verb(unrouted.next_of)
    end_wish = verb(unrouted.end_wish)
    refuse = verb(arrivals.refuse)

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

    refused_causes = verb(arrivals.causes)

    def refused_ones(self, *ids: str) -> list[RefusedRow]:
        return arrivals.find(self._database, ids)

    end_refused = verb(arrivals.end)
    refuse_again = verb(arrivals.refuse_again)
    count_refused = verb(arrivals.count)
    save_revision = verb(revisions.save_revision)
    revision = verb(revisions.load_revision)
    activate = verb(revisions.activate)
    activations = verb(revisions.activations)
    candidates = verb(revisions.candidates)
    active = verb(revisions.active)
    add_key = verb(keys_module.add_key)
    key = verb(keys_module.find_key)
    keys = verb(keys_module.all_keys)
    revoke_key = verb(keys_module.revoke_key)

    def note_act(self, *, by: str, what: str, object_: str = "", details: Mapping[str, object] | None = None) -> int:
        """An act that changes nothing else, such as revealing a personal value: noted before it is done, so that none
        is done unnoted.
        """
        return self._database.write(
            lambda connection: acts_module.record(self._database, connection, by, what, object_, details or {})
        )

    acts = verb(acts_module.acts)
    verify_acts = verb(acts_module.verify)
    add_user = verb(people.add_user)
    users = verb(people.users)
    user = verb(people.find_user)
    change_user = verb(people.change_user)
    renew_hash = verb(people.renew_hash)
    open_session = verb(people.open_session)
    session = verb(people.session)
    close_session = verb(people.close_session)
    tries = verb(people.tries)
    take_try = verb(people.take_try)
    give_back = verb(people.give_back)
    note_failure = verb(people.note_failure)
    note_success = verb(people.note_success)
    pause = verb(pauses_module.pause)
    resume = verb(pauses_module.resume)
    pauses = verb(pauses_module.pauses)
    free_paused = verb(pauses_module.free)
