"""How long `hub check` takes: 500 mappings with 200 fields each. Prints the figures; fails no build.

python bench/check.py [--mappings 500] [--fields 200]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from hub.catalog import check

KINDS = (
    ({"type": "string", "maxLength": 64}, "f{n}", {"type": "string"}),
    ({"type": "number"}, "$round(f{n} * 2)", {"type": "integer"}),
    ({"enum": ["A", "B"]}, "f{n} = 'A' ? 'X' : 'Y'", {"enum": ["X", "Y"]}),
    (
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        "f{n}.a & '/' & f0",
        {"type": "string"},
    ),
    (
        {"type": "array", "items": {"type": "object", "properties": {"q": {"type": "integer"}}, "required": ["q"]}},
        "$sum(f{n}.q)",
        {"type": "number"},
    ),
)


def contract(fields):
    return json.dumps(
        {"type": "object", "additionalProperties": False, "required": sorted(fields), "properties": fields}
    )


def make(folder, mappings, fields):
    """A workspace of one system that sends and one that takes, with so many messages each."""
    emits, accepts, routes = [], [], []
    kinds = [KINDS[number % len(KINDS)] for number in range(fields)]
    for side in ("one", "other"):
        (folder / "adapters" / side / "contracts").mkdir(parents=True)
    (folder / "mappings").mkdir()
    for number in range(mappings):
        name = f"m{number}"
        (folder / f"adapters/one/contracts/{name}.v1.json").write_text(
            contract({f"f{index}": kind[0] for index, kind in enumerate(kinds)})
        )
        (folder / f"adapters/other/contracts/{name}.v1.json").write_text(
            contract({f"t{index}": kind[2] for index, kind in enumerate(kinds)})
        )
        leaves = "".join(f'  t{index}: "{kind[1].format(n=index)}"\n' for index, kind in enumerate(kinds))
        (folder / f"mappings/one.{name}.v1--other.{name}.v1.yaml").write_text(
            f"from: one/{name}@1\nto: other/{name}@1\nfields:\n{leaves}"
        )
        emits.append(f"  {name}: {{versions: {{1: {{state: current}}}}}}\n")
        accepts.append(f"  {name}: {{versions: {{1: {{state: current}}}}, call: POST /{name}}}\n")
        routes.append(f"  r{number}: {{owner: bench, from: one/{name}, to: [other/{name}@1]}}\n")
    (folder / "adapters/one/system.yaml").write_text("name: one\nowner: bench\nemits:\n" + "".join(emits))
    settings = 'settings:\n  url: {help: Root, default: "http://127.0.0.1:9001"}\n'
    (folder / "adapters/other/system.yaml").write_text(
        "name: other\nowner: bench\naccepts:\n" + "".join(accepts) + settings
    )
    (folder / "routes.yaml").write_text("version: 1\nroutes:\n" + "".join(routes))


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--mappings", type=int, default=500)
    words.add_argument("--fields", type=int, default=200)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), given.mappings, given.fields)
        began = time.perf_counter()
        findings = check(Path(name))
        print(
            f"{given.mappings} mappings of {given.fields} fields: {time.perf_counter() - began:.1f} s, {len(findings)} findings"
        )
        for finding in findings[:3]:
            print(f"  {finding.place}: {finding.code} {finding.text}")


if __name__ == "__main__":
    main()
