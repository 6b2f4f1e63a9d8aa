"""The functions that expressions have beside JSONata's own, and those of JSONata's own that are replaced because they
are not pure or not bounded.

| function | gives |
|---|---|
| `$dec_add(a, b, …)`, `$dec_mul(a, b, …)` | exact sum and product of decimal texts or numbers, or of an array of them;
as text |
| `$dec_round(a, places)` | rounded half to even, with just so many places; as text |
| `$table(name, key)` | the row of one of the mapping's tables; no row: the delivery is dead, `codelist_miss` |
| `$date(value, from, to, zone)` | a time written another way: `rfc3339`, `epoch_s`, `epoch_ms`, or a pattern of yyyy MM
dd HH mm ss SSS XXX |
| `$mask(value)` | all but the first three and the last four characters as `*`; all of them, where there are fewer than
eight |
| `$uuid5(namespace, name)` | the name-based UUID (RFC 9562); the namespace is a UUID, or any word |
| `$now()`, `$millis()` | when the message was received |
| `$pad`, `$replace` | as JSONata has them, up to a million characters; `$replace` with a regular expression or a
function is the engine's own |
| `$toMillis` | as JSONata has it; what its picture leaves out is taken from when the message was received, not from
today |
| `$random`, `$shuffle`, `$eval` | refused |

A function here that is given nothing, or null, where it needs a value makes its whole expression give nothing, as an
unknown does in SQL: the engine hands over both alike, and has no way for a function to answer "nothing". No reason
repeats a value: it may be personal.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, NoReturn
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.core.documents.times import is_date_time
from hub.core.message import Json

MAX_MADE = 1_000_000  # characters that one call may make
MAX_PLACES = 400
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]{1,400})?", re.ASCII)
_TOKEN = re.compile(r"yyyy|MM|dd|HH|mm|ss|SSS|XXX|.", re.DOTALL)
_READS = {
    "yyyy": r"(\d{4})",
    "MM": r"(\d\d)",
    "dd": r"(\d\d)",
    "HH": r"(\d\d)",
    "mm": r"(\d\d)",
    "ss": r"(\d\d)",
    "SSS": r"(\d{3})",
}
_ZONE = "XXX"
_OFFSET = r"(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"


class Stop(Exception):  # a signal: the evaluation ends, and `FunctionContext` says why
    """A function ends the evaluation."""


class FunctionContext:
    """What the functions of one thread are told before each evaluation (`now`, `tables`), and what they tell back
    (`nothing`, `missed`, `said`).
    """

    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    tables: Mapping[str, Mapping[str, Json]] = {}  # never written to
    nothing: bool = False  # a function was given nothing: so is the result
    missed: str = ""  # the table that has no row
    said: str = ""  # what a function found wrong, in words without values

    def __init__(self, native: Callable[[str, Mapping[str, Any]], Any]) -> None:
        self.native = native  # evaluates an expression with the engine's own functions

    def told(self, now: datetime, tables: Mapping[str, Mapping[str, Json]]) -> None:
        self.now, self.tables = now, tables
        self.nothing, self.missed, self.said = False, "", ""


def functions(given: FunctionContext) -> dict[str, Callable[..., Any]]:
    """All functions of this module, by name, for the engine of one thread."""
    makers = {**_REPLACED, **_OWN}
    return {name: _guarded(name, function, given) for name, function in makers.items()}


def _guarded(name: str, function: Callable[..., Any], given: FunctionContext) -> Callable[..., Any]:
    needs = _NEEDS.get(name, 1)

    def call(*arguments: Any) -> Any:
        if len(arguments) < needs:
            # JSONata's own would take the context; a function of ours is not handed it.
            given.said = f"${name} takes what it works on in its brackets here, such as ${name}(field)"
            raise Stop
        if needs and arguments[0] is None:
            given.nothing = True
            raise Stop
        try:
            return function(given, *arguments)
        except Stop:
            raise
        except (ValueError, TypeError, ArithmeticError, OverflowError) as error:
            given.said = (
                f"${name}: {error}" if isinstance(error, _Wrong) else f"${name} was given arguments that it cannot use"
            )
            raise Stop from error

    return call


class _Wrong(ValueError):
    """What is wrong with an argument, in words that may be shown."""


def _wrong(text: str) -> NoReturn:
    raise _Wrong(text)


def _now(given: FunctionContext, *pictures: Any) -> str:
    if pictures:
        _wrong("takes no picture here; write $fromMillis($millis(), picture, zone)")
    return given.now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _millis(given: FunctionContext) -> int:
    return (given.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _never(reason: str) -> Callable[..., Any]:
    def refused(*_: Any) -> NoReturn:
        _wrong(reason)

    return refused


def _pad(_: FunctionContext, text: Any, width: Any, char: Any = " ") -> str:
    wanted = abs(int(width))
    if wanted > MAX_MADE:
        _wrong(f"makes at most {MAX_MADE} characters")
    filling = str(char or " ")
    missing = max(wanted - len(text), 0)
    fill = (filling * (missing // len(filling) + 1))[:missing]
    return str(text + fill if width >= 0 else fill + text)


def _replace(_: FunctionContext, text: Any, pattern: Any, replacement: Any = None, *limits: Any) -> str:
    if not isinstance(pattern, str) or not isinstance(replacement, str) or not pattern:
        _wrong("takes a text, a pattern that is not empty, and a replacement")
    times = text.count(pattern)
    for limit in limits:
        if isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 0:
            _wrong("takes a limit that is a number, and not below 0")
        times = min(int(limit), times)
    if len(text) + times * max(len(replacement) - len(pattern), 0) > MAX_MADE:
        _wrong(f"makes at most {MAX_MADE} characters")
    return str(text.replace(pattern, replacement, times))


_PICTURE_PART = re.compile(r"\[\s*([YXMxWwdDFPHhmsfZzCE])[^\]]*\]|\[\[")


def _to_millis(given: FunctionContext, text: Any, picture: Any = None, *_: Any) -> Any:
    """The engine takes the day of today for what a picture leaves out; the same message must always give the same
    result.
    """
    if not isinstance(picture, str):
        return given.native("$toMillis($text)", {"text": text})
    parts = set(_PICTURE_PART.findall(picture))
    if parts and "Y" not in parts and "X" not in parts:
        if parts & {"W", "w", "x", "F"}:
            _wrong("needs a year in its picture, such as [Y0001], beside a week")
        day = given.now.astimezone(UTC)
        known = (
            ("[Y0001]",)
            if parts & {"M", "d"}
            else ("[Y0001]", "[M01]")
            if "D" in parts
            else ("[Y0001]", "[M01]", "[D01]")
        )
        shown = {"[Y0001]": f"{day.year:04}", "[M01]": f"{day.month:02}", "[D01]": f"{day.day:02}"}
        text = "-".join(shown[part] for part in known) + " " + str(text)
        picture = "-".join(known) + " " + picture
    return given.native("$toMillis($text, $picture)", {"text": text, "picture": picture})


def _decimals(values: tuple[Any, ...]) -> list[Decimal]:
    found: list[Decimal] = []
    for value in values:
        found += _decimals(tuple(value)) if isinstance(value, list) else [_decimal(value)]
    return found


def _decimal(value: Any) -> Decimal:
    if value is None:
        raise _NothingGiven
    text = f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not _DECIMAL.fullmatch(text):
        shown = (
            f"a text of {len(value)} characters"
            if isinstance(value, str)
            else "something that is no text and no number"
        )
        _wrong(f"{shown} is no decimal such as 19.99")
    return Decimal(text)


class _NothingGiven(Exception):  # a signal inside this module
    pass


def _exact(given: FunctionContext, values: tuple[Any, ...], fold: Callable[[list[Decimal]], Decimal]) -> str:
    try:
        with localcontext(prec=5_000):
            return f"{fold(_decimals(values)):f}"
    except _NothingGiven:
        given.nothing = True
        raise Stop from None


def _dec_add(given: FunctionContext, *values: Any) -> str:
    return _exact(given, values, lambda numbers: sum(numbers, Decimal(0)))


def _dec_mul(given: FunctionContext, *values: Any) -> str:
    def product(numbers: list[Decimal]) -> Decimal:
        if len(numbers) > 10:
            _wrong("multiplies at most ten numbers")
        made = Decimal(1)
        for number in numbers:
            made *= number
        return made

    return _exact(given, values, product)


def _dec_round(given: FunctionContext, value: Any, places: Any = 0) -> str:
    if isinstance(places, bool) or not isinstance(places, int) or not 0 <= places <= MAX_PLACES:
        _wrong(f"rounds to 0 to {MAX_PLACES} places")
    return _exact(
        given, (value,), lambda numbers: numbers[0].quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    )


def _table(given: FunctionContext, name: Any, key: Any = None) -> Json:
    rows = given.tables.get(str(name))
    if rows is None:
        _wrong(f"there is no table {str(name)[:64]!r} here; a mapping names its own under `tables:`")
    if key is None:
        given.nothing = True
        raise Stop
    row = table_key(key)
    if row is None or row not in rows:
        given.missed = str(name)
        raise Stop
    return rows[row]


def table_key(value: Any) -> str | None:
    """A value as the name of a row: texts as they are, whole numbers and booleans as JSON writes them; None for what
    names no row.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | float):
        return f"{Decimal(value).normalize():f}"
    return str(value) if isinstance(value, str | int) else None


def _mask(_: FunctionContext, value: Any) -> str:
    text = str(value)
    return text[:3] + "*" * (len(text) - 7) + text[-4:] if len(text) > 7 else "*" * len(text)


def _uuid5(given: FunctionContext, namespace: Any, name: Any = None) -> str:
    if name is None:
        given.nothing = True
        raise Stop
    try:
        space = uuid.UUID(str(namespace))
    except ValueError:
        space = uuid.uuid5(uuid.NAMESPACE_URL, str(namespace))
    return str(uuid.uuid5(space, str(name)))


def _date(_: FunctionContext, value: Any, source: Any, target: Any, zone: Any = "UTC") -> str | int:
    """A time without an offset is read in `zone`; of an hour that a clock shows twice, the first. The result is written
    in `zone`.
    """
    try:
        where = ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _wrong(f"{str(zone)[:64]!r} is no time zone such as Asia/Shanghai")
    return _written(_moment(value, str(source), where), str(target), where)


def _moment(value: Any, pattern: str, zone: ZoneInfo) -> datetime:
    if pattern in {"epoch_s", "epoch_ms"}:
        seconds = _decimal(value) / (1000 if pattern == "epoch_ms" else 1)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(seconds * 1_000_000))
    text = str(value)
    if pattern == "rfc3339":
        if not is_date_time(text):
            _wrong("the time is not written as RFC 3339 with an offset, such as 2025-11-22T10:00:00+08:00")
        return datetime.fromisoformat(text.upper())
    tokens = _TOKEN.findall(pattern)
    found = re.fullmatch(
        "".join(_OFFSET if token == _ZONE else _READS.get(token, re.escape(token)) for token in tokens), text, re.ASCII
    )
    if found is None:
        _wrong(f"the time is not written as {pattern[:64]}")
    part = dict(zip([token for token in tokens if token in _READS or token == _ZONE], found.groups(), strict=True))
    offset = part.pop(_ZONE, None)
    year, month, day, hour, minute, second, ms = (int(part.get(token, first)) for token, first in _FIRST.items())
    try:
        local = datetime(year, month, day, hour, minute, second, ms * 1000, tzinfo=zone)
    except ValueError:
        _wrong("there is no such day or hour")
    if offset is not None:
        return datetime.fromisoformat(local.replace(tzinfo=None).isoformat() + offset)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        _wrong(f"the clock in {zone.key} never shows this time: it is put forward then")
    return local


_FIRST = {"yyyy": "1970", "MM": "1", "dd": "1", "HH": "0", "mm": "0", "ss": "0", "SSS": "0"}


def _written(moment: datetime, pattern: str, zone: ZoneInfo) -> str | int:
    if pattern in {"epoch_s", "epoch_ms"}:
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            milliseconds=1000 if pattern == "epoch_s" else 1
        )
    local = moment.astimezone(zone)
    if pattern == "rfc3339":
        return local.isoformat()
    offset = local.isoformat()[-6:]
    words = {
        "yyyy": f"{local.year:04}",
        "MM": f"{local.month:02}",
        "dd": f"{local.day:02}",
        "HH": f"{local.hour:02}",
        "mm": f"{local.minute:02}",
        "ss": f"{local.second:02}",
        "SSS": f"{local.microsecond // 1000:03}",
        "XXX": offset,
    }
    return "".join(words.get(token, token) for token in _TOKEN.findall(pattern))


def _url(change: Callable[[str], str]) -> Callable[..., Any]:
    """The engine's own leave blanks as they are, and escape what ECMAScript's encodeURI and encodeURIComponent do
    not.
    """

    def function(_given: FunctionContext, text: Any) -> Any:
        if not isinstance(text, str):
            raise TypeError("takes a text")
        return change(text)

    return function


_RESERVED = re.compile(r"%(?:3B|2C|2F|3F|3A|40|26|3D|2B|24|23)", re.IGNORECASE)


def _decode_url(text: str) -> str:
    """As decodeURI: the escapes of what separates the parts of a URL stay."""
    return unquote(_RESERVED.sub(lambda found: "%25" + found[0][1:], text), errors="strict")


_REPLACED: Mapping[str, Callable[..., Any]] = {
    "now": _now,
    "millis": _millis,
    "random": _never("is refused: the same message must always give the same result"),
    "shuffle": _never("is refused: the same message must always give the same result"),
    "eval": _never("is refused: data is never run"),
    "pad": _pad,
    "toMillis": _to_millis,
    "replace": _replace,
    "encodeUrl": _url(lambda text: quote(text, safe=";,/?:@&=+$#-_.!~*'()")),
    "encodeUrlComponent": _url(lambda text: quote(text, safe="-_.!~*'()")),
    "decodeUrl": _url(_decode_url),
    "decodeUrlComponent": _url(lambda text: unquote(text, errors="strict")),
}
_OWN: Mapping[str, Callable[..., Any]] = {
    "dec_add": _dec_add,
    "dec_mul": _dec_mul,
    "dec_round": _dec_round,
    "table": _table,
    "date": _date,
    "mask": _mask,
    "uuid5": _uuid5,
}
# how many arguments must be there; else one
_NEEDS: Mapping[str, int] = {"now": 0, "millis": 0, "random": 0, "shuffle": 0, "eval": 0}
REPLACED = frozenset(_REPLACED)
OWN = frozenset(_OWN)
BUILT_IN = frozenset(
    "abs append assert average base64decode base64encode boolean ceil contains count decodeUrl decodeUrlComponent distinct each encodeUrl"
    " encodeUrlComponent error eval exists filter floor formatBase formatInteger formatNumber fromMillis join keys length lookup lowercase map"
    " match max merge millis min not now number pad parseInteger power random reduce replace reverse round shuffle sift single sort split spread"
    " sqrt string substring substringAfter substringBefore sum toMillis trim type uppercase zip".split(),
)
