"""`/in/<system>/<hook>` without any framework: the front and the Flask app call these, and answer a partner in its own
words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Future

from hub.core import json
from hub.core.config.hook import HookAnswer, filled
from hub.core.config.parsed_request import ParsedRequest
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.message import Json, Receipt, Request
from hub.core.model.delivery import AcceptedMessage
from hub.flow.doors import hooks, refusal_records
from hub.flow.doors.hooks import ProvenRequest
from hub.flow.doors.queues import together
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins
from hub.http.common.fault_answers import ALWAYS, JSON, Answer, failure, success
from hub.http.partner import ingress
from hub.http.partner.ingress import Outcome

TEXT = "text/plain; charset=utf-8"
METHODS = ("GET", "POST", "PUT")
TRACE = "x-crossdock-trace"
_PATH = re.compile(r"/in/([a-z][a-z0-9-]{0,39})/([A-Za-z0-9][A-Za-z0-9_-]{0,79})", re.ASCII)


def is_hook(request: Request) -> bool:
    return _PATH.fullmatch(request.path) is not None


def take(hub: Hub, request: Request) -> ProvenRequest:
    """Everything before the commit. Raises Refused."""
    found = _PATH.fullmatch(request.path)
    if found is None:
        raise Refused(Code.NOT_FOUND, "There is nothing here.")
    if request.method not in METHODS:
        raise Refused(
            Code.METHOD_NOT_ALLOWED, "A hook takes GET, POST and PUT.", headers=[("allow", ", ".join(METHODS))]
        )
    return hooks.receive(hub, request, found[1], found[2])


def submit(hub: Hub, taken: ProvenRequest) -> list[Future[Receipt | Refused]]:
    """Raises StoreBusy; then nothing was taken, and `answer` says so in the partner's words."""
    return hub.commit.submit_many([one for one in taken.messages if isinstance(one, AcceptedMessage)])


def answer(hub: Hub, taken: ProvenRequest, committed: Sequence[Outcome]) -> Answer:
    """The acknowledgement, once all is committed; or, where anything was refused or not stored, what makes the partner
    send it again.

    What was committed of it stays: sent again, it is known by its id.
    """
    if taken.said is not None:
        return said(taken.said, taken.opened)
    ends = iter(committed)
    outcomes = [one if isinstance(one, Refused) else next(ends) for one in taken.messages]
    for accepted, one in zip(taken.messages, outcomes, strict=True):
        if isinstance(one, Receipt):
            assert isinstance(accepted, AcceptedMessage)
            ingress.taken(hub, taken.opened.request, accepted, is_duplicate=one.duplicate)
        elif isinstance(one, Refused):
            hub.counts.add("refused", str(int(one.code)))
    wrong = next((one for one in outcomes if not isinstance(one, Receipt)), None)
    if wrong is not None:
        refused = together([one for one in outcomes if isinstance(one, Refused)])
        if refused is not None:
            refusal_records.keep(
                hub, refused, refusal_origins.hook(taken.hook, taken.opened.request, is_proven=True), taken.trace_id
            )
        return sorry(taken, wrong)
    receipts: list[Json] = [
        {"messageId": one.message_id, "duplicate": one.duplicate} for one in outcomes if isinstance(one, Receipt)
    ]
    return (
        said(taken.hook.ack, taken.opened)
        if taken.hook.ack is not None
        else success({"items": receipts}, taken.trace_id)
    )


def sorry(taken: ProvenRequest, wrong: Refused | StoreBusy) -> Answer:
    """A fault, in the partner's words for "send it again" where it has some: never a silent yes. A header names it,
    whatever the words are.
    """
    told = failure(wrong, taken.trace_id)
    named = (TRACE, taken.trace_id)
    if taken.hook.otherwise is None:
        return Answer(told.status, (*told.headers, named), told.body)
    made = said(taken.hook.otherwise, taken.opened)
    return Answer(taken.hook.otherwise.status or told.status, (*made.headers, named), made.body)


def said(given: HookAnswer, opened: ParsedRequest) -> Answer:
    """A text as it stands: no newline, no byte order mark; anything else as JSON."""
    body = filled(given, opened)
    if body is None:
        return Answer(given.status or 200, ALWAYS, b"")
    is_text = isinstance(body, str)
    raw = body.encode() if isinstance(body, str) else json.encode(body)
    return Answer(given.status or 200, (("content-type", TEXT if is_text else JSON), *ALWAYS), raw)
