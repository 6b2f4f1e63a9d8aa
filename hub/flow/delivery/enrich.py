"""Looks up data for a route before its mapping (`enrich`). Each look-up is made once per message, and its answer is
recorded.

recorded? → cached? → ask (no transaction open) → record → the mapping reads the recorded answer

If we die before the answer is recorded, it is asked again under the same key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.catalog import Catalog
from hub.core import json
from hub.core.adapter import Answer, Parcel, Reply
from hub.core.config.routing import Destination, Enrich, OnFail, Route
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.message import Json
from hub.core.model.delivery import Claim, Dead, Exchange, Hold, InDoubtPolicy, Outcome, Settlement, judge
from hub.core.schemas.integers import declared
from hub.flow.hub import Hub, LaneTarget
from hub.flow.render import found, source_part
from hub.kit.http.call import HttpResult
from hub.kit.http.sender import Sender
from hub.kit.target import BatchTarget
from hub.logs import event, told
from hub.store import Lookup

CONCURRENCY = 32


@dataclass(frozen=True, slots=True)
class Question:
    """A look-up that a delivery still needs."""

    claim: Claim
    destination: Destination
    enrich: Enrich
    body: bytes = b""
    asked: Json = None


@dataclass(slots=True)
class LookupResult:
    """`found`: the look-ups that the mappings read, by delivery. `ended`: settlements of the deliveries whose look-up
    failed.
    """

    found: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    ended: list[Settlement] = field(default_factory=list)


def look_up(hub: Hub, ways: Sequence[tuple[Claim, Destination]], sender: Sender) -> LookupResult:
    """Makes all look-ups of these deliveries, each by the revision that makes the delivery's content. Raises StoreBusy:
    nothing was recorded.
    """
    result = LookupResult()
    routes = {claim.id: route for claim, _ in ways if (route := pinned_route(hub, claim)) is not None and route.enrich}
    enriched = [(claim, to) for claim, to in ways if claim.id in routes]
    if not enriched:
        return result
    ids = sorted({claim.message.id for claim, _ in enriched})
    recorded = {(lookup.message_id, lookup.route, lookup.part, lookup.name) for lookup in hub.store.lookups(*ids)}
    asked = _ask(
        hub,
        [question for question in _questions(hub, enriched, routes, result) if _lookup_key(question) not in recorded],
        sender,
        result,
    )
    hub.store.record_lookups(asked)
    by_message: dict[str, list[Lookup]] = {}
    for lookup in hub.store.lookups(*ids):  # read again: if two workers asked, the first recorded answer counts
        by_message.setdefault(lookup.message_id, []).append(lookup)
    for claim, _ in enriched:
        result.found[claim.id] = found(by_message.get(claim.message.id, ()), claim.route, claim.part)
    return result


def pinned_route(hub: Hub, claim: Claim) -> Route | None:
    """The claim's route in the revision that makes its content."""
    catalog: Catalog = hub.catalogs.pinned(claim.content_revision)
    return next((route for route in catalog.routes if route.name == claim.route), None)


def _lookup_key(question: Question) -> tuple[str, str, int | None, str]:
    return (question.claim.message.id, question.claim.route, question.claim.part, question.enrich.name)


def _questions(
    hub: Hub, ways: Sequence[tuple[Claim, Destination]], routes: Mapping[str, Route], result: LookupResult
) -> list[Question]:
    """Builds the questions by the pinned revision. If a question cannot be built, its delivery ends: a retry would
    build the same one.
    """
    questions: list[Question] = []
    for claim, to in ways:
        message = claim.message
        catalog = hub.catalogs.pinned(claim.content_revision)
        try:
            payload = source_part(
                catalog,
                message.raw,
                message.ref,
                route=claim.route,
                part=claim.part,
                at=message.received_at,
                limits=hub.limits,
            )
            for enrich in routes[claim.id].enrich:
                asked = enrich.fields.apply(payload, now=message.received_at)
                contract = catalog.contract(enrich.call)
                faults = contract.check(asked) if contract is not None else []
                if faults:
                    text = f"What the look-up {enrich.name} asks does not fit {enrich.call}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}."
                    raise GiveUp(Cause(Reason.LOOKUP_FAILED, text, faults[0].pointer, "Mend the route's `with`."))  # noqa: TRY301
                asked = declared(contract, asked)
                questions.append(Question(claim, to, enrich, json.encode(asked), asked))
        except GiveUp as error:
            questions = [question for question in questions if question.claim is not claim]
            result.ended.append(Settlement(claim, Dead(error.why), Exchange(), hub.catalogs.active().revision))
    return questions


def _ask(hub: Hub, questions: Sequence[Question], sender: Sender, result: LookupResult) -> list[Lookup]:
    """Asks the targets, and gives the answers to record. Equal questions of one round are asked once."""
    lookups: list[Lookup] = []
    by_question: dict[tuple[str, bytes], list[Question]] = {}
    for question in questions:
        cached = _cached(hub, question)
        if cached is not None:
            lookups.append(Lookup(*_lookup_key(question), cached))
        else:
            by_question.setdefault((str(question.enrich.call), question.body), []).append(question)
    groups = list(by_question.values())
    answers = _answers(hub, [group[0] for group in groups], sender)
    for group, (answer, done) in zip(groups, answers, strict=True):
        for question in group:
            if isinstance(answer, Reply):
                lookups.append(Lookup(*_lookup_key(question), answer.body))
                hub.remembered.put(f"lookup {question.enrich.call}", question.body, answer.body, hub.clock())
            elif question.enrich.on_fail is OnFail.SKIP:
                lookups.append(Lookup(*_lookup_key(question), None))
            else:
                _end(hub, question, answer, done, result)
    return lookups


def _cached(hub: Hub, question: Question) -> bytes | None:
    if question.enrich.cache is None:
        return None
    cached = hub.remembered.get(
        f"lookup {question.enrich.call}", question.body, within=question.enrich.cache, now=hub.clock()
    )
    return cached[0] if cached is not None else None


def _answers(hub: Hub, questions: Sequence[Question], sender: Sender) -> list[tuple[Answer, HttpResult | None]]:
    answers: list[tuple[Answer, HttpResult | None]] = [(_unreachable(question), None) for question in questions]
    ready = []
    for number, question in enumerate(questions):
        target = hub.targets(question.enrich.call.system)
        if target is not None and not isinstance(target, BatchTarget):
            parcel = _parcel(question)
            try:
                ready.append((number, target, parcel, target.call(parcel)))
            except (GiveUp, TryLater) as error:  # the call cannot be built or signed
                answers[number] = (error, None)
    for index, done in sender.stream([call for *_, call in ready], CONCURRENCY):
        number, target, parcel, _ = ready[index]
        answer = _verdict(hub, target, parcel, done)
        if isinstance(answer, Reply) and answer.payload is None:
            answer = TryLater(Cause(Reason.BAD_ANSWER, "The answer has no JSON body."))
        elif isinstance(answer, Reply):
            answer = _judged(hub, questions[number], answer)
        answers[number] = (answer, done)
    return answers


def _verdict(hub: Hub, target: LaneTarget, parcel: Parcel, done: HttpResult) -> Answer:
    try:
        return target.verdict(parcel, done, now=hub.clock())
    except Exception as error:  # noqa: BLE001  an adapter's bug fails its look-up, not the round
        event(
            "answer.unexpected",
            told(error),
            level="error",
            message_id=parcel.message_id,
            trace_id=parcel.trace_id,
            lane=parcel.ref.system,
        )
        return TryLater(Cause(Reason.UNEXPECTED, f"{type(error).__name__} while judging the answer."))


def _judged(hub: Hub, question: Question, answer: Reply) -> Answer:
    """Validates the answer against the reply contract of the look-up. An answer that does not fit counts as a failure:
    the mapping could not read it.
    """
    contract = (
        hub.catalogs.pinned(question.claim.content_revision).contract(question.enrich.reply)
        if question.enrich.reply is not None
        else None
    )
    faults = contract.check(answer.payload) if contract is not None else []
    if not faults:
        return answer
    text = f"The answer does not fit {question.enrich.reply}: {faults[0].pointer or '/'} is {faults[0].got}, wanted {faults[0].want}."
    return TryLater(Cause(Reason.BAD_ANSWER, text))


def _unreachable(question: Question) -> Answer:
    return GiveUp(Cause(Reason.ORPHANED, f"There is no system {question.enrich.call.system} any more."))


def _parcel(question: Question) -> Parcel:
    message = question.claim.message
    return Parcel(
        key=f"{message.id}.{question.claim.route}.{question.enrich.name}"
        + (f".{question.claim.part}" if question.claim.part is not None else ""),
        ref=question.enrich.call,
        payload=question.asked,
        body=question.body,
        message_id=message.id,
        trace_id=message.trace_id,
        attempt=question.claim.attempt,
        deadline_s=question.destination.timeout.total_seconds(),
        # the key is the same for each attempt; whether an earlier question arrived is not recorded
        is_doubted=question.claim.attempt > 1,
    )


def _end(
    hub: Hub, question: Question, answer: TryLater | GiveUp | Unknown, done: HttpResult | None, result: LookupResult
) -> None:
    """Ends a delivery whose look-up failed, as `on_fail` says. It is settled once, even if several of its look-ups
    failed.
    """
    if any(settled.claim.id == question.claim.id for settled in result.ended):
        return
    why = Cause(
        Reason.LOOKUP_FAILED,
        f"The look-up {question.enrich.name} ({question.enrich.call}) failed: {answer.why.text}",
        fix=answer.why.fix,
    )
    outcome: Outcome
    match question.enrich.on_fail:
        case OnFail.HOLD:
            outcome = Hold(why)
        case OnFail.DEAD:
            outcome = Dead(why)
        case _:
            # The delivery itself was not sent, so no outcome is unknown: the look-up may be repeated.
            again: Answer = (
                GiveUp(why)
                if isinstance(answer, GiveUp)
                else TryLater(why, answer.after_s if isinstance(answer, TryLater) else None)
            )
            outcome = judge(
                again,
                question.claim,
                policy=question.destination.retry,
                in_doubt=InDoubtPolicy.RESEND,
                jitter=hub.random(),
                now=hub.clock(),
            )
    exchange = Exchange(status=done.status, reply=done.kept, ms=int(done.ms)) if done is not None else Exchange()
    result.ended.append(Settlement(question.claim, outcome, exchange, hub.catalogs.active().revision))
