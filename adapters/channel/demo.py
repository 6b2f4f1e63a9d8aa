"""The demo's story: customers order at the channel, and an order has arrived when its parcel is signed for, its stock
is right and the books know.

`hub up --demo` calls `place`, `disturb` and `report`; the hub itself knows no system by name, this workspace does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

PER_SECOND = 10
RUSH = 40  # orders at once when the demo opens
# What goes wrong while people look, and between which seconds: the ERP refuses postings for a while (a cause of dead
# letters that wait for a person), the payment provider fails now and then and the TMS is slow (the hub tries again, and
# nobody need do anything).
TROUBLE = (
    (0.0, 10.0, "erp", {"fail": 422}),
    (0.0, None, "payment", {"fail": 503, "fail_ratio": 0.2}),
    (0.0, None, "tms", {"slow_ms": 200}),
)
CALM = {"fail": 0, "fail_ratio": 1.0, "slow_ms": 0}
ENDED = frozenset({"DELIVERED", "CANCELLED", "REJECTED", "REFUSED"})


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the orders. `is_settled`: nothing more will change; `is_good`: every one arrived, and every sum is
    right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    lines: tuple[str, ...]
    verdict: str
    arrived: int
    is_settled: bool
    is_good: bool


def place(urls: Mapping[str, str], count: int) -> list[str]:
    """Has `count` customers order, ten a second. Gives the channel's order numbers."""
    before = set(_state(urls["channel"])["orders"])
    answer = requests.post(f"{urls['channel']}/_place", json={"count": count, "rate": PER_SECOND}, timeout=10)
    answer.raise_for_status()
    first = answer.json()["data"]["first"]
    wanted = {f"{number:06d}" for number in range(first, first + count)}
    found: set[str] = set()
    while len(found) < count:  # the moments of the orders come one after the other
        found = {
            number for number in _state(urls["channel"])["orders"] if number not in before and number[-6:] in wanted
        }
    return sorted(found)


def disturb(urls: Mapping[str, str], seconds: float, before: float | None) -> None:
    """Lets happen what TROUBLE has between `before` (None: it begins now) and `seconds` after the demo's beginning."""
    for begin, end, system, fault in TROUBLE:
        if (before is None or before < begin) and begin <= seconds:
            _control(urls[system], fault)
        if end is not None and before is not None and before < end <= seconds:
            _control(urls[system], CALM)


def _control(url: str, body: Mapping[str, Any]) -> None:
    requests.post(f"{url}/_control", json=body, timeout=10).raise_for_status()


def report(urls: Mapping[str, str], placed: Sequence[str]) -> Report:
    """Where the orders stand, seen from every system that has a part in them."""
    state = {name: _state(url) for name, url in urls.items()}
    by_channel = {order["channelOrderNo"]: order for order in state["oms"]["orders"].values()}
    waybills = {shipment["orderNo"]: shipment for shipment in _rows(state["tms"]["shipments"])}
    booked = Counter(voucher["orderNo"] for voucher in state["erp"]["vouchers"])
    rows = []
    arrived = 0
    for number in placed:
        order = by_channel.get(number, {})
        order_no = order.get("orderNo", "")
        told = state["channel"]["orders"][number]["status"]
        shipment = waybills.get(order_no, {})
        good = told == order.get("status") == shipment.get("status") == "DELIVERED" and booked[order_no] == 1
        arrived += good
        rows.append(
            (
                number,
                order_no,
                told,
                order.get("status", ""),
                shipment.get("waybillNo", ""),
                shipment.get("status", ""),
                booked[order_no],
            )
        )
    stock = state["inventory"]["totals"]
    lines, stock_is_right = _stock(state)
    everything_ended = all(order["status"] in ENDED for order in state["oms"]["orders"].values())
    is_settled = arrived == len(placed) and stock_is_right and everything_ended
    verdict = f"{arrived} of {len(placed)} orders delivered and signed for; stock {'right' if stock_is_right else 'WRONG'}; the ERP told once per order."
    if arrived != len(placed):
        verdict = f"{arrived} of {len(placed)} orders arrived."
    columns = ("channel order", "order", "the channel knows", "OMS", "waybill", "TMS", "ERP postings")
    return Report(
        columns,
        tuple(rows),
        (*lines, f"stock in all: {stock}"),
        verdict,
        arrived,
        is_settled,
        arrived == len(placed) and stock_is_right,
    )


def _stock(state: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """What was reserved for delivered orders was deducted, all of it, and nothing is reserved for them any more."""
    wanted: Counter[str] = Counter()
    open_: Counter[str] = Counter()
    for order in state["oms"]["orders"].values():
        counter = wanted if order["status"] in ("DELIVERED", "RETURNING", "RETURNED") else open_
        for line in order["items"]:
            counter[line["sku"]] += int(line["quantity"])
    deducted: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    for line in state["inventory"]["stock"]:
        deducted[line["sku"]] += line["deductedQty"]
        reserved[line["sku"]] += line["reservedQty"]
    wrong = [sku for sku in wanted.keys() | deducted.keys() if wanted[sku] != deducted[sku]]
    over = [sku for sku, quantity in reserved.items() if quantity > open_[sku]]
    said = f"stock: {sum(deducted.values())} pieces reserved and then deducted, {sum(reserved.values())} still reserved"
    return (
        said,
        *(f"stock of {sku}: sold {wanted[sku]}, deducted {deducted[sku]}" for sku in sorted(wrong)),
    ), not wrong and not over


def _rows(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


def _state(url: str) -> Any:
    answer = requests.get(f"{url}/_state", timeout=10)
    answer.raise_for_status()
    return answer.json()
