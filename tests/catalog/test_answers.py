"""What `hub check` says of the expressions over a target's answer: `success`, `already`, `again`, `refused`, `reply`
and `probe`.
"""

import pytest

from hub.catalog import check
from tests.support.hubs import small_workspace


def findings(tmp_path, lines):
    folder = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9001")
    system = folder / "adapters" / "warehouse" / "system.yaml"
    text = system.read_text("utf-8")
    system.write_text(text.replace("    call: POST /orders\n", f"    call: POST /orders\n{lines}"), "utf-8")
    start = text.count("\n", 0, text.index("    call:")) + 2
    return [(one.line - start, one.code, one.text) for one in check(folder) if one.code[0] == "E"]


@pytest.mark.parametrize(
    ("lines", "code", "told"),
    [
        ("    success: stauts = 200\n", "E510", "the answer has no stauts"),
        ("    already: code = 40901\n", "E510", "the answer has no code"),
        ("    again: errcode = -1\n", "E510", "the answer has no errcode"),
        ("    refused: {message: errmsg}\n", "E510", "the answer has no errmsg"),
        ("    again: $uppercase(status) = 'BUSY'\n", "E523", "uppercase"),
        ("    again: status = 'busy'\n", "E604", "never"),
        ("    again: body.errcode in [-1\n", "E207", "does not compile"),
        ("    refused: {text: body.errmsg}\n", "E201", "text is not a key of refused"),
        ("    probe: {call: GET /x, applied: state = 'done'}\n", "E510", "the answer has no state"),
    ],
)
def test_what_cannot_be_meant_is_found_at_its_line(tmp_path, lines, code, told):
    found = findings(tmp_path, lines)
    assert any((line, one) == (0, code) and told in text for line, one, text in found), found


@pytest.mark.parametrize(
    "lines",
    [
        "    success: status < 300 and body.code in [0, 200]\n    again: body.errcode in [-1, 45009]\n    refused: {message: body.errmsg}\n",
        "    again: status = 200 and headers.`x-busy` = '1'\n",
        "    already: $exists(body.data[0].no)\n",
        "    refused: {message: \"$join(body.errors.message, '; ')\"}\n",
        "    success: $.status = 200\n",
    ],
)
def test_what_is_meant_is_let_through(tmp_path, lines):
    assert findings(tmp_path, lines) == []
