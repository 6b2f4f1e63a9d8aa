"""Planted bugs stay armed: each still finds its place in the code, so that a rename or a rewrite cannot disarm what
`make crash` proves.
"""

import pytest

from tests.faults.test_checkers import BUGS
from tests.support.hubs import ROOT


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_finds_its_place_and_what_it_leaves_can_be_loaded(name):
    texts = {}
    for file, text, instead in BUGS[name].changes:
        before = texts.get(file) or (ROOT / "hub" / file).read_text("utf-8")
        assert before.count(text) == 1, f"{file} has {before.count(text)} times: {text}"
        texts[file] = before.replace(text, instead)
    for file, text in texts.items():
        compile(text, file, "exec")
