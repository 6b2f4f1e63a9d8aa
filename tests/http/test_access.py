"""docs/access.md is what the app answers: to everybody, at each of its addresses, from each side."""

import asyncio

import requests

from tests.support import access
from tests.support.servers import granian
from tests.support.sockets import Forwarder


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
    assert access.page(rows) == access.PAGE.read_text("utf-8"), (
        "an address is new, or answers otherwise: run `make access`, and read what changed"
    )


def test_a_forwarder_that_adds_nothing_makes_nobody_somebody(tmp_path):
    """Over real sockets: whoever is behind it comes from 127.0.0.1, and is answered what the page says of nobody."""
    told = {}
    for line in access.PAGE.read_text("utf-8").split(access.SECOND)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 3 and cells[1].startswith("`/"):
            told |= {(method, cells[1].strip("`")): cells[2] for method in cells[0].split(", ")}
    with access.opened(tmp_path) as hubs, granian(hubs.front) as port:
        forwarder = Forwarder(port)
        try:
            with requests.Session() as session:
                session.trust_env = False
                for _, method, written, path in hubs.routes():
                    body = hubs.body(method, path)
                    headers = dict(access.kind_of(method, path, body))
                    answer = session.request(
                        method, forwarder.url + path, data=body, headers=headers, allow_redirects=False, timeout=10
                    )
                    assert str(answer.status_code) == told[method, written], (method, written)
        finally:
            forwarder.stop()


def test_a_route_that_is_new_has_a_row(tmp_path):
    with access.opened(tmp_path) as hubs:
        before = hubs.routes()
        hubs.app.add_url_rule("/ops/v1/new/<name>", view_func=lambda name: name)
        [(part, method, written, path)] = [route for route in hubs.routes() if route not in before]
    assert (part, method, written, path) == ("Operators' calls", "GET", "/ops/v1/new/{name}", "/ops/v1/new/x")
    assert f"`{written}`" not in access.PAGE.read_text("utf-8")
