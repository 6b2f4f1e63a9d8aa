"""Which broker an address means: AMQP or Redis, as a target and as a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.config.queue import Queue
from hub.core.config.system import Publish
from hub.kit.queues.amqp_source import AmqpSource
from hub.kit.queues.queue_target import QueueTarget
from hub.kit.queues.source import QueueSource

if TYPE_CHECKING:
    from hub.kit.queues.redis_queue import RedisTarget

_REDIS = ("redis://", "rediss://")
_AMQP = ("amqp://", "amqps://")


def make_queue_target(url: str, publish: Publish) -> QueueTarget | RedisTarget:
    """What publishes at this address. Raises ValueError for an address that is none, or an exchange where there are
    none.
    """
    if not url.startswith(_REDIS):
        return QueueTarget(url, publish.exchange, kind=publish.kind, durable=publish.durable, queue=publish.queue)
    if not publish.queue:
        raise ValueError(
            f"it publishes to the exchange {publish.exchange}, and its broker is a Redis, which has none. Write publish: {{queue: …}}."
        )
    from hub.kit.queues.redis_queue import RedisTarget  # noqa: PLC0415  its client loads a tracing library where one is installed: only who has a Redis pays

    return RedisTarget(url, publish.queue)


def make_queue_source(url: str, queue: Queue) -> QueueSource:
    """What consumes a queue at this address. Raises ValueError for an address that is none, or an exchange where there
    are none.
    """
    if url.startswith(_AMQP):
        return AmqpSource(url, queue)
    if not url.startswith(_REDIS):
        raise ValueError(
            f"the setting {queue.broker} is no broker's address, which the queue {queue.name} wants: amqp://… or redis://…"
        )
    if queue.exchange:
        raise ValueError(f"the queue {queue.name} is bound to an exchange, and its broker is a Redis, which has none.")
    from hub.kit.queues.redis_queue import RedisSource  # noqa: PLC0415

    return RedisSource(url, queue)
