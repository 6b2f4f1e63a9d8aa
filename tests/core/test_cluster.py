"""What makes two failures one cause: the same words, whatever numbers, ids and quoted values stand between them."""

import pytest

from hub.core.errors import Cause, Reason
from hub.core.message import Ref
from hub.core.model.cluster import cause_of, shape_of
from hub.core.model.remedies import MENDS

SOURCE, TARGET = Ref("oms", "order.created", 1), Ref("wms", "outbound.create", 1)


def cause(
    text="The target refused it with 400: no stock.", *, field="", code=400, reason=Reason.REFUSED, route="orders"
):
    return cause_of(route, TARGET, SOURCE, Cause(reason, text, field), code)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Order SO-1 is not known.", "Order SO-2771 is not known."),
        ('"A" is no unit; wanted KG', '"PCS" is no unit; wanted KG'),
        ("订单SO-1不存在", "订单SO-99不存在"),
        ("Attempt 3 of 3 was the last.", "Attempt 12 of 12 was the last."),
        ("lines 1, 2, 3 are empty", "lines 4 are empty"),
        ("id 018f0000-0000-7000-8000-000000000001\n is  gone", "id 018f0000-0000-7000-8000-000000000002 is gone"),
    ],
)
def test_what_differs_from_message_to_message_does_not_count(one, other):
    assert shape_of(one) == shape_of(other)
    assert cause(one).id == cause(other).id


def test_another_sentence_code_field_class_route_or_version_is_another_cause():
    others = [cause("no"), cause(code=422), cause(field="/a"), cause(reason=Reason.UNSUCCESSFUL), cause(route="b")]
    assert len({cause().id, *(one.id for one in others)}) == 6
    assert (
        cause_of("orders", TARGET, Ref("oms", "order.created", 2), Cause(Reason.REFUSED, "x"), 400).id != cause("x").id
    )


def test_whichever_element_of_a_list_it_is():
    assert cause(field="/items/0/sku").id == cause(field="/items/17/sku").id
    assert cause(field="/items/0/sku").field == "/items/*/sku"


def test_the_same_words_with_another_text_share_their_coarse_id():
    assert cause("a").coarse == cause("b").coarse != cause(field="/x").coarse


def test_each_reason_says_what_would_mend_it():
    assert set(MENDS) == set(Reason)
