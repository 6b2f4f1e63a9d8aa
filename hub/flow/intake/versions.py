"""Chooses the contract version of a post, checks that it may be posted, upgrades it, and validates it against shadow
versions.
"""

from __future__ import annotations

from datetime import datetime

from hub.catalog import Catalog
from hub.core.config.system import LIVE, Emit, VersionState
from hub.core.errors import Busy, Code, Fault, GiveUp, Refused
from hub.core.message import Incoming, Json, Ref
from hub.core.model.delivery import AcceptedMessage
from hub.flow.context.callers import Caller
from hub.flow.context.usage import ELEMENT, REFUSED
from hub.flow.hub import Hub
from hub.flow.render import upgraded
from hub.logs import event, told

# Maximum size in bytes of a message whose fields are counted on the event loop: 8 µs for an order of two lines, 19 µs
# if every five bytes are a field. A larger message would block the loop, 64 kB for 5 ms; so would the upgrade and
# validation of a shadow version.
SMALL = 512


def choose_version(hub: Hub, caller: Caller, system: str, name: str, said: int | None) -> Ref:
    """The contract version of a post: the one that it names; else the caller's pin (of its key, or of its first such
    post); else the newest current one.

    Raises Refused; StoreBusy if the caller's pin cannot be read.
    """
    if said is not None:
        return Ref(system, name, said)
    emit = hub.catalogs.active().emit(f"{system}/{name}")
    if emit is None:
        raise Refused(Code.NOT_FOUND, f"There is no message {system}/{name}. The interface docs list what there is.")
    pinned = caller.pins.get(emit.type) or hub.pins.version(hub.store, caller.id, emit.type)
    if pinned is not None:
        return Ref(system, name, pinned)
    newest = emit.newest_at(hub.clock())
    if newest is None:
        raise Refused(Code.NOT_FOUND, f"{emit.type} has no live version.")
    hub.pins.mean(caller.id, emit.type, newest)
    return Ref(system, name, newest)


def not_live(ref: Ref, emit: Emit, now: datetime) -> Refused:
    """The refusal for a version that cannot be posted, with those that can. Retired, or past its sunset: 410 with the
    successor. Draft or shadow: 404.
    """
    newest = emit.newest_at(now)
    live = ", ".join(f"v{number}" for number in emit.open_at(now)) or "none"
    version = emit.versions.get(ref.version)
    if version is not None and (version.state is VersionState.RETIRED or version.state in LIVE):
        headers = (
            [("link", f'</api/v{newest}/{ref.system}/{ref.name}>; rel="successor-version"')]
            if newest is not None
            else []
        )
        ended = f" since its sunset on {version.sunset}" if version.state in LIVE else ""
        move = (
            f"is retired{ended}. Move to version {newest}."
            if newest is not None
            else f"is retired{ended}, without a successor."
        )
        return Refused(Code.GONE, f"{ref.type} version {ref.version} {move}", headers=headers)
    if version is not None:
        return Refused(
            Code.NOT_FOUND,
            f"{ref.type} version {ref.version} is a {version.state.value}, and cannot be posted yet; there is {live}.",
        )
    return Refused(Code.NOT_FOUND, f"{ref.type} has no live version {ref.version}; there is {live}.")


def retry_later(error: Busy) -> Refused:
    """The refusal (429) if an evaluator is too busy to check the message. The message is not at fault: the same post
    may be accepted a moment later.
    """
    return Refused(Code.TOO_MANY_REQUESTS, f"It was not accepted: {error.why.text}", headers=[("retry-after", "1")])


def upgrade(catalog: Catalog, incoming: Incoming, now: datetime) -> tuple[Ref, Json]:
    """Upgrades the payload to its newest live version; gives that version and the payload. Raises Refused."""
    try:
        return upgraded(catalog, incoming.ref, incoming.payload, now)
    except Busy as error:
        raise retry_later(error) from error
    except GiveUp as error:
        fault = Fault(error.why.field, "what the upgrade made of it", "a message of the newest version", error.why.text)
        raise Refused(
            Code.CONTRACT_VIOLATION,
            f"The post fits {incoming.ref}, but cannot be upgraded to the newest version.",
            [fault],
        ) from error


def record_acceptance(hub: Hub, accepted_message: AcceptedMessage) -> None:
    """Counts a message after it is stored for the first time: versions and fields per caller, and the results of shadow
    versions.

    Called on the event loop. A small message is counted at once; a large one, or one with shadow versions, in the
    background thread.
    """
    hub.pins.accepted(accepted_message.message, accepted_message.message.received_at)
    hub.minutes.accepted(
        accepted_message.message.ref, accepted_message.message.disposition, accepted_message.message.received_at
    )
    emit = hub.catalogs.active().emit(accepted_message.message.ref.type)
    shadows = emit.shadows if emit is not None else []
    if shadows or len(accepted_message.message.raw) > SMALL:
        hub.noting.later(lambda: _note(hub, accepted_message, shadows), len(accepted_message.message.raw))
    else:
        _note(hub, accepted_message, shadows)


def _note(hub: Hub, accepted_message: AcceptedMessage, shadows: list[int]) -> None:
    message = accepted_message.message
    try:
        hub.usage.saw(message.ref, message.caller, accepted_message.payload, message.received_at)
        for number in shadows:
            shadow(hub, accepted_message, Ref(message.ref.system, message.ref.name, number))
    except Exception as error:  # noqa: BLE001  the message is stored and its sender is told so, even if the counts fail
        event("usage.failed", told(error), level="error", message_id=message.id, trace_id=message.trace_id)


def shadow(hub: Hub, accepted_message: AcceptedMessage, ref: Ref) -> None:
    """Validates a message against a shadow version. Faults are counted per caller and field; nothing is refused."""
    message, payload = accepted_message.message, accepted_message.payload
    catalog = hub.catalogs.active()
    contract = catalog.contract(ref)
    if contract is None:
        return
    try:
        # Uses the direct mapping to the shadow version if there is one; otherwise the upgrade to the newest live
        # version.
        steps = catalog.way(message.ref, ref)
        for step in steps if steps is not None else catalog.upgrade(message.ref):
            payload = step.apply(payload, now=message.received_at)
        faults = contract.check(payload)
    except GiveUp as error:
        faults = [Fault(error.why.field, "what the upgrade made", "a message of the version", error.why.text)]
    hub.counts.add("shadow", str(ref), "refused" if faults else "passed")
    fields = {REFUSED, *(ELEMENT.sub("/*", fault.pointer) for fault in faults)} if faults else set()
    hub.usage.note(ref, message.caller, fields, message.received_at)
    if faults:
        event(
            "shadow.refused",
            f"{ref} would refuse it at {faults[0].pointer or '/'}: wanted {faults[0].want}",
            level="debug",
            message_id=message.id,
            caller=message.caller,
        )
