"""Systems as people see them: interfaces, health, settings, and a connection check. Secrets are named and never
shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hub.core.config.routing import TargetPolicy
from hub.core.config.system import Accept, Emit, Inbound, System, Version
from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.core.model.breaker import BreakerState, Circuit
from hub.core.model.delivery import Status
from hub.flow.accounts import keys
from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.overview import rates, sparklines
from hub.flow.overview.backlog import backlog, stopped
from hub.flow.overview.routes import policy
from hub.kit.http.reach import Step, reach
from hub.store.messages.pauses import TARGET
from hub.store.queries.throughput import MINUTE
from hub.vault import VaultError, public_file, resolve

CHECKED = "system.checked"  # name of the act in the audit record
CHECK_S = 10.0  # time limit for all addresses of one system
FAILING = 0.5
MEASURED_S = 2.0
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")


def systems(hub: Hub) -> answers.SystemList:
    """All systems of the active configuration, by name, with their interfaces and health."""
    catalog = hub.catalogs.active()
    return {
        "revision": catalog.revision,
        "items": [_line(hub, system) for _, system in sorted(catalog.systems.items())],
    }


def system(hub: Hub, name: str) -> answers.OneSystem:
    """One system: its row, with its addresses, settings and secrets (by name), auth, caps, hooks, queues, who calls,
    and the last check.

    Raises Refused (404).
    """
    catalog = hub.catalogs.active()
    named_system = _found(hub, name)
    now = hub.store.now()
    known = hub.store.keys()
    callers = [(row, keys.state_of(row, now)) for row in known if name in row.systems]
    return {
        "revision": catalog.revision,
        **_line(hub, named_system),
        "addresses": [
            {"name": setting, "url": _public(named_system, setting, url)}
            for setting, url in addresses(hub, named_system)
        ],
        "calls": [
            {"message": f"{name}/{key}", "about": side.about, "call": _call(side)}
            for key, side in sorted(named_system.accepts.items())
        ],
        "inbound": {"scheme": named_system.inbound.scheme, "details": _inbound(named_system.inbound)},
        "outbound": {
            "scheme": named_system.outbound.scheme,
            "form": named_system.outbound.form if named_system.outbound.form != "default" else "",
        },
        "settings": [_setting(hub, named_system, setting) for setting in named_system.settings],
        "secrets": _secrets(hub, named_system),
        "policy": policy(catalog.targets.get(name, TargetPolicy())) if named_system.accepts else None,
        "hooks": [
            {"name": hook.name, "path": f"/in/{name}/{hook.name}", "by": "adapter" if hook.by_adapter else "scheme"}
            for hook in named_system.hooks.values()
        ],
        "queues": [fill(answers.QueueOf, queue) for queue in named_system.queues.values()],
        "callers": [fill(answers.CallerOf, row, state=state) for row, state in callers if state in ("valid", "ending")],
        "routesFrom": [route.name for route in catalog.routes if route.source.split("/")[0] == name],
        "routesTo": [route.name for route in catalog.routes if any(to.ref.system == name for to in route.to)],
        "lastCheck": _last_check(hub, name),
    }


def check(hub: Hub, name: str, *, by: str) -> answers.CheckedNow:
    """Checks each address that the system declares: DNS, connection, TLS. No call is made. The person and the result
    are recorded.

    Raises Refused: 404; 400 where it declares no address.
    """
    named_system = _found(hub, name)
    wanted = addresses(hub, named_system)
    if not wanted:
        raise Refused(
            Code.BAD_REQUEST,
            f"{name} has no address to check: the hub does not call it, and does not read from a broker of it.",
        )
    end = time.monotonic() + CHECK_S
    ca = named_system.outbound.ca.removeprefix("file:")
    tried: list[answers.CheckedAddress] = []
    for setting, url in wanted:
        steps = reach(url, hub.settings.allow_cidrs, ca=ca, deadline_s=min(5.0, max(0.5, end - time.monotonic())))
        tried.append(
            {
                "name": setting,
                "url": _public(named_system, setting, url),
                "ok": all(step.ok for step in steps),
                "steps": [_step(step) for step in steps],
            }
        )
    ok = all(address["ok"] for address in tried)
    hub.store.note_act(by=by, what=CHECKED, object_=name, details={"ok": ok, "addresses": tried})
    return {"system": name, "at": hub.store.now().isoformat(), "by": by, "ok": ok, "addresses": tried}


def addresses(hub: Hub, system: System) -> list[tuple[str, str]]:
    """The addresses of the system, as (setting, address): its `url`, brokers, and token endpoint. They may contain
    credentials.
    """
    names = dict.fromkeys(["url", *(queue.broker for queue in system.queues.values())])
    urls = [(name, url) for name in names if name in system.settings and (url := _text(hub, system, name))]
    if system.outbound.scheme == "oauth2" and system.outbound.token_url:
        urls.append(("token_url", system.outbound.token_url))
    return urls


def shown(url: str) -> str:
    """An address without credentials, which may be before its host or after its path."""
    return _CREDENTIALS.sub("…@", url.partition("?")[0])


def _public(system: System, setting: str, url: str) -> str:
    """Only the host of an address that is a secret, because its path may contain a key."""
    if setting in system.settings and system.settings[setting].secret:
        scheme, _, rest = shown(url).partition("://")
        return f"{scheme}://{rest.split('/')[0]}/…"
    return shown(url)


def _found(hub: Hub, name: str) -> System:
    known = hub.catalogs.active().systems
    if name not in known:
        raise Refused(Code.NOT_FOUND, f"There is no system {name!r}. Known: {', '.join(sorted(known)) or 'none'}.")
    return known[name]


# ---- how it stands


def _line(hub: Hub, system: System) -> answers.SystemLine:
    """`health`: paused, open, half_open, failing (half of its attempts or more), stuck (something waits for a person),
    ok, or none: nothing is sent to it.
    """
    flowed = rates.ways(hub)
    row = next((target for target in flowed["targets"] if target["system"] == system.name), None)
    standing = backlog(hub)
    lane = standing.lanes.get(system.name)
    stuck = sum(number for (_, target), number in standing.stuck.items() if target.split("/")[0] == system.name)
    paused = any((impact.pause.kind, impact.pause.name) == (TARGET, system.name) for impact in stopped(hub))
    breaker = next(
        (
            breaker
            for breaker in hub.shelf.at("breakers", hub.store.breakers, least_s=1.0).get()
            if breaker.lane == system.name
        ),
        None,
    )
    target = hub.catalogs.active().targets.get(system.name, TargetPolicy())
    measured = hub.shelf.at("measures", hub.store.backlog, least_s=MEASURED_S).get() if system.accepts else None
    return {
        "name": system.name,
        "title": system.title,
        "owner": system.owner,
        "emits": _interfaces(system.emits.values()),
        "accepts": _interfaces(system.accepts.values()),
        "hookNames": [*sorted(system.hooks)],
        "queueNames": [*sorted(system.queues)],
        "health": _health(system, paused, breaker, row, stuck),
        "breaker": _breaker(breaker, hub.clock()) if system.accepts else None,
        "perSecond": row["perSecond"] if row else 0.0,
        "attempts": row["attempts"] if row else 0,
        "success": row["success"] if row else None,
        "sendP50Ms": row["sendP50Ms"] if row else None,
        "sendP99Ms": row["sendP99Ms"] if row else None,
        "lastAt": _last(hub, system.name),
        "inFlight": measured.waiting.get((system.name, Status.LEASED), 0) if measured is not None else None,
        "cap": target.concurrency if system.accepts else None,
        "backlog": lane.number if lane is not None else None,
        "isExact": lane.is_exact if lane is not None else True,
        "waiting": stuck,
    }


def _health(
    system: System, paused: bool, breaker: BreakerState | None, row: Mapping[str, Any] | None, stuck: int
) -> str:
    if not system.accepts:
        return "none"
    if paused:
        return "paused"
    if breaker is not None and breaker.state is not Circuit.CLOSED:
        return breaker.state.value
    if row is not None and row["success"] is not None and row["success"] <= 1 - FAILING:
        return "failing"
    return "stuck" if stuck else "ok"


def _breaker(state: BreakerState | None, now: datetime) -> answers.BreakerNow:
    """The breaker's current state; its history is in the log."""
    if state is None:
        return {"state": Circuit.CLOSED.value, "since": None, "until": None, "trips": 0}
    since = (now - state.age).replace(microsecond=0)  # stable between calls, except for clock differences
    return fill(answers.BreakerNow, state, since=since)


def _last(hub: Hub, name: str) -> str | None:
    """The minute of the last attempt within the hour; None if there was none."""
    curves = sparklines.lines(hub)
    line = curves.targets.get(name)
    if line is None:
        return None
    places = [place for place in range(len(line.delivered)) if line.delivered[place] or line.failed[place]]
    return (curves.since + places[-1] * MINUTE).isoformat() if places else None


def _last_check(hub: Hub, name: str) -> answers.LastCheck | None:
    for act in hub.store.acts(what=CHECKED, object_=name, limit=1):
        return fill(answers.LastCheck, act, ok=act.details.get("ok"), addresses=act.details.get("addresses"))
    return None


def _step(step: Step) -> answers.CheckStep:
    return fill(answers.CheckStep, step, step=step.name, text=step.text[:300])


# ---- what is declared


def _text(hub: Hub, system: System, name: str) -> str:
    """A setting's value. A secret is resolved; it is empty if that fails."""
    text = hub.settings.system(system.name, name) or system.settings[name].default
    if system.settings[name].secret and text.startswith(("env:", "file:")):
        return _resolved(hub, text) or ""
    return text


def _resolved(hub: Hub, reference: str) -> str | None:
    try:
        return resolve(reference, hub.settings.environment)
    except VaultError:
        return None


def _setting(hub: Hub, system: System, name: str) -> answers.SettingOf:
    """A setting for display. For a secret, `value` is null and `reference` names where it is stored, if it is a
    reference.
    """
    setting = system.settings[name]
    value = hub.settings.system(system.name, name)
    text = value or setting.default
    is_reference = setting.secret and text.startswith(("env:", "file:"))
    return {
        "name": name,
        "variable": f"HUB_{system.name}_{name}".upper().replace("-", "_"),
        "help": setting.help,
        "isSecret": setting.secret,
        "isSet": _resolved(hub, text) is not None if is_reference else bool(text),
        "from": "environment" if value else "default" if text else "nowhere",
        "value": None if setting.secret else shown(text) if "://" in text else text,
        "reference": text if is_reference else None,
    }


def _secrets(hub: Hub, system: System) -> list[answers.SecretOf]:
    """The secrets that sign calls to the system: where each is stored, and whether it can be resolved."""
    out = system.outbound
    secrets = [
        (name, text, _resolved(hub, text) is not None)
        for name, text in (("key", out.key), ("secret", out.secret))
        if text
    ]
    public = [
        (name, text, _is_there(text)) for name, text in (("certificate", out.certificate), ("ca", out.ca)) if text
    ]
    return [
        {"name": name, "reference": text, "isSet": is_set}
        for name, text, is_set in (*secrets, *public)
        if text.startswith(("env:", "file:"))
    ]


def _is_there(reference: str) -> bool:
    try:
        public_file(reference)
    except VaultError:
        return False
    return True


def _inbound(inbound: Inbound) -> dict[str, Json]:
    """The public parts only."""
    row: dict[str, Json] = {
        "form": inbound.form if inbound.scheme == "hub-signature" and inbound.form != "default" else "",
        "issuer": inbound.issuer,
        "audience": inbound.audience,
        "jwks": inbound.jwks,
        "scope": inbound.scope,
        "certificates": len(inbound.certificates),
        "peers": ", ".join(str(peer) for peer in inbound.peers),
    }
    return {name: value for name, value in row.items() if value}


def _call(side: Accept) -> str:
    if side.publish is not None:
        return f"publish to {side.publish.exchange or side.publish.queue}"
    return f"{side.method} {side.path}".strip()


def _interfaces(sides: Iterable[Emit | Accept]) -> list[answers.Interface]:
    return [{"type": side.type, "about": side.about, "versions": _versions(side.versions)} for side in sides]


def _versions(versions: Mapping[int, Version]) -> list[answers.VersionState]:
    return [
        fill(answers.VersionState, version, version=number, since=version.since or None, sunset=version.sunset or None)
        for number, version in sorted(versions.items())
    ]
