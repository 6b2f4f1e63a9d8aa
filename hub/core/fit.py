"""Whether what is made fits what is wanted: one inferred shape against one of the target's contract, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.core.infer import Oddity
from hub.core.json import escape
from hub.core.types import MISSING, Shape, field_of, is_closed, item_of, names_of, required_of

MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit: where in the target (JSON pointer, `*` for elements), and what."""

    pointer: str
    odd: Oddity


@dataclass(slots=True)
class Fitting:
    """The misfits of one leaf, and whether anything in it could not be decided."""

    undecided: bool = False


def misfits(made: Shape, wanted: Shape, fitting: Fitting, *, required: bool, at: str = "", depth: int = 0) -> Iterator[Misfit]:
    """All that does not fit. Nothing for what is undecided: that is noted in `fitting`."""
    if made.kinds is None:
        fitting.undecided = True
        return
    if wanted.kinds is None:
        return
    if MISSING in made.kinds and required:
        yield Misfit(at, Oddity("may_be_missing", "the target requires it, and it may be missing", "give another value where it is: field ? field : 'none'"))
    if "null" in made.kinds and "null" not in wanted.kinds:
        yield Misfit(
            at, Oddity("may_be_null", "it may be null, and the target takes no null", "leave it out where it is null: {when: 'field != null', value: field}")
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


def _many(made: Shape, wanted: Shape, fitting: Fitting, at: str, depth: int) -> Iterator[Misfit]:
    """A path over a list gives one value, or an array of several: whether one or many come decides, and neither is wanted always."""
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
        return Oddity("fraction", "it may have a fraction, and the target wants an integer", "$round(field), or $floor(field)")
    if "array" in wrong and not {"array"} & allowed:
        return Oddity("many_into_one", f"it is a list, and the target wants {want}", "choose one element, such as items[0]")
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
    strange = list(_values(made, wanted, at))
    yield from strange
    # A value that is not known is too long as well, more often than not: one mistake is one finding.
    if not strange and made.longest is not None and wanted.longest is not None and made.longest > wanted.longest:
        yield Misfit(
            at, Oddity("too_long", f"it can have {made.longest} characters, and the target takes {wanted.longest}", f"$substring(field, 0, {wanted.longest})")
        )
    if made.formats and wanted.formats and not made.formats & wanted.formats:
        text = f"it is of format {', '.join(sorted(made.formats))}, and the target wants {', '.join(sorted(wanted.formats))}"
        yield Misfit(at, Oddity("other_format", text, "convert it: $date(field, from, to, zone)"))
    if made.personal and not wanted.personal and made.kinds is not None and made.kinds & {"string", "number", "integer"}:
        yield Misfit(
            at, Oddity("personal", "it is personal, and the target's contract does not declare it (x-pii)", "declare x-pii there, or send $mask(field)")
        )


def _values(made: Shape, wanted: Shape, at: str) -> Iterator[Misfit]:
    if wanted.values is not None and made.kinds is not None and made.kinds & {"string", "number", "integer", "boolean"}:
        if made.values is not None:
            extra = sorted(str(value) for value in made.values - wanted.values)
            if extra:
                yield Misfit(
                    at,
                    Oddity(
                        "unknown_value",
                        f"the target does not know {', '.join(extra[:5])}",
                        f"it knows {', '.join(sorted(map(str, wanted.values))[:8])}; translate by a table",
                    ),
                )
        elif "string" in made.kinds:
            text = f"it can be any text, and the target knows only {', '.join(sorted(map(str, wanted.values))[:8])}"
            yield Misfit(at, Oddity("any_value", text, "translate by a table with an otherwise"))


def _inside(made: Shape, wanted: Shape, fitting: Fitting, at: str, depth: int) -> Iterator[Misfit]:
    if made.may("array") and wanted.may("array"):
        yield from misfits(item_of(made).without(MISSING), item_of(wanted), fitting, required=False, at=f"{at}/*", depth=depth + 1)
    if not (made.may("object") and wanted.may("object")):
        return
    names, required = names_of(made), required_of(wanted)
    if not names and made.fields is None:
        fitting.undecided = fitting.undecided or bool(required)
        return
    for name in sorted(names):
        there = field_of(wanted, name)
        if is_closed(wanted) and name not in names_of(wanted):
            yield Misfit(f"{at}/{escape(name)}", Oddity("unknown_field", f"the target has no {name}", "leave it out: {copy: field, except: [" + name + "]}"))
        else:
            yield from misfits(field_of(made, name), there, fitting, required=name in required, at=f"{at}/{escape(name)}", depth=depth + 1)
    for name in sorted(required - names):
        if is_closed(made) or made.fields is not None:
            yield Misfit(f"{at}/{escape(name)}", Oddity("missing_field", f"the target requires {name}, and nothing makes it", f"add {name}"))
