"""Which version of its contract a post says that it is in: by its path, by API-Version, by Accept."""

from __future__ import annotations

import re

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request
from hub.http.common import bodies

_VENDOR = re.compile(r"application/vnd\.crossdock\.v([1-9][0-9]{0,3})\+json", re.ASCII | re.IGNORECASE)
_OURS = re.compile(r"vnd\.crossdock", re.ASCII | re.IGNORECASE)
_FOREIGN = re.compile(
    r"application/(?:(?:vnd\.|prs\.|x[.-])[^\s/;]*?\bv[0-9]+(?:[._][a-z0-9]+)*(?:\+[a-z0-9.-]+)?|[^\s;]+;.+)",
    re.ASCII | re.IGNORECASE,
)  # another company's version: in the name, or in a parameter
_IN_PARAMETER = re.compile(r"(?:api-?)?v(?:ersion)?\s*=\s*\"?v?[0-9]+(?:\.[0-9]+)*\"?", re.ASCII | re.IGNORECASE)
# what answers are, whoever asks
_ANSWERED = re.compile(r"\*/\*|application/(?:\*|json|problem\+json)", re.ASCII | re.IGNORECASE)
_EXCLUDED = re.compile(r"q\s*=\s*0(?:\.0*)?", re.ASCII | re.IGNORECASE)
_VERSION = re.compile(r"([1-9][0-9]{0,3})", re.ASCII)


def version_of(request: Request, in_path: str | None) -> int | None:
    """The one contract version that path, API-Version and Accept say; each may be silent, none may contradict. Raises
    Refused.
    """
    given = {in_path} if in_path else set()
    given |= {value.strip() for value in bodies.values(request, "api-version")}
    wanted = _wanted(request)
    for kind in wanted:
        number = _VENDOR.fullmatch(kind)
        # A version that is meant and cannot be read is not silence: the post would go in under another one.
        if number is not None or _OURS.search(kind):
            given.add(number[1] if number is not None else kind[:64])
    if not given:
        # Nor is another company's: its number is none of ours, and what it is the only answer to we do not give (RFC
        # 9110 section 12.5.1).
        foreign = next((kind for kind in wanted if _FOREIGN.fullmatch(kind)), None)
        if foreign is None or any(_ANSWERED.fullmatch(kind) for kind in wanted):
            return None
        given.add(foreign[:64])
    if len(given) != 1 or not _VERSION.fullmatch(next(iter(given))):
        text = "names its contract version in a way that cannot be followed"
        fix = "post to /api/v1/…, or send API-Version: 1, or Accept: application/vnd.crossdock.v1+json"
        raise Refused(
            Code.BAD_REQUEST, f"The post {text}.", [Fault("", ", ".join(sorted(given))[:64], "one version", fix)]
        )
    return int(given.pop())


def _wanted(request: Request) -> list[str]:
    """The media types of Accept, of their parameters with the one that says a version; those that are excluded (`q=0`)
    are left out.
    """
    found: list[str] = []
    for value in bodies.values(request, "accept"):
        for member in value.split(","):
            kind, *parameters = (part.strip() for part in member.split(";"))
            if kind and not any(_EXCLUDED.fullmatch(one) for one in parameters):
                said = (
                    ""
                    if _VENDOR.fullmatch(kind)
                    else next((one for one in parameters if _IN_PARAMETER.fullmatch(one)), "")
                )
                found.append(f"{kind};{said}" if said else kind)
    return found
