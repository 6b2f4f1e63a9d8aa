"""UUIDv7."""

import uuid

from hub.core.model.ids import uuid7


def test_an_id_has_version_seven_the_variant_and_its_time():
    made = uuid.UUID(uuid7(1_780_306_200_250, bytes(range(10))))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 1_780_306_200_250


def test_the_example_of_the_rfc():
    # RFC 9562, appendix A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    random = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_sort_by_time_as_text():
    assert uuid7(1, b"\xff" * 10) < uuid7(2, b"\x00" * 10) < uuid7(2**47, b"\x00" * 10)


def test_more_randomness_than_needed_is_dropped():
    assert uuid7(5, b"\x01" * 10 + b"rest") == uuid7(5, b"\x01" * 10)


def test_time_and_random_bits_do_not_spill_into_version_and_variant():
    for random in (b"\x00" * 10, b"\xff" * 10):
        made = uuid.UUID(uuid7(2**48 - 1, random))
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
