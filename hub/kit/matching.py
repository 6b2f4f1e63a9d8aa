"""Which call of a sandbox a request is: by its path, or by an address with holes as `call` in a system.yaml has it
(`PUT /orders/{orderNo}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from hub.core.message import Request

_HOLE = re.compile(r"\{([^{}]+)\}")


def matched(calls: Iterable[str], request: Request) -> tuple[str, dict[str, Any]] | None:
    """The call's name, and what stands in its holes, in the path and in the query, by their texts. None: there is no
    such call.
    """
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    asked = f"{request.method} {request.path}"
    # Those without a hole in the path first: `POST /orders/cancel` is not the order `cancel`.
    for call in sorted(calls, key=lambda one: "{" in one.partition("?")[0]):
        path, _, rest = call.partition("?")
        found = _pattern(path).fullmatch(asked)
        if found is None:
            continue
        fields = {name.strip(): unquote(text) for name, text in zip(_HOLE.findall(path), found.groups(), strict=True)}
        wanted = {
            hole[1].strip(): name
            for name, text in parse_qsl(rest, keep_blank_values=True)
            if (hole := _HOLE.fullmatch(text))
        }
        return call, fields | {hole: query[name] for hole, name in wanted.items() if name in query}
    return None


@lru_cache(maxsize=1_000)
def _pattern(path: str) -> re.Pattern[str]:
    """A hole is one part of a path: what it holds is escaped, slashes too."""
    return re.compile(
        "".join("([^/]+)" if number % 2 else re.escape(text) for number, text in enumerate(_HOLE.split(path)))
    )
