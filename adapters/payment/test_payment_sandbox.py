import pytest

from tests.support.sandboxes import running, sample, wait_for

ASK = sample("payment", "payment.request", "order")


@pytest.fixture
def payment(tmp_path, receiver):
    with running("payment", tmp_path, receiver.url) as made:
        yield made


def pay(payment, receiver):
    for key in ("k1", "k2"):  # asked twice, paid once
        assert payment.call("/api/payment/request", ASK, key)[0] == 200
    return wait_for(lambda: receiver.of("payment/payment.succeeded"))[0]


def test_an_order_is_paid_once(payment, receiver):
    told = pay(payment, receiver)
    assert (told["orderNo"], str(told["amount"])) == (ASK["orderNo"], "198.00")
    wait_for(lambda: payment.get("/_control")["moments"] == 0 and payment.get("/_control")["unsent"] == 0)
    assert len(receiver.of("payment/payment.succeeded")) == 1


def test_a_payment_goes_back_once_and_never_more_than_it_was(payment, receiver):
    back = {**sample("payment", "refund.create", "return"), "paymentNo": pay(payment, receiver)["paymentNo"]}
    assert payment.call("/api/payment/refund", {**back, "amount": 199}, "r0")[0] == 422
    answers = [payment.call("/api/payment/refund", back, key)[1]["data"] for key in ("r1", "r2")]
    assert answers[0] == answers[1]
    assert payment.get("/_control")["summary"]["refunds"] == 1


def test_what_was_never_paid_does_not_go_back(payment):
    assert payment.call("/api/payment/refund", sample("payment", "refund.create", "return"), "r")[0] == 404
