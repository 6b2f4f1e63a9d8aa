"""Whether two messages say the same, however they are written."""

import pytest

from hub.core import json
from hub.core.config.events import Event
from hub.core.message import Ref
from hub.core.schemas.content import fingerprint, is_same

V1, V2 = Ref("shop", "order.placed", 1), Ref("shop", "order.placed", 2)


def of(text, ref=V1):
    return fingerprint((ref, json.decode(text.encode())))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [1, 2]}', '{\n "b":[1,2],"a":1}'),
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": 1E+2}', '{"a": 100}'),
        ('{"a": 2.50}', '{"a": 2.5}'),
        ('{"a": -0.0}', '{"a": 0}'),
        ('{"a": "é"}', '{"a": "\\u00e9"}'),
        ('{"a": {"x": 1, "y": 2.0}}', '{"a": {"y": 2, "x": 1}}'),
        ("1E+300", "1.0E300"),
    ],
)
def test_another_spelling_is_the_same(one, other):
    assert is_same(of(one), of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": null}', "{}"),
        ('{"a": "x"}', '{"a": "x "}'),
        ('{"a": 0.1}', '{"a": 0.10000000000000000000000000000000000001}'),
        ('{"a": "1.0"}', '{"a": "1"}'),
        ("9223372036854775807", "9223372036854775806"),
    ],
)
def test_another_value_is_not(one, other):
    assert not is_same(of(one), of(other))


def test_two_versions_of_one_content_are_the_same_where_one_leads_to_the_other():
    old, new = json.decode(b'{"orderNo":"SO-1"}'), json.decode(b'{"orderNumber":"SO-1"}')
    upgraded, posted = fingerprint((V1, old), (V2, new)), fingerprint((V2, new))
    assert is_same(upgraded, posted)
    assert not is_same(fingerprint((V1, old)), fingerprint((V2, old)))
    assert len(upgraded) <= 64


def test_an_event_is_compared_by_what_was_told_and_by_what_became_of_it():
    def event(payload, element):
        return Event(V1, payload, "id", element=element).content

    # What it becomes may hold the time of its coming; what was told may hold the time of its sending
    assert is_same(event({"a": 1, "at": "10:00"}, {"n": 1}), event({"a": 1, "at": "10:01"}, {"n": 1}))
    assert is_same(event({"a": 1}, {"n": 1, "sent": "10:00"}), event({"a": 1}, {"n": 1, "sent": "10:01"}))
    assert not is_same(event({"a": 1}, {"n": 1}), event({"a": 2}, {"n": 2}))
    # An adapter does not say what it was told
    assert not is_same(event({"a": 1}, None), event({"a": 2}, None))
