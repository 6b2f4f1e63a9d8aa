"""`hooks:` of a system.yaml: foreign webhooks, their signatures, what they become and how they are acknowledged
(docs/hooks.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from hub.catalog.files import event_reading
from hub.catalog.files.event_reading import READ
from hub.catalog.files.mappings import MappingFile
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.leaves import Flag, Formula, Free, Span, Text, Whole, Word
from hub.catalog.yaml.shape import Either, Key, ListOf, OneOrMore, Record
from hub.catalog.yaml.yaml_documents import Document, Path
from hub.core.config.hook import Handshake, Hook, HookAnswer
from hub.core.config.scheme import ALGORITHMS, ENCODINGS, QUOTES, STAMPS, Scheme, read_scheme
from hub.core.config.system import Setting, System
from hub.core.model.addresses import Network

_ANY_TEXT = Text(want="a text", pattern=r".*", longest=2_000)
SCHEME = Record(
    {
        "alg": Key(
            Word(ALGORITHMS),
            "hmac-sha256, hmac-sha1, hmac-sha512, sha256, sha1, md5, rsa-sha256, ed25519, or none",
            required=True,
        ),
        "encode": Key(Word(ENCODINGS), "hex, HEX, base64, or base64-hex (base64 of the hex text)"),
        "over": Key(
            Either(_ANY_TEXT, Free()), 'what is signed: a template such as "{timestamp}.{body}", or {sorted: form, …}'
        ),
        "quote": Key(Word(QUOTES), "how the finished text is quoted before it is hashed; default: none"),
        "at": Key(
            Either(_ANY_TEXT, Free()),
            "where the signature is, such as header:X-Signature; or {signature: …, timestamp: …}",
        ),
        "tolerance": Key(
            Span("1s", "1d"), "how old and how far ahead the timestamp may be; without it, no check of time"
        ),
        "stamp": Key(Word(STAMPS), "how an outgoing timestamp is written; default: seconds"),
    },
    what="a signature scheme",
)
_REFUSES = Record(
    {
        "status": Key(Whole(400, 599), "an HTTP status of refusal; default: the fault's own"),
        "body": Key(Free(), "a text as it stands, or a mapping as JSON"),
    },
    what="otherwise",
)
_ACK = Record(
    {
        "status": Key(Whole(200, 299), "default: 200"),
        "body": Key(Free(), "a text as it stands, or a mapping as JSON"),
        "otherwise": Key(_REFUSES, "what makes the partner send it again"),
    },
    what="ack",
)
_HANDSHAKE = Record(
    {
        "when": Key(Formula(), "an expression over {method, query, headers, form, body}", required=True),
        "status": Key(Whole(200, 299), "default: 200"),
        "body": Key(Free(), "a text as it stands, or a mapping as JSON; {query:echostr} and the like are filled in"),
        "signed": Key(Flag(), "true: answered only once the request is proven"),
    },
    what="handshake",
)
HOOK = Record(
    {
        "about": Key(Text(), "one sentence for whoever looks after it"),
        "verify": Key(SCHEME, "how the partner signs"),
        "source": Key(
            Word(("adapter",)),
            "adapter: the system's adapter.py proves and reads the request, in place of verify and read",
        ),
        "peers": Key(
            ListOf(Text(want="an address range such as 203.0.113.0/24", pattern=r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")),
            "it may come from there only",
        ),
        "charset": Key(
            Word(("utf-8", "gbk", "gb18030")), "of its bodies; default: what the form or the header says, else utf-8"
        ),
        "handshake": Key(_HANDSHAKE, "how the partner tries the address out"),
        "read": Key(OneOrMore(READ), "what an event is, and which message it becomes; or a list of such"),
        "ack": Key(_ACK, "the partner's acknowledgement; default: the hub's envelope"),
    },
    what="a hook",
    excludes=(("source", "verify"), ("source", "read")),
)


def scheme(row: dict[str, Any] | None, document: Document, at: Path, findings: Findings) -> Scheme | None:
    """The six primitives as a scheme; None with a finding where they do not fit together."""
    if not row or row.get("alg") is None:
        return None
    try:
        return read_scheme({name: value for name, value in row.items() if value is not None})
    except ValueError as error:
        findings.add(document.file, document.place(at), Check.OUT_OF_RANGE, str(error), "see docs/hooks.md")
        return None


def read(
    system: str, rows: Mapping[str, Any], foreign: Mapping[str, MappingFile], document: Document, findings: Findings
) -> dict[str, Hook]:
    """The hooks of one system. `foreign`: mappings of foreign bodies, by name."""
    return {name: _Reader(system, name, row or {}, foreign, document, findings).hook() for name, row in rows.items()}


class _Reader:
    def __init__(
        self,
        system: str,
        name: str,
        row: dict[str, Any],
        foreign: Mapping[str, MappingFile],
        document: Document,
        findings: Findings,
    ) -> None:
        self._system, self._name, self._row = system, name, row
        self._foreign, self._document, self._findings = foreign, document, findings
        self._at: Path = ("hooks", name)

    def hook(self) -> Hook:
        row = self._row
        by_adapter = row.get("source") == "adapter"
        for key in () if by_adapter else ("verify", "read"):
            if key not in row:
                self._fault(
                    (), Check.MISSING_KEY, f"the hook {self._name} has no {key}", f"add {key}:, or source: adapter"
                )
        ack, shake = row.get("ack") or {}, row.get("handshake") or {}
        otherwise = ack.get("otherwise") or {}
        return Hook(
            self._system,
            self._name,
            None if by_adapter else scheme(row.get("verify"), self._document, (*self._at, "verify"), self._findings),
            event_reading.read(
                self._name, row.get("read"), self._foreign, self._document, (*self._at, "read"), self._findings
            ),
            HookAnswer(ack.get("status") or 200, ack.get("body")) if "ack" in row else None,
            HookAnswer(otherwise.get("status") or 0, otherwise.get("body")) if "otherwise" in ack else None,
            Handshake(
                shake["when"], HookAnswer(shake.get("status") or 200, shake.get("body")), bool(shake.get("signed"))
            )
            if shake.get("when")
            else None,
            tuple(peers(row.get("peers") or (), (*self._at, "peers"), self._document, self._findings)),
            row.get("charset") or "",
        )

    def _fault(self, at: Path, code: Check, text: str, fix: str) -> None:
        self._findings.add(self._document.file, self._document.place((*self._at, *at)), code, text, fix)


_OWN = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def peers(texts: Iterable[str | None], at: Path, document: Document, findings: Findings) -> list[Network]:
    """Address ranges; those that are none are found fault with and left out."""
    networks: list[Network] = []
    for index, text in enumerate(texts):
        place = document.place((*at, index))
        try:
            network = ip_network(text or "")
        except ValueError:
            if text:
                findings.add(
                    document.file,
                    place,
                    Check.OUT_OF_RANGE,
                    f"{text} is no address range",
                    "write 203.0.113.0/24, or one address",
                )
            continue
        networks.append(network)
        if any(network.version == own.version and network.overlaps(own) for own in _OWN):
            fault = f"{text} holds the hub's own machine: a proxy, a tunnel or a sidecar there has that address for everybody who stands behind it"
            findings.add(
                document.file,
                place,
                Check.WEAK_PROOF,
                fault,
                "name the partner's own addresses, or have it proven by a key or a signature",
            )
    return networks


def judge(document: Document, system: System, systems: Mapping[str, System], findings: Findings) -> None:
    """Names that hooks speak of: messages that are emitted and live, settings that are declared."""
    for name, hook in system.hooks.items():
        at: Path = ("hooks", name)
        event_reading.judge(hook.reads, systems, document, (*at, "read"), findings)
        _judge_proof(document, hook, (*at, "verify"), findings)
        _judge_repeats(document, hook, (*at, "read"), findings)
        if hook.scheme is not None:
            demand(hook.scheme.settings, system.settings, document, (*at, "verify"), findings)


def _judge_repeats(document: Document, hook: Hook, at: Path, findings: Findings) -> None:
    if hook.scheme is None or hook.scheme.fresh:
        return
    for index, one in enumerate(hook.reads):
        if one.emit is not None and one.id is None and not one.by_content:
            text = (
                f"nothing tells a repeat of {hook.name} from a new event: what its partner sends twice is two messages"
            )
            fix = "add id:, the partner's id of the event; or repeats: content, where what says the same is never news"
            findings.add(document.file, document.place((*at, index)), Check.NO_ID, text, fix)


def demand(
    names: Iterable[str], settings: Mapping[str, Setting], document: Document, at: Path, findings: Findings
) -> None:
    """Every setting that a scheme speaks of is declared."""
    missing = sorted(set(names) - settings.keys())
    if missing:
        text = f"the scheme wants the setting {missing[0]}, which is not there"
        findings.add(
            document.file,
            document.place(at),
            Check.MISSING_KEY,
            text,
            f'settings: {{{missing[0]}: {{help: "…", secret: true}}}}',
        )


def _judge_proof(document: Document, hook: Hook, at: Path, findings: Findings) -> None:
    if hook.scheme is None or hook.peers:
        return
    if hook.scheme.alg == "none":
        text = f"anybody who knows the address may send to {hook.name}"
        findings.add(
            document.file,
            document.place(at),
            Check.WEAK_PROOF,
            text,
            "add peers: [203.0.113.0/24], and give the hook a name that nobody guesses",
        )
    elif not hook.scheme.has_body and any(read.emit is not None for read in hook.reads):
        text = f"the signature of {hook.name} leaves the body out: whoever saw one request may send another body"
        findings.add(
            document.file,
            document.place(at),
            Check.WEAK_PROOF,
            text,
            "put {body} into over if the partner can, or add peers:",
        )
