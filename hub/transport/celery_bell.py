"""The bell over a broker: rings are tasks of Celery that carry lane names and nothing else. One thread rings; whoever rings it never waits.

A broker that is away, blocked, silent or full costs time alone: a ring that cannot go out is dropped, and the sweep finds the lane.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import kombu as _kombu
from celery import Celery

from hub.logs import event

kombu: Any = _kombu  # it has no types
RING = "hub.ring"  # the one task there is: a worker of another version must know its name too (promise P17)
FORM = 1  # of its arguments
PREFETCH = 32  # rings on their way to one worker, unacknowledged
EXPIRES_S = 30  # a ring that nobody heard by then says nothing that the sweep has not said
PAUSE_S = 1.0  # after a failure, longer each time
LONGEST_PAUSE_S = 15.0
SILENT_S = 2.0  # a broker that says nothing for so long counts as away
EXCHANGE = "crossdock.rings"
_LANE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PASSWORD = re.compile(r"//([^:@/]*):[^@/]*@")


def make_app(broker: str, *, rings: bool) -> Celery:
    """Celery as far as it is used here. `rings`: for whoever publishes; a worker waits for its broker for ever instead."""
    app = Celery("crossdock", broker=broker, set_as_current=False)
    is_redis = broker.startswith(("redis", "rediss"))
    limits: dict[str, Any] = {"max_retries": 0}
    limits |= {"socket_timeout": SILENT_S, "socket_connect_timeout": 1} if is_redis else {"read_timeout": SILENT_S, "write_timeout": SILENT_S}
    app.conf.update(
        task_ignore_result=True,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,  # late acks turn a crash into a loop; the lease repairs what was claimed
        # A ring is heard in no time, but the broker gives the next one only after it has read that the last was: by ones a worker hears some twenty a second.
        # What a stopped worker holds of them, the sweep finds.
        worker_prefetch_multiplier=PREFETCH,
        task_default_delivery_mode="transient",  # rings are not written to disk
        task_publish_retry=False,
        broker_connection_timeout=1,
        # A dead broker must not hold the ringing thread: one try, and away. A worker has nothing else to do than to wait.
        broker_transport_options=limits if rings else ({"socket_timeout": 30} if is_redis else {}),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=30,
        worker_soft_shutdown_timeout=0,  # a ring is done as soon as it is heard
        worker_send_task_events=False,
        worker_enable_remote_control=False,  # nobody commands a worker by way of the broker
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_create_missing_queues=False,
        task_queues=[],
    )
    return app


def queue_of(lane: str, broker: str) -> Any:
    """The queue of one lane: workers may be dedicated, and a slow target's rings are nobody else's. Bounded, so that rings without ears cannot pile up."""
    limits = None if broker.startswith("redis") else {"x-max-length": 10_000, "x-overflow": "drop-head", "x-message-ttl": 60_000}
    name = f"{EXCHANGE}.{lane}"
    return kombu.Queue(name, kombu.Exchange(EXCHANGE, type="direct", durable=True), routing_key=lane, durable=True, queue_arguments=limits)


def read_ring(lanes: object, form: object) -> list[str]:
    """The lanes of a ring. What is no lane is dropped: anybody may write into a broker (promise P17, threat S30)."""
    if form != FORM or not isinstance(lanes, list):
        return []
    return [lane for lane in lanes[:1_000] if isinstance(lane, str) and _LANE.fullmatch(lane)]


class CeleryBell:
    """Rings gather in a set, and a thread of its own puts them on the broker. `ring` never blocks and never raises; `failed` hears how many were lost."""

    def __init__(self, broker: str, failed: Callable[[int], None] = lambda _: None) -> None:
        self._broker = broker
        self._tell = failed
        self._app = make_app(broker, rings=True)
        self._lanes: set[str] = set()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def ring(self, lanes: Iterable[str]) -> None:
        with self._changed:
            self._lanes.update(lanes)
            self._changed.notify()

    def close(self, seconds: float = 2.0) -> None:
        """Rings what was rung already, if the broker is there, and ends."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = PAUSE_S
        while True:
            with self._changed:
                while not self._lanes and not self._is_closing:
                    self._changed.wait()
                lanes, self._lanes = sorted(self._lanes), set()
                if self._is_closing and not lanes:
                    return
            try:
                self._publish(lanes)
                pause = PAUSE_S
            except Exception as error:  # noqa: BLE001  whatever a broker and its client come up with: a ring is never worth more than this line
                self._tell(len(lanes))
                event("bell.failed", f"{type(error).__name__}: {_masked(str(error))[:200]}; the sweep rings instead", level="warning", lanes=lanes[:20])
                self._forget()
                if self._is_closing:
                    return
                # What is rung in the meantime gathers, and goes out once for all.
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _publish(self, lanes: list[str]) -> None:
        with self._app.producer_or_acquire() as producer:
            for lane in lanes:
                queue = queue_of(lane, self._broker)
                self._app.send_task(RING, args=[[lane], FORM], queue=queue, producer=producer, expires=EXPIRES_S, ignore_result=True, retry=False)

    def _forget(self) -> None:
        """Throws the connections away: one that broke in the midst is of no use to the next."""
        with contextlib.suppress(Exception):
            self._app.pool.force_close_all()
        self._app = make_app(self._broker, rings=True)


def _masked(text: str) -> str:
    return _PASSWORD.sub(r"//\1:***@", text)
