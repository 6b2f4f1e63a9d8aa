"""W3C Trace Context."""

import pytest

from hub.core.model.tracing import (
    accept_span,
    attempt_span,
    is_sampled,
    parent_of,
    trace_id_of,
    traceparent,
    tracestate_of,
)

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


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("fe", False)])
def test_the_caller_s_choice_is_one_bit(flags, sampled):
    parent = parent_of(f"00-{ID}-{SPAN}-{flags}")
    assert (parent.trace_id, parent.span_id, parent.is_sampled) == (ID, SPAN, sampled)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], ""),
        (["rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7"),
        (["a=1, b=2", " c@vendor=3"], "a=1,b=2,c@vendor=3"),
        (["a=1,,b=2"], "a=1,b=2"),
        (["a=1,a=2"], ""),
        (["A=1"], ""),
        (["a"], ""),
        (["a=1\r\nx: y"], ""),
        (["a=\u00e4"], ""),
        (["a=" + "x" * 257], ""),
        ([",".join(f"k{number}=1" for number in range(33))], ""),
        ([",".join(f"key{number}={'x' * 60}" for number in range(9))], ""),
    ],
)
def test_tracestate_is_handed_on_whole_or_not_at_all(values, told):
    assert tracestate_of(values) == told


def test_a_ratio_chooses_by_the_id_alone():
    ids = [f"{0xABCD:016x}80{number * (1 << 56) // 10_000:014x}" for number in range(10_000)]
    assert sum(is_sampled(one, 0.25) for one in ids) == 2_500
    assert all(is_sampled(one, 1) for one in ids)
    assert not any(is_sampled(one, 0) for one in ids)
    # What a smaller ratio records a larger one records too
    assert all(is_sampled(one, 0.25) for one in ids if is_sampled(one, 0.1))


def test_ids_of_spans_are_the_same_in_every_process_and_none_is_another_s():
    assert attempt_span("d", 1) == attempt_span("d", 1)
    made = {attempt_span("d", 1), attempt_span("d", 2), attempt_span("e", 1), accept_span("d"), accept_span("e")}
    assert len(made) == 5
    assert all(trace_id_of(traceparent(ID, one)) == ID for one in made)
