"""A stop under load: whatever is under way, nothing is said on standard error but the log's own lines."""

import json
import threading
import time

import pytest

from tests.support.hubs import HubProcess, Sink, small_workspace

LINE = '{"orderNo":"%s","items":[{"sku":"S","quantity":1}]}'


@pytest.mark.parametrize("slow_s", [0.0, 20.0])
def test_a_stop_under_load_leaves_a_clean_standard_error(tmp_path, slow_s):
    # Given a hub whose threads have all computed something, and a target that is quick, or does not come back within
    # the grace
    def answer(number, key):
        time.sleep(slow_s)
        return 200, {}, b"{}"

    sink = Sink(answer)
    workspace = small_workspace(tmp_path / "workspace", sink.url)
    mapping = next((workspace / "mappings").glob("*.yaml"))
    mapping.write_text(
        mapping.read_text("utf-8").replace("  orderNo: orderNo\n", "  orderNo: $uppercase($trim(orderNo))\n", 1),
        "utf-8",
    )
    routes = workspace / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace(
            "    to: [warehouse", "    when: $count(items) > 0 and $length($string(orderNo)) > 1\n    to: [warehouse"
        ),
        "utf-8",
    )
    with (tmp_path / "err").open("w+") as err:
        hub = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3", hub_grace=1)
        hub.stderr, hub.is_cold = err, True
        hub.start()
        caller = hub.caller("shop")
        going = threading.Event()

        def post(number):
            turn = 0
            while not going.is_set():
                turn += 1
                try:
                    body = "[" + ",".join(LINE % f"SO-{number}-{turn}-{each}" for each in range(3)) + "]"
                    caller.post("/api/v1/shop/order.placed/batch", body.encode(), f"b-{number}-{turn}")
                    caller.post(
                        "/api/v1/shop/order.placed", (LINE % f"SO-{number}-{turn}").encode(), f"s-{number}-{turn}"
                    )
                except OSError:
                    return

        threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(2.0)  # the load itself: posts, batches and deliveries in all their threads
        hub.stop()
        going.set()
        for thread in threads:
            thread.join()
        err.seek(0)
        lines = err.read().splitlines()
    sink.shutdown()
    sink.server_close()
    # Then each line is one of the log's
    assert [line for line in lines if not line.startswith("{") or "event" not in json.loads(line)] == []
