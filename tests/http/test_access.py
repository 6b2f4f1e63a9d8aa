"""docs/access.md is what the app answers: to everybody, at each of its addresses, from each side."""

import asyncio

from tests.support import access


def test_everybody_is_answered_as_the_page_says(tmp_path):
    with access.opened(tmp_path) as hubs:
        rows = asyncio.run(hubs.rows())
    # From where somebody asks makes no difference, anywhere
    assert [row for row in rows if any("/" in cell for cell in row[3])] == []
    # Who shows nothing, or something wrong, or is a partner, gets nothing of the operators'
    for part, _, address, (nobody, wrong, another, caller, *_, port, _socket) in rows:
        if part == access.PARTS["/ops/"] or address == "/metrics":
            assert {nobody, wrong, another, caller} == {"401"}, address
            assert port == "404", address
    assert access.page(rows) == access.PAGE.read_text("utf-8"), "an address is new, or answers otherwise: run `make access`, and read what changed"


def test_a_route_that_is_new_has_a_row(tmp_path):
    with access.opened(tmp_path) as hubs:
        before = hubs.routes()
        hubs.app.add_url_rule("/ops/v1/new/<name>", view_func=lambda name: name)
        [(part, method, written, path)] = [route for route in hubs.routes() if route not in before]
    assert (part, method, written, path) == ("Operators' calls", "GET", "/ops/v1/new/{name}", "/ops/v1/new/x")
    assert f"`{written}`" not in access.PAGE.read_text("utf-8")
