"""Whether what a hook reads is what its partner signed: the place of `from`, the whole body, and each field that its
expressions name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.catalog.catalog import Catalog
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import Document, Path, read_yaml
from hub.core.config.events import EventReader
from hub.core.config.hook import Hook
from hub.core.config.scheme import Scheme, SortedFields, Spot, Word, read_spot
from hub.core.expressions.read_paths import paths

_KINDS = {"form": "form", "query": "query", "headers": "header"}


def judge(catalog: Catalog, files: Mapping[str, str], findings: Findings) -> None:
    """Hooks without a signature are judged by their peers (`catalog.files.hooks`); those of an adapter prove by
    themselves.
    """
    for system in catalog.systems.values():
        name = f"adapters/{system.name}/system.yaml"
        hooks = [hook for hook in system.hooks.values() if hook.scheme is not None and hook.scheme.alg != "none"]
        if hooks and name in files:
            document = read_yaml(name, files[name])
            for hook in hooks:
                _hook(hook, document, findings)


def _hook(hook: Hook, document: Document, findings: Findings) -> None:
    at: Path = ("hooks", hook.name, "read")
    for index, read in enumerate(hook.reads):
        if read.emit is not None:
            is_list = document.place((*at, index)) != document.place(at)
            _read(hook, read, (*at, index) if is_list else at, document, findings)


def _read(hook: Hook, read: EventReader, at: Path, document: Document, findings: Findings) -> None:
    scheme = hook.scheme
    assert scheme is not None
    # Addresses prove as well: with peers it is their word, and said all the same.
    code = Check.WEAK_PROOF if hook.peers else Check.UNSIGNED
    signed = ", ".join(_signed(scheme)) or "nothing of the body"
    if read.spot:
        if not scheme.covers(read_spot(read.spot)):
            text = f"{hook.name} reads its event from {read.spot}, and its partner signs {signed}: anybody may write what is read"
            findings.add(document.file, document.place((*at, "from")), code, text, _fix(scheme))
    elif not _covers_all(scheme) and (fields := [one for one in _signed(scheme) if one.startswith(("form:", "json:"))]):
        text = f"{hook.name} takes the whole body for its event, and its partner signs {signed} alone: anybody may write the rest"
        findings.add(document.file, document.place(at), code, text, f"read: {{from: {fields[0]}, …}}")
    if not hook.peers:
        for place in dict.fromkeys(_unsigned(scheme, read)):
            text = f"{hook.name} reads {place}, which its partner does not sign: anybody may write it"
            key = "map" if read.mapping_name else "id"
            findings.add(
                document.file, document.place((*at, key)), Check.WEAK_PROOF, text, "read what is signed, or add peers:"
            )


def _covers_all(scheme: Scheme) -> bool:
    return scheme.signs_bytes or (isinstance(scheme.over, SortedFields) and scheme.over.of in ("form", "json"))


def _signed(scheme: Scheme) -> list[str]:
    """What a scheme signs, in the words of its places."""
    over = scheme.over
    named = (
        [f"{over.of} without {', '.join(sorted(over.without)) or 'exception'}"]
        if isinstance(over, SortedFields) and over.of != "values"
        else []
    )
    for part in scheme.parts:
        if isinstance(part, Spot):
            named.append(str(part))
        elif isinstance(part, Word) and part.name in ("body", "url", *scheme.places):
            named.append(str(scheme.places.get(part.name, part.name)))
    return list(dict.fromkeys(named))


def _fix(scheme: Scheme) -> str:
    places = [one for one in _signed(scheme) if one.startswith(("form:", "json:", "query:"))]
    return (
        f"from: {places[0]}, or no from where the whole body is signed"
        if places
        else "read the body, or let the partner sign this field"
    )


def _unsigned(scheme: Scheme, read: EventReader) -> Iterator[str]:
    """Fields of the request that what is kept is made of, and that the signature leaves out."""
    own = (
        scheme.over.without
        if isinstance(scheme.over, SortedFields)
        and scheme.over.of in ("form", "json")
        and not read.spot
        and read.each is None
        else ()
    )
    for text in [text for _, text in read.mapping.leaves()] if read.mapping is not None else []:
        try:
            places = paths(text)
        except ValueError:
            continue
        for place in places:
            kind = _KINDS.get(place[0])
            if (
                kind is not None
                and len(place) > 1
                and not scheme.covers(Spot(kind, place[1].lower() if kind == "header" else place[1]))
            ):
                yield f"{place[0]}.{place[1]}"
            elif place[0] in own or (place[0] == "body" and len(place) > 1 and place[1] in own):
                yield ".".join(place[:2])
