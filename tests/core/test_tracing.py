"""W3C Trace Context."""

import pytest

from hub.core.tracing import trace_id_of, traceparent

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_header_is_read_and_written():
    assert trace_id_of(f"00-{ID}-{SPAN}-01") == ID
    assert trace_id_of(traceparent(ID, SPAN)) == ID


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        ID,
        f"00-{ID}-{SPAN}",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01\n",
        f"00-{ID}-{SPAN}-01-extra",
    ],
)
def test_what_is_not_well_formed_is_ignored(text):
    assert trace_id_of(text) is None
