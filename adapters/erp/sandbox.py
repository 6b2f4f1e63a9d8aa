"""A small ERP: books cost and revenue of each delivered order. It shows at once whether an order was booked twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.kit.envelope import Answer
from hub.kit.sandbox import Sandbox


class ErpSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {"POST /api/erp/cost": self.book}
        self.vouchers: list[dict[str, Any]] = []
        self.booked: dict[str, int] = {}  # orderNo → how often; more than once is a fault of whoever sent it

    def state(self) -> dict[str, Any]:
        return {"vouchers": self.vouchers, "totals": self.summary()}

    def summary(self) -> dict[str, Any]:
        sums = {
            name: sum((voucher[name] for voucher in self.vouchers), Decimal(0))
            for name in ("costAmount", "revenueAmount")
        }
        return {
            "orders": len(self.booked),
            "vouchers": len(self.vouchers),
            "double": sum(1 for times in self.booked.values() if times > 1),
            **sums,
        }

    def book(self, body: dict[str, Any]) -> Answer:
        """Books what it is told: of the hub's repeats it sees nothing, since they come under the same
        Idempotency-Key.
        """
        told = {name: body[name] for name in ("orderNo", "costAmount", "revenueAmount", "currency", "postingTime")}
        number = f"V{self.day()}{len(self.vouchers) + 1:04d}"
        self.vouchers.append({**told, "voucherNo": number})
        self.booked[told["orderNo"]] = self.booked.get(told["orderNo"], 0) + 1
        return Answer({"voucherNo": number})


SANDBOX = ErpSandbox
