"""How much a caller may post: beyond it 429 with the time to wait, and nobody else notices."""

import json

import pytest

from hub.core.errors import Code, Refused
from hub.flow.context.rate_limit import Allowance
from tests.support.hubs import HubProcess, small_workspace
from tests.support.waiting import wait_until


def posted(caller, number):
    body = json.dumps({"orderNo": f"{caller.key}-{number}", "items": [{"sku": "SKU-1", "quantity": 1}]}).encode()
    return caller.post("/api/v1/shop/order.placed", body, f"m-{number}")


def test_what_was_saved_up_goes_at_once_then_a_second_at_a_time():
    # Given two a second, at a clock that stands still
    at = [0.0]
    allowance = Allowance(2.0, monotonic=lambda: at[0])
    for _ in range(20):
        allowance.ask("a")
        allowance.spend("a", 1)
    # Then ten seconds' worth went, the next is told when to come, and another caller is not meant
    with pytest.raises(Refused) as refused:
        allowance.ask("a")
    assert (refused.value.code, dict(refused.value.headers)) == (Code.TOO_MANY_REQUESTS, {"retry-after": "1"})
    allowance.ask("b")
    at[0] = 0.5
    allowance.ask("a")


def test_a_batch_goes_whole_and_is_made_up_for():
    at = [0.0]
    allowance = Allowance(10.0, monotonic=lambda: at[0])
    allowance.ask("a")
    allowance.spend("a", 1_100)
    with pytest.raises(Refused) as refused:
        allowance.ask("a")
    assert dict(refused.value.headers)["retry-after"] == "101"
    at[0] = 100.2
    allowance.ask("a")


def test_without_a_limit_nothing_is_counted():
    allowance = Allowance(0.0)
    allowance.spend("a", 1_000_000)
    allowance.ask("a")


@pytest.fixture
def hub(tmp_path, sink, store_url):
    made = HubProcess(small_workspace(tmp_path / "workspace", sink.url), store_url, hub_caller_rate=2).start()
    yield made
    made.stop()


def test_a_caller_that_posts_too_much_is_told_to_wait_and_another_is_not(hub):
    # Given two callers, and one that posts far more than it may
    much, little = hub.caller("shop"), hub.caller("shop")
    answers = [posted(much, number) for number in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    # Then what is beyond is refused with its code and the time to wait; all else was accepted
    assert {answer.status_code for answer in answers} == {202, 429}
    assert answers[0].status_code == 202
    assert {answer.json()["code"] for answer in refused} == {42900}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert posted(little, 1).status_code == 202
    # When it has waited, then the same post under the same name goes in, and what was refused was not stored
    number = answers.index(refused[0])
    answer = wait_until(
        lambda: (again := posted(much, number)).status_code == 202 and again, seconds=30, what="its turn"
    )
    assert answer.json()["data"]["duplicate"] is False
