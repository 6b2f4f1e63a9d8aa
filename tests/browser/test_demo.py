"""`hub up --demo` as a person meets it: orders flow, a few things fail, and one cause of dead letters waits for them.
The pictures of docs/console.md are of it.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.support import pictures
from tests.support.chromium import SIZES, Visitor
from tests.support.hubs import ROOT, free_port
from tests.support.sockets import by_socket
from tests.support.waiting import wait_until

LIVELY_S = 150.0  # how long a demo runs before its pictures are taken: curves have something to show


class Demo:
    """The process, its address and its sign-in, as it prints them."""

    def __init__(self, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.began = time.monotonic()
        self._folder, self._said = folder, folder / "said"
        given = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HUB_WORKSPACE": str(ROOT),
            "HUB_STORE": f"sqlite:///{folder}/hub.sqlite3",
            "HUB_ZONE": "Asia/Shanghai",
        }
        with self._said.open("w") as said:
            command = [sys.executable, "-m", "hub", "up", "--demo"]
            self._process = subprocess.Popen(
                command,
                env={**given, "HUB_PORT": self.url.rpartition(":")[2]},
                stdout=said,
                stderr=said,
                cwd=folder,
                start_new_session=True,
            )

    def sign_in(self):
        """The name and the password that it prints."""
        found = wait_until(self._sign_in, seconds=90, what="the demo's sign-in")
        assert f"{self.url}/console " in self._said.read_text("utf-8")
        return found.groups()

    def _sign_in(self):
        said = self._said.read_text("utf-8")
        assert self._process.poll() is None, said
        return re.search(r"user (\S+), password (\S+)", said)

    def ops(self, path):
        return json.loads(by_socket(self._folder / "ops.sock", "GET", f"/ops/v1{path}")[1])["data"]

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(40)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)  # with the sandboxes
        return self._process.returncode


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    made = Demo(tmp_path_factory.mktemp("demo"))
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="module")
def visitor(browser, demo):
    made = Visitor(browser, demo.url, "en").sign_in(*demo.sign_in())
    yield made
    made.close()


@pytest.fixture(scope="module")
def cause(demo):
    """The one cause that waits for a person: the ERP refused for a while."""

    def waiting():
        found = [one for one in demo.ops("/clusters?status=dead")["items"] if one["id"]]
        return found if found and any(row["status"] == "delivered" for row in _last(demo, "erp")) else None

    [found] = wait_until(waiting, seconds=120, what="a cause, and the ERP taking what comes again")
    return found


def _last(demo, system):
    lines = [line for one in demo.ops("/messages?limit=200")["items"] for line in one["deliveries"]]
    return [line for line in lines if line["target"].startswith(f"{system}/")]


def test_it_opens_on_a_console_full_of_life_with_one_cause_that_waits(visitor, demo, cause):
    # Given the demo after its first moments
    page = visitor.open("/console")
    # Then orders flow through the picture, and the one cause is a line with its number and the button that leads to it
    page.wait_for_selector(".flow.is-flow", timeout=60_000)
    page.wait_for_selector(".need a.button[href*='/dead/causes/']", timeout=60_000)
    assert page.url.endswith("/console/now")
    assert page.locator(".flow.is-flow").count() >= 5
    [line] = page.locator(".need", has=page.locator("a.button[href*='/dead/causes/']")).all()
    assert "erp/" in line.inner_text()
    assert int(line.locator(".need-count").inner_text()) >= 1
    visitor.look("demo-now")
    # And a click away is what to do about it
    line.locator("a.button").click()
    page.wait_for_url(f"**/console/dead/causes/{cause['id']}*")
    assert page.locator("#repair button[value=replay]").count() == 1
    assert page.locator("td .id a").count() >= 1
    visitor.look("demo-cause")
    # And what is accepted is accounted for
    assert demo.ops("/conservation")["unaccounted"] == 0
    if pictures.folder():
        take_all(page, demo, cause)


def take_all(page, demo, cause):
    """The pictures of docs/console.md, of a demo that has run for a while."""
    wait_until(lambda: time.monotonic() - demo.began > LIVELY_S, seconds=LIVELY_S + 30, what="a lively demo")
    delivered = next(
        one for one in demo.ops("/messages?type=wms/outbound.confirmed&limit=50")["items"] if len(one["deliveries"]) > 1
    )
    [requested, *_] = demo.ops("/messages?type=oms/outbound.requested&limit=50")["items"]
    dead = demo.ops(f"/clusters/{cause['id']}/deliveries")["items"][0]
    paths = {
        "now": "/console/now",
        "now-dark": "/console/now",
        "now-phone": "/console/now",
        "find": "/console/find?target=erp",
        "message-way": f"/console/messages/{dead['messageId']}",
        "message-content": f"/console/messages/{requested['id']}?tab=content",
        "object": f"/console/objects/{delivered['keys']['orderNo']}",
        "cause": f"/console/dead/causes/{cause['id']}",
    }
    for name, path in paths.items():
        page.goto(path)
        page.wait_for_load_state("networkidle")
        take(page, name)
    # The preview of a repair of all of the cause
    page.goto(paths["cause"])
    page.fill("#repair input[name=why]", "the ERP takes postings again")
    page.click("#repair button[value=replay]")
    page.wait_for_selector("#preview .badge")
    take(page, "repair")


def take(page, name):
    """One picture, in its theme and size."""
    picture = pictures.PICTURES[name]
    page.emulate_media(color_scheme=picture.theme)
    page.set_viewport_size(SIZES[picture.size])
    if name == "message-content":  # what a mapping made, with what it changed
        page.locator(".stage", has=page.locator("summary .mark")).first.evaluate("(stage) => stage.scrollIntoView()")
    folder = pictures.folder()
    folder.mkdir(parents=True, exist_ok=True)
    # WebP, which the driver itself does not write: a third of a PNG
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": 85})
    (folder / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(SIZES["wide"])
