"""Amazon's published example of the derivation (aws-c-auth, key derivation test)."""

from __future__ import annotations

from garrison.keys.sigv4a import public_key


def test_published_key_pair():
    numbers = public_key("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom").public_numbers()
    assert numbers.x == 0x15D242CEEBF8D8169FD6A8B5A746C41140414C3B07579038DA06AF89190FFFCB
    assert numbers.y == 0x0515242CEDD82E94799482E4C0514B505AFCCF2C0C98D6A553BF539F424C5EC0


def test_the_id_and_the_secret_both_count():
    one = public_key("AKIAIOSFODNN7EXAMPLE", "secret").public_numbers()
    assert one != public_key("AKIAIOSFODNN7EXAMPLF", "secret").public_numbers()
    assert one != public_key("AKIAIOSFODNN7EXAMPLE", "secreT").public_numbers()
