"""What a mapping finds under `$name`: the answers of its route's look-ups, as far as a contract says what they hold."""

from __future__ import annotations

from hub.catalog.catalog import Catalog
from hub.core.config.routing import Enrich, OnFail, Route
from hub.core.message import Ref
from hub.core.schemas.types import MISSING, NOTHING, UNDECIDED, Shape, of_schema, union


def bound(catalog: Catalog, pair: tuple[Ref, Ref], route: Route | None) -> dict[str, Shape]:
    """The names that a mapping may speak of, each with what is found. A name that another route binds is nothing in
    this one.

    `route`: the one whose way leads to the mapping; None: no route does so itself, and whoever gives it look-ups says
    what they are.
    """
    users = [one for one in catalog.routes if one.source == pair[0].type and any(to.ref == pair[1] for to in one.to)]
    mapping = catalog.mappings.get(pair)
    names = (
        {name: UNDECIDED for example in (mapping.examples if mapping is not None else ()) for name in example.lookups}
        if not users
        else {}
    )
    if route is None:
        return {**names, **{one.name: UNDECIDED for any_route in catalog.routes for one in any_route.enrich}}
    others = {one.name: NOTHING for other in users for one in other.enrich}
    return {**names, **others, **{one.name: found(catalog, one) for one in route.enrich}}


def found(catalog: Catalog, one: Enrich) -> Shape:
    """What a look-up gives: by the message that it says its answer is, or that another destination says of the same
    call.
    """
    replies = [one.reply] if one.reply is not None else _elsewhere(catalog, one.call)
    contracts = [catalog.contract(ref) for ref in replies]
    shapes = [of_schema(contract.schema) for contract in contracts if contract is not None]
    shape = union(shapes) if shapes else UNDECIDED
    return shape.also(MISSING) if one.on_fail is OnFail.SKIP else shape


def _elsewhere(catalog: Catalog, call: Ref) -> list[Ref]:
    texts = {to.reply for route in catalog.routes for to in route.to if to.ref == call and to.reply}
    texts |= {
        str(one.reply) for route in catalog.routes for one in route.enrich if one.call == call and one.reply is not None
    }
    return [Ref.parse(text) for text in sorted(texts)]
