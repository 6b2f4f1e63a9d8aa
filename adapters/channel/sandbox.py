"""A small sales channel: its customers order (`POST /_place`), and it hears how far their orders have come.

The orders depend on the seed and their number alone, so that two runs with one seed place the same ones.
"""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

from hub.kit.envelope import Answer, No
from hub.kit.sandbox import Sandbox, seeded

MOST = 1_000_000  # orders in one act
PRICES = {f"SKU{number:03d}": Decimal(price) for number, price in enumerate(
    ("99.00", "35.50", "128.00", "12.90", "259.00", "8.80", "66.60", "45.00", "19.90", "158.00",
     "75.20", "33.00", "5.50", "299.00", "88.00", "21.80", "139.90", "60.00", "17.70", "199.00"), start=1)}  # fmt: skip
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = (
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "丽",
    "强",
    "磊",
    "军",
    "洋",
    "艳",
    "勇",
    "杰",
    "涛",
    "明",
    "秀英",
    "建国",
    "子涵",
    "欣怡",
    "浩然",
)
PLACES = (
    ("北京市", "北京市", "朝阳区"), ("北京市", "北京市", "海淀区"), ("上海市", "上海市", "浦东新区"), ("上海市", "上海市", "徐汇区"),
    ("广东省", "广州市", "天河区"), ("广东省", "深圳市", "南山区"), ("浙江省", "杭州市", "西湖区"), ("江苏省", "南京市", "鼓楼区"),
    ("四川省", "成都市", "武侯区"), ("湖北省", "武汉市", "洪山区"), ("陕西省", "西安市", "雁塔区"), ("山东省", "青岛市", "市南区"),
)  # fmt: skip
STREETS = ("人民路", "中山路", "解放路", "建设路", "文化路", "学院路", "长江路", "和平路", "新华路", "花园路")


class ChannelSandbox(Sandbox):
    def begin(self) -> None:
        self.calls = {"POST /api/channel/orders/status": self.heard}
        self.acts = {"POST /_place": self.place}
        self.moments = {"ordered": self.ordered}
        self.planned = 0
        self.orders: dict[str, dict[str, Any]] = {}  # by channelOrderNo
        self.elsewhere: dict[str, dict[str, Any]] = {}  # those that others placed, likewise

    def state(self) -> dict[str, Any]:
        return {"orders": self.orders, "totals": self.summary()}

    def summary(self) -> dict[str, Any]:
        return {
            "planned": self.planned,
            "placed": len(self.orders),
            "by_status": dict(Counter(order["status"] for order in self.orders.values())),
        }

    def place(self, body: dict[str, Any]) -> Answer:
        """{"count": n, "rate": per second}: so many orders, evenly spaced; without a rate, all at once. `rate` is of
        real seconds, whatever the speed.

        With "order": {…} that one order is placed, field by field over a made-up one.
        """
        count, rate, over = int(body.get("count", 1)), float(body.get("rate", 0)), body.get("order", {})
        if not (1 <= count <= MOST and 0 <= rate <= MOST) or not isinstance(over, dict):
            raise No.bad(f"count is 1 to {MOST}, rate is 0 to {MOST} per second, order is an object")
        for number in range(count):
            wait = number / rate * self.config.speed if rate else 0
            self.after(wait, "ordered", {"number": self.planned + number + 1, "order": over})
        first = self.planned + 1
        self.planned += count
        return Answer({"first": first, "count": count})

    def ordered(self, data: dict[str, Any]) -> None:
        number = data["number"]
        made = _order(seeded(self.config.seed, number))
        order = {
            "channelOrderNo": f"APP{self.day()}{number:06d}",
            "placedTime": self.local_time(),
            **made,
            **data["order"],
        }
        self.orders[order["channelOrderNo"]] = {
            "status": "PLACED",
            "orderNo": None,
            "totalAmount": order["totalAmount"],
        }
        self.post("order.placed", order, order_key=order["channelOrderNo"])

    def heard(self, body: dict[str, Any]) -> Answer:
        channel_no, order_no, status = body["channelOrderNo"], body["orderNo"], body["status"]
        if channel_no not in self.orders and not str(channel_no).startswith("APP"):
            raise No.unknown(str(channel_no))
        # A customer of another front of the channel, such as who posts by curl: heard of, and not counted as one of
        # ours.
        known = self.orders if channel_no in self.orders else self.elsewhere
        known[channel_no] = {**known.get(channel_no, {}), "status": status, "orderNo": order_no}
        return Answer({"channelOrderNo": channel_no, "status": status})


def _order(choice: random.Random) -> dict[str, Any]:
    province, city, district = choice.choice(PLACES)
    skus = choice.sample(sorted(PRICES), choice.choice((1, 1, 1, 2, 2, 3)))
    items = [{"sku": sku, "quantity": choice.randint(1, 3), "price": PRICES[sku]} for sku in skus]
    return {
        "channel": choice.choice(("APP", "WEB", "MINI_PROGRAM")),
        "orderType": "NORMAL",
        "consignee": {
            "name": choice.choice(SURNAMES) + choice.choice(GIVEN),
            "phone": f"1{choice.choice('3578')}{choice.randint(0, 999_999_999):09d}",
            "province": province,
            "city": city,
            "district": district,
            "address": f"{choice.choice(STREETS)}{choice.randint(1, 300)}号{choice.randint(1, 20)}栋{choice.randint(101, 2604)}室",
        },
        "items": items,
        "totalAmount": sum((line["price"] * line["quantity"] for line in items), Decimal("0.00")),
        "timeRequirement": choice.choices(("STANDARD", "EXPRESS", "URGENT"), (7, 2, 1))[0],
    }


SANDBOX = ChannelSandbox
