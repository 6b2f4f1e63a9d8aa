"""Pages in Markdown, read back by a parser of Markdown: what a contract says arrives as it stands there."""

import pytest
from markdown_it import MarkdownIt

from hub.core.apidocs.handbook import pages
from hub.core.config.system import Accept, Emit, System, Version, VersionState
from hub.core.message import Ref
from hub.core.model.error_catalogue import MEANINGS
from hub.core.schemas.contract import compile_contract

V1 = {
    "type": "object",
    "additionalProperties": False,
    "required": ["orderNo"],
    "properties": {
        "orderNo": {"type": "string", "pattern": "^(A|B)`?[0-9]+$", "maxLength": 64},
        "weight": {"type": "number", "minimum": 0.5, "maximum": 10, "x-unit": "kg|lb"},
        "kind": {"enum": ["a|b", "c"], "description": "Either <b>this</b> | that, see [there](http://example.com)"},
        "count": {"type": "integer"},
    },
}
V2 = {
    **V1,
    "required": ["orderNo", "count"],
    "x-consistent": {"weigh something | count something": "count > 0 or weight > 0"},
}
REF = Ref("shop", "order.placed", 1)


@pytest.fixture(scope="module")
def made():
    contracts = {
        number: compile_contract(Ref("shop", "order.placed", number), schema) for number, schema in ((1, V1), (2, V2))
    }
    versions = {
        1: Version(VersionState.DEPRECATED, "2026-06-01", "2026-12-01"),
        2: Version(VersionState.CURRENT, "2026-06-01"),
    }
    emit = Emit("shop/order.placed", "An order | of a shop", versions, contracts)
    accept = Accept(
        "shop/order.status", "", {1: Version(VersionState.CURRENT)}, {1: contracts[1]}, "PUT", "/orders|all"
    )
    system = System("shop", "Web | shop", "team", emits={"order.placed": emit}, accepts={"order.status": accept})
    good = {
        REF: {"one-line": {"orderNo": "A`1"}, "two_lines": {"orderNo": "B`2", "count": 2}, "third": {"orderNo": "A`3"}}
    }
    bad = {REF: {"no-number": {"count": 1}, "too-light": {"orderNo": "A`1", "weight": 0.1}}}
    return pages(system, good, bad)


def tables(page):
    """All tables of a page as lists of rows of texts: what a reader sees in each cell."""
    found, row = [], []
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            row = []
            found[-1].append(row)
        elif token.type == "inline" and found and token.level >= 4:
            assert (
                not [
                    one for one in token.children if one.type in ("html_inline", "link_open", "em_open", "strong_open")
                ]
                or "md" in token.content
            )
            row.append("".join(one.content for one in token.children))
    return found


def test_every_row_has_the_cells_of_its_head(made):
    for page in made.values():
        for table in tables(page):
            assert {len(row) for row in table} == {len(table[0])}


def test_fields_say_all_that_the_contract_says(made):
    # of version 2, then of version 1
    _, fields = [table for table in tables(made["shop.order.placed.md"]) if table[0][0] == "field"]
    assert fields[0] == ["field", "kind", "required", "values and limits", "meaning"]
    told = {row[0]: row[1:] for row in fields[1:]}
    assert told == {
        "orderNo": ["string", "yes", "of the form ^(A|B)`?[0-9]+$; at most 64 characters", ""],
        "weight": ["number", "", "at least 0.5; at most 10; in kg|lb", ""],
        "kind": ["string", "", "a|b, c", "Either <b>this</b> | that, see [there](http://example.com)"],
        "count": ["integer", "", "", ""],
    }


def test_all_samples_are_shown_and_what_refuses_the_bad_ones(made):
    page = made["shop.order.placed.md"]
    for case in ("one-line", "two\\_lines", "third"):
        assert f"A message ({case}):" in page
    assert page.count("```json") == 4  # and one that was made for version 2, which has no sample
    refused = [table for table in tables(page) if table[0] == ["pointer", "got", "want", "fix"]]
    assert [table[1][:2] for table in refused] == [["/orderNo", "nothing"], ["/weight", "number: 0.1"]]


def test_a_page_of_what_is_posted_ends_with_every_error(made):
    *_, errors = tables(made["shop.order.placed.md"])
    assert [row[1] for row in errors[1:]] == [str(int(code)) for code in sorted(MEANINGS)]
    assert ["422", "42200", "contract_violation", MEANINGS[42200].title, MEANINGS[42200].do] in errors


def test_a_page_of_what_the_hub_calls_says_what_becomes_of_answers(made):
    page = made["shop.order.status.md"]
    assert "The hub calls `PUT /orders|all`." in page
    assert "## Errors" not in page
    *_, answers = tables(page)
    assert [row[0] for row in answers[1:]][:2] == ["2xx", "408, 425, 429"]


def test_rules_and_changes_are_told(made):
    page = made["shop.order.placed.md"]
    assert "- weigh something | count something: `count > 0 or weight > 0`" in page
    assert "Other fields are refused." in page
    assert "## From version 1 to 2" in page


def test_a_system_has_a_list_of_its_messages(made):
    posted, called = tables(made["shop.md"])
    assert posted[1] == ["order.placed", "1 (deprecated), 2 (current)", "An order | of a shop"]
    assert called[1][0] == "order.status"
    assert "[order.placed](shop.order.placed.md)" in made["shop.md"]
