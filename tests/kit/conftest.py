from collections.abc import Iterator

import pytest

from tests.support.sandboxes import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where the hub would be."""
    made = Receiver()
    yield made
    made.stop()
