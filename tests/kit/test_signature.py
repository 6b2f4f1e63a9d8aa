"""`hub-signature` in both forms: the published vectors, an oracle, and what is refused (inputs B41–B47)."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.kit.signature import read_credentials, sign_default, sign_legacy, verify_default, verify_legacy

NOW = datetime(2024, 1, 29, 9, 0, tzinfo=UTC)
BODY = b'{"orderNo":"OMS202511220001"}'
KEY, SECRET = "ak_demo", "sk_demo"


def credentials(headers):
    return read_credentials(Request("POST", "/x", "", tuple(headers), BODY))


def test_the_default_forms_vector():
    assert dict(sign_default(KEY, [SECRET], "msg_demo", BODY, NOW)) == {
        "authorization": "ApiKey ak_demo",
        "webhook-id": "msg_demo",
        "webhook-timestamp": "1706518800",
        "webhook-signature": "v1,EatHioQLXGWyyzUElWr7MSvXzmr+BHC/7DHVYLI3/vk=",
    }
    assert sign_default(KEY, ["whsec_c2tfZGVtbw=="], "msg_demo", BODY, NOW) == sign_default(
        KEY, [SECRET], "msg_demo", BODY, NOW
    )


def test_the_legacy_forms_vector():
    assert dict(sign_legacy(KEY, SECRET, BODY, NOW)) == {
        "authorization": "ApiKey ak_demo",
        "x-timestamp": "1706518800000",
        "x-signature": "291933cee27f9e9fcac7bd1a73d04eac0de5d76418b39f515132572ca4b52716",
    }


def test_the_published_vector_of_standard_webhooks():
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = dict(
        sign_default(
            KEY, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at
        )
    )
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_implementation_takes_what_we_sign():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = dict(sign_default(KEY, [secret], "msg_1", BODY, datetime.now(UTC)))
    assert Webhook(secret).verify(BODY, headers) == {"orderNo": "OMS202511220001"}


def test_either_secret_counts_while_one_rotates():
    signed = credentials(sign_default(KEY, ["old", "new"], "m1", BODY, NOW))
    for known in (["old"], ["new"], ["other", "new"]):
        verify_default(signed, known, BODY, now=NOW)


@pytest.mark.parametrize(
    ("verify", "sign"),
    [
        (verify_default, lambda: sign_default(KEY, [SECRET], "m1", BODY, NOW)),
        (verify_legacy, lambda: sign_legacy(KEY, SECRET, BODY, NOW)),
    ],
    ids=["default", "legacy"],
)
@pytest.mark.parametrize(("secret", "body", "late", "code"), [
    (SECRET, BODY, 0, None), (SECRET, BODY, 299, None), (SECRET, BODY, -299, None),
    ("other", BODY, 0, Code.UNAUTHENTICATED), (SECRET, BODY + b" ", 0, Code.UNAUTHENTICATED),
    (SECRET, BODY, 301, Code.STALE_TIMESTAMP), (SECRET, BODY, -301, Code.CLOCK_SKEW),
])  # fmt: skip
def test_what_is_taken_and_what_is_refused(verify, sign, secret, body, late, code):
    given = credentials(sign())
    if code is None:
        verify(given, [secret], body, now=NOW + timedelta(seconds=late))
        return
    with pytest.raises(Refused) as refused:
        verify(given, [secret], body, now=NOW + timedelta(seconds=late))
    assert refused.value.code is code


def test_the_headers_of_one_form_prove_nothing_in_the_other():
    with pytest.raises(Refused):
        verify_default(credentials(sign_legacy(KEY, SECRET, BODY, NOW)), [SECRET], BODY, now=NOW)
    with pytest.raises(Refused):
        verify_legacy(credentials(sign_default(KEY, [SECRET], "m1", BODY, NOW)), [SECRET], BODY, now=NOW)
