"""The interface page as text: whatever a contract holds, it stays text."""

from html.parser import HTMLParser

from hub.core.config.system import Accept, Emit, System, Version, VersionState
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract
from hub.http.partner.interface_pages import errors, fragment, page, shell

EVIL = "\"><img src=x onerror=alert(1)>'</textarea></code></script>&lt;"


class Seen(HTMLParser):
    """The tags and attributes of a page, whether each is closed, and its text."""

    VOID = ("meta", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.opened = set(), set(), [], []
        self.feed(text)
        self.close()
        assert self.opened == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def evil():
    schema = {
        "type": "object",
        "properties": {
            EVIL: {"enum": [EVIL]},
            "b": {"type": "string", "pattern": "<.*>", "x-unit": EVIL, "title": EVIL, "default": EVIL},
        },
        "required": [EVIL],
        "x-consistent": {EVIL: "b = '<b>'"},
    }
    contracts = {1: compile_contract(Ref("shop", "order", 1), schema)}
    versions = {1: Version(VersionState.DEPRECATED, EVIL, EVIL)}
    emit, accept = (
        Emit("shop/order", EVIL, versions, contracts),
        Accept("shop/taken", EVIL, versions, contracts, "POST", f"/{EVIL}"),
    )
    return System("shop", EVIL, EVIL, emits={"order": emit}, accepts={"taken": accept})


def test_what_contracts_say_stays_text():
    seen = Seen(fragment([evil()]))
    assert "img" not in seen.tags
    assert not [name for name in seen.attributes if name.startswith("on") or name == "style"]
    assert "".join(seen.texts).count(EVIL) >= 10
    assert "<.*>" in seen.texts


def test_pages_are_well_formed_and_have_one_script_without_words_of_its_own():
    for text, scripts in ((page([evil()]), 1), (page([]), 1), (shell(), 1), (errors(), 0)):
        seen = Seen(text)
        assert text.count("<script ") == scripts
        assert not [name for name in seen.attributes if name.startswith("on")]
