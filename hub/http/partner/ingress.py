"""What partners post, without any framework: the front (ASGI) and the Flask app call the same functions, and answer the
same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from hub.core.config.query import message_of
from hub.core.config.system import LIVE, VersionState
from hub.core.errors import Code, Fault, Refused, StoreBusy
from hub.core.expressions import evaluation_door
from hub.core.message import Json, Receipt, Ref, Request
from hub.core.model.delivery import AcceptedMessage
from hub.core.model.tracing import trace_id_of, tracestate_of
from hub.flow import accept
from hub.flow.context.callers import Caller
from hub.flow.doors import refusal_records
from hub.flow.hub import Hub
from hub.flow.intake import refusal_origins, synchronous, versions
from hub.http.common import bodies
from hub.http.common.fault_answers import Answer, batch_failure, failure, item_failure, success
from hub.http.partner import lifetimes
from hub.http.partner.version_choice import version_of
from hub.logs import event

# faults told in one batch's answer: ten thousand bad messages must not make an answer of a hundred megabytes
MAX_BATCH_DETAILS = 1_000

# What became of one message of a post, once the group commit has answered.
Outcome: TypeAlias = "Receipt | Refused | StoreBusy"

_PATH = re.compile(
    r"/api(?:/v([1-9][0-9]{0,3}))?/((?!v[0-9]+/|messages/)[a-z][a-z0-9-]{0,39})/([a-z][a-z0-9.-]{0,99})(/batch)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Post:
    """A post as its line and headers say: which message, whether it is a batch, and how it is compressed."""

    system: str
    name: str
    version: int | None  # None: it does not say, and its caller's pin decides
    is_batch: bool
    coding: str = ""  # of the body: gzip, deflate, or none


@dataclass(frozen=True, slots=True)
class PreparedPost:
    """A post before its commit: the version that it is in, and each of its messages, prepared or refused, in order."""

    ref: Ref | None  # None: messages of several kinds (a batch of events)
    messages: Sequence[AcceptedMessage | Refused]


def trace_of(hub: Hub, request: Request) -> str:
    """The trace id of an answer: the caller's, if it sent a well-formed one."""
    given = next((value for name, value in request.headers if name == "traceparent"), None)
    return trace_id_of(given) or hub.new_id().replace("-", "")


def is_post(request: Request) -> bool:
    """Whether this is a partner's post, in its one canonical spelling. Nothing that is escaped is."""
    return request.method == "POST" and _PATH.fullmatch(request.path) is not None


def is_question(request: Request) -> bool:
    """Whether this asks by GET what could be posted: a synchronous read."""
    found = _PATH.fullmatch(request.path) if request.method == "GET" else None
    return found is not None and not found[4]


def methods_of(hub: Hub, request: Request) -> list[str]:
    """How the message of a path may be sent; what is no message is posted like any other, and not found then."""
    found = _PATH.fullmatch(request.path)
    emit = hub.catalogs.active().emit(f"{found[2]}/{found[3]}") if found is not None and not found[4] else None
    return ["GET", "POST"] if emit is not None and emit.get else ["POST"]


def wrong_method(hub: Hub, request: Request) -> Refused:
    return Refused(
        Code.METHOD_NOT_ALLOWED,
        "This method is not taken here; see Allow.",
        headers=[("allow", ", ".join(methods_of(hub, request)))],
    )


def read_head(request: Request) -> Post:
    """All of a post that can be judged before its body is read. Raises Refused."""
    found = _PATH.fullmatch(request.path)
    if found is None:
        raise Refused(Code.NOT_FOUND, "There is nothing here. Post to /api/v1/{system}/{message}.")
    if request.query:
        fault = Fault("", "a query", "no query", "put credentials and keys into headers")
        raise Refused(
            Code.BAD_REQUEST, "A post takes no query parameters; credentials and keys go into headers.", [fault]
        )
    coding = bodies.check_type(request, is_batch=bool(found[4]))
    return Post(found[2], found[3], version_of(request, found[1]), bool(found[4]), coding)


def question(hub: Hub, request: Request, began: float) -> Answer:
    """A synchronous read, from its line to its answer; blocks until the target has answered. Raises Refused, StoreBusy.

    The query is not signed by the hub's own scheme; so an id that is seen again with another query is refused, as with
    another body.
    """
    found = _PATH.fullmatch(request.path)
    if found is None or "GET" not in methods_of(hub, request):
        raise wrong_method(hub, request)
    caller = accept.admit(hub, request, found[2])
    hub.allowance.spend(caller.id, 1)
    try:
        prepared = _asked(hub, request, caller, found)
    except Refused as refused:
        refused.sent = refusal_origins.question(caller, request, f"{found[2]}/{found[3]}")
        raise
    return exchange(hub, prepared, began, request)


def _asked(hub: Hub, request: Request, caller: Caller, found: re.Match[str]) -> PreparedPost:
    ref = versions.choose_version(hub, caller, found[2], found[3], version_of(request, found[1]))
    emit = hub.catalogs.active().emit(ref.type)
    contract = emit.contracts.get(ref.version) if emit is not None else None
    if contract is None:
        raise wrong_method(hub, request)
    # read without a fault before: check_line has seen to it
    fields = dict(parse_qsl(request.query, keep_blank_values=True))
    prepared = PreparedPost(
        ref, [accept.prepare_question(hub, caller, request, ref, message_of(fields, contract.schema, hub.limits))]
    )
    if not waits(prepared):
        raise Refused(Code.NOT_FOUND, "No route answers this question as it is; see the conditions of its route.")
    return prepared


@dataclass(frozen=True, slots=True)
class UnfinishedPost:
    """A post that needs more time than the event loop has: its caller is proven, and `finish` does the rest, in a
    thread.
    """

    caller: str
    finish: Callable[[], PreparedPost]


def prepare(hub: Hub, request: Request, post: Post) -> PreparedPost:
    """Everything before the commit. A single post that is refused raises; a batch's refusals stand at their places."""
    begun = begin(hub, request, post)
    return begun.finish() if isinstance(begun, UnfinishedPost) else begun


def begin(hub: Hub, request: Request, post: Post, *, at_once: bool = False) -> PreparedPost | UnfinishedPost:
    """The same; `at_once`: up to what may take long. What is done by then, an allowance that is spent for one, is not
    done again.
    """
    # Proven before it is inflated: the bytes as they came are signed, and only a proven sender costs us more.
    caller = accept.admit(hub, request, post.system)
    trail = refusal_records.RefusalRecorder(
        hub, request, caller, f"{post.system}/{post.name}", post.version, post.coding, post.is_batch
    )
    with trail:
        return _begun(hub, request, post, trail, at_once=at_once)


def _begun(
    hub: Hub, request: Request, post: Post, trail: refusal_records.RefusalRecorder, *, at_once: bool
) -> PreparedPost | UnfinishedPost:
    caller = trail.caller
    ref = versions.choose_version(hub, caller, post.system, post.name, post.version)
    try:
        plain = bodies.inflate(request, post.coding, hub.limits.max_bytes)
        if not post.is_batch:
            hub.allowance.spend(caller.id, 1)
            if not at_once:
                with evaluation_door.on_behalf(caller.id):
                    return PreparedPost(ref, [accept.prepare(hub, caller, plain, ref)])
            try:
                with evaluation_door.at_once():
                    return PreparedPost(ref, [accept.prepare(hub, caller, plain, ref)])
            except evaluation_door.NeedsTime:
                return UnfinishedPost(caller.id, lambda: _finish(hub, plain, ref, trail))
        with evaluation_door.on_behalf(caller.id):
            messages = accept.prepare_batch(hub, caller, plain, ref)
        hub.allowance.spend(caller.id, len(messages))
        return PreparedPost(ref, messages)
    except Refused as refused:
        raise with_lifetime(hub, ref, refused)  # noqa: B904  the same one, with more headers


def _finish(hub: Hub, plain: Request, ref: Ref, trail: refusal_records.RefusalRecorder) -> PreparedPost:
    try:
        with trail, evaluation_door.on_behalf(trail.caller.id):
            return PreparedPost(ref, [accept.prepare(hub, trail.caller, plain, ref)])
    except Refused as refused:
        raise with_lifetime(hub, ref, refused)  # noqa: B904  the same one, with more headers


def submit(hub: Hub, post: Post, prepared: PreparedPost) -> list[Future[Receipt | Refused]]:
    """Hands the prepared messages to the group commit: a future per message. Raises StoreBusy when too many wait; then
    none was taken.
    """
    accepted_message = [one for one in prepared.messages if isinstance(one, AcceptedMessage)]
    return (
        hub.commit.submit_many(accepted_message)
        if post.is_batch
        else [accept.submit(hub, one) for one in accepted_message]
    )


def answer(hub: Hub, post: Post, prepared: PreparedPost, committed: Sequence[Outcome], request: Request) -> Answer:
    """What the sender is given, once all is committed; `committed` has an outcome per prepared message. Raises what a
    single post met.
    """
    outcomes = _merged(prepared.messages, committed)
    for accepted_message, one in zip(prepared.messages, outcomes, strict=True):
        if isinstance(one, Receipt):
            assert isinstance(accepted_message, AcceptedMessage)
            taken(hub, request, accepted_message, is_duplicate=one.duplicate)
    if not post.is_batch:
        [only] = outcomes
        if isinstance(only, Refused) and only.sent is None and isinstance(prepared.messages[0], AcceptedMessage):
            only.sent = refusal_origins.of_message(prepared.messages[0])
        if not isinstance(only, Receipt):
            raise with_lifetime(hub, prepared.ref, only) if isinstance(only, Refused) else only
        data: Json = {"messageId": only.message_id, "duplicate": only.duplicate}
        return success(data, _trace(hub, prepared, request), status=202, headers=_lifetime(hub, prepared.ref))
    for one in outcomes:
        if isinstance(one, Refused):
            hub.counts.add("refused", str(int(one.code)))
    accepted = sum(isinstance(one, Receipt) for one in outcomes)
    trace_id = _trace(hub, prepared, request)
    event(
        "batch.answered",
        f"{accepted} of {len(outcomes)} accepted",
        type=str(prepared.ref),
        accepted=accepted,
        refused=len(outcomes) - accepted,
        trace_id=trace_id,
    )
    refusal_records.keep_items(hub, prepared.messages, outcomes, trace_id)
    data = {"accepted": accepted, "refused": len(outcomes) - accepted, "items": _items(outcomes)}
    headers = _lifetime(hub, prepared.ref)
    if accepted:
        return success(data, trace_id, status=202, headers=headers)
    # Nothing was stored. Where the store was busy for any of them, the same batch may succeed in a moment.
    code = Code.UNAVAILABLE if any(isinstance(one, StoreBusy) for one in outcomes) else Code.CONTRACT_VIOLATION
    return batch_failure(
        code, "No message of the batch was accepted; the items say why.", data, trace_id, headers=headers
    )


def taken(hub: Hub, request: Request, accepted_message: AcceptedMessage, *, is_duplicate: bool) -> None:
    """Notes what was just accepted: counted by what the configuration calls it, traced where it is sampled."""
    ref = accepted_message.message.ref
    hub.counts.add("accepted", ref.system, ref.name, str(ref.version), "duplicate" if is_duplicate else "new")
    if not is_duplicate:
        versions.record_acceptance(hub, accepted_message)
    if hub.spans is not None:
        hub.spans.accepted(request, accepted_message.message, time.time())


def waits(prepared: PreparedPost) -> bool:
    """Whether the caller of a single post waits for the answer of a target."""
    return (
        len(prepared.messages) == 1
        and isinstance(prepared.messages[0], AcceptedMessage)
        and synchronous.waits(prepared.messages[0])
    )


def exchange(hub: Hub, prepared: PreparedPost, began: float, request: Request) -> Answer:
    """The answer to a post whose caller waits; blocks until the target has answered, or the deadline is over. Raises
    Refused, StoreBusy.
    """
    [accepted_message] = prepared.messages
    assert isinstance(accepted_message, AcceptedMessage)
    try:
        told = synchronous.ask(hub, accepted_message, began, _tracestate(request, accepted_message))
    except Refused as refused:
        raise with_lifetime(hub, prepared.ref, refused)  # noqa: B904  the same one, with more headers
    taken(hub, request, accepted_message, is_duplicate=told.duplicate)
    headers = [*_lifetime(hub, prepared.ref), ("x-crossdock-message", told.message_id)]
    if told.age is not None:
        headers += [("age", str(int(told.age.total_seconds()))), ("x-crossdock-fallback", "cached")]
    return success(told.data, accepted_message.message.trace_id, headers=headers)


def _tracestate(request: Request, accepted_message: AcceptedMessage) -> str:
    """What the caller says beside its `traceparent`; nothing where that is not the trace of this message."""
    if trace_id_of(next(iter(bodies.values(request, "traceparent")), None)) != accepted_message.message.trace_id:
        return ""
    return tracestate_of(bodies.values(request, "tracestate"))


def refusal(hub: Hub, error: BaseException, request: Request, trace_id: str = "") -> Answer:
    """The answer to a request that ended in an error, counted by its code."""
    trace_id = trace_id or trace_of(hub, request)
    told = failure(error, trace_id, accept=", ".join(bodies.values(request, "accept")))
    hub.counts.add("refused", str(int(told.code)))
    if isinstance(error, Refused):
        refusal_records.answered(hub, error, request, trace_id)
    return told


def _merged(prepared: Sequence[AcceptedMessage | Refused], committed: Sequence[Outcome]) -> list[Outcome]:
    ends = iter(committed)
    return [one if isinstance(one, Refused) else next(ends) for one in prepared]


def _items(outcomes: Sequence[Outcome]) -> list[Json]:
    items: list[Json] = []
    left = MAX_BATCH_DETAILS
    for number, one in enumerate(outcomes):
        line: dict[str, Json] = {"index": number}
        if isinstance(one, Receipt):
            line |= {"code": 0, "messageId": one.message_id, "duplicate": one.duplicate}
        else:
            line |= item_failure(one, left)
            left -= len(one.faults) if isinstance(one, Refused) else 0
        items.append(line)
    return items


def _trace(hub: Hub, prepared: PreparedPost, request: Request) -> str:
    """The id that the messages were stored under: an operator who is told it must find them."""
    return next(
        (one.message.trace_id for one in prepared.messages if isinstance(one, AcceptedMessage)), None
    ) or trace_of(hub, request)


def with_lifetime(hub: Hub, ref: Ref | None, refused: Refused) -> Refused:
    """The refusal with what there is to say of its version's end: whoever is refused reads the answer most closely."""
    known = {name for name, _ in refused.headers}
    refused.headers += tuple(header for header in _lifetime(hub, ref) if header[0] not in known)
    return refused


def _lifetime(hub: Hub, ref: Ref | None) -> tuple[tuple[str, str], ...]:
    if ref is None:
        return ()
    emit = hub.catalogs.active().emit(ref.type)
    version = emit.versions.get(ref.version) if emit is not None else None
    if (
        emit is None
        or version is None
        or not (version.state is VersionState.DEPRECATED or (version.state in LIVE and version.sunset))
    ):
        return ()
    return lifetimes.headers(ref, emit.versions)
