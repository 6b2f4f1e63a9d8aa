"""A small payment centre: asks, is paid after a moment, tells the hub, and pays back (seed 004)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.kit.envelope import Answer, No
from hub.kit.sandbox import Sandbox

PAYING_S = 0.2


class PaymentSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {"POST /api/payment/request": self.request, "POST /api/payment/refund": self.refund}
        self.moments = {"paid": self.paid}
        self.payments: dict[str, dict[str, Any]] = {}  # by orderNo
        self.refunds: dict[str, dict[str, Any]] = {}  # by paymentNo: a payment goes back whole, and once

    def state(self) -> dict[str, Any]:
        return {"payments": self.payments, "refunds": self.refunds, "totals": self.summary()}

    def summary(self) -> dict[str, Any]:
        paid = [payment["amount"] for payment in self.payments.values() if payment["status"] == "PAID"]
        back = [refund["amount"] for refund in self.refunds.values()]
        return {
            "payments": len(self.payments),
            "paid": len(paid),
            "amount": sum(paid, Decimal(0)),
            "refunds": len(back),
            "refunded": sum(back, Decimal(0)),
        }

    def request(self, body: dict[str, Any]) -> Answer:
        """An order is asked to pay once."""
        number, amount, currency = body["orderNo"], body["amount"], body["currency"]
        if number not in self.payments:
            payment_no = f"PAY{self.day()}{len(self.payments) + 1:04d}"
            self.payments[number] = {
                "orderNo": number,
                "paymentNo": payment_no,
                "amount": amount,
                "currency": currency,
                "status": "PENDING",
            }
            self.after(PAYING_S, "paid", {"orderNo": number})
        payment = self.payments[number]
        return Answer({"paymentNo": payment["paymentNo"], "status": payment["status"]})

    def paid(self, data: dict[str, Any]) -> None:
        payment = self.payments[data["orderNo"]]
        payment |= {"status": "PAID", "paidTime": self.local_time()}
        told = {name: payment[name] for name in ("orderNo", "paymentNo", "amount", "currency", "paidTime")}
        self.post("payment.succeeded", told, order_key=payment["orderNo"])

    def refund(self, body: dict[str, Any]) -> Answer:
        """Never more than was paid, and never twice."""
        number, payment_no, amount = body["orderNo"], body["paymentNo"], body["amount"]
        payment = self.payments.get(number)
        if payment is None or payment["paymentNo"] != payment_no or payment["status"] != "PAID":
            raise No.unknown(f"a payment {payment_no} of {number}")
        if amount > payment["amount"]:
            raise No.bad(f"{amount} is more than the {payment['amount']} that were paid", 422)
        known = self.refunds.setdefault(
            payment_no, {"refundNo": f"RF{self.day()}{len(self.refunds) + 1:04d}", "orderNo": number, "amount": amount}
        )
        return Answer({"refundNo": known["refundNo"], "status": "REFUNDED"})


SANDBOX = PaymentSandbox
