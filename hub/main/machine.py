"""What a configuration wants of the machine that runs it: its secrets, and a lease that outlasts the longest call.
Found at the lines that want it.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.catalog import Catalog
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.yaml_documents import Document, List, Map, Node, Path, read_yaml
from hub.core.config.routing import Destination, Route
from hub.core.errors import Finding
from hub.flow.delivery.claim_size import MARGIN_S
from hub.main.neighbours import absent
from hub.settings import Settings


def unmet(catalog: Catalog, settings: Settings) -> list[Finding]:
    """What keeps the configuration from running here: secrets that are not set. Calls without them are refused, theirs
    and ours.
    """
    return _secrets(catalog, settings, is_served=True)


def foreseen(catalog: Catalog, settings: Settings) -> list[Finding]:
    """The same for whoever only checks: that calls out cannot be signed on this machine is a warning; and so is a lease
    that a call may outlast.
    """
    return sorted([*_secrets(catalog, settings, is_served=False), *_leases(catalog, settings)])


def _secrets(catalog: Catalog, settings: Settings, *, is_served: bool) -> list[Finding]:
    findings = []
    for one in absent(catalog, settings):
        place = read_yaml(one.file, catalog.files.get(one.file, "")).place(one.at)
        code = Check.NOT_SET if one.is_inbound or is_served else Check.NOT_SET_HERE
        fix = "set it where the hub runs; on a machine that has no secrets: --elsewhere"
        findings.append(
            Finding(
                one.file, *place, code.value, one.text.rstrip("."), fix, "error" if code is Check.NOT_SET else "warning"
            )
        )
    return sorted(set(findings))


def _leases(catalog: Catalog, settings: Settings) -> Iterator[Finding]:
    """A claim that ends before its call does is another worker's meanwhile, which sends it again."""
    document = read_yaml("routes.yaml", catalog.files.get("routes.yaml", ""))
    told = set()
    for route in catalog.routes:
        for index, to in enumerate(route.to):
            seconds = to.timeout.total_seconds()
            if route.sync is not None or seconds + MARGIN_S <= settings.lease:
                continue
            place = _said(document, route, index, to)
            if place not in told:
                told.add(place)
                text = f"a call may take {seconds:g} s, and a claim holds for {settings.lease:g} s (HUB_LEASE): another worker would send it again meanwhile"
                fix = f"write a timeout of {max(settings.lease - MARGIN_S, 0):g}s at most, or set HUB_LEASE to {seconds * 2:g} or more"
                yield Finding("routes.yaml", *place, Check.BRIEF_LEASE.value, text, fix, "warning")


def _said(document: Document, route: Route, index: int, to: Destination) -> tuple[int, int]:
    """Where the timeout of a destination is written: with it, with its route, or among the defaults."""
    at: Path = ("routes", route.name)
    entry = _node(document.root, (*at, "to", index))
    own = entry.entries[0][0].text if isinstance(entry, Map) and entry.entries else str(to.ref)
    for path in ((*at, "to", index, own, "timeout"), (*at, "timeout"), ("defaults", "timeout")):
        if _node(document.root, path) is not None:
            return document.place(path)
    return document.place(at)


def _node(node: Node | None, path: Path) -> Node | None:
    for step in path:
        if isinstance(node, Map):
            node = node.get(str(step))
        elif isinstance(node, List) and isinstance(step, int) and step < len(node.elements):
            node = node.elements[step]
        else:
            return None
    return node
