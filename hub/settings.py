"""The one table of settings: name, default, help, secret. The environment is read here and nowhere else; everybody else
is handed values.

A setting NAME is read from the environment variable `HUB_NAME` in capitals; a system's own setting from
`HUB_<SYSTEM>_<SETTING>`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

from hub.core.model.addresses import in_url


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table. `default` is the text that the environment would hold."""

    name: str
    default: str
    help: str
    secret: bool = False


TABLE: tuple[Entry, ...] = (
    Entry("workspace", ".", "Workspace folder. It contains routes.yaml, mappings/ and adapters/."),
    Entry(
        "store",
        "sqlite:///var/hub.sqlite3",
        "Database URL of the store: sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME, or mariadb://USER@HOST/NAME.",
    ),
    Entry(
        "broker",
        "",
        "URL of the broker that notifies workers: amqp://USER:PASSWORD@HOST:5672// or redis://HOST:6379/0. Empty: workers only poll (HUB_SWEEP).",
        secret=True,
    ),
    Entry("host", "127.0.0.1", "Address that the hub listens on. IPv6 addresses may have brackets: ::1 or [::1]."),
    Entry("port", "8080", "Port that the hub listens on."),
    Entry(
        "public_url",
        "",
        "Public base URL of this hub, such as https://hub.example. Some partners sign it. Empty: http://HOST:PORT.",
    ),
    Entry(
        "zone",
        "UTC",
        "Time zone, such as Asia/Shanghai, of partners' timestamps without an offset, and of times in the console and in commands.",
    ),
    Entry(
        "master_key",
        "",
        "Key that encrypts stored secrets: 32 bytes in base64, or a reference env:NAME or file:PATH. `hub key master` prints a new key.",
        secret=True,
    ),
    Entry("allow_cidrs", "", "Private or loopback address ranges in which targets are allowed, separated by commas."),
    Entry(
        "trusted_proxies",
        "",
        "Address ranges of trusted proxies, separated by commas. Only their X-Forwarded-For, Forwarded and Client-Cert headers are used.",
    ),
    Entry("max_body", "10485760", "Maximum size of a request body in bytes, before and after decompression."),
    Entry("max_batch", "10000", "Maximum number of messages in one batch."),
    Entry(
        "caller_rate",
        "0",
        "Rate limit: messages per second for each caller in each web process. Bursts of ten seconds' worth are allowed. Above the limit: 429. 0: no limit.",
    ),
    Entry("max_depth", "64", "Maximum nesting depth of a JSON body."),
    Entry("max_values", "100000", "Maximum number of values in one message."),
    Entry("body_seconds", "30", "Timeout in seconds for receiving a request body."),
    Entry("claim_size", "256", "Maximum number of deliveries in one claim."),
    Entry(
        "lanes",
        "",
        "Systems that this worker delivers to, separated by commas. Empty: all systems. Each system needs a worker.",
    ),
    Entry(
        "lease", "60", "Lease time of a claim in seconds. Set it to at least twice the longest `timeout` of a route."
    ),
    Entry("sweep", "1.0", "Polling interval in seconds for due deliveries."),
    Entry("grace", "20", "Shutdown timeout in seconds: calls that are under way may finish in this time."),
    Entry("keep_keys", "7", "Retention in days of an Idempotency-Key."),
    Entry(
        "keep_messages",
        "",
        "Retention in days of a message after all its deliveries have ended; at least HUB_KEEP_KEYS. Empty: unlimited.",
    ),
    Entry(
        "keep_refused",
        "30",
        "Retention in days of refused requests and hooks. A refused queue message is kept until a person retries or drops it.",
    ),
    Entry(
        "archive",
        "",
        "Folder for archives. Messages are archived before they are pruned. Empty: messages are pruned without an archive.",
    ),
    Entry(
        "ops_token",
        "",
        "Bearer token for /ops/v1 and /metrics: the token, env:NAME or file:PATH. Every caller must send it. Empty: both are served on HUB_OPS_SOCKET only.",
        secret=True,
    ),
    Entry(
        "ops_socket",
        "",
        "Unix socket for /ops/v1 and /metrics if HUB_OPS_TOKEN is empty. Only the hub's own account can open it. Empty: ops.sock beside an SQLite store.",
    ),
    Entry(
        "metrics_port",
        "0",
        "Port for /metrics, /health/live and /health/ready in every process, workers included. 0: no port.",
    ),
    Entry(
        "traces",
        "0",
        "Sampling ratio of traces, from 0 to 1, if the caller did not decide. 0: tracing is off. Needs crossdock[otel].",
    ),
    Entry("traces_to", "http://127.0.0.1:4318/v1/traces", "URL of the trace collector (OTLP over HTTP)."),
    Entry("log_level", "info", "Log level: debug, info, warning or error."),
    Entry("log_format", "json", "Log format: json, or text for people."),
)


class BadSetting(ValueError):
    """A setting has a value that cannot be used; the text says which, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The table's values, read and checked. `system` are the systems' own: (system, setting) → text."""

    workspace: Path
    store: str
    broker: str
    host: str
    port: int
    public_url: str
    zone: str
    master_key: str
    allow_cidrs: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    max_body: int
    max_batch: int
    caller_rate: float
    max_depth: int
    max_values: int
    body_seconds: float
    claim_size: int
    lanes: frozenset[str]
    lease: float
    sweep: float
    grace: float
    keep_keys: float
    keep_messages: float | None
    keep_refused: float
    archive: Path | None
    ops_token: str
    ops_socket: str
    metrics_port: int
    traces: float
    traces_to: str
    log_level: str
    log_format: str
    environment: Mapping[str, str]

    def system(self, system: str, setting: str) -> str | None:
        """A system's own setting as the environment has it; None where it says nothing."""
        return self.environment.get(f"HUB_{system}_{setting}".upper().replace("-", "_"))

    @property
    def own_socket(self) -> Path | None:
        """Where operators' calls are served to the hub's own account; None: a token is asked of everybody, or nobody
        said where it should lie.
        """
        if self.ops_token:
            return None
        if self.ops_socket:
            return Path(self.ops_socket)
        return Path(self.store.split("///", 1)[-1]).parent / "ops.sock" if self.store.startswith("sqlite") else None


def read(environment: Mapping[str, str]) -> Settings:
    """Reads the table from an environment. Raises BadSetting, naming the variable and what to write instead."""
    text = {entry.name: environment.get(f"HUB_{entry.name.upper()}", entry.default) for entry in TABLE}
    return Settings(
        workspace=Path(text["workspace"]),
        store=text["store"],
        broker=_broker(text),
        host=text["host"].removeprefix("[").removesuffix("]"),
        port=int(_number(text, "port", 0, 65_535)),
        public_url=_public_url(text),
        zone=_zone(text),
        master_key=text["master_key"],
        allow_cidrs=_networks(text, "allow_cidrs"),
        trusted_proxies=_networks(text, "trusted_proxies"),
        max_body=int(_number(text, "max_body", 1_024, 1 << 30)),
        max_batch=int(_number(text, "max_batch", 1, 100_000)),
        caller_rate=_number(text, "caller_rate", 0, 1_000_000),
        max_depth=int(_number(text, "max_depth", 4, 200)),
        max_values=int(_number(text, "max_values", 100, 10_000_000)),
        body_seconds=_number(text, "body_seconds", 0.1, 600),
        claim_size=int(_number(text, "claim_size", 1, 1_000)),
        lanes=_lanes(text),
        lease=_number(text, "lease", 0.2, 3_600),
        sweep=_number(text, "sweep", 0.01, 60),
        grace=_number(text, "grace", 0, 600),
        keep_keys=_number(text, "keep_keys", 1, 3_650),
        keep_messages=_keep_messages(text),
        keep_refused=_number(text, "keep_refused", 0.01, 3_650),
        archive=Path(text["archive"]) if text["archive"] else None,
        ops_token=text["ops_token"],
        ops_socket=text["ops_socket"],
        metrics_port=int(_number(text, "metrics_port", 0, 65_535)),
        traces=_number(text, "traces", 0, 1),
        traces_to=_address(text, "traces_to"),
        log_level=_one_of(text, "log_level", ("debug", "info", "warning", "error")),
        log_format=_one_of(text, "log_format", ("json", "text")),
        environment=dict(environment),
    )


def _number(text: Mapping[str, str], name: str, low: float, high: float) -> float:
    try:
        value = float(text[name])
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadSetting(f"HUB_{name.upper()}={text[name]!r} is not a number from {low:g} to {high:g}.")
    return value


def _broker(text: Mapping[str, str]) -> str:
    given = text["broker"]
    if given and not re.match(r"(amqps?|pyamqp|rediss?)://[^\s]+$", given):
        # The text itself is not repeated: it may hold a password.
        raise BadSetting(
            "HUB_BROKER is not a broker URL. Write amqp://USER:PASSWORD@HOST:5672// or redis://HOST:6379/0, or leave it empty."
        )
    return given


def _keep_messages(text: Mapping[str, str]) -> float | None:
    if not text["keep_messages"]:
        return None
    days, keys = _number(text, "keep_messages", 1, 36_500), _number(text, "keep_keys", 1, 3_650)
    if days < keys:
        # A repeat would be answered with the id of a message that nobody finds any more.
        raise BadSetting(
            f"HUB_KEEP_MESSAGES={days:g} is shorter than HUB_KEEP_KEYS={keys:g}. Keep messages at least as long as their keys."
        )
    return days


def _lanes(text: Mapping[str, str]) -> frozenset[str]:
    names = frozenset(part.strip() for part in text["lanes"].split(",") if part.strip())
    wrong = sorted(name for name in names if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name))
    if wrong:
        raise BadSetting(
            f"HUB_LANES={text['lanes']!r}: {wrong[0]!r} is not a system name. Write names such as wms,tms."
        )
    return names


def _public_url(text: Mapping[str, str]) -> str:
    given = text["public_url"] or f"http://{in_url(text['host'])}:{text['port']}"
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?", given):
        raise BadSetting(f"HUB_PUBLIC_URL={given!r} is not a URL. Write one such as https://hub.example.")
    return given.rstrip("/")


def _address(text: Mapping[str, str], name: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?", text[name]):
        raise BadSetting(
            f"HUB_{name.upper()}={text[name]!r} is not a URL. Write one such as http://collector:4318/v1/traces."
        )
    return text[name]


def _zone(text: Mapping[str, str]) -> str:
    if text["zone"] not in available_timezones():
        raise BadSetting(f"HUB_ZONE={text['zone']!r} is not a time zone. Write one such as Asia/Shanghai.")
    return text["zone"]


def _one_of(text: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    if text[name] not in words:
        raise BadSetting(f"HUB_{name.upper()}={text[name]!r} is not allowed. Write one of: {', '.join(words)}.")
    return text[name]


def _networks(text: Mapping[str, str], name: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text[name].split(",") if part.strip())
    except ValueError as error:
        raise BadSetting(
            f"HUB_{name.upper()}={text[name]!r}: {error}. Write ranges such as 127.0.0.0/8,10.2.0.0/16."
        ) from error
