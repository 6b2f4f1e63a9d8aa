"""One hub on the reference workspace, and a single place that takes the calls of all its systems: an order's messages,
posted one by one.
"""

import hashlib
import json

from tests.support.hubs import ROOT, HubProcess, Sink
from tests.support.waiting import wait_until

SYSTEMS = ("channel", "erp", "inventory", "oms", "payment", "tms", "wms")


def sample(path):
    system, message, case = path.split("/")
    return json.loads((ROOT / "adapters" / system / "samples" / message / f"{case}.json").read_text("utf-8"))


class Chain:
    """`answers` maps the end of a path to (status, body); everything else is taken."""

    def __init__(self, folder, workspace=ROOT):
        self.answers = {}
        self.sink = Sink(self._answer)
        secrets = {}
        for name in SYSTEMS:
            secrets |= {f"{name}_KEY": "ak_out", f"{name}_SECRET": "whsec_dGVzdA==", f"HUB_{name}_URL": self.sink.url}
        self.hub = HubProcess(
            workspace, f"sqlite:///{folder}/hub.sqlite3", hub_log_level="error", hub_zone="Asia/Shanghai", **secrets
        )
        self.hub.json("apply")
        self.hub.start()
        self.url = self.hub.url
        self.caller = self.hub.caller(*SYSTEMS)

    def _answer(self, number, key):
        path = self.sink.requests[-1][1]
        status, body = next(
            (answer for end, answer in self.answers.items() if path.endswith(end)),
            (200, b'{"code": 0, "message": "success", "data": {}}'),
        )
        return status, {"content-type": "application/json"}, body

    def post(self, path, **changed):
        """Posts a sample, such as wms/outbound.confirmed.v1/seed, with other values; gives the id of the message."""
        system, message, _ = path.split("/")
        body = json.dumps({**sample(path), **changed}, ensure_ascii=False).encode()
        answer = self.caller.post(
            f"/api/v1/{system}/{message.rsplit('.', 1)[0]}", body, hashlib.sha256(body).hexdigest()
        )
        assert answer.status_code in (200, 202), answer.text
        return answer.json()["data"]["messageId"]

    def order(self, number, *, waybill=None):
        """An order that is placed, paid, sent to its warehouse and, with a waybill, shipped. Gives the id of its last
        message.
        """
        order, payment, outbound = f"OMS{number}", f"PAY{number}", f"WMS{number}"
        self.post("oms/order.created.v1/one-line", orderNo=order, channelOrderNo=f"APP{number}")
        self.post("payment/payment.succeeded.v1/order", orderNo=order, paymentNo=payment)
        last = self.post("oms/outbound.requested.v1/one-line", orderNo=order)
        if waybill:
            self.ended(last)  # a warehouse ships what it was told to
            last = self.post("wms/outbound.confirmed.v1/seed", orderNo=order, outboundNo=outbound, waybillNo=waybill)
        return last

    def ended(self, message_id):
        return self.hub.delivered(message_id, seconds=60)

    def in_state(self, message_id, status):
        def there():
            return any(line["status"] == status for line in self.hub.ops(f"/messages/{message_id}")["deliveries"])

        wait_until(there, seconds=60, what=f"a delivery that is {status}")

    def stop(self):
        self.hub.stop()
        self.sink.shutdown()
        self.sink.server_close()
