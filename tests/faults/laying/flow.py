"""Points in the flow: mapping, leading, the batches of queues, and following a new configuration."""

from hub.flow import deliver
from hub.flow.context.revisions import Revisions
from hub.kit.queues.source import BrokerUnavailable
from hub.worker import queues, scheduler


def lay_flow(wounds):
    prepare, rescue, take_in, refresh = deliver.prepare, scheduler.rescue, queues.take_in, Revisions.refresh

    def prepare_(*given):
        made = prepare(*given)
        if made[0]:
            wounds.reach("map.done")
        return made

    def rescue_(hub):
        wounds.reach("lead.held")
        rescue(hub)

    def take_in_(*given):
        wounds.reach("poll.fetched")
        taken = take_in(*given)
        wounds.reach("poll.committed")
        return taken

    def refresh_(revisions):
        if wounds.has("apply.halfway") and revisions._store.active() != revisions.active().revision:
            wounds.reach("apply.halfway")
        return refresh(revisions)

    deliver.prepare, scheduler.rescue, queues.take_in, Revisions.refresh = prepare_, rescue_, take_in_, refresh_
    consume = queues.Consumer._consume

    def consume_(consumer, source):
        take = source.take

        def take_(seconds):
            batch = take(seconds)
            if batch and wounds.fails("source.take"):
                raise BrokerUnavailable("the broker's answer timed out")
            return batch

        source.take = take_
        try:
            consume(consumer, source)
        finally:
            del source.take

    queues.Consumer._consume = consume_
