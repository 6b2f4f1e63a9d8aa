"""Beside a case: its thirty posts, and a look into its store again and again. Both run outside the faults."""

import json
import threading
import time

import requests
import sqlalchemy as sa

from hub.store.engine.dialects import CLOCKS
from tests.support.hubs import Caller

MESSAGES, KEYS = 30, 10


class Load(threading.Thread):
    """Thirty posts over ten orders, each until it is answered 2xx, under a name of its own; and one that is refused.
    `history` has a line per post.
    """

    def __init__(self, url, key):
        super().__init__(daemon=True)
        self._url, self._key = url, key
        self.history = []
        self.is_by_order = False  # whether a sender posts all of one order before it begins the next

    def run(self):
        senders = [threading.Thread(target=self._send, args=(first,), daemon=True) for first in range(5)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    @property
    def accepted(self):
        return {line["name"] for line in self.history if line["outcome"] == "ok"}

    def again(self):
        """All once more, as a sender does who never heard the answer."""
        caller = Caller(self._url, *self._key)
        for number in range(MESSAGES):
            self._post(caller, number)

    def _send(self, first):
        caller = Caller(self._url, *self._key)
        if first == 0:
            self._post(
                caller,
                "refused",
                b'{"orderNo": "SO-refused", "items": [{"sku": "S-refused", "quantity": 1}], "odd": 1}',
            )
        # A sender has its orders to itself, so that they are accepted in the order in which they are posted.
        numbers = [number for number in range(MESSAGES) if number % KEYS % 5 == first]
        for number in sorted(numbers, key=lambda number: (number % KEYS if self.is_by_order else 0, number)):
            while not self._post(caller, number):
                time.sleep(0.1)

    def _post(self, caller, number, body=None):
        name = f"m-{number}"
        body = (
            body
            or json.dumps({"orderNo": f"SO-{number % KEYS}", "items": [{"sku": f"S-{number}", "quantity": 1}]}).encode()
        )
        status, message = 0, None
        try:
            answer = caller.post("/api/v1/shop/order.placed", body, name)
            status = answer.status_code
            message = answer.json()["data"]["messageId"] if status == 202 else None
        except (requests.RequestException, ValueError):
            caller.session.close()
        outcome = "ok" if message is not None else "fail" if 400 <= status < 500 else "info"
        self.history.append({"name": name, "outcome": outcome, "message": message})
        return outcome == "ok"


class Watch(threading.Thread):
    """`samples`: every quarter of a second, what could go on or whose lease is over, by its id."""

    def __init__(self, engine):
        super().__init__(daemon=True)
        self._engine = engine
        self._ending = threading.Event()
        now = CLOCKS[engine.dialect.name]
        self._late = sa.text(f"""
            SELECT id FROM delivery d WHERE (status = 'leased' AND lease_until < {now}) OR (status = 'pending' AND due_at < {now} AND NOT EXISTS (
                SELECT 1 FROM delivery e WHERE e.lane = d.lane AND e.order_key = d.order_key AND e.seq < d.seq
                AND e.status IN ('pending', 'leased', 'held', 'unknown', 'dead')))
        """)
        self.samples = []

    def run(self):
        while not self._ending.wait(0.25):
            with self._engine.connect() as connection:
                found = connection.execute(self._late).scalars().all()
            self.samples.append((time.monotonic(), frozenset(found)))

    def end(self):
        self._ending.set()
        if self.is_alive():
            self.join(30)
