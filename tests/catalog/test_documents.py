"""The two parsers read alike: the fast one where nothing is wrong, the other for its words."""

import pytest

from hub.catalog.yaml import yaml_documents
from hub.catalog.yaml.yaml_documents import read_yaml
from tests.support.hubs import ROOT

FILES = sorted(
    path for path in ROOT.rglob("*.yaml") if not {".venv", "var", "deploy"} & set(path.relative_to(ROOT).parts)
)
TEXTS = [
    "a: {b: [1, 2, 'x'], c: \"y\\u0041\"}\n",
    "a: &x {b: 1}\nc: *x\n",
    "a: !tag b\n",
    "a: !!str b\n",
    "? a\n: b\n",
    "a: |\n  block\n  text\nb: >-\n  folded\n  text\n",
    "a: {url: http://127.0.0.1:9001/x, when: $exists(b)}\n",
    "a: 上海\n日: 文\n",
    "a: b: c\n",
    "\ta: b\n",
    "a: [b\n",
    "a: 'b\n",
    "- a\n- - b\n  - c\n",
    "a:\n  # note\n  b: 1 # more\n\n  c: ~\n",
    "a: b\n---\nc: d\n",
    "%YAML 1.1\n---\na: b\n",
    "a: yes\nb: 012\nc: 1_000\nd: 2026-01-01\n",
    'a: "x\\/y"\n',
    "a: {b: c:d, e: f}\n",
    "a: @b\n",
    "a: `b`\n",
    "<<: {a: 1}\n",
    "a: 1\na: 2\n",
    "",
    "# only\n",
    "--- \n",
    "a: x\u2028y\n",
]


@pytest.mark.parametrize("text", [*TEXTS, *(path.read_text("utf-8") for path in FILES)])
def test_both_parsers_read_alike(monkeypatch, text):
    read_yaml.cache_clear()
    fast = read_yaml("x.yaml", text)
    monkeypatch.setattr(yaml_documents, "_FAST", False)
    read_yaml.cache_clear()
    slow = read_yaml("x.yaml", text)
    read_yaml.cache_clear()
    assert yaml_documents.find_spec("_ruamel_yaml") is not None
    assert (fast.root, fast.faults) == (slow.root, slow.faults)
