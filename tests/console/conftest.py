"""A hub with its console on a real port, an operator and a viewer; and browsers without a screen."""

import re

import pytest
import requests

from hub.console import attach
from hub.flow.accounts import people
from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub

PASSWORD = "correct horse battery staple"


class Browser:
    """Somebody's browser: keeps cookies, follows nothing by itself, and sends what a browser sends."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path, **headers):
        return self.session.get(
            self.url + path,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            allow_redirects=False,
            timeout=30,
        )

    def post(self, path, fields=None, *, csrf=True, **headers):
        given = dict(fields or {})
        if csrf is True and self.signed_in:
            given["csrf"] = self.csrf()
        elif isinstance(csrf, str):
            given["csrf"] = csrf
        return self.session.post(
            self.url + path,
            data=given,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            allow_redirects=False,
            timeout=30,
        )

    @property
    def signed_in(self):
        return "crossdock_session" in self.session.cookies

    def csrf(self):
        return re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get("/console/processes").text).group(1)

    def sign_in(self, name, password=PASSWORD):
        answer = self.post("/console/sign-in", {"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        return self


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("console")
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    with (
        small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as made,
        served(made, "granian", pages=attach) as behind,
    ):
        for name, role in (("olga", people.OPERATOR), ("vera", people.VIEWER)):
            people.add(made.store, name, PASSWORD, role, by="test")
        yield behind


@pytest.fixture
def nobody(running):
    return Browser(running.url)


@pytest.fixture
def operator(running):
    return Browser(running.url).sign_in("olga")


@pytest.fixture
def viewer(running):
    return Browser(running.url).sign_in("vera")
