"""Documents of the interface, written by commands."""

import json

from hub.catalog.scaffold.new_workspace import init
from tests.support.hubs import HubProcess
from tests.support.versioned import versioned


def test_openapi_asyncapi_schema_and_pages(tmp_path):
    folder = versioned(tmp_path / "workspace", "http://127.0.0.1:9001")
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3")
    document = json.loads(hub.run("openapi", "--system", "shop")[1])
    assert document["paths"]["/api/v1/shop/order.placed"]["post"]["deprecated"]
    assert (
        "one-line"
        in document["paths"]["/api/v1/shop/order.placed"]["post"]["requestBody"]["content"]["application/json"][
            "examples"
        ]
    )
    assert hub.run("asyncapi", "--out", str(tmp_path / "a.json"))[0] == 0
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["asyncapi"] == "3.0.0"
    assert hub.run("openapi", "--system", "shopp")[0] == 2
    assert hub.run("schema", "--out", str(tmp_path / "schemas"))[0] == 0
    assert "routes" in json.loads((tmp_path / "schemas" / "routes.schema.json").read_text("utf-8"))["properties"]
    assert hub.run("docs", "--markdown", str(tmp_path / "pages"))[0] == 0
    page = (tmp_path / "pages" / "shop.order.placed.md").read_text("utf-8")
    for word in (
        "| 1 | deprecated | 2026-06-01 | 2099-12-01 |",
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


def test_the_schemas_are_put_where_the_templates_look_for_them(tmp_path):
    init(tmp_path / "workspace")
    hub = HubProcess(tmp_path / "workspace", f"sqlite:///{tmp_path}/hub.sqlite3")
    folder = tmp_path / "workspace" / ".crossdock" / "schemas"
    before = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert {name: json.loads(text) for name, text in before.items()} == json.loads(hub.run("schema")[1])
    (folder / "mapping.schema.json").write_text("{}", "utf-8")
    assert hub.run("schema", "--write")[0] == 0
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == before
    # Both at once is a slip, and so is a folder that is no workspace
    assert hub.run("schema", "--write", "--out", str(tmp_path))[0] == 2
    assert hub.run("-w", str(tmp_path), "schema", "--write")[0] == 2
