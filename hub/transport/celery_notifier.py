"""The notifier over a message broker: each notification is a Celery task with lane names only. A background thread
publishes; the caller never waits.

A broker that is unavailable, blocked or full costs only time: a notification that cannot be published is dropped, and
the next poll finds the lane.
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
RING = "hub.ring"  # the only task name; workers of other versions must know it too (promise P17)
FORM = 1  # version of the task's arguments
PREFETCH = 32  # unacknowledged notifications per worker
EXPIRES_S = 30  # TTL of a notification; by then polling has found the work
PAUSE_S = 1.0  # first pause after a failure; it doubles each time
LONGEST_PAUSE_S = 15.0
SILENT_S = 2.0  # read timeout: a broker that is silent for longer counts as unavailable
EXCHANGE = "crossdock.rings"
_LANE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PASSWORD = re.compile(r"//([^:@/]*):[^@/]*@")


def make_app(broker: str, *, rings: bool) -> Celery:
    """Configures Celery. `rings`: for the publisher, which fails fast; a worker waits for its broker for ever."""
    app = Celery("crossdock", broker=broker, set_as_current=False)
    is_redis = broker.startswith(("redis", "rediss"))
    limits: dict[str, Any] = {"max_retries": 0}
    limits |= (
        {"socket_timeout": SILENT_S, "socket_connect_timeout": 1}
        if is_redis
        else {"read_timeout": SILENT_S, "write_timeout": SILENT_S}
    )
    app.conf.update(
        task_ignore_result=True,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,  # late acknowledgements would turn a crash into a loop; leases recover claimed work
        # The broker sends the next notification only after the acknowledgement of the last: without prefetch a worker
        # receives about twenty a second. Polling finds what a stopped worker had prefetched.
        worker_prefetch_multiplier=PREFETCH,
        task_default_delivery_mode="transient",  # notifications are not written to disk
        task_publish_retry=False,
        broker_connection_timeout=1,
        # A dead broker must not block the publishing thread: one try only. A worker may wait.
        broker_transport_options=limits if rings else ({"socket_timeout": 30} if is_redis else {}),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=30,
        worker_soft_shutdown_timeout=0,  # a notification needs no further work
        worker_send_task_events=False,
        worker_enable_remote_control=False,  # workers take no commands from the broker
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_create_missing_queues=False,
        task_queues=[],
    )
    return app


def queue_of(lane: str, broker: str) -> Any:
    """The broker queue of one lane, so that workers can be dedicated and lanes do not delay each other.

    Bounded, so that notifications without a worker cannot pile up.
    """
    limits = (
        None
        if broker.startswith("redis")
        else {"x-max-length": 10_000, "x-overflow": "drop-head", "x-message-ttl": 60_000}
    )
    name = f"{EXCHANGE}.{lane}"
    return kombu.Queue(
        name,
        kombu.Exchange(EXCHANGE, type="direct", durable=True),
        routing_key=lane,
        durable=True,
        queue_arguments=limits,
    )


def read_ring(lanes: object, form: object) -> list[str]:
    """The lanes of a notification. Invalid names are dropped, because the broker's content is not trusted (promise P17,
    threat S30).
    """
    if form != FORM or not isinstance(lanes, list):
        return []
    return [lane for lane in lanes[:1_000] if isinstance(lane, str) and _LANE.fullmatch(lane)]


class CeleryNotifier:
    """Collects lanes in a set, and publishes them in a background thread. `notify` never blocks and never raises;
    `failed` gets the number of lost notifications.
    """

    def __init__(self, broker: str, failed: Callable[[int], None] = lambda _: None) -> None:
        self._broker = broker
        self._tell = failed
        self._app = make_app(broker, rings=True)
        self._lanes: set[str] = set()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def notify(self, lanes: Iterable[str]) -> None:
        with self._changed:
            self._lanes.update(lanes)
            self._changed.notify()

    def close(self, seconds: float = 2.0) -> None:
        """Publishes the remaining notifications, if the broker is available, and ends."""
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
            except Exception as error:  # noqa: BLE001  a broker client may raise anything; a lost notification is only logged
                self._tell(len(lanes))
                event(
                    "bell.failed",
                    f"{type(error).__name__}: {_masked(str(error))[:200]}; the sweep rings instead",
                    level="warning",
                    lanes=lanes[:20],
                )
                self._forget()
                if self._is_closing:
                    return
                # Rings during the pause are collected, and are published once.
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _publish(self, lanes: list[str]) -> None:
        with self._app.producer_or_acquire() as producer:
            for lane in lanes:
                queue = queue_of(lane, self._broker)
                self._app.send_task(
                    RING,
                    args=[[lane], FORM],
                    queue=queue,
                    producer=producer,
                    expires=EXPIRES_S,
                    ignore_result=True,
                    retry=False,
                )

    def _forget(self) -> None:
        """Closes all connections: a broken one must not be used again."""
        with contextlib.suppress(Exception):
            self._app.pool.force_close_all()
        self._app = make_app(self._broker, rings=True)


def _masked(text: str) -> str:
    return _PASSWORD.sub(r"//\1:***@", text)
