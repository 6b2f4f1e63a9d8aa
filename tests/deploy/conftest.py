"""What tests of the files under deploy/ share: the files themselves, and the tools that judge them."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import missing

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def documents(path: Path) -> list:
    """All parts of a YAML file, as plain values."""
    return [one for one in YAML(typ="safe", pure=True).load_all(path.read_text("utf-8")) if one is not None]


def tool(name: str) -> str:
    """The path of a program that is not of ours; the test is skipped where it is not, and fails where the run promised
    to have it.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        missing(name, "it judges a file under deploy/; apt-get install nginx haproxy prometheus")
    return found


def module(name: str):
    """A library that only tests use, and a desk may lack."""
    try:
        return __import__(name)
    except ImportError as error:
        missing(name, str(error))


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool")
