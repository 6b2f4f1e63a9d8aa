"""Hooks and proofs as they are written: the partners' schemes load as they stand, and each slip is found at its
line.
"""

import io
import re

import pytest
from ruamel.yaml import YAML

from hub.catalog import check
from tests.kit.test_proof import SCHEMES
from tests.support.foreign import SYSTEM, foreign_workspace


def found(tmp_path, old="", new="", file="adapters/carrier/system.yaml"):
    folder = foreign_workspace(tmp_path)
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else text, "utf-8")
    findings = [finding for finding in check(folder) if finding.level == "error" or finding.code == "W807"]
    place = text.count("\n", 0, text.index(old)) + 1 if old else 0
    return findings, place


def test_the_workspace_of_hooks_is_sound(tmp_path):
    findings, _ = found(tmp_path)
    assert [finding.code for finding in findings] == ["W807"]  # `echo` signs no body, as the partner has it
    assert "leaves the body out" in findings[0].text


@pytest.mark.parametrize("name", SCHEMES)
def test_a_partners_scheme_loads_as_it_stands(tmp_path, name):
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, 10_000
    yaml.dump(SCHEMES[name], out)
    settings = "".join(f'  {one}: {{help: "x", secret: true}}\n' for one in ("app_key", "client_id", "dev_id"))
    hook = f"hooks:\n  partner:\n    verify: {out.getvalue().strip()}\n    peers: [203.0.113.0/24]\n    read: {{emit: carrier/track.event@1}}\n"
    folder = foreign_workspace(tmp_path)
    path = folder / "adapters" / "carrier" / "system.yaml"
    path.write_text(SYSTEM.replace("hooks:\n", hook, 1).rstrip("\n") + "\n" + settings, "utf-8")
    assert [finding.text for finding in check(folder) if finding.level == "error"] == []


SLIPS = [
    ("alg: md5", "alg: md4", "E206", "md4 is none of"),
    ("at: form:sign}", "att: form:sign}", "E201", "att is not a key"),
    ("at: header:X-Hook-Hmac", "at: cookie:x", "E206", "is no place"),
    ("emit: carrier/track.event@1, map", "emit: carrier/track.evnt@1, map", "E", "emits no track.evnt"),
    ("emit: carrier/track.event@1, map", "emit: carrier/track.event@9, map", "E", "has no version 9"),
    ("map: pushed--track-event", "map: pushed--track-evnt", "E", "there is no mappings/pushed--track-evnt.yaml"),
    ("each: body.lastResult.data", "each: 'body.lastResult.('", "E", "does not compile"),
    ("peers: [198.51.100.0/24]", "peers: [198.51.100.7/24]", "E206", "is no address range"),
    ("peers: [198.51.100.0/24]", "peers: [127.0.0.1]", "W807", "holds the hub's own machine"),
    (
        "peers: [198.51.100.0/24]",
        "peers: [198.51.100.0/24, 0.0.0.0/0]",
        "W807",
        "0.0.0.0/0 holds the hub's own machine",
    ),
    ("peers: [198.51.100.0/24]", "peers: ['::/0']", "W807", "::/0 holds the hub's own machine"),
    (
        "    read: {emit: carrier/track.event@1}\n    ack: {body: success}",
        "    ack: {body: success}",
        "E",
        "has no read",
    ),
    ("skip: nobody wants a shop's address", "skp: x", "E201", "skp is not a key"),
    ("source: adapter", "source: adapter\n    read: {skip: x}", "E", "source and read stand together"),
    (
        "  token: {help: What the carrier signs its messages with, secret: true}\n",
        "",
        "E",
        "the scheme wants the setting token",
    ),
    (
        "    verify: {alg: none}\n    peers: [198.51.100.0/24]",
        "    verify: {alg: none}",
        "W807",
        "anybody who knows the address",
    ),
    ("{scheme: hub-signature}", "{scheme: hub-signature, form: legacy}", "W807", "the legacy form has no HMAC"),
    ("{scheme: hub-signature}", "{scheme: none}", "E", "inbound has no peers"),
    ("{scheme: hub-signature}", "{scheme: oauth2, issuer: https://id.example}", "E", "inbound has no audience"),
    ("{scheme: hub-signature}", "{scheme: mtls, certificates: [abc]}", "E", "is not the SHA-256 of a certificate"),
    (
        "{scheme: hub-signature}",
        '{scheme: {alg: md5, encode: hex, over: "{secret}", at: header:X}}',
        "E206",
        "leaves the body out",
    ),
]


@pytest.mark.parametrize(("old", "new", "code", "told"), SLIPS, ids=[row[3] for row in SLIPS])
def test_a_slip_is_found_at_its_line(tmp_path, old, new, code, told):
    findings, line = found(tmp_path, old, new)
    hits = [finding for finding in findings if told in finding.text and finding.code.startswith(code)]
    assert hits, [f"{finding.line} {finding.code} {finding.text}" for finding in findings]
    assert abs(hits[0].line - line) <= 1 or not new.strip() or "has no read" in told or "W807" in code
    assert len([finding for finding in findings if not finding.code.startswith("W")]) <= 2, [
        finding.text for finding in findings
    ]


def test_a_foreign_mapping_is_held_to_its_target(tmp_path):
    name = "mappings/pushed--track-event.yaml"
    findings, _ = found(tmp_path / "one", "  time: time\n", "", name)
    assert any("/time: the target requires it" in finding.text for finding in findings)
    findings, _ = found(tmp_path / "two", '"3": SIGNED', '"3": SINGED', name)
    assert {finding.code for finding in findings} >= {"E504"} or any(
        re.search("SINGED|does not fit", finding.text) for finding in findings
    )
    findings, _ = found(tmp_path / "three", "from: pushed", "from: pusht", name)
    assert any("the file's name says pushed" in finding.text for finding in findings)
