"""Refusing: what is kept of a refusal beside its answer. Never waited for, and no reason to answer otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.config.identified_request import BATCH, POST, Sent
from hub.core.documents.content_coding import inflated
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.message import Receipt, Request
from hub.core.model.delivery import Laid
from hub.flow import accept
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.logs import event, told
from hub.store import Refusal

# Told to come again, not to change anything: there is nothing to mend, and they come in floods.
PASSING = frozenset({Code.TOO_MANY_REQUESTS, Code.REQUEST_TIMEOUT})


def keep(hub: Hub, refused: Refused, what: Sent, trace_id: str) -> None:
    """Keeps it soon, if there is room. Costs what hashing the body costs. Raises nothing: the answer is the same, whatever becomes of this."""
    if refused.code in PASSING:
        return
    try:
        one = Refusal(hub.new_id(), what.source, what.arrival, refused, hub.catalogs.active().revision, hub.clock(), what, trace_id)
        is_kept = hub.refusals.add(hub.store, one)
    except Exception as error:  # noqa: BLE001  see above
        event("refusals.unwritten", told(error), level="error", trace_id=trace_id)
        is_kept = False
    if not is_kept:
        hub.counts.add("unkept", what.door)


def answered(hub: Hub, refused: Refused, request: Request, trace_id: str) -> None:
    """A request that was refused whole. Of a stranger nothing is kept but that it was."""
    if isinstance(refused.sent, Sent):
        keep(hub, refused, refused.sent, trace_id)
    elif request.path.startswith(("/api/", "/in/")) and refused.code.status < 500:
        keep(hub, refused, refusal_origins.stranger(request, int(refused.code)), trace_id)


def keep_items(hub: Hub, messages: Sequence[Laid | Refused], outcomes: Sequence[Receipt | Refused | StoreBusy], trace_id: str) -> None:
    """The refused items of a batch."""
    for laid, one in zip(messages, outcomes, strict=True):
        if isinstance(one, Refused):
            what = refusal_origins.laid(laid) if isinstance(laid, Laid) and one.sent is None else one.sent
            if isinstance(what, Sent):
                keep(hub, one, what, trace_id)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is refused inside is kept: a post of a caller that is proven, as it was before its coding, where that can be had."""

    hub: Hub
    request: Request
    caller: Caller
    message: str  # system/name
    version: int | None
    coding: str
    is_batch: bool

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Refused):
            error.sent = self._sent()

    def _sent(self) -> Sent:
        request = self.request
        is_named = any(name == "idempotency-key" for name, _ in request.headers)
        try:
            body, key = inflated(request.body, self.coding, self.hub.limits.max_bytes), accept.idempotency_key(request)
        except Refused:
            body, key = request.body, None
        door = BATCH if self.is_batch else POST
        return refusal_origins.post(self.caller, request, self.message, door=door, version=self.version, body=body, key=key, is_named=is_named)
