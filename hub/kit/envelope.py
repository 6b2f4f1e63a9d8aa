"""What a sandbox system answers: the envelope of seed 003 section 2.2, and refusals as errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.core.errors import Code
from hub.core.json import encode


@dataclass(frozen=True, slots=True)
class Answer:
    """Code, message, data, and where it helps details. An answer is an effect: a repeat of its key gets it again."""

    data: Any = None
    code: int = 0
    message: str = "success"
    details: Any = None
    status: int = 200

    def body(self, at_ms: int) -> bytes:
        """`timestamp` is epoch milliseconds, as in the seed."""
        envelope = {"code": int(self.code), "message": self.message, "data": self.data, "timestamp": at_ms}
        return encode(envelope if self.details is None else {**envelope, "details": self.details})


class No(Exception):
    """A refusal: nothing has changed, and a later try with the same key is judged anew."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer

    @classmethod
    def unknown(cls, what: str) -> No:
        """404: the number is not known here."""
        return cls(Answer(code=Code.NOT_FOUND, message=f"{what} is not known here", status=404))

    @classmethod
    def bad(cls, text: str, status: int = 400) -> No:
        """What came cannot be used."""
        return cls(Answer(code=status * 100, message=text, status=status))
