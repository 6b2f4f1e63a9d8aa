"""What the console says, in each language. Imports nothing of the hub.

One module per group of pages, each a table TEXTS of key → (English, 中文). A key stands once in the whole house. A
place for a value is `{name}`, the same in both languages, which a test proves.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from functools import cache

LANGUAGES = ("en", "zh-CN")
NAMES = {"en": "English", "zh-CN": "中文"}
SENTENCES = "sentence."  # keys of what the flow writes in English, stores, and says to everybody alike


def read_words() -> Mapping[str, tuple[str, str]]:
    """All texts. Raises ValueError where a key stands twice."""
    found: dict[str, tuple[str, str]] = {}
    for module in pkgutil.iter_modules(__path__):
        texts: Mapping[str, tuple[str, str]] = importlib.import_module(f"{__name__}.{module.name}").TEXTS
        twice = found.keys() & texts.keys()
        if twice:
            raise ValueError(f"Said twice, once in words/{module.name}.py: {', '.join(sorted(twice))}")
        found.update(texts)
    return found


def choose(wanted: str, accepted: str) -> str:
    """The language: the one chosen, else the first of Accept-Language that there is, else English."""
    if wanted in LANGUAGES:
        return wanted
    for part in accepted.lower().split(",")[:20]:
        tag = part.split(";")[0].strip()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return "en"


class Words:
    """The texts of one language. Called with a key and the values of its places."""

    def __init__(self, language: str, texts: Mapping[str, tuple[str, str]]) -> None:
        self.language = language
        self._place = LANGUAGES.index(language)
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError for a key that is not there: a page that says nothing is a fault, not an empty place."""
        text = self._texts[key][self._place]
        return text.format(**values) if values else text

    def or_else(self, key: str, otherwise: str) -> str:
        """The text of `key`; `otherwise` where there is none: a word of the engineers', such as a route's name."""
        return self(key) if key in self._texts else otherwise

    def sentence(self, text: str) -> str:
        """A sentence that the flow wrote, in this language: its places, and sentences joined by `; `, are read alike.
        As it is where the table lacks it.
        """
        if not self._place:
            return text
        for key in [key for key in self._texts if key.startswith(SENTENCES)]:
            match = _pattern(self._texts[key][0]).fullmatch(text)
            if match is not None:
                return self(key, **{name: self.sentence(value) for name, value in match.groupdict().items()})
        return "; ".join(map(self.sentence, text.split("; "))) if "; " in text else text


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """What matches a text that was made of the template, a group for each place."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*?)", re.escape(template)), re.DOTALL)
