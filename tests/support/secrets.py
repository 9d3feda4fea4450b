"""Passwords at a price that tests can pay, and codes as a device shows them."""

from __future__ import annotations

from base64 import b32decode

import pyotp
import pytest
from argon2 import PasswordHasher

from garrison.identity import passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=32, salt_len=16)


class Calculations:
    """Counts what argon2 is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = PasswordHasher.hash

        def counted(hasher: PasswordHasher, password: str | bytes, *, salt: bytes | None = None) -> str:
            self.count += 1
            return real(hasher, password, salt=salt)

        monkeypatch.setattr(PasswordHasher, "hash", counted)

    def taken(self) -> int:
        """How many since the last look."""
        found, self.count = self.count, 0
        return found


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2id at its least cost. What a password of nobody is held against has the same."""
    monkeypatch.setattr(passwords, "HASHER", CHEAP)
    monkeypatch.setattr(passwords, "_NOBODY", passwords._NOBODY.replace("m=65536,t=3,p=4", "m=8,t=1,p=1"))


class Phone:
    """An authenticator app: it has the seed that the image or the text carried, and a clock of its own."""

    def __init__(self, seed: str | bytes, ahead: float = 0.0) -> None:
        self.totp = pyotp.TOTP(seed.decode() if isinstance(seed, bytes) else seed)
        self.ahead = ahead

    def code(self, now: float, steps: int = 0) -> str:
        """The code that it shows at ``now``, or so many steps of 30 seconds later."""
        return self.totp.at(int(now + self.ahead) + 30 * steps)

    def two(self, now: float, steps: int = 0) -> dict[str, str]:
        """The code before and the present one, as EnableMFADevice and ResyncMFADevice take them."""
        return {"authentication_code1": self.code(now, steps - 1), "authentication_code2": self.code(now, steps)}

    @property
    def seed(self) -> bytes:
        """The bytes behind the text."""
        return b32decode(self.totp.secret)
