"""The frame of the console in a real browser: signing in, the pages under Run, appearance, the keyboard."""

import pytest

from tests.browser.conftest import PASSWORD
from tests.support.chromium import Visitor


def test_somebody_signs_in_and_out(browser, console, language):
    # Given somebody who opens a page of the console without being signed in
    visitor = Visitor(browser, console.url, language)
    page = visitor.open("/console/processes")
    assert "/console/sign-in" in page.url
    visitor.look("sign-in")
    # When the password is wrong, then the page says so, and no more
    page.fill("input[name=name]", "olga")
    page.fill("input[name=password]", "not this one")
    page.click("form.sign-in button")
    assert page.locator("[role=alert]").count() == 1
    # When it is right, then the page that was wanted is there
    page.fill("input[name=password]", PASSWORD)
    page.click("form.sign-in button")
    page.wait_for_url("**/console/processes")
    # And after signing out there is no way back
    page.click("form[action$=sign-out] button")
    page.wait_for_url("**/console/sign-in")
    page.goto("/console/processes")
    assert "/console/sign-in" in page.url
    visitor.seen.wrong = [text for text in visitor.seen.wrong if "401" not in text]
    assert visitor.seen.wrong == []
    visitor.close()


@pytest.mark.parametrize("name", ["processes", "record", "record/check", "callers", "callers/new", "people", "store"])
def test_a_page_under_run(operator, name):
    operator.open(f"/console/{name}")
    operator.look(name.replace("/", "-"))


def test_a_key_is_made_shown_once_and_revoked(operator, console):
    # Given somebody who makes a key
    page = operator.open("/console/callers")
    page.click(".actions a")
    page.fill("input[name=name]", f"partner {operator.language}")
    page.check("input[name=system][value=shop]")
    page.click("form.form button")
    # Then key and secret are there, once
    secrets = page.locator(".secret code").all_inner_texts()
    assert secrets[0].startswith("ak_")
    assert secrets[1].startswith("whsec_")
    operator.look("key-made")
    page.click("main .button")
    assert "whsec_" not in page.content()
    row = page.locator("tr", has_text=f"partner {operator.language}")
    assert row.count() == 1
    operator.look("callers-one")
    # When it is revoked, after a question, then it is gone from the list and on record
    row.locator("summary").click()
    row.locator("form button").click()
    page.wait_for_url("**/console/callers")
    assert page.locator("tr", has_text=f"partner {operator.language}").count() == 0
    assert [one["what"] for one in console.json("audit", "--limit", "2", "--by", "olga")] == ["key.revoked", "key.made"]


def test_somebody_is_added_and_disabled(operator):
    name = f"new-{operator.language.lower()}"
    page = operator.open("/console/people")
    page.fill("form.form input[name=name]", name)
    page.fill("form.form input[name=password]", "short enough")
    page.click("form.form button")
    row = page.locator("tr", has_text=name)
    assert row.count() == 1
    operator.look("people-two")
    row.locator("summary").last.click()
    row.locator("form button >> visible=true").click()
    page.wait_for_url("**/console/people")
    assert page.locator("tr", has_text=name).locator(".badge.is-idle").count() == 1


def test_the_look_of_it_is_each_browser_s_own(operator):
    # Given the page in the browser's language, when another one and the dark theme are chosen, then they stay
    page = operator.open("/console/processes")
    page.click(".me .prefs summary")
    page.select_option(".me select[name=language]", "zh-CN" if operator.language == "en" else "en")
    page.select_option(".me select[name=theme]", "dark")
    page.click(".me .prefs button")
    page.wait_for_url("**/console/processes")
    assert page.get_attribute("html", "lang") == ("zh-CN" if operator.language == "en" else "en")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert operator.seen.wrong == []


def test_the_keyboard_reaches_the_content_first(operator):
    page = operator.open("/console/record")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_poll_swaps_nothing_where_nothing_changed_and_something_where_it_did(operator, console):
    # Given the record, which polls
    page = operator.open("/console/record")
    with page.expect_response(
        lambda answer: answer.url.endswith("/console/record") and answer.request.headers.get("if-none-match"),
        timeout=60_000,
    ):
        pass
    # When somebody else does something, then it is there without a reload
    console.run("key", "create", f"polled {operator.language}", "--system", "shop", "--by", f"cli-{operator.language}")
    page.wait_for_selector(f"td:has-text('cli-{operator.language}')", timeout=60_000)
    assert operator.seen.wrong == []


def test_a_viewer_has_no_buttons_and_no_people(viewer):
    page = viewer.open("/console/callers")
    assert page.locator("details.act").count() == 0
    assert page.locator("nav a[href='/console/people']").count() == 0
    viewer.look("callers-viewer")
