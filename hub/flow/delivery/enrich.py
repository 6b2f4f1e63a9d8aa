"""Enrich: what a route looks up before its mapping. Asked once per message and recorded; if we die between, it is asked again under the same key.

recorded? → cached? → ask (no transaction open) → record → the mapping sees what the store has
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.catalog import Catalog
from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.routing import Destination, Enrich, OnFail, Route
from hub.core.documents import json
from hub.core.errors import GiveUp, Reason, TryLater, Unknown, Why
from hub.core.message import Json
from hub.core.model.delivery import Claim, Dead, Exchange, Hold, InDoubtPolicy, Outcome, Settled, judge
from hub.core.schemas.integers import declared
from hub.flow.hub import Hub, LaneTarget
from hub.flow.render import found, source_part
from hub.kit.http.call import Done
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told
from hub.store import Lookup

CONCURRENCY = 32


@dataclass(frozen=True, slots=True)
class Question:
    """One look-up that one delivery still needs."""

    claim: Claim
    destination: Destination
    enrich: Enrich
    body: bytes = b""
    asked: Json = None


@dataclass(slots=True)
class Looked:
    """What the mappings see, by delivery; and the deliveries that cannot go on, as they are to be settled."""

    found: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    ended: list[Settled] = field(default_factory=list)


def look_up(hub: Hub, ways: Sequence[tuple[Claim, Destination]], sender: Sender) -> Looked:
    """All look-ups of these deliveries. Each is as the revision says that makes the content. Raises StoreBusy: nothing was recorded."""
    looked = Looked()
    routes = {claim.id: route for claim, _ in ways if (route := pinned_route(hub, claim)) is not None and route.enrich}
    wanted = [(claim, to) for claim, to in ways if claim.id in routes]
    if not wanted:
        return looked
    ids = sorted({claim.message.id for claim, _ in wanted})
    recorded = {(one.message_id, one.route, one.part, one.name) for one in hub.store.lookups(*ids)}
    asked = _ask(hub, [one for one in _questions(hub, wanted, routes, looked) if _place(one) not in recorded], sender, looked)
    hub.store.record_lookups(asked)
    by_message: dict[str, list[Lookup]] = {}
    for one in hub.store.lookups(*ids):  # read again: where two workers asked, the first answer stands
        by_message.setdefault(one.message_id, []).append(one)
    for claim, _ in wanted:
        looked.found[claim.id] = found(by_message.get(claim.message.id, ()), claim.route, claim.part)
    return looked


def pinned_route(hub: Hub, claim: Claim) -> Route | None:
    """The route as the revision has it that makes the content."""
    catalog: Catalog = hub.catalogs.pinned(claim.content_revision)
    return next((route for route in catalog.routes if route.name == claim.route), None)


def _place(one: Question) -> tuple[str, str, int | None, str]:
    return (one.claim.message.id, one.claim.route, one.claim.part, one.enrich.name)


def _questions(hub: Hub, wanted: Sequence[tuple[Claim, Destination]], routes: Mapping[str, Route], looked: Looked) -> list[Question]:
    """What is asked, by the pinned revision. What cannot be asked ends its delivery: no second try would ask it differently."""
    questions: list[Question] = []
    for claim, to in wanted:
        message = claim.message
        catalog = hub.catalogs.pinned(claim.content_revision)
        try:
            payload = source_part(catalog, message.raw, message.ref, route=claim.route, part=claim.part, at=message.received_at, limits=hub.limits)
            for enrich in routes[claim.id].enrich:
                asked = enrich.fields.apply(payload, now=message.received_at)
                contract = catalog.contract(enrich.call)
                faults = contract.check(asked) if contract is not None else []
                if faults:
                    text = f"What the look-up {enrich.name} asks does not fit {enrich.call}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}."
                    raise GiveUp(Why(Reason.LOOKUP_FAILED, text, faults[0].pointer, "Mend the route's `with`."))  # noqa: TRY301
                asked = declared(contract, asked)
                questions.append(Question(claim, to, enrich, json.encode(asked), asked))
        except GiveUp as error:
            questions = [one for one in questions if one.claim is not claim]
            looked.ended.append(Settled(claim, Dead(error.why), Exchange(), hub.catalogs.active().revision))
    return questions


def _ask(hub: Hub, questions: Sequence[Question], sender: Sender, looked: Looked) -> list[Lookup]:
    """The answers to be recorded. Equal questions of one round are asked once."""
    lookups: list[Lookup] = []
    by_question: dict[tuple[str, bytes], list[Question]] = {}
    for one in questions:
        known = _cached(hub, one)
        if known is not None:
            lookups.append(Lookup(*_place(one), known))
        else:
            by_question.setdefault((str(one.enrich.call), one.body), []).append(one)
    groups = list(by_question.values())
    answers = _answers(hub, [group[0] for group in groups], sender)
    for group, (answer, done) in zip(groups, answers, strict=True):
        for one in group:
            if isinstance(answer, Reply):
                lookups.append(Lookup(*_place(one), answer.body))
                hub.remembered.put(f"lookup {one.enrich.call}", one.body, answer.body, hub.clock())
            elif one.enrich.on_fail is OnFail.SKIP:
                lookups.append(Lookup(*_place(one), None))
            else:
                _end(hub, one, answer, done, looked)
    return lookups


def _cached(hub: Hub, one: Question) -> bytes | None:
    if one.enrich.cache is None:
        return None
    known = hub.remembered.get(f"lookup {one.enrich.call}", one.body, within=one.enrich.cache, now=hub.clock())
    return known[0] if known is not None else None


def _answers(hub: Hub, questions: Sequence[Question], sender: Sender) -> list[tuple[Answer, Done | None]]:
    answers: list[tuple[Answer, Done | None]] = [(_unreachable(one), None) for one in questions]
    ready = []
    for number, one in enumerate(questions):
        target = hub.targets(one.enrich.call.system)
        if target is not None and not isinstance(target, BatchTarget):
            parcel = _parcel(one)
            try:
                ready.append((number, target, parcel, target.call(parcel)))
            except (GiveUp, TryLater) as error:  # its address cannot be filled, or there is nothing to sign it with
                answers[number] = (error, None)
    for index, done in sender.stream([call for *_, call in ready], CONCURRENCY):
        number, target, parcel, _ = ready[index]
        answer = _verdict(hub, target, parcel, done)
        if isinstance(answer, Reply) and answer.payload is None:
            answer = TryLater(Why(Reason.BAD_ANSWER, "The answer has no JSON body."))
        elif isinstance(answer, Reply):
            answer = _judged(hub, questions[number], answer)
        answers[number] = (answer, done)
    return answers


def _verdict(hub: Hub, target: LaneTarget, parcel: Parcel, done: Done) -> Answer:
    try:
        return target.verdict(parcel, done, now=hub.clock())
    except Exception as error:  # noqa: BLE001  an adapter's own fault ends its look-up, not the round
        event("answer.unexpected", told(error), level="error", message_id=parcel.message_id, trace_id=parcel.trace_id, lane=parcel.ref.system)
        return TryLater(Why(Reason.UNEXPECTED, f"{type(error).__name__} while judging the answer."))


def _judged(hub: Hub, one: Question, answer: Reply) -> Answer:
    """An answer that is not the message that the route says it is, is none: what a mapping asks of it would not be there."""
    contract = hub.catalogs.pinned(one.claim.content_revision).contract(one.enrich.reply) if one.enrich.reply is not None else None
    faults = contract.check(answer.payload) if contract is not None else []
    if not faults:
        return answer
    text = f"The answer does not fit {one.enrich.reply}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}."
    return TryLater(Why(Reason.BAD_ANSWER, text))


def _unreachable(one: Question) -> Answer:
    return GiveUp(Why(Reason.ORPHANED, f"There is no system {one.enrich.call.system} any more."))


def _parcel(one: Question) -> Parcel:
    message = one.claim.message
    return Parcel(
        key=f"{message.id}.{one.claim.route}.{one.enrich.name}" + (f".{one.claim.part}" if one.claim.part is not None else ""),
        ref=one.enrich.call,
        payload=one.asked,
        body=one.body,
        message_id=message.id,
        trace_id=message.trace_id,
        attempt=one.claim.attempt,
        deadline_s=one.destination.timeout.total_seconds(),
        is_doubted=one.claim.attempt > 1,  # it is asked under one key; whether an earlier question came through is not kept
    )


def _end(hub: Hub, one: Question, answer: TryLater | GiveUp | Unknown, done: Done | None, looked: Looked) -> None:
    """A delivery whose look-up failed goes by `on_fail`; it is settled once, however many of its look-ups failed."""
    if any(settled.claim.id == one.claim.id for settled in looked.ended):
        return
    why = Why(Reason.LOOKUP_FAILED, f"The look-up {one.enrich.name} ({one.enrich.call}) failed: {answer.why.text}", fix=answer.why.fix)
    outcome: Outcome
    match one.enrich.on_fail:
        case OnFail.HOLD:
            outcome = Hold(why)
        case OnFail.DEAD:
            outcome = Dead(why)
        case _:
            # The delivery itself was not sent, so nothing is in doubt: a look-up may be asked again.
            again: Answer = GiveUp(why) if isinstance(answer, GiveUp) else TryLater(why, answer.after_s if isinstance(answer, TryLater) else None)
            outcome = judge(again, one.claim, policy=one.destination.retry, in_doubt=InDoubtPolicy.RESEND, jitter=hub.random(), now=hub.clock())
    exchange = Exchange(status=done.status, reply=done.kept, ms=int(done.ms)) if done is not None else Exchange()
    looked.ended.append(Settled(one.claim, outcome, exchange, hub.catalogs.active().revision))
