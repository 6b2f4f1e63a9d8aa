"""What one process does to a breaker while it reads what the others did."""

from datetime import UTC, datetime, timedelta

from hub.core.adapter import Reply
from hub.core.config.routing import TargetPolicy
from hub.core.model.breaker import BreakerPolicy, BreakerState, Circuit
from hub.flow.context.pace import Pace

POLICY = TargetPolicy(breaker=BreakerPolicy(of=2, open=timedelta(seconds=1)))
PAST = datetime(2026, 1, 1, tzinfo=UTC)


class Slow:
    """A store whose answer to a look is older than what happens while it is on its way."""

    def __init__(self):
        self.state = BreakerState("wms", Circuit.OPEN, PAST, 1)
        self.meanwhile = lambda: None

    def breakers(self):
        read = [self.state]
        self.meanwhile()
        return read

    is_alone = True

    def pauses(self):
        return []

    def probe_breaker(self, lane, span):
        self.state = BreakerState(lane, Circuit.HALF_OPEN, datetime.now(UTC) + span, self.state.trips)
        return True

    def close_breaker(self, lane):
        self.state = BreakerState(lane)
        return True


def test_a_probe_that_begins_during_a_look_is_not_taken_for_an_open_breaker():
    # Given a look that has read "open", when a probe begins before the look is done
    store = Slow()
    pace = Pace(store, lambda: datetime.now(UTC))
    pace.look()
    store.meanwhile = lambda: pace.allows("wms", POLICY, 10)
    pace.look()
    store.meanwhile = lambda: None
    # Then its answer closes the breaker, here and in the store
    pace.saw("wms", Reply())
    assert store.state.state is Circuit.CLOSED
    assert pace.allows("wms", POLICY, 10) >= 1
