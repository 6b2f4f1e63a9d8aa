"""A small OMS: takes orders in, asks for stock, reserves, is paid, has them shipped, and takes returns (seed 001
sections 3.1 and 3.2).

CREATED → STOCK_OK → RESERVED | PAID → PUSHED_TO_WMS → SHIPPED → DELIVERED → RETURNING → RETURNED
CREATED | STOCK_OK | PAID → REJECTED (too little stock)     before PUSHED_TO_WMS → CANCELLED (a person)     SHIPPED →
REFUSED (by the customer)
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hub.kit.envelope import Answer, No
from hub.kit.sandbox import Sandbox, cents

SOUTH = frozenset({"上海市", "浙江省", "江苏省", "广东省", "福建省"})  # served from WH002, the rest from WH001
COST = Decimal("0.6")  # of what the customer pays; the small OMS knows no purchase prices
ENDED = frozenset({"REJECTED", "CANCELLED", "REFUSED"})
BEFORE_WAREHOUSE = frozenset({"CREATED", "STOCK_OK", "RESERVED", "PAID"})


class OmsSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {
            "POST /api/oms/orders": self.create,
            "POST /api/oms/stock/callback": self.stock_answered,
            "POST /api/oms/reservation/callback": self.reservation_answered,
            "POST /api/oms/payment/callback": self.paid,
            "POST /api/oms/outbound/callback": self.shipped,
            "POST /api/oms/shipment/callback": self.moved,
            "POST /api/oms/return/callback": self.returned,
        }
        self.acts = {"POST /_cancel": self.cancel, "POST /_return": self.send_back}
        self.orders: dict[str, dict[str, Any]] = {}
        # the channel's number → ours: one order each, whatever the key of the call
        self.by_channel: dict[str, str] = {}
        self.returns: dict[str, str] = {}

    def state(self) -> dict[str, Any]:
        return {"orders": self.orders, "by_status": self.summary()["by_status"]}

    def summary(self) -> dict[str, Any]:
        return {
            "orders": len(self.orders),
            "by_status": dict(Counter(order["status"] for order in self.orders.values())),
        }

    # What the hub calls.

    def create(self, body: dict[str, Any]) -> Answer:
        """The order's number is ours to give; a channel's number that is known gets the same one again."""
        channel_no = body["channelOrderNo"]
        known = self.by_channel.get(channel_no)
        if known is not None:
            return Answer({"orderNo": known, "status": self.orders[known]["status"]})
        consignee, items = body["consignee"], body["items"]
        number = f"OMS{self.day()}{len(self.orders) + 1:04d}"
        order = {
            "orderNo": number,
            "channelOrderNo": channel_no,
            "status": "CREATED",
            "warehouseCode": "WH002" if consignee.get("province") in SOUTH else "WH001",
            "orderType": body["orderType"],
            "consignee": consignee,
            "items": items,
            "totalAmount": body["totalAmount"],
            "timeRequirement": body["timeRequirement"],
            "reserved": False,
            "paymentNo": None,
            "refundRequested": False,
            "history": [["CREATED", self.local_time()]],
        }
        self.orders[number] = order
        self.by_channel[channel_no] = number
        self._tell("stock.wanted", order, {"warehouseCode": order["warehouseCode"], "items": _lines(order)})
        return Answer({"orderNo": number, "status": "CREATED"})

    def stock_answered(self, body: dict[str, Any]) -> Answer:
        order, sufficient = self._order(body), body["sufficient"]
        if order["status"] == "CREATED" and sufficient:
            self._becomes(order, "STOCK_OK")
            shown = (
                "channelOrderNo",
                "warehouseCode",
                "orderType",
                "consignee",
                "items",
                "totalAmount",
                "timeRequirement",
            )
            self._tell("order.created", order, {name: order[name] for name in shown})
        elif order["status"] == "CREATED":
            self._ends(order, "REJECTED", "OUT_OF_STOCK")
        return _now(order)

    def reservation_answered(self, body: dict[str, Any]) -> Answer:
        order, reserved = self._order(body), body["reserved"]
        if order["status"] not in BEFORE_WAREHOUSE or order["reserved"]:
            return _now(order)
        if not reserved:
            self._ends(order, "REJECTED", "OUT_OF_STOCK")
            return _now(order)
        order["reserved"] = True
        self._becomes(order, "RESERVED")
        self._push_if_ready(order)
        return _now(order)

    def paid(self, body: dict[str, Any]) -> Answer:
        """A payment for an order that has ended goes back: the customer was faster than our refusal."""
        order, payment_no = self._order(body), body["paymentNo"]
        if order["paymentNo"] is not None:
            return _now(order)
        order["paymentNo"] = payment_no
        if order["status"] in ENDED:
            self._refund(order, order["status"])
        elif order["status"] in BEFORE_WAREHOUSE:
            self._becomes(order, "PAID")
            self._push_if_ready(order)
        return _now(order)

    def shipped(self, body: dict[str, Any]) -> Answer:
        order = self._order(body)
        found = {name: body[name] for name in ("outboundNo", "waybillNo", "carrier", "shippedTime")}
        if order["status"] != "PUSHED_TO_WMS":
            return _now(order)
        order.update(found)
        self._becomes(order, "SHIPPED")
        told = {name: order[name] for name in ("channelOrderNo", "waybillNo", "carrier", "shippedTime")}
        self._tell("order.shipped", order, told)
        return _now(order)

    def moved(self, body: dict[str, Any]) -> Answer:
        order, status, waybill, at = self._order(body), body["status"], body["waybillNo"], body["statusTime"]
        if order["status"] != "SHIPPED":
            return _now(order)
        order["shipmentStatus"] = status
        if status == "DELIVERED":
            order["deliveredTime"] = body.get("deliveredTime") or at
            self._becomes(order, "DELIVERED")
            cost = cents(order["totalAmount"] * COST)
            told = {
                "channelOrderNo": order["channelOrderNo"],
                "waybillNo": waybill,
                "warehouseCode": order["warehouseCode"],
                "items": _lines(order),
            }
            self._tell(
                "order.delivered",
                order,
                {
                    **told,
                    "totalAmount": order["totalAmount"],
                    "costAmount": cost,
                    "deliveredTime": order["deliveredTime"],
                },
            )
        elif status == "REJECTED":
            self._ends(order, "REFUSED", "REFUSED_BY_CUSTOMER")
        return _now(order)

    def returned(self, body: dict[str, Any]) -> Answer:
        order, return_no, result = self._order(body), body["returnNo"], body["result"]
        if order["status"] == "RETURNING" and order["returnNo"] == return_no:
            order["returnResult"] = result
            self._becomes(order, "RETURNED")
            self._refund(order, f"RETURN_{result}")
        return _now(order)

    # What a person does.

    def cancel(self, body: dict[str, Any]) -> Answer:
        """{"orderNo", "reason"?}. Too late once the warehouse has it."""
        order, reason = self._order(body), body.get("reason") or "CUSTOMER"
        if order["status"] not in BEFORE_WAREHOUSE:
            raise No.bad(
                f"{order['orderNo']} is {order['status']}; only an order that no warehouse has can be cancelled", 409
            )
        self._ends(order, "CANCELLED", reason)
        return _now(order)

    def send_back(self, body: dict[str, Any]) -> Answer:
        """{"orderNo", "reason"?}: the customer sends the whole order back."""
        order, reason = self._order(body), body.get("reason") or "NO_REASON"
        if order["status"] != "DELIVERED":
            raise No.bad(f"{order['orderNo']} is {order['status']}; only a delivered order can be sent back", 409)
        number = f"RT{self.day()}{len(self.returns) + 1:04d}"
        self.returns[number] = order["orderNo"]
        order["returnNo"] = number
        self._becomes(order, "RETURNING")
        told = {
            "returnNo": number,
            "waybillNo": order["waybillNo"],
            "reason": reason,
            "warehouseCode": order["warehouseCode"],
        }
        self._tell(
            "return.created",
            order,
            {**told, "items": _lines(order), "pickupAddress": order["consignee"], "createdTime": self.local_time()},
        )
        return Answer({"orderNo": order["orderNo"], "returnNo": number})

    # Steps that several of them share.

    def _order(self, body: dict[str, Any]) -> dict[str, Any]:
        number = body["orderNo"]
        if number not in self.orders:
            raise No.unknown(str(number))
        return self.orders[number]

    def _becomes(self, order: dict[str, Any], status: str) -> None:
        order["status"] = status
        order["history"].append([status, self.local_time()])

    def _push_if_ready(self, order: dict[str, Any]) -> None:
        if not order["reserved"] or order["paymentNo"] is None:
            return
        self._becomes(order, "PUSHED_TO_WMS")
        items = [{**line, "batchNo": "BATCH001"} for line in _lines(order)]
        told = {name: order[name] for name in ("warehouseCode", "orderType", "timeRequirement", "consignee")}
        self._tell("outbound.requested", order, {**told, "items": items})

    def _ends(self, order: dict[str, Any], status: str, reason: str) -> None:
        self._becomes(order, status)
        told = {
            "channelOrderNo": order["channelOrderNo"],
            "warehouseCode": order["warehouseCode"],
            "items": _lines(order),
        }
        self._tell("order.cancelled", order, {**told, "reason": reason, "cancelledTime": self.local_time()})
        if order["paymentNo"] is not None:
            self._refund(order, reason)

    def _refund(self, order: dict[str, Any], reason: str) -> None:
        if order["refundRequested"] or order["paymentNo"] is None:
            return
        order["refundRequested"] = True
        told = {"paymentNo": order["paymentNo"], "amount": order["totalAmount"], "currency": "CNY", "reason": reason}
        self._tell("refund.requested", order, {**told, "returnNo": order["returnNo"]} if "returnNo" in order else told)

    def _tell(self, message: str, order: dict[str, Any], told: dict[str, Any]) -> None:
        self.post(message, {"orderNo": order["orderNo"], **told}, order_key=order["orderNo"])


def _lines(order: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"sku": line["sku"], "quantity": line["quantity"]} for line in order["items"]]


def _now(order: dict[str, Any]) -> Answer:
    return Answer({"orderNo": order["orderNo"], "status": order["status"]})


SANDBOX = OmsSandbox
