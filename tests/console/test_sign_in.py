"""Signing in and what it is worth, over real sockets: cookies, sessions, who may do what, and what other pages cannot
make a browser do.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.console import attach
from hub.core.errors import Code
from hub.flow.accounts import people
from hub.flow.context.work_places import Places
from tests.console.conftest import PASSWORD, Browser
from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub
from tests.support.waiting import wait_until

PAGES = ["/console/processes", "/console/record", "/console/callers", "/console/store", "/console/record/check"]


def what(running, **given):
    return [one.what for one in running.hub.store.acts(**given)]


@pytest.mark.parametrize("path", [*PAGES, "/console/people", "/console/callers/new", "/console/nowhere"])
def test_nobody_sees_a_page_without_signing_in(nobody, path):
    answer = nobody.get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/console/sign-in")
    assert nobody.get(path, HX_Request="true").status_code == 401


def test_the_cookie_is_for_this_host_its_pages_and_no_script(nobody):
    answer = nobody.post("/console/sign-in", {"name": "olga", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie  # this hub has no https in front; one that has: the next test
    assert answer.headers["location"] == "/console"


def test_behind_https_the_cookie_goes_over_tls_alone_and_no_neighbour_can_set_it(tmp_path):
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    given = {"HUB_PUBLIC_URL": "https://hub.example"}
    with (
        small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", **given) as made,
        served(made, "wsgi", pages=attach) as behind,
    ):
        people.add(made.store, "olga", PASSWORD, people.OPERATOR, by="test")
        cookie = (
            Browser(behind.url).post("/console/sign-in", {"name": "olga", "password": PASSWORD}).headers["set-cookie"]
        )
    assert cookie.startswith("__Host-crossdock_session=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie


def test_signing_in_makes_a_new_session_and_ends_the_one_before(running, operator):
    # Given somebody who is signed in
    before = operator.session.cookies["crossdock_session"]
    # When they sign in again, then the token is another one, and the old one is nobody's
    operator.post("/console/sign-in", {"name": "olga", "password": PASSWORD})
    assert operator.session.cookies["crossdock_session"] != before
    assert people.signed_in(running.hub.store, before) is None


def test_a_token_that_somebody_planted_is_not_taken_over(running, nobody):
    nobody.session.cookies.set("crossdock_session", "planted-planted-planted-planted")
    nobody.post("/console/sign-in", {"name": "olga", "password": PASSWORD}, csrf=False)
    assert people.signed_in(running.hub.store, "planted-planted-planted-planted") is None


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(running, operator):
    token = operator.session.cookies["crossdock_session"]
    copy = Browser(running.url)
    copy.session.cookies.set("crossdock_session", token)
    assert copy.get("/console/processes").status_code == 200
    assert operator.post("/console/sign-out").status_code == 303
    assert copy.get("/console/processes").status_code == 303


@pytest.mark.parametrize(
    "change",
    [{"role": people.VIEWER}, {"is_disabled": True}, {"password_hash": "x"}],
    ids=["another role", "disabled", "another password"],
)
def test_what_is_taken_away_is_gone_at_once(running, change):
    # Given somebody who is signed in
    name = f"p{abs(hash(str(change))) % 10_000}"
    people.add(running.hub.store, name, PASSWORD, people.OPERATOR, by="test")
    theirs = Browser(running.url).sign_in(name)
    assert theirs.get("/console/people").status_code == 200
    # When the account is changed, then they are not signed in any more
    running.hub.store.change_user(name, by="test", **change)
    assert theirs.get("/console/people").status_code == 303


def test_a_session_ends_by_idleness_and_by_age(running, monkeypatch):
    token = people.sign_in(running.hub.store, "olga", PASSWORD, address="192.0.2.1")
    assert people.signed_in(running.hub.store, token).name == "olga"
    monkeypatch.setattr(people, "IDLE", people.IDLE * 0)
    assert people.signed_in(running.hub.store, token) is None
    monkeypatch.undo()
    monkeypatch.setattr(people, "LONGEST", people.LONGEST * 0)
    assert (
        people.signed_in(running.hub.store, people.sign_in(running.hub.store, "olga", PASSWORD, address="192.0.2.1"))
        is None
    )


def test_one_answer_for_all_that_is_wrong(running, nobody):
    people.add(running.hub.store, "gone", PASSWORD, people.VIEWER, by="test")
    running.hub.store.change_user("gone", by="test", is_disabled=True)
    texts = set()
    for name, password in (
        ("olga", "wrong"),
        ("nobody-at-all", PASSWORD),
        ("gone", PASSWORD),
        ("", ""),
        ("olga", "a\x00b"),
        ("no name!", "x"),
        ("olga", "y" * 5_000),
    ):
        other = Browser(running.url)
        answer = other.post("/console/sign-in", {"name": name, "password": password}, X_Forwarded_For="x")
        assert answer.status_code in (401, 429)
        texts.add(people.WRONG in answer.text)
        with running.hub.store._database.writing.begin() as connection:
            connection.exec_driver_sql("DELETE FROM sign_in_try")
    assert texts == {True}


def test_an_unknown_name_costs_what_a_wrong_password_costs(running):
    def spent(name):
        best = []
        for number in range(4):
            began = time.perf_counter()
            with pytest.raises(people.Refused):
                people.sign_in(running.hub.store, name, "not this one", address=f"198.51.100.{number}")
            best.append(time.perf_counter() - began)
        return min(best)

    spent("warm-up")
    known, unknown = spent("vera"), spent("nobody-at-all")
    assert unknown > known / 3


def test_guessing_shuts_out_the_guesser_and_not_the_person(running):
    store = running.hub.store
    people.add(store, "wanda", PASSWORD, people.VIEWER, by="test")
    people.sign_in(store, "wanda", PASSWORD, address="203.0.113.1")
    # Given a stranger who guesses
    codes = []
    for _ in range(people.MOST_PAIR + 2):
        with pytest.raises(people.Refused) as caught:
            people.sign_in(store, "wanda", "guess", address="203.0.113.66")
        codes.append(caught.value.code)
    # Then after five not even the right password is looked at from there
    assert codes == [Code.UNAUTHENTICATED] * people.MOST_PAIR + [Code.TOO_MANY_REQUESTS] * 2
    with pytest.raises(people.TooMany):
        people.sign_in(store, "wanda", PASSWORD, address="203.0.113.66")
    # And many strangers together shut the name to strangers, and not to where it was signed in from
    for number in range(people.MOST_NAME):
        with pytest.raises(people.Refused):
            people.sign_in(store, "wanda", "guess", address=f"203.0.113.{100 + number}")
    with pytest.raises(people.TooMany):
        people.sign_in(store, "wanda", PASSWORD, address="203.0.113.99")
    assert people.sign_in(store, "wanda", PASSWORD, address="203.0.113.1")
    # And the record has the first and the last of each, not each of them; nobody's name stands as who did it
    told = [
        one
        for one in store.acts(what="user.sign_in_failed", object_="wanda", limit=200)
        if one.details["address"] == "203.0.113.66"
    ]
    assert len(told) == 2
    assert {one.by for one in told} == {""}


def test_made_up_names_shut_out_nobody_behind_the_same_address(running):
    # Given a proxy that is not named, so that everybody has its address, and a stranger behind it who tries forty names
    told = len(running.hub.store.acts(what="user.sign_in_failed", limit=500))
    for number in range(40):
        with pytest.raises(people.Refused) as caught:
            people.sign_in(running.hub.store, f"name-{number}", "guess", address="203.0.113.200")
        assert caught.value.code is Code.UNAUTHENTICATED
    # Then who has an account signs in, on a machine that nobody knows
    assert people.sign_in(running.hub.store, "olga", PASSWORD, address="203.0.113.200")
    # And the record was not filled with them
    assert len(running.hub.store.acts(what="user.sign_in_failed", limit=500)) - told == people.MOST_TOLD


def test_a_browser_that_is_known_is_not_shut_out_by_strangers_at_its_address(running):
    mine, theirs, wrong = Browser(running.url), Browser(running.url), {"name": "vera", "password": "not this one"}
    mine.sign_in("vera")
    cookie = next(one for one in mine.session.cookies if one.name == "crossdock_device")
    assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite"), cookie.path) == (
        True,
        "Strict",
        "/",
    )
    mine.post("/console/sign-out")
    # Given a stranger at the same address who knows the name, and tries until it is shut
    for turn in range(people.MOST_PAIR + 1):
        assert theirs.post("/console/sign-in", wrong).status_code == (401 if turn < people.MOST_PAIR else 429)
    assert theirs.post("/console/sign-in", {"name": "vera", "password": PASSWORD}).status_code == 429
    # Then vera's browser signs in as ever; another name's is no help, nor is one that is made up
    mine.sign_in("vera")
    for device in (
        people.device_of("x" * 43),
        Browser(running.url).sign_in("olga").session.cookies["crossdock_device"],
    ):
        theirs.session.cookies.set("crossdock_device", device)
        assert theirs.post("/console/sign-in", {"name": "vera", "password": PASSWORD}, csrf=False).status_code == 429
    # And it has tries of its own, not endless ones: who stole it guesses no longer than others
    stolen = Browser(running.url)
    stolen.session.cookies.set("crossdock_device", mine.session.cookies["crossdock_device"])
    assert [stolen.post("/console/sign-in", wrong).status_code for _ in range(people.MOST_PAIR + 1)] == [
        401
    ] * people.MOST_PAIR + [429]
    # And a new password begins anew
    people.change_password(running.hub.store, "vera", PASSWORD, by="test")
    theirs.session.cookies.clear()
    theirs.sign_in("vera")


def test_sixty_guesses_at_once_are_no_more_than_one_after_the_other(running, monkeypatch):
    # Given places for all of them, so that nothing but the count holds them back
    monkeypatch.setattr(people, "PLACES", Places(strangers=60, known=60, waiting=60, patience_s=30))
    looked, fits = [], people.fits
    monkeypatch.setattr(people, "fits", lambda password, hashed: looked.append(password) or fits("x", None))
    people.add(running.hub.store, "walt", PASSWORD, people.VIEWER, by="test")

    def guess(number):
        with pytest.raises(people.Refused) as caught:
            people.sign_in(running.hub.store, "walt", f"guess {number}", address="203.0.113.201")
        return caught.value.code

    with ThreadPoolExecutor(60) as threads:
        codes = list(threads.map(guess, range(60)))
    assert (len(looked), codes.count(Code.UNAUTHENTICATED), codes.count(Code.TOO_MANY_REQUESTS)) == (
        people.MOST_PAIR,
        people.MOST_PAIR,
        60 - people.MOST_PAIR,
    )


def test_many_who_sign_in_at_once_hold_up_nobody_else(running, monkeypatch):
    known = people.sign_in(running.hub.store, "olga", PASSWORD, address="203.0.113.202")
    slow, seen, most = threading.Event(), [], []

    def fits(password, hashed):
        seen.append(password)
        most.append(len(seen))
        slow.wait(10)
        seen.remove(password)
        return password == PASSWORD

    monkeypatch.setattr(people, "fits", fits)
    monkeypatch.setattr(people, "PLACES", Places(strangers=2, known=1, waiting=2, patience_s=30))
    with ThreadPoolExecutor(20) as threads:
        guesses = [
            threads.submit(
                people.sign_in, running.hub.store, f"made-up-{number}", "guess", address=f"203.0.113.{number}"
            )
            for number in range(12)
        ]
        # Given two that are looked at and two that wait, the others are sent away at once
        wait_until(lambda: sum(one.done() for one in guesses) == 8, what="eight that are sent away")
        assert {type(one.exception()) for one in guesses if one.done()} == {people.Busy}
        # Then a browser that is known stands behind none of them
        mine = threads.submit(
            people.sign_in, running.hub.store, "olga", PASSWORD, address="203.0.113.203", device=people.device_of(known)
        )
        wait_until(lambda: PASSWORD in seen, what="the known one's turn")
        slow.set()
        assert mine.result(10)
    assert max(most) == 3


@pytest.mark.parametrize("path", ["/console/people", "/console/callers/new"])
def test_a_viewer_does_not_see_what_is_for_operators(viewer, path):
    assert viewer.get(path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_the_pages_and_no_button_that_acts(viewer, path):
    answer = viewer.get(path)
    assert answer.status_code == 200
    assert '<details class="act' not in answer.text


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/console//evil",
        "/\\evil",
        "/consolevil",
        "/ops/v1/keys",
    ],
)
def test_signing_in_leads_to_own_pages_alone(running, to):
    answer = Browser(running.url).post("/console/sign-in", {"name": "olga", "password": PASSWORD, "next": to})
    assert answer.headers["location"] == "/console"


@pytest.mark.parametrize("path", [*PAGES, "/console/people", "/console/sign-in", "/console/nowhere"])
def test_what_holds_for_each_answer(operator, path):
    headers = operator.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_an_operator_s_call_goes_by_the_session_too_and_bears_its_name(running, operator, viewer):
    call = {"kind": "target", "name": "warehouse", "by": "somebody else"}
    path = running.url + "/ops/v1/pauses"
    # Given the header that a page of ours sends, then it is done, under the name of who is signed in
    done = operator.session.post(path, json=call, headers={"X-CSRF-Token": operator.csrf()}, timeout=30)
    assert done.status_code == 200, done.text
    assert running.hub.store.acts(what="target.paused")[0].by == "olga"
    # Without the header, and by a viewer, nothing is done, on this machine neither
    before = what(running, limit=200)
    assert operator.session.post(path, json=call, timeout=30).status_code == 403
    assert viewer.session.post(path, json=call, headers={"X-CSRF-Token": viewer.csrf()}, timeout=30).status_code == 403
    assert viewer.session.get(path, timeout=30).status_code == 200
    assert what(running, limit=200) == before
    operator.session.post(path + "/resume", json=call, headers={"X-CSRF-Token": operator.csrf()}, timeout=30)


def test_a_poll_of_what_has_not_changed_costs_nothing(operator):
    first = operator.get("/console/callers", HX_Request="true")
    assert "<html" not in first.text
    again = operator.get("/console/callers", HX_Request="true", If_None_Match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_hostile_words_are_text(running, operator):
    text = "<img src=x onerror=alert(1)>'\"{{7*7}}"
    running.hub.store.note_act(by=text, what="value.revealed", object_=text, details={"why": text})
    page = operator.get("/console/record").text
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "{{7*7}}" in page
