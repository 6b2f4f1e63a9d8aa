"""Each system as the hub meets it: what it is called with, what reads its requests, and its settings and secrets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hub.catalog import Catalog
from hub.catalog.yaml.yaml_documents import read_yaml
from hub.core.adapter import Source
from hub.core.config.scheme import Scheme
from hub.core.config.system import System
from hub.flow.hub import LaneTarget
from hub.kit.http.access_tokens import AccessTokens
from hub.kit.http.call import Tls
from hub.kit.http.sender import Sender
from hub.kit.loading import load_module
from hub.kit.queues.brokers import make_queue_source, make_queue_target
from hub.kit.signer import HMAC, ApiKey, HubSignature, OAuth2, SchemeSigner, Signer, StaticSigner
from hub.kit.target import BatchTarget, DeclaredTarget, PythonTarget
from hub.main.clock import now
from hub.settings import BadSetting, Settings
from hub.vault import VaultError, public_file, resolve

Made = TypeVar("Made")


class Neighbours:
    """Each system as the hub meets it, by the active revision and the settings: as a target, as a source, and by its
    settings. Made once per revision.
    """

    def __init__(self, settings: Settings, catalogs: Callable[[], Catalog]) -> None:
        self._settings = settings
        self._catalogs = catalogs
        self._targets: dict[tuple[str, str], LaneTarget | BatchTarget] = {}
        self._values: dict[tuple[str, str], Mapping[str, str]] = {}
        self._sources: dict[tuple[str, str], Source] = {}

    def target(self, name: str) -> LaneTarget | BatchTarget | None:
        catalog = self._catalogs()
        system = catalog.systems.get(name)
        if system is None:
            return None
        made = self._targets.get((catalog.revision, name))
        if made is None:
            made = make_target(system, self._settings)
            self._targets = _kept(self._targets, catalog.revision) | {(catalog.revision, name): made}
        return made

    def values(self, name: str) -> Mapping[str, str]:
        catalog = self._catalogs()
        made = self._values.get((catalog.revision, name))
        if made is None:
            made = values_of(catalog.systems[name], self._settings)
            self._values = _kept(self._values, catalog.revision) | {(catalog.revision, name): made}
        return made

    def source(self, name: str, hook: str) -> Source:
        catalog = self._catalogs()
        made = self._sources.get((catalog.revision, f"{name}/{hook}"))
        if made is None:
            made = make_source(catalog.systems[name], hook, self._settings)
            self._sources = _kept(self._sources, catalog.revision) | {(catalog.revision, f"{name}/{hook}"): made}
        return made


def _kept(known: dict[tuple[str, str], Made], revision: str) -> dict[tuple[str, str], Made]:
    """Only the active revision's are wanted: the others would pile up with each change. A new table, as other threads
    read the old one.
    """
    return {key: made for key, made in known.items() if key[0] == revision}


def values_of(system: System, settings: Settings) -> dict[str, str]:
    """A system's settings by name: what the environment says, else the default. A secret is a reference, and is
    resolved. Raises VaultError.
    """
    given = {name: settings.system(system.name, name) or setting.default for name, setting in system.settings.items()}
    return {
        name: resolve(text, settings.environment)
        if system.settings[name].secret and text.startswith(("env:", "file:"))
        else text
        for name, text in given.items()
    }


def _adapter(system: System, settings: Settings) -> Path:
    return settings.workspace / "adapters" / system.name / "adapter.py"


def make_target(system: System, settings: Settings) -> LaneTarget | BatchTarget:
    """A system as a target: declared, or by its own adapter.py. Raises VaultError where a secret is missing."""
    values = values_of(system, settings)
    if _adapter(system, settings).exists():
        made = getattr(load_module(_adapter(system, settings)), "TARGET", None)
        if made is not None:
            target = made(values)
            return (
                BatchTarget(target, values.get("url", system.name)) if hasattr(target, "send") else PythonTarget(target)
            )
    published = {accept.publish for accept in system.accepts.values() if accept.publish is not None}
    if published:
        [publish] = published  # one exchange or queue per system, as the check holds
        queue = make_queue_target(values.get("url", ""), publish)
        return BatchTarget(queue, queue.address)
    return DeclaredTarget(system, values.get("url", ""), now, _signer(system, values, settings))


def make_source(system: System, hook: str, settings: Settings) -> Source:
    """What reads the requests of a hook with `source: adapter`. Raises ValueError where its adapter.py has none."""
    sources = getattr(load_module(_adapter(system, settings)), "SOURCES", {})
    if hook not in sources:
        raise ValueError(
            f"adapters/{system.name}/adapter.py has no SOURCES[{hook!r}], which its hook {hook} reads requests with."
        )
    source: Source = sources[hook](values_of(system, settings))
    return source


def _signer(system: System, values: Mapping[str, str], settings: Settings) -> Signer:
    """What proves our calls to a system. Raises VaultError where a secret or a file is missing."""
    out = system.outbound
    key, secret = (resolve(text, settings.environment) if text else "" for text in (out.key, out.secret))
    certificate, ca = (public_file(text) if text else "" for text in (out.certificate, out.ca))
    tls = Tls(certificate, _path_of_key(out.key, settings) if certificate else "", ca) if certificate or ca else None
    match out.scheme:
        case "hub-signature":
            return HubSignature(key, secret, legacy=out.form == "legacy", tls=tls)
        case "hmac":
            return SchemeSigner(
                HMAC, {"secret": secret}, tls, headers=(("authorization", f"ApiKey {key}"),) if key else ()
            )
        case "api-key":
            return ApiKey(key, out.at, out.prefix, tls)
        case "oauth2":
            local = threading.local()

            def sender() -> Sender:
                # A sender belongs to its thread; tokens are asked for in whichever thread finds none.
                if not hasattr(local, "sender"):
                    local.sender = Sender(settings.allow_cidrs)
                made: Sender = local.sender
                return made

            return OAuth2(
                AccessTokens(
                    out.token_url, key, secret, scope=out.scope, audience=out.audience, sender=sender, tls=tls
                ),
                tls,
            )
        case "declared" if out.declared is not None:
            return SchemeSigner(out.declared, {**values, "secret": secret, "key": key}, tls)
        case _:
            return StaticSigner(tls)


def _path_of_key(reference: str, settings: Settings) -> str:
    """The path of a private key's file, which is judged like any secret. Raises VaultError."""
    resolve(reference, settings.environment)
    return reference.removeprefix("file:")


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """A secret that a system wants of this machine and that is not there. `at`: the line of its system.yaml that wants
    it.
    """

    system: str
    at: tuple[str, ...]
    text: str
    is_inbound: bool  # what comes in is proven by it: without it each call would be refused

    @property
    def file(self) -> str:
        return f"adapters/{self.system}/system.yaml"


def absent(catalog: Catalog, settings: Settings) -> list[MissingSecret]:
    """Every secret that the systems' calls are signed with, or proven by, and that is not there."""
    return [one for system in catalog.systems.values() for one in _of_system(system, settings)]


def check_secrets(catalog: Catalog, settings: Settings) -> None:
    """All secrets are there. Raises BadSetting naming all that are not, each with the line that wants it."""
    lines = []
    for one in absent(catalog, settings):
        line, column = read_yaml(one.file, catalog.files.get(one.file, "")).place(one.at)
        lines.append(f"{one.file}:{line}:{column}: {one.system}: {one.text}")
    if lines:
        raise BadSetting("Secrets are missing.\n  " + "\n  ".join(lines))


def _of_system(system: System, settings: Settings) -> Iterator[MissingSecret]:
    outbound = {name: getattr(system.outbound, name) for name in ("key", "secret", "certificate", "ca")}
    settings_ = {
        name: settings.system(system.name, name) or setting.default
        for name, setting in system.settings.items()
        if setting.secret
    }
    said = False
    for at, name, reference in [
        *((("auth", "outbound", name), name, text) for name, text in outbound.items()),
        *((("settings", name), name, text) for name, text in settings_.items()),
    ]:
        try:
            if reference.startswith(("env:", "file:")):
                public_file(reference) if name in ("certificate", "ca") else resolve(reference, settings.environment)
        except VaultError as error:
            said = True
            yield MissingSecret(system.name, at, str(error), is_inbound=False)
    if said:
        return
    where: tuple[str, ...] = ("accepts",)
    try:
        make_target(system, settings)
        values = values_of(system, settings)
        for queue in system.queues.values():
            where = ("queues", queue.name)
            make_queue_source(values.get(queue.broker, ""), queue)
        for hook in system.hooks.values():
            where = ("hooks", hook.name, "source")
            if hook.by_adapter:
                make_source(system, hook.name, settings)
            yield from _unset(system, hook.scheme, values, ("hooks", hook.name, "verify"), f"hook {hook.name} wants it")
        yield from _unset(system, system.inbound.declared, values, ("auth", "inbound"), "its posts are proven by it")
    except (VaultError, ValueError) as error:
        yield MissingSecret(system.name, where, str(error), is_inbound=False)


def _unset(
    system: System, scheme: Scheme | None, values: Mapping[str, str], at: tuple[str, ...], why: str
) -> Iterator[MissingSecret]:
    """What a scheme is judged by and has no value: an empty secret would let everybody in who knows the scheme."""
    missing = sorted(name for name in scheme.settings if not values.get(name)) if scheme is not None else ()
    for name in missing:
        yield MissingSecret(
            system.name,
            at,
            f"{f'HUB_{system.name}_{name}'.upper().replace('-', '_')} is not set; {why}.",
            is_inbound=True,
        )
