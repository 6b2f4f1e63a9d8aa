"""`adapters/<system>/system.yaml` and its contracts → `core.config.system.System`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_network
from typing import Any

from hub.catalog.files import auth, hooks, queues
from hub.catalog.files.auth import REFERENCE
from hub.catalog.files.calls import CallTemplate
from hub.catalog.files.mappings import MappingFile
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import FileContext, lacks
from hub.catalog.yaml.findings import Findings, did_you_mean
from hub.catalog.yaml.leaves import Flag, Formula, Text, Word
from hub.catalog.yaml.name_patterns import HOOK_NAME, MESSAGE_NAME, SYSTEM_NAME
from hub.catalog.yaml.shape import Either, Key, ListOf, MapOf, Record
from hub.catalog.yaml.yaml_documents import Document, Map, Node
from hub.core.config.system import LIVE, Accept, DedupeScope, Emit, Question, Setting, System, Version, VersionState
from hub.core.message import Ref
from hub.core.schemas.contract import Contract
from hub.kit.http.address_rules import judge_url

LATER = frozenset({"polls", "alerts", "tests"})

_DATE = Text(want="a date such as 2026-06-01", pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VERSION = Record(
    {
        "state": Key(
            Word(tuple(state.value for state in VersionState)),
            "draft, shadow, current, deprecated or retired",
            required=True,
        ),
        "since": Key(_DATE, "the day it took this state"),
        "sunset": Key(_DATE, "the day from whose beginning (UTC) it is retired, and answered with 410"),
    },
    what="a version",
)
_VERSIONS = MapOf(Text(want="a version such as 1", pattern=r"[1-9][0-9]{0,3}"), _VERSION, most=100)
_KEYS = MapOf(
    Text(want="the name of a business key, such as orderNo", pattern=r"[A-Za-z][A-Za-z0-9_]{0,63}"),
    Formula(is_identity=True),
    most=20,
)
_MESSAGE = Text(want="a message name such as order.created", pattern=MESSAGE_NAME, longest=100)

_EMIT = Record(
    {
        "about": Key(Text(), "one sentence for whoever integrates with it"),
        "versions": Key(_VERSIONS, "{1: {state: current}}", required=True),
        "keys": Key(_KEYS, "business keys: how an order's life is tied together"),
        "order_by": Key(Formula(is_identity=True), "deliveries with one key go one after another"),
        "dedupe_by": Key(
            ListOf(Formula(is_identity=True), most=10),
            "natural key: who sends the same again is told so, and other content under it is refused",
        ),
        "dedupe_scope": Key(
            Word(tuple(DedupeScope)),
            "whose repeats it knows: caller (default), each one's own; system, all callers of the system together",
        ),
        "fresh_by": Key(
            Formula(), "a time or a number: what is older than what was delivered for this key is superseded"
        ),
        "get": Key(Flag(), "true: may be asked by GET too, with its fields in the query; for questions of sync routes"),
    },
    what="an emitted message",
)
_PROBE = Record(
    {
        "call": Key(
            CallTemplate(),
            "GET /api/orders/{orderNo}; {key} is the Idempotency-Key, other holes are expressions over what was sent",
            required=True,
        ),
        "applied": Key(Formula(), "an expression over {status, headers, body}: it has it", required=True),
        "absent": Key(Formula(), "it has it not, and may be sent it again; default: status = 404"),
    },
    what="probe",
)
_ACCEPT = Record(
    {
        "about": Key(Text(), "one sentence for whoever integrates with it"),
        "versions": Key(_VERSIONS, "{1: {state: current}}", required=True),
        "call": Key(
            CallTemplate(),
            "POST /api/orders, or PUT /orders/{orderNo}: holes are expressions over what is sent; or publish",
        ),
        "publish": Key(queues.PUBLISH, "an exchange or a queue of the broker at `url`, in place of call"),
        "success": Key(Formula(), "an expression over {status, headers, body}; default: any 2xx"),
        "already": Key(Formula(), '"I have it": counts as success'),
        "again": Key(
            Formula(),
            '"busy": body.errcode in [-1, 45009]; tried again by the retry policy. Asked after success and already',
        ),
        "refused": Key(
            Record(
                {"message": Key(Formula(), "where the target's own words stand: body.errmsg", required=True)},
                what="refused",
            ),
            "what it says where it says no; default: message, msg, errmsg, error.message, detail and their like",
        ),
        "reply": Key(
            Record({"keys": Key(_KEYS, "business keys that the answer names")}, what="reply"), "what the answer holds"
        ),
        "probe": Key(
            Either(Word(("adapter",)), _PROBE), "how the system is asked whether it has it, for in_doubt: probe"
        ),
    },
    later=frozenset({"fresh_by", "poll"}),
    what="an accepted message",
    excludes=tuple(("publish", key) for key in ("call", "success", "already", "again", "refused", "reply", "probe")),
)
_SETTING = Record(
    {
        "help": Key(Text(), "what it is, for whoever sets it", required=True),
        "default": Key(Text(want="a text", pattern=r".*", private=True), "used where the environment says nothing"),
        "secret": Key(Flag(), "true: never shown, and no default but a reference"),
    },
    what="a setting",
)
SHAPE = Record(
    {
        "name": Key(Text(want="a system name such as wms", pattern=SYSTEM_NAME), "the folder's name", required=True),
        "title": Key(Text(), "its name for people"),
        "owner": Key(Text(), "who answers for it"),
        "emits": Key(MapOf(_MESSAGE, _EMIT), "messages that it sends to the hub"),
        "accepts": Key(MapOf(_MESSAGE, _ACCEPT), "messages that the hub sends to it"),
        "auth": Key(auth.SHAPE, "how its posts are proven, and calls to it"),
        "hooks": Key(
            MapOf(Text(want="a hook's name such as track-push", pattern=HOOK_NAME), hooks.HOOK),
            "foreign webhooks under /in/<system>/<hook>",
        ),
        "queues": Key(
            MapOf(Text(want="a queue's name such as stock", pattern=HOOK_NAME), queues.QUEUE),
            "queues of a broker that its messages are taken from",
        ),
        "settings": Key(
            MapOf(Text(want="a setting's name such as url", pattern=r"[a-z][a-z0-9_-]{0,39}"), _SETTING),
            "read from HUB_<SYSTEM>_<SETTING>",
        ),
    },
    later=LATER,
    what="system.yaml",
)

ANY = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_SECRET_NAME = re.compile(r"secret|passw|token|api_?key|private", re.IGNORECASE)


@dataclass(slots=True)
class Contracts:
    """The contract files of one system, by what their names say. None: there is a file, but it is no usable
    contract.
    """

    by_ref: dict[Ref, Contract | None] = field(default_factory=dict)
    declared: set[Ref] = field(default_factory=set)


def read(
    document: Document, folder: str, contracts: Contracts, foreign: Mapping[str, MappingFile], findings: Findings
) -> System:
    """The system as far as it can be understood. What is wrong stands in `findings`; a part that is wrong is left out
    or takes its default.

    `folder` is the name that counts: a system whose `name` differs is reported, and goes on under its folder's name, so
    that one mistake is one finding.
    """
    reading = FileContext(document.file, findings)
    assert document.root is not None
    values = SHAPE.read(document.root, reading) or {}
    if values.get("name") not in (None, folder):
        findings.add(
            document.file,
            document.place(("name",)),
            Check.FOLDER_NAME,
            f"name is {values['name']}, the folder is {folder}",
            f"name: {folder}",
        )
    if lacks(document.root, "owner"):
        findings.add(
            document.file, document.place(()), Check.NO_OWNER, f"{folder} has no owner", "owner: who answers for it"
        )
    settings = {name: _setting(name, row or {}) for name, row in (values.get("settings") or {}).items()}
    _judge_settings(document, settings, findings)
    emits = {
        name: _emit(folder, name, row or {}, contracts, document, findings)
        for name, row in (values.get("emits") or {}).items()
    }
    accepts = {
        name: _accept(folder, name, row or {}, contracts, document, findings)
        for name, row in (values.get("accepts") or {}).items()
    }
    _judge_ways(document, accepts, findings)
    queues.judge_publish(document, accepts, settings, findings)
    if accepts and not _has(document.root, "settings", "url"):
        fix = 'settings: {url: {help: "Root of its API", default: "http://..."}}'
        findings.add(
            document.file,
            document.place(("accepts",)),
            Check.NO_URL,
            f"{folder} accepts messages, but has no setting url",
            fix,
        )
    proofs = values.get("auth") or {}
    return System(
        name=folder,
        title=values.get("title") or folder,
        owner=values.get("owner") or "",
        emits=emits,
        accepts=accepts,
        inbound=auth.inbound(proofs.get("inbound") or {}, settings, document, findings),
        outbound=auth.outbound(proofs.get("outbound") or {}, settings, document, findings),
        settings=settings,
        hooks=hooks.read(folder, values.get("hooks") or {}, foreign, document, findings),
        queues=queues.read(folder, values.get("queues") or {}, foreign, document, findings),
    )


def _judge_ways(document: Document, accepts: Mapping[str, Accept], findings: Findings) -> None:
    """A system is called, or published to, one exchange; not both: it has one `url`, and is one lane."""
    ways = {accept.publish for accept in accepts.values()}
    if len(ways) > 1:
        fix = "make it two systems, each with its own url"
        findings.add(
            document.file,
            document.place(("accepts",)),
            Check.EXCLUDES,
            "some messages are published and some called, or to several exchanges",
            fix,
        )


def _emit(
    system: str, name: str, row: dict[str, Any], contracts: Contracts, document: Document, findings: Findings
) -> Emit:
    versions = _versions(row, document, ("emits", name), findings)
    if "dedupe_scope" in row and "dedupe_by" not in row:
        place = document.place(("emits", name, "dedupe_scope"))
        findings.add(
            document.file,
            place,
            Check.MISSING_KEY,
            "dedupe_scope is about dedupe_by, which is not there",
            "add dedupe_by: [orderNo], or take it out",
        )
    return Emit(
        type=f"{system}/{name}",
        about=row.get("about") or "",
        versions=versions,
        contracts=_contracts(system, name, versions, contracts, document, ("emits", name), findings),
        keys=_compiled(row.get("keys")),
        order_by=row.get("order_by"),
        dedupe_by=tuple(expression for expression in row.get("dedupe_by") or () if expression is not None),
        dedupe_scope=DedupeScope(row.get("dedupe_scope") or DedupeScope.CALLER),
        fresh_by=row.get("fresh_by"),
        get=bool(row.get("get")),
    )


def _accept(
    system: str, name: str, row: dict[str, Any], contracts: Contracts, document: Document, findings: Findings
) -> Accept:
    versions = _versions(row, document, ("accepts", name), findings)
    method, _, path = (row.get("call") or "POST /").partition(" ")
    place = document.place(("accepts", name))
    if row.get("publish") is not None and not row["publish"]:
        findings.add(
            document.file,
            place,
            Check.MISSING_KEY,
            "publish has neither exchange nor queue",
            "add exchange: its name, or queue: its name",
        )
    if "call" not in row and "publish" not in row:
        findings.add(
            document.file,
            place,
            Check.MISSING_KEY,
            "an accepted message has no call",
            "add call: POST /api/orders, or publish:",
        )
    return Accept(
        type=f"{system}/{name}",
        about=row.get("about") or "",
        versions=versions,
        contracts=_contracts(system, name, versions, contracts, document, ("accepts", name), findings),
        method=method,
        path=path,
        success=row.get("success"),
        already=row.get("already"),
        again=row.get("again"),
        refused_message=(row.get("refused") or {}).get("message"),
        reply_keys=_compiled((row.get("reply") or {}).get("keys")),
        probe=_question(row.get("probe") or {}),
        asks_adapter=row.get("probe") == "adapter",
        publish=queues.publish(row.get("publish") or {}),
    )


def _question(row: dict[str, Any] | str) -> Question | None:
    if isinstance(row, str) or not row.get("call") or row.get("applied") is None:
        return None
    method, _, path = row["call"].partition(" ")
    return Question(method, path, row["applied"], row.get("absent"))


def _compiled(keys: dict[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    return tuple((name, expression) for name, expression in (keys or {}).items() if expression is not None)


def _versions(row: dict[str, Any], document: Document, path: tuple[str, str], findings: Findings) -> dict[int, Version]:
    versions: dict[int, Version] = {}
    for number, version in (row.get("versions") or {}).items():
        found = version or {}
        # A state that could not be read counts as current: what hangs on this version is not wrong because of it.
        versions[int(number)] = Version(
            VersionState(found.get("state") or "current"), found.get("since") or "", found.get("sunset") or ""
        )
        for key in ("since", "sunset"):
            if found.get(key) and not _is_date(found[key]):
                place = document.place((*path, "versions", number, key))
                findings.add(
                    document.file,
                    place,
                    Check.OUT_OF_RANGE,
                    f"{found[key]} is no day of the calendar",
                    "write a date such as 2026-06-01",
                )
    return versions


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _contracts(
    system: str,
    name: str,
    versions: dict[int, Version],
    contracts: Contracts,
    document: Document,
    path: tuple[str, str],
    findings: Findings,
) -> dict[int, Contract]:
    found: dict[int, Contract] = {}
    for number in versions:
        ref = Ref(system, name, number)
        contracts.declared.add(ref)
        if ref not in contracts.by_ref:
            names = [f"{there.name}.v{there.version}.json" for there in contracts.by_ref]
            wanted = f"{name}.v{number}.json"
            fix = f"write contracts/{wanted}; {did_you_mean(wanted, names)}".rstrip("; ")
            findings.add(
                document.file,
                document.place((*path, "versions", str(number))),
                Check.NO_CONTRACT,
                f"{ref} has no contract",
                fix,
            )
        elif (contract := contracts.by_ref[ref]) is not None:
            found[number] = contract
    return found


def _setting(name: str, row: dict[str, Any]) -> Setting:
    return Setting(
        name=name, help=row.get("help") or "", default=row.get("default") or "", secret=bool(row.get("secret"))
    )


def _judge_settings(document: Document, settings: dict[str, Setting], findings: Findings) -> None:
    for name, setting in settings.items():
        place = document.place(("settings", name, "default"))
        if not setting.default:
            continue
        if setting.secret or _SECRET_NAME.search(name):
            if not re.fullmatch(REFERENCE, setting.default):
                text = f"the secret {name} has its value in the file"  # never the value itself
                findings.add(
                    document.file,
                    place,
                    Check.SECRET,
                    text,
                    "take it out and change it; write a reference such as env:NAME, or no default",
                )
        elif (name == "url" or name.endswith(("_url", "-url"))) and not setting.default.startswith(queues.BROKERS):
            # where it lies is judged when it is called, by the operator's ranges
            wrong = judge_url(setting.default, ANY)
            if wrong:
                findings.add(
                    document.file,
                    place,
                    Check.BAD_URL,
                    f"the default of {name} cannot be used: {wrong}",
                    "write http://host:port/path or https://host/path",
                )


def live(versions: dict[int, Version]) -> list[int]:
    """The versions that may be posted, oldest first."""
    return sorted(number for number, version in versions.items() if version.state in LIVE)


def _node(root: Node | None, *path: str) -> Node | None:
    for name in path:
        root = root.get(name) if isinstance(root, Map) else None
    return root


def _has(root: Node, *path: str) -> bool:
    return _node(root, *path) is not None
