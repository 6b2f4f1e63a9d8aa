"""Records refused requests, so that operators can see and retry them. It runs in the background and never changes the
answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.config.identified_request import BATCH, POST, IdentifiedRequest
from hub.core.documents.content_coding import inflated
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.message import Receipt, Request
from hub.core.model.delivery import AcceptedMessage
from hub.flow import accept
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.logs import event, told
from hub.store import Refusal

# Refusals that only ask for a later retry: there is nothing to correct, and they come in large numbers.
PASSING = frozenset({Code.TOO_MANY_REQUESTS, Code.REQUEST_TIMEOUT})


def keep(hub: Hub, refused: Refused, what: IdentifiedRequest, trace_id: str) -> None:
    """Queues a refusal for writing, if there is room. Costs one hash of the body. Raises nothing: the answer does not
    depend on it.
    """
    if refused.code in PASSING:
        return
    try:
        refusal = Refusal(
            hub.new_id(),
            what.source,
            what.arrival,
            refused,
            hub.catalogs.active().revision,
            hub.clock(),
            what,
            trace_id,
        )
        is_kept = hub.refusals.add(hub.store, refusal)
    except Exception as error:  # noqa: BLE001  see above
        event("refusals.unwritten", told(error), level="error", trace_id=trace_id)
        is_kept = False
    if not is_kept:
        hub.counts.add("unkept", what.door)


def answered(hub: Hub, refused: Refused, request: Request, trace_id: str) -> None:
    """Records a request that was refused as a whole. Of an unauthenticated request only method, path and code are
    recorded.
    """
    if isinstance(refused.sent, IdentifiedRequest):
        keep(hub, refused, refused.sent, trace_id)
    elif request.path.startswith(("/api/", "/in/")) and refused.code.status < 500:
        keep(hub, refused, refusal_origins.stranger(request, int(refused.code)), trace_id)


def keep_items(
    hub: Hub,
    messages: Sequence[AcceptedMessage | Refused],
    outcomes: Sequence[Receipt | Refused | StoreBusy],
    trace_id: str,
) -> None:
    """Records the refused items of a batch."""
    for message, outcome in zip(messages, outcomes, strict=True):
        if isinstance(outcome, Refused):
            what = (
                refusal_origins.of_message(message)
                if isinstance(message, AcceptedMessage) and outcome.sent is None
                else outcome.sent
            )
            if isinstance(what, IdentifiedRequest):
                keep(hub, outcome, what, trace_id)


@dataclass(frozen=True, slots=True)
class RefusalRecorder:
    """A context that attaches the origin to a refusal raised inside it: the post of an authenticated caller, without
    its content coding if possible.
    """

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

    def _sent(self) -> IdentifiedRequest:
        request = self.request
        is_named = any(name == "idempotency-key" for name, _ in request.headers)
        try:
            body, key = inflated(request.body, self.coding, self.hub.limits.max_bytes), accept.idempotency_key(request)
        except Refused:
            body, key = request.body, None
        door = BATCH if self.is_batch else POST
        return refusal_origins.post(
            self.caller, request, self.message, door=door, version=self.version, body=body, key=key, is_named=is_named
        )
