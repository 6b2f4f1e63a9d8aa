"""Numbers from a partner's post to a target's wire, through a real hub: not a digit is lost on the way
(docs/design/inputs.md#decoder).
"""

from tests.support.hubs import HubProcess, small_workspace

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"
NUMBERS = (b"1234567890123456789", b"0.10", b"19.99", b"1234567890123456.78")


def test_ids_and_amounts_arrive_unchanged_and_sums_are_exact(tmp_path, sink, store_url):
    folder = small_workspace(tmp_path / "workspace", sink.url)
    fields = '"properties": {"id": {"type": "number"}, "amount": {"type": "string"}, "sum": {"type": "string"},'
    for side, message in (("shop", "order.placed"), ("warehouse", "order.create")):
        contract = folder / "adapters" / side / "contracts" / f"{message}.v1.json"
        contract.write_text(contract.read_text("utf-8").replace('"properties": {', fields, 1), "utf-8")
    mapping = folder / MAPPING
    made = "  orderNo: orderNo\n  id: id\n  amount: amount\n  sum: $dec_add(amount, '0.01')\n"
    mapping.write_text(mapping.read_text("utf-8").replace("  orderNo: orderNo\n", made, 1), "utf-8")
    hub = HubProcess(folder, store_url).start()
    try:
        caller = hub.caller("shop")
        for index, number in enumerate(NUMBERS):
            body = b'{"orderNo":"SO-%d","id":%s,"amount":"%s","items":[{"sku":"A","quantity":1}]}' % (
                index,
                number,
                number,
            )
            answer = caller.post("/api/v1/shop/order.placed", body, f"m{index}")
            assert hub.delivered(answer.json()["data"]["messageId"])[0]["status"] == "delivered"
    finally:
        hub.stop()
    for (_, _, body, _), number in zip(sink.requests, NUMBERS, strict=True):
        assert b'"id":%s,"amount":"%s"' % (number, number) in body
    sums = [b"1234567890123456789.01", b"0.11", b"20.00", b"1234567890123456.79"]
    assert [b'"sum":"%s"' % one in body for (_, _, body, _), one in zip(sink.requests, sums, strict=True)] == [True] * 4
