"""What tests of the flow share: a target that de-duplicates and remembers."""

import pytest

from tests.support.hubs import Sink


@pytest.fixture
def sink():
    made = Sink()
    yield made
    made.shutdown()
    made.server_close()
