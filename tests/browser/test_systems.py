"""Systems in a real browser: how each stands, one with its settings and no secret, and the check that it can be
reached.
"""

import pytest

from tests.browser.conftest import PASSWORD, PEOPLE, add_user
from tests.browser.test_now import until
from tests.support.chain import Chain
from tests.support.chromium import Visitor


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    made = Chain(tmp_path_factory.mktemp("systems"))
    for name, role in PEOPLE.items():
        add_user(made.hub, name, role)
    made.answers["/outbound/create"] = (422, b'{"code": 42200, "message": "no"}')
    made.in_state(made.order("202606010002"), "dead")
    yield made
    made.stop()


@pytest.fixture
def visitor(browser, chain, language):
    made = Visitor(browser, chain.url, language).sign_in("olga", PASSWORD)
    yield made
    made.close()


def test_systems_are_listed_with_how_they_stand_and_one_is_checked(visitor, chain):
    page = visitor.open("/console/systems")
    until(page, "tbody tr .badge.is-bad")
    assert page.locator("tbody tr").count() == 7
    visitor.look("systems")
    page.locator("tbody a[href='/console/systems/wms']").click()
    page.wait_for_url("**/console/systems/wms")
    # Its settings are there, and no secret is
    text = page.locator("main").inner_text()
    assert "HUB_WMS_URL" in text
    assert "env:WMS_SECRET" in text
    assert "whsec_" not in page.content()
    # When an operator checks it, then each step is told, with who did it
    page.locator("details.act summary").click()
    page.locator("details.act form button").click()
    page.wait_for_url("**/console/systems/wms#check")
    steps = page.locator("#check ~ .table").first.locator("tbody tr")
    assert [("is-ok" in row.locator(".badge").get_attribute("class")) for row in steps.all()] == [True, True]
    assert "olga" in page.locator("#check ~ p").nth(1).inner_text()
    visitor.look("system")
    # Its targets' page and its own lead to each other
    page.locator(".actions a.button").click()
    page.wait_for_url("**/console/flow/target/wms")
    assert page.locator(".side nav a[aria-current]").get_attribute("href") == "/console/systems"
    page.locator(".actions a.button").click()
    page.wait_for_url("**/console/systems/wms")


def test_a_viewer_sees_it_and_cannot_check(browser, chain):
    made = Visitor(browser, chain.url, "en", role="viewer").sign_in("vera", PASSWORD)
    page = made.open("/console/systems/wms")
    assert page.locator("h1").is_visible()
    assert page.locator("details.act").count() == 0
    made.close()
