"""Answers are what their declarations say: a row becomes one by the names of its fields."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

import pytest

from hub.core.errors import Cause, Reason
from hub.core.message import Ref
from hub.core.model.delivery import Status
from hub.flow.answers.fields import Time, fill


class Line(TypedDict):
    id: str
    createdAt: Time
    isExact: bool
    p50Ms: float | None
    status: str
    target: str
    keys: list[str]
    why: dict[str, str]
    note: NotRequired[str]


Way = TypedDict("Way", {"from": str, "to": str})


@dataclass(frozen=True)
class Row:
    id: str = "a"
    created_at: datetime = datetime(2026, 5, 1, 8, tzinfo=UTC)
    is_exact: bool = True
    p50_ms: float | None = None
    status: Status = Status.DEAD
    ref: Ref = Ref("wms", "outbound.create", 1)  # noqa: RUF009  a frozen value
    keys: tuple[str, ...] = ("x", "y")
    why: Cause = Cause(Reason.REFUSED, "no")  # noqa: RUF009  a frozen value
    from_: str = "oms"


def test_a_row_becomes_an_answer_by_the_names_of_the_declared_fields():
    answer = fill(Line, Row(), target=Row.ref)
    assert list(answer.items()) == [
        ("id", "a"),
        ("createdAt", "2026-05-01T08:00:00+00:00"),
        ("isExact", True),
        ("p50Ms", None),
        ("status", "dead"),
        ("target", "wms/outbound.create@1"),
        ("keys", ["x", "y"]),
        ("why", {"reason": "refused", "text": "no", "field": "", "fix": ""}),
    ]
    assert fill(Line, Row(), target="t", note="n", id="b") | {} == {**answer, "target": "t", "note": "n", "id": "b"}
    assert fill(Way, Row(), to="wms") == {"from": "oms", "to": "wms"}


def test_a_field_that_nobody_gives_and_one_that_nobody_declared_are_errors():
    with pytest.raises(AttributeError, match="target"):
        fill(Line, Row())
    with pytest.raises(TypeError, match="nothing: not declared"):
        fill(Line, Row(), target="t", nothing=1)
