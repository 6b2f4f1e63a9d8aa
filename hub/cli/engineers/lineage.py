"""`hub lineage`: the sources and the targets of a field."""

from __future__ import annotations

import click

from hub import catalog
from hub.cli.common.output import FAULTS, as_json, console, fail, report_errors, say, table
from hub.core.message import Json, Ref
from hub.flow.context.revisions import Revisions
from hub.flow.views.lineage import of_mapping, of_message
from hub.main import open_serving
from hub.settings import Settings


@click.command()
@click.argument("what", metavar="MESSAGE [FIELD] | FROM TO", nargs=-1, required=True)
@click.option(
    "--from-field",
    "source",
    metavar="PATH",
    help="Forward lineage: only the target fields that use this source field, such as /items/*/sku.",
)
@as_json
@click.pass_obj
@report_errors
def lineage(settings: Settings, what: tuple[str, ...], source: str | None, as_json: bool) -> None:
    """Show the source of each field.

    MESSAGE is the id of a stored message: each field that its targets received is shown, with values. FROM and TO are
    two messages such as oms/order.created@1: the fields of the workspace's mapping between them are shown. Personal
    values are masked.
    """
    if len(what) > 2:
        raise ValueError(
            "Write a message id and optionally a target field, or two messages such as oms/order.created@1 wms/outbound.create@1."
        )
    if "/" in what[0] and "@" in what[0]:
        _of_mapping(settings, what, as_json=as_json)
        return
    with open_serving(settings, writer=False) as store:
        found = of_message(store, Revisions(store), what[0], field=what[1] if len(what) == 2 else None, source=source)
    if found is None:
        fail(f"There is no message {what[0]}.", FAULTS)
    if as_json:
        say(found)
        return
    assert isinstance(found, dict)
    deliveries = found["deliveries"]
    assert isinstance(deliveries, list)
    for one in deliveries:
        assert isinstance(one, dict)
        _show(one)


def _show(one: dict[str, Json]) -> None:
    rows = []
    fields = one["fields"]
    for line in fields if isinstance(fields, list) else ():
        assert isinstance(line, dict)
        origins = line["from"]
        places = (
            [f"{place['path']} = {place['value']!r}" for place in origins if isinstance(place, dict)]
            if isinstance(origins, list)
            else []
        )
        tables, constants = line["tables"], line["constants"]
        places += [f"table {name}" for name in tables] if isinstance(tables, list) else []
        places += [f"the constant {value!r}" for value in constants] if isinstance(constants, list) else []
        rows.append((line["field"], f"{line['value']!r}"[:60], "; ".join(places)))
    table(f"{one['target']} ({one['status']})", ["field", "value", "from"], rows)
    if one.get("fault"):
        console.print(f"  {one['fault']}", style="red", markup=False)


def _of_mapping(settings: Settings, what: tuple[str, ...], *, as_json: bool) -> None:
    if len(what) != 2:
        raise ValueError("Write both messages, such as oms/order.created@1 wms/outbound.create@1.")
    origins = of_mapping(catalog.load(settings.workspace), Ref.parse(what[0]), Ref.parse(what[1]))
    if as_json:
        say({field: origin.as_json() for field, origin in origins.items()})
        return
    cells = [
        (
            field,
            ", ".join(one.paths),
            ", ".join(one.tables),
            ", ".join(map(repr, one.constants)),
            ", ".join(one.functions),
        )
        for field, one in origins.items()
    ]
    table("", ["field", "from", "tables", "constants", "functions"], cells)
