"""Whether what is made fits what is wanted: one inferred shape against one of the target's contract, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.core.analysis.formats import are_apart, never_meets
from hub.core.analysis.infer import Oddity
from hub.core.analysis.narrowed_values import matches
from hub.core.json import escape
from hub.core.schemas.types import MISSING, Shape, field_of, is_closed, item_of, names_of, required_of

MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit: where in the target (JSON pointer, `*` for elements), and what."""

    pointer: str
    odd: Oddity


@dataclass(slots=True)
class Assignability:
    """The misfits of one leaf, and whether anything in it could not be decided."""

    undecided: bool = False


def misfits(
    made: Shape, wanted: Shape, fitting: Assignability, *, required: bool, at: str = "", depth: int = 0
) -> Iterator[Misfit]:
    """All that does not fit. Nothing for what is undecided: that is noted in `fitting`."""
    if made.kinds is None:
        fitting.undecided = True
        return
    if wanted.kinds is None:
        return
    if MISSING in made.kinds and required:
        yield Misfit(at, may_be_missing())
    if "null" in made.kinds and "null" not in wanted.kinds:
        yield Misfit(
            at,
            Oddity(
                "may_be_null",
                "it may be null, and the target takes no null",
                "leave it out where it is null: {when: 'field != null', value: field}",
            ),
        )
    kinds = made.kinds - {MISSING, "null"}
    allowed = wanted.kinds | ({"integer"} if "number" in wanted.kinds else set())
    if made.many:
        yield from _many(made, wanted, fitting, at, depth)
        return
    wrong = kinds - allowed
    if wrong:
        yield Misfit(at, _wrong(wrong, allowed))
        return
    yield from _scalars(made, wanted, at)
    if depth < MAX_DEPTH:
        yield from _inside(made, wanted, fitting, at, depth)


def may_be_missing() -> Oddity:
    return Oddity(
        "may_be_missing",
        "the target requires it, and it may be missing",
        "give another value where it is: field ? field : 'none'",
    )


def _many(made: Shape, wanted: Shape, fitting: Assignability, at: str, depth: int) -> Iterator[Misfit]:
    """A path over a list gives one value, or an array of several: whether one or many come decides, and neither is
    wanted always.
    """
    kinds = wanted.kinds or frozenset()
    if "array" in kinds and not kinds & (made.without(MISSING, "array", "null").kinds or frozenset()):
        yield Misfit(
            at,
            Oddity(
                "one_or_many",
                "of one element it gives a single value, and the target wants a list",
                "keep it a list: write [] behind the path, such as items.sku[]",
            ),
        )
    elif "array" not in kinds:
        yield Misfit(
            at,
            Oddity(
                "many_into_one",
                "of several elements it gives a list, and the target wants a single value",
                "choose one, such as items[0].sku, or join them: $join(items.sku, ',')",
            ),
        )
    elif depth < MAX_DEPTH:
        yield from misfits(item_of(made), item_of(wanted), fitting, required=False, at=f"{at}/*", depth=depth + 1)


def _wrong(wrong: frozenset[str], allowed: frozenset[str]) -> Oddity:
    got, want = " or ".join(sorted(wrong)), " or ".join(sorted(allowed - {"null"})) or "null"
    if wrong == {"number"} and "integer" in allowed:
        return Oddity(
            "fraction", "it may have a fraction, and the target wants an integer", "$round(field), or $floor(field)"
        )
    if "array" in wrong and not {"array"} & allowed:
        return Oddity(
            "many_into_one", f"it is a list, and the target wants {want}", "choose one element, such as items[0]"
        )
    if allowed >= {"array"} and not wrong & {"array"}:
        return Oddity("one_or_many", f"it is {got}, and the target wants a list", "put it into a list: [field]")
    fix = (
        "$string(field)"
        if "string" in allowed and wrong <= {"number", "integer", "boolean"}
        else "$number(field)"
        if wrong == {"string"} and allowed & {"number", "integer"}
        else ""
    )
    return Oddity("wrong_kind", f"it is {got}, and the target wants {want}", fix or f"make {want} of it")


def _scalars(made: Shape, wanted: Shape, at: str) -> Iterator[Misfit]:
    """At most one misfit of the value itself: one that is not known is too long as well, more often than not, and one
    mistake is one finding.
    """
    odd = _value(made, wanted) or _form(made, wanted) or _length(made, wanted) or _bounds(made, wanted)
    if odd is not None:
        yield Misfit(at, odd)
    if (
        made.personal
        and not wanted.personal
        and made.kinds is not None
        and made.kinds & {"string", "number", "integer"}
    ):
        yield Misfit(
            at,
            Oddity(
                "personal",
                "it is personal, and the target's contract does not declare it (x-pii)",
                "declare x-pii there, or send $mask(field)",
            ),
        )


def _value(made: Shape, wanted: Shape) -> Oddity | None:
    """Values that the target does not list, or that its pattern refuses."""
    kinds = (made.kinds or frozenset()) & {"string", "number", "integer", "boolean"}
    if not kinds:
        return None
    values = made.values
    if values is None and kinds == {"boolean"}:
        values = frozenset({True, False})
    if wanted.values is not None:
        known = ", ".join(sorted(map(_shown, wanted.values))[:8])
        if values is not None:
            extra = sorted(_shown(value) for value in values if not _is_among(value, wanted.values))
            return (
                Oddity(
                    "unknown_value",
                    f"the target does not know {', '.join(extra[:5])}",
                    f"it knows {known}; translate by a table",
                )
                if extra
                else None
            )
        kind = "text" if "string" in kinds else "number"
        return Oddity(
            "any_value",
            f"it can be any {kind}, and the target knows only {known}",
            "translate by a table with an otherwise",
        )
    refused = sorted(
        one
        for one in values or ()
        if isinstance(one, str)
        for pattern in wanted.patterns
        if matches(pattern, one) is False
    )
    if refused and "string" in kinds:
        text = f"the target's pattern does not take {', '.join(dict.fromkeys(refused[:5]))}"
        return Oddity("unknown_value", text, f"it takes {' and '.join(sorted(wanted.patterns))}; translate by a table")
    return None


def _is_among(value: object, known: frozenset[object]) -> bool:
    return any(one == value and isinstance(one, bool) is isinstance(value, bool) for one in known)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _form(made: Shape, wanted: Shape) -> Oddity | None:
    """A text of a known form, where another form, or a pattern that it never meets, is wanted."""
    if not made.may("string") or not made.formats:
        return None
    form = ", ".join(sorted(made.formats))
    others = sorted(one for one in wanted.formats if all(are_apart(mine, one) for mine in made.formats))
    if others:
        return Oddity(
            "other_format",
            f"it is of format {form}, and the target wants {', '.join(others)}",
            "convert it: $date(field, from, to, zone)",
        )
    for pattern in sorted(wanted.patterns):
        if all(never_meets(mine, pattern) for mine in made.formats):
            text = f"it is of format {form}, which the target's pattern {pattern} never takes"
            return Oddity("other_format", text, "convert it: $date(field, from, to, zone), or $replace")
    return None


def _length(made: Shape, wanted: Shape) -> Oddity | None:
    if not made.may("string"):
        return None
    if wanted.longest is not None and made.longest is not None and made.longest > wanted.longest:
        text = f"it can have {made.longest} characters, and the target takes {wanted.longest}"
        return Oddity("too_long", text, f"$substring(field, 0, {wanted.longest})")
    if wanted.longest is not None and made.shortest is not None and made.shortest > wanted.longest:
        text = f"it has {made.shortest} characters at least, and the target takes {wanted.longest}"
        return Oddity("too_long", text, f"$substring(field, 0, {wanted.longest})")
    if wanted.shortest is None:
        return None
    if made.longest is not None and made.longest < wanted.shortest:
        return Oddity(
            "out_of_bounds",
            f"it has {made.longest} characters at most, and the target wants {wanted.shortest}",
            "give what is long enough",
        )
    if made.shortest is not None and 0 < made.shortest < wanted.shortest:
        text = f"it can have {made.shortest} characters, and the target wants {wanted.shortest} at least"
        return Oddity(
            "out_of_bounds",
            text,
            f"leave it out where it is shorter: {{when: $length(field) >= {wanted.shortest}, value: field}}",
        )
    return None


def _bounds(made: Shape, wanted: Shape) -> Oddity | None:
    """A number that can be beyond what the target takes. Of what is computed, only one that always is: its bounds are
    those of the worst case.
    """
    if not (made.may("number") or made.may("integer")):
        return None
    is_never = made.span.meet(wanted.span).is_empty()
    if is_never or (not made.is_computed and made.span.exceeds(wanted.span)):
        text = f"it {'is always' if is_never else 'can be'} {made.span}, and the target takes {wanted.span}"
        return Oddity("out_of_bounds", text, "leave out what the target refuses: {when: field <= ..., value: field}")
    return None


def _inside(made: Shape, wanted: Shape, fitting: Assignability, at: str, depth: int) -> Iterator[Misfit]:
    if made.may("array") and wanted.may("array"):
        yield from misfits(
            item_of(made).without(MISSING), item_of(wanted), fitting, required=False, at=f"{at}/*", depth=depth + 1
        )
    if not (made.may("object") and wanted.may("object")):
        return
    # where it is missing or null, so is all that is in it, and that is told of the object itself
    made = made.only("object")
    names, required = names_of(made), required_of(wanted)
    if not names and made.fields is None:
        fitting.undecided = fitting.undecided or bool(required)
        return
    for name in sorted(names):
        there = field_of(wanted, name)
        if is_closed(wanted) and name not in names_of(wanted):
            yield Misfit(
                f"{at}/{escape(name)}",
                Oddity(
                    "unknown_field", f"the target has no {name}", "leave it out: {copy: field, except: [" + name + "]}"
                ),
            )
        else:
            yield from misfits(
                field_of(made, name),
                there,
                fitting,
                required=name in required,
                at=f"{at}/{escape(name)}",
                depth=depth + 1,
            )
    for name in sorted(required - names):
        if is_closed(made) or made.fields is not None:
            yield Misfit(
                f"{at}/{escape(name)}",
                Oddity("missing_field", f"the target requires {name}, and nothing makes it", f"add {name}"),
            )
