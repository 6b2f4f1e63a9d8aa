"""Addresses with holes in the documents that partners read, and what is said of answers there."""

from hub.core.apidocs.asyncapi import asyncapi
from hub.core.apidocs.handbook import pages
from hub.core.apidocs.openapi import openapi
from hub.core.config.system import Accept, System, Version, VersionState
from hub.core.expressions.expression import compile_expression
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract

CONTRACT = compile_contract(
    Ref("wms", "order.change", 1),
    {"type": "object", "required": ["orderNo"], "properties": {"orderNo": {"type": "string"}}},
)


def system(method, path):
    accept = Accept(
        "wms/order.change",
        "",
        {1: Version(VersionState.CURRENT)},
        {1: CONTRACT},
        method,
        path,
        again=compile_expression("body.code = -1"),
        success=None,
    )
    return System("wms", "Warehouse", "", accepts={"order.change": accept})


def test_asyncapi_names_each_hole_and_where_it_is_filled_from():
    [channel] = asyncapi([system("PUT", "/orders/{orderNo}/{$uppercase(orderNo)}?key={key}")], title="x", version="1")[
        "channels"
    ].values()
    assert channel["address"] == "/orders/{orderNo}/{uppercase_orderNo}?key={key}"
    assert set(channel["parameters"]) == {"orderNo", "uppercase_orderNo", "key"}
    assert channel["parameters"]["orderNo"]["location"] == "$message.payload#/orderNo"
    assert "location" not in channel["parameters"]["uppercase_orderNo"]
    [channel] = asyncapi([system("PUT", "/orders")], title="x", version="1")["channels"].values()
    assert "parameters" not in channel


def test_openapi_has_no_body_for_a_get_that_asks_by_its_address():
    [webhook] = openapi([system("GET", "/orders?no={orderNo}")], title="x", version="1")["webhooks"].values()
    assert "requestBody" not in webhook["get"]
    assert "`GET /orders?no={orderNo}`" in webhook["get"]["description"]
    assert "body.code = -1" in webhook["get"]["responses"]["2XX"]["description"]
    [webhook] = openapi([system("PUT", "/orders/{orderNo}")], title="x", version="1")["webhooks"].values()
    assert "requestBody" in webhook["put"]


def test_the_handbook_says_which_answers_come_again():
    page = pages(system("PUT", "/orders/{orderNo}"), {})["wms.order.change.md"]
    assert "PUT /orders/{orderNo}" in page
    assert "body.code = -1" in page
    assert "| 409, 423 |" in page
