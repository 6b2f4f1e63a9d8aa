"""What the console is made of: its texts in both languages, its vendored files, how values are shown."""

import ast
import hashlib
import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from hub.console.common import formatting
from hub.console.common.assets import FOLDER, read_assets
from hub.console.common.page_context import GROUPS
from hub.console.words import LANGUAGES, SENTENCES, Words, choose, read_words
from hub.core.errors import Reason
from hub.core.expressions.expression import _MEANING
from hub.core.model.remedies import MENDS
from tests.support.hubs import ROOT

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAGES = ROOT / "hub" / "console" / "pages"


def places(text):
    return sorted(re.findall(r"\{(\w*)\}", text))


def test_each_mend_and_each_reason_has_its_words():
    words = read_words()
    assert {f"cause.mend.{mend.word}" for mend in MENDS.values()} <= words.keys()
    assert {f"message.reason.{reason.value}" for reason in Reason} - words.keys() == set()


def test_each_text_is_in_both_languages_with_the_same_places():
    for key, texts in read_words().items():
        assert len(texts) == len(LANGUAGES), key
        assert all(texts), key
        assert places(texts[0]) == places(texts[1]), key


def test_each_sentence_that_is_read_again_is_one_that_the_flow_writes():
    written = "".join(
        path.read_text("utf-8")
        for name in ("core", "flow", "store", "http", "kit")
        for path in (ROOT / "hub" / name).rglob("*.py")
    )
    for key, (template, _) in read_words().items():
        if key.startswith(SENTENCES):
            for piece in re.split(r"\{\w+\}", template):
                assert piece.strip(": ;") in written, f"{key}: {piece}"


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("No route leads from shop/order.placed.", "没有以 shop/order.placed 为来源的路由。"),
        (
            "Still: No route took it. a → w/x@1: n > 1; b: the trial does not take it; and 2 more",
            "仍然：没有路由接收。a → w/x@1: n > 1; b：未进入灰度; 另有 2 条",
        ),
        (
            "Still: No route took it. *: more than 100 messages caused one another; a loop of routes is cut there",
            "仍然：没有路由接收。*：连续触发的消息超过 100 条，循环路由已在此中断",
        ),
        ("It cannot be routed: KeyError; see the log.", "无法路由：KeyError，详见日志。"),
        ("a: the list that it splits is empty or absent: {items}\n", "a：待拆分的列表为空或不存在：{items}\n"),
        ("Mend it; then say {so} again", "Mend it; then say {so} again"),
        ("", ""),
    ],
)
def test_a_sentence_of_the_flow_is_said_in_the_reader_s_language(text, chinese):
    assert Words("zh-CN", read_words()).sentence(text) == chinese
    assert Words("en", read_words()).sentence(text) == text


def _templates(node, function):
    """What a text may be: a literal, a template, or a variable that holds one of these in the same function."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            choices = [
                [part.value] if isinstance(part, ast.Constant) else [*_templates(part.value, function)] or ["x1"]
                for part in parts
            ]
            yield from ("".join(pieces) for pieces in itertools.product(*choices))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (a + b for a in _templates(left, function) for b in _templates(right, function))
        case ast.IfExp(body=one, orelse=other):
            yield from (*_templates(one, function), *_templates(other, function))
        case ast.Subscript(value=value, slice=ast.Slice()):
            yield from _templates(value, function)
        case ast.Name(id=name):
            for one in ast.walk(function):
                if isinstance(one, ast.Assign) and any(
                    isinstance(to, ast.Name) and to.id == name for to in one.targets
                ):
                    yield from _templates(one.value, function)


def causes():
    """(place, text) of each `Cause` that the hub makes."""
    for path in sorted((ROOT / "hub").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
        for function in functions:
            for one in ast.walk(function):
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "Cause":
                    for text in _templates(one.args[1] if len(one.args) > 1 else None, function):
                        yield f"{path.relative_to(ROOT)}:{one.lineno}", text


def test_each_cause_of_the_flow_has_its_chinese_sentence():
    words = Words("zh-CN", read_words())
    found = list(causes())
    assert len(found) > 100
    # "x1" alone is another's text, handed on: it is a cause of its own elsewhere.
    silent = [(place, text) for place, text in found if text.strip(" .") != "x1" and words.sentence(text) == text]
    assert silent == []
    assert [meaning for meaning in _MEANING.values() if words.sentence(meaning) == meaning] == []


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        (
            "The target answered 503: busy. Attempt 3 of 3 was the last.",
            "目标返回 503: busy。 第 3 次尝试（共 3 次）已是最后一次。",
        ),
        (
            "The look-up stock (wms/stock.get@1) failed: The deadline passed before it was sent.",
            "查询 stock（wms/stock.get@1）失败：发送前已超过时限。",
        ),
        (
            "The expression $sum(items.price) failed: the engine cannot compute it.",
            "表达式 $sum(items.price) 失败：引擎无法计算。",
        ),
    ],
)
def test_a_cause_that_holds_another_is_said_whole(text, chinese):
    assert Words("zh-CN", read_words()).sentence(text) == chinese


def test_each_text_that_a_template_asks_for_is_there():
    known = read_words()
    for path in PAGES.glob("*.html"):
        for key in re.findall(r"""\bt\(["']([a-z0-9_.]+)["'](?=[,)])""", path.read_text("utf-8")):
            assert key in known, f"{path.name}: {key}"
    for group, keys in GROUPS.items():
        assert {f"nav.{one}" for one in (group, *keys)} <= known.keys()


def test_no_template_has_a_script_a_style_or_a_handler_of_its_own():
    for path in PAGES.glob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe", text), (
            path.name
        )


def test_vendored_files_are_what_their_makers_published():
    listed = json.loads((FOLDER / "vendor" / "vendor.json").read_text("utf-8"))
    for one in listed:
        assert hashlib.sha256((FOLDER / "vendor" / one["file"]).read_bytes()).hexdigest() == one["sha256"]
        assert (FOLDER / "vendor" / one["licence_file"]).stat().st_size > 100
    known = {one["file"] for one in listed} | {one["licence_file"] for one in listed} | {"vendor.json"}
    assert {path.name for path in (FOLDER / "vendor").iterdir()} == known


def test_an_asset_s_name_changes_with_its_content():
    for asset in read_assets().values():
        assert hashlib.sha256(asset.content).hexdigest()[:12] in asset.name


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "zh-TW,en;q=0.5", "zh-CN"),
        ("", "fr,de", "en"),
        ("zh-CN", "en", "zh-CN"),
        ("xx", "zh", "zh-CN"),
        ("", "fr, en-GB, zh", "en"),
    ],
)
def test_the_language_is_the_chosen_one_then_the_browser_s(wanted, accepted, language):
    assert choose(wanted, accepted) == language


@pytest.mark.parametrize(
    ("span", "english", "chinese"),
    [
        (timedelta(seconds=3), "just now", "刚刚"),
        (timedelta(seconds=17), "15 s ago", "15 秒前"),
        (timedelta(minutes=5, seconds=59), "5 min ago", "5 分钟前"),
        (timedelta(hours=26), "1 d ago", "1 天前"),
        (timedelta(hours=-3), "in 3 h", "3 小时后"),
    ],
)
def test_times_are_relative_in_one_unit(span, english, chinese):
    texts = read_words()
    assert formatting.ago(NOW - span, NOW, Words("en", texts)) == english
    assert formatting.ago(NOW - span, NOW, Words("zh-CN", texts)) == chinese


def test_values_are_short_and_exact():
    assert formatting.exact(NOW, "Asia/Shanghai") == "2026-06-01 20:00:00 +08:00"
    assert [formatting.length(one) for one in (0.0124, 4.21, 59.0, 200, 7_500, 100_000, None)] == [
        "12 ms",
        "4.2 s",
        "59 s",
        "3 min 20 s",
        "2 h 5 min",
        "1 d 3 h",
        "–",
    ]
    assert [formatting.size(one) for one in (812, 4_210, 17_000_000, None)] == ["812 B", "4.2 kB", "17.0 MB", "–"]
    assert formatting.short("01a1fe01-c0f1-7028-8b21-bc2db83b7505") == "01a1…3b7505"
    assert formatting.spark([0, 5, 10]).endswith(",1.0")
    assert formatting.spark([1]) == ""
