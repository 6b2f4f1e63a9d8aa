"""Who may change what: every action and every call that changes something, as the app itself lists them, so that none
that is new is left out.
"""

import json
import uuid

import pytest
import requests
from werkzeug.routing import AnyConverter, UUIDConverter

from hub.console import attach
from hub.http.app import make_app
from tests.console.conftest import Browser
from tests.support.pictures import PICTURES
from tests.support.views import SAFE

# What is a viewer's own: signing in and out, and how the pages look. Nothing else is.
OWN = {"console.sign_in", "console.sign_out", "console.preferences"}
ELSEWHERE = {"Origin": "https://evil.example"}


class App:
    """The addresses of the app that is served, its own list of them."""

    def __init__(self, hub):
        self.map = make_app(hub, pages=attach).url_map

    def changes(self, under):
        """(view, method, address) of all that changes something; an address of each kind that the rule allows."""
        found = []
        for rule in self.map.iter_rules():
            if rule.endpoint.startswith(under):
                found += [
                    (rule.endpoint, method, address)
                    for method in sorted(rule.methods - SAFE)
                    for address in addresses(self.map, rule)
                ]
        return sorted(found)

    def pages(self):
        """Addresses of the console's pages that need no name in them."""
        return sorted(
            rule.rule
            for rule in self.map.iter_rules()
            if rule.endpoint.startswith("console.") and "GET" in rule.methods and not rule.arguments
        )


def addresses(url_map, rule):
    """One address, or one for each word where the rule names them."""
    converters = rule._converters
    words = next(((name, one.items) for name, one in converters.items() if isinstance(one, AnyConverter)), None)
    given = {name: uuid.UUID(int=7) if isinstance(one, UUIDConverter) else "x" for name, one in converters.items()}
    bound = url_map.bind("127.0.0.1")
    many = [{**given, words[0]: word} for word in sorted(words[1])] if words else [given]
    return [bound.build(rule.endpoint, values, method=next(iter(rule.methods - SAFE))) for values in many]


@pytest.fixture(scope="module")
def app(running):
    return App(running.hub)


@pytest.fixture(scope="module")
def actions(app):
    found = app.changes("console.")
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def calls(app):
    found = app.changes("ops.")
    assert len(found) > 15
    return found


@pytest.fixture
def record(running):
    """What stands on record of what people did, but for their signing in."""
    return lambda: [
        (act.sequence, act.what) for act in running.hub.store.acts(limit=200) if not act.what.startswith("user.sign")
    ]


def form(browser, address, token, **headers):
    fields = {"name": "x", "why": "x", "ids": "x", "what": "operator", "role": "operator", "password": "x" * 20} | (
        {"csrf": token} if token else {}
    )
    return browser.session.post(
        browser.url + address, data=fields, headers=headers, allow_redirects=False, timeout=30
    ).status_code


def call(browser, method, address, token="", **headers):
    given = headers | ({"X-CSRF-Token": token} if token else {})
    return browser.session.request(
        method, browser.url + address, json={"by": "x", "why": "x"}, headers=given, timeout=30
    ).status_code


def test_a_viewer_reaches_no_action_and_no_call_by_its_address(viewer, actions, calls, record):
    token, before = viewer.csrf(), record()
    answers = {(view, address): form(viewer, address, token) for view, _, address in actions if view not in OWN}
    answers |= {(view, address, method): call(viewer, method, address, token) for view, method, address in calls}
    assert {one: status for one, status in answers.items() if status != 403} == {}
    assert record() == before


def test_nobody_changes_anything_without_signing_in(nobody, actions, record):
    before = record()
    answers = {(view, address): form(nobody, address, "") for view, _, address in actions if view not in OWN}
    assert {one: status for one, status in answers.items() if status != 401} == {}
    assert record() == before


@pytest.mark.parametrize(
    "kind", ["missing", "somebody else's", "of a session before", "made up", "JSON", "another origin"]
)
def test_a_change_that_was_not_asked_for_here_is_refused(running, operator, actions, calls, record, kind):
    token, headers = operator.csrf(), {}
    match kind:
        case "missing" | "JSON":
            token = ""
        case "somebody else's":
            token = Browser(running.url).sign_in("vera").csrf()
        case "of a session before":
            operator.sign_in("olga")
        case "made up":
            token = "0" * 64
        case _:
            headers = ELSEWHERE
    before = record()
    answers = {}
    for view, method, address in actions:
        if view == "console.sign_in" and kind != "another origin":
            continue  # who signs in has no session yet; that no other page does it for them is its origin's
        if kind == "JSON":
            text = json.dumps({"csrf": operator.csrf()})
            answers[address] = operator.session.request(
                method, running.url + address, data=text, headers={"content-type": "application/json"}, timeout=30
            ).status_code
        else:
            answers[address] = form(operator, address, token, **headers)
    answers |= {
        (method, address): call(operator, method, address, token, **headers)
        for _, method, address in calls
        if kind != "JSON"
    }
    assert {
        one: status for one, status in answers.items() if status not in ((415,) if kind == "JSON" else (403,))
    } == {}
    assert record() == before


def test_a_page_of_another_origin_calls_nothing_on_this_machine(running, calls, record):
    # Given a browser on the hub's own machine, where calls need no token
    before = record()
    answers = {
        address: requests.request(method, running.url + address, json={}, headers=ELSEWHERE, timeout=30).status_code
        for _, method, address in calls
    }
    assert {one: status for one, status in answers.items() if status not in (401, 403, 404)} == {}
    assert record() == before


def test_a_viewer_s_pages_have_no_form_that_changes_anything(viewer, app):
    own = {f'action="{rule.rule}"' for rule in app.map.iter_rules() if rule.endpoint in OWN}
    for path in app.pages():
        answer = viewer.get(path)
        assert answer.status_code in (200, 303, 403), path
        forms = [part.split(">", 1)[0] for part in answer.text.split("<form")[1:]]
        assert [one for one in forms if 'method="post"' in one and not any(allowed in one for allowed in own)] == [], (
            path
        )


def test_each_picture_is_of_a_page_that_there_is(app):
    views = {rule.endpoint.removeprefix("console.") for rule in app.map.iter_rules() if "GET" in rule.methods}
    assert {picture.view for picture in PICTURES.values()} <= views
