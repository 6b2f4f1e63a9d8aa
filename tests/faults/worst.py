"""The worst caller that could be thought of, as a process of its own:
`python -m tests.faults.worst URL KEY SECRET SECONDS RATE`.

In turn: a large post under conditions that go through a list for each of its elements; a post whose mapping doubles a
text; one whose condition calls itself without end; one nested as deeply as it may under a contract that refers to
itself; one that is wrong at twelve thousand places, each for twenty reasons; and bodies that come a byte at a time.
Prints what it was answered, by kind and status, as JSON.
"""

import collections
import json
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlparse

from tests.support.hubs import Caller

KINDS = tuple(os.environ.get("HUB_WORST_KINDS", "quadratic,doubling,endless,deep,unfit,quadratic").split(","))
SLOW = 16  # connections that send a byte a second


def bodies():
    nested = {"name": "x"}
    for _ in range(28):
        nested = {"name": "x", "kids": [nested]}
    return {
        "quadratic": (
            "order.placed",
            lambda number: {
                "orderNo": number,
                "items": [{"sku": f"SKU-{row}-{'x' * 40}", "quantity": row + 1} for row in range(500)],
            },
        ),
        "doubling": ("order.heavy", lambda number: {"orderNo": number, "depth": 40}),
        "endless": ("order.heavy", lambda number: {"orderNo": number, "loop": 1}),
        "deep": ("order.heavy", lambda number: {"orderNo": number, "tree": nested}),
        "unfit": ("order.heavy", lambda number: {"orderNo": number, "lines": [None] * 12_000}),
        "large": ("order.heavy", lambda number: {"orderNo": number, "lines": ["x" * 400] * 20_000}),
    }


def main(url, key, secret, seconds, rate):
    answers = collections.Counter()
    made = bodies()
    local = threading.local()

    def post(number):
        kind = KINDS[number % len(KINDS)]
        name, body = made[kind]
        if not hasattr(local, "caller"):
            local.caller = Caller(url, key, secret)
        try:
            answer = local.caller.post(
                f"/api/v1/shop/{name}", json.dumps(body(f"BAD-{number}")).encode(), f"bad-{number}"
            )
            answers[f"{kind} {answer.status_code}"] += 1
        except OSError as error:
            answers[f"{kind} {type(error).__name__}"] += 1

    end = time.monotonic() + seconds
    slow = [threading.Thread(target=crawl, args=(url, key, end), daemon=True) for _ in range(SLOW)]
    for thread in slow:
        thread.start()
    with ThreadPoolExecutor(32) as threads:
        began = time.monotonic()
        number = 0
        while time.monotonic() < end:
            threads.submit(post, number)
            number += 1
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
    print(json.dumps({"posted": number, "answers": dict(answers)}), flush=True)


def crawl(url, key, end):
    """Bodies of some kilobytes that come a byte a second, one after the other."""
    place = urlparse(url)
    while time.monotonic() < end:
        try:
            with socket.create_connection((place.hostname, place.port), 5) as link:
                head = f"POST /api/v1/shop/order.placed HTTP/1.1\r\nhost: {place.netloc}\r\nauthorization: ApiKey {key}\r\ncontent-type: application/json\r\n"
                link.sendall((head + "content-length: 4000\r\n\r\n").encode())
                while time.monotonic() < end:
                    link.sendall(b" ")
                    time.sleep(1)
        except OSError:
            time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:4], float(sys.argv[4]), float(sys.argv[5]))
