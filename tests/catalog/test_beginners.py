"""The slips of a beginner: each is one finding, at the line and column where it was made, and says what to write."""

import pytest

from hub.catalog import WorkspaceFiles, judge
from hub.catalog.files.revision import read_files
from hub.catalog.scaffold.new_workspace import init

ROUTES, WAREHOUSE = "routes.yaml", "adapters/warehouse/system.yaml"
MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
OWNER, TO, CALL, NO = (
    "    owner: fulfilment\n",
    "to: [warehouse/order.create@1]",
    "    call: POST /orders\n",
    "  orderNo: orderNo\n",
)
VERSIONS = "{1: {state: current}}"

# what it is; the file; what stands there; what is written; (lines below what is written, column, code); a part of what
# is to be written
CASES = [
    ("one blank too many", ROUTES, OWNER, "     owner: fulfilment\n", (0, 6, "E105"), "write 4 blanks"),
    ("two blanks too many", ROUTES, OWNER, "      owner: fulfilment\n", (0, 7, "E105"), "write 4 blanks"),
    ("one blank too few", ROUTES, OWNER, "   owner: fulfilment\n", (0, 4, "E105"), "write 4 blanks"),
    ("one blank too many before the first of several", MAPPING, NO, "   orderNo: orderNo\n", (0, 4, "E105"), "write 2 blanks"),
    ("one blank too many behind a value in braces", WAREHOUSE, CALL, "     call: POST /orders\n", (0, 6, "E105"), "write 4 blanks"),
    ("one blank too few behind a value in braces", WAREHOUSE, CALL, "   call: POST /orders\n", (0, 4, "E105"), "write 4 blanks"),
    ("a list whose second element stands elsewhere", ROUTES, TO, "to:\n      - warehouse/order.create@1\n     - warehouse/order.create@1", (2, 6, "E105"), "write 6 blanks"),
    ("a tab", ROUTES, OWNER, "\towner: fulfilment\n", (0, 1, "E105"), "indent with blanks"),
    ("an open brace", WAREHOUSE, VERSIONS, "{1: {state: current}", (0, 15, "E105"), "write }"),
    ("an open inner brace", WAREHOUSE, f"versions: {VERSIONS}", "versions: {1: {state: current", (0, 19, "E105"), "write }"),
    ("a brace too many", WAREHOUSE, VERSIONS, "{1: {state: current}}}", (0, 36, "E105"), "take it out"),
    ("an open bracket", ROUTES, TO, TO[:-1], (0, 9, "E105"), "write ]"),
    ("a brace for a bracket", ROUTES, TO, TO[:-1] + "}", (0, 34, "E105"), "write ]"),
    ("an open quote", ROUTES, OWNER, '    owner: "fulfilment\n', (0, 12, "E105"), 'write "'),
    ("no colon", ROUTES, OWNER, "    owner fulfilment\n", (0, 5, "E105"), "write owner: fulfilment"),
    ("no blank behind the colon", ROUTES, OWNER, "    owner:fulfilment\n", (0, 5, "E105"), "write owner: fulfilment"),
    ("a colon of another keyboard", ROUTES, OWNER, "    owner\uff1afulfilment\n", (0, 5, "E105"), "write owner: fulfilment"),
    ("= for a colon", MAPPING, NO, "  orderNo = orderNo\n", (0, 3, "E105"), "write orderNo: orderNo"),
    ("a key twice", ROUTES, OWNER, OWNER * 2, (1, 5, "E108"), "keep one"),
    ("brackets within braces", ROUTES, TO, 'to: [{warehouse/order.create@1: {when: items[0].sku = "A"}}]', (0, 49, "E110"), "quotes"),
    ("a colon within an expression", ROUTES, OWNER, OWNER + '    when: orderNo = "a: b" ? 1 : 0\n', (1, 23, "E110"), "quotes"),
    ("a percent sign before a value", MAPPING, NO, "  orderNo: %orderNo\n", (0, 12, "E110"), "quotes"),
    ("two braces around a path", MAPPING, NO, "  orderNo: {{orderNo}}\n", (0, 13, "E110"), "orderNo"),
    ("no @ before the version", ROUTES, TO, "to: [warehouse/order.create1]", (0, 10, "E304"), "warehouse/order.create@1?"),
    ("a v before the version", ROUTES, TO, "to: [warehouse/order.create@v1]", (0, 10, "E206"), "warehouse/order.create@1?"),
    ("a dot for the slash", ROUTES, TO, "to: [warehouse.order.create@1]", (0, 10, "E206"), "warehouse/order.create@1?"),
    ("a version where none is wanted", ROUTES, "from: shop/order.placed\n", "from: shop/order.placed@1\n", (0, 11, "E206"), "shop/order.placed?"),
    ("a version that is not there", ROUTES, TO, "to: [warehouse/order.create@2]", (0, 10, "E305"), "known here: 1"),
    ("a system that is not there", ROUTES, TO, "to: [warehose/order.create@1]", (0, 10, "E303"), "did you mean warehouse?"),
    ("a message that is not there", ROUTES, TO, "to: [warehouse/ordr.create@1]", (0, 10, "E304"), "did you mean order.create?"),
    ("one value for a list", ROUTES, TO, "to: warehouse/order.create@1", (0, 9, "E204"), "write [warehouse/order.create@1]"),
    ("no blank behind the dash", ROUTES, TO, "to:\n      -warehouse/order.create@1", (1, 7, "E204"), "write [warehouse/order.create@1]"),
    ("a key of another spelling", ROUTES, OWNER, "    onwer: fulfilment\n", (0, 5, "E201"), "did you mean owner?"),
    ("nothing behind the colon", ROUTES, OWNER, "    owner:\n", (0, 11, "E204"), "write it"),
    ("words for a duration", ROUTES, "timeout: 5s", "timeout: 5 seconds", (0, 12, "E206"), "800ms"),
    ("a fixed text without const", MAPPING, NO, "  orderNo: SO one\n", (0, 3, "E501"), "{const: SO one}"),
    ("== for =", MAPPING, NO, '  orderNo: "orderNo == 1 ? orderNo : orderNo"\n', (0, 3, "E501"), "write ="),
    ("&& for and", ROUTES, OWNER, OWNER + "    when: orderNo && items\n", (1, 11, "E207"), "write and"),
    ("|| for or", ROUTES, OWNER, OWNER + "    when: orderNo || items\n", (1, 11, "E207"), "write or"),
    ("curly quotes", ROUTES, OWNER, OWNER + "    when: orderNo = \u201cx\u201d\n", (1, 11, "E207"), "plain quotes"),
    ("a path in braces", MAPPING, NO, "  orderNo: ${orderNo}\n", (0, 3, "E501"), "write the path alone: orderNo"),
    ("a function of another name", MAPPING, NO, "  orderNo: $upper(orderNo)\n", (0, 3, "E501"), ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    init(folder)
    return read_files(folder)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_each_is_one_finding_at_its_place_and_says_what_to_write(files, case):
    _, file, before, after, (below, column, code), fix = case
    text = files[file]
    assert text.count(before) == 1
    _, findings = judge(WorkspaceFiles({**files, file: text.replace(before, after)}))
    line = text.count("\n", 0, text.index(before)) + 1 + below
    assert [(one.file, one.line, one.column, one.code) for one in findings] == [(file, line, column, code)], findings
    assert fix in findings[0].fix
    assert findings[0].fix


def test_what_another_file_cannot_be_read_for_is_not_told_of_those_that_name_it(files):
    _, findings = judge(
        WorkspaceFiles({**files, WAREHOUSE: files[WAREHOUSE].replace(VERSIONS, "{1: {state: current}")})
    )
    assert {one.file for one in findings} == {WAREHOUSE}
