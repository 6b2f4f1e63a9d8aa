"""A real Chromium, driven by Playwright: pages as people see them, with what a test must see besides: errors, the
policy, accessibility, pictures.
"""

import contextlib
import importlib.resources
import os
import shutil
from pathlib import Path
from typing import ClassVar

NAMES = ("chromium", "chromium-browser", "google-chrome")
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")
SIZES = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


def binary():
    """The browser that this machine has; None if it has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextlib.contextmanager
def chromium():
    """One browser for many pages. Nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=binary(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Seen:
    """What went wrong in a page since it was opened: errors of scripts, the console, the policy, requests that
    failed.
    """

    def __init__(self, page):
        self.wrong = []
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                self.wrong.append(f"{message.type}: {message.text}") if message.type in ("error", "warning") else None
            ),
        )
        # What going to another page cuts off is no fault of the page that was left.
        page.on(
            "requestfailed",
            lambda request: (
                request.failure != "net::ERR_ABORTED" and self.wrong.append(f"failed: {request.url} {request.failure}")
            ),
        )


def faults_of(page, rules=None):
    """What axe finds that is serious or critical: rule, help, and where. `rules`: these alone."""
    if not page.evaluate("typeof axe === 'object'"):
        # Put in by the driver, not by the page: its policy lets no foreign script in.
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "rules => axe.run(document, {resultTypes: ['violations'], ...(rules && {runOnly: rules})})", rules
    )
    return [
        f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:5]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def shots():
    """Where pictures go: HUB_BROWSER_SHOTS, else nowhere."""
    folder = os.environ.get("HUB_BROWSER_SHOTS")
    if not folder:
        return None
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


class Visitor:
    """A person at the console, in one language. `look` is what every page must stand."""

    # of who has signed in before, by hub, name and language: a password is slow to check, as it must be
    _cookies: ClassVar[dict] = {}

    def __init__(self, browser, url, language, *, role="operator"):
        self.url, self.language, self.role = url, language, role
        self.context = browser.new_context(locale=language, viewport=SIZES["wide"], base_url=url)
        self.page = self.context.new_page()
        self.seen = Seen(self.page)

    def sign_in(self, name, password):
        """By the form; by the cookies of the last time, where the hub still takes them."""
        known = self._cookies.get((self.url, name, self.language))
        if known:
            self.context.add_cookies(known)
            if self.context.request.get("/console/record", max_redirects=0).ok:
                return self
        self.page.goto("/console/sign-in")
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", password)
        self.page.click("form.sign-in button")
        self.page.wait_for_url(lambda url: "sign-in" not in url)
        self._cookies[self.url, name, self.language] = self.context.cookies()
        return self

    def open(self, path):
        self.page.goto(path)
        return self.page

    def look(self, name):
        """The page as it stands: no error, nothing against the policy, no serious fault of access; light, dark and at
        390 px, with pictures.
        """
        page = self.page
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            for size, viewport in SIZES.items():
                page.set_viewport_size(viewport)
                # What a theme changes is colours.
                faults = faults_of(page, None if theme == "light" else ["color-contrast"])
                assert faults == [], f"{name}, {theme}, {size}: {faults}"
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide <= 0, f"{name} is {wide} px wider than a {size} screen"
                if folder := shots():
                    page.screenshot(path=str(folder / f"{name}.{self.language}.{theme}.{size}.png"), full_page=True)
        page.set_viewport_size(SIZES["wide"])
        page.emulate_media(color_scheme="light")
        assert self.seen.wrong == [], f"{name}: {self.seen.wrong}"

    def close(self):
        self.context.close()
