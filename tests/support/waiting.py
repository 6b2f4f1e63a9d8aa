"""Waiting for a state, with a limit. No test sleeps for a time that somebody guessed."""

import time


def wait_until(is_so, *, seconds=10.0, what="the state"):
    """The first true answer of `is_so`. Fails with `what` when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = is_so()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come about within {seconds:g} s")
