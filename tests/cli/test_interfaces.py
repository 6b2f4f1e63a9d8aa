"""Documents of the interface, written by commands."""

import json

from hub.catalog.scaffold import init
from tests.support.hubs import HubProcess
from tests.support.versioned import versioned


def test_openapi_asyncapi_schema_and_pages(tmp_path):
    folder = versioned(tmp_path / "workspace", "http://127.0.0.1:9001")
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3")
    document = json.loads(hub.run("openapi", "--system", "shop")[1])
    assert document["paths"]["/api/v1/shop/order.placed"]["post"]["deprecated"]
    assert "one-line" in document["paths"]["/api/v1/shop/order.placed"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert hub.run("asyncapi", "--out", str(tmp_path / "a.json"))[0] == 0
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["asyncapi"] == "3.0.0"
    assert hub.run("openapi", "--system", "shopp")[0] == 2
    assert hub.run("schema", "--out", str(tmp_path / "schemas"))[0] == 0
    assert "routes" in json.loads((tmp_path / "schemas" / "routes.schema.json").read_text("utf-8"))["properties"]
    assert hub.run("docs", "--markdown", str(tmp_path / "pages"))[0] == 0
    page = (tmp_path / "pages" / "shop.order.placed.md").read_text("utf-8")
    for word in (
        "| 1 | deprecated | 2026-06-01 | 2026-12-01 |",
        "`lines[].quantity`",
        "## From version 1 to 2",
        "`/orderNumber`",
        "```json",
        "## Errors",
        "`contract_violation`",
    ):
        assert word in page
    assert "Refused (no-quantity):" in page  # the sample that must not fit, with what is answered to it
    assert "(shop.order.placed.md)" in (tmp_path / "pages" / "shop.md").read_text("utf-8")


def test_the_templates_are_what_the_schemas_say(tmp_path):
    import jsonschema
    from ruamel.yaml import YAML

    init(tmp_path / "workspace")
    hub = HubProcess(tmp_path / "workspace", f"sqlite:///{tmp_path}/hub.sqlite3")
    schemas = json.loads(hub.run("schema")[1])
    for name, file in (("routes.schema.json", "routes.yaml"), ("system.schema.json", "adapters/shop/system.yaml")):
        written = YAML(typ="safe", pure=True).load((tmp_path / "workspace" / file).read_text("utf-8"))
        jsonschema.Draft202012Validator(schemas[name]).validate(json.loads(json.dumps(written, default=str)))
