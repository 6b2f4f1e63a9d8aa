"""What bad workspace files get (docs/design/inputs.md#workspace): refused whole, at file:line:column, with what to
write instead. Named by row.
"""

import pytest

from hub.catalog import check, from_files, load, read_files
from hub.catalog.scaffold.new_workspace import init
from hub.core.errors import BadWorkspace
from hub.flow.configuration.plan import apply
from hub.flow.context.revisions import Revisions

SYSTEM, ROUTES = "adapters/shop/system.yaml", "routes.yaml"
MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
WAREHOUSE = "adapters/warehouse/system.yaml"

SIDES = "then: warehouse/order.create@1, else: warehouse/order.create@1"

# row, file, sound text, what is written instead, the code that must be among the findings
CASES = [
    ("B54-python-tag", SYSTEM, "title: Web shop", "title: !!python/object/apply:os.system ['true']", "E107"),
    ("B54-binary-tag", SYSTEM, "title: Web shop", "title: !!binary aGVsbG8=", "E107"),
    ("B54-own-tag", SYSTEM, "title: Web shop", "title: !shop x", "E107"),
    ("B55-key-twice", ROUTES, "version: 1\n", "version: 1\nversion: 1\n", "E108"),
    ("B56-octal", ROUTES, "version: 1\n", "version: 012\n", "E2"),
    ("B56-underscore", ROUTES, "attempts: 16", "attempts: 1_6", "E2"),
    ("B56-nan", ROUTES, "factor: 2", "factor: .nan", "E2"),
    ("B56-hex", ROUTES, "attempts: 16", "attempts: 0xFF", "E2"),
    ("B56-null-word", SYSTEM, "owner: shop-team", "owner: ~", "E2"),
    ("B57-tab", ROUTES, "  timeout: 5s", "\ttimeout: 5s", "E105"),
    ("B57-bom", ROUTES, "version: 1\n", "\ufeffversion: 1\n", "E102"),
    ("B57-nul", ROUTES, "version: 1\n", "version: 1\x00\n", "E102"),
    ("B57-two-documents", ROUTES, "version: 1\n", "version: 1\n---\nversion: 1\n", "E106"),
    ("B57-empty", ROUTES, None, "", "E104"),
    ("B57-only-comments", ROUTES, None, "# nothing\n", "E104"),
    ("B57-deep", ROUTES, "  timeout: 5s", "  timeout: " + "[" * 500, "E103"),
    (
        "B57-anchors-that-explode",
        ROUTES,
        "version: 1\n",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(7))
        + "version: 1\n",
        "E",
    ),
    ("B58-misspelt-key", ROUTES, "    about:", "    abuot:", "E201"),
    ("B58-missing-key", ROUTES, "    from: shop/order.placed\n", "", "E203"),
    ("B58-wrong-type", ROUTES, "to: [warehouse/order.create@1]", "to: {a: b}", "E2"),
    ("B58-timeout-0", ROUTES, "timeout: 5s", "timeout: 0s", "E206"),
    ("B58-attempts-10^9", ROUTES, "attempts: 16", "attempts: 1000000000", "E206"),
    ("B58-first-negative", ROUTES, "first: 10s", "first: -1s", "E2"),
    ("B58-concurrency", ROUTES, "routes:\n", "targets:\n  warehouse: {concurrency: 100000}\nroutes:\n", "E206"),
    ("B58-not-in-this-version", ROUTES, "version: 1\n", "version: 1\nsagas: {}\n", "E202"),
    (
        "route-priority",
        ROUTES,
        "    from: shop/order.placed\n",
        "    from: shop/order.placed\n    priority: high\n",
        "E206",
    ),
    (
        "route-expires",
        ROUTES,
        "    from: shop/order.placed\n",
        "    from: shop/order.placed\n    expires: 2 days\n",
        "E206",
    ),
    (
        "route-hold-without-until",
        ROUTES,
        "    from: shop/order.placed\n",
        "    from: shop/order.placed\n    hold: {zone: Asia/Shanghai}\n",
        "E203",
    ),
    (
        "route-hold-zone",
        ROUTES,
        "    from: shop/order.placed\n",
        "    from: shop/order.placed\n    hold: {until: orderNo, zone: Asia/Shangai}\n",
        "E206",
    ),
    (
        "route-capacity",
        ROUTES,
        "    from: shop/order.placed\n",
        "    from: shop/order.placed\n    capacity: {limit: 5000}\n",
        "E206",
    ),
    ("route-alert", ROUTES, "    from: shop/order.placed\n", "    from: shop/order.placed\n    alert: P9\n", "E206"),
    (
        "batch-without-within",
        ROUTES,
        "[warehouse/order.create@1]",
        "[warehouse/order.create@1: {batch: {size: 100}}]",
        "E203",
    ),
    (
        "batch-too-large",
        ROUTES,
        "[warehouse/order.create@1]",
        "[warehouse/order.create@1: {batch: {size: 5000, within: 1s}}]",
        "E206",
    ),
    (
        "canary-without-else",
        ROUTES,
        "[warehouse/order.create@1]",
        "[{canary: {percent: 10, by: orderNo, then: warehouse/order.create@1}}]",
        "E203",
    ),
    ("canary-without-who", ROUTES, "[warehouse/order.create@1]", f"[{{canary: {{percent: 10, {SIDES}}}}}]", "E203"),
    (
        "canary-share-and-condition",
        ROUTES,
        "[warehouse/order.create@1]",
        f"[{{canary: {{percent: 10, by: orderNo, when: a, {SIDES}}}}}]",
        "E208",
    ),
    (
        "canary-percent",
        ROUTES,
        "[warehouse/order.create@1]",
        f"[{{canary: {{percent: 101, by: orderNo, {SIDES}}}}}]",
        "E206",
    ),
    (
        "canary-of-two-systems",
        ROUTES,
        "[warehouse/order.create@1]",
        "[{canary: {when: a, then: shop/order.placed@1, else: warehouse/order.create@1}}]",
        "E208",
    ),
    ("B59-unknown-target", ROUTES, "warehouse/order.create@1", "warehous/order.create@1", "E303"),
    ("B59-unknown-message", ROUTES, "warehouse/order.create@1", "warehouse/order.creat@1", "E304"),
    ("B59-unknown-version", ROUTES, "warehouse/order.create@1", "warehouse/order.create@9", "E305"),
    ("B59-no-mapping", MAPPING, None, None, "E601"),
    ("B59-slash-in-a-name", ROUTES, "  orders:\n", "  or/ders:\n", "E2"),
    ("B59-dots-in-a-name", ROUTES, "  orders:\n", "  '..':\n", "E2"),
    ("B59-long-name", ROUTES, "  orders:\n", "  " + "a" * 300 + ":\n", "E2"),
    (
        "B61-secret-in-the-file",
        WAREHOUSE,
        "outbound: {scheme: none}",
        "outbound: {scheme: hub-signature, key: env:K, secret: whsec_c2tfZGVtbw==}",
        "E",
    ),
    ("B62-file-url", WAREHOUSE, "http://127.0.0.1:9001", "file:///etc/passwd", "E702"),
    ("B62-userinfo", WAREHOUSE, "http://127.0.0.1:9001", "http://user:word@host/", "E702"),
    ("B62-number-host", WAREHOUSE, "http://127.0.0.1:9001", "http://2130706433/", "E702"),
    ("B62-backslash", WAREHOUSE, '"http://127.0.0.1:9001"', "'http://h\\@evil/'", "E702"),
    ("B62-port-22", WAREHOUSE, "http://127.0.0.1:9001", "http://host:22/", "E702"),
    *[
        (f"B62-{number}", WAREHOUSE, '"http://127.0.0.1:9001"', f"'{url}'", "E702")
        for number, url in enumerate(
            (
                "gopher://h/",
                "http://127.1/",
                "http://0x7f.1/",
                "http://h#@evil/",
                "http://evil%00.h/",
                "http:///x",
                "http://höst/",
                "ftp://h/",
                "http://h:99999/",
            ),
        )
    ],
    ("B64-cron", ROUTES, "routes:\n", "polls:\n  shop-orders: {system: shop, every: '60 * * * *'}\nroutes:\n", "E202"),
    ("B65-retention", ROUTES, "routes:\n", "retention: 0\nroutes:\n", "E201"),
    ("B66-no-schema", "adapters/shop/contracts/order.placed.v1.json", '"type": "object"', '"type": "strnig"', "E401"),
    (
        "B67-back-reference",
        "adapters/shop/contracts/order.placed.v1.json",
        "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        "(a)\\\\1",
        "E401",
    ),
    (
        "B70-multiple-of-0",
        "adapters/shop/contracts/order.placed.v1.json",
        '"minItems": 1',
        '"minItems": 1, "multipleOf": 0',
        "E401",
    ),
]


@pytest.mark.parametrize(
    ("file", "sound", "broken", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_wrong_file_refuses_the_workspace(tmp_path, file, sound, broken, code):
    init(tmp_path)
    path = tmp_path / file
    if broken is None:
        path.unlink()
    elif sound is None:
        path.write_text(broken, "utf-8")
    else:
        text = path.read_text("utf-8")
        assert sound in text
        path.write_text(text.replace(sound, broken, 1), "utf-8")
    findings = check(tmp_path)
    assert any(one.code.startswith(code) and one.level == "error" for one in findings), findings
    assert all(one.line >= 1 and one.column >= 1 and one.text for one in findings)
    with pytest.raises(BadWorkspace):
        load(tmp_path)


def test_a_secret_is_never_shown_in_a_finding(tmp_path):
    init(tmp_path)
    path = tmp_path / WAREHOUSE
    path.write_text(
        path.read_text("utf-8").replace(
            "{scheme: none}", "{scheme: hub-signature, key: env:K, secret: whsec_c2VjcmV0LW1hcms=}"
        ),
        "utf-8",
    )
    assert "c2VjcmV0" not in " ".join(one.text + one.fix for one in check(tmp_path))


@pytest.mark.parametrize(
    "raw", [b"version: 1\r\nroutes: {}\r\n", "version: 1".encode("utf-16")], ids=["B57-crlf", "B57-utf-16"]
)
def test_other_line_ends_are_read_and_other_encodings_refused(tmp_path, raw):
    init(tmp_path)
    (tmp_path / ROUTES).write_bytes(raw)
    codes = {one.code for one in check(tmp_path) if one.file == ROUTES}
    assert "E105" not in codes
    assert ("E102" in codes) is (b"\x00" in raw)


def test_a_refused_workspace_leaves_the_old_revision_active(tmp_path, store):  # B63
    init(tmp_path)
    made = apply(store, tmp_path)
    (tmp_path / ROUTES).write_text((tmp_path / ROUTES).read_text("utf-8")[:80], "utf-8")
    with pytest.raises(BadWorkspace):
        apply(store, tmp_path)
    assert store.active() == made.revision
    assert Revisions(store).active().revision == made.revision


def test_an_unreadable_link_is_refused(tmp_path):
    init(tmp_path)
    (tmp_path / ROUTES).unlink()
    (tmp_path / ROUTES).symlink_to("/etc/hostname")
    assert any(one.code == "E101" for one in check(tmp_path))


def test_a_stored_revision_is_the_same_catalogue(tmp_path):
    init(tmp_path)
    made = load(tmp_path)
    again = from_files(made.files)
    assert again.revision == made.revision
    assert set(read_files(tmp_path)) > set(made.files)
    assert [route.name for route in again.routes] == ["orders"]
